"""Writing TIFFs of 16 bits a sample, which Pillow does not write in color."""

import io

import numpy as np
from PIL import Image, TiffTags
from PIL import TiffImagePlugin as tiff

from ignn_jax.pictures.metadata import INCHES

_BLACK_IS_ZERO, _RGB = 1, 2  # photometric interpretations
_UNASSOCIATED = 2  # a kind of extra samples


def encode(
    samples: np.ndarray,
    *,
    icc_profile: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """An uncompressed TIFF of uint16 [H, W, C].

    Pillow writes all tags, and the samples follow them. tifffile cannot write an EXIF
    block, and imagecodecs does not encode TIFF.
    """
    height, width, channels = samples.shape
    tags = tiff.ImageFileDirectory_v2()
    if exif:
        _add_exif(tags, exif)
    if dpi:
        tags[tiff.X_RESOLUTION], tags[tiff.Y_RESOLUTION] = dpi
        tags[tiff.RESOLUTION_UNIT] = INCHES
    if icc_profile:
        tags[tiff.ICCPROFILE] = icc_profile
    tags[tiff.IMAGEWIDTH] = width
    tags[tiff.IMAGELENGTH] = height
    tags[tiff.BITSPERSAMPLE] = (16,) * channels
    tags[tiff.COMPRESSION] = 1  # none
    tags[tiff.PHOTOMETRIC_INTERPRETATION] = _RGB if channels > 2 else _BLACK_IS_ZERO
    tags[tiff.SAMPLESPERPIXEL] = channels
    if channels in (2, 4):
        tags[tiff.EXTRASAMPLES] = _UNASSOCIATED
    tags[tiff.ROWSPERSTRIP] = height
    tags[tiff.STRIPBYTECOUNTS] = samples.nbytes
    tags[tiff.STRIPOFFSETS] = 0  # save() adds the place where the samples begin
    file = io.BytesIO()
    tags.save(file)
    file.write(np.ascontiguousarray(samples, "<u2").data)
    return file.getvalue()


def _add_exif(tags: tiff.ImageFileDirectory_v2, block: bytes) -> None:
    exif = Image.Exif()
    exif.load(block)
    for tag in exif:
        is_nested = tag in TiffTags.TAGS_V2_GROUPS
        tags[tag] = exif.get_ifd(tag) if is_nested else exif[tag]
