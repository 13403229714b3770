"""EXIF blocks, changed in place.

Cameras' own data in an EXIF block (MakerNote) point to places in it. So a block is not
written anew: values are replaced where they are, and the rest stays where it was.
"""

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from PIL.ExifTags import IFD, Base, Interop

PREFIX = b"Exif\0\0"

_BYTE, _SHORT, _LONG, _RATIONAL, _DOUBLE = 1, 3, 4, 5, 12
_FORMATS = {  # of types whose values are read or written
    _BYTE: "B",
    _SHORT: "H",
    _LONG: "I",
    _RATIONAL: "II",
    8: "h",
    9: "i",
    10: "ii",
    11: "f",
    _DOUBLE: "d",
}
_SIZES = {2: 1, 6: 1, 7: 1, 13: 4} | {
    kind: struct.calcsize("<" + letters) for kind, letters in _FORMATS.items()
}
_LARGEST = {_BYTE: 2**8 - 1, _SHORT: 2**16 - 1, _LONG: 2**32 - 1}
_ENTRY = 12  # bytes


class _Entry(NamedTuple):
    """Where an entry is, its type, how many values it has, and where they are."""

    at: int
    kind: int
    length: int
    values: int


class Block:
    """An EXIF block: a directory of tags, and those that it points to."""

    def __init__(self, block: bytes):
        """Takes a block with or without its prefix.

        Raises:
          ValueError: it is no EXIF block.
        """
        self._data = bytearray(block.removeprefix(PREFIX))
        orders = {b"II*\0": "<", b"MM\0*": ">"}
        try:
            self._order = orders[bytes(self._data[:4])]
            self._main = self._read("I", 4)[0]
            self._entries(self._main)
        except (KeyError, struct.error) as error:
            raise ValueError("no EXIF block") from error

    def tobytes(self) -> bytes:
        """The block with its prefix."""
        return PREFIX + self._data

    def tags(self) -> set[int]:
        """The tags of the main directory."""
        return set(self._entries(self._main))

    def get(self, tag: int, ifd: int | None = None) -> tuple[float, ...] | None:
        """The values of a tag, or None; of the main directory, or of another."""
        entry = self._find(tag, ifd)
        if entry is None or entry.kind not in _FORMATS:
            return None
        letters = _FORMATS[entry.kind]
        numbers = self._read(letters * entry.length, entry.values)
        if len(letters) == 1:
            return numbers
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return tuple(float(Fraction(a, b)) if b else 0.0 for a, b in pairs)

    def text(self, tag: int) -> str:
        """The value of a tag of the main directory as text; "" if there is none."""
        entry = self._find(tag, None)
        if entry is None or entry.kind not in (_BYTE, 2, 7):
            return ""
        value = self._data[entry.values : entry.values + entry.length]
        return value.rstrip(b"\0").decode("utf-8", "replace")

    def has(self, tag: int, ifd: int | None = None) -> bool:
        """Whether a tag is there."""
        return self._find(tag, ifd) is not None

    def set(self, tag: int, *values: float, ifd: int | None = None) -> bool:
        """Replaces the values of a tag, which has as many.

        Returns:
          Whether it could be done: False if they are too large for its type.
        """
        entry = self._find(tag, ifd)
        if entry is None or entry.kind not in _FORMATS or len(values) != entry.length:
            return entry is None
        kind = entry.kind
        if kind == _SHORT and entry.length == 1 and values[0] > _LARGEST[_SHORT]:
            kind = _LONG  # there is room: both are in the entry itself
            self._write("H", entry.at + 2, kind)
        letters = _FORMATS[kind]
        if kind in _LARGEST:
            values = tuple(round(value) for value in values)
            if not 0 <= min(values) <= max(values) <= _LARGEST[kind]:
                return False
        elif len(letters) == 2:
            pairs = [_rational(value) for value in values]
            values = tuple(number for pair in pairs for number in pair)
        self._write(letters * entry.length, entry.values, *values)
        return True

    def delete(self, tag: int, ifd: int | None = None) -> None:
        """Removes a tag if it is there. Its values stay, where nothing finds them."""
        start, entry = self._start(ifd), self._find(tag, ifd)
        if start is None or entry is None:
            return
        (count,) = self._read("H", start)
        end = start + 2 + count * _ENTRY + 4  # with the place of the next directory
        end = min(end, len(self._data))
        self._data[entry.at : end - _ENTRY] = self._data[entry.at + _ENTRY : end]
        self._write("H", start, count - 1)

    def has_thumbnail(self) -> bool:
        """Whether there is a second directory, which is that of a thumbnail."""
        at = self._next()
        return at + 4 <= len(self._data) and bool(self._read("I", at)[0])

    def delete_thumbnail(self) -> None:
        """Removes it; its pixels stay, where nothing finds them."""
        self._write("I", self._next(), 0)

    def _next(self) -> int:
        (count,) = self._read("H", self._main)
        return self._main + 2 + count * _ENTRY

    def _find(self, tag: int, ifd: int | None) -> _Entry | None:
        start = self._start(ifd)
        if start is None or start + 2 > len(self._data):
            return None
        return self._entries(start).get(tag)

    def _start(self, ifd: int | None) -> int | None:
        """Where a directory is: that of `IFD.Interop` is found through `IFD.Exif`."""
        if ifd is None:
            return self._main
        parent = IFD.Exif if ifd == IFD.Interop else None
        place = self.get(ifd, parent)
        return int(place[0]) if place else None

    def _entries(self, start: int) -> dict[int, _Entry]:
        return dict(self._iterate(start))

    def _iterate(self, start: int) -> Iterator[tuple[int, _Entry]]:
        (length,) = self._read("H", start)
        last = len(self._data) - _ENTRY
        for at in range(start + 2, min(start + 2 + length * _ENTRY, last + 1), _ENTRY):
            tag, kind, count = self._read("HHI", at)
            size = _SIZES.get(kind, 0) * count
            values = at + 8 if size <= 4 else self._read("I", at + 8)[0]
            if values + size <= len(self._data):
                yield tag, _Entry(at, kind, count, values)

    def _read(self, letters: str, at: int) -> tuple:
        return struct.unpack_from(self._order + letters, self._data, at)

    def _write(self, letters: str, at: int, *values: float) -> None:
        struct.pack_into(self._order + letters, self._data, at, *values)


def orientation(block: bytes) -> int | None:
    """The orientation that a block gives, from 1 to 8; None without."""
    values = Block(block).get(Base.Orientation)
    return int(values[0]) if values and 1 <= values[0] <= 8 else None


def set_sizes(block: Block, width: int, height: int) -> None:
    """Writes the size of the picture into the tags that give it, where they are."""
    block.set(Base.ExifImageWidth, width, ifd=IFD.Exif)
    block.set(Base.ExifImageHeight, height, ifd=IFD.Exif)
    block.set(Interop.RelatedImageWidth, width, ifd=IFD.Interop)
    block.set(Interop.RelatedImageHeight, height, ifd=IFD.Interop)


def _rational(value: float) -> tuple[int, int]:
    """A fraction of two 32-bit integers."""
    fraction = Fraction(value).limit_denominator(2**20)
    if abs(fraction.numerator) >= 2**31:
        fraction = Fraction(min(round(value), 2**31 - 1))
    return fraction.numerator, fraction.denominator
