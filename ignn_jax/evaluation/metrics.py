"""PSNR and SSIM as the super-resolution field reports them.

Images are RGB in [0, 255], rounded to whole numbers; both metrics are taken on the
luma Y, after a border of `border` pixels (by custom the scale) is cut on every side.
SSIM is that of Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error
Visibility to Structural Similarity", 2004: an 11 x 11 Gaussian window, sigma 1.5,
averaged where the window lies inside the image.

`psnr` and `ssim` are the numbers to report, in float64; `psnr_jnp` and `ssim_jnp` give
them in float32 for batches, inside jitted training code.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import scipy  # whose parts are imported when they are used, as ndimage slowly

from ignn_jax.ops.color import Array, luma, rgb_to_y

_RADIUS = 5
_WINDOW = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / 1.5) ** 2)
_WINDOW /= _WINDOW.sum()
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2
_GRAY = 128


def psnr(a: np.ndarray, b: np.ndarray, *, border: int) -> float:
    """Peak signal-to-noise ratio of two images on Y, in dB.

    Args:
      a: [H, W, 3] uint8 RGB, or [H, W] gray, which counts as RGB of equal channels.
      b: likewise, of the same shape.
      border: pixels to cut on every side.

    Returns:
      10 log10(255² / mean squared error); inf for identical images.

    Raises:
      ValueError: for another shape or dtype, two shapes, or nothing left of the image.
    """
    a, b = _checked(a, b)
    difference = rgb_to_y(_cut(a, border, 1)) - rgb_to_y(_cut(b, border, 1))
    error = np.mean(difference**2)
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(a: np.ndarray, b: np.ndarray, *, border: int) -> float:
    """Structural similarity of two images on Y.

    Args:
      a: [H, W, 3] uint8 RGB, or [H, W] gray, which counts as RGB of equal channels.
      b: likewise, of the same shape.
      border: pixels to cut on every side.

    Returns:
      The mean over the valid region, in [-1, 1]; exactly 1 for identical images.

    Raises:
      ValueError: for another shape or dtype, two shapes, or less than the 11 x 11
        window left of the image.
    """
    a, b = _checked(a, b)
    size = len(_WINDOW)
    y_a, y_b = rgb_to_y(_cut(a, border, size)), rgb_to_y(_cut(b, border, size))
    return float(np.mean(_ssim_map(y_a, y_b, _blur)))


def psnr_jnp(a: jax.Array, b: jax.Array, *, border: int) -> jax.Array:
    """`psnr` in JAX, one value per image.

    Args:
      a: [..., H, W, 3] RGB of any real dtype, rounded and clipped to [0, 255] here (so
        there is no gradient).
      b: likewise, of the same shape.
      border: pixels to cut on every side; static.

    Returns:
      [...] float32, within 1e-4 dB of `psnr`; inf for identical images.

    Raises:
      ValueError: for another or two shapes, or nothing left of the image.
    """
    a, b = _quantized(a, b)
    # Whole numbers subtract exactly in float32, their lumas would not.
    difference = luma(_cut(a - b, border, 1))
    return 10 * jnp.log10(255.0**2 / jnp.mean(difference**2, axis=(-2, -1)))


def ssim_jnp(a: jax.Array, b: jax.Array, *, border: int) -> jax.Array:
    """`ssim` in JAX, one value per image.

    Args:
      a: [..., H, W, 3] RGB of any real dtype, rounded and clipped to [0, 255] here (so
        there is no gradient).
      b: likewise, of the same shape.
      border: pixels to cut on every side; static.

    Returns:
      [...] float32, within 1e-5 of `ssim` on photographs; exactly 1 for identical
      images.

    Raises:
      ValueError: for another or two shapes, or less than the 11 x 11 window left.
    """
    a, b = _quantized(a, b)
    size = len(_WINDOW)
    y_a, y_b = rgb_to_y(_cut(a, border, size)), rgb_to_y(_cut(b, border, size))
    return jnp.mean(_ssim_map(y_a, y_b, _blur_jnp), axis=(-2, -1))


def _checked(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both images as uint8 [H, W, 3]."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ValueError(f"images must be uint8, not {a.dtype} and {b.dtype}")
    if a.shape != b.shape or a.ndim not in (2, 3) or a.shape[2:] not in ((), (3,)):
        raise ValueError(
            "images must be [H, W, 3] or [H, W], both of one shape, "
            f"not {a.shape} and {b.shape}"
        )
    if a.ndim == 2:
        a, b = np.stack([a] * 3, axis=-1), np.stack([b] * 3, axis=-1)
    return a, b


def _quantized(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both images as float32 whole numbers in [0, 255]."""
    if a.shape != b.shape or a.ndim < 3 or a.shape[-1] != 3:
        raise ValueError(
            f"images must be [..., H, W, 3] of one shape, not {a.shape} and {b.shape}"
        )
    return tuple(jnp.round(x.astype(jnp.float32)).clip(0, 255) for x in (a, b))


def _cut(image: Array, border: int, smallest: int) -> Array:
    """[..., H, W, 3] less its border, at least `smallest` pixels left on each axis."""
    height, width = image.shape[-3:-1]
    if border < 0 or min(height, width) - 2 * border < smallest:
        raise ValueError(
            f"a border of {border} pixels must leave {smallest} x {smallest} "
            f"or more of a {height} x {width} image"
        )
    return image[..., border : height - border, border : width - border, :]


def _ssim_map(x: Array, y: Array, blur: Callable[[Array], Array]) -> Array:
    """SSIM at each position of the window, [..., H, W] -> [..., H - 10, W - 10].

    The usual product of (2 x̄ȳ + C1) / (x̄² + ȳ² + C1) and (2 cov(x, y) + C2) /
    (var x + var y + C2), each written as one minus the share of x - y in it: equal
    images give 1 exactly, and what float32 rounds off is a part of a small number.
    """
    x, y = x - _GRAY, y - _GRAY  # the squares' rounding errors fall, the variances stay
    mean_x, mean_y = blur(x), blur(y)
    mean_error = (mean_x - mean_y) ** 2
    luminance = 1 - mean_error / ((mean_x + _GRAY) ** 2 + (mean_y + _GRAY) ** 2 + _C1)
    error_variance = blur((x - y) ** 2) - mean_error  # var(x - y)
    variances = blur(x**2 + y**2) - mean_x**2 - mean_y**2  # var x + var y
    return luminance * (1 - error_variance / (variances + _C2))


def _blur(image: np.ndarray) -> np.ndarray:
    """Window means at every valid position, [H, W] -> [H - 10, W - 10]."""
    for axis in (0, 1):
        image = scipy.ndimage.correlate1d(image, _WINDOW, axis)
    return image[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]


def _blur_jnp(image: jax.Array) -> jax.Array:
    """`_blur` over the last two axes, as shifted sums that XLA fuses."""
    height, width = (n - 2 * _RADIUS for n in image.shape[-2:])
    taps = list(enumerate(_WINDOW.tolist()))
    image = sum(w * image[..., i : i + height, :] for i, w in taps)
    return sum(w * image[..., i : i + width] for i, w in taps)
