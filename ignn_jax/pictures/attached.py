"""What is attached to a picture beside EXIF and color profile."""

import zlib
from typing import NamedTuple

XMP_KEYWORD = b"XML:com.adobe.xmp"
RAW_PROFILE = b"Raw profile type "  # and a name, as ImageMagick writes it
TEXTS = (b"tEXt", b"zTXt", b"iTXt")  # kinds of chunks

_MAX_TEXT = 64 * 2**20  # bytes of a compressed text


class Attached(NamedTuple):
    """What is attached to a picture.

    Attributes:
      xmp: the XMP packet.
      comments: the comments of a JPEG or GIF.
      texts: the kind and the body of each text chunk of a PNG.
      photoshop: Photoshop's resource blocks, with the IPTC data.
      aspect: horizontal and vertical resolution without a unit: a pixel is as high as
        the first over the second times its width.
      notes: messages for the user about what is lost.
    """

    xmp: bytes | None = None
    comments: tuple[bytes, ...] = ()
    texts: tuple[tuple[bytes, bytes], ...] = ()
    photoshop: bytes | None = None
    aspect: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def keyword(body: bytes) -> str:
    """What a text chunk is called."""
    return body.partition(b"\0")[0].decode("latin-1")


def text_of(kind: bytes, body: bytes) -> str:
    """What a text chunk says."""
    _, _, rest = body.partition(b"\0")
    if kind == b"tEXt":
        return rest.decode("latin-1")
    if kind == b"zTXt":
        return _inflate(rest[1:]).decode("latin-1")
    is_compressed, rest = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    return (_inflate(rest) if is_compressed else rest).decode("utf-8", "replace")


def text_chunk(key: str, text: str) -> tuple[bytes, bytes]:
    """A text as a chunk: tEXt, or iTXt if it needs more letters."""
    name = key.encode("latin-1", "replace") + b"\0"
    try:
        return b"tEXt", name + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", name + bytes(4) + text.encode("utf-8", "replace")


def xmp_chunk(packet: bytes) -> tuple[bytes, bytes]:
    """An XMP packet as a chunk."""
    return b"iTXt", XMP_KEYWORD + bytes(5) + packet


def raw_profile(text: str) -> bytes:
    """Bytes that are written as text: a name, their number, and themselves in hex.

    Raises:
      ValueError: it is something else.
    """
    _, length, *lines = text.split()
    return bytes.fromhex("".join(lines))[: int(length)]


def raw_profile_chunk(name: str, data: bytes) -> tuple[bytes, bytes]:
    """The opposite of `raw_profile`."""
    lines = (data[n : n + 36].hex() for n in range(0, len(data), 36))
    text = "\n".join([f"\n{name}\n{len(data):8}", *lines, ""])
    compressed = zlib.compress(text.encode())
    return b"zTXt", RAW_PROFILE + name.encode() + bytes(2) + compressed


def _inflate(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, _MAX_TEXT)
