"""TIFFs of 16 bits a sample, of which Pillow keeps 8 bits or cannot open.

libtiff decodes the samples, through imagecodecs. tifffile is no choice: it replaces
missing strips by zeros without an error. Pillow reads and writes the tags.
"""

import io
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, TiffTags
from PIL import TiffImagePlugin as tiff
from PIL.ExifTags import Base

from ignn_jax.pictures.metadata import kept_exif, upright, valid_dpi
from ignn_jax.pictures.picture import Picture

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2  # photometric interpretations
_UNSPECIFIED, _ASSOCIATED, _UNASSOCIATED = 0, 1, 2  # kinds of extra samples
_INCHES, _CENTIMETERS = 2, 3
_SEPARATE_PLANES = 2

_BLOCK = 256  # rows


class _Layout(NamedTuple):
    """How a file stores 16-bit samples.

    Attributes:
      shape: height, width and channels.
      photometric: what the colors mean.
      extra: the kind of the last channel if it is not a color, else None.
      has_planes: whether one channel is stored after the other.
    """

    shape: tuple[int, int, int]
    photometric: int
    extra: int | None
    has_planes: bool


def is_tiff(data: bytes) -> bool:
    """Whether the file says that it is a TIFF."""
    return data.startswith((b"II", b"MM"))


def read(data: bytes, *, max_pixels: int) -> Picture | None:
    """Reads a TIFF of 16-bit gray or RGB, with or without alpha.

    Returns:
      The picture, of uint16 samples; None for any other file.

    Raises:
      Image.DecompressionBombError: it has more than `max_pixels`.
      Exception: it is damaged.
    """
    try:
        tags, pages = _read_tags(data)
    except Exception:  # almost every kind; Pillow will say what is wrong
        return None
    layout = _layout_of(tags)
    if layout is None:
        return None
    if layout.shape[0] * layout.shape[1] > max_pixels:
        raise Image.DecompressionBombError
    samples = _decode(data, layout)
    notes = []
    if pages > 1:
        notes.append(f"holds {pages} pictures, of which the first is taken")
    if layout.extra == _UNSPECIFIED:
        notes.append("its extra channel of unknown meaning is dropped")
    samples = upright(samples, tags.get(Base.Orientation))
    profile, dpi, exif = tags.get(tiff.ICCPROFILE), None, None
    try:
        dpi = _dpi_of(tags)
        exif = kept_exif(tags)
    except Exception:  # Pillow raises almost every kind
        notes.append("its EXIF data are damaged and left out")
    return Picture(samples, profile, exif, dpi, tuple(notes))


