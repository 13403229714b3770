"""Parts of an image: where they lie in it, and where the image ends.

A network that is given a part of an image computes what it would compute of the whole
image, as long as it sees the image's border where that is, and not at the part's edges.

Arrays are NHWC.
"""

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


def inside(region: Region, axis: int, count: int) -> Bool[Array, " N"]:
    """Which of a part's rows (axis 0) or columns (1) lie inside the image.

    Args:
      region: where the part lies.
      axis: 0 or 1.
      count: the part's rows or columns, N.
    """
    position = region.start[axis] + jnp.arange(count, dtype=jnp.int32)
    return (position >= 0) & (position < region.size[axis])


def along(vector: Shaped[Array, " N"], axis: int, ndim: int) -> Shaped[Array, "..."]:
    """A vector as an array of `ndim` axes that lies along one of them."""
    return vector.reshape([-1 if n == axis else 1 for n in range(ndim)])


def zero_beyond(
    x: Num[Array, "B H W C"], region: Region | None
) -> Num[Array, "B H W C"]:
    """A part with zeros where it lies beyond its image; `None` is the whole image."""
    if region is not None:
        for axis in (1, 2):
            within = inside(region, axis - 1, x.shape[axis])
            x = jnp.where(along(within, axis, x.ndim), x, 0)
    return x


def mirror_beyond(x: Num[Array, "B H W C"], region: Region) -> Num[Array, "B H W C"]:
    """A part with the image mirrored, edge pixels repeated, where it lies beyond it."""
    for axis, start, size in zip((1, 2), *region, strict=True):
        position = (start + jnp.arange(x.shape[axis], dtype=jnp.int32)) % (2 * size)
        position = jnp.minimum(position, 2 * size - 1 - position) - start
        # Far beyond the image the mirrored pixel may lie outside the part.
        x = jnp.take(x, jnp.clip(position, 0, x.shape[axis] - 1), axis=axis)
    return x
