"""Windowed search for the nearest patches, and the labels of their edges (Section 3.1).

Queries are searched a tile of the grid at a time. The windows of a tile's queries
overlap almost entirely, so their union is cut out once and the distances are one matrix
product, masked to each query's own window and handed to `lax.top_k`. Memory is that of
one tile, or of several on accelerators, whatever the size of the image.

Images are [B, H, W, E], patches are counted row by row.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.export import is_symbolic_dim
from jaxtyping import Float, Int

from ignn_jax.devices import default_platform
from ignn_jax.ops.patches import grid_region, patch_grid, unfold
from ignn_jax.ops.regions import Region
from ignn_jax.ops.types import Array
from ignn_jax.ops.windows import window_sides, window_starts, windows_union

# Queries on a side of a tile. A larger tile makes larger products, but searches more
# cells that lie in the window of only some of its queries.
TILE = 16
# Candidates compared at once; a larger search goes through blocks of this size.
BLOCK = 4096
# Accelerators are slow at many small steps, so they search several tiles at once. Their
# largest array together holds at most so many numbers, 128 MiB.
AT_ONCE = 2**25


class Graph(NamedTuple):
    """The K nearest candidates of each query patch, the nearest first.

    indices: int32 [B, M1, M2, K], flat (row-major) into the N1 x N2 candidates.
    distances: float32 [B, M1, M2, K], squared Euclidean, between embedded patches.
    labels: float32 [B, M1, M2, K, E], the edge labels: |E_q - E_n| summed over the
      pixels of the patch.
    """

    indices: Int[Array, "B M1 M2 K"]
    distances: Float[Array, "B M1 M2 K"]
    labels: Float[Array, "B M1 M2 K E"]


@functools.partial(
    jax.jit,
    static_argnames=(
        "neighbors",
        "window",
        "patch_size",
        "patch_stride",
        "scale",
        "window_center",
        "block",
    ),
)
def nearest_patches(
    queries: Float[Array, "B H W E"],
    candidates: Float[Array, "B h w E"],
    *,
    neighbors: int,
    window: int,
    patch_size: int,
    patch_stride: int,
    scale: int,
    window_center: str = "centered",
    block: int = BLOCK,
    regions: tuple[Region, Region] | None = None,
) -> Graph:
    """Finds the nearest candidate patches of every query patch.

    Args:
      queries: [B, H, W, E], the embedded image; M1 x M2 patches.
      candidates: [B, h, w, E], the embedded image downsampled; N1 x N2 patches. At
        scale 1 no patch is its own neighbor.
      neighbors: K; fewer are returned where the window holds fewer.
      window: side of the square of candidates that a query is compared with, in grid
        cells (see `window_sides`).
      patch_size, patch_stride: of both grids, in pixels.
      scale: downsampling factor between the two images.
      window_center: see `window_starts`.
      block: candidates compared at once.
      regions: where queries and candidates lie if they are parts of the two images.
        Each begins and ends with a patch of its image's grid, the candidates contain
        the windows of the queries, and these hold at least K. `None`: whole images.

    Returns:
      The graph. It is meaningless for queries beyond the image.
    """
    grids = [
        patch_grid(_sides(image.shape[1:3]), patch_size, patch_stride)
        for image in (queries, candidates)
    ]
    (m1, m2), (n1, n2) = (grid.counts.tolist() for grid in grids)
    if regions is None:
        first = np.zeros(2, np.int32)
        here, there = (Region(first, grid.counts) for grid in grids)
        sides = window_sides(window, there.size)
        neighbors = min(neighbors, max(math.prod(sides.tolist()) - (scale == 1), 1))
    else:
        here, there = (grid_region(r, patch_size, patch_stride) for r in regions)
        sides = window_sides(window, there.size)
    rows, columns = (
        _plan_axis(m, n, window or n, *numbers, scale=scale, center=window_center)
        for m, n, *numbers in zip(
            (m1, m2), (n1, n2), here.start, there.start, there.size, sides, strict=True
        )
    )
    query_source, candidate_source = (
        _Source(image, grid.before.tolist(), patch_size, patch_stride)
        for image, grid in zip((queries, candidates), grids, strict=True)
    )
    search = _Search(
        query_source,
        candidate_source,
        rows,
        columns,
        neighbors,
        row_length=n2,
        block=min(rows.union, max(1, block // columns.union)),
        exclude_self=scale == 1 and (regions is not None or math.prod(sides) > 1),
    )
    tiles = (queries.shape[0], rows.first.shape[0], columns.first.shape[0])
    candidates_at_once = search.block * columns.union
    at_once = _tiles_at_once(
        tiles,
        candidates_at_once * rows.tile * columns.tile,
        candidates_at_once * patch_size**2 * queries.shape[3],
    )
    axes = (jnp.arange(n, dtype=jnp.int32) for n in tiles)
    numbers = [n.ravel() for n in jnp.meshgrid(*axes, indexing="ij")]
    # The last round is full too: what remained would be compiled as a second program.
    spare = -math.prod(tiles) % at_once if at_once else 0
    if spare:
        numbers = [jnp.pad(n, (0, spare), mode="edge") for n in numbers]
    found = jax.lax.map(
        lambda tile: search.tile(*tile), tuple(numbers), batch_size=at_once
    )

    def assemble(x):  # [B * tiles, tile, tile, ...] -> [B, M1, M2, ...]
        x = x[: len(x) - spare] if spare else x
        x = x.reshape(*tiles, *x.shape[1:]).swapaxes(2, 3)
        x = x.reshape(tiles[0], tiles[1] * rows.tile, -1, *x.shape[5:])
        return x[:, :m1, :m2]

    return jax.tree.map(assemble, found)


def _tiles_at_once(tiles, *sizes) -> int | None:
    """How many tiles to search at once; `None` for one, in a plain loop.

    Args:
      tiles: the numbers of images, of rows of tiles, and of columns.
      sizes: of the largest arrays of one tile.
    """
    # A size that only an exported program knows cannot be divided.
    if default_platform() == "cpu" or any(map(is_symbolic_dim, tiles)):
        return None
    count = math.prod(tiles)
    rounds = math.ceil(count / max(1, AT_ONCE // max(sizes)))
    return math.ceil(count / rounds)


def _sides(shape):
    """As int32, for JAX's 64-bit mode; those of an exported program may be symbols."""
    sides = np.array(shape)
    return sides if sides.dtype == object else sides.astype(np.int32)