def encode(
    samples: np.ndarray,
    *,
    icc_profile: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> memoryview:
    """An uncompressed TIFF of uint16 [H, W, C].

    Pillow writes all tags, and the samples follow them. tifffile cannot write an EXIF
    block, and imagecodecs does not encode TIFF.
    """
    height, width, channels = samples.shape
    tags = tiff.ImageFileDirectory_v2()
    if exif:
        _add_exif(tags, exif)
    if dpi:
        tags[tiff.X_RESOLUTION], tags[tiff.Y_RESOLUTION] = dpi
        tags[tiff.RESOLUTION_UNIT] = _INCHES
    if icc_profile:
        tags[tiff.ICCPROFILE] = icc_profile
    tags[tiff.IMAGEWIDTH] = width
    tags[tiff.IMAGELENGTH] = height
    tags[tiff.BITSPERSAMPLE] = (16,) * channels
    tags[tiff.COMPRESSION] = 1  # none
    tags[tiff.PHOTOMETRIC_INTERPRETATION] = _RGB if channels > 2 else _BLACK_IS_ZERO
    tags[tiff.SAMPLESPERPIXEL] = channels
    if channels in (2, 4):
        tags[tiff.EXTRASAMPLES] = _UNASSOCIATED
    tags[tiff.ROWSPERSTRIP] = height
    tags[tiff.STRIPBYTECOUNTS] = samples.nbytes
    tags[tiff.STRIPOFFSETS] = 0  # save() adds the place where the samples begin
    file = io.BytesIO()
    tags.save(file)
    file.write(np.ascontiguousarray(samples, "<u2").data)
    return file.getbuffer()


def _add_exif(tags: tiff.ImageFileDirectory_v2, block: bytes) -> None:
    exif = Image.Exif()
    exif.load(block)
    for tag in exif:
        is_nested = tag in TiffTags.TAGS_V2_GROUPS
        tags[tag] = exif.get_ifd(tag) if is_nested else exif[tag]


def _read_tags(data: bytes) -> tuple[Image.Exif, int]:
    """The tags of the first page, and how many pages there are."""
    file, tags = io.BytesIO(data), Image.Exif()
    tags.endian = "<" if data.startswith(b"II") else ">"
    tags.bigtiff = data[2:4] in (b"+\0", b"\0+")
    page = tiff.ImageFileDirectory_v2(data[: 16 if tags.bigtiff else 8])
    tags.load_from_fp(io.BytesIO(data), page.next)
    offsets: set[int] = set()
    while page.next and page.next not in offsets:  # damaged pages may form a circle
        offsets.add(page.next)
        file.seek(page.next)
        page.load(file)
    return tags, len(offsets)


def _layout_of(tags: Mapping[int, Any]) -> _Layout | None:
    """The layout, or None if it is not one of those that `read` is for."""
    height, width = tags.get(tiff.IMAGELENGTH), tags.get(tiff.IMAGEWIDTH)
    channels = tags.get(tiff.SAMPLESPERPIXEL, 1)
    photometric = tags.get(tiff.PHOTOMETRIC_INTERPRETATION)
    has_extra = channels in (2, 4)
    extra = tags.get(tiff.EXTRASAMPLES, _UNASSOCIATED) if has_extra else None
    if (
        isinstance(height, int)
        and isinstance(width, int)
        and min(height, width) > 0
        and photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
        and channels == (3 if photometric == _RGB else 1) + has_extra
        and _values(tags, tiff.BITSPERSAMPLE)[:channels] == [16] * channels
        and {*_values(tags, tiff.SAMPLEFORMAT)} == {1}
        and extra in (None, _UNSPECIFIED, _ASSOCIATED, _UNASSOCIATED)
    ):
        has_planes = tags.get(tiff.PLANAR_CONFIGURATION) == _SEPARATE_PLANES
        return _Layout((height, width, channels), photometric, extra, has_planes)
    return None


def _values(tags: Mapping[int, Any], tag: int) -> list:
    return np.ravel(tags.get(tag, 1)).tolist()


def _decode(data: bytes, layout: _Layout) -> np.ndarray:
    """The samples, uint16 [H, W, C], black at zero and without multiplied alpha."""
    import imagecodecs  # takes a while, and few pictures need it

    samples = imagecodecs.tiff_decode(data)
    if layout.has_planes and samples.ndim == 3:
        samples = np.moveaxis(samples, 0, -1)
    samples = samples.reshape(*samples.shape[:2], -1)
    if samples.shape != layout.shape or samples.dtype != np.uint16:
        raise ValueError("its tags contradict each other")
    if layout.photometric == _WHITE_IS_ZERO:
        np.invert(samples[..., :1], out=samples[..., :1])
    if layout.extra == _UNSPECIFIED:
        return samples[..., :-1]
    if layout.extra == _ASSOCIATED:
        _divide_by_alpha(samples)
    return samples


def _divide_by_alpha(samples: np.ndarray) -> None:
    """Undoes, in place, the multiplication of colors by alpha."""
    for start in range(0, len(samples), _BLOCK):  # without a float copy of them all
        block = samples[start : start + _BLOCK]
        colors = block[..., :-1] * (np.float32(65535) / np.maximum(block[..., -1:], 1))
        block[..., :-1] = np.rint(colors.clip(0, 65535))


def _dpi_of(tags: Mapping[int, Any]) -> tuple[float, float] | None:
    factor = {_INCHES: 1, _CENTIMETERS: 2.54}.get(tags.get(tiff.RESOLUTION_UNIT, 2), 0)
    x, y = (tags.get(tag, 0) for tag in (tiff.X_RESOLUTION, tiff.Y_RESOLUTION))
    return valid_dpi(x * factor, y * factor)
