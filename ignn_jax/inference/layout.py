"""How an image is cut into tiles, and what each of them depends on.

All is in pixels of the image or in patches of the graph's two grids (Section 3.1 of the
paper); a tile at the border reaches beyond the image.
"""

import math
from typing import NamedTuple

import flax.linen as nn
import numpy as np

from ignn_jax.models.edsr import upsample_factors
from ignn_jax.ops.patches import patch_axis
from ignn_jax.ops.search import Grids, window_sides, window_starts, windows_union

# Pixels computed around a tile, and once more around what is encoded. Deep networks see
# farther, but what they see there hardly makes a difference.
HALO = 16
# Pixels of the downsampled image that are not the whole image's, near the edges of a
# part: two through bicubic, two through VGG19.
SPOILT = 4


class Span(NamedTuple):
    """One tile along one axis.

    start: its first pixel.
    queries: the first pixel of what is computed for it.
    first_query: the number of the patch that begins there.
    candidates: the first pixel in which neighbors are searched.
    first_candidate: the number of the candidate that begins there.
    """

    start: int
    queries: int
    first_query: int = 0
    candidates: int = 0
    first_candidate: int = 0


class Layout(NamedTuple):
    """All tiles of an image.

    side: of a tile.
    halo: pixels around a tile that are computed too.
    query_side: of what is computed for a tile; no less than side + 2 * halo.
    candidate_sides: of that in which neighbors are searched; None: nowhere.
    rows, columns: the tiles.
    queries, candidates, window: see `ops.knn.Grids`; None without a search.
    """

    side: int
    halo: int
    query_side: int
    candidate_sides: tuple[int, int] | None
    rows: list[Span]
    columns: list[Span]
    queries: tuple[int, int] | None = None
    candidates: tuple[int, int] | None = None
    window: tuple[int, int] | None = None

    def grids(self, row: Span, column: Span) -> Grids | None:
        """Where the patches of a tile lie, for the search; None without a search."""
        if self.window is None:
            return None
        pairs = (
            (row.first_query, column.first_query),
            self.queries,
            (row.first_candidate, column.first_candidate),
            self.candidates,
            self.window,
        )
        return Grids(*(np.array(pair, np.int32) for pair in pairs))


def make_layout(model: nn.Module, size: tuple[int, int], side: int) -> Layout | None:
    """Cuts an image for a network.

    Sides depend on the image where the network looks for neighbors in all of it (window
    0, the non-local block), else on the network alone.

    Args:
      model: IGNN or EDSR.
      size: height and width of the image.
      side: of a tile, at the least: tiles begin where patches do.

    Returns:
      None if the image is too small to be cut: for a patch, or for K neighbors.
    """
    graph = getattr(model, "graph", None)
    if graph is not None and graph.kind != "non_local":
        return _layout_with_search(model, graph, size, side)
    query_side = side + 2 * HALO
    rows, columns = (
        [Span(start, start - HALO) for start in range(0, length, side)]
        for length in size
    )
    candidate_sides = None if graph is None else size
    return Layout(side, HALO, query_side, candidate_sides, rows, columns)


def _layout_with_search(model, graph, size, side):
    patch, stride = graph.patch_size, graph.patch_stride
    scale = upsample_factors(model.scale)[0] if graph.kind == "cross_scale" else 1
    center = dict(scale=scale, center=graph.window_center)

    query_axes = [patch_axis(length, patch, stride) for length in size]
    axes = [patch_axis(length // scale, patch, stride) for length in size]
    candidates = tuple(axis.count for axis in axes)
    window = window_sides(graph.window, candidates)
    excluded = scale == 1  # a query is no neighbor of itself
    if min(size) < scale * patch or math.prod(window) - excluded < graph.neighbors:
        return None

    side, halo = (math.ceil(n / stride) * stride for n in (side, HALO))
    around = math.ceil((side + 2 * halo - patch) / stride) + 1  # queries of a tile
    margin = math.ceil(SPOILT / stride)

    def cut(length, before, axis, width):
        spans = []
        for start in range(0, length + before, side):
            query = (start - halo) // stride
            candidate = int(window_starts(query, axis.count, width, **center)) - margin
            pixel = scale * (candidate * stride - axis.before)
            start -= before
            spans.append(Span(start, start - halo, query, pixel, candidate))
        return spans

    rows, columns = (
        cut(length, query_axis.before, axis, width)
        for length, query_axis, axis, width in zip(
            size, query_axes, axes, window, strict=True
        )
    )
    searched = (
        windows_union(around, graph.window, **center) if graph.window else count
        for count in candidates
    )
    return Layout(
        side,
        halo,
        (around - 1) * stride + patch,
        tuple(scale * ((n + 2 * margin - 1) * stride + patch) for n in searched),
        rows,
        columns,
        tuple(axis.count for axis in query_axes),
        candidates,
        window,
    )
