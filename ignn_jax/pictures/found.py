"""What is attached in a file, beside its color profile.

It is found in the bytes of the file. Pillow passes over much of it, and keeps one value
where there are several.
"""

import io
from collections.abc import Iterator
from typing import Any, NamedTuple

from PIL import Image
from PIL import TiffImagePlugin as tiff
from PIL.ExifTags import Base

from ignn_jax.pictures import exif, photoshop, png, xmp
from ignn_jax.pictures.attached import (
    RAW_PROFILE,
    TEXTS,
    XMP_KEYWORD,
    Attached,
    keyword,
    raw_profile,
    text_chunk,
    text_of,
)
from ignn_jax.pictures.metadata import NO_UNIT
from ignn_jax.pictures.tiff import is_tiff, read_tags

_JPEG = b"\xff\xd8\xff"
# Chunks that are read, or that go with what else is lost: other frames, tables of
# colors, how the file was encoded.
_KNOWN_CHUNKS = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf", b"pHYs", *TEXTS),
    *(b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"mDCv", b"cLLI", b"cLLi"),
    *(b"acTL", b"fcTL", b"fdAT", b"hIST", b"sBIT", b"iDOT", b"tIME"),
}
_TIFF_PARTS = {330: "sub-images", 37724: "Photoshop layers"}

_EXTENDED_MARKER = b"http://ns.adobe.com/xmp/extension/\0"
_KNOWN_SEGMENTS = (b"ICC_PROFILE\0", b"MPF\0", b"Adobe", b"Ducky")
_C2PA = "content credentials (C2PA)"  # of the original pixels, which they sign


class Found(NamedTuple):
    """What is attached in a file, as it is there.

    Attributes:
      attached: all but the EXIF block.
      exif: the EXIF block, if it has one; a TIFF has tags instead.
      orientation: as EXIF has it, from 1 to 8.
    """

    attached: Attached
    exif: bytes | None = None
    orientation: int = 1


def find(data: bytes) -> Found:
    """What is attached in a file.

    Raises:
      Exception: some of it is damaged.
    """
    if is_tiff(data):
        return _of_tiff(data)
    if png.is_png(data):
        found = _of_png(data)
    elif data.startswith(_JPEG):
        found = _of_jpeg(data)
    else:
        with Image.open(io.BytesIO(data)) as image:
            found = Found(of_pillow(image), image.info.get("exif"))
    turn = exif.orientation(found.exif) if found.exif else None
    turn = turn or xmp.orientation(found.attached.xmp or b"")
    return found._replace(orientation=turn)


def of_pillow(image: Image.Image) -> Attached:
    """What Pillow knows to be attached to an image."""
    packet, comment = image.info.get("xmp"), image.info.get("comment", ())
    texts = getattr(image, "text", {})
    chunks = tuple(text_chunk(key, text) for key, text in texts.items())
    blocks = image.info.get("photoshop", {})
    iptc = blocks.get(photoshop.IPTC) if isinstance(blocks, dict) else None
    lost = ["depth map"] * bool(image.info.get("depth_images"))
    lost += [kind.rpartition(":")[2] for kind in image.info.get("aux", ())]
    return Attached(
        packet.encode() if isinstance(packet, str) else packet,
        (comment.encode() if isinstance(comment, str) else comment,) if comment else (),
        tuple(chunk for chunk in chunks if not chunk[1].startswith(XMP_KEYWORD)),
        photoshop.of_iptc(iptc) if iptc else None,
        _aspect(*image.info.get("aspect", (1, 1))),
        tuple(f"its {what} is dropped" for what in lost),
    )


