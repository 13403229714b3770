"""Reading picture files, for upscaling (`read_picture`) and for training (`read_rgb`).

An unreadable file is an InputError that names it.
"""

import contextlib
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from ignn_jax.errors import InputError
from ignn_jax.files import reason_of
from ignn_jax.pictures.decode import MAX_16_BITS, check_range, decode
from ignn_jax.pictures.folders import open_file
from ignn_jax.pictures.formats import FORMATS
from ignn_jax.pictures.lasting import attach
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.png import is_png16
from ignn_jax.pictures.tiff import is_tiff

# Twice the pixels of a 100-megapixel camera; a file with more may be an attack.
MAX_PIXELS = 250_000_000

_READING = threading.Lock()  # held while the settings of the process are changed


def read_picture(path: str | os.PathLike, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Reads a picture in any format that Pillow reads.

    EXIF orientation is applied. Palette, 1-bit and color-keyed pictures become RGB or
    gray, with alpha if they are transparent. CMYK and Lab become sRGB, through their
    profile if they carry one. PNG, TIFF, AVIF, HEIC and JPEG 2000 keep more than 8 bits
    as 16 bits. Of several frames the first is read. The notes say what is lost on the
    way.

    In threads, one picture is read after the other: reading changes settings of Pillow
    and of the process meanwhile.

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
    with _named(path, max_pixels, advice), _READING, _settings(data, max_pixels):
        picture = decode(data, name=path, max_pixels=max_pixels)
        return attach(check_range(picture), data)


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
        samples = decode(data, name=name, max_pixels=limit).samples
        is_gray = samples.shape[-1] < 3
        colors = _to_8_bits(samples[..., : 1 if is_gray else 3])
        return np.repeat(colors, 3, axis=-1) if is_gray else colors


def _to_8_bits(colors: np.ndarray) -> np.ndarray:
    """A new array."""
    if colors.dtype == np.uint8:
        return np.array(colors, order="C")
    if colors.dtype == np.uint16 and colors.shape[-1] == 3:
        result = np.empty(colors.shape, np.uint8)
        return np.right_shift(colors, 8, out=result, casting="unsafe")
    low, high = colors.min(), colors.max()
    if not 0 <= low <= high <= MAX_16_BITS:  # also False for NaN
        raise ValueError(f"its values span {low} to {high}, beyond 16 bits")
    peak = MAX_16_BITS
    if colors.dtype != np.uint16:
        # In any larger range than the smallest that fits, the image would be black.
        peak = next(peak for peak in (1, 255, MAX_16_BITS) if high <= peak)
    return np.rint(colors * (255 / peak)).astype(np.uint8)


def _read_bytes(path: Path) -> bytes:
    try:
        with open_file(path) as file:
            return file.read()
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
        raise InputError(f"{name}: cannot be decoded: {reason_of(error)}") from error


@contextlib.contextmanager
def _settings(data: bytes, max_pixels: int) -> Iterator[None]:
    """Lets Pillow read so many pixels, without a word on stderr."""
    before = Image.MAX_IMAGE_PIXELS, TiffImagePlugin.READ_LIBTIFF
    Image.MAX_IMAGE_PIXELS = max_pixels  # Pillow only refuses more than twice as many
    TiffImagePlugin.READ_LIBTIFF = True  # finds more damage than Pillow's own code
    is_chatty = is_tiff(data) or is_png16(data)
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
