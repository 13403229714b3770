"""Windowed search for the nearest patches: step 1 of the graph (Section 3.1).

Queries are taken a tile of the grid at a time. The windows of a tile's queries overlap
almost wholly, so their union is cut out once and the distances are one matrix product,
masked to each query's own window and handed to `lax.top_k`. Memory is a tile's,
whatever the size of the image.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ignn_jax.ops.patches import Exists, patch_axis, unfold

# Queries a side of a tile. A larger tile makes larger products, and searches more
# cells that lie in the window of some of its queries only.
TILE = 16
# Candidates compared at once; a larger search streams over blocks of this size.
BLOCK = 4096


class Neighbors(NamedTuple):
    """The K nearest candidates of each query, the nearest first.

    indices: int32 [B, M1, M2, K], flat (row-major) into the candidates' grid.
    distances: float32 [B, M1, M2, K], squared Euclidean.
    """

    indices: jax.Array
    distances: jax.Array


class Grids(NamedTuple):
    """Where parts of the two grids lie in those of the whole image: int32 [2] each.

    first_query: row and column of the part's first; negative before the image.
    queries: M1 and M2 of the image.
    first_candidate: of the part's.
    candidates: N1 and N2 of the image.
    window: see `window_sides`; at least K candidates.
    """

    first_query: jax.Array
    queries: jax.Array
    first_candidate: jax.Array
    candidates: jax.Array
    window: jax.Array

    def queries_exist(self, counts: tuple[int, int]) -> Exists:
        """Which of the part's rows and columns of queries are the image's."""
        numbers = [
            n + jnp.arange(m) for n, m in zip(self.first_query, counts, strict=True)
        ]
        return tuple(
            (n >= 0) & (n < m) for n, m in zip(numbers, self.queries, strict=True)
        )


def window_starts(
    queries: jax.Array | int,
    candidates: int,
    width: int,
    *,
    scale: int,
    center: str = "centered",
) -> jax.Array:
    """First candidate in the windows of the queries of these numbers, along one axis.

    The center of query i is candidate i // scale. `center="reference"` takes the
    reference's i // 2 and width // scale for the half width: off center at scale 3.
    """
    half = {"centered": width // 2, "reference": width // scale}[center]
    first = queries // _step(scale, center) - half
    return jnp.clip(first, 0, candidates - width).astype(jnp.int32)


def windows_union(queries: int, width: int, *, scale: int, center: str) -> int:
    """Candidates that hold the windows of any so many consecutive queries."""
    return width + math.ceil((queries - 1) / _step(scale, center))


def _step(scale, center):
    """Queries in which the window moves on by one candidate."""
    return scale if center == "centered" else 2


def window_sides(window: int, candidates: tuple[int, int]) -> tuple[int, int]:
    """The window's height and width in a grid of n1 x n2 candidates.

    A square of side `window`, at most the smaller side of the grid; the whole grid if
    0, or if no side of the grid is larger.
    """
    if not window or window >= max(candidates):
        return candidates
    return (min(window, *candidates),) * 2


@functools.partial(
    jax.jit,
    static_argnames=(
        "neighbors",
        "window",
        "patch_size",
        "patch_stride",
        "scale",
        "window_center",
        "exclude_self",
    ),
)
def nearest_patches(
    queries: jax.Array,
    candidates: jax.Array,
    *,
    neighbors: int,
    window: int,
    patch_size: int,
    patch_stride: int,
    scale: int,
    window_center: str = "centered",
    exclude_self: bool = False,
    grids: Grids | None = None,
) -> Neighbors:
    """The nearest candidate patches of every query patch.

    Of a whole image, or of a part of it: then `queries` and `candidates` begin with a
    patch of their grid, end with one, and the latter hold the windows of the former.

    Args:
      queries: [B, H, W, E], the embedded image; M1 x M2 patches.
      candidates: [B, h, w, E], the embedded image downsampled; N1 x N2 patches.
      neighbors: K; fewer are returned where the window holds fewer.
      window: side of the square of candidates that a query is compared with, in grid
        cells (see `window_sides`).
      patch_size, patch_stride: of both grids, in pixels.
      scale: downsampling factor between the two images.
      window_center: see `window_starts`.
      exclude_self: leave out the candidate in the query's own place (for scale 1).
      grids: where the parts lie; None for whole images.

    Returns:
      Neighbors, with indices and distances [B, M1, M2, K]. Of queries beyond the image
      they have no meaning.
    """
    axes = [
        patch_axis(length, patch_size, patch_stride)
        for length in (*queries.shape[1:3], *candidates.shape[1:3])
    ]
    m1, m2, n1, n2 = (axis.count for axis in axes)
    if grids is None:
        origin, sides = (0, 0), window_sides(window, (n1, n2))
        exclude_self = exclude_self and sides != (1, 1)
        neighbors = min(neighbors, math.prod(sides) - exclude_self)
        grids = Grids(origin, (m1, m2), origin, (n1, n2), sides)
        limits = sides
    else:
        limits = (window or n1, window or n2)
    rows, columns = (
        _plan_axis(m, n, limit, Grids(*numbers), scale, window_center)
        for m, n, limit, *numbers in zip(
            (m1, m2), (n1, n2), limits, *grids, strict=True
        )
    )
    height, width = grids.window
    block = min(rows.union, max(1, BLOCK // columns.union))  # rows of candidates

    def cut(image, grid_axes, grid_counts, batch, firsts, counts):
        """Patches [counts[0] * counts[1], P * P * E] from a place in the grid on."""
        starts = [
            first * patch_stride - axis.before
            for first, axis in zip(firsts, grid_axes, strict=True)
        ]
        sizes, lengths = (
            [(count - 1) * patch_stride + patch_size for count in numbers]
            for numbers in (counts, grid_counts)
        )
        margins = [
            (axis.before, max(length - axis.before - side, 0))
            for axis, length, side in zip(
                grid_axes, lengths, image.shape[1:3], strict=True
            )
        ]
        region = _region(image, batch, starts, sizes, margins).astype(jnp.float32)
        patches = unfold(region, patch_size, patch_stride)[0]
        return patches.transpose(0, 2, 1, 3, 4).reshape(math.prod(counts), -1)

    def search_tile(tile):
        batch, i, j = tile
        top, left = rows.first[i], columns.first[j]
        tile_sides = rows.tile, columns.tile
        query = cut(
            queries,
            axes[:2],
            (rows.starts.size, columns.starts.size),
            batch,
            (i * rows.tile, j * columns.tile),
            tile_sides,
        )

        def search_block(offset, fresh):
            """Nearest among `block` rows of the union; those before `fresh` are known.

            Returns distances and indices [tile, tile, K].
            """
            candidate = cut(
                candidates,
                axes[2:],
                (n1, n2),
                batch,
                (top + offset, left),
                (block, columns.union),
            )
            products = jnp.matmul(
                query, candidate.T, precision=jax.lax.Precision.HIGHEST
            )
            distances = (
                jnp.sum(query**2, axis=1)[:, None]
                + jnp.sum(candidate**2, axis=1)[None, :]
                - 2 * products
            ).reshape(rows.tile, columns.tile, block, columns.union)
            row = top + offset + jnp.arange(block)
            column = left + jnp.arange(columns.union)
            allowed = (_inside(rows, i, row, height) & (row >= top + fresh)[None])[
                :, None, :, None
            ] & _inside(columns, j, column, width)[None, :, None, :]
            if exclude_self:
                same_row = rows.own[_numbers(rows, i)][:, None] == row[None]
                same_column = columns.own[_numbers(columns, j)][:, None] == column[None]
                allowed &= ~(same_row[:, None, :, None] & same_column[None, :, None, :])
            distances = jnp.where(allowed, distances, jnp.inf)
            nearest, place = jax.lax.top_k(
                -distances.reshape(rows.tile, columns.tile, -1), neighbors
            )
            index = (top + offset + place // columns.union) * n2
            return -nearest, index + left + place % columns.union

        def merge(n, best):
            offset = jnp.minimum(n * block, rows.union - block)
            found = search_block(offset, n * block)
            distances, indices = (
                jnp.concatenate(pair, axis=-1) for pair in zip(best, found, strict=True)
            )
            nearest, place = jax.lax.top_k(-distances, neighbors)
            return -nearest, jnp.take_along_axis(indices, place, axis=-1)

        best = search_block(0, 0)
        blocks = math.ceil(rows.union / block)
        return jax.lax.fori_loop(1, blocks, merge, best) if blocks > 1 else best

    batch = queries.shape[0]
    tiles = (batch, rows.first.size, columns.first.size)
    found = jax.lax.map(
        search_tile, tuple(jnp.asarray(n.ravel(), jnp.int32) for n in np.indices(tiles))
    )

    def assemble(x):  # [B * tiles, tile, tile, K] -> [B, M1, M2, K]
        x = x.reshape(*tiles, rows.tile, columns.tile, neighbors).transpose(
            0, 1, 3, 2, 4, 5
        )
        return x.reshape(batch, rows.starts.size, columns.starts.size, neighbors)[
            :, :m1, :m2
        ]

    distances, indices = (assemble(x) for x in found)
    return Neighbors(indices, jnp.maximum(distances, 0))


def _region(image, batch, starts, sizes, margins):
    """A rectangle of an image, zeros where it lies beyond: [1, *sizes, C].

    It reaches beyond by at most the margins. It is what is padded: of the image there
    is no copy.
    """
    sides, channels = image.shape[1:3], image.shape[3]
    held = [min(size, side) for size, side in zip(sizes, sides, strict=True)]
    firsts = [
        jnp.clip(start, 0, side - n)
        for start, side, n in zip(starts, sides, held, strict=True)
    ]
    part = jax.lax.dynamic_slice(image, (batch, *firsts, 0), (1, *held, channels))
    part = jnp.pad(part, [(0, 0), *margins, (0, 0)])
    within = [
        before + start - first
        for (before, _), start, first in zip(margins, starts, firsts, strict=True)
    ]
    return jax.lax.dynamic_slice(part, (0, *within, 0), (1, *sizes, channels))


class _AxisPlan(NamedTuple):
    """How one axis of the query grid is cut into tiles, in candidates of the part."""

    tile: int  # queries in a tile
    starts: jax.Array  # [tiles * tile], first candidate in each query's window
    union: int  # candidates that cover the windows of any tile
    first: jax.Array  # [tiles], first candidate of a tile's union
    own: jax.Array  # [tiles * tile], the candidate in each query's place (for scale 1)


def _plan_axis(queries, candidates, limit, grid, scale, center) -> _AxisPlan:
    """Of `queries` and `candidates` in the part, and windows of at most `limit`."""
    tiles = math.ceil(queries / TILE)
    tile = math.ceil(queries / tiles)
    number = grid.first_query + jnp.arange(tiles * tile)
    starts = window_starts(
        number, grid.candidates, grid.window, scale=scale, center=center
    )
    starts = starts - grid.first_candidate
    union = min(candidates, windows_union(tile, limit, scale=scale, center=center))
    first = jnp.clip(starts[::tile], 0, candidates - union)
    return _AxisPlan(tile, starts, union, first, number - grid.first_candidate)


def _numbers(axis: _AxisPlan, tile) -> jax.Array:
    """The grid positions of a tile's queries: [tile]."""
    return tile * axis.tile + jnp.arange(axis.tile)


def _inside(axis: _AxisPlan, tile, position, width) -> jax.Array:
    """Whether each position lies in each query's window: [tile, positions]."""
    start = axis.starts[_numbers(axis, tile)][:, None]
    return (position[None] >= start) & (position[None] < start + width)
