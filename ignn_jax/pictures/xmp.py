"""XMP packets: what depends on the size and the orientation of the picture.

Packets are edited as text, so that all the rest of them stays as it was.
"""

import functools
import re
from collections.abc import Callable

MARKER = b"http://ns.adobe.com/xap/1.0/\0"  # how its segment of a JPEG begins

_WIDTHS = (b"tiff:ImageWidth", b"exif:PixelXDimension")
_HEIGHTS = (b"tiff:ImageLength", b"exif:PixelYDimension")
# Of panoramas and of the picture that regions were drawn on.
_HORIZONTAL = (
    *(b"GPano:FullPanoWidthPixels", b"GPano:CroppedAreaImageWidthPixels"),
    *(b"GPano:CroppedAreaLeftPixels", b"GPano:LargestValidInteriorRectLeft"),
    *(b"GPano:LargestValidInteriorRectWidth", b"stDim:w"),
    b"exif:FocalPlaneXResolution",
)
_VERTICAL = (
    *(b"GPano:FullPanoHeightPixels", b"GPano:CroppedAreaImageHeightPixels"),
    *(b"GPano:CroppedAreaTopPixels", b"GPano:LargestValidInteriorRectTop"),
    *(b"GPano:LargestValidInteriorRectHeight", b"stDim:h"),
    b"exif:FocalPlaneYResolution",
)
# What is lost with what it points to, and how to call that.
_POINTERS = (
    (rb"xmpNote:HasExtendedXMP", "extended XMP data"),
    (rb"GCamera:(?:MicroVideo|MotionPhoto)\w*|Camera:MotionPhoto\w*", "motion photo"),
    (rb"hdrgm:\w+|HDRGainMap:\w+", "gain map"),
    (rb"Container:Directory", ""),
)


def is_text(xmp: bytes) -> bool:
    """Whether it is in UTF-8, as almost all packets are."""
    try:
        return b"\0" not in xmp.decode().encode().rstrip(b"\0")
    except UnicodeDecodeError:
        return False


def orientation(xmp: bytes) -> int:
    """The orientation that a packet gives; 1, upright, without."""
    found = re.search(rb"tiff:Orientation(?:\s*=\s*[\"']|>)\s*([1-8])", xmp)
    return int(found[1]) if found else 1


def made_upright(xmp: bytes) -> bytes:
    """The packet of a picture whose orientation has been applied."""
    return _replace(xmp, (b"tiff:Orientation",), lambda value: b"1")


def has_positions(xmp: bytes) -> bool:
    """Whether there are regions, which turn with the picture."""
    return bool(re.search(rb"GPano:\w+Pixels|mwg-rs:Regions|MPReg:|exif:Subject", xmp))


def without_pointers(xmp: bytes) -> tuple[bytes, list[str]]:
    """The packet without properties of what is not carried over, and what that is."""
    lost = []
    for names, what in _POINTERS:
        attribute = rb"\s+(?:%b)\s*=\s*(?:\"[^\"]*\"|'[^']*')" % names
        element = rb"<(%b)(?:\s[^>]*)?(?:/>|>.*?</\1\s*>)" % names
        shorter = re.sub(attribute, b"", xmp)
        shorter = re.sub(element, b"", shorter, flags=re.DOTALL)
        if shorter != xmp and what:
            lost.append(what)
        xmp = shorter
    return xmp, lost


def resized(xmp: bytes, size: tuple[int, int], factors: tuple[float, float]) -> bytes:
    """The packet of a picture that has been resized.

    Args:
      xmp: the packet.
      size: the new height and width.
      factors: by which height and width have grown.
    """
    for names, side in ((_HEIGHTS, size[0]), (_WIDTHS, size[1])):
        xmp = _replace(xmp, names, functools.partial(_exactly, side))
    for scaled, factor in ((_VERTICAL, factors[0]), (_HORIZONTAL, factors[1])):
        xmp = _replace(xmp, scaled, functools.partial(_times, factor))
    return xmp


def of_type(xmp: bytes, mime: str) -> bytes:
    """The packet of a file of this type."""
    return _replace(xmp, (b"dc:format",), lambda value: mime.encode())


def _exactly(number: int, value: bytes) -> bytes:
    return b"%d" % number


def _times(factor: float, value: bytes) -> bytes:
    """A number or a fraction, multiplied; anything else stays."""
    number, slash, divisor = value.partition(b"/")
    try:
        product = float(number) * factor
    except ValueError:
        return value
    is_whole = number.strip().lstrip(b"+-").isdigit()
    text = b"%d" % round(product) if is_whole else b"%.10g" % product
    return text + slash + divisor


def _replace(
    xmp: bytes, names: tuple[bytes, ...], change: Callable[[bytes], bytes]
) -> bytes:
    """Changes the values of properties, which are attributes or elements."""
    pattern = rb"((?<![\w:/])(?:%b)(?:\s*=\s*[\"']|>)\s*)([^\"'<]*)" % b"|".join(names)
    return re.sub(pattern, lambda found: found[1] + change(found[2]), xmp)
