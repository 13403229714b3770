"""Images as the report shows them: encoded for HTML, with crops worth a look.

Arrays are uint8 RGB [H, W, 3].
"""

import base64
import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from ignn_jax.evaluation.comparison import largest_gain
from ignn_jax.evaluation.scores import Evaluated

# Side of a crop in pixels; the browser magnifies it.
CROP = 48

# Where the network raises the mean squared error by less than this (in squared gray
# levels), its worst crop is only a patch of even color and is not shown.
_VISIBLE = 1.0

# WebP quality of the whole pictures under the slider; the crops are lossless.
_QUALITY = 90


class Crop(NamedTuple):
    """A square of an image.

    Attributes:
      caption: why it is shown.
      images: data URIs, with the figure's keys.
      box: left, top, width and height in percent of the image's.
    """

    caption: str
    images: dict[str, str]
    box: tuple[float, float, float, float]


class Figure(NamedTuple):
    """An image, encoded for the report.

    Attributes:
      pictures: data URIs: "bicubic", "sr" if there is a network, and "hr".
      crops: where the network gains most on bicubic, and where it loses most if it
        does; without a network, where bicubic errs most.
    """

    pictures: dict[str, str]
    crops: list[Crop]


def make_figure(evaluated: Evaluated) -> Figure:
    """Encodes a pair's images: those of bicubic and of a network if there is one."""
    hr = evaluated.pair.hr
    bicubic, *network = evaluated.images.values()
    if not network:
        images = {"bicubic": bicubic, "hr": hr}
        crops = [_crop("Farthest from the original", images, "hr", "bicubic")]
    else:
        [sr] = network
        images = {"bicubic": bicubic, "sr": sr, "hr": hr}
        crops = [_crop("Largest gain over bicubic", images, "sr", "bicubic")]
        if _worst_loss(bicubic, sr, hr) >= _VISIBLE:
            crops.append(_crop("Largest loss against bicubic", images, "bicubic", "sr"))
    pictures = {key: _encode(image, _QUALITY) for key, image in images.items()}
    return Figure(pictures, crops)


def _crop(caption: str, images: dict[str, np.ndarray], better: str, worse: str) -> Crop:
    """The square in which one image improves most on another."""
    hr = images["hr"]
    rows, columns = largest_gain(images[better], images[worse], hr, side=CROP)
    height, width, _ = hr.shape
    box = (
        100 * columns.start / width,
        100 * rows.start / height,
        100 * (columns.stop - columns.start) / width,
        100 * (rows.stop - rows.start) / height,
    )
    cut = {key: _encode(image[rows, columns]) for key, image in images.items()}
    return Crop(caption, cut, box)


def _worst_loss(bicubic: np.ndarray, sr: np.ndarray, hr: np.ndarray) -> float:
    """By how much the mean squared error rises where the network loses most."""
    where = largest_gain(bicubic, sr, hr, side=CROP)
    bicubic, sr, hr = (image[where].astype(np.float64) for image in (bicubic, sr, hr))
    return float(np.mean((sr - hr) ** 2 - (bicubic - hr) ** 2))


def _encode(image: np.ndarray, quality: int | None = None) -> str:
    """A data URI of WebP: lossy at a quality, or lossless without one."""
    buffer = io.BytesIO()
    options = {"lossless": True} if quality is None else {"quality": quality}
    try:
        Image.fromarray(image).save(buffer, "WEBP", method=4, **options)
        kind = "webp"
    except (OSError, ValueError):  # WebP has at most 16383 pixels a side
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        kind = "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
