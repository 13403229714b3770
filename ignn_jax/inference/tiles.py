"""One image through a network in overlapping tiles of one size, compiled once.

Images are float32 [H, W, 3]; neither their range nor the network's is touched.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ignn_jax.errors import InputError


class _Span(NamedTuple):
    """One tile along one axis."""

    read: slice  # of the image
    keep: slice  # of the upscaled tile
    write: slice  # of the result, where `keep` goes


def _spans(length: int, tile: int, overlap: int, scale: int) -> list[_Span]:
    """The fewest tiles that cover an axis, evenly spread, cut amid their overlaps."""
    if length <= tile:
        starts = [0]
    else:
        gaps = -(-(length - tile) // (tile - 2 * overlap))
        starts = [i * (length - tile) // gaps for i in range(gaps + 1)]
    middles = [(left + tile + right) // 2 for left, right in itertools.pairwise(starts)]
    return [
        _Span(
            read=slice(start, start + tile),
            keep=slice(scale * (low - start), scale * (high - start)),
            write=slice(scale * low, scale * high),
        )
        for start, low, high in zip(
            starts, [0, *middles], [*middles, length], strict=True
        )
    ]


def check_tile(tile: int | None, overlap: int) -> None:
    """Refuses a tile of which the overlap leaves nothing.

    Raises:
      InputError: the tile is not larger than twice the overlap, or one is negative.
    """
    if overlap < 0:
        raise InputError(f"an overlap of {overlap} pixels: must be 0 or more")
    if tile and tile <= 2 * overlap:
        raise InputError(
            f"a tile of {tile} pixels: with an overlap of {overlap} on each side "
            f"it must be larger than {2 * overlap}"
        )


def upscale_tiled(
    apply: Callable[[Any], Any],
    image: np.ndarray,
    *,
    scale: int,
    tile: int | None,
    overlap: int = 16,
    progress: Callable[[Sequence], Iterable] = iter,
) -> np.ndarray:
    """Upscales an image tile by tile; tiles and image equal where the overlap suffices.

    All tiles have one shape, `tile` x `tile`, or the image's side where that is the
    smaller one, so a jitted `apply` is traced once per image. Every output pixel comes
    from the tile in which it lies deepest, and at least `overlap` pixels from any edge
    that is not the image's own: with an overlap no smaller than the network's receptive
    radius the result is that of the whole image. One tile is held at a time.

    Args:
      apply: the network, float32 [1, h, w, 3] -> [1, scale * h, scale * w, 3].
      image: float32 [H, W, 3].
      scale: how much larger the result is.
      tile: side of a tile in pixels of `image`, overlap included; None or 0: no tiles.
      overlap: pixels at each inner border of a tile whose results are discarded.
      progress: wraps the sequence of tiles while they are worked through, as
        `tqdm.tqdm` does.

    Returns:
      float32 [scale * H, scale * W, 3], not clipped.

    Raises:
      InputError: as `check_tile`.
      ValueError: `apply` returned another shape than `scale` promises.
    """
    check_tile(tile, overlap)
    height, width, _ = image.shape
    tile_height = min(tile or height, height)
    tile_width = min(tile or width, width)
    rows = _spans(height, tile_height, overlap, scale)
    columns = _spans(width, tile_width, overlap, scale)
    tile_shape = (1, scale * tile_height, scale * tile_width, 3)
    result = np.empty((scale * height, scale * width, 3), np.float32)
    for row, column in progress(list(itertools.product(rows, columns))):
        upscaled = np.asarray(apply(image[None, row.read, column.read]))
        if upscaled.shape != tile_shape:
            raise ValueError(f"apply returned {upscaled.shape}, not {tile_shape}")
        result[row.write, column.write] = upscaled[0, row.keep, column.keep]
    return result
