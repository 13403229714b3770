"""Image files as arrays: uint8 [H, W, 3], RGB, whatever the file holds."""

import io
import os
import pathlib
from collections.abc import Collection
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ignn_jax.errors import InputError

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

_MAX_16_BIT = 65535


def read_rgb(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads any image that Pillow opens as 8-bit RGB, upright.

    EXIF orientation is applied. Gray, 1-bit and palette images are spread to RGB,
    CMYK is converted, color profiles are ignored. Alpha is dropped, not composited:
    there is no background to put under a training image, and the colors below the
    alpha are the photograph's own. Of an animation, the first frame is read.

    16-bit gray (Pillow's `I;16` and `I`) is scaled, so that 65535 becomes 255. Float
    gray (`F`) has no agreed range: it is taken as 0..1, 0..255 or 0..65535, the
    smallest of these that holds its maximum. Of 16-bit color, Pillow itself gives the
    high bytes.

    Args:
      path: the file.

    Returns:
      uint8 [H, W, 3], a new array.

    Raises:
      InputError: the file is missing, not an image, damaged, truncated, larger than
        Pillow's limit against decompression bombs, or has values out of range.
    """
    return _read(path, name=path)


def decode_rgb(data: bytes, *, name: str) -> np.ndarray:
    """`read_rgb` of a file's bytes; `name` is what to call it in errors."""
    return _read(io.BytesIO(data), name=name)


def list_images(folder: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Lists the image files under a folder, by suffix, without opening them.

    The search is recursive, suffixes match in any case, files and folders whose name
    starts with a dot are skipped, and links to folders are not followed.

    Args:
      folder: where to look.

    Returns:
      The paths, each starting with `folder`, sorted; never empty.

    Raises:
      InputError: the folder does not exist or holds no image.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a folder of images")
    paths = files_below(folder, IMAGE_SUFFIXES)
    if not paths:
        raise InputError(
            f"{folder}: no image in this folder; give one with files that end in "
            + ", ".join(IMAGE_SUFFIXES)
        )
    return paths


def files_below(folder: pathlib.Path, suffixes: Collection[str]) -> list[pathlib.Path]:
    """The files that `list_images` would list, but of these suffixes, or none."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not path.is_dir()
    )


def _read(
    file: str | os.PathLike[str] | BinaryIO, *, name: str | os.PathLike[str]
) -> np.ndarray:
    try:
        with Image.open(file) as image:
            return _to_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise InputError(
            f"{name}: not an image in a known format; replace it or remove it"
        ) from error
    # Damaged bytes surface from the decoders as SyntaxError, struct.error, EOFError,
    # IndexError and more; each means the same to the user.
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or repr(error)
        raise InputError(
            f"{name}: cannot be read as an image ({reason}); replace it or remove it"
        ) from error


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith(("I", "F")):  # I;16, I;16B, ...: `convert` would clip
        gray = _to_8_bits(np.asarray(image))
        return np.repeat(gray[..., None], 3, axis=-1)
    if "transparency" in image.info:  # a palette with alphas converts through RGBA only
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"))


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    if not 0 <= low <= high <= _MAX_16_BIT:  # false for NaN as well
        raise ValueError(f"its values span {low} to {high}, beyond 16 bits")
    if np.issubdtype(values.dtype, np.integer):
        peak = _MAX_16_BIT
    else:
        # On any larger scale than the smallest that fits, the image would be black.
        peak = next(peak for peak in (1, 255, _MAX_16_BIT) if high <= peak)
    return np.rint(values * (255 / peak)).astype(np.uint8)
