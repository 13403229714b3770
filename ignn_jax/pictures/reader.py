"""Reading picture files, for upscaling (`read_picture`) and for training (`read_rgb`).

An unreadable file is an InputError that names it.
"""

import contextlib
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import (
    ExifTags,
    Image,
    ImageCms,
    TiffImagePlugin,
    UnidentifiedImageError,
)

from ignn_jax.errors import InputError
from ignn_jax.pictures import png16, tiff16
from ignn_jax.pictures.formats import FORMATS
from ignn_jax.pictures.metadata import kept_exif, upright, valid_dpi
from ignn_jax.pictures.picture import Picture

# Twice the pixels of a 100-megapixel camera; a file with more may be an attack.
MAX_PIXELS = 250_000_000

_TIFF = (b"II", b"MM")
_MAX_16_BIT = 65535


def read_picture(path: str | os.PathLike, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Reads a picture in any format that Pillow reads.

    EXIF orientation is applied. Palette, 1-bit and color-keyed pictures become RGB or
    gray, with alpha if they are transparent. CMYK and Lab become sRGB, through their
    profile if they carry one. PNG and TIFF keep 16 bits, except for CMYK. Of several
    frames the first is read. The notes say what is lost on the way.

    Not for use in threads: it changes settings of Pillow and of the process meanwhile.

    Args:
      path: the file.
      max_pixels: refuse a larger picture.

    Returns:
      The picture, of uint8 or uint16 samples.

    Raises:
      InputError: the file is missing, unreadable, empty, not a picture, cut short or
        damaged; or its samples are floats, or integers beyond 16 bits, which have no
        fixed range; or it has more than `max_pixels`.
    """
    data = _read_bytes(Path(path))
    advice = "; if that is right, allow more pixels"
    with _named(path, max_pixels, advice), _settings(data, max_pixels):
        return _check_range(_decode(data, max_pixels))


def from_pillow(image: Image.Image) -> Picture:
    """A Pillow image as a picture: colors of 8 bits, gray of up to 16 bits.

    Raises:
      ValueError: the samples are floats, or integers beyond 16 bits.
    """
    return _check_range(_decode_image(image.copy(), None))


def read_rgb(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads a picture as 8-bit RGB: what `read_picture` reads, without alpha.

    Gray is repeated. Alpha is dropped, not composited: there is no background to put
    under a training image, and the colors below the alpha are the photograph's own.
    Color profiles are ignored, except those of CMYK and Lab.

    16-bit gray is scaled and rounded, so that 65535 becomes 255. 16-bit colors give
    their high bytes. Float gray has no agreed range: it is taken as 0..1, 0..255 or
    0..65535, the smallest of these that holds its maximum.

    Safe in threads.

    Args:
      path: the file.

    Returns:
      uint8 [H, W, 3], a new array.

    Raises:
      InputError: as `read_picture`, but for floats in range; the limit of pixels is
        Pillow's own.
    """
    return decode_rgb(_read_bytes(Path(path)), name=path)


def decode_rgb(data: bytes, *, name: str | os.PathLike[str]) -> np.ndarray:
    """`read_rgb` of a file's bytes; `name` is what errors call it."""
    limit = 2 * (Image.MAX_IMAGE_PIXELS or sys.maxsize)  # as Pillow has it
    with _named(name, limit):
        samples = _decode(data, limit).samples
        is_gray = samples.shape[-1] < 3
        colors = _to_8_bits(samples[..., : 1 if is_gray else 3])
        return np.repeat(colors, 3, axis=-1) if is_gray else np.array(colors)


def _to_8_bits(colors: np.ndarray) -> np.ndarray:
    if colors.dtype == np.uint8:
        return colors
    if colors.dtype == np.uint16 and colors.shape[-1] == 3:
        return (colors >> 8).astype(np.uint8)
    low, high = colors.min(), colors.max()
    if not 0 <= low <= high <= _MAX_16_BIT:  # also False for NaN
        raise ValueError(f"its values span {low} to {high}, beyond 16 bits")
    peak = _MAX_16_BIT
    if colors.dtype != np.uint16:
        # In any larger range than the smallest that fits, the image would be black.
        peak = next(peak for peak in (1, 255, _MAX_16_BIT) if high <= peak)
    return np.rint(colors * (255 / peak)).astype(np.uint8)


def _read_bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is not a file")  # reading a pipe would block
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def _named(
    name: str | os.PathLike, max_pixels: int, advice: str = ""
) -> Iterator[None]:
    """Turns what decoders raise into an InputError that names the file."""
    try:
        yield
    except UnidentifiedImageError as error:
        missing = Path(name).suffix.lower() in {".heic", ".heif"} - FORMATS.keys()
        install = "; HEIC needs: pip install pillow-heif" if missing else ""
        raise InputError(
            f"{name}: cut short, or not an image in a known format{install}"
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{name}: has more than {max_pixels} pixels{advice}"
        ) from error
    except Exception as error:  # Pillow's decoders raise almost every kind
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name}: cannot be decoded: {reason}") from error


