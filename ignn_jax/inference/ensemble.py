"""The self-ensemble: the mean over the 8 flips and rotations of an image (IGNN+).

Timofte, Rothe, Van Gool, "Seven Ways to Improve Example-Based Single Image Super
Resolution", 2016.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np


def self_ensemble(run: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """Wraps a network so that it sees its input in all 8 orientations.

    The outputs are turned back and averaged as floats, before any rounding. Networks
    that treat all orientations alike, as bicubic does, give the same as before, up to
    floating-point rounding.

    Args:
      run: float32 [..., h, w, 3] to [..., S * h, S * w, 3], a batch or one image;
        called with [..., w, h, 3] too.

    Returns:
      A function of the same shapes; it passes keyword arguments on to `run`.
    """

    def averaged(lr: Any, **options: Any) -> np.ndarray:
        lr = np.asarray(lr)
        total: Any = 0
        for rows, columns, transpose in itertools.product((1, -1), (1, -1), (0, 1)):
            turned = lr[..., ::rows, ::columns, :]
            if transpose:
                turned = turned.swapaxes(-3, -2)
            sr = np.asarray(run(turned, **options))
            if transpose:
                sr = sr.swapaxes(-3, -2)
            total += sr[..., ::rows, ::columns, :]
        return total / np.float32(8)

    return averaged
