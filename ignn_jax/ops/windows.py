"""Windows of candidates that queries are compared with, in cells of their grids."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from ignn_jax.ops.types import Array


def window_starts(
    queries: Int[Array, "*M"],
    candidates: Int[Array, "..."] | np.integer | int,
    width: Int[Array, "..."] | np.integer | int,
    *,
    scale: int,
    center: str = "centered",
) -> Int[Array, "*M"]:
    """First candidate in the windows of the queries of these numbers.

    Along one axis, or along both: then all are [2].

    The center of query i is candidate i // scale. `center="reference"` uses, as the
    reference does, i // 2 and width // scale as the half width: off center at scale 3.
    """
    half = {"centered": width // 2, "reference": width // scale}[center]
    first = queries // _step(scale, center) - half
    return first.clip(0, candidates - width).astype(np.int32)


def windows_union(queries: int, width: int, *, scale: int, center: str) -> int:
    """Candidates that hold the windows of this many consecutive queries."""
    return width + math.ceil((queries - 1) / _step(scale, center))


def _step(scale, center):
    """Queries after which the window moves by one candidate."""
    return scale if center == "centered" else 2


def window_sides(window: int, candidates: Int[Array, "2"]) -> Int[Array, "2"]:
    """The window's height and width in a grid of n1 x n2 candidates.

    A square of side `window`, or of the grid's smaller side if that is smaller; the
    whole grid if `window` is 0 or no side of the grid is larger.
    """
    if not window:
        return candidates
    where = jnp.where if isinstance(candidates, jax.Array) else np.where
    side = candidates.min().clip(max=window)
    return where(window >= candidates.max(), candidates, side)
