"""Upscalers: functions from an LR image to an HR image, uint8 RGB [H, W, 3] both."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ignn_jax.inference.tiles import upscale_tiled
from ignn_jax.ops.bicubic import imresize

Upscaler = Callable[[np.ndarray], np.ndarray]

# Pixels at each inner border of a tile whose results are discarded.
OVERLAP = 16


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Rounds and clips to [0, 255]."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def bicubic_upscaler(scale: int) -> Upscaler:
    """MATLAB's bicubic, rounded once at the end."""
    return lambda lr: to_uint8(imresize(lr.astype(np.float64), scale=scale))


def network_upscaler(
    apply: Callable[[Any], Any], *, scale: int, tile: int | None = None
) -> Upscaler:
    """A network's, rounded; whole images, or tiles (`upscale_tiled`).

    Args:
      apply: jitted, float32 [1, h, w, 3] to [1, scale * h, scale * w, 3].
      scale: of the network.
      tile: side of the LR tiles; None or 0 for whole images.
    """
    return lambda lr: to_uint8(
        upscale_tiled(
            apply, lr.astype(np.float32), scale=scale, tile=tile, overlap=OVERLAP
        )
    )
