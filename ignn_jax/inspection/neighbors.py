"""One patch of an image and its neighbors in the graph.

Only the part of the image that the patch depends on is computed, so large images take
no longer. The neighbors are those that the network finds in the whole image.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ignn_jax.inference.encoding import cut_tile
from ignn_jax.inference.layout import make_layout
from ignn_jax.inspection.boxes import Box, PatchGrid
from ignn_jax.inspection.statistics import observe
from ignn_jax.models import IGNN, GraphConfig
from ignn_jax.models.ignn import Encoded, downsample, pad_to
from ignn_jax.ops.windows import window_sides, window_starts


class Explanation(NamedTuple):
    """A query patch and its K neighbors, the nearest first.

    lr: uint8 [H, W, 3], the image.
    small: uint8 [h, w, 3], the part of the downsampled image that was searched.
    start: the row and column of the downsampled image at which `small` begins.
    scale: S, by which the image is downsampled; at 1 the neighbors are in the image
      itself.
    query: the query patch, in the image.
    window: where neighbors were searched, in the downsampled image.
    neighbors: patches of the downsampled image; `times(scale)` gives their HR patches,
      in the image.
    distances: [K], Euclidean, in the embedding E.
    weights: [K], the edge weights of the HR output, averaged over the query patch.
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
    model: IGNN, variables: Mapping[str, Any], image: np.ndarray, at: tuple[int, int]
) -> Explanation:
    """Finds the neighbors of the patch whose center is nearest to a pixel.

    Args:
      model: a network with a graph.
      variables: what `model.apply` takes.
      image: uint8 [H, W, 3].
      at: x and y of the pixel.
    """
    scale, config = model.graph_scale, model.graph
    # As the network does, which matters for images of a few pixels.
    image = np.asarray(pad_to(jnp.asarray(image)[None], scale))[0]
    height, width = image.shape[:2]
    small_size = (height // scale, width // scale)
    grid = PatchGrid.of((height, width), config)
    small_grid = PatchGrid.of(small_size, config)
    cell = grid.nearest(at[::-1])
    query = grid.area(cell)

    queries, candidates = _parts(model, image, query)
    indices, distances, weights = (
        np.asarray(x)
        for x in observe(model, variables, queries, candidates, method="decode")
    )
    start = _start(queries)
    row, column = cell - grid.starting_at(start)
    visible = query.within(Box(0, 0, height, width))

    small = np.asarray(downsample(candidates.lr, scale, candidates.region))[0]
    small_start = [n // scale for n in _start(candidates)]
    shown = Box(*small_start, *small.shape[:2]).within(Box(0, 0, *small_size))
    # Rows and columns of patches of the part, which begins with a patch.
    counts = PatchGrid.of(small.shape[:2], config).counts
    found = np.stack(np.unravel_index(indices[row, column], counts), axis=-1)
    found += small_grid.starting_at(small_start)
    return Explanation(
        lr=image,
        small=np.rint(shown.of(small, small_start)).astype(np.uint8),
        start=shown[:2],
        scale=scale,
        query=query,
        window=_window(cell, small_grid, scale, config),
        neighbors=[small_grid.area(place) for place in found],
        distances=distances[row, column],
        weights=visible.of(weights, start).mean(axis=(0, 1)),
    )


def _window(
    cell: np.ndarray, candidates: PatchGrid, scale: int, config: GraphConfig
) -> Box:
    sides = window_sides(config.window, candidates.counts)
    first = window_starts(
        cell, candidates.counts, sides, scale=scale, center=config.window_center
    )
    return candidates.area(first, sides)


def _parts(model: IGNN, image: np.ndarray, query: Box) -> list[Encoded]:
    """The queries and candidates that `IGNN.decode` takes for this patch.

    The graph does not depend on the features, which are zeros.
    """

    def zeros(_, sides):
        return np.zeros((*sides, model.features), jnp.dtype(model.dtype))

    size = image.shape[:2]
    pixels = image.astype(np.float32)
    layout = make_layout(model, size, (1, 1))  # the part around one patch
    parts: Any
    if layout is None:  # the image is too small to be cut
        parts = [Encoded(jnp.asarray(pixels), jnp.asarray(zeros(None, size)))] * 2
    else:
        start = query.top - layout.halo, query.left - layout.halo
        parts = cut_tile(layout, start, pixels, zeros)
    return [
        part._replace(lr=part.lr[None], features=part.features[None]) for part in parts
    ]


def _start(part: Encoded) -> list[int]:
    """The row and column of the image at which a part begins."""
    return [0, 0] if part.region is None else np.asarray(part.region.start).tolist()
