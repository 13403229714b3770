"""A picture of what a network gains: bicubic, its output and the original in a row."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ignn_jax.scores import score

# Pixels of a crop, and how much it is magnified.
_SIDE, _ZOOM = 96, 3
_MARGIN, _CAPTION = 8, 24


class Row(NamedTuple):
    """One image, in all its forms, uint8 [H, W, 3]."""

    name: str
    lr: np.ndarray
    hr: np.ndarray
    bicubic: np.ndarray
    sr: np.ndarray | None = None


def side_by_side(rows: Sequence[Row], *, label: str, scale: int) -> Image.Image:
    """Crops of each image where the network gains most over bicubic.

    Args:
      rows: one or more images.
      label: what to call the network.
      scale: of the network.
    """
    side = _SIDE * _ZOOM
    step = side + _CAPTION + _MARGIN
    size = (3 * (side + _MARGIN) + _MARGIN, len(rows) * step + _MARGIN)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for n, row in enumerate(rows):
        where = largest_gain(row.sr, row.bicubic, row.hr, side=_SIDE)
        panels = (
            (f"bicubic: {score(row.bicubic, row.hr, scale=scale)}", row.bicubic),
            (f"{label}: {score(row.sr, row.hr, scale=scale)}", row.sr),
            (row.name, row.hr),
        )
        for m, (caption, image) in enumerate(panels):
            left, top = _MARGIN + m * (side + _MARGIN), _MARGIN + n * step
            draw.text((left, top), caption, fill="black", font=font)
            crop = Image.fromarray(image[where])
            crop = crop.resize(
                (crop.width * _ZOOM, crop.height * _ZOOM), Image.Resampling.NEAREST
            )
            sheet.paste(crop, (left, top + _CAPTION))
    return sheet


def largest_gain(
    better: np.ndarray, worse: np.ndarray, hr: np.ndarray, *, side: int
) -> tuple[slice, slice]:
    """The square of the image where `better` improves most on `worse`.

    Args:
      better, worse, hr: uint8 [H, W, 3].
      side: of the square, cut to the image.
    """
    better, worse, hr = (image.astype(np.float64) for image in (better, worse, hr))
    gain = ((worse - hr) ** 2 - (better - hr) ** 2).sum(axis=2)
    rows, columns = (min(side, n) for n in gain.shape)
    total = np.pad(gain.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = (
        total[rows:, columns:]
        - total[:-rows, columns:]
        - total[rows:, :-columns]
        + total[:-rows, :-columns]
    )
    top, left = (int(n) for n in np.unravel_index(sums.argmax(), sums.shape))
    return slice(top, top + rows), slice(left, left + columns)
