"""One image's scores, and the mean over images. Images are uint8 RGB [H, W, 3]."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ignn_jax.evaluation.metrics import psnr, ssim


class Score(NamedTuple):
    """PSNR in dB (inf for identical images) and SSIM, on Y."""

    psnr: float
    ssim: float

    def __str__(self):
        return f"{self.psnr:.2f} dB / {self.ssim:.4f}"


def score(sr: np.ndarray, hr: np.ndarray, *, scale: int) -> Score:
    """How well an image matches the original, less a border as wide as the scale.

    Raises:
      ValueError: as `ignn_jax.evaluation.metrics.psnr` and `ssim`.
    """
    return Score(psnr(sr, hr, border=scale), ssim(sr, hr, border=scale))


def mean_score(scores: Iterable[Score]) -> Score:
    """The mean over images."""
    return Score(*np.mean(list(scores), axis=0).tolist())
