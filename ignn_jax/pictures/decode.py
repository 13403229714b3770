"""Decoding: from a file's bytes, or from a Pillow image, to a Picture."""

import io
import os
import re
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from ignn_jax.pictures import boxes, deep, described, png, tiff
from ignn_jax.pictures.color import (
    Description,
    cmyk_to_srgb,
    lab_to_srgb,
    profile_of,
)
from ignn_jax.pictures.metadata import kept_exif, upright, valid_dpi
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.raw import is_raw
from ignn_jax.pictures.samples import within_16_bits

MAX_16_BITS = 65535

# How Pillow calls samples of 16 bits of which it keeps 8, and the largest value of a
# PPM.
_OF_16_BITS = re.compile(r"\b(RGB\w*|CMYK|LA?);16|^SGI16")
_PPM_LIMIT = re.compile(r"ppm\w* \('RGB', (\d+)")


def decode(data: bytes, *, name: str | os.PathLike, max_pixels: int) -> Picture:
    """Decodes a file; floats keep their values.

    Args:
      data: the file.
      name: its name, by which some raw files of cameras are known.
      max_pixels: refuse a larger picture.

    Raises:
      Image.UnidentifiedImageError: it is in no known format.
      Image.DecompressionBombError: it has more than `max_pixels`.
      Exception: it is damaged, or it is unknown what its samples mean.
    """
    if not data:
        raise ValueError("it is empty (0 bytes)")
    if is_raw(data, Path(name)):
        raise ValueError("it is a camera's raw file; develop it, and save it as TIFF")
    if tiff.is_tiff(data) and (picture := tiff.read(data, max_pixels=max_pixels)):
        return picture
    file = png.for_pillow(data) if png.is_png(data) else data
    with Image.open(io.BytesIO(file)) as image:
        if image.width * image.height > max_pixels:
            raise Image.DecompressionBombError
        return _decode_file(image, data)


def from_pillow(image: Image.Image) -> Picture:
    """A Pillow image as a picture: colors of 8 bits, gray of up to 16 bits.

    A description of its colors other than by a profile becomes a profile.

    Raises:
      ValueError: the samples are floats, or integers beyond 16 bits.
    """
    layout = _layout_of(image)
    image = image.copy()
    said = image.info.get("icc_profile"), described.by_info(image.info)
    picture = check_range(_picture_of(image, layout, said, None))
    if picture.description and not picture.description.is_srgb():
        is_gray = picture.samples.shape[-1] < 3
        profile = profile_of(picture.description, is_gray=is_gray)
        picture = picture._replace(icc_profile=profile)
    return picture._replace(description=None)


def check_range(picture: Picture) -> Picture:
    """Returns the picture.

    Raises:
      ValueError: its samples are floats.
    """
    if picture.samples.dtype == np.float32:
        raise ValueError("float values have no fixed range; save it with 8 or 16 bits")
    return picture


def _decode_file(image: Image.Image, data: bytes) -> Picture:
    """An image that Pillow has opened but not loaded, and its file."""
    layout, notes = _layout_of(image), []
    if (frames := getattr(image, "n_frames", 1)) > 1:
        notes.append(f"holds {frames} pictures, of which the first is taken")
    image.load()  # also the metadata behind the pixels
    facts = boxes.facts_of(data)
    samples = deep.samples_of(data, facts)
    if samples is None and (facts.bits > 8 or _is_narrowed(layout)):
        notes.append("its samples of more than 8 bits are read as 8 bits")
    elif samples is not None and samples.shape[:2] != (image.height, image.width):
        raise ValueError("its parts contradict each other")
    said = described.by_file(image, data, facts)
    picture = _picture_of(image, layout, said, samples)
    return picture._replace(
        notes=(*notes, *picture.notes), is_lossless=_is_lossless_webp(data)
    )


def _is_lossless_webp(data: bytes) -> bool:
    """Whether the first picture of a WebP is coded without loss."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return False
    at = 12
    while (kind := data[at : at + 4]) not in (b"VP8L", b"VP8 ", b""):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        # An animation's frame has 16 bytes before the chunks inside it.
        at += 24 if kind == b"ANMF" else 8 + size + size % 2
    return kind == b"VP8L"


def _layout_of(image: Image.Image) -> str:
    """How a file stores its samples, in the words of Pillow; "" if it is loaded."""
    tiles = getattr(image, "tile", ())
    return f"{tiles[0][0]} {tiles[0][3]}" if tiles else ""


def _is_narrowed(layout: str) -> bool:
    """Whether Pillow keeps 8 bits of more."""
    limit = _PPM_LIMIT.match(layout)
    is_wide_ppm = limit is not None and int(limit[1]) > 255
    return is_wide_ppm or _OF_16_BITS.search(layout) is not None


def _picture_of(
    image: Image.Image,
    layout: str,
    said: tuple[bytes | None, Description | None],
    samples: np.ndarray | None,
) -> Picture:
    """A picture of a Pillow image that is loaded.

    Args:
      image: the image; it may change.
      layout: of the file that it comes from, as `_layout_of` tells.
      said: the color profile or the description of its colors, if there is one.
      samples: those of the file, if the image has lost bits of them.
    """
    notes, orientation, exif = [], 1, None
    profile, description = said
    try:
        tags = image.getexif()  # a TIFF's no longer has an orientation: load() turns it
        orientation = tags.get(ExifTags.Base.Orientation, 1)
        if not profile and not description:
            description = described.by_exif(tags)
        exif = kept_exif(tags)
    except Exception:  # almost every kind; the pixels are fine
        notes.append("its EXIF data are damaged and left out")
    if image.mode in ("CMYK", "LAB"):
        notes.append(f"{image.mode} colors are converted to sRGB")
        values = np.asarray(image)
        is_cmyk = image.mode == "CMYK"
        samples = cmyk_to_srgb(values, profile) if is_cmyk else lab_to_srgb(values)
        profile = description = None
    if image.mode == "1":
        notes.append("black and white become shades of gray")
    if bits := re.search(r"\bL;([24])\b", layout):
        _scale_key(image, int(bits[1]))
    samples = _samples_of(image) if samples is None else samples
    dpi = valid_dpi(*image.info.get("dpi", (0, 0)))
    samples = upright(samples, orientation)
    return Picture(samples, profile, exif, dpi, tuple(notes), description)


def _scale_key(image: Image.Image, bits: int) -> None:
    """Scales a PNG's key for transparent gray as Pillow has scaled the pixels."""
    if isinstance(key := image.info.get("transparency"), int):
        image.info["transparency"] = key % 2**bits * (255 // (2**bits - 1))


def _samples_of(image: Image.Image) -> np.ndarray:
    """The samples, [H, W, C]: uint8 colors, uint16 or float32 gray."""
    if image.mode == "F":
        return np.asarray(image)[..., None]
    if image.mode.startswith("I"):  # "I", "I;16" and its variants
        samples = within_16_bits(np.asarray(image))[..., None]
        if not isinstance(key := image.info.get("transparency"), int):
            return samples
        return np.dstack([samples, (samples != key) * np.uint16(MAX_16_BITS)])
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if not image.has_transparency_data:
        samples = np.asarray(image.convert(mode))
        return samples.reshape(*samples.shape[:2], -1)
    samples = np.asarray(image.convert("RGBA"))
    return samples[..., 2:] if mode == "L" else samples
