"""Colors of 16 bits in PNG and TIFF, of which Pillow itself keeps 8.

Samples are uint16 [H, W, C]: C is 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA; alpha is not
multiplied into the colors. Pillow decodes such files to the high byte of each sample.
Told the other byte order it gives the low bytes, and both together are the file, of any
compression, interlaced or not, with Pillow's checks for damage. Metadata go through
Pillow too.
"""

import contextlib
import io
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin, TiffTags
from PIL.TiffImagePlugin import BITSPERSAMPLE, EXTRASAMPLES

_OTHER_ORDER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}

_PNG_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels
_PNG_PAETH = 4
_BLOCK = 64  # rows of a PNG compressed at a time

_ASSOCIATED, _UNASSOCIATED = 1, 2  # TIFF's words for alpha multiplied in, and not

# Layouts that Pillow does not know, as four bytes a pixel, which it does.
_GRAY_ALPHA_TIFFS = {
    (prefix, 1, (1,), 1, (16, 16), (extra,)): ("RGBA", "RGBA")
    for prefix in (b"II", b"MM")
    for extra in (_ASSOCIATED, _UNASSOCIATED)
}


@contextlib.contextmanager
def deep_tiffs() -> Iterator[None]:
    """While it lasts, Pillow opens the TIFFs that `read_deep` wants to see."""
    before = TiffImagePlugin.READ_LIBTIFF
    # Which knows separate planes of 16 bits; Pillow's own reader takes them for 8.
    TiffImagePlugin.READ_LIBTIFF = True
    TiffImagePlugin.OPEN_INFO.update(_GRAY_ALPHA_TIFFS)
    try:
        yield
    finally:
        TiffImagePlugin.READ_LIBTIFF = before
        for layout in _GRAY_ALPHA_TIFFS:
            del TiffImagePlugin.OPEN_INFO[layout]


def read_deep(image: Image.Image, data: bytes) -> np.ndarray | None:
    """The samples of a picture with 16-bit colors, or gray and alpha; None for others.

    Args:
      image: opened by Pillow within `deep_tiffs`, not loaded yet.
      data: the whole file.

    Returns:
      uint16 [H, W, C], turned as Pillow's load() turns it: by TIFF's orientation alone.
      None too for a TIFF of separate planes, of which Pillow has the high bytes alone.
    """
    if image.format not in ("PNG", "TIFF") or not image.tile or _has_planes(image):
        return None
    args = image.tile[0].args
    raw_mode = args if isinstance(args, str) else args[0]
    if raw_mode == "LA;16B":  # PNG's; taken as bytes, for there is no "LA;16L"
        return _unpack(data, "RGBA").view(">u2").astype(np.uint16)
    if image.format == "TIFF" and image.tag_v2.get(BITSPERSAMPLE) == (16, 16):
        samples = _unpack(data, "RGBA").view(np.uint16)
        is_associated = image.tag_v2[EXTRASAMPLES] == (_ASSOCIATED,)
        return _divide(samples) if is_associated else samples
    layout = re.fullmatch(r"(RGB[AXa]?);16([BLN])", raw_mode)
    if not layout:
        return None
    bands, order = layout.groups()
    plain = bands.replace("a", "A")  # Pillow would divide "RGBa" by alpha, in 8 bits
    samples = _unpack(data, f"{plain};16{order}").astype(np.uint16) << 8
    samples |= _unpack(data, f"{plain};16{_OTHER_ORDER[order]}")
    return _divide(samples) if bands == "RGBa" else samples


def encode_png(samples: np.ndarray, **metadata: Any) -> bytes:
    """A PNG of 16 bits a sample; `metadata` as Pillow's PNG takes them."""
    file = io.BytesIO()
    file.write(b"\x89PNG\r\n\x1a\n")
    height, width, channels = samples.shape
    # Pillow's chunks of a picture of one pixel, but for size and pixels.
    for kind, body, _ in PngImagePlugin.getchunks(Image.new("L", (1, 1)), **metadata):
        if kind == b"IHDR":
            color_type = _PNG_COLOR_TYPES[channels]
            body = struct.pack(">2I5B", width, height, 16, color_type, 0, 0, 0)
        if kind == b"IDAT":
            _write_pixels(file, samples)
        else:
            PngImagePlugin.putchunk(file, kind, body)
    return file.getvalue()


