"""Scores of upscaled images. Images are uint8 RGB [H, W, 3]."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from ignn_jax.data.pairs import Pair
from ignn_jax.evaluation.metrics import psnr, ssim
from ignn_jax.inference.upscalers import Upscaler

# The baseline's name among the methods.
BICUBIC = "bicubic"


class Score(NamedTuple):
    """PSNR in dB (inf for identical images) and SSIM, both on Y."""

    psnr: float
    ssim: float

    def __str__(self):
        return f"{self.psnr:.2f} dB / {self.ssim:.4f}"


class Evaluated(NamedTuple):
    """An image pair after one or more methods have upscaled its LR image.

    Attributes:
      pair: the LR image and the HR image that the results are compared with.
      images: the upscaled images by method. Those of a benchmark or a report are
        "bicubic", and then the network's name if there is one.
      scores: their scores by method, in the same order.
    """

    pair: Pair
    images: dict[str, np.ndarray]
    scores: dict[str, Score]


def evaluate(upscale: Upscaler, pairs: Iterable[Pair]) -> list[Score]:
    """Upscales the LR image of each pair and scores the results.

    The scale is that of each pair's shapes, and a border as wide as the scale is cut
    before comparing. The pairs are taken one at a time, so an iterator that reads them
    needs the memory of one.

    Args:
      upscale: from an LR image to an HR image, uint8 RGB both.
      pairs: the images.

    Returns:
      A score per pair.

    Raises:
      ValueError: HR is not a whole multiple of LR, or as `psnr` and `ssim`.
    """
    return [evaluate_pair(pair, {"sr": upscale}).scores["sr"] for pair in pairs]


def evaluate_pair(pair: Pair, upscalers: Mapping[str, Upscaler]) -> Evaluated:
    """Upscales a pair's LR image by each method and scores the results.

    Raises:
      ValueError: as `evaluate`.
    """
    scale = scale_of(pair)
    images = {method: upscale(pair.lr) for method, upscale in upscalers.items()}
    scores = {
        method: Score(
            psnr(image, pair.hr, border=scale), ssim(image, pair.hr, border=scale)
        )
        for method, image in images.items()
    }
    return Evaluated(pair, images, scores)


def scale_of(pair: Pair) -> int:
    """How many times HR is as high and as wide as LR.

    Raises:
      ValueError: it is not a whole multiple.
    """
    (height, width), hr = pair.lr.shape[:2], pair.hr.shape[:2]
    scale = hr[0] // height
    if scale < 1 or hr != (scale * height, scale * width):
        raise ValueError(
            f"{pair.name}: an HR image of {hr[1]} x {hr[0]} is not a whole multiple of "
            f"an LR image of {width} x {height}"
        )
    return scale


def mean_score(scores: Iterable[Score]) -> Score:
    """The mean over images.

    Raises:
      ValueError: there are none.
    """
    scores = list(scores)
    if not scores:
        raise ValueError("there are no scores to take the mean of")
    return Score(*np.mean(scores, axis=0).tolist())
