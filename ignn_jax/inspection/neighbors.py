"""One patch of an image and its neighbors in the graph.

Of a large image only what the search of that patch reaches is looked at; what is found
is what the network finds in the whole image.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ignn_jax.inference.layout import make_layout
from ignn_jax.inspection.statistics import observe
from ignn_jax.models import IGNN, GraphConfig
from ignn_jax.models.ignn import Encoded, downsample, pad_to
from ignn_jax.ops.patches import grid_region, patch_grid
from ignn_jax.ops.regions import Region
from ignn_jax.ops.search import window_sides, window_starts


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
    scale, config = model.graph_scale, model.graph
    image = np.asarray(pad_to(image[None], scale))[0]  # as the network does
    size = np.array(image.shape[:2])
    grid, small_grid = (_Grid.of(n, config) for n in (size, size // scale))
    cell = grid.nearest(at)
    query = grid.area(cell)

    queries, candidates = _parts(model, image, cell)
    indices, distances, weights = (
        np.asarray(x)
        for x in observe(model, variables, queries, candidates, method="decode")
    )
    first_query, first_candidate, start, there = (0, 0), (0, 0), (0, 0), None
    if queries.region is not None and candidates.region is not None:
        start, there = queries.region.start, candidates.region.over(scale)
        first_query, first_candidate = (
            grid_region(region, config.patch_size, config.patch_stride).start
            for region in (queries.region, there)
        )
    here = tuple(np.subtract(cell, first_query))
    weights = query.within(Box(0, 0, *size)).of(weights, start)

    small = np.asarray(downsample(candidates.lr, scale, candidates.region))[0]
    start = (0, 0) if there is None else there.start
    inside = Box(*start, *small.shape[:2]).within(Box(0, 0, *size // scale))
    counts = _Grid.of(np.array(small.shape[:2]), config).counts
    found = np.add(np.unravel_index(indices[here], counts), np.c_[first_candidate])
    return Explanation(
        lr=image,
        small=np.rint(inside.of(small, start)).astype(np.uint8),
        start=inside[:2],
        scale=scale,
        query=query,
        window=_window(cell, small_grid, scale, config),
        neighbors=[small_grid.area(place) for place in found.T],
        distances=distances[here],
        weights=weights.mean(axis=(0, 1)),
    )


class _Grid(NamedTuple):
    """The patches of an image; cells are (row, column)."""

    counts: np.ndarray
    before: np.ndarray
    patch: int
    stride: int

    @classmethod
    def of(cls, size: np.ndarray, config: GraphConfig) -> "_Grid":
        patch, stride = config.patch_size, config.patch_stride
        return cls(*patch_grid(size, patch, stride), patch, stride)

    def nearest(self, at: tuple[int, int]) -> np.ndarray:
        """The cell of the patch whose center is nearest to x, y; the first of two."""
        number = (np.array(at[::-1]) + self.before - (self.patch - 1) / 2) / self.stride
        return np.ceil(number - 0.5).astype(int).clip(0, self.counts - 1)

    def area(self, cell: np.ndarray, counts: Sequence[int] = (1, 1)) -> Box:
        """The pixels of this many patches, from a cell on."""
        corner = np.asarray(cell) * self.stride - self.before
        sides = [(int(n) - 1) * self.stride + self.patch for n in counts]
        return Box(*corner.tolist(), *sides)


def _window(
    cell: np.ndarray, candidates: _Grid, scale: int, config: GraphConfig
) -> Box:
    sides = window_sides(config.window, candidates.counts)
    first = window_starts(
        cell, candidates.counts, sides, scale=scale, center=config.window_center
    )
    return candidates.area(first, sides)


def _parts(model: IGNN, image: np.ndarray, cell: np.ndarray) -> tuple[Encoded, Encoded]:
    """What `IGNN.decode` takes of the image to find the neighbors of one query.

    The graph does not depend on the features: they are zeros.
    """
    size = image.shape[:2]

    def part(region, sides):
        rows, columns = (
            np.clip(first + np.arange(side), 0, length - 1)
            for first, side, length in zip(region.start, sides, size, strict=True)
        )
        lr = image[np.ix_(rows, columns)].astype(np.float32)
        features = np.zeros((1, *sides, model.features), jnp.dtype(model.dtype))
        return Encoded(lr[None], features, region)

    layout = make_layout(model, size, 1)  # whose tiles are one patch each
    if layout is None:  # the image is too small to be cut
        origin = Region(np.zeros(2, np.int32), np.array(size, np.int32))
        whole = part(origin, size)._replace(region=None)
        return whole, whole
    start = layout.starts[0][cell[0]], layout.starts[1][cell[1]]
    return (
        part(layout.queries(start), (layout.query_side,) * 2),
        part(layout.candidates(start), layout.candidate_sides),
    )
