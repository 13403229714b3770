"""Upscalers: functions from an LR image to an HR image, uint8 RGB [H, W, 3] both."""

from collections.abc import Callable

import numpy as np

from ignn_jax.ops.bicubic import imresize

Upscaler = Callable[[np.ndarray], np.ndarray]


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Rounds and clips to [0, 255]."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def bicubic_upscaler(scale: int) -> Upscaler:
    """MATLAB's bicubic, rounded once at the end."""
    return lambda lr: to_uint8(imresize(lr.astype(np.float64), scale=scale))


def network_upscaler(run: Callable[[np.ndarray], np.ndarray]) -> Upscaler:
    """A network's, rounded; `run` is of float32 images, as a TiledNetwork."""
    return lambda lr: to_uint8(run(lr.astype(np.float32)))
