"""Samples of more than 8 bits from formats of which Pillow keeps 8."""

import io

import numpy as np

from ignn_jax.pictures import png
from ignn_jax.pictures.boxes import Facts
from ignn_jax.pictures.samples import full_range

# Color spaces of JPEG 2000 that Pillow converts, and OpenJPEG alone does not.
_CONVERTED = (12, 18)  # CMYK, sYCC


def samples_of(data: bytes, facts: Facts) -> np.ndarray | None:
    """The samples, uint16 [H, W, C]; None if they have 8 bits, or Pillow has to do.

    Raises:
      Exception: the file is damaged.
    """
    if png.is_png16(data):
        return png.decode(data)
    if facts.bits <= 8 or facts.color_space in _CONVERTED:
        return None
    if data[4:8] != b"ftyp":
        return _jpeg2000(data, facts.bits)
    is_avif = data[8:12] in (b"avif", b"avis")
    return _avif(data, facts.bits) if is_avif else _heif(data)


def _avif(data: bytes, bits: int) -> np.ndarray:
    import imagecodecs  # takes a while, and few pictures need it

    return _to_16_bits(imagecodecs.avif_decode(data, index=0), bits)


def _jpeg2000(data: bytes, bits: int) -> np.ndarray | None:
    import imagecodecs

    samples = imagecodecs.jpeg2k_decode(data)
    return _to_16_bits(samples, bits) if samples.dtype == np.uint16 else None


def _heif(data: bytes) -> np.ndarray:
    import pillow_heif  # an extra, but without it Pillow has not opened the file

    file = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    samples = np.asarray(file)
    # The bits are at the upper end of 16.
    bits = file.info["bit_depth"]
    return _to_16_bits(samples >> (16 - bits), bits)


def _to_16_bits(samples: np.ndarray, bits: int) -> np.ndarray:
    return full_range(samples.reshape(*samples.shape[:2], -1), bits)
