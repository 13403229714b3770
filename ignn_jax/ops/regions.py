"""Parts of an image: where they lie in it, and where the image ends.

A network that is given a part of an image computes what it would compute of the whole
image, as long as it sees the image's border where that is, and not at the part's edges.

Arrays are NHWC.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Int, Num, Shaped

from ignn_jax.ops.types import Array


class Region(NamedTuple):
    """Where a part lies in its image, in pixels (or in patches of its grid).

    The part may extend beyond the image; what it holds there is meaningless.

    start: int32 [2], the part's first row and column; negative before the image.
    size: int32 [2], height and width of the image.
    """

    start: Int[Array, "2"]
    size: Int[Array, "2"]

    def times(self, scale: int) -> "Region":
        """The same part of the image `scale` times as large."""
        return Region(self.start * scale, self.size * scale)

    def over(self, scale: int) -> "Region":
        """The same part of the image downsampled by `scale`, which divides `start`."""
        return Region(self.start // scale, self.size // scale)


def inside(region: Region, counts: Sequence[int]) -> list[Bool[Array, " N"]]:
    """Which rows and which columns of a part lie inside the image.

    Args:
      region: of the part.
      counts: its rows and columns.
    """
    return [
        (start + jnp.arange(n) >= 0) & (start + jnp.arange(n) < size)
        for start, size, n in zip(*region, counts, strict=True)
    ]


def along(vector: Shaped[Array, " N"], axis: int, ndim: int) -> Shaped[Array, "..."]:
    """A vector as an array of `ndim` axes that lies along one of them."""
    return vector.reshape([-1 if n == axis else 1 for n in range(ndim)])


def zero_beyond(
    x: Num[Array, "B H W C"], region: Region | None
) -> Num[Array, "B H W C"]:
    """A part with zeros where it lies beyond its image; `None` is the whole image."""
    if region is not None:
        for axis, within in enumerate(inside(region, x.shape[1:3]), start=1):
            x = jnp.where(along(within, axis, x.ndim), x, 0)
    return x


def mirror_beyond(x: Num[Array, "B H W C"], region: Region) -> Num[Array, "B H W C"]:
    """A part with the image mirrored, edge pixels repeated, where it lies beyond it."""
    for axis, start, size in zip((1, 2), *region, strict=True):
        position = (start + jnp.arange(x.shape[axis])) % (2 * size)
        position = jnp.minimum(position, 2 * size - 1 - position) - start
        # Far beyond the image the mirrored pixel may lie outside the part.
        x = jnp.take(x, jnp.clip(position, 0, x.shape[axis] - 1), axis=axis)
    return x
