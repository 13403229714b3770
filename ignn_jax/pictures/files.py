"""Pictures on disk: read for upscaling, written back with all that belongs to them.

Mistakes of the user, a broken file among them, are an InputError that names the file.
"""

import contextlib
import io
import math
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import (
    ExifTags,
    Image,
    ImageCms,
    UnidentifiedImageError,
    features,
)

from ignn_jax.errors import InputError
from ignn_jax.files import write_bytes
from ignn_jax.pictures.deep import (
    deep_tiffs,
    encode_png,
    encode_tiff,
    read_deep,
)

# What is written, by suffix.
FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
if features.check("avif"):
    FORMATS[".avif"] = "AVIF"
with contextlib.suppress(ImportError):
    import pillow_heif

    pillow_heif.register_heif_opener()
    FORMATS |= {".heic": "HEIF", ".heif": "HEIF"}

# What is looked for in folders. HEIC counts even where nothing reads it: its failure
# says what to install, and a picture passed over would say nothing.
SUFFIXES = frozenset({*FORMATS, ".gif", ".avif", ".heic", ".heif"})

# Twice what a camera of 100 megapixels gives; more may be a file made to fill memory.
MAX_PIXELS = 250_000_000

_WITH_ALPHA = {"PNG", "WEBP", "TIFF", "AVIF", "HEIF"}
_WITH_16_BITS = {"PNG": encode_png, "TIFF": encode_tiff}
_WITH_PROFILE = {"PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF"}
_OPTIONS = {
    "JPEG": {"subsampling": 0},  # colors at full resolution
    "AVIF": {"subsampling": "4:4:4"},
    "HEIF": {"chroma": 444},
}
_MAX_SIDE = {"JPEG": 65500, "WEBP": 16383, "AVIF": 65536, "HEIF": 16384}
_MAX_BYTES = {"TIFF": 2**32 - 2**20, "BMP": 2**32 - 2**20}  # of pixels
_MAX_JPEG_EXIF = 65533

_BLOCK = 256  # rows

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

# By EXIF orientation: whether rows and columns are exchanged, then the order of each.
_TURNS = {
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}

# EXIF shares its numbers with TIFF. These say how the samples of *that* file lie on
# disk (sizes, strips, tiles, color tables) or hold what is written by other means.
_LAYOUT_TAGS = frozenset(
    (
        *range(254, 267),
        *(273, *range(277, 282), 284, *range(288, 294)),
        *(317, *range(320, 348), *range(512, 533)),
        *(700, 33723, 34377, 34675),  # XMP, IPTC, Photoshop, color profile
    )
)
_SIZE_TAGS = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)


class Picture(NamedTuple):
    """A decoded picture, upright, with what has to survive the upscaling.

    Attributes:
      samples: [H, W, C] of 1 channel gray, 2 gray and alpha, 3 RGB or 4 RGBA; alpha 0
        is transparent and not multiplied into the colors. uint8 or uint16, as the file
        has it; or of floats in [0, 255], which are rounded to uint8 when written.
      icc_profile: the color profile that the samples refer to, unchanged.
      exif: the EXIF block, orientation reset, sizes and thumbnail left out.
      dpi: horizontal and vertical resolution.
      notes: for the user, what could not be kept so far.
    """

    samples: np.ndarray
    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def read_picture(path: str | os.PathLike, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Reads a picture in any format that Pillow reads.

    EXIF orientation is applied. Palette, 1-bit and color-keyed pictures become RGB or
    gray, with alpha where they are transparent. CMYK and Lab become sRGB, through their
    profile where they carry one. PNG and TIFF of 16 bits keep them, but for CMYK. Of
    several frames the first is read. What is lost on the way is noted.

    Raises:
      InputError: the file is missing, unreadable, empty, no picture, cut short or
        damaged, of more than `max_pixels`, or its samples are floats or integers beyond
        16 bits, which have no fixed range.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is not a file")  # a pipe would be waited for
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if not data:
        raise InputError(f"{path}: is empty (0 bytes)")
    try:
        with (
            _pillow_settings(max_pixels),
            _quiet_stderr() if data[:2] in (b"II", b"MM") else contextlib.nullcontext(),
            Image.open(io.BytesIO(data)) as image,
        ):
            return _decode(image, data)
    except UnidentifiedImageError as error:
        missing = path.suffix.lower() in {".heic", ".heif"} - FORMATS.keys()
        install = "; these need: pip install pillow-heif" if missing else ""
        raise InputError(
            f"{path}: is not a picture in a format known here, or is cut short{install}"
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path}: has more than {max_pixels} pixels; if it is what it should be, "
            "raise the limit by --max-pixels"
        ) from error
    except Exception as error:  # Pillow's decoders raise almost every kind
        raise InputError(f"{path}: cannot be decoded: {_reason(error)}") from error


