"""Pictures on disk: read for upscaling, written back with all that belongs to them.

Samples are float32 in [0, 255] whatever the depth of the file: the 16-bit value v is
v / 257. Mistakes of the user, a broken file among them, are an InputError that names
the file.
"""

import contextlib
import io
import os
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from ignn_jax.errors import InputError
from ignn_jax.outputs import write_bytes

# What is written, by suffix.
FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_WITH_ALPHA = {"PNG", "WEBP", "TIFF"}
_WITH_16_BITS = {"PNG", "TIFF"}
_WITH_PROFILE = {"PNG", "JPEG", "WEBP", "TIFF"}

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

# EXIF shares its numbers with TIFF. These say how the samples of *that* file lie on
# disk (sizes, strips, tiles, color tables) or hold what is written by other means.
_LAYOUT_TAGS = frozenset(
    (
        *range(254, 267),
        *(273, *range(277, 282), 284, *range(288, 294)),
        *(317, *range(320, 348), *range(512, 533)),
        *(700, 33723, 34377, 34675),  # XMP, IPTC, Photoshop, color profile
    )
)
_SIZE_TAGS = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)


class Picture(NamedTuple):
    """A decoded picture, upright, with what has to survive the upscaling.

    Attributes:
      pixels: float32 [H, W, 3] in [0, 255], RGB not multiplied by alpha; the three
        channels of a gray picture are equal when it is read, and their luma is written.
      alpha: float32 [H, W] in [0, 255], 0 transparent; None without transparency.
      gray: whether the file holds, and shall hold, one channel of color.
      bits: 8 or 16, depth of a sample in the file.
      icc_profile: the color profile that the pixels refer to, unchanged.
      exif: the EXIF block, orientation reset, sizes and thumbnail left out.
      dpi: horizontal and vertical resolution.
      notes: for the user, what reading could not keep.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    gray: bool = False
    bits: int = 8
    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def read_picture(path: str | os.PathLike) -> Picture:
    """Reads a picture in any format that Pillow reads.

    EXIF orientation is applied. Palette, 1-bit and color-keyed pictures become RGB or
    gray, with alpha where they are transparent. CMYK and Lab become sRGB, through their
    profile where they carry one. Gray of 16 bits keeps its depth; color of 16 bits is
    read as 8, which is all that Pillow decodes, and noted. Of several frames the first
    is read, and noted.

    Raises:
      InputError: the file is missing, unreadable, empty, no picture, cut short or
        damaged, larger than Pillow's limit against decompression bombs, or its samples
        are floats or integers beyond 16 bits, which have no fixed range.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if not data:
        raise InputError(f"{path}: is empty (0 bytes)")
    # Pillow warns of damaged metadata and of large sizes; neither makes a picture bad.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data)) as image:
                return _decode(image)
        except UnidentifiedImageError as error:
            raise InputError(
                f"{path}: is not a picture in a format known here, or is cut short"
            ) from error
        except Exception as error:  # Pillow's decoders raise almost every kind
            raise InputError(f"{path}: cannot be decoded: {_reason(error)}") from error