class _Search(NamedTuple):
    """What the search of each tile has in common."""

    queries: "_Source"
    candidates: "_Source"
    rows: "_AxisPlan"
    columns: "_AxisPlan"
    neighbors: int  # K
    row_length: int  # candidates in a row of their grid
    block: int  # rows of candidates compared at once
    exclude_self: bool

    def tile(self, batch, i, j):
        """The graph of one tile of queries: [tile, tile, K, ...]."""
        rows, columns = self.rows, self.columns
        first = i * rows.tile, j * columns.tile
        query = self.queries.cut(batch, first, (rows.tile, columns.tile))

        def merge(n, best):
            offset = jnp.minimum(n * self.block, rows.union - self.block)
            found = self._nearest_in_block((batch, i, j), query, offset, n * self.block)
            distances, indices = (
                jnp.concatenate(pair, axis=-1) for pair in zip(best, found, strict=True)
            )
            nearest, place = jax.lax.top_k(-distances, self.neighbors)
            return -nearest, jnp.take_along_axis(indices, place, axis=-1)

        best = self._nearest_in_block((batch, i, j), query, 0, 0)
        blocks = math.ceil(rows.union / self.block)
        if blocks > 1:
            best = jax.lax.fori_loop(1, blocks, merge, best)
        distances, indices = best

        def label(index):  # [tile, tile], of one neighbor of each query
            place = jnp.divmod(index, self.row_length)
            return jnp.abs(query - self.candidates.gather(batch, *place)).sum((2, 3))

        # Labeled here, the copies of the neighbors' patches are only those of a tile.
        labels = jnp.moveaxis(jax.lax.map(label, jnp.moveaxis(indices, -1, 0)), 0, 2)
        return Graph(indices, jnp.maximum(distances, 0), labels)

    def _nearest_in_block(self, tile, query, offset, fresh):
        """The nearest in a block of the union's rows that begins with row `offset`.

        Rows before `fresh`, which the block before it had, are left out. Returns
        distances and indices, [tile, tile, K] both.
        """
        (batch, i, j), rows, columns = tile, self.rows, self.columns
        sides = query.shape[:2]
        top, left = rows.first[i] + offset, columns.first[j]
        candidate = self.candidates.cut(batch, (top, left), (self.block, columns.union))
        query, candidate = (
            x.reshape(math.prod(x.shape[:2]), -1) for x in (query, candidate)
        )
        products = jnp.matmul(query, candidate.T, precision=jax.lax.Precision.HIGHEST)
        distances = (
            jnp.sum(query**2, axis=1)[:, None]
            + jnp.sum(candidate**2, axis=1)[None, :]
            - 2 * products
        ).reshape(*sides, self.block, columns.union)

        row, column = (
            top + jnp.arange(self.block, dtype=jnp.int32),
            left + jnp.arange(columns.union, dtype=jnp.int32),
        )
        rows_allowed = rows.window_holds(i, row) & (row >= rows.first[i] + fresh)[None]
        allowed = _outer(rows_allowed, columns.window_holds(j, column))
        if self.exclude_self:
            own_row, own_column = rows.own[i][:, None], columns.own[j][:, None]
            allowed &= ~_outer(own_row == row[None], own_column == column[None])
        distances = jnp.where(allowed, distances, jnp.inf).reshape(*sides, -1)
        nearest, place = jax.lax.top_k(-distances, self.neighbors)
        row, column = top + place // columns.union, left + place % columns.union
        return -nearest, row * self.row_length + column


