"""Reading TIFFs.

libtiff decodes the samples, through imagecodecs, and Pillow reads the tags. tifffile is
no choice: it replaces missing strips by zeros without an error.
"""

import io
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image
from PIL import TiffImagePlugin as tiff
from PIL.ExifTags import Base

from ignn_jax.pictures.described import by_exif, by_tags
from ignn_jax.pictures.metadata import (
    CENTIMETERS,
    INCHES,
    kept_exif,
    upright,
    valid_dpi,
)
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.tiff_samples import (
    CMYK,
    YCBCR,
    Layout,
    interpret,
    is_converted,
    layout_of,
)

_JPEGS = (6, 7)  # compressions
_SHORT, _RGB = 3, 2


def is_tiff(data: bytes) -> bool:
    """Whether the file says that it is a TIFF."""
    return data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))


def read(data: bytes, *, max_pixels: int) -> Picture | None:
    """Reads a TIFF of any depth and layout.

    Returns:
      The picture, of uint8 or uint16 samples, or of float32 with the values of the
      file; None for those compressed by JPEG, which Pillow reads, or without tags.

    Raises:
      Image.DecompressionBombError: it has more than `max_pixels`.
      ValueError: it is not known what its samples mean.
      Exception: it is damaged.
    """
    if data.startswith(b"MM\0+"):
        raise ValueError("it is a big-endian BigTIFF, which Pillow lacks; save it anew")
    try:
        tags, pages = read_tags(data)
        size = int(tags[tiff.IMAGELENGTH]), int(tags[tiff.IMAGEWIDTH])
    except Exception:  # almost every kind; Pillow will say what is wrong
        return None
    if tags.get(tiff.COMPRESSION) in _JPEGS:
        return None
    layout = layout_of(tags, size)
    if size[0] * size[1] > max_pixels:
        raise Image.DecompressionBombError
    samples, profile, notes = interpret(_decode(data, layout), layout, tags)
    if pages > 1:
        notes.insert(0, f"holds {pages} pictures, of which the first is taken")
    samples = upright(samples, tags.get(Base.Orientation))
    dpi, exif, description = None, None, None
    try:
        if not profile and not is_converted(layout):
            description = by_tags(tags) or by_exif(tags)
        dpi = _dpi_of(tags)
        exif = kept_exif(tags)
    except Exception:  # Pillow raises almost every kind
        notes.append("its EXIF data are damaged and left out")
    return Picture(samples, profile, exif, dpi, tuple(notes), description)


def read_tags(data: bytes) -> tuple[Image.Exif, int]:
    """The tags of the first page, and how many pages there are."""
    file, tags = io.BytesIO(data), Image.Exif()
    tags.endian = "<" if data.startswith(b"II") else ">"
    tags.bigtiff = data.startswith(b"II+")
    page = tiff.ImageFileDirectory_v2(data[: 16 if tags.bigtiff else 8])
    tags.load_from_fp(io.BytesIO(data), page.next)
    offsets: set[int] = set()
    while page.next and page.next not in offsets:  # damaged pages may form a circle
        offsets.add(page.next)
        file.seek(page.next)
        page.load(file)
    return tags, len(offsets)


def _decode(data: bytes, layout: Layout) -> np.ndarray:
    """The samples as the file holds them, [H, W, C]."""
    import imagecodecs  # takes a while, and few pictures need it

    # libtiff would convert CMYK to RGB without the profile, and only 8 bits of it. It
    # does convert YCbCr, but would turn the picture, too.
    if layout.photometric == CMYK:
        data = _with_tag(data, tiff.PHOTOMETRIC_INTERPRETATION, _RGB)
    elif layout.photometric == YCBCR:
        data = _with_tag(data, Base.Orientation, 1)
    samples = imagecodecs.tiff_decode(data)
    if layout.has_planes and samples.ndim == 3:
        samples = np.moveaxis(samples, 0, -1)
    samples = samples.reshape(*samples.shape[:2], -1)
    if samples.shape != layout.shape or samples.dtype != layout.dtype:
        raise ValueError("its tags contradict each other")
    return samples


def _with_tag(data: bytes, tag: int, value: int) -> bytes:
    """The file with another value, of 16 bits, for a tag of the first page."""
    order = "<" if data.startswith(b"II") else ">"
    is_big = data.startswith(b"II+")
    offset, count, entry = ("Q", "Q", "HHQHxxxxxx") if is_big else ("I", "H", "HHIHxx")
    (start,) = struct.unpack_from(order + offset, data, 8 if is_big else 4)
    (length,) = struct.unpack_from(order + count, data, start)
    start += struct.calcsize(order + count)
    result = bytearray(data)
    for n in range(length):
        at = start + n * struct.calcsize(order + entry)
        if struct.unpack_from(order + entry, data, at)[0] == tag:
            struct.pack_into(order + entry, result, at, tag, _SHORT, 1, value)
    return bytes(result)


def _dpi_of(tags: Mapping[int, Any]) -> tuple[float, float] | None:
    factor = {INCHES: 1, CENTIMETERS: 2.54}.get(tags.get(tiff.RESOLUTION_UNIT, 2), 0)
    x, y = (tags.get(tag, 0) for tag in (tiff.X_RESOLUTION, tiff.Y_RESOLUTION))
    return valid_dpi(x * factor, y * factor)