@contextlib.contextmanager
def _settings(data: bytes, max_pixels: int) -> Iterator[None]:
    """Lets Pillow read so many pixels, without a word on stderr."""
    before = Image.MAX_IMAGE_PIXELS, TiffImagePlugin.READ_LIBTIFF
    Image.MAX_IMAGE_PIXELS = max_pixels // 2  # Pillow refuses more than twice as many
    TiffImagePlugin.READ_LIBTIFF = True  # finds more damage than Pillow's own code
    is_chatty = data.startswith(_TIFF) or png16.is_png16(data)
    try:
        with warnings.catch_warnings():
            # About damaged metadata and large sizes: the pixels are still good.
            warnings.simplefilter("ignore")
            with _quiet_stderr() if is_chatty else contextlib.nullcontext():
                yield
    finally:
        Image.MAX_IMAGE_PIXELS, TiffImagePlugin.READ_LIBTIFF = before


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Silences libtiff and libpng, which print what they also raise, past Python."""
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)


def _check_range(picture: Picture) -> Picture:
    if picture.samples.dtype == np.float32:
        raise ValueError("float values have no fixed range; save it with 8 or 16 bits")
    return picture


def _decode(data: bytes, max_pixels: int) -> Picture:
    """Any file; float gray keeps its values."""
    if not data:
        raise ValueError("it is empty (0 bytes)")
    if data.startswith(_TIFF) and (picture := tiff16.read(data, max_pixels=max_pixels)):
        return picture
    with Image.open(io.BytesIO(data)) as image:
        return _decode_image(image, data)


def _decode_image(image: Image.Image, data: bytes | None) -> Picture:
    """An image that Pillow has opened but not loaded; `data` is its file, if any."""
    notes = []
    if (frames := getattr(image, "n_frames", 1)) > 1:
        notes.append(f"holds {frames} pictures, of which the first is taken")
    deep = data if data and png16.is_png16(data) else None
    layout = str(getattr(image, "tile", ""))  # emptied by load()
    if re.search(r"\b(RGB\w*|CMYK);16", layout) and not deep:
        notes.append("its 16 bits are read as 8")
    image.load()  # also the metadata behind the pixels
    orientation, exif = 1, None
    try:
        tags = image.getexif()  # a TIFF's no longer has an orientation: load() turns it
        orientation = tags.get(ExifTags.Base.Orientation, 1)
        exif = kept_exif(tags)
    except Exception:  # almost every kind; the pixels are fine
        notes.append("its EXIF data are damaged and left out")
    profile = image.info.get("icc_profile")
    if image.mode in ("CMYK", "LAB"):
        notes.append(f"{image.mode} colors are converted to sRGB")
        image, profile = _to_srgb(image), None
    if image.mode == "1":
        notes.append("black and white become shades of gray")
    samples = png16.decode(deep) if deep else _samples_of(image)
    dpi = valid_dpi(*image.info.get("dpi", (0, 0)))
    return Picture(upright(samples, orientation), profile, exif, dpi, tuple(notes))


def _samples_of(image: Image.Image) -> np.ndarray:
    """The samples, [H, W, C]: uint8 colors, uint16 or float32 gray."""
    if image.mode == "F":
        return np.asarray(image)[..., None]
    if image.mode.startswith("I"):  # "I", "I;16" and its variants
        return _gray_of_16_bits(np.asarray(image), image.info.get("transparency"))
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if not image.has_transparency_data:
        samples = np.asarray(image.convert(mode))
        return samples.reshape(*samples.shape[:2], -1)
    samples = np.asarray(image.convert("RGBA"))
    return samples[..., 2:] if mode == "L" else samples


def _gray_of_16_bits(values: np.ndarray, key: object) -> np.ndarray:
    low, high = values.min(), values.max()
    if low < 0 or high > _MAX_16_BIT:
        raise ValueError(
            f"its values span {low} to {high}, beyond 16 bits; save it with 8 or 16"
        )
    samples = values.astype(np.uint16)[..., None]
    if not isinstance(key, int):
        return samples
    return np.dstack([samples, (samples != key) * np.uint16(_MAX_16_BIT)])


def _to_srgb(image: Image.Image) -> Image.Image:
    if profile := image.info.get("icc_profile"):
        srgb = ImageCms.createProfile("sRGB")
        with contextlib.suppress(ImageCms.PyCMSError):  # broken, or of another space
            converted = ImageCms.profileToProfile(
                image, io.BytesIO(profile), srgb, outputMode="RGB"
            )
            assert converted is not None  # it is in place only on request
            return converted
    return image.convert("RGB")
