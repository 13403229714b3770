"""Parts of an image: where they lie, and what the image's border is to them.

A network that is given a part of an image computes what it would of the whole, if it
sees the image's border where that is, and not at the edges of the part.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ignn_jax.ops.patches import along


class Place(NamedTuple):
    """Where a part lies in its image, in pixels, down and to the right.

    The part may reach beyond the image; what it holds there has no meaning.

    start: int32 [2], the part's first row and column; negative before the image.
    size: int32 [2], height and width of the image.
    """

    start: jax.Array
    size: jax.Array

    def times(self, scale: int) -> "Place":
        """In the image `scale` times as large."""
        return Place(self.start * scale, self.size * scale)

    def over(self, scale: int) -> "Place":
        """In the image `scale` times smaller; the start is a multiple of `scale`."""
        return Place(self.start // scale, self.size // scale)


def zero_beyond(x: jax.Array, place: Place | None) -> jax.Array:
    """Zeros where a part [B, H, W, C] lies beyond its image; None: it is the image."""
    if place is None:
        return x
    for axis, start, size in zip((1, 2), place.start, place.size, strict=True):
        position = start + jnp.arange(x.shape[axis])
        inside = (position >= 0) & (position < size)
        x = jnp.where(inside.reshape(along(x, axis)), x, 0)
    return x


def mirror_beyond(x: jax.Array, place: Place) -> jax.Array:
    """Mirrors the image, its edge pixels repeated, where a part lies beyond it."""
    for axis, start, size in zip((1, 2), place.start, place.size, strict=True):
        position = (start + jnp.arange(x.shape[axis])) % (2 * size)
        position = jnp.minimum(position, 2 * size - 1 - position) - start
        # Far beyond the image it would mirror what the part does not hold.
        x = jnp.take(x, jnp.clip(position, 0, x.shape[axis] - 1), axis=axis)
    return x
