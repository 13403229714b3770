"""Decoding: from a file's bytes, or from a Pillow image, to a Picture."""

import contextlib
import io
import re

import numpy as np
from PIL import ExifTags, Image, ImageCms

from ignn_jax.pictures import png16, tiff16
from ignn_jax.pictures.metadata import kept_exif, upright, valid_dpi
from ignn_jax.pictures.picture import Picture

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
    if tiff16.is_tiff(data) and (picture := tiff16.read(data, max_pixels=max_pixels)):
        return picture
    with Image.open(io.BytesIO(data)) as image:
        if image.width * image.height > max_pixels:
            raise Image.DecompressionBombError
        return _decode_image(image, data)


def from_pillow(image: Image.Image) -> Picture:
    """A Pillow image as a picture: colors of 8 bits, gray of up to 16 bits.

    Raises:
      ValueError: the samples are floats, or integers beyond 16 bits.
    """
    return check_range(_decode_image(image.copy(), None))


def check_range(picture: Picture) -> Picture:
    """Returns the picture.

    Raises:
      ValueError: its samples are floats.
    """
    if picture.samples.dtype == np.float32:
        raise ValueError("float values have no fixed range; save it with 8 or 16 bits")
    return picture


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
    if low < 0 or high > MAX_16_BITS:
        raise ValueError(
            f"its values span {low} to {high}, beyond 16 bits; save it with 8 or 16"
        )
    samples = values.astype(np.uint16)[..., None]
    if not isinstance(key, int):
        return samples
    return np.dstack([samples, (samples != key) * np.uint16(MAX_16_BITS)])


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