def from_pillow(image: Image.Image) -> Picture:
    """A Pillow image as a picture; its colors have 8 bits, its gray may have 16.

    Raises:
      ValueError: floats, or integers beyond 16 bits.
    """
    return _decode(image.copy(), None)


@contextlib.contextmanager
def _pillow_settings(max_pixels: int) -> Iterator[None]:
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels / 2  # Pillow refuses more than the double
    try:
        with deep_tiffs(), warnings.catch_warnings():
            # Of damaged metadata and large sizes; neither makes a picture bad.
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Silences libtiff, which writes there, past Python, what it raises as well."""
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)


def _decode(image: Image.Image, data: bytes | None) -> Picture:
    """The open, not yet loaded image as a Picture; `data` is the whole file, if any."""
    notes = []
    if (frames := getattr(image, "n_frames", 1)) > 1:
        notes.append(f"holds {frames} pictures, of which the first is taken")
    layout = str(getattr(image, "tile", ""))  # until load() empties it
    samples = read_deep(image, data) if data else None
    if samples is None and re.search(r"\b(RGB\w*|CMYK);16", layout):
        notes.append("its 16 bits are read as 8 (CMYK, or a TIFF of separate planes)")
    image.load()
    orientation, exif = 1, None
    try:
        tags = image.getexif()  # of TIFF without the orientation, applied by load()
        orientation = tags.get(ExifTags.Base.Orientation, 1)
        exif = _kept_exif(tags)
    except Exception:  # as above; the pixels are decoded by now
        notes.append("its EXIF data are damaged and left out")
    profile = image.info.get("icc_profile")
    if samples is not None or image.mode.startswith("I"):  # "I;16", its kin, and "I"
        if samples is None:
            samples = _gray_of_16_bits(np.asarray(image))
        key = image.info.get("transparency")
        if isinstance(key, int | tuple):
            opaque = (samples != np.uint16(key)).any(axis=-1, keepdims=True)
            samples = np.dstack([samples, opaque * np.uint16(65535)])
    elif image.mode == "F":
        raise ValueError("float values have no fixed range; save it with 8 or 16 bits")
    else:
        if image.mode in ("CMYK", "LAB"):
            notes.append(f"{image.mode} colors are converted to sRGB")
            image, profile = _to_srgb(image), None
        if image.mode == "1":
            notes.append("black and white become shades of gray")
        samples = _of_8_bits(image)
    samples = _upright(samples, orientation)
    return Picture(samples, profile, exif, _dpi_of(image), tuple(notes))


def _of_8_bits(image: Image.Image) -> np.ndarray:
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if not image.has_transparency_data:
        samples = np.asarray(image.convert(mode))
        return samples.reshape(*samples.shape[:2], -1)
    samples = np.asarray(image.convert("RGBA"))
    return samples[..., 2:] if mode == "L" else samples


def _gray_of_16_bits(values: np.ndarray) -> np.ndarray:
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("its values exceed 16 bits; save it with 8 or 16")
    return values.astype(np.uint16)[..., None]


def _upright(samples: np.ndarray, orientation: int) -> np.ndarray:
    swap, rows, columns = _TURNS.get(orientation, (False, 1, 1))
    return (samples.swapaxes(0, 1) if swap else samples)[::rows, ::columns]


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError):  # broken, or of another space
            return ImageCms.profileToProfile(
                image,
                io.BytesIO(profile),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
    return image.convert("RGB")


def _kept_exif(exif: Image.Exif) -> bytes | None:
    """The EXIF block without what no longer holds: orientation, sizes, thumbnail."""
    for tag in _LAYOUT_TAGS.intersection(exif):
        del exif[tag]
    if ExifTags.Base.Orientation in exif:
        exif[ExifTags.Base.Orientation] = 1
    if ExifTags.IFD.Exif in exif:
        for tag in _SIZE_TAGS:
            exif.get_ifd(ExifTags.IFD.Exif).pop(tag, None)
    return exif.tobytes() if len(exif) else None


def _dpi_of(image: Image.Image) -> tuple[float, float] | None:
    """The resolution, if it is one: TIFF without any reads as 1 x 1."""
    x, y = map(float, image.info.get("dpi", (0, 0)))
    return (x, y) if 1 < x < 65536 and 1 < y < 65536 else None


def check_target(path: Path, *, overwrite: bool) -> None:
    """Refuses, before any work is done, a path that write_picture should not write.

    Raises:
      InputError: the suffix names no format that is written, or the file exists and
        `overwrite` is False.
    """
    _format_of(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name another output")
    if path.exists() and not overwrite:
        raise InputError(
            f"{path}: exists already; name another output, or add --overwrite or "
            "--skip-existing"
        )


def check_size(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Refuses, before any work is done, samples that the path's format cannot hold.

    Raises:
      InputError: too many pixels a side, or too many bytes.
    """
    name = _format_of(path)
    height, width, _ = shape
    limit = _MAX_SIDE.get(name, 2**31 - 1)
    if max(height, width) > limit:
        raise InputError(
            f"{path}: {name} holds at most {limit} pixels a side, not {width} x "
            f"{height}; write another format"
        )
    if math.prod(shape) * dtype.itemsize > _MAX_BYTES.get(name, math.inf):
        raise InputError(
            f"{path}: {name} holds at most 4 GiB, less than {width} x {height} pixels "
            "take; write another format"
        )


