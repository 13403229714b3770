"""A decoded picture, and its samples as numbers of other kinds."""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ignn_jax.pictures.attached import Attached
from ignn_jax.pictures.color import Description

_BLOCK = 256  # rows

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Picture(NamedTuple):
    """A decoded picture, upright, with everything that upscaling has to keep.

    Attributes:
      samples: [H, W, C] of 1 channel (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA).
        Alpha 0 is transparent, and colors are not multiplied by alpha. uint8 or uint16,
        as in the file; or floats in [0, 255], which are rounded to uint8 when written.
      icc_profile: the color profile of the samples, unchanged.
      exif: the EXIF block, with the orientation reset.
      dpi: horizontal and vertical resolution.
      notes: messages for the user about what has been lost so far.
      description: what the samples mean, if the file says so other than by a profile,
        which it overrules.
      is_lossless: whether it comes from a lossless WebP, and should stay one.
      attached: XMP, comments, texts and IPTC.
    """

    samples: np.ndarray
    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    description: Description | None = None
    is_lossless: bool = False
    attached: Attached = Attached()


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
