"""Metadata that stay true of a picture that is turned upright and resized.

What cannot stay true is dropped, and a note says so.
"""

import re
import struct
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from ignn_jax.pictures import georeference, photoshop, xmp
from ignn_jax.pictures.attached import Attached
from ignn_jax.pictures.exif import Block, set_sizes
from ignn_jax.pictures.found import Found, find, of_pillow
from ignn_jax.pictures.metadata import LAYOUT_TAGS, TURNS, kept_exif
from ignn_jax.pictures.picture import Picture

_TRANSPOSED = 5  # orientations from here on swap rows and columns
_FOCAL_PLANE = (Base.FocalPlaneXResolution, Base.FocalPlaneYResolution)
_RESOLUTIONS = (
    (Base.XResolution, Base.YResolution, None),
    (*_FOCAL_PLANE, IFD.Exif),
)
_POSITIONS = {37396: "SubjectArea", 41492: "SubjectLocation"}
_IMAGE_SOURCE_DATA = 37724  # Photoshop's layers

# Tags in which instruments and their programs describe the pages, planes and pixels.
_INSTRUMENTS = {
    "MetaMorph": (33628, 33629, 33630, 33631),
    "LSM": (34412,),
    "FluoView": (34361, 34362),
    "NIH Image": (43314,),
    "ImageJ": (50838, 50839),
    "Micro-Manager": (51123,),
    "Olympus": (33471, 33560),
    "FEI": (34680, 34682),
    "Zeiss": (34118,),
    "TVIPS": (37706,),
    "Media Cybernetics": (50288, 50289, 50290, 50291),
    "MD": (33445, 33446, 33447, 33448, 33449, 33450, 33451, 33452),
    "Andor": tuple(range(4864, 4912)),
    "Hamamatsu": tuple(range(65420, 65460)),
    "Agilent": (37701, 37702),
}
_RESOLUTION_DROPPED = "its resolution is dropped (the size of a pixel is another)"
_TIFFFILE = "tifffile's"
# What their descriptions of images look like.
_DESCRIPTIONS = {
    "OME-XML": r"<(\w+:)?OME\b",
    "ImageJ's": r"\AImageJ=",
    _TIFFFILE: r'\A\{.*"shape":|\Ashape=\(',
    "MetaMorph's": r"\A<MetaData>|\AAcquired from|Exposure: .*Binning:",
    "ScanImage's": r"\Astate\.|\ASI\.|scanimage\.SI",
    "FluoView's": r"\[Acquisition Parameters\]|\[Higher Dimensions\]",
    "Aperio's": r"\AAperio ",
    "Leica's": r"<scn\b",
    "Philips'": r"<DataObject\b",
    "PerkinElmer's": r"<PerkinElmer",
    "a FITS header": r"\ASIMPLE +=",
    "Pilatus'": r"\A# (Pixel_size|Detector)",
    "Hamamatsu's": r"\A\[Application\]",
}


def attach(picture: Picture, data: bytes) -> Picture:
    """Adds to a picture what is attached in its file, as far as it stays true.

    Args:
      picture: upright, as `decode` returns it.
      data: the file.
    """
    try:
        found = find(data)
        if picture.exif and found.exif:
            picture = picture._replace(exif=found.exif)
        # Pillow has written a TIFF's tags anew as a block.
        return settle(picture, found, is_moved=found.exif is None)
    except Exception:  # almost every kind; the pixels are fine
        note = "some of its metadata are damaged and left out"
        return picture._replace(attached=Attached(notes=(note,)))


def attach_to_image(picture: Picture, image: Image.Image, turn: int) -> Picture:
    """As `attach`, for an image that Pillow has opened, and may have changed since.

    Args:
      picture: upright, as `from_pillow` returns it.
      image: what it was made from.
      turn: the orientation that the image had.
    """
    try:
        tags, block = image.getexif(), image.info.get("exif")
        is_moved = not block or _tags_of(block) != dict(tags)
        if is_moved:  # a TIFF's, or those that the user has set
            fresh = Image.Exif()
            fresh.load(tags.tobytes())
            block = kept_exif(fresh) if len(tags) else None
        found = Found(of_pillow(image), block, turn)
        return settle(picture._replace(exif=block), found, is_moved=is_moved)
    except Exception:  # almost every kind; the pixels are fine
        return picture


def _tags_of(block: bytes) -> dict[int, Any]:
    exif = Image.Exif()
    exif.load(block)
    return dict(exif)


def settle(picture: Picture, found: Found, *, is_moved: bool) -> Picture:
    """Adds what was found, as far as it is true of an upright picture.

    Args:
      picture: upright, its EXIF block as it was found.
      found: what is attached.
      is_moved: whether the EXIF block is not where the camera has written it.
    """
    turn, what = found.orientation, found.attached
    notes, exif = list(what.notes), picture.exif
    if exif:
        block = Block(exif)
        notes += _settle_exif(block, picture.samples.shape[:2], turn, is_moved)
        exif = block.tobytes() if block.tags() else None
    packet = what.xmp
    if packet:
        packet, more = _settled_xmp(packet, is_turned=turn != 1)
        notes += more
    blocks = what.photoshop
    if blocks:
        blocks = photoshop.lasting(blocks, is_turned=turn != 1)
        if len(blocks) < len(what.photoshop or b""):
            notes.append("its Photoshop data are dropped, but for IPTC, if any")
    dpi, aspect = picture.dpi, what.aspect
    if aspect:
        dpi = None  # Pillow takes such numbers in EXIF for inches
    if _RESOLUTION_DROPPED in notes:
        dpi = aspect = None
    if turn >= _TRANSPOSED:
        dpi, aspect = dpi and dpi[::-1], aspect and aspect[::-1]
    kept = what._replace(
        xmp=packet, photoshop=blocks or None, aspect=aspect, notes=tuple(notes)
    )
    return picture._replace(exif=exif, dpi=dpi, attached=kept)


