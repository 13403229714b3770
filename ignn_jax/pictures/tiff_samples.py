"""What the samples of a TIFF mean, and the same as gray or RGB from black to white.

Samples are [H, W, C].
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import TiffImagePlugin as tiff

from ignn_jax.pictures.color import cmyk_to_srgb, lab_to_srgb
from ignn_jax.pictures.samples import (
    as_dtype,
    divide_by_alpha,
    full_range,
    within_16_bits,
)

# Photometric interpretations.
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK = 0, 1, 2, 3, 4
CMYK, YCBCR, _LAB, _ICC_LAB = 5, 6, 8, 9
_COLORS = {  # how many of the channels are colors
    _WHITE_IS_ZERO: 1,
    _BLACK_IS_ZERO: 1,
    _RGB: 3,
    _PALETTE: 1,
    CMYK: 4,
    YCBCR: 3,  # libtiff converts it to RGB
    _LAB: 3,
    _ICC_LAB: 3,
}

_FAXES = (2, 3, 4)  # compressions
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3  # sample formats
_UNSPECIFIED, _ASSOCIATED, _UNASSOCIATED = 0, 1, 2  # kinds of extra samples
_SEPARATE_PLANES = 2
_INK_SET = 332

_MAX_CHANNELS = 64
_BLOCK = 256  # rows


class Layout(NamedTuple):
    """How a file stores its samples.

    Attributes:
      shape: height, width and channels.
      photometric: what the colors mean.
      extra: the kinds of the channels that follow the colors.
      bits: of a sample.
      dtype: of the samples, as libtiff decodes them.
      has_planes: whether one channel is stored after the other.
    """

    shape: tuple[int, int, int]
    photometric: int
    extra: tuple[int, ...]
    bits: int
    dtype: np.dtype
    has_planes: bool


def layout_of(tags: Mapping[int, Any], size: tuple[int, int]) -> Layout:
    """The layout of a picture of (height, width) by its tags.

    Raises:
      ValueError: it is not known what its samples mean.
    """
    channels = tags.get(tiff.SAMPLESPERPIXEL, 1)
    photometric = tags.get(tiff.PHOTOMETRIC_INTERPRETATION)
    if photometric is None:  # libtiff guesses the same
        is_fax = tags.get(tiff.COMPRESSION) in _FAXES
        photometric = _RGB if channels > 2 else int(not is_fax)
    if photometric == _MASK:
        raise ValueError("it is a transparency mask, not a picture")
    extra = channels - _COLORS.get(photometric, channels + 1)
    is_known = photometric != CMYK or tags.get(_INK_SET, 1) == 1
    if extra < 0 or channels > _MAX_CHANNELS or not is_known:
        raise ValueError(
            f"its colors are of an unknown kind (photometric interpretation "
            f"{photometric}, {channels} channels); save it as RGB"
        )
    # The tag is mandatory, but programs forget it where the meaning is clear.
    given = np.ravel(tags.get(tiff.EXTRASAMPLES, _UNASSOCIATED * (extra == 1)))
    kinds = tuple([*given.tolist(), *[_UNSPECIFIED] * extra][:extra])
    bits, dtype = _number_of(tags, channels)
    is_plain = dtype.kind in "bu" and bits <= 16
    if not is_plain and photometric not in (_BLACK_IS_ZERO, _RGB):
        raise ValueError("its samples are no integers of 1 to 16 bits; save it as RGB")
    if photometric == YCBCR and (bits, channels) != (8, 3):
        raise ValueError("its YCbCr colors are not of 8 bits; save it as RGB")
    has_planes = (
        photometric != YCBCR and tags.get(tiff.PLANAR_CONFIGURATION) == _SEPARATE_PLANES
    )
    return Layout((*size, channels), photometric, kinds, bits, dtype, has_planes)


def _number_of(tags: Mapping[int, Any], channels: int) -> tuple[int, np.dtype]:
    """The bits of a sample, and the dtype that libtiff decodes it to."""
    depths, formats = (
        sorted({*np.ravel(tags.get(tag, 1)).tolist()[:channels]})
        for tag in (tiff.BITSPERSAMPLE, tiff.SAMPLEFORMAT)
    )
    bits, sample_format = depths[0], formats[0]
    kind = {_UNSIGNED: "u", _SIGNED: "i", _FLOAT: "f"}.get(sample_format, "")
    sizes = {"u": [*range(1, 17), 32, 64], "i": [8, 16, 32, 64], "f": [16, 32, 64]}
    if len(depths) > 1 or len(formats) > 1 or bits not in sizes.get(kind, []):
        raise ValueError(
            f"its samples are of an unknown kind ({', '.join(map(str, depths))} bits, "
            f"sample format {', '.join(map(str, formats))}); save it with 8 or 16 bits"
        )
    width = next(width for width in (8, 16, 32, 64) if bits <= width)
    return bits, np.dtype(bool if bits == 1 else f"{kind}{width // 8}")


def interpret(
    samples: np.ndarray, layout: Layout, tags: Mapping[int, Any]
) -> tuple[np.ndarray, bytes | None, list[str]]:
    """What decoded samples mean.

    Returns:
      The samples of a Picture: gray or RGB, perhaps with alpha. Floats keep their
      values and lose their alpha. Then the color profile, and notes on what is lost.

    Raises:
      ValueError: values are beyond 16 bits, or a color is not in the palette.
    """
    count, photometric = _COLORS[layout.photometric], layout.photometric
    colors, extra = samples[..., :count], samples[..., count:]
    profile, notes = tags.get(tiff.ICCPROFILE), _notes(layout)
    if layout.dtype.kind == "f":
        return colors.astype(np.float32), profile, notes
    places = [n for n, kind in enumerate(layout.extra) if kind != _UNSPECIFIED]
    alpha = extra[..., places[:1]]  # of no channel if there is none
    is_multiplied = bool(places) and layout.extra[places[0]] == _ASSOCIATED
    if photometric == _PALETTE:
        colors = _look_up(colors, tags)
    elif is_multiplied:
        colors = divide_by_alpha(colors, alpha, dtype=_full_range(alpha, layout).dtype)
    else:
        colors = _full_range(colors, layout)
    if photometric == _WHITE_IS_ZERO:
        colors = np.invert(colors)
    elif photometric == CMYK:
        colors, profile = cmyk_to_srgb(colors, profile), None
    elif photometric in (_LAB, _ICC_LAB):
        colors, profile = lab_to_srgb(_icc_lab(colors, photometric)), None
    if places:
        alpha = as_dtype(_full_range(alpha, layout), colors.dtype)
        colors = np.dstack([colors, alpha])
    return colors, profile, notes


def is_converted(layout: Layout) -> bool:
    """Whether `interpret` converts the colors to sRGB."""
    return layout.photometric in (CMYK, _LAB, _ICC_LAB)


def _notes(layout: Layout) -> list[str]:
    notes = []
    if is_converted(layout):
        name = "CMYK" if layout.photometric == CMYK else "LAB"
        notes.append(f"{name} colors are converted to sRGB")
    elif layout.bits == 1 and layout.photometric != _PALETTE and layout.shape[2] == 1:
        notes.append("black and white become shades of gray")
    dropped = len(layout.extra) - any(layout.extra)
    if dropped == 1:
        notes.append("its extra channel of unknown meaning is dropped")
    elif dropped:
        notes.append(f"its {dropped} extra channels of unknown meaning are dropped")
    return notes


def _full_range(samples: np.ndarray, layout: Layout) -> np.ndarray:
    if layout.dtype.kind in "bu" and layout.bits <= 16:
        return full_range(samples, layout.bits)
    return within_16_bits(samples)


def _look_up(indices: np.ndarray, tags: Mapping[int, Any]) -> np.ndarray:
    """The colors of a palette: of 8 bits if all of them are, else of 16."""
    palette = np.reshape(tags[tiff.COLORMAP], (3, -1)).T
    if palette.max() <= 255:  # as old programs write it
        palette = palette * 257
    if not (palette % 257).any():
        return (palette // 257).astype(np.uint8)[indices[..., 0].astype(np.intp)]
    if not (palette % 256).any():  # as libtiff's own tools write it
        return (palette // 256).astype(np.uint8)[indices[..., 0].astype(np.intp)]
    return palette.astype(np.uint16)[indices[..., 0].astype(np.intp)]


def _icc_lab(samples: np.ndarray, photometric: int) -> np.ndarray:
    """Lab in the encoding of ICC profiles: L from 0 to 100, a and b from -128 to 127.

    TIFF has signed a and b of 8 or 16 bits (CIELab), or values of 16 bits that end at
    0xFF00 (ICCLab, as of version 2 of the ICC's specification).
    """
    if photometric == _LAB:
        sign = 1 << (8 * samples.dtype.itemsize - 1)
        samples = samples ^ np.array([0, sign, sign], samples.dtype)
    if samples.dtype == np.uint8:
        return samples
    is_scaled = [photometric == _ICC_LAB, True, True]
    factor = np.where(is_scaled, 257 / 256, 1)
    return np.rint(samples * factor).clip(0, 65535).astype(np.uint16)
