"""A picture of a patch's neighbors, like the paper's Figure 1.

Coordinates are (row, column) pixels of the image, or of the downsampled image.
"""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ignn_jax.inference.layout import SPOILT
from ignn_jax.inspection.boxes import Box
from ignn_jax.inspection.neighbors import Explanation

_DPI = 120
_LEGEND = (
    "white: the query patch; dashed: the searched window; gray: beyond the image\n"
    "distance in the embedding; weight: the mean over the query patch"
)


class _Layer(NamedTuple):
    """The image, or the downsampled image, with the neighbors' patches in it.

    name: what to call it.
    image: its pixels, or those of a part of it.
    start: row and column of the image at which `image` begins.
    factor: how many times larger it is than the downsampled image.
    view: the part to show.
    neighbors: the patches.
    """

    name: str
    image: np.ndarray
    start: tuple[int, int]
    factor: int
    view: Box
    neighbors: list[Box]

    @property
    def area(self) -> Box:
        return Box(*self.start, *self.image.shape[:2])


def draw(explanation: Explanation, title: str) -> Figure:
    """Draws both images around the searched window, and below them every patch.

    Args:
      explanation: a patch and its neighbors.
      title: what to write above, before the legend.
    """
    layers = _layers(explanation)
    count = len(explanation.neighbors)
    widths = [layer.view.width for layer in layers]  # one size of pixels for both

    # All sizes are in inches.
    width = max(12, 1.6 * (count + 1))
    tallest = max(layer.view.height for layer in layers)
    top = min((width - 1) * tallest / sum(widths), width) + 0.5
    bottom = (min(width / (count + 1), 2) + 0.3) * len(layers) + 0.4
    figure = Figure((width, top + bottom + 1), dpi=_DPI, layout="constrained")
    figure.suptitle(f"{title}\n{_LEGEND}", parse_math=False)
    heights = (top, bottom)
    above, below = figure.subfigures(2, squeeze=False, height_ratios=heights)[:, 0]
    overviews = above.subplots(1, len(layers), width_ratios=widths, squeeze=False)[0]
    _draw_overviews(overviews, explanation, layers)
    panels = below.subplots(len(layers), count + 1, squeeze=False)
    _draw_patches(panels, explanation, layers)
    return figure


def _layers(explanation):
    lr, small, start, scale, query, window, neighbors, *_ = explanation
    # `small` extends that far. The reference's windows are off center at scale 3, and
    # may not contain the query.
    around = window.grown(SPOILT)
    view = around.times(scale).hull(query).within(Box(0, 0, *lr.shape[:2]))
    places = [box.times(scale) for box in neighbors]
    layers = [_Layer("the image", lr, (0, 0), scale, view, places)]
    if scale > 1:
        view = around.within(Box(*start, *small.shape[:2]))
        name = f"downsampled by {scale}"
        layers.append(_Layer(name, small, start, 1, view, neighbors))
    return layers


def _draw_overviews(overviews, explanation, layers):
    query, window = explanation.query, explanation.window
    for axes, layer in zip(overviews, layers, strict=True):
        axes.set_title(layer.name)
        axes.set_anchor("N")
        _show(axes, layer, layer.view)
        _outline(axes, window.times(layer.factor), "white", linestyle="--")
        center = [n * layer.factor / explanation.scale for n in _center(query)]
        for k, box in enumerate(layer.neighbors):
            _outline(axes, box, f"C{k}")
            _number(axes, box, k, center)
    _outline(overviews[0], query, "white")


def _draw_patches(panels, explanation, layers):
    """The query patch, and a column for each neighbor with its HR patch below."""
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[], facecolor="lightgray")
    for axes in panels[1:, 0]:
        axes.set_axis_off()
    panels[0, 0].set_title("query")
    _enlarge(panels[0, 0], layers[0], explanation.query, "white")
    for row, layer in zip(panels, reversed(layers), strict=True):
        row[1].set_ylabel(layer.name)
        for k, box in enumerate(layer.neighbors):
            _enlarge(row[k + 1], layer, box, f"C{k}")
    for k, axes in enumerate(panels[0, 1:]):
        distance, weight = explanation.distances[k], explanation.weights[k]
        axes.set_title(f"{k + 1}\ndistance {distance:.3g}\nweight {weight:.3f}")


def _enlarge(axes, layer, box, color):
    """Shows a patch with a margin as wide as the patch."""
    _show(axes, layer, box.grown(box.height))
    _outline(axes, box, color)
    axes.set_xlabel(f"({box.left}, {box.top})")


def _show(axes, layer, view):
    shown = view.within(layer.area)
    pixels = shown.of(layer.image, layer.start)
    axes.imshow(pixels, extent=_extent(shown), interpolation="nearest")
    left, right, bottom, top = _extent(view)
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _extent(box):
    """Left, right, bottom, top as Matplotlib counts: integers are pixel centers."""
    left, top = box.left - 0.5, box.top - 0.5
    return left, left + box.width, top + box.height, top


def _center(box):
    left, right, bottom, top = _extent(box)
    return (left + right) / 2, (top + bottom) / 2


def _outline(axes, box, color, linestyle="-"):
    left, _, _, top = _extent(box)
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


def _number(axes, box, k, center):
    """Writes a patch's number beside it, on the side away from the query."""
    x, y = _center(box)
    away = np.array([x - center[0], center[1] - y])
    away *= 18 / max(np.hypot(*away), 1)  # points
    axes.annotate(
        k + 1,
        (x, y),
        away,
        textcoords="offset points",
        color=f"C{k}",
        ha="center",
        va="center",
        weight="bold",
        path_effects=[withStroke(linewidth=3, foreground="black")],
    )
