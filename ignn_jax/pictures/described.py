"""What files say about their colors other than by an ICC profile."""

import struct
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import TiffImageFile

from ignn_jax.pictures import png
from ignn_jax.pictures.boxes import Facts
from ignn_jax.pictures.color import (
    ADOBE_GAMMA,
    ADOBE_RGB,
    SRGB,
    Chromaticities,
    Description,
)

# ITU-T H.273. Code points that are missing are unspecified or have no use.
_D65, _C = (0.3127, 0.329), (0.31, 0.316)
_PRIMARIES: dict[int, Chromaticities | None] = {
    **dict.fromkeys((0, 1, 2, 3)),  # those of sRGB, or unspecified
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    6: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    7: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),  # BT.2020
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),  # the cinema's P3
    12: (*_D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),  # Display P3
    22: (*_D65, 0.63, 0.34, 0.295, 0.605, 0.155, 0.077),
}
_CURVES: dict[int, float | None] = {
    # sRGB's, unspecified, or a camera's, which browsers show as sRGB, too.
    **dict.fromkeys((0, 1, 2, 3, 6, 7, 11, 12, 13, 14, 15)),
    4: 2.2,
    5: 2.8,
    8: 1.0,
    17: 2.6,
}
_HDR = {16: "PQ", 18: "HLG"}
_FULL_RANGE = 1

_CHUNKS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"mDCV", b"cLLI")

_ROMM = 21  # an enumerated color space of JPEG 2000
_SPACES = (0, 12, 15, 16, 17, 18)  # those that are decoded to gray, CMYK or sRGB
_PROPHOTO: Chromaticities = (
    *(0.3457, 0.3585),
    *(0.734699, 0.265301, 0.159597, 0.840403, 0.036598, 0.000105),
)

_TRANSFER_FUNCTION, _WHITE_POINT, _PRIMARY_CHROMATICITIES = 301, 318, 319  # tags
_INTEROP_INDEX, _DCF_ADOBE_RGB, _EXIF_ADOBE_RGB = 1, "R03", 2

_TOLERANCE = 0.002  # chromaticities are stored with 3 to 5 digits
_CURVE_TOLERANCE = 0.02
_EMBEDDED, _V4, _V5 = b"DEBM", 108, 124  # of BMP


def by_file(
    image: Image.Image, data: bytes, facts: Facts
) -> tuple[bytes | None, Description | None]:
    """The color profile of a file, and what else it says of its colors.

    Of these two, one is enough; a cICP chunk comes before the profile beside it.

    Args:
      image: the file as Pillow has read it.
      data: the file.
      facts: from its boxes.

    Raises:
      ValueError: the colors are of an unknown kind.
    """
    if png.is_png(data):
        return png.profile_of(data), by_chunks(data)
    if profile := image.info.get("icc_profile") or facts.profile:
        return profile, None
    if facts.cicp:
        return None, by_code_points(*facts.cicp, source="nclx")
    if isinstance(image, TiffImageFile):
        return None, by_tags(image.tag_v2)
    if data.startswith(b"BM"):
        return by_bmp(data)
    return None, by_color_space(facts.color_space)


def by_chunks(data: bytes) -> Description | None:
    """What the chunks of a PNG say, in the order of precedence of PNG 3."""
    found = {
        kind: png.body(chunk) for kind, chunk in png.chunks(data) if kind in _CHUNKS
    }
    if len(cicp := found.get(b"cICP", b"")) == 4:
        hdr = [(kind, found[kind]) for kind in (b"mDCV", b"cLLI") if kind in found]
        description = by_code_points(cicp[0], cicp[1], source="cICP")
        if cicp[2] or cicp[3] != _FULL_RANGE:
            description = description._replace(hdr="video levels")
        return description._replace(chunks=((b"cICP", cicp), *hdr))
    if b"iCCP" in found:
        return None
    if b"sRGB" in found:
        return Description("sRGB", chunks=((b"sRGB", found[b"sRGB"]),))
    kinds = [kind for kind in (b"gAMA", b"cHRM") if kind in found]
    if not kinds:
        return None
    chunks = tuple((kind, found[kind]) for kind in kinds)
    gamma = int.from_bytes(found.get(b"gAMA", b"")[:4], "big") / 100000
    chromaticities = None
    if len(found.get(b"cHRM", b"")) == 32:
        chromaticities = [n / 100000 for n in struct.unpack(">8I", found[b"cHRM"])]
    return _by_gamma(gamma, chromaticities)._replace(chunks=chunks)


