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

# Where an image lowers another's mean squared error by less than this (in squared gray
# levels), the crop is only a patch of even color and is not shown.
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
      pictures: data URIs: "bicubic", "sr" of the first network if there is one, "sr2"
        of the second one and so on, and "hr".
      crops: where the first network gains most on bicubic, and where it loses most if
        it does; where the last network gains most on the first, and the reverse;
        without a network, where bicubic errs most.
    """

    pictures: dict[str, str]
    crops: list[Crop]


def network_keys(count: int) -> list[str]:
    """The keys of several networks' images: "sr", "sr2", "sr3", ..."""
    return ["sr", *(f"sr{n}" for n in range(2, count + 1))][:count]


def make_figure(evaluated: Evaluated) -> Figure:
    """Encodes a pair's images: those of bicubic and of the networks."""
    hr = evaluated.pair.hr
    bicubic, *networks = evaluated.images.values()
    keys = network_keys(len(networks))
    images = {"bicubic": bicubic, **dict(zip(keys, networks, strict=True)), "hr": hr}
    if not networks:
        crops = [_crop("Farthest from the original", images, "hr", "bicubic")]
    else:
        crops = [_crop("Largest gain over bicubic", images, "sr", "bicubic")]
        if _visibly_better(bicubic, networks[0], hr):
            crops.append(_crop("Largest loss against bicubic", images, "bicubic", "sr"))
        if len(networks) > 1:
            crops += _between_networks(evaluated, images)
    pictures = {key: _encode(image, _QUALITY) for key, image in images.items()}
    return Figure(pictures, crops)


def _between_networks(
    evaluated: Evaluated, images: dict[str, np.ndarray]
) -> list[Crop]:
    """Where the last network is better than the first one, and where it is worse."""
    _, *labels = evaluated.images
    first, last = (labels[0], "sr"), (labels[-1], network_keys(len(labels))[-1])
    return [
        _crop(f"Largest gain of {label} over {other}", images, key, other_key)
        for (label, key), (other, other_key) in ((last, first), (first, last))
        if _visibly_better(images[key], images[other_key], images["hr"])
    ]


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


def _visibly_better(better: np.ndarray, worse: np.ndarray, hr: np.ndarray) -> bool:
    """Whether there is a place where one image improves on another to be seen."""
    where = largest_gain(better, worse, hr, side=CROP)
    a, b, original = (image[where].astype(np.float64) for image in (better, worse, hr))
    return float(np.mean((b - original) ** 2 - (a - original) ** 2)) >= _VISIBLE


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
