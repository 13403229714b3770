"""Colors as far as the format of the result can describe them."""

import numpy as np

from ignn_jax.errors import InputError
from ignn_jax.pictures.color import Description, profile_of, space_of, to_srgb
from ignn_jax.pictures.formats import COLOR_ONLY, WITH_16_BITS, WITH_PROFILE
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.samples import as_dtype

_TOLERANCE = 0.05  # of exponents


def fit_colors(picture: Picture, name: str) -> Picture:
    """A picture whose colors the format called `name` can describe.

    A description that the format cannot hold becomes a color profile, if its colors are
    beyond sRGB; else the samples become sRGB, of 16 bits if the format holds them. A
    profile that does not fit the samples, as the format stores them, goes the same way,
    or is dropped. What changes is in the notes.

    Raises:
      InputError: the colors cannot be described or converted.
    """
    if picture.description:
        return _fit_description(picture, name)
    if picture.icc_profile:
        return _fit_profile(picture, picture.icc_profile, name)
    return picture


def _fit_description(picture: Picture, name: str) -> Picture:
    description = picture.description
    assert description is not None
    if name == "PNG" and description.chunks:
        return picture
    is_gray = picture.samples.shape[-1] < 3
    if is_gray:
        description = _of_gray(description)
    if description.is_srgb():
        return picture._replace(description=None)
    source, hdr = description.source, description.hdr
    if hdr:
        raise InputError(
            f"its colors ({source}: {hdr}) cannot be kept in {name}; write PNG"
        )
    picture = picture._replace(description=None)
    try:
        profile = profile_of(description)
    except Exception:  # of numbers without a meaning; imagecodecs raises several kinds
        note = f"its description of colors ({source}) makes no sense and is dropped"
        return _noted(picture, note)
    if description.chromaticities and not is_gray and name in WITH_PROFILE:
        note = f"its colors ({source}) are described by a color profile ({name})"
        return _noted(picture._replace(icc_profile=profile), note)
    note = f"its colors ({source}) are converted to sRGB ({name} cannot describe them)"
    return _noted(_as_srgb(picture, profile, name), note)


def _of_gray(description: Description) -> Description:
    """What a description says of gray: primaries do not matter, and 2.2 is usual."""
    curve = description.curve
    is_usual = isinstance(curve, float) and abs(curve - 2.2) < _TOLERANCE
    return description._replace(chromaticities=None, curve=None if is_usual else curve)


def _fit_profile(picture: Picture, profile: bytes, name: str) -> Picture:
    space, is_gray = space_of(profile), picture.samples.shape[-1] < 3
    is_stored_gray = is_gray and name not in COLOR_ONLY
    fits = space == ("GRAY" if is_stored_gray else "RGB")
    if fits and name in WITH_PROFILE:
        return picture
    bare, stored = (
        picture._replace(icc_profile=None),
        "gray" if is_stored_gray else "RGB",
    )
    note = f"its color profile of {space} does not fit {stored} and is dropped"
    if fits or (is_gray and space in ("GRAY", "RGB")):
        try:
            converted = _as_srgb(bare, profile, name)
        except Exception:  # imagecodecs raises several kinds
            space = None
        else:
            reason = f"{name} holds none" if fits else f"it is for {space}"
            note = f"its color profile becomes sRGB ({reason})"
            if converted.samples is picture.samples:
                note = f"its color profile, as good as sRGB, is dropped ({reason})"
            return _noted(converted, note)
    if space is None:
        note = "its color profile is damaged and dropped"
    return _noted(bare, note)


def _noted(picture: Picture, note: str) -> Picture:
    return picture._replace(notes=(*picture.notes, note))


def _as_srgb(picture: Picture, profile: bytes, name: str) -> Picture:
    """The picture in sRGB, with its profile dropped.

    8 bits stay 8 bits if nothing changes. Otherwise 16 bits keep neighboring values
    apart, or floats, which are rounded when they are written.
    """
    samples = picture.samples
    count = 1 if samples.shape[-1] < 3 else 3
    colors, alpha = samples[..., :count], samples[..., count:]
    converted = to_srgb(colors, profile)
    if samples.dtype == np.uint8:
        if np.array_equal(as_dtype(converted, samples.dtype), colors):
            return picture._replace(icc_profile=None)
        alpha = as_dtype(alpha, converted.dtype)
    result = np.concatenate([converted, alpha], axis=-1)
    if samples.dtype == np.uint8 and name not in WITH_16_BITS:
        result = result / np.float32(257)
    return picture._replace(samples=result, icc_profile=None)
