"""What the boxes of AVIF, HEIF and JPEG 2000 say, where Pillow does not tell.

These formats share a layout of nested boxes, from ISO 14496-12.
"""

import contextlib
import struct
from collections.abc import Iterator
from typing import NamedTuple

# Boxes of boxes, and how many bytes precede the first of them.
_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"jp2h": 0}
_CODESTREAM = b"\xff\x4f\xff\x51"  # how one of JPEG 2000 begins: SOC, SIZ
_BITS = 42  # the place in it of the first channel's bits
_MAX_BODY = 64 * 2**20  # bytes


class Facts(NamedTuple):
    """What a file says of its samples.

    Attributes:
      bits: of a sample.
      cicp: the code points of color primaries and transfer function (ITU-T H.273).
      color_space: the enumerated color space of JPEG 2000 (ISO 15444-1, M.11.7.3).
      profile: a color profile.
    """

    bits: int = 8
    cicp: tuple[int, int] | None = None
    color_space: int | None = None
    profile: bytes | None = None


def facts_of(data: bytes) -> Facts:
    """What an AVIF, HEIF or JPEG 2000 says; damaged boxes say nothing."""
    facts = Facts()
    is_jpeg2000 = data[4:8] == b"jP  " or data.startswith(_CODESTREAM)
    if not is_jpeg2000 and data[4:8] != b"ftyp":
        return facts
    if is_jpeg2000 and len(rest := data[data.find(_CODESTREAM) :]) > _BITS:
        facts = Facts(bits=(rest[_BITS] & 0x7F) + 1)
    for kind, body in _leaves(memoryview(data)):
        with contextlib.suppress(struct.error, IndexError):
            facts = _with(facts, kind, bytes(body[:_MAX_BODY]))
    return facts


def _with(facts: Facts, kind: bytes, body: bytes) -> Facts:
    """The first box of a kind counts: those of tiles and alpha follow."""
    bits = facts.bits
    if kind == b"pixi":
        bits = max(body[5 : 5 + body[4]])
    elif kind == b"av1C":
        bits = 12 if body[2] & 0x20 else 10 if body[2] & 0x40 else 8
    elif kind == b"hvcC":
        bits = 8 + (body[17] & 7)
    elif kind == b"colr" and body[:4] == b"nclx":
        return facts._replace(cicp=facts.cicp or struct.unpack_from(">HH", body, 4))
    elif kind == b"colr" and body[0] == 1 and facts.color_space is None:
        return facts._replace(color_space=struct.unpack_from(">I", body, 3)[0])
    elif kind == b"colr" and body[0] in (2, 3) and not facts.profile:
        return facts._replace(profile=body[3:])
    return facts._replace(bits=max(bits, facts.bits))


def _leaves(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The boxes that are no containers, with their bodies."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= len(data):
            size, start = struct.unpack_from(">Q", data, start)[0], start + 8
        end = len(data) if size == 0 else at + size
        if end < start:
            return
        if kind in _CONTAINERS:
            yield from _leaves(data[start + _CONTAINERS[kind] : end])
        else:
            yield kind, data[start:end]
        at = end
