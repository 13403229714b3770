"""Photoshop's resource blocks, which also hold IPTC data."""

from collections.abc import Iterator
from typing import NamedTuple

MARKER = b"Photoshop 3.0\0"  # how its segments of a JPEG begin
TAG, IPTC_TAG = 34377, 33723  # of TIFF: the blocks, and IPTC data without a block
IPTC = 0x0404
# Captions, copyright, and paths, which are in fractions of the sides. The others are
# about thumbnails, printing and guides.
_KEPT = {IPTC, 0x0425, 0x040A, 0x040B, *range(0x07D0, 0x0BB8)}
_PATHS = range(0x07D0, 0x0BB8)

_SIGNATURE = b"8BIM"


class Resource(NamedTuple):
    """The number of a block, the whole block, and what it holds."""

    number: int
    block: bytes
    body: bytes


def resources(data: bytes) -> Iterator[Resource]:
    """The blocks, as far as they can be followed."""
    at = 0
    while data[at : at + 4] == _SIGNATURE:
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        start = at + 6 + (data[at + 6] // 2 + 1) * 2  # after a name of even length
        length = int.from_bytes(data[start : start + 4], "big")
        end = start + 4 + length + length % 2
        yield Resource(number, data[at:end], data[start + 4 : start + 4 + length])
        at = end


def lasting(data: bytes, *, is_turned: bool) -> bytes:
    """The blocks that are true of a picture of another size, perhaps turned."""
    left_out = _PATHS if is_turned else ()
    return b"".join(
        block
        for number, block, _ in resources(data)
        if number in _KEPT and number not in left_out
    )


def of_iptc(data: bytes) -> bytes:
    """IPTC data as a block."""
    header = _SIGNATURE + IPTC.to_bytes(2, "big") + bytes(2)
    return header + len(data).to_bytes(4, "big") + data + bytes(len(data) % 2)


def iptc_of(data: bytes) -> bytes | None:
    """The IPTC data among the blocks."""
    found = (one.body for one in resources(data) if one.number == IPTC)
    return next(found, None)
