"""Images as a report shows them: encoded for HTML, with the places worth a look.

Arrays are uint8 RGB [H, W, 3].
"""

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from ignn_jax.evaluation.scores import Score
from ignn_jax.pictures.crops import Row, largest_gain

# Pixels of a crop, magnified by the browser.
CROP = 48

# Less than this, in squared gray levels, is not worth a crop: the network's worst is
# then a patch of even color.
_VISIBLE = 1.0

# Of the whole pictures under the slider; the crops are lossless.
_QUALITY = 90


class Crop(NamedTuple):
    """A place in an image.

    Attributes:
      caption: why it is shown.
      images: data URIs, as the figure's.
      box: left, top, width and height in percent of the image's.
    """

    caption: str
    images: dict[str, str]
    box: tuple[float, float, float, float]


class Figure(NamedTuple):
    """An image, encoded for the report.

    Attributes:
      name: of the image.
      size: width and height.
      scores: by "bicubic" and, if there is a network, "sr".
      pictures: data URIs, by "bicubic", "sr" if there is one, and "hr".
      crops: where the network gains most on bicubic, and where it loses most, if it
        does; without a network, where bicubic errs most.
    """

    name: str
    size: tuple[int, int]
    scores: dict[str, Score]
    pictures: dict[str, str]
    crops: list[Crop]

    @property
    def gain(self) -> float:
        """PSNR over bicubic, in dB; 0 without a network."""
        if "sr" not in self.scores or self.scores["sr"] == self.scores["bicubic"]:
            return 0.0  # not inf - inf
        return self.scores["sr"].psnr - self.scores["bicubic"].psnr


class ReportSet(NamedTuple):
    """A set of images.

    Attributes:
      name: of the set.
      lr: where its LR images come from, in words.
      figures: its images, in any order.
      failures: a line for each image that could not be evaluated.
    """

    name: str
    lr: str
    figures: Sequence[Figure]
    failures: Sequence[str] = ()


def make_figure(row: Row, bicubic: Score, sr: Score | None = None) -> Figure:
    """Encodes an image: a tenth of the memory that its arrays take.

    Args:
      row: the image in all its forms; without `sr`, bicubic is set beside HR.
      bicubic: its score.
      sr: the network's score.
    """
    images = {"bicubic": row.bicubic, "sr": row.sr, "hr": row.hr}
    images = {key: image for key, image in images.items() if image is not None}
    scores = {"bicubic": bicubic} | ({} if sr is None else {"sr": sr})
    if row.sr is None:
        crops = [_crop("Farthest from the original", images, "hr", "bicubic")]
    else:
        crops = [_crop("Largest gain over bicubic", images, "sr", "bicubic")]
        if _worst_loss(row) >= _VISIBLE:
            crops.append(_crop("Largest loss against bicubic", images, "bicubic", "sr"))
    height, width, _ = row.hr.shape
    pictures = {key: _encode(image, _QUALITY) for key, image in images.items()}
    return Figure(row.name, (width, height), scores, pictures, crops)


def _crop(caption: str, images: dict, better: str, worse: str) -> Crop:
    """The place where one image improves most on another."""
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


def _worst_loss(row: Row) -> float:
    """By how much the mean squared error rises where the network loses most."""
    where = largest_gain(row.bicubic, row.sr, row.hr, side=CROP)
    bicubic, sr, hr = (
        image[where].astype(np.float64) for image in (row.bicubic, row.sr, row.hr)
    )
    return np.mean((sr - hr) ** 2 - (bicubic - hr) ** 2)


def _encode(image: np.ndarray, quality: int | None = None) -> str:
    """A data URI of WebP: lossy at a quality, or lossless."""
    buffer = io.BytesIO()
    options = {"lossless": True} if quality is None else {"quality": quality}
    try:
        Image.fromarray(image).save(buffer, "WEBP", method=4, **options)
        kind = "webp"
    except (OSError, ValueError):  # beyond WebP's 16383 pixels a side
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        kind = "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
