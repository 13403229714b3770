"""A picture to click at, with the neighbors of the patch that was clicked."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from matplotlib.colors import to_hex
from PIL import Image, ImageDraw, ImageFont

from ignn_jax.inspection.boxes import Box
from ignn_jax.inspection.neighbors import Explanation

_SIDE = 1200  # pixels of the longer side as it is shown


class Shown(NamedTuple):
    """A picture in the size in which it is shown.

    Attributes:
      image: RGB.
      factor: its size over the picture's.
    """

    image: Image.Image
    factor: float

    @classmethod
    def of(cls, picture: np.ndarray) -> "Shown":
        """From uint8 RGB [H, W, 3]."""
        height, width, _ = picture.shape
        factor = _SIDE / max(height, width)
        size = (max(round(factor * width), 1), max(round(factor * height), 1))
        smooth = Image.Resampling.BOX if factor < 1 else Image.Resampling.NEAREST
        return cls(Image.fromarray(picture).resize(size, smooth), factor)

    def pixel(self, x: float, y: float) -> tuple[int, int]:
        """The picture's pixel at this place."""
        return int(x / self.factor), int(y / self.factor)

    def with_neighbors(self, explanation: Explanation) -> Image.Image:
        """The query patch in white, and its neighbors' HR patches in their colors."""
        image = self.image.copy()
        draw, font = ImageDraw.Draw(image), ImageFont.load_default(26)
        for label, box, color in _patches(explanation):
            left, top, right, bottom = self._around(box)
            for grown, line in ((1, "black"), (0, color)):
                draw.rectangle(
                    (left - grown, top - grown, right + grown, bottom + grown),
                    outline=line,
                    width=3 + 2 * grown,
                )
            draw.text(
                (right + 5, top - 12),
                label,
                fill=color,
                font=font,
                stroke_width=3,
                stroke_fill="black",
            )
        return image

    def _around(self, box: Box) -> list[int]:
        """Left, top, right and bottom just outside a box."""
        top, left, height, width = box
        sides = (left, top, left + width, top + height)
        return [
            round(self.factor * side) + out
            for side, out in zip(sides, (-6, -6, 5, 5), strict=True)
        ]


def _patches(explanation: Explanation) -> Iterator[tuple[str, Box, str]]:
    """Label, box and color of the neighbors, the nearest last, and of the query."""
    for k, box in reversed(list(enumerate(explanation.neighbors))):
        yield f"{k + 1}", box.times(explanation.scale), to_hex(f"C{k % 10}")
    yield "", explanation.query, "white"
