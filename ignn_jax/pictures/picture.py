"""A decoded picture, and its samples as numbers of other kinds."""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

_BLOCK = 256  # rows

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Picture(NamedTuple):
    """A decoded picture, upright, with everything that upscaling has to keep.

    Attributes:
      samples: [H, W, C] of 1 channel (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA).
        Alpha 0 is transparent, and colors are not multiplied by alpha. uint8 or uint16,
        as in the file; or floats in [0, 255], which are rounded to uint8 when written.
      icc_profile: the color profile of the samples, unchanged.
      exif: the EXIF block with the orientation reset, without sizes and thumbnail.
      dpi: horizontal and vertical resolution.
      notes: messages for the user about what has been lost so far.
    """

    samples: np.ndarray
    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def to_pillow(samples: np.ndarray) -> Image.Image:
    """Samples of a Picture as an image: 8 bits, or 16 bits if they are gray."""
    gray = samples.shape[-1] == 1
    return Image.fromarray(np.ascontiguousarray(samples[..., 0] if gray else samples))


def to_gray(colors: np.ndarray) -> np.ndarray:
    """The luma of colors, [..., 3] float32 to [..., 1]."""
    return (colors @ _LUMA)[..., None]


def quantize(samples: np.ndarray, dtype: Any) -> np.ndarray:
    """Clips floats in [0, 255] and rounds them to the full range of an integer dtype.

    A float dtype keeps the range [0, 255]; its values are clipped only.
    """
    result = np.empty(samples.shape, dtype)
    is_float = np.issubdtype(dtype, np.floating)
    limit = 255 if is_float else np.iinfo(dtype).max
    # Block by block: another float copy of a large picture would not fit into memory.
    for start in range(0, len(samples), _BLOCK):
        block = np.clip(samples[start : start + _BLOCK] * (limit / 255), 0, limit)
        result[start : start + _BLOCK] = block if is_float else np.rint(block)
    return result


def full_range(samples: np.ndarray, bits: int) -> np.ndarray:
    """Unsigned samples of up to 16 bits, stretched to the range of uint8 or uint16."""
    limit = 255 if bits <= 8 else 65535
    dtype = np.min_scalar_type(limit)
    samples = samples.astype(dtype, copy=False)
    if limit == 2**bits - 1:
        return samples
    levels = np.arange(2**bits) * (limit / (2**bits - 1))
    return np.rint(levels).astype(dtype)[samples]


def as_dtype(samples: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """uint8 or uint16 samples as the other of these, so that white stays white."""
    if samples.dtype == dtype:
        return samples
    if dtype == np.uint16:
        return samples * np.uint16(257)
    return np.rint(samples / np.float32(257)).astype(np.uint8)


def within_16_bits(values: np.ndarray) -> np.ndarray:
    """Integers of any kind as uint16.

    Raises:
      ValueError: some are negative, or too large.
    """
    low, high = values.min(), values.max()
    if low < 0:
        raise ValueError(
            f"its values are negative, down to {low}; save it without a sign"
        )
    if high > np.iinfo(np.uint16).max:
        raise ValueError(
            f"its values reach {high}, beyond 16 bits; save it with 8 or 16 bits"
        )
    return values.astype(np.uint16)


def divide_by_alpha(colors: np.ndarray, alpha: np.ndarray, dtype: Any) -> np.ndarray:
    """Undoes the multiplication of colors by alpha, and gives the quotients as `dtype`.

    Both are unsigned, of one range; the result has the full range of its dtype.
    """
    limit, result = np.iinfo(dtype).max, np.empty(colors.shape, dtype)
    for start in range(0, len(colors), _BLOCK):  # without a float copy of them all
        block = np.maximum(alpha[start : start + _BLOCK], 1)
        block = colors[start : start + _BLOCK] * (np.float32(limit) / block)
        result[start : start + _BLOCK] = np.rint(block.clip(0, limit))
    return result
