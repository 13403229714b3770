"""Pictures, files and stand-ins for the network that several tests use."""

from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms

from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.upscale import Network

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(*shape, dtype=np.uint8):
    limit = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, limit, shape, dtype, endpoint=True)


def smooth(height=24, width=32):
    """Colors that JPEG and lossy WebP keep to within a few levels, [H, W, 3]."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([100 + 2 * x, 60 + 3 * y, 200 - x - y], axis=-1)


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


def check_exif(exif):
    assert exif[ExifTags.Base.Make] == "Maker"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    assert details[ExifTags.Base.DateTimeOriginal] == "2020:12:06 10:00:00"
    assert ExifTags.Base.ExifImageWidth not in details
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"


def network(function):
    return Network(lambda image, progress: function(image), 2)


def twice(image):
    return image.repeat(2, axis=0).repeat(2, axis=1)


def never(image):
    raise AssertionError("the network ran")


NEAREST = network(twice)
BICUBIC = network(lambda image: imresize(image, scale=2))