def _write_pixels(file, samples):
    compressor = zlib.compressobj()
    height, width, channels = samples.shape
    step = 2 * channels  # bytes from a pixel to the next
    above = np.zeros((1, 2 * width * channels), np.uint8)
    for start in range(0, height, _BLOCK):
        block = samples[start : start + _BLOCK].astype(">u2")
        rows = block.view(np.uint8).reshape(len(block), -1)
        filtered = rows - _paeth(rows, np.concatenate([above, rows[:-1]]), step)
        above = rows[-1:]
        data = np.insert(filtered, 0, _PNG_PAETH, axis=1).tobytes()
        PngImagePlugin.putchunk(file, b"IDAT", compressor.compress(data))
    PngImagePlugin.putchunk(file, b"IDAT", compressor.flush())


def _paeth(rows, above, step):
    """PNG's predictor of each byte: left, above or above left, uint8 [rows, bytes]."""
    left, corner = (np.pad(x, ((0, 0), (step, 0)))[:, :-step] for x in (rows, above))
    a, b, c = (x.astype(np.int16) for x in (left, above, corner))
    to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
    near_a = (to_a <= to_b) & (to_a <= to_c)
    return np.where(near_a, left, np.where(to_b <= to_c, above, corner))


def encode_tiff(
    samples: np.ndarray,
    *,
    icc_profile: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """A TIFF of 16 bits a sample, not compressed, as Pillow's of 8 bits are not."""
    height, width, channels = samples.shape
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    if exif:
        tags = Image.Exif()
        tags.load(exif)
        for tag in tags:
            nested = tag in TiffTags.TAGS_V2_GROUPS
            directory[tag] = tags.get_ifd(tag) if nested else tags[tag]
    if dpi:
        directory[TiffImagePlugin.X_RESOLUTION] = dpi[0]
        directory[TiffImagePlugin.Y_RESOLUTION] = dpi[1]
        directory[TiffImagePlugin.RESOLUTION_UNIT] = 2  # inches
    if icc_profile:
        directory[TiffImagePlugin.ICCPROFILE] = icc_profile
    directory[TiffImagePlugin.IMAGEWIDTH] = width
    directory[TiffImagePlugin.IMAGELENGTH] = height
    directory[BITSPERSAMPLE] = (16,) * channels
    directory[TiffImagePlugin.COMPRESSION] = 1  # none
    # 1: zero is black; 2: RGB
    directory[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = 1 if channels < 3 else 2
    directory[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    if channels in (2, 4):
        directory[EXTRASAMPLES] = _UNASSOCIATED
    directory[TiffImagePlugin.ROWSPERSTRIP] = height
    directory[TiffImagePlugin.STRIPBYTECOUNTS] = samples.nbytes
    directory[TiffImagePlugin.STRIPOFFSETS] = 0  # save() adds where the pixels begin
    file = io.BytesIO()
    directory.save(file)
    file.write(np.ascontiguousarray(samples, "<u2").data)
    return file.getvalue()


def _has_planes(image: Image.Image) -> bool:
    """Whether it is a TIFF that stores one color after the other."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2


def _unpack(data, raw_mode):
    """The file's pixels by another of Pillow's unpackers."""
    with Image.open(io.BytesIO(data)) as image:
        image.tile = [
            tile._replace(
                args=raw_mode
                if isinstance(tile.args, str)
                else (raw_mode, *tile.args[1:])
            )
            for tile in image.tile
        ]
        return np.array(image)


def _divide(samples):
    """Colors without the alpha that is multiplied into them."""
    colors, alpha = samples[..., :-1].astype(np.float32), samples[..., -1:]
    colors *= np.float32(65535) / np.maximum(alpha, 1)
    colors = np.rint(colors.clip(0, 65535)).astype(np.uint16)
    return np.concatenate([colors, alpha], axis=-1)
