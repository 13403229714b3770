"""Samples as integers of other kinds."""

from typing import Any

import numpy as np

_BLOCK = 256  # rows


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