def _decode(image: Image.Image) -> Picture:
    """The open, not yet loaded image as a Picture."""
    # PNG and TIFF name their sample layout here, until load() empties it.
    layout = str(image.tile)
    notes = []
    if re.search(r"\b(LA|RGB\w*|CMYK);16", layout):
        notes.append("colors of 16 bits are read as 8 bits")
    if (frames := getattr(image, "n_frames", 1)) > 1:
        notes.append(f"holds {frames} pictures, of which the first is taken")
    image.load()
    upright, exif = image, None
    try:
        image.getexif()  # holds the tags from now on
        # Without the raw block, which it would rewrite and stumble over odd tags.
        image.info.pop("exif", None)
        upright = ImageOps.exif_transpose(image)
        exif = _exif_of(image)
    except Exception:  # as above; the pixels are decoded by now
        notes.append("its EXIF data are damaged and left out")
    profile = image.info.get("icc_profile")

    if image.mode.startswith("I"):  # "I;16", its big-endian kin, and "I"
        values = np.asarray(upright, np.float32)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("its values exceed 16 bits; save it with 8 or 16")
        key = image.info.get("transparency")
        pixels = np.repeat(values[..., None] / 257, 3, axis=-1)
        alpha = None if key is None else np.float32(255) * (values != key)
        bits, gray = 16, True
    elif image.mode == "F":
        raise ValueError("float values have no fixed range; save it with 8 or 16 bits")
    else:
        if image.mode in ("CMYK", "LAB"):
            upright, profile = _to_srgb(upright), None
            notes.append(f"{image.mode} colors are converted to sRGB")
        transparent = upright.has_transparency_data
        values = np.asarray(
            upright.convert("RGBA" if transparent else "RGB"), np.float32
        )
        pixels, alpha = values[..., :3], values[..., 3] if transparent else None
        bits, gray = 8, image.mode in ("1", "L", "LA") or "LA;16" in layout
    dpi = _dpi_of(image)
    return Picture(pixels, alpha, gray, bits, profile, exif, dpi, tuple(notes))


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError):  # broken, or of another space
            return ImageCms.profileToProfile(
                image,
                io.BytesIO(profile),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
    return image.convert("RGB")


def _exif_of(image: Image.Image) -> bytes | None:
    """The EXIF block without what no longer holds: orientation, sizes, thumbnail."""
    exif = image.getexif()
    for tag in _LAYOUT_TAGS.intersection(exif):
        del exif[tag]
    if ExifTags.Base.Orientation in exif:
        exif[ExifTags.Base.Orientation] = 1
    if ExifTags.IFD.Exif in exif:
        for tag in _SIZE_TAGS:
            exif.get_ifd(ExifTags.IFD.Exif).pop(tag, None)
    return exif.tobytes() if len(exif) else None


def _dpi_of(image: Image.Image) -> tuple[float, float] | None:
    """The resolution, if it is one: TIFF without any reads as 1 x 1."""
    x, y = map(float, image.info.get("dpi", (0, 0)))
    return (x, y) if 1 < x < 65536 and 1 < y < 65536 else None


def check_target(path: Path, *, overwrite: bool) -> None:
    """Refuses, before any work is done, a path that write_picture should not write.

    Raises:
      InputError: the suffix names no format that is written, or the file exists and
        `overwrite` is False.
    """
    _format_of(path)
    if path.exists() and not overwrite:
        raise InputError(
            f"{path}: exists already; name another output, or add --overwrite"
        )


def write_picture(
    picture: Picture, path: str | os.PathLike, *, quality: int = 95
) -> tuple[str, ...]:
    """Writes a picture in the format of the path's suffix, whole or not at all.

    Samples are clipped to [0, 255] and rounded here. Gray stays gray (WebP stores it
    as color). JPEG and BMP hold no alpha: the picture is laid on white. 16 bits are
    written for gray PNG and TIFF without alpha, 8 otherwise. BMP holds neither color
    profile nor EXIF, WebP no DPI of its own. A file that is there already is replaced.

    Args:
      picture: what to write.
      path: ends in one of FORMATS; its folder exists.
      quality: 1 to 100, of JPEG (colors at full resolution) and WebP.

    Returns:
      For the user, what the format could not keep.

    Raises:
      InputError: unknown suffix, a size or metadata that the format cannot hold, or a
        folder or disk that cannot be written. Nothing is left behind.
    """
    path = Path(path)
    name = _format_of(path)
    image, notes = _encode(picture, name)
    if picture.icc_profile and name not in _WITH_PROFILE:
        notes.append(f"its color profile is dropped ({name} holds none)")
    metadata = {
        "icc_profile": picture.icc_profile,
        "exif": picture.exif,
        "dpi": picture.dpi,
    }
    metadata = {key: value for key, value in metadata.items() if value is not None}
    buffer = io.BytesIO()
    try:
        image.save(buffer, name, quality=quality, subsampling=0, **metadata)
    except Exception as error:  # its encoders too, of odd metadata for one
        raise InputError(
            f"{path}: cannot be saved as {name}: {_reason(error)}"
        ) from error
    write_bytes(path, buffer.getbuffer())
    return tuple(notes)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _format_of(path: Path) -> str:
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(FORMATS)
        raise InputError(
            f"{path}: the output's name must end in one of {known}"
        ) from None


def _encode(picture: Picture, name: str) -> tuple[Image.Image, list[str]]:
    """A Pillow image as far as the format called `name` can hold the picture."""
    notes = []
    colors, alpha = picture.pixels, picture.alpha
    if alpha is not None and name not in _WITH_ALPHA:
        opacity = np.clip(alpha, 0, 255)[..., None] / np.float32(255)
        colors = np.clip(colors, 0, 255) * opacity + 255 * (1 - opacity)
        if opacity.min() < 1:
            notes.append(f"its transparency is laid on white ({name} holds none)")
        alpha = None
    if picture.gray:
        colors = colors @ _LUMA
    deep = name in _WITH_16_BITS and picture.gray and alpha is None
    if picture.bits == 16 and deep:
        return Image.fromarray(_quantize(colors * 257, np.uint16)), notes
    if picture.bits == 16:
        kind = " with alpha" * (alpha is not None) if picture.gray else " in color"
        notes.append(f"its 16 bits are written as 8 ({name}{kind})")
    samples = colors if alpha is None else np.dstack([colors, alpha])
    return Image.fromarray(_quantize(samples, np.uint8)), notes


def _quantize(samples: np.ndarray, dtype: type[np.unsignedinteger]) -> np.ndarray:
    return np.rint(np.clip(samples, 0, np.iinfo(dtype).max)).astype(dtype)
