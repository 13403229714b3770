"""Images and boxes in Matplotlib's axes, whose integers are the centers of pixels."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ignn_jax.inspection.boxes import Box


def show(axes: Axes, image: np.ndarray, start: tuple[int, int], view: Box) -> None:
    """Shows a part of an image, of which these are the pixels from `start` on."""
    shown = view.within(Box(*start, *image.shape[:2]))
    pixels = shown.of(image, start)
    axes.imshow(pixels, extent=extent(shown), interpolation="nearest")
    left, right, bottom, top = extent(view)
    axes.set(xlim=(left, right), ylim=(bottom, top))


def extent(box: Box) -> tuple[float, float, float, float]:
    """Left, right, bottom, top as Matplotlib counts: integers are pixel centers."""
    left, top = box.left - 0.5, box.top - 0.5
    return left, left + box.width, top + box.height, top


def center(box: Box) -> tuple[float, float]:
    """x and y."""
    left, right, bottom, top = extent(box)
    return (left + right) / 2, (top + bottom) / 2


def outline(axes: Axes, box: Box, color: str, linestyle: str = "-") -> None:
    """Outlines the pixels of a box."""
    left, _, _, top = extent(box)
    rectangle = Rectangle(
        (left, top),
        box.width,
        box.height,
        fill=False,
        edgecolor=color,
        linewidth=1.5,
        linestyle=linestyle,
        path_effects=[withStroke(linewidth=3, foreground="black")],
    )
    axes.add_patch(rectangle)


def number(axes: Axes, box: Box, k: int, query: Sequence[float]) -> None:
    """Writes a patch's number beside it, on the side away from the query's center."""
    x, y = center(box)
    right, up = x - query[0], query[1] - y
    points = 18 / max(np.hypot(right, up), 1)
    axes.annotate(
        str(k + 1),
        (x, y),
        (points * right, points * up),
        textcoords="offset points",
        color=f"C{k}",
        ha="center",
        va="center",
        weight="bold",
        path_effects=[withStroke(linewidth=3, foreground="black")],
    )
