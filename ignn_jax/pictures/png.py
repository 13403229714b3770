"""PNGs: chunks, which Pillow limits or does not know, and 16 bits a sample.

libpng codes 16 bits, through imagecodecs, since Pillow keeps 8 of them; it refuses
whatever Pillow refuses (bad checksums, missing data).
"""

import contextlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = 33  # bytes of the signature and the first chunk, IHDR
_BIT_DEPTH = 24  # its place in the header

_MAX_PROFILE = 64 * 2**20  # bytes


def is_png(data: bytes) -> bool:
    """Whether the file says that it is a PNG."""
    return data.startswith(_SIGNATURE)


def is_png16(data: bytes) -> bool:
    """Whether the file is a PNG of 16 bits a sample."""
    return is_png(data) and data[_BIT_DEPTH : _BIT_DEPTH + 1] == b"\x10"


def chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """The kind of each chunk, and the whole chunk: length, kind, body and checksum."""
    view, at = memoryview(data), len(_SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        yield bytes(view[at + 4 : at + 8]), view[at:end]
        at = end


def body(chunk: memoryview) -> bytes:
    """What a chunk holds."""
    return bytes(chunk[8:-4])


def for_pillow(data: bytes) -> bytes:
    """The file without what Pillow refuses, though it does no harm.

    That is text beyond Pillow's limits, a color profile beyond the same limit, and
    damaged descriptions of colors; `profile_of` and `chunks` read the last two.
    """
    kept, memory = [memoryview(_SIGNATURE)], 0
    for kind, chunk in chunks(data):
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            length = _text_length(kind, body(chunk))
            memory += length
            if (
                length > PngImagePlugin.MAX_TEXT_CHUNK
                or memory > PngImagePlugin.MAX_TEXT_MEMORY
            ):
                continue
        if kind not in (b"iCCP", b"sRGB", b"gAMA", b"cHRM"):
            kept.append(chunk)
    return b"".join(kept)


def _text_length(kind: bytes, text: bytes) -> int:
    """How many bytes the text of a chunk has at least, once it is decompressed."""
    rest = text.partition(b"\0")[2]
    if kind == b"zTXt":
        rest = rest[1:]
    elif kind == b"iTXt" and rest[:1] == b"\1":
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    else:
        return len(text)
    try:
        limit = PngImagePlugin.MAX_TEXT_CHUNK + 1
        return len(zlib.decompressobj().decompress(rest, limit))
    except zlib.error:
        return len(text)


def profile_of(data: bytes) -> bytes | None:
    """The color profile (iCCP), if there is one that can be decompressed."""
    for kind, chunk in chunks(data):
        if kind == b"iCCP":
            compressed = body(chunk).partition(b"\0")[2][1:]
            with contextlib.suppress(zlib.error):
                return zlib.decompressobj().decompress(compressed, _MAX_PROFILE)
    return None


def with_chunks(
    data: bytes | bytearray | memoryview, added: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """The file with chunks, (kind, body), added behind its header.

    Pillow does not write all kinds.
    """
    parts = (
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in added
    )
    view = memoryview(data)
    return b"".join([view[:_HEADER], *parts, view[_HEADER:]])


def decode(data: bytes) -> np.ndarray:
    """The samples, uint16 [H, W, C]; a color key (tRNS) becomes an alpha channel."""
    import imagecodecs  # takes a while, and few pictures need it

    samples = imagecodecs.png_decode(data)
    return samples.reshape(*samples.shape[:2], -1)


def encode(samples: np.ndarray, **metadata: Any) -> bytes:
    """A PNG of uint16 [H, W, C]; `metadata` as Pillow's PNG encoder takes it."""
    import imagecodecs

    data = imagecodecs.png_encode(np.ascontiguousarray(samples))
    # imagecodecs writes no metadata: take the chunks of a PNG of one pixel by Pillow.
    found = PngImagePlugin.getchunks(Image.new("L", (1, 1)), **metadata)
    kept = (c[:2] for c in found if c[0] not in (b"IHDR", b"IDAT", b"IEND"))
    return with_chunks(data, kept)
