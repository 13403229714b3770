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
        side, height = self._layout.side, self._image.shape[0]
        first = max(start[0], 0) // side
        last = (min(start[0] + sides[0], height) - 1) // side
        rows = {n: self._row(n) for n in range(first, last + 1)}
        part = np.zeros((*sides, *rows[first].shape[2:]), rows[first].dtype)
        for n, row in rows.items():
            paste(part, row, (n * side - start[0], -start[1]))
        return part

    def _row(self, n: int) -> np.ndarray:
        if n not in self._rows:
            side, size = self._layout.side, self._layout.size
            starts = [(n * side, column) for column in range(0, size[1], side)]
            sides = (side + 2 * self._layout.halo,) * 2
            encoded: list[np.ndarray] = []
            for batch in batches(starts, self._batch):
                regions = map(self._layout.queries, batch)
                parts = [(cut(self._image, r.start, sides), r) for r in regions]
                encoded.extend(self._encode(parts))
            row = np.concatenate(encoded, axis=1)
            self._rows[n] = row[: size[0] - n * side, : size[1]]
        return self._rows[n]

    def forget_above(self, row: int) -> None:
        """Drops the rows of tiles that end above this row of pixels."""
        for n in [n for n in self._rows if n < row // self._layout.side]:
            del self._rows[n]


def cut_tile(
    layout: Layout,
    start: tuple[int, int],
    image: np.ndarray,
    features: Callable[[Position, tuple[int, int]], np.ndarray],
) -> tuple[Encoded, Encoded] | tuple[np.ndarray, Region]:
    """What a network takes for the tile that starts here.

    Args:
      layout: of the image.
      start: row and column.
      image: the whole image.
      features: cuts F_L, as `Features.cut`.

    Returns:
      The queries and candidates of `IGNN.decode`, or the image and region of EDSR.
    """

    def part(region: Region, sides: tuple[int, int]) -> Encoded:
        start = region.start
        return Encoded(cut(image, start, sides), features(start, sides), region)

    region, sides = layout.queries(start), (layout.query_side,) * 2
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
