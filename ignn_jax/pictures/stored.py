"""What a format stores beside the pixels, and notes on what it cannot."""

import struct
import warnings
from collections.abc import Iterator
from typing import Any

from PIL import Image
from PIL import TiffImagePlugin as tiff
from PIL.ExifTags import IFD, Base
from PIL.PngImagePlugin import PngInfo

from ignn_jax.pictures import georeference, photoshop, png, xmp
from ignn_jax.pictures.attached import (
    Attached,
    keyword,
    raw_profile_chunk,
    text_chunk,
    xmp_chunk,
)
from ignn_jax.pictures.exif import Block
from ignn_jax.pictures.formats import WITH_PROFILE
from ignn_jax.pictures.metadata import NO_UNIT
from ignn_jax.pictures.picture import Picture

_WITH_EXIF = _WITH_XMP = WITH_PROFILE
_WITH_RESOLUTION = {"PNG", "JPEG", "TIFF", "BMP"}
_WITH_ASPECT = _WITH_IPTC = {"PNG", "JPEG", "TIFF"}
_WITH_COMMENT = {"PNG", "JPEG"}
_WITH_TEXT = {"PNG"}

_DAMAGED = "its EXIF data are damaged and left out"
_LARGEST_ASPECT = 65535
_LONGEST = 65533  # bytes in a segment of a JPEG


def stored(picture: Picture, name: str) -> tuple[dict[str, Any], list[str]]:
    """What Pillow is to store in the format called `name`: its options, and notes."""
    what, notes = picture.attached, list(picture.attached.notes)
    exif, dpi, lost = picture.exif, picture.dpi, []
    if exif and name not in _WITH_EXIF:
        exif, lost = None, ["EXIF data are"]
    if exif:
        try:
            exif, more = _fitting_exif(exif, name)
        except (ArithmeticError, ValueError, struct.error):
            exif, more = None, [_DAMAGED]
        notes += more
    if dpi and name not in _WITH_RESOLUTION:
        if not (exif and Block(exif).has(Base.XResolution)):
            lost.append("resolution is")
        dpi = None
    what, more = _fitting(what, name)
    notes += [f"its {words} dropped ({name} holds none)" for words in lost + more]
    if what.xmp:
        what = what._replace(xmp=xmp.of_type(what.xmp, f"image/{name.lower()}"))
    options: dict[str, Any] = {
        "icc_profile": picture.icc_profile,
        "exif": exif,
        "dpi": dpi,
    }
    if name == "PNG":
        options["pnginfo"] = _png_info(what)
    elif name == "JPEG":
        options["extra"], more = _jpeg_segments(what)
        notes += more
    elif name == "TIFF":
        options["exif"], more = _tiff_exif(exif, what)
        notes += more
    else:
        options["xmp"] = what.xmp
    return {key: value for key, value in options.items() if value}, notes


def _fitting(what: Attached, name: str) -> tuple[Attached, list[str]]:
    """What a format can hold of it, and words for what it cannot."""
    lost = []
    if what.xmp and name not in _WITH_XMP:
        what, lost = what._replace(xmp=None), ["XMP data are"]
    if what.photoshop and name not in _WITH_IPTC:
        lost.append(
            "IPTC data are" if photoshop.iptc_of(what.photoshop) else "paths are"
        )
        what = what._replace(photoshop=None)
    if what.comments and name not in _WITH_COMMENT:
        what, lost = what._replace(comments=()), [*lost, "comment is"]
    if what.texts and name not in _WITH_TEXT:
        names = ", ".join(dict.fromkeys(keyword(body) for _, body in what.texts))
        what, lost = what._replace(texts=()), [*lost, f"text ({names}) is"]
    if what.aspect and name not in _WITH_ASPECT:
        what, lost = what._replace(aspect=None), [*lost, "pixel aspect ratio is"]
    return what, lost


