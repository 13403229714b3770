"""Decoding: from a file's bytes, or from a Pillow image, to a Picture."""

import io
import re

import numpy as np
from PIL import ExifTags, Image

from ignn_jax.pictures import png16, tiff
from ignn_jax.pictures.color import cmyk_to_srgb, lab_to_srgb
from ignn_jax.pictures.metadata import kept_exif, upright, valid_dpi
from ignn_jax.pictures.picture import Picture, within_16_bits

MAX_16_BITS = 65535


def decode(data: bytes, *, max_pixels: int) -> Picture:
    """Decodes a file; float gray keeps its values.

    Raises:
      Image.UnidentifiedImageError: it is in no known format.
      Image.DecompressionBombError: it has more than `max_pixels`.
      Exception: it is damaged.
    """
    if not data:
        raise ValueError("it is empty (0 bytes)")
    if tiff.is_tiff(data) and (picture := tiff.read(data, max_pixels=max_pixels)):
        return picture
    with Image.open(io.BytesIO(data)) as image:
        if image.width * image.height > max_pixels:
            raise Image.DecompressionBombError
        return _decode_image(image, data, _layout_of(image))


def from_pillow(image: Image.Image) -> Picture:
    """A Pillow image as a picture: colors of 8 bits, gray of up to 16 bits.

    Raises:
      ValueError: the samples are floats, or integers beyond 16 bits.
    """
    return check_range(_decode_image(image.copy(), None, _layout_of(image)))


def check_range(picture: Picture) -> Picture:
    """Returns the picture.

    Raises:
      ValueError: its samples are floats.
    """
    if picture.samples.dtype == np.float32:
        raise ValueError("float values have no fixed range; save it with 8 or 16 bits")
    return picture


def _layout_of(image: Image.Image) -> str:
    """How a file stores its samples, in the words of Pillow; "" if it is loaded."""
    return str(getattr(image, "tile", ""))


def _decode_image(image: Image.Image, data: bytes | None, layout: str) -> Picture:
    """An image that Pillow has opened; `data` is its file, if any."""
    notes = []
    if (frames := getattr(image, "n_frames", 1)) > 1:
        notes.append(f"holds {frames} pictures, of which the first is taken")
    deep = data if data and png16.is_png16(data) else None
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
        values = np.asarray(image)
        is_cmyk = image.mode == "CMYK"
        colors = cmyk_to_srgb(values, profile) if is_cmyk else lab_to_srgb(values)
        image, profile = Image.fromarray(colors), None
    if image.mode == "1":
        notes.append("black and white become shades of gray")
    if bits := re.search(r"\bL;([24])\b", layout):
        _scale_key(image, int(bits[1]))
    samples = png16.decode(deep) if deep else _samples_of(image)
    dpi = valid_dpi(*image.info.get("dpi", (0, 0)))
    return Picture(upright(samples, orientation), profile, exif, dpi, tuple(notes))


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
