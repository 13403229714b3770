"""PSNR and SSIM as the super-resolution field reports them.

Images are uint8 RGB [H, W, 3], or gray [H, W], which counts as RGB of equal channels.
Both metrics are taken in float64 on the luma Y, after a border of `border` pixels (by
custom the scale) is cut on every side.
"""

import math

import numpy as np
import scipy  # its parts are imported when they are used: ndimage is slow to import

from ignn_jax.ops.color import rgb_to_y

# SSIM's window: 11 x 11, Gaussian, sigma 1.5.
_RADIUS = 5
_WINDOW = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / 1.5) ** 2)
_WINDOW /= _WINDOW.sum()
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2


def psnr(a: np.ndarray, b: np.ndarray, *, border: int) -> float:
    """Peak signal-to-noise ratio of two images on Y, in dB.

    Args:
      a: uint8 [H, W, 3] or [H, W].
      b: an image of the same shape.
      border: pixels to cut on every side.

    Returns:
      10 log10(255² / mean squared error); inf for identical images.

    Raises:
      ValueError: the images are not uint8, have another or two shapes, or nothing is
        left of them.
    """
    y_a, y_b = _luma(a, b, border, smallest=1)
    error = np.mean((y_a - y_b) ** 2)
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(a: np.ndarray, b: np.ndarray, *, border: int) -> float:
    """Structural similarity of two images on Y.

    Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to
    Structural Similarity", 2004, averaged where the window lies inside the image.

    Args:
      a: uint8 [H, W, 3] or [H, W].
      b: an image of the same shape.
      border: pixels to cut on every side.

    Returns:
      The mean in [-1, 1]; exactly 1 for identical images.

    Raises:
      ValueError: as `psnr`, or less than the 11 x 11 window is left of the images.
    """
    x, y = _luma(a, b, border, smallest=len(_WINDOW))
    mean_x, mean_y = _blur(x), _blur(y)
    variances = _blur(x**2) - mean_x**2 + _blur(y**2) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return float(np.mean(luminance * (2 * covariance + _C2) / (variances + _C2)))


def _luma(
    a: np.ndarray, b: np.ndarray, border: int, *, smallest: int
) -> list[np.ndarray]:
    """Y of both images without the border: float64 [H - 2 border, W - 2 border].

    Raises:
      ValueError: the images do not fit, or less than `smallest` pixels a side are left.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ValueError(f"images must be uint8, not {a.dtype} and {b.dtype}")
    if a.shape != b.shape or a.ndim not in (2, 3) or a.shape[2:] not in ((), (3,)):
        raise ValueError(
            "images must be [H, W, 3] or [H, W], both of one shape, "
            f"not {a.shape} and {b.shape}"
        )
    height, width = a.shape[:2]
    if border < 0 or min(height, width) - 2 * border < smallest:
        raise ValueError(
            f"a border of {border} pixels must leave {smallest} x {smallest} "
            f"or more of a {height} x {width} image"
        )
    inside = np.s_[border : height - border, border : width - border]
    color = (x if x.ndim == 3 else np.stack([x] * 3, axis=-1) for x in (a, b))
    return [rgb_to_y(x[inside]) for x in color]


def _blur(image: np.ndarray) -> np.ndarray:
    """Weighted means over the window, [H, W] -> [H - 10, W - 10]."""
    for axis in (0, 1):
        image = scipy.ndimage.correlate1d(image, _WINDOW, axis)
    return image[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]
