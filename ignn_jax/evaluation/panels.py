"""Crops side by side with captions, as figures of papers show them.

Images are uint8, RGB [H, W, 3] or gray [H, W]. Small ones are
magnified by a whole number.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ignn_jax.errors import InputError
from ignn_jax.evaluation.metrics import psnr
from ignn_jax.evaluation.scores import Evaluated

# In pixels of the figure, which a power of two divides into inches without rounding.
_CELL, _MARGIN, _LINE = 288, 16, 20
_DPI, _FONT_SIZE = 128, 8
_COLOR = "#e8372c"  # of the outline of the crops in their photograph


class Panel(NamedTuple):
    """An image and what to write under it, in one or more lines."""

    image: np.ndarray
    caption: str

    @property
    def size(self) -> tuple[int, int]:
        """Its height and width in the figure: a cell's, magnified by a whole number."""
        height, width = self.image.shape[:2]
        factor = _CELL / max(height, width)
        factor = int(factor) if factor >= 1 else factor
        return round(factor * height), round(factor * width)


class Scene(NamedTuple):
    """The photograph that crops are from.

    image: uint8 RGB [H, W, 3].
    where: its rows and columns in the crops.
    caption: what to write under it.
    """

    image: np.ndarray
    where: tuple[slice, slice]
    caption: str


def crop_at(
    image: np.ndarray, at: tuple[int, int], *, side: int
) -> tuple[slice, slice]:
    """Rows and columns of the square around a pixel, moved to lie in the image.

    Args:
      image: [H, W, ...].
      at: x and y of the pixel.
      side: of the square; cut where the image is smaller.

    Raises:
      InputError: the pixel is outside the image.
    """
    height, width = image.shape[:2]
    x, y = at
    if not (0 <= x < width and 0 <= y < height):
        raise InputError(
            f"{x},{y} is outside the image; give a pixel from 0,0 to "
            f"{width - 1},{height - 1}",
            field="at",
        )
    rows, columns = (
        slice(start, min(start + side, n))
        for n, pixel in ((height, y), (width, x))
        for start in [max(min(pixel - side // 2, n - side), 0)]
    )
    return rows, columns


def panels_of(
    evaluated: Evaluated, where: tuple[slice, slice], *, of_crops: bool = False
) -> list[Panel]:
    """The crops of every method and of the original, with their PSNR on Y.

    Args:
      evaluated: an image by one or more methods.
      where: rows and columns.
      of_crops: whether to give the PSNR of the crop instead of the whole image's.
    """
    hr = evaluated.pair.hr[where]
    panels = []
    for method, image in evaluated.images.items():
        crop, score = image[where], evaluated.scores[method].psnr
        if of_crops:
            score = psnr(crop, hr, border=0)
        panels.append(Panel(crop, f"{method}\n{score:.2f} dB"))
    return [*panels, Panel(hr, "HR")]


def draw_panels(
    rows: Sequence[Sequence[Panel]], *, title: str, scene: Scene | None = None
) -> Figure:
    """Draws rows of images, and left of them the photograph that they are from.

    Args:
      rows: the images.
      title: what to write above, in one or more lines.
      scene: the photograph.
    """
    heights = [
        max(panel.size[0] + _height(panel.caption) for panel in row) + _MARGIN
        for row in rows
    ]
    top, left = 2 * _MARGIN + _height(title), _MARGIN
    height = top + sum(heights)
    if scene is not None:
        scene_height = height - top - _MARGIN - _height(scene.caption)
        scene_width = round(scene_height * scene.image.shape[1] / scene.image.shape[0])
        left += scene_width + _MARGIN
    width = left + max(map(len, rows)) * (_CELL + _MARGIN)
    figure = Figure((width / _DPI, height / _DPI), dpi=_DPI)
    _write(figure, title, width / 2, _MARGIN)
    if scene is not None:
        place = _MARGIN, top, scene_width, scene_height
        axes = _place(figure, scene.image, scene.caption, place)
        y, x = scene.where
        axes.add_patch(
            Rectangle(
                (x.start - 0.5, y.start - 0.5),
                x.stop - x.start,
                y.stop - y.start,
                fill=False,
                edgecolor=_COLOR,
                linewidth=2,
            )
        )
    for row, row_height in zip(rows, heights, strict=True):
        for n, panel in enumerate(row):
            tall, wide = panel.size
            start = left + n * (_CELL + _MARGIN) + (_CELL - wide) // 2
            _place(figure, *panel, (start, top, wide, tall))
        top += row_height
    return figure


def _place(figure, image, caption, place):
    """Shows an image in this place (left, top, width, height), captioned below."""
    left, top, width, height = place
    whole_width, whole_height = figure.get_size_inches() * _DPI
    axes = figure.add_axes(
        (
            left / whole_width,
            1 - (top + height) / whole_height,
            width / whole_width,
            height / whole_height,
        )
    )
    interpolation = "nearest" if height >= len(image) else "antialiased"
    axes.imshow(
        image,
        cmap="gray",
        vmin=0,
        vmax=255,
        aspect="auto",
        interpolation=interpolation,
    )
    axes.set_axis_off()
    _write(figure, caption, left + width / 2, top + height + 4)
    return axes


def _write(figure, text, x, y):
    """Writes centered lines, of which the first begins at this height."""
    width, height = figure.get_size_inches() * _DPI
    figure.text(
        x / width,
        1 - y / height,
        text,
        ha="center",
        va="top",
        fontsize=_FONT_SIZE,
        linespacing=1.2,
        parse_math=False,
    )


def _height(text):
    return _LINE * len(text.splitlines())
