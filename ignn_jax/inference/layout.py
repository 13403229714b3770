"""How an image is cut into tiles, and which parts of the image each tile depends on.

Positions are [row, column], in pixels of the LR image. A tile at the border extends
beyond the image.
"""

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
    """All tiles of an image.

    Attributes:
      size: of the image, int32 [2].
      side: of a tile.
      halo: pixels around a tile that are computed too.
      query_side: of what is computed for a tile; at least side + 2 * halo.
      candidate_sides: of the part in which its neighbors are searched; None: nowhere.
      starts: the first row of each row of tiles, and the first column of each column.
      search: the graph and its scale; None if neighbors are the whole image, or none.
    """

    size: np.ndarray
    side: int
    halo: int
    query_side: int
    candidate_sides: tuple[int, int] | None
    starts: tuple[range, range]
    search: tuple[GraphConfig, int] | None = None

    def queries(self, start: tuple[int, int]) -> Region:
        """What is computed for the tile that starts here."""
        return Region(np.array(start, np.int32) - np.int32(self.halo), self.size)

    def candidates(self, start: tuple[int, int]) -> Region:
        """Where the neighbors of the tile that starts here are searched."""
        if self.search is None:
            return Region(np.zeros(2, np.int32), self.size)
        config, scale = self.search
        patch, stride = config.patch_size, config.patch_stride
        grid = patch_grid(self.size, patch, stride)
        candidates = patch_grid(self.size // scale, patch, stride)
        first = window_starts(
            (np.array(start) - self.halo + grid.before) // stride,
            candidates.counts,
            window_sides(config.window, candidates.counts),
            scale=scale,
            center=config.window_center,
        )
        first = (first - _margin(config)) * stride - candidates.before
        return Region((scale * first).astype(np.int32), self.size)


def make_layout(model: nn.Module, size: tuple[int, int], side: int) -> Layout | None:
    """Cuts an image for a network.

    The sides of parts depend on the image where the network looks for neighbors in all
    of it (window 0, the non-local block), otherwise on the network alone.

    Args:
      model: IGNN or EDSR.
      size: height and width of the image.
      side: of a tile, at least: tiles start where patches do.

    Returns:
      None if the image is too small to be cut: for a patch, or for K neighbors.
    """
    image, (height, width) = np.array(size, np.int32), size
    config = getattr(model, "graph", None)
    if config is None or config.kind == "non_local":
        starts = range(0, height, side), range(0, width, side)
        sides = None if config is None else size
        return Layout(image, side, HALO, side + 2 * HALO, sides, starts)

    scale, patch, stride = model.graph_scale, config.patch_size, config.patch_stride
    grid = patch_grid(image, patch, stride)
    candidates = patch_grid(image // scale, patch, stride).counts
    window = window_sides(config.window, candidates)
    excluded = scale == 1  # a query is not its own neighbor
    if min(size) < scale * patch or math.prod(window) - excluded < config.neighbors:
        return None
    side, halo = (math.ceil(n / stride) * stride for n in (side, HALO))
    queries = math.ceil((side + 2 * halo - patch) / stride) + 1  # of a tile, per axis
    searched = candidates
    if config.window:
        union = windows_union(
            queries, config.window, scale=scale, center=config.window_center
        )
        searched = np.array([union] * 2)
    rows, columns = scale * ((searched + 2 * _margin(config) - 1) * stride + patch)
    return Layout(
        image,
        side,
        halo,
        (queries - 1) * stride + patch,
        (int(rows), int(columns)),
        (range(-grid.before[0], height, side), range(-grid.before[1], width, side)),
        (config, scale),
    )


def _margin(config):
    """Candidates that the spoilt pixels reach."""
    return math.ceil(SPOILT / config.patch_stride)