def _outer(rows, columns):
    """Both: [M1, N1] and [M2, N2] to [M1, M2, N1, N2]."""
    return rows[:, None, :, None] & columns[None, :, None, :]


class _Source(NamedTuple):
    """An image that patches are cut from, zeros beyond it."""

    image: Array  # [B, H, W, E]
    before: list[int]  # zeros before the first patch's row and column
    patch_size: int
    stride: int

    def cut(self, batch, first, counts):
        """A rectangle of patches from patch `first` on: [*counts, P, P, E]."""
        starts = [n * self.stride - b for n, b in zip(first, self.before, strict=True)]
        sizes = [(n - 1) * self.stride + self.patch_size for n in counts]
        area = self._pixels(
            batch,
            starts[0] + jnp.arange(sizes[0], dtype=jnp.int32)[:, None],
            starts[1] + jnp.arange(sizes[1], dtype=jnp.int32)[None, :],
        )
        patches = unfold(area[None], self.patch_size, self.stride)[0]
        return patches.swapaxes(1, 2)

    def gather(self, batch, row, column):
        """The patches at these places of the grid, [...]: [..., P, P, E]."""
        rows, columns = (
            jnp.stack([n * self.stride - b + p for p in range(self.patch_size)], -1)
            for n, b in zip((row, column), self.before, strict=True)
        )
        return self._pixels(batch, rows[..., :, None], columns[..., None, :])

    def _pixels(self, batch, rows, columns):
        height, width = self.image.shape[1:3]
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        pixels = self.image[batch, rows.clip(0, height - 1), columns.clip(0, width - 1)]
        return jnp.where(inside[..., None], pixels, 0).astype(jnp.float32)


class _AxisPlan(NamedTuple):
    """How one axis of the query grid is cut into tiles, in candidates of the part."""

    tile: int  # queries in a tile
    union: int  # candidates that cover the windows of any tile
    first: jax.Array  # [tiles], first candidate of a tile's union
    starts: jax.Array  # [tiles, tile], first candidate in each query's window
    own: jax.Array  # [tiles, tile], the candidate in each query's place (at scale 1)
    width: jax.Array | int  # candidates in a window

    def window_holds(self, tile, position):
        """Whether each position lies in each query's window: [tile, positions]."""
        start = self.starts[tile][:, None]
        return (position[None] >= start) & (position[None] < start + self.width)


def _plan_axis(
    queries, candidates, limit, first_query, first_candidate, count, width, **center
) -> _AxisPlan:
    """Plans the search of `queries` among `candidates`, both of the part.

    The part begins with `first_query` and `first_candidate` of the image, which has
    `count` candidates. Windows are `width` wide, and at most `limit`.
    """
    tiles = -(-queries // TILE)
    # Tiles of one size, or as large as possible if only an exported program knows it.
    tile = TILE if is_symbolic_dim(queries) else -(-queries // tiles)
    number = jnp.arange(tiles * tile, dtype=jnp.int32).reshape(tiles, tile)
    number += first_query
    starts = window_starts(number, count, width, **center) - first_candidate
    union = min(candidates, windows_union(tile, limit, **center))
    first = jnp.clip(starts[:, 0], 0, candidates - union)
    return _AxisPlan(tile, union, first, starts, number - first_candidate, width)
