"""Colors of one kind as colors of another, by LittleCMS through imagecodecs.

Samples are [H, W, C], uint8 or uint16.
"""

import functools

import numpy as np


def cmyk_to_srgb(inks: np.ndarray, profile: bytes | None) -> np.ndarray:
    """CMYK, where 0 is no ink, as RGB; by a plain formula if the profile is no use."""
    if profile and space_of(profile) == "CMYK":
        return _transform(inks, profile, _built_in("srgb"), "cmyk")
    limit = np.iinfo(inks.dtype).max
    result = np.empty((*inks.shape[:2], 3), inks.dtype)
    for row, light in zip(result, limit - inks.astype(np.float32), strict=True):
        row[:] = np.rint(light[:, :3] * (light[:, 3:] / limit))
    return result


def lab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """Lab in the encoding of ICC profiles, as RGB."""
    return _transform(lab, _built_in("lab4"), _built_in("srgb"), "lab")


def space_of(profile: bytes) -> str | None:
    """The color space of an ICC profile, such as "RGB" or "GRAY"; None if damaged."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return None
    return profile[16:20].decode("latin-1").strip()


@functools.cache
def _built_in(name: str) -> bytes:
    import imagecodecs  # takes a while, and few pictures need it

    return imagecodecs.cms_profile(name)


def _transform(
    colors: np.ndarray, profile: bytes, target: bytes, space: str
) -> np.ndarray:
    import imagecodecs

    return imagecodecs.cms_transform(
        np.ascontiguousarray(colors),
        profile,
        target,
        colorspace=space,
        outcolorspace="rgb",
        outdtype=colors.dtype,
    )
