"""Parts of an image as networks take them, and the image's features made part by part.

Images are float32 [H, W, 3] RGB in [0, 255].
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ignn_jax.inference.layout import Layout
from ignn_jax.models.ignn import Encoded
from ignn_jax.ops.regions import Region

Position = Any  # row and column: two whole numbers


class Features:
    """F_L of an image, encoded a row of tiles at a time when it is first needed."""

    def __init__(self, encode: Callable, layout: Layout, image: np.ndarray, batch: int):
        """`encode` takes a list of at most `batch` parts (lr, region)."""
        self._encode, self._layout, self._image = encode, layout, image
        self._batch = batch
        self._rows: dict[int, np.ndarray] = {}

    def cut(self, start: Position, sides: tuple[int, int]) -> np.ndarray:
        """A part of it, [h, w, C], zeros beyond the image."""
        rows = [
            n
            for n in range(len(self._layout.starts[0]))
            if self._layout.kept(0, n).start < start[0] + sides[0]
            and self._layout.kept(0, n).stop > start[0]
        ]
        first = self._row(rows[0])
        part = np.zeros((*sides, first.shape[-1]), first.dtype)
        for n in rows:
            above = self._layout.kept(0, n).start
            paste(part, self._row(n), (above - start[0], -start[1]))
        return part

    def _row(self, n: int) -> np.ndarray:
        if n not in self._rows:
            layout = self._layout
            tiles = [(n, column) for column in range(len(layout.starts[1]))]
            kept: list[np.ndarray] = []
            for batch in batches(tiles, self._batch):
                regions = [layout.queries(layout.start(tile)) for tile in batch]
                parts = [(cut(self._image, r.start, layout.sides), r) for r in regions]
                kept.extend(map(layout.kept_of, batch, self._encode(parts)))
            self._rows[n] = np.concatenate(kept, axis=1)
        return self._rows[n]

    def forget_above(self, row: int) -> None:
        """Drops the rows of tiles that end above this row of pixels."""
        for n in [n for n in self._rows if self._layout.kept(0, n).stop <= row]:
            del self._rows[n]


def cut_tile(
    layout: Layout,
    start: tuple[int, int],
    image: np.ndarray,
    features: Callable[[Position, tuple[int, int]], np.ndarray],
) -> tuple[Encoded, Encoded] | tuple[np.ndarray, Region]:
    """What a network takes for a tile.

    Args:
      layout: of the image.
      start: row and column where what is computed begins.
      image: the whole image.
      features: cuts F_L, as `Features.cut`.

    Returns:
      The queries and candidates of `IGNN.decode`, or the image and region of EDSR.
    """

    def part(region: Region, sides: tuple[int, int]) -> Encoded:
        start = region.start
        return Encoded(cut(image, start, sides), features(start, sides), region)

    region, sides = layout.queries(start), layout.sides
    if layout.candidate_sides is None:
        return cut(image, region.start, sides), region
    candidates = part(layout.candidates(start), layout.candidate_sides)
    return part(region, sides), candidates


def cut(image: np.ndarray, start: Position, sides: tuple[int, int]) -> np.ndarray:
    """A part of an image [H, W, C], zeros beyond it."""
    part = np.zeros((*sides, image.shape[2]), image.dtype)
    paste(part, image, (-start[0], -start[1]))
    return part


def paste(target: np.ndarray, source: np.ndarray, start: Position) -> None:
    """Writes source over target from this row and column on, where both exist."""
    top, left = (max(n, 0) for n in start)
    source = source[top - start[0] :, left - start[1] :]
    target = target[top:, left:]
    height, width = (
        min(pair) for pair in zip(source.shape[:2], target.shape[:2], strict=True)
    )
    target[:height, :width] = source[:height, :width]


def batches(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Lists of this many; the last may be shorter."""
    return [items[n : n + size] for n in range(0, len(items), size)]