def resized(picture: Picture, before: tuple[int, ...]) -> Picture:
    """Scales what depends on the size; `before` begins with the old height and width.

    The resolution stays: like elsewhere, a larger picture is larger in print.
    """
    height, width = picture.samples.shape[:2]
    factors = height / before[0], width / before[1]
    exif, what = picture.exif, picture.attached
    notes = list(what.notes)
    try:
        if exif:
            exif, more = _resized_exif(exif, (height, width), factors)
            notes += more
    except (ArithmeticError, ValueError, struct.error):
        exif = None
        notes.append("its EXIF data are damaged and left out")
    packet = what.xmp and xmp.resized(what.xmp, (height, width), factors)
    return picture._replace(
        exif=exif, attached=what._replace(xmp=packet, notes=tuple(notes))
    )


def _resized_exif(
    exif: bytes, size: tuple[int, int], factors: tuple[float, float]
) -> tuple[bytes, list[str]]:
    block = Block(exif)
    set_sizes(block, size[1], size[0])
    for tag, factor in zip(_FOCAL_PLANE, factors[::-1], strict=True):
        if values := block.get(tag, IFD.Exif):
            block.set(tag, values[0] * factor, ifd=IFD.Exif)
    notes = _scale_positions(block, factors)
    georeference.scale(block, factors)
    return block.tobytes(), notes


def _settle_exif(
    block: Block, size: tuple[int, ...], turn: int, is_moved: bool
) -> list[str]:
    """Makes a block true of the upright picture of this size; notes what is lost."""
    notes = []
    for tag in LAYOUT_TAGS & block.tags():
        block.delete(tag)
    block.delete(_IMAGE_SOURCE_DATA)
    block.set(Base.Orientation, 1)
    if turn >= _TRANSPOSED:
        for x, y, ifd in _RESOLUTIONS:
            values = block.get(x, ifd), block.get(y, ifd)
            if values[0] and values[1]:
                block.set(x, *values[1], ifd=ifd)
                block.set(y, *values[0], ifd=ifd)
    if turn != 1:
        _turn_positions(block, size, turn)
        if block.has_thumbnail():
            block.delete_thumbnail()
            notes.append("its thumbnail is dropped (it is not upright)")
        if georeference.drop(block):
            notes.append("its georeference is dropped (it is not upright)")
    if is_moved and block.has(Base.MakerNote, IFD.Exif):
        block.delete(Base.MakerNote, IFD.Exif)
        notes.append("its camera's own data (MakerNote) are dropped")
    for name, tags in _INSTRUMENTS.items():
        if any(map(block.has, tags)):
            notes.append(f"its {name} tags are dropped (they describe other pixels)")
        for tag in tags:
            block.delete(tag)
    description = block.text(Base.ImageDescription)
    for whose, pattern in _DESCRIPTIONS.items():
        if re.search(pattern, description, re.DOTALL):
            block.delete(Base.ImageDescription)
            notes.append(
                f"its description, {whose}, is dropped (it is of other sizes or pages)"
            )
            if whose != _TIFFFILE and block.has(Base.XResolution):
                for tag in (Base.XResolution, Base.YResolution, Base.ResolutionUnit):
                    block.delete(tag)
                notes.append(_RESOLUTION_DROPPED)
            break
    set_sizes(block, size[1], size[0])
    return notes


def _settled_xmp(packet: bytes, *, is_turned: bool) -> tuple[bytes | None, list[str]]:
    if not xmp.is_text(packet):
        return None, ["its XMP data are dropped (they are not in UTF-8)"]
    packet, lost = xmp.without_pointers(xmp.made_upright(packet))
    notes = [f"its {what} is dropped" for what in lost]
    if is_turned and xmp.has_positions(packet):
        return None, [
            *notes,
            "its XMP data are dropped (they are not upright)",
        ]
    return packet, notes


def _turn_positions(block: Block, size: tuple[int, ...], turn: int) -> None:
    """Turns the places that the camera has looked at, as the picture is turned."""
    height, width = size
    for tag in _POSITIONS:
        if values := list(block.get(tag, IFD.Exif) or ()):
            x, y, *sides = values
            if turn >= _TRANSPOSED:
                x, y, sides = y, x, sides[::-1]
            _, rows, columns = TURNS[turn]
            x = width - x if columns < 0 else x
            y = height - y if rows < 0 else y
            block.set(tag, x, y, *sides, ifd=IFD.Exif)


def _scale_positions(block: Block, factors: tuple[float, float]) -> list[str]:
    notes = []
    for tag, name in _POSITIONS.items():
        if values := block.get(tag, IFD.Exif):
            fy, fx = factors
            scaled = [n * f for n, f in zip(values, (fx, fy, fx, fy), strict=False)]
            if not block.set(tag, *scaled, ifd=IFD.Exif):
                block.delete(tag, IFD.Exif)
                notes.append(f"its {name} is dropped (too large for EXIF)")
    return notes
