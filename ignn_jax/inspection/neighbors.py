"""One patch of an image and its neighbors in the graph.

Of a large image only what the search of that patch reaches is looked at; what is found
is what the network finds in the whole image.
"""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ignn_jax.inference.layout import Span, make_layout
from ignn_jax.inspection.statistics import graph_scale, observe
from ignn_jax.models import IGNN, GraphConfig
from ignn_jax.models.ignn import Part, downsample, pad_to
from ignn_jax.ops.patches import Axis, patch_axis
from ignn_jax.ops.place import Place
from ignn_jax.ops.search import Grids, window_sides, window_starts


class Box(NamedTuple):
    """A rectangle of an image's pixels; it may reach beyond the border."""

    top: int
    left: int
    height: int
    width: int

    def times(self, scale: int) -> "Box":
        """The same in the image `scale` times as large."""
        return Box(*(scale * n for n in self))

    def grown(self, margin: int) -> "Box":
        """With so many pixels around it."""
        top, left, height, width = self
        both = 2 * margin
        return Box(top - margin, left - margin, height + both, width + both)

    def within(self, other: "Box") -> "Box":
        """What of it lies in the other."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + self.height, other.top + other.height)
        right = min(self.left + self.width, other.left + other.width)
        return Box(top, left, bottom - top, right - left)

    def hull(self, other: "Box") -> "Box":
        """The smallest that holds both."""
        top, left = min(self.top, other.top), min(self.left, other.left)
        bottom = max(self.top + self.height, other.top + other.height)
        right = max(self.left + self.width, other.left + other.width)
        return Box(top, left, bottom - top, right - left)

    def of(self, image: np.ndarray, start: tuple[int, int] = (0, 0)) -> np.ndarray:
        """Its pixels of an image that begins at this row and column."""
        rows, columns = (
            slice(first - begin, first - begin + length)
            for first, begin, length in zip(self[:2], start, self[2:], strict=True)
        )
        return image[rows, columns]


class Explanation(NamedTuple):
    """A query patch and its K neighbors, the nearest first.

    lr: uint8 [H, W, 3], the image.
    small: uint8 [h, w, 3], a part of the downsampled image, with all neighbors.
    start: the row and column of the downsampled image at which `small` begins.
    scale: S, by which the image is downsampled; 1: neighbors are in the image itself.
    query: the query patch, in `lr`.
    window: where neighbors were searched, in the downsampled image.
    neighbors: patches of the downsampled image; their HR patches are `times(scale)`, in
      `lr`.
    distances: [K], Euclidean, in the embedding E.
    weights: [K], mean over the pixels of the query patch.
    """

    lr: np.ndarray
    small: np.ndarray
    start: tuple[int, int]
    scale: int
    query: Box
    window: Box
    neighbors: list[Box]
    distances: np.ndarray
    weights: np.ndarray


def explain(
    model: IGNN, variables: Any, image: np.ndarray, at: tuple[int, int]
) -> Explanation:
    """Finds the neighbors of the patch whose center is nearest to a pixel.

    Args:
      model: a network with a graph.
      variables: as `model.apply` takes them.
      image: uint8 [H, W, 3].
      at: x and y of the pixel.
    """
    scale, config = graph_scale(model), model.graph
    image = np.asarray(pad_to(image[None], scale))[0]  # as the network does
    size = image.shape[:2]
    small_size = tuple(n // scale for n in size)
    grid, small_grid = (_Grid.of(n, config) for n in (size, small_size))
    cell = grid.nearest(at)
    query = grid.area(cell)

    spans, inputs = _tile(model, image, cell)
    indices, distances, weights = (
        np.asarray(x) for x in observe(model, variables, *inputs, method="decode")
    )
    here = tuple(n - span.first_query for n, span in zip(cell, spans, strict=True))
    weights = query.within(Box(0, 0, *size)).of(weights, [s.queries for s in spans])

    searched = inputs[1]
    small = np.asarray(downsample(searched.lr, scale, searched.place))[0]
    start = [span.candidates // scale for span in spans]
    inside = Box(*start, *small.shape[:2]).within(Box(0, 0, *small_size))
    found = np.unravel_index(indices[here], _Grid.of(small.shape[:2], config).counts)
    rows, columns = (
        span.first_candidate + n for span, n in zip(spans, found, strict=True)
    )
    return Explanation(
        lr=image,
        small=np.rint(inside.of(small, start)).astype(np.uint8),
        start=inside[:2],
        scale=scale,
        query=query,
        window=_window(cell, small_grid, scale, config),
        neighbors=[small_grid.area(c) for c in zip(rows, columns, strict=True)],
        distances=distances[here],
        weights=weights.mean(axis=(0, 1)),
    )


class _Grid(NamedTuple):
    """The patches of an image; cells are (row, column)."""

    axes: tuple[Axis, Axis]
    patch: int
    stride: int

    @classmethod
    def of(cls, size: tuple[int, int], config: GraphConfig) -> "_Grid":
        patch, stride = config.patch_size, config.patch_stride
        return cls(tuple(patch_axis(n, patch, stride) for n in size), patch, stride)

    @property
    def counts(self) -> tuple[int, int]:
        return tuple(axis.count for axis in self.axes)

    def nearest(self, at: tuple[int, int]) -> tuple[int, int]:
        """The cell of the patch whose center is nearest to x, y; the first of two."""
        cell = []
        for n, axis in zip(reversed(at), self.axes, strict=True):
            number = (n + axis.before - (self.patch - 1) / 2) / self.stride
            cell.append(min(max(math.ceil(number - 0.5), 0), axis.count - 1))
        return tuple(cell)

    def area(self, cell: tuple[int, int], counts: tuple[int, int] = (1, 1)) -> Box:
        """The pixels of so many patches, from a cell on."""
        corner = (
            int(n) * self.stride - axis.before
            for n, axis in zip(cell, self.axes, strict=True)
        )
        return Box(*corner, *((n - 1) * self.stride + self.patch for n in counts))


def _window(cell, candidates, scale, config):
    sides = window_sides(config.window, candidates.counts)
    first = (
        window_starts(n, count, side, scale=scale, center=config.window_center)
        for n, count, side in zip(cell, candidates.counts, sides, strict=True)
    )
    return candidates.area(first, sides)


def _tile(
    model: IGNN, image: np.ndarray, cell: tuple[int, int]
) -> tuple[tuple[Span, Span], tuple[Part, Part, Grids | None]]:
    """What `IGNN.decode` takes, of the image around a query, and where that lies.

    The graph does not depend on the features: they are zeros.
    """
    size = image.shape[:2]

    def part(start, sides):
        rows, columns = (
            np.clip(first + np.arange(side), 0, length - 1)
            for first, side, length in zip(start, sides, size, strict=True)
        )
        lr = image[np.ix_(rows, columns)].astype(np.float32)
        features = np.zeros((1, *sides, model.features), jnp.dtype(model.dtype))
        return Part(lr[None], features, Place(np.int32(start), np.int32(size)))

    layout = make_layout(model, size, 1)  # whose tiles are one patch each
    if layout is None:  # too small an image to be cut
        whole = part((0, 0), size)._replace(place=None)
        return (Span(0, 0), Span(0, 0)), (whole, whole, None)
    row, column = spans = layout.rows[cell[0]], layout.columns[cell[1]]
    return spans, (
        part((row.queries, column.queries), (layout.query_side,) * 2),
        part((row.candidates, column.candidates), layout.candidate_sides),
        layout.grids(row, column),
    )