def write_picture(
    picture: Picture, path: str | os.PathLike, *, quality: int = 95
) -> tuple[str, ...]:
    """Writes a picture in the format of the path's suffix, whole or not at all.

    Gray stays gray (WebP, AVIF store it as color). JPEG and BMP hold no alpha: the
    picture is laid on white. 16 bits are written to PNG and TIFF, 8 otherwise. BMP
    holds neither color profile nor EXIF, WebP and AVIF no DPI of their own. A file that
    is there already is replaced.

    Args:
      picture: what to write.
      path: ends in one of FORMATS; its folder exists.
      quality: 1 to 100, of JPEG (colors at full resolution), WebP, AVIF and HEIC.

    Returns:
      For the user, what the format could not keep.

    Raises:
      InputError: unknown suffix, a size or metadata that the format cannot hold, or a
        folder or disk that cannot be written. Nothing is left behind.
    """
    path = Path(path)
    name = _format_of(path)
    samples, notes = _fit(picture.samples, name)
    metadata = {
        "icc_profile": picture.icc_profile,
        "exif": picture.exif,
        "dpi": picture.dpi,
    }
    metadata = {key: value for key, value in metadata.items() if value is not None}
    if name not in _WITH_PROFILE and metadata.pop("icc_profile", None):
        notes.append(f"its color profile is dropped ({name} holds none)")
    if name == "JPEG" and len(metadata.get("exif", b"")) > _MAX_JPEG_EXIF:
        del metadata["exif"]
        notes.append("its EXIF data are dropped (too long for JPEG)")
    try:
        if samples.dtype == np.uint16:
            data = _WITH_16_BITS[name](samples, **metadata)
        else:
            buffer = io.BytesIO()
            options = {"quality": quality, **_OPTIONS.get(name, {}), **metadata}
            to_pillow(samples).save(buffer, name, **options)
            data = buffer.getbuffer()
    except Exception as error:  # its encoders too, of odd metadata for one
        raise InputError(
            f"{path}: cannot be saved as {name}: {_reason(error)}"
        ) from error
    write_bytes(path, data)
    return tuple(notes)


def to_pillow(samples: np.ndarray) -> Image.Image:
    """Samples as in a Picture, of 8 bits, or 16 where they are gray, as an image."""
    gray = samples.shape[-1] == 1
    return Image.fromarray(np.ascontiguousarray(samples[..., 0] if gray else samples))


def to_gray(colors: np.ndarray) -> np.ndarray:
    """The luma of colors, [..., 3] float32 to [..., 1]."""
    return (colors @ _LUMA)[..., None]


def quantize(samples: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats in [0, 255] as integers of the dtype's whole range, clipped and rounded.

    Of a float dtype they are clipped only.
    """
    result = np.empty(samples.shape, dtype)
    is_float = np.issubdtype(dtype, np.floating)
    limit = 255 if is_float else np.iinfo(dtype).max
    # In blocks: of large pictures one more copy as floats would be the one too many.
    for start in range(0, len(samples), _BLOCK):
        block = np.clip(samples[start : start + _BLOCK] * (limit / 255), 0, limit)
        result[start : start + _BLOCK] = block if is_float else np.rint(block)
    return result


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _format_of(path: Path) -> str:
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(FORMATS)
        raise InputError(
            f"{path}: the output's name must end in one of {known}"
        ) from None


def _fit(samples: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """The samples as far as the format called `name` can hold them."""
    notes = []
    if np.issubdtype(samples.dtype, np.floating):
        samples = quantize(samples, np.uint8)
    if samples.shape[-1] in (2, 4) and name not in _WITH_ALPHA:
        limit = np.float32(np.iinfo(samples.dtype).max)
        opacity = samples[..., -1:] / limit
        colors = samples[..., :-1] * opacity + limit * (1 - opacity)
        if opacity.min() < 1:
            notes.append(f"its transparency is laid on white ({name} holds none)")
        samples = np.rint(colors).astype(samples.dtype)
    if samples.dtype == np.uint16 and name not in _WITH_16_BITS:
        samples = np.rint(samples / np.float32(257)).astype(np.uint8)
        notes.append(f"its 16 bits are written as 8 ({name})")
    return samples, notes
