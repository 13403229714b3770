"""How an image is cut into tiles, and which parts of the image each tile depends on.

Positions are [row, column], in pixels of the LR image. The last tiles may extend beyond
the image.
"""

import itertools
import math
from typing import NamedTuple

import flax.linen as nn
import numpy as np

from ignn_jax.models import GraphConfig
from ignn_jax.ops.patches import patch_grid
from ignn_jax.ops.regions import Region
from ignn_jax.ops.windows import window_sides, window_starts, windows_union

# Pixels computed around a tile, and again around what is encoded. Deep networks see
# farther, but what they see there makes hardly any difference.
HALO = 16
# Pixels of the downsampled image, near the edges of a part, that differ from the whole
# image's: two through bicubic, two through VGG19.
SPOILT = 4


class Layout(NamedTuple):
    """All tiles of an image, numbered [row, column].

    Attributes:
      size: of the image, int32 [2].
      starts: the first row of what is computed for each row of tiles, and the first
        column for each column. Tiles of one row end where those of the next begin, but
        each is computed with its surroundings.
      sides: of what is computed for a tile.
      halo: pixels near the edges of what is computed that are not kept, except where
        the image ends.
      candidate_sides: of the part in which its neighbors are searched; None: nowhere.
      search: the graph and its scale; None if neighbors are the whole image, or none.
    """

    size: np.ndarray
    starts: tuple[range, range]
    sides: tuple[int, int]
    halo: int
    candidate_sides: tuple[int, int] | None
    search: tuple[GraphConfig, int] | None = None

    @property
    def tiles(self) -> list[tuple[int, int]]:
        """The numbers of all tiles, row by row."""
        rows, columns = (range(len(starts)) for starts in self.starts)
        return list(itertools.product(rows, columns))

    def start(self, tile: tuple[int, int]) -> tuple[int, int]:
        """Where what is computed for a tile begins in the image."""
        return self.starts[0][tile[0]], self.starts[1][tile[1]]

    def kept(self, axis: int, number: int) -> range:
        """The rows (axis 0) or columns (1) of the image that a row of tiles gives."""
        starts = self.starts[axis]
        first, after = number and starts[number] + self.halo, int(self.size[axis])
        if number + 1 < len(starts):
            after = starts[number + 1] + self.halo
        return range(first, after)

    def kept_of(self, tile: tuple[int, int], part: np.ndarray) -> np.ndarray:
        """What is kept of a tile's part: of the image, or of one S times as large."""
        scale = part.shape[0] // self.sides[0]
        rows, columns = (
            slice(scale * (kept.start - start), scale * (kept.stop - start))
            for kept, start in zip(
                map(self.kept, (0, 1), tile), self.start(tile), strict=True
            )
        )
        return part[rows, columns]

    def queries(self, start: tuple[int, int]) -> Region:
        """What is computed if it begins here."""
        return Region(np.array(start, np.int32), self.size)

    def candidates(self, start: tuple[int, int]) -> Region:
        """Where the neighbors are searched of what is computed if it begins here."""
        if self.search is None:
            return Region(np.zeros(2, np.int32), self.size)
        config, scale = self.search
        patch, stride = config.patch_size, config.patch_stride
        grid = patch_grid(self.size, patch, stride)
        candidates = patch_grid(self.size // scale, patch, stride)
        first = window_starts(
            (np.array(start) + grid.before) // stride,
            candidates.counts,
            window_sides(config.window, candidates.counts),
            scale=scale,
            center=config.window_center,
        )
        first = (first - _margin(config)) * stride - candidates.before
        return Region((scale * first).astype(np.int32), self.size)


def make_layout(
    model: nn.Module, size: tuple[int, int], sides: tuple[int, int]
) -> Layout | None:
    """Cuts an image for a network.

    The sides of parts depend on the image where the network looks for neighbors in all
    of it (window 0, the non-local block), otherwise on the network alone.

    Args:
      model: IGNN or EDSR.
      size: height and width of the image.
      sides: height and width of a tile, at least: tiles start where patches do.

    Returns:
      None if the image is too small to be cut: for a patch, or for K neighbors.
    """
    image, (height, width) = np.array(size, np.int32), sides
    config = getattr(model, "graph", None)
    if config is None or config.kind == "non_local":
        computed = height + 2 * HALO, width + 2 * HALO
        starts = _starts(size, sides, HALO, (0, 0))
        return Layout(image, starts, computed, HALO, config and size)

    scale, patch, stride = model.graph_scale, config.patch_size, config.patch_stride
    if not _has_neighbors(config, size, scale):
        return None
    height, width, halo = (math.ceil(n / stride) * stride for n in (*sides, HALO))
    queries = [  # of a tile
        math.ceil((n + 2 * halo - patch) / stride) + 1 for n in (height, width)
    ]
    searched = patch_grid(image // scale, patch, stride).counts.tolist()
    if config.window:
        searched = [
            windows_union(n, config.window, scale=scale, center=config.window_center)
            for n in queries
        ]
    rows, columns = (
        scale * ((n + 2 * _margin(config) - 1) * stride + patch) for n in searched
    )
    before = patch_grid(image, patch, stride).before.tolist()
    starts = _starts(size, (height, width), halo, before)
    computed = (queries[0] - 1) * stride + patch, (queries[1] - 1) * stride + patch
    return Layout(image, starts, computed, halo, (rows, columns), (config, scale))


def can_be_padded(model: nn.Module, size: tuple[int, int]) -> bool:
    """Whether an image of this size can be computed as a part of a larger one.

    If so, both have the same patches, as far as the image reaches.
    """
    config = getattr(model, "graph", None)
    if config is None:
        return True
    starts_with_patch = (config.patch_stride - 1) // 2 == 0  # whatever the size
    return (
        config.kind != "non_local"
        and starts_with_patch
        and _has_neighbors(config, size, model.graph_scale)
    )


def _starts(size, sides, halo, before):
    """Tiles at the ends of the image are larger by what lies around the others."""
    rows, columns = (
        range(-zeros, max(n - 2 * halo, 1 - zeros), side)
        for n, side, zeros in zip(size, sides, before, strict=True)
    )
    return rows, columns


def _has_neighbors(config, size, scale):
    """Whether there are patches, and K candidates for each."""
    small = np.array(size, np.int32) // scale
    counts = patch_grid(small, config.patch_size, config.patch_stride).counts
    window = math.prod(window_sides(config.window, counts).tolist())
    excluded = scale == 1  # a query is not its own neighbor
    return min(size) >= scale * config.patch_size and (
        window - excluded >= config.neighbors
    )


def _margin(config):
    """Candidates that the spoilt pixels reach."""
    return math.ceil(SPOILT / config.patch_stride)
