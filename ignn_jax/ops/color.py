"""BT.601 luma, the channel on which the field measures PSNR and SSIM."""

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np

Array = TypeVar("Array", np.ndarray, jax.Array)


def rgb_to_y(rgb: Array) -> Array:
    """Luma of RGB, as MATLAB's `rgb2ycbcr` (ITU-R BT.601), not rounded.

    Args:
      rgb: [..., 3] in [0, 255]; NumPy or JAX, floats or integers.

    Returns:
      [...] in [16, 235], of the same library; the dtype of a float input, the default
      float for integers.

    Raises:
      ValueError: if the last axis is not 3 channels.
    """
    if rgb.ndim == 0 or rgb.shape[-1] != 3:
        raise ValueError(f"rgb must be [..., 3], not {rgb.shape}")
    if not jnp.issubdtype(rgb.dtype, jnp.floating):
        rgb = rgb.astype(float)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    return 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255
