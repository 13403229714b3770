"""Colors of one kind as colors of another, by LittleCMS through imagecodecs.

Samples are [H, W, C], uint8 or uint16, without alpha.
"""

import functools
from typing import Any, NamedTuple

import numpy as np

from ignn_jax.pictures.samples import as_dtype

# x and y of white, red, green and blue.
Chromaticities = tuple[float, float, float, float, float, float, float, float]
SRGB: Chromaticities = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
ADOBE_RGB: Chromaticities = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
ADOBE_GAMMA = 563 / 256

_TABLE = 1024  # entries of sRGB's curve in a profile


class Description(NamedTuple):
    """What samples mean, if the file says so other than by an ICC profile.

    Attributes:
      source: where the file says it, in the words of its format.
      chromaticities: of white and the primaries; None for those of sRGB.
      curve: from samples to light: an exponent, or a table of values from 0 to 1; None
        for that of sRGB.
      hdr: the name of a curve for high dynamic range, instead of `curve`.
      chunks: (kind, body) of the chunks that say the same in a PNG.
    """

    source: str
    chromaticities: Chromaticities | None = None
    curve: float | np.ndarray | None = None
    hdr: str | None = None
    chunks: tuple[tuple[bytes, bytes], ...] = ()

    def is_srgb(self) -> bool:
        """Whether it says what is assumed without it."""
        return self.chromaticities is None and self.curve is None and not self.hdr


def profile_of(description: Description, *, is_gray: bool = False) -> bytes:
    """An ICC profile, for RGB or gray, that says the same.

    Raises:
      Exception: the description makes no sense.
    """
    import imagecodecs  # takes a while, and few pictures need it

    x, y, *primaries = description.chromaticities or SRGB
    curve = description.curve
    if curve is None:
        levels = np.linspace(0, 1, _TABLE)
        linear, power = levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4
        curve = np.where(levels <= 0.04045, linear, power)
    options: dict[str, Any] = {"whitepoint": [x, y, 1]}
    if isinstance(curve, np.ndarray):
        options["transferfunction"] = curve.astype(np.float32)
    else:
        options["gamma"] = curve
    if is_gray:
        return imagecodecs.cms_profile("gray", **options)
    red, green, blue = primaries[:2], primaries[2:4], primaries[4:]
    options["primaries"] = [*red, 1, *green, 1, *blue, 1]
    return imagecodecs.cms_profile("rgb", **options)


def space_of(profile: bytes) -> str | None:
    """The color space of an ICC profile, such as "RGB" or "GRAY"; None if damaged."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return None
    space = profile[16:20].decode("latin-1").strip()
    return space if space.isascii() and space.isalnum() else None


def to_srgb(colors: np.ndarray, profile: bytes) -> np.ndarray:
    """Gray or RGB of an RGB or gray profile, as uint16 sRGB of as many channels.

    Raises:
      Exception: the profile is damaged, or of another space.
    """
    colors, is_gray = as_dtype(colors, np.dtype(np.uint16)), colors.shape[-1] == 1
    if space_of(profile) == "GRAY":
        return _transform(colors, profile, "gray")[..., :1]
    result = _transform(colors.repeat(3, -1) if is_gray else colors, profile, "rgb")
    return result[..., 1:2] if is_gray else result


def cmyk_to_srgb(inks: np.ndarray, profile: bytes | None) -> np.ndarray:
    """CMYK, where 0 is no ink, as RGB; by a plain formula if the profile is no use."""
    if profile and space_of(profile) == "CMYK":
        return _transform(inks, profile, "cmyk")
    limit = np.iinfo(inks.dtype).max
    result = np.empty((*inks.shape[:2], 3), inks.dtype)
    for row, light in zip(result, limit - inks.astype(np.float32), strict=True):
        row[:] = np.rint(light[:, :3] * (light[:, 3:] / limit))
    return result


def lab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """Lab in the encoding of ICC profiles, as RGB."""
    return _transform(lab, _built_in("lab4"), "lab")


@functools.cache
def _built_in(name: str) -> bytes:
    import imagecodecs

    return imagecodecs.cms_profile(name)


def _transform(colors: np.ndarray, profile: bytes, space: str) -> np.ndarray:
    """To sRGB, of the same dtype."""
    import imagecodecs

    return imagecodecs.cms_transform(
        np.ascontiguousarray(colors[..., 0] if space == "gray" else colors),
        profile,
        _built_in("srgb"),
        colorspace=space,
        outcolorspace="rgb",
        outdtype=colors.dtype,
        # Else colors of 16 bits are interpolated between a few thousand, and are wrong
        # by several levels of 8 bits where they are dark and saturated.
        flags=imagecodecs.CMS.FLAGS.NOOPTIMIZE,
    )