def _fitting_exif(exif: bytes, name: str) -> tuple[bytes | None, list[str]]:
    block, notes = Block(exif), []
    if name == "TIFF":
        # Its tags are written anew, elsewhere, and without a second directory.
        if block.has_thumbnail():
            notes.append("its thumbnail is dropped (TIFF holds none)")
        if block.has(Base.MakerNote, IFD.Exif):
            block.delete(Base.MakerNote, IFD.Exif)
            notes.append("its camera's own data (MakerNote) are dropped (TIFF)")
    elif georeference.drop(block):
        notes.append(f"its georeference is dropped ({name} holds none)")
    if not block.tags():
        return None, notes
    exif = block.tobytes()
    if name == "JPEG" and len(exif) > _LONGEST:
        return None, [*notes, "its EXIF data are dropped (too long for JPEG)"]
    return exif, notes


def _png_info(what: Attached) -> PngInfo | None:
    info = PngInfo()
    chunks = list(what.texts)
    chunks += [text_chunk("Comment", _decoded(comment)) for comment in what.comments]
    if what.photoshop:
        chunks.append(raw_profile_chunk("iptc", what.photoshop))
    if what.xmp:
        chunks.append(xmp_chunk(what.xmp))
    for kind, body in chunks:
        info.add(kind, body)
    return info if info.chunks else None


def _decoded(comment: bytes) -> str:
    try:
        return comment.decode("utf-8").rstrip("\0")
    except UnicodeDecodeError:
        return comment.decode("latin-1").rstrip("\0")


def _jpeg_segments(what: Attached) -> tuple[bytes, list[str]]:
    segments, notes = [], []
    if what.xmp and len(xmp.MARKER) + len(what.xmp) <= _LONGEST:
        segments.append((0xE1, xmp.MARKER + what.xmp))
    elif what.xmp:
        notes.append("its XMP data are dropped (too long for JPEG)")
    segments += [
        (0xED, photoshop.MARKER + part)
        for part in _parts(what.photoshop or b"", _LONGEST - len(photoshop.MARKER))
    ]
    segments += [
        (0xFE, part) for whole in what.comments for part in _parts(whole, _LONGEST)
    ]
    data = b"".join(
        bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body
        for marker, body in segments
    )
    return data, notes


def _parts(data: bytes, size: int) -> Iterator[bytes]:
    return (data[n : n + size] for n in range(0, len(data), size))


def with_aspect(data: bytes, aspect: tuple[float, float], name: str) -> bytes:
    """A PNG or JPEG with a resolution that has no unit, which Pillow does not write."""
    x, y = aspect
    if not (x.is_integer() and y.is_integer() and max(x, y) <= _LARGEST_ASPECT):
        x, y = (n * 10000 / max(x, y) for n in (x, y))
    pair = [max(1, round(n)) for n in (x, y)]
    if name == "JPEG":
        return b"".join([data[:13], struct.pack(">BHH", 0, *pair), data[18:]])
    if name == "PNG":
        return png.with_chunks(data, [(b"pHYs", struct.pack(">IIB", *pair, 0))])
    return data


def _tiff_exif(exif: bytes | None, what: Attached) -> tuple[bytes | None, list[str]]:
    """The tags of a TIFF, as a block that is written anew."""
    tags, notes = Image.Exif(), []
    if exif:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of damage to tags that are left out
                tags.load(exif)
                tags.tobytes()
        except Exception:  # almost every kind
            tags, notes = Image.Exif(), [_DAMAGED]
    if what.xmp:
        tags[tiff.XMP] = what.xmp
    if what.photoshop:
        tags[photoshop.TAG] = what.photoshop
        if iptc := photoshop.iptc_of(what.photoshop):
            tags[photoshop.IPTC_TAG] = iptc
    if what.aspect:
        tags[tiff.X_RESOLUTION], tags[tiff.Y_RESOLUTION] = what.aspect
        tags[tiff.RESOLUTION_UNIT] = NO_UNIT
    return (tags.tobytes() if len(tags) else None), notes
