"""A picture of a patch's neighbors, like the paper's Figure 1.

Coordinates are (row, column) pixels of the image, or of the downsampled image.
"""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from ignn_jax.inference.layout import SPOILT
from ignn_jax.inspection.boxes import Box
from ignn_jax.inspection.drawing import center, number, outline, show
from ignn_jax.inspection.neighbors import Explanation

_DPI = 120
_LEGEND = (
    "white: the query patch; dashed: the searched window; gray: beyond the image\n"
    "distance in the embedding; weight: the mean over the query patch"
)
_SCENE_LEGEND = (
    "white: the query patch; solid: its neighbors; dashed: their HR patches\n"
    "distance in the embedding; weight: the mean over the query patch"
)
_AROUND = 16  # pixels shown around the patches of Figure 1


class _Layer(NamedTuple):
    """The image, or the downsampled image, with the neighbors' patches in it.

    name: what to call it.
    image: its pixels, or those of a part of it.
    start: row and column of the image at which `image` begins.
    factor: how many times larger it is than the downsampled image.
    view: the part to show.
    neighbors: the patches.
    linestyle: of their outlines.
    """

    name: str
    image: np.ndarray
    start: tuple[int, int]
    factor: int
    view: Box
    neighbors: list[Box]
    linestyle: str = "-"

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
    widths = [layer.view.width for layer in layers]  # one size of pixels for both
    tallest = max(layer.view.height for layer in layers)
    count = len(explanation.neighbors)
    figure, overviews, panels = _lay_out(widths, tallest, count, len(layers))
    figure.suptitle(f"{title}\n{_LEGEND}", parse_math=False)
    _draw_overviews(overviews, explanation, layers)
    _draw_patches(panels, explanation, layers)
    return figure


def draw_scene(explanation: Explanation, title: str) -> Figure:
    """Draws Figure 1: the photograph, the part with the patches, and every patch.

    Args:
      explanation: a patch and its neighbors.
      title: what to write above, before the legend.
    """
    layers = _close_layers(explanation)
    image, count = layers[0], len(explanation.neighbors)
    photograph = image._replace(name="the photograph", view=image.area)
    shown = [photograph, *layers]
    # The photograph is as high as the part of it; that has one size of pixels for both.
    factor = image.view.height / photograph.view.height
    widths = [factor * photograph.view.width, *(layer.view.width for layer in layers)]
    figure, overviews, panels = _lay_out(widths, image.view.height, count, len(layers))
    figure.suptitle(f"{title}\n{_SCENE_LEGEND}", parse_math=False)
    for axes, layer in zip(overviews, shown, strict=True):
        axes.set(title=layer.name, xticks=[], yticks=[], anchor="N")
        show(axes, layer.image, layer.start, layer.view)
    overviews[1].set_title("the part in the box")
    outline(overviews[0], image.view, "white")
    outline(overviews[1], explanation.query, "white")
    for axes, layer in zip(overviews[1:], layers, strict=True):
        _draw_neighbors(axes, explanation, layer)
    _draw_patches(panels, explanation, layers)
    return figure


def _lay_out(widths, height, count, rows):
    """A figure with a row of images above, and below them the query and its neighbors.

    Args:
      widths: of the images, in any unit.
      height: of the tallest of them, in the same unit.
      count: of the neighbors.
      rows: of their patches.

    Returns:
      The figure, and the axes of the images and of the patches.
    """
    # All sizes are in inches.
    width = max(12, 1.6 * (count + 1))
    top = min((width - 1) * height / sum(widths), width) + 0.5
    bottom = (min(width / (count + 1), 2) + 0.3) * rows + 0.4
    figure = Figure((width, top + bottom + 1), dpi=_DPI, layout="constrained")
    above, below = figure.subfigures(2, height_ratios=(top, bottom))
    images = above.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    return figure, images, below.subplots(rows, count + 1, squeeze=False)


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


def _close_layers(explanation):
    """The layers around the patches; HR patches are dashed."""
    layers, scale = _layers(explanation), explanation.scale
    view = explanation.query
    for box in layers[0].neighbors:
        view = view.hull(box)
    # A square, so that there is room for titles.
    side = max(view.height, view.width) + 2 * _AROUND
    top, left = (
        view.top + (view.height - side) // 2,
        view.left + (view.width - side) // 2,
    )
    view = Box(top, left, side, side).within(layers[0].area)
    layers[0] = layers[0]._replace(view=view, linestyle="--" if scale > 1 else "-")
    small = Box(*(n // scale for n in view))
    return [layers[0], *(layer._replace(view=small) for layer in layers[1:])]


def _draw_overviews(overviews, explanation, layers):
    query, window = explanation.query, explanation.window
    for axes, layer in zip(overviews, layers, strict=True):
        axes.set_title(layer.name)
        axes.set_anchor("N")
        show(axes, layer.image, layer.start, layer.view)
        outline(axes, window.times(layer.factor), "white", linestyle="--")
        _draw_neighbors(axes, explanation, layer)
    outline(overviews[0], query, "white")


def _draw_neighbors(axes, explanation, layer):
    """Outlines and numbers the patches."""
    away = [n * layer.factor / explanation.scale for n in center(explanation.query)]
    for k, box in enumerate(layer.neighbors):
        outline(axes, box, f"C{k}", layer.linestyle)
        number(axes, box, k, away)


def _draw_patches(panels, explanation, layers):
    """The query patch, and a column for each neighbor with its HR patch below."""
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[], facecolor="lightgray")
    for axes in panels[1:, 0]:
        axes.set_axis_off()
    panels[0, 0].set_title("query")
    _enlarge(
        panels[0, 0], layers[0]._replace(linestyle="-"), explanation.query, "white"
    )
    for row, layer in zip(panels, reversed(layers), strict=True):
        row[1].set_ylabel(layer.name)
        for k, box in enumerate(layer.neighbors):
            _enlarge(row[k + 1], layer, box, f"C{k}")
    for k, axes in enumerate(panels[0, 1:]):
        distance, weight = explanation.distances[k], explanation.weights[k]
        axes.set_title(f"{k + 1}\ndistance {distance:.3g}\nweight {weight:.3f}")


def _enlarge(axes, layer, box, color):
    """Shows a patch with a margin as wide as the patch."""
    show(axes, layer.image, layer.start, box.grown(box.height))
    outline(axes, box, color, layer.linestyle)
    axes.set_xlabel(f"({box.left}, {box.top})")
