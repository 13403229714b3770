"""Pictures, files and stand-ins for the network that several tests use."""

import os
import struct
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import ExifTags, Image, ImageCms

from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.upscale import Network

GRAY = imagecodecs.cms_profile("gray", gamma=2.2)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(*shape, dtype=np.uint8):
    limit = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, limit, shape, dtype, endpoint=True)


def smooth(height=24, width=32):
    """Colors that JPEG and lossy WebP keep to within a few levels, [H, W, 3]."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([100 + 2 * x, 60 + 3 * y, 200 - x - y], axis=-1)


def make_unreadable(folder: Path, monkeypatch) -> None:
    """For root too, who may read all."""
    scandir = os.scandir

    def scan(path):
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)


def save(path: Path, array: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def make_exif(orientation, **sizes):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Maker"
    for name, size in sizes.items():
        exif[ExifTags.Base[name]] = size
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.DateTimeOriginal: "2020:12:06 10:00:00",
        ExifTags.Base.ExifImageWidth: 32,
        ExifTags.Base.ExifImageHeight: 24,
    }
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N"}
    return exif.tobytes()


def check_exif(exif, width, height):
    assert exif[ExifTags.Base.Make] == "Maker"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    assert details[ExifTags.Base.DateTimeOriginal] == "2020:12:06 10:00:00"
    assert details[ExifTags.Base.ExifImageWidth] == width
    assert details[ExifTags.Base.ExifImageHeight] == height
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"


def network(function):
    return Network(lambda image, progress: function(image), 2)


def twice(image):
    return image.repeat(2, axis=0).repeat(2, axis=1)


def never(image):
    raise AssertionError("the network ran")


NEAREST = network(twice)
BICUBIC = network(lambda image: imresize(image, scale=2))


def make_cmyk_profile():
    """An ICC profile of a press with gray inks only: L = 100% - 31% (C + M + Y)."""
    inks = np.indices((2, 2, 2, 2))
    lightness = np.where(inks[3], 0, 255 - 80 * inks[:3].sum(axis=0))
    lab = np.stack([lightness, lightness * 0 + 128, lightness * 0 + 128], axis=-1)
    table = b"mft1" + struct.pack(">4x4B", 4, 3, 2, 0)  # 4 channels to 3, 2 nodes each
    table += (np.eye(3) * 65536).astype(">i4").tobytes()
    table += (
        bytes(range(256)) * 4 + lab.astype(np.uint8).tobytes() + bytes(range(256)) * 3
    )
    white = struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"A2B0": table, b"wtpt": b"XYZ " + bytes(4) + white}
    index, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        offset = 128 + 4 + 12 * len(tags) + len(body)
        index += name + struct.pack(">II", offset, len(data))
        body += data
    length = 128 + len(index) + len(body)
    header = struct.pack(">I4sI", length, b"lcms", 0x02400000) + b"prtrCMYKLab "
    header += bytes(12) + b"acsp" + bytes(28) + white
    return header.ljust(128, b"\0") + index + body