def by_info(info: Mapping[Any, Any]) -> Description | None:
    """What Pillow tells of the same chunks."""
    if "srgb" in info or not {"gamma", "chromaticity"} & info.keys():
        return None
    return _by_gamma(info.get("gamma", 0), info.get("chromaticity"))


def _by_gamma(gamma: float, values: Any) -> Description:
    chromaticities = _unless_srgb(values)
    is_usual = abs(gamma - 1 / 2.2) < _TOLERANCE and chromaticities is None
    curve = None if is_usual or not gamma else 1 / gamma
    return Description("gAMA" if gamma else "cHRM", chromaticities, curve)


def by_code_points(primaries: int, transfer: int, *, source: str) -> Description:
    """What code points of ITU-T H.273 say.

    Raises:
      ValueError: they are unknown.
    """
    if primaries not in _PRIMARIES or transfer not in _CURVES | _HDR:
        raise ValueError(
            f"its colors are of an unknown kind ({source}: primaries {primaries}, "
            f"transfer function {transfer}); save it as sRGB"
        )
    chunks = ((b"cICP", bytes([primaries, transfer, 0, _FULL_RANGE])),)
    return Description(
        source,
        _PRIMARIES[primaries],
        _CURVES.get(transfer),
        _HDR.get(transfer),
        chunks,
    )


def by_color_space(number: int | None) -> Description | None:
    """What an enumerated color space of JPEG 2000 says.

    Raises:
      ValueError: it is not read.
    """
    if number == _ROMM:
        return Description("JPEG 2000: ROMM RGB", _PROPHOTO, 1.8)
    if number is not None and number not in _SPACES:
        raise ValueError(
            f"its colors are of an unknown kind (color space {number} of JPEG 2000); "
            "save it as sRGB"
        )
    return None


def by_exif(exif: Image.Exif) -> Description | None:
    """What EXIF says: cameras mark Adobe RGB there, and often only there."""
    details = exif.get_ifd(ExifTags.IFD.Exif)
    index = None
    if ExifTags.IFD.Interop in details:  # or else Pillow 12 raises
        index = exif.get_ifd(ExifTags.IFD.Interop).get(_INTEROP_INDEX)
    is_adobe = str(index).rstrip("\0") == _DCF_ADOBE_RGB
    if is_adobe or details.get(ExifTags.Base.ColorSpace) == _EXIF_ADOBE_RGB:
        return Description("EXIF: Adobe RGB", ADOBE_RGB, ADOBE_GAMMA)
    return None


def by_tags(tags: Mapping[int, Any]) -> Description | None:
    """What the tags of a TIFF say."""
    white, primaries = tags.get(_WHITE_POINT), tags.get(_PRIMARY_CHROMATICITIES)
    chromaticities = None
    if white and primaries:
        chromaticities = _unless_srgb([*white, *primaries])
    curve = None
    if table := tags.get(_TRANSFER_FUNCTION):
        curve = np.array(table, np.float32) / 65535
        if len(curve) % 3 == 0:  # one for each channel
            curve = curve.reshape(3, -1)
        steps = np.linspace(0, 1, curve.shape[-1]) ** 2.2  # the default
        curve = None if np.abs(curve - steps).max() < _CURVE_TOLERANCE else curve
    description = Description("TIFF tags", chromaticities, curve)
    return None if description.is_srgb() else description


def by_bmp(data: bytes) -> tuple[bytes | None, Description | None]:
    """The color profile of a BMP, or the space for which its header has numbers."""
    if len(data) < 14 + _V4:
        return None, None
    (size,) = struct.unpack_from("<I", data, 14)
    kind = data[70:74]
    if size >= _V5 and kind == _EMBEDDED:
        place, length = struct.unpack_from("<2I", data, 126)
        return data[14 + place :][:length], None
    numbers = np.array(struct.unpack_from("<12I", data, 74), float)
    xyz, gammas = numbers[:9].reshape(3, 3) / 2**30, numbers[9:] / 2**16
    has_numbers = xyz.any(axis=1).all() and gammas.all()  # most files have zeros here
    if size < _V4 or any(kind) or not has_numbers:
        return None, None
    white = xyz.sum(axis=0)
    xy = [
        value
        for x, y, z in (white, *xyz)
        for value in (x / (x + y + z), y / (x + y + z))
    ]
    description = Description("BMP", _unless_srgb(xy), float(gammas.mean()))
    return None, description


def _unless_srgb(values: Any) -> Chromaticities | None:
    """Chromaticities; None if there are none, or if they are those of sRGB."""
    numbers = [float(value) for value in values or ()]
    if len(numbers) != len(SRGB) or np.allclose(numbers, SRGB, rtol=0, atol=_TOLERANCE):
        return None
    return cast(Chromaticities, tuple(numbers))