def _of_png(data: bytes) -> Found:
    packet = block = None
    texts, others, aspect = [], set(), None
    profiles: dict[str, bytes] = {}  # as ImageMagick writes them
    for kind, chunk in png.chunks(data):
        body = b"" if kind == b"IDAT" else png.body(chunk)
        if kind == b"iTXt" and body.startswith(XMP_KEYWORD + b"\0"):
            packet = text_of(kind, body).encode()
        elif kind in TEXTS and body.startswith(RAW_PROFILE):
            name = keyword(body).removeprefix(RAW_PROFILE.decode())
            profiles[name] = raw_profile(text_of(kind, body))
        elif kind in TEXTS:
            texts.append((kind, body))
        elif kind == b"eXIf":
            block = body
        elif kind == b"pHYs" and body[8:] == b"\0":
            x, y = (int.from_bytes(n, "big") for n in (body[:4], body[4:8]))
            aspect = _aspect(x, y)
        elif kind == b"caBX":
            others.add(_C2PA)
        elif kind not in _KNOWN_CHUNKS:
            others.add(f"chunk {kind.decode('latin-1')}")
    notes = tuple(f"its {what} is dropped" for what in sorted(others))
    blocks = profiles.get("8bim") or profiles.get("iptc")
    if blocks and not blocks.startswith(b"8BIM"):
        blocks = photoshop.of_iptc(blocks)
    packet = packet or profiles.get("xmp")
    block = block or profiles.get("exif") or profiles.get("APP1")
    kept = Attached(packet, (), tuple(texts), blocks, aspect, notes)
    return Found(kept, block)


def _of_jpeg(data: bytes) -> Found:
    packet = block = aspect = None
    comments, blocks, others = [], b"", set()
    for marker, body in _segments(data):
        if marker == 0xFE:
            comments.append(body)
        elif marker == 0xE0 and body.startswith(b"JFIF\0") and body[7:8] == b"\0":
            x, y = (int.from_bytes(n, "big") for n in (body[8:10], body[10:12]))
            aspect = _aspect(x, y)
        elif marker == 0xE1 and body.startswith(exif.PREFIX):
            block = block or body
        elif marker == 0xE1 and body.startswith(xmp.MARKER):
            packet = packet or body.removeprefix(xmp.MARKER)
        elif marker == 0xE1 and body.startswith(_EXTENDED_MARKER):
            others.add("extended XMP data")
        elif marker == 0xED and body.startswith(photoshop.MARKER):
            blocks += body.removeprefix(photoshop.MARKER)
        elif marker == 0xEB:
            others.add(_C2PA)
        elif 0xE1 <= marker <= 0xEF and not body.startswith(_KNOWN_SEGMENTS):
            others.add(f"segment APP{marker - 0xE0}")
    notes = tuple(f"its {what} is dropped" for what in sorted(others))
    kept = Attached(packet, tuple(comments), (), blocks or None, aspect, notes)
    return Found(kept, block)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The marker and the body of each segment before the pixels."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in (0xDA, 0xD9):
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def _of_tiff(data: bytes) -> Found:
    tags, _ = read_tags(data)
    iptc, blocks = (
        _bytes_of(tags.get(tag)) for tag in (photoshop.IPTC_TAG, photoshop.TAG)
    )
    if iptc and not (blocks and photoshop.iptc_of(blocks)):
        blocks = photoshop.of_iptc(iptc) + (blocks or b"")
    aspect = None
    if tags.get(tiff.RESOLUTION_UNIT) == NO_UNIT:
        aspect = _aspect(tags.get(tiff.X_RESOLUTION, 1), tags.get(tiff.Y_RESOLUTION, 1))
    lost = [what for tag, what in _TIFF_PARTS.items() if tag in tags]
    kept = Attached(
        _bytes_of(tags.get(tiff.XMP)),
        photoshop=blocks,
        aspect=aspect,
        notes=tuple(f"its {what} are dropped" for what in lost),
    )
    return Found(kept, orientation=tags.get(Base.Orientation, 1))


def _bytes_of(value: Any) -> bytes | None:
    """The value of a tag that holds bytes, which some programs write as numbers."""
    if isinstance(value, tuple):
        if value and isinstance(value[0], bytes):
            return b"".join(value)
        size = 1 if max(value, default=0) < 256 else 4
        return b"".join(int(number).to_bytes(size, "little") for number in value)
    return value.encode("latin-1") if isinstance(value, str) else value


def _aspect(x: Any, y: Any) -> tuple[float, float] | None:
    """The resolution without a unit; None of square pixels."""
    x, y = float(x), float(y)
    return (x, y) if x > 0 and y > 0 and x != y else None
