"""Writing pictures, with everything that belongs to them."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from ignn_jax.errors import InputError
from ignn_jax.files import reason_of, write_bytes
from ignn_jax.pictures import png, tiff16
from ignn_jax.pictures.fit import fit_colors
from ignn_jax.pictures.formats import (
    WITH_16_BITS,
    WITH_ALPHA,
    format_of,
)
from ignn_jax.pictures.picture import Picture, quantize, to_pillow
from ignn_jax.pictures.samples import as_dtype
from ignn_jax.pictures.stored import stored, with_aspect

_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"subsampling": 0},  # colors at full resolution
    "AVIF": {"subsampling": "4:4:4"},
    "HEIF": {"chroma": 444},
}
_LOSSLESS: dict[str, dict[str, Any]] = {
    # `exact` keeps the colors of invisible pixels.
    "WEBP": {"lossless": True, "exact": True},
    "HEIF": {"quality": -1, "matrix_coefficients": 0},  # RGB instead of YCbCr
}
_QUALITY = 95
_KEPT = ("icc_profile", "exif", "dpi", "pnginfo")


def write_picture(
    picture: Picture,
    path: str | os.PathLike,
    *,
    quality: int | None = None,
    lossless: bool = False,
) -> tuple[str, ...]:
    """Writes a picture in the format of the path's suffix, completely or not at all.

    Gray stays gray, but WebP, AVIF and HEIC store it as color. JPEG and BMP hold no
    alpha: the picture is laid on white. PNG and TIFF keep 16 bits, other formats 8. BMP
    holds neither color profile nor EXIF, and WebP and AVIF have no resolution of their
    own. Colors that the format cannot describe become sRGB. A picture from a lossless
    WebP is written to WebP without loss. An existing file is replaced.

    Args:
      picture: the picture.
      path: ends in one of FORMATS; its folder exists.
      quality: 1 to 100, of JPEG (colors at full resolution), WebP, AVIF and HEIC; 95
        by default, but a lossless WebP stays one.
      lossless: write WebP and HEIC without loss, whatever the quality.

    Returns:
      Messages for the user about what the format could not keep.

    Raises:
      InputError: the suffix is unknown, the format cannot hold the size, colors or
        metadata, or the folder or disk cannot be written. Nothing is left behind.
    """
    path = Path(path)
    name, earlier = format_of(path), len(picture.notes)
    try:
        picture = fit_colors(picture, name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    samples, notes = _fit(picture.samples, name)
    notes = [*picture.notes[earlier:], *notes]
    options = {**_OPTIONS.get(name, {}), "quality": quality or _QUALITY}
    if lossless or (picture.is_lossless and quality is None):
        options |= _LOSSLESS.get(name, {})
    try:
        metadata, more = stored(picture, name)
        data = _encode(samples, name, {**options, **metadata})
        if picture.description:
            data = png.with_chunks(data, picture.description.chunks)
        if picture.attached.aspect:
            data = with_aspect(data, picture.attached.aspect, name)
    except Exception as error:  # encoders raise almost every kind on odd metadata
        raise InputError(
            f"{path}: cannot be saved as {name}: {reason_of(error)}"
        ) from error
    write_bytes(path, data)
    return tuple(notes + more)


def _encode(samples: np.ndarray, name: str, options: dict[str, Any]) -> bytes:
    if samples.dtype == np.uint16:
        encode = png.encode if name == "PNG" else tiff16.encode
        return encode(samples, **{key: options[key] for key in options if key in _KEPT})
    buffer = io.BytesIO()
    to_pillow(samples).save(buffer, name, **options)
    # Not getbuffer(): Python 3.12.1 crashes when it collects one after an exception.
    return buffer.getvalue()


def _fit(samples: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """The samples as far as the format called `name` can hold them, and notes."""
    notes = []
    if np.issubdtype(samples.dtype, np.floating):
        samples = quantize(samples, np.uint8)
    if samples.shape[-1] in (2, 4) and name not in WITH_ALPHA:
        limit = np.float32(np.iinfo(samples.dtype).max)
        opacity = samples[..., -1:] / limit
        colors = samples[..., :-1] * opacity + limit * (1 - opacity)
        if opacity.min() < 1:
            notes.append(f"its transparency is laid on white ({name} holds none)")
        samples = np.rint(colors).astype(samples.dtype)
    if samples.dtype == np.uint16 and name not in WITH_16_BITS:
        samples = as_dtype(samples, np.dtype(np.uint8))
        notes.append(f"its 16 bits are written as 8 ({name})")
    return samples, notes
