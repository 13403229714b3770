"""The formats that are written, by suffix, and what each of them can hold."""

import contextlib
import math
from pathlib import Path

import numpy as np
from PIL import features

from ignn_jax.errors import InputError
from ignn_jax.files import check_free

# Formats that are written.
FORMATS = {
    ".png": "PNG",
    ".apng": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".dib": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
if features.check("avif"):
    FORMATS[".avif"] = "AVIF"
with contextlib.suppress(ImportError):
    import pillow_heif

    pillow_heif.register_heif_opener()
    FORMATS |= {".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF"}

WITH_ALPHA = {"PNG", "WEBP", "TIFF", "AVIF", "HEIF"}
WITH_16_BITS = {"PNG", "TIFF"}
WITH_PROFILE = {"PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF"}
COLOR_ONLY = {"WEBP", "AVIF", "HEIF"}  # gray is stored as color
_NEVER_LOSSLESS = {"JPEG", "AVIF"}

_MAX_SIDE = {"JPEG": 65500, "WEBP": 16383, "AVIF": 65536, "HEIF": 16384}
_MAX_BYTES = {"TIFF": 2**32 - 2**20, "BMP": 2**32 - 2**20}  # of pixels


def format_of(path: Path) -> str:
    """Pillow's name of the format that a file of this name is written in.

    Raises:
      InputError: the suffix is unknown.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(FORMATS)
        raise InputError(
            f"{path}: the output's name must end in one of {known}"
        ) from None


def check_target(path: Path, *, overwrite: bool) -> None:
    """Refuses, before any work is done, a path that must not be written.

    Raises:
      InputError: the suffix is unknown; or as `check_free`.
    """
    format_of(path)
    check_free(path, overwrite=overwrite)


def check_lossless(path: Path) -> None:
    """Refuses, before any work is done, a format that always loses something.

    Raises:
      InputError: it does.
    """
    if (name := format_of(path)) in _NEVER_LOSSLESS:
        raise InputError(
            f"{path}: {name} is never written without loss; write PNG or WebP"
        )


def check_size(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Refuses, before any work is done, samples that the path's format cannot hold.

    Raises:
      InputError: a side has too many pixels, or there are too many bytes in all.
    """
    name = format_of(path)
    height, width, _ = shape
    limit = _MAX_SIDE.get(name, 2**31 - 1)
    if max(height, width) > limit:
        raise InputError(
            f"{path}: {name} holds at most {limit} pixels a side, not {width} x "
            f"{height}; write another format"
        )
    is_deep = dtype == np.uint16 and name in WITH_16_BITS
    if math.prod(shape) * (1 + is_deep) > _MAX_BYTES.get(name, math.inf):
        raise InputError(
            f"{path}: {name} holds at most 4 GiB, less than {width} x {height} pixels "
            "take; write another format"
        )
