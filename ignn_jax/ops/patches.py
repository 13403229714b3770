"""Patches of an image on a regular grid: taken out, chosen among, and put back.

Images are [B, H, W, C]; patches are [B, M1, P, M2, P, C], row m1, p of the grid being
row p of its patches: in this layout nothing is ever transposed. With stride T, a patch
is the concatenation of ceil(P / T) consecutive blocks of T rows, cut to P, and likewise
of columns, so that neither direction needs a gather or a scatter.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# Which rows and which columns of a grid of patches there are: bool [M1] and [M2].
Exists = tuple[jax.Array | None, jax.Array | None]


class Axis(NamedTuple):
    """The patches along one axis: how many, and the zeros put before the image."""

    count: int
    before: int


def patch_axis(length: int, patch_size: int, stride: int) -> Axis:
    """Fewest patches that cover `length`, the padding split evenly (as the reference).

    Where `length >= patch_size`, the padding is `-(length - patch_size) mod stride`.
    """
    if not 1 <= stride <= patch_size:
        raise ValueError(
            f"patch stride must be in [1, patch size {patch_size}], not {stride}"
        )
    count = math.ceil(max(length - patch_size, 0) / stride) + 1
    padding = (count - 1) * stride + patch_size - length
    return Axis(count, padding // 2)


def unfold(
    image: jax.Array, patch_size: int, stride: int, *, scale: int = 1
) -> jax.Array:
    """The patches of an image, zero-padded so that they cover it.

    Args:
      image: [B, S * H, S * W, C].
      patch_size: the side P of a patch at scale 1.
      stride: the distance T between patches at scale 1.
      scale: S; patches of side S * P, S * T apart, padded by S times the padding of
        an H x W image, so that they lie on the same grid.

    Returns:
      [B, M1, S * P, M2, S * P, C].
    """
    for axis in (1, 3):  # the second is W, once H has become M1, P
        grid = patch_axis(image.shape[axis] // scale, patch_size, stride)
        image = _unfold_axis(
            image, axis, grid, scale * patch_size, scale * stride, scale
        )
    return image


def fold(
    patches: jax.Array,
    size: tuple[int, int],
    stride: int,
    *,
    scale: int = 1,
    exists: Exists = (None, None),
) -> jax.Array:
    """The image made of patches; where they overlap, their mean.

    Args:
      patches: [B, M1, S * P, M2, S * P, C], on the grid of an H x W image.
      size: (H, W).
      stride: the distance T between patches at scale 1.
      scale: S.
      exists: bool [M1] and [M2]; the other patches are left out. None: all exist.

    Returns:
      [B, S * H, S * W, C].
    """
    for axis, length in enumerate(size, start=1):  # the second, once M1, P are H
        patches = _fold_axis(patches, axis, length, stride, scale, exists[axis - 1])
    return patches


def spread(
    values: jax.Array,
    size: tuple[int, int],
    patch_size: int,
    stride: int,
    *,
    exists: Exists = (None, None),
) -> jax.Array:
    """The image made of patches that are constant: `fold` of each value over its patch.

    Args:
      values: [B, M1, M2, C], on the grid of an H x W image.
      size: (H, W).
      patch_size, stride: of the grid.
      exists: as in `fold`.

    Returns:
      [B, H, W, C].
    """
    for axis, length in enumerate(size, start=1):
        values = jnp.repeat(jnp.expand_dims(values, axis + 1), patch_size, axis + 1)
        values = _fold_axis(values, axis, length, stride, 1, exists[axis - 1])
    return values


def take(patches: jax.Array, indices: jax.Array) -> jax.Array:
    """Chooses patches.

    Args:
      patches: [B, N1, P, N2, P, C].
      indices: int32 [B, M1, M2], flat (row-major) into N1, N2.

    Returns:
      [B, M1, P, M2, P, C].
    """
    batch, n1, size, n2, _, channels = patches.shape
    _, m1, m2 = indices.shape
    # A row of a patch is contiguous: it is what is gathered.
    rows = patches.reshape(batch, n1 * size * n2, size * channels)
    row = jnp.arange(size, dtype=indices.dtype).reshape(1, 1, size, 1)
    first = (indices // n2)[:, :, None] * size  # [B, M1, 1, M2]
    places = (first + row) * n2 + (indices % n2)[:, :, None]
    taken = jax.vmap(lambda table, place: table[place])(rows, places)
    return taken.reshape(batch, m1, size, m2, size, channels)


def _unfold_axis(x, axis, grid, size, step, scale):
    """[..., L, ...] to [..., count, size, ...]."""
    blocks = math.ceil(size / step)
    before = scale * grid.before
    length = (grid.count + blocks - 1) * step
    x = jax.lax.slice_in_dim(x, 0, min(x.shape[axis], length - before), axis=axis)
    margins = [(0, 0)] * x.ndim
    margins[axis] = (before, length - before - x.shape[axis])
    x = jnp.pad(x, margins)
    x = x.reshape(*x.shape[:axis], -1, step, *x.shape[axis + 1 :])
    shifted = [_slice(x, axis, b, b + grid.count) for b in range(blocks)]
    return _slice(jnp.concatenate(shifted, axis=axis + 1), axis + 1, 0, size)


def _fold_axis(x, axis, length, stride, scale, exists):
    """[..., count, size, ...] to [..., scale * length, ...]: mean of what overlaps."""
    count, size = x.shape[axis : axis + 2]
    step, length = stride * scale, length * scale
    before = scale * patch_axis(length // scale, size // scale, stride).before
    blocks = math.ceil(size / step)
    last = size - (blocks - 1) * step  # rows of a patch in its last block
    if exists is not None:
        x = jnp.where(exists.reshape(along(x, axis)), x, 0)

    def overlap(blocks_here, start, stop):
        """Rows start..stop of every cell, the sum of what each block has there."""
        return sum(
            _pad(_slice(x, axis + 1, b * step + start, b * step + stop), b)
            for b in range(blocks_here)
        )

    def _pad(rows, b):
        # Concatenation: on CPU XLA makes of a pad and a sum a loop that is 3 x slower.
        zeros = [
            jnp.zeros((*rows.shape[:axis], n, *rows.shape[axis + 1 :]), rows.dtype)
            for n in (b, blocks - 1 - b)
        ]
        return jnp.concatenate([zeros[0], rows, zeros[1]], axis=axis)

    cells = overlap(blocks, 0, last)
    if last < step:
        cells = jnp.concatenate([cells, overlap(blocks - 1, last, step)], axis + 1)
    x = cells.reshape(*x.shape[:axis], -1, *x.shape[axis + 2 :])
    covers = np.zeros((count, (count + blocks - 1) * step), np.float32)
    for i in range(count):
        covers[i, i * step : i * step + size] = 1
    covers = covers[:, before : before + length]
    if exists is None:
        weights = 1 / covers.sum(axis=0)
    else:
        weights = 1 / jnp.maximum(exists.astype(np.float32) @ covers, 1)
    return _slice(x, axis, before, before + length) * jnp.asarray(
        weights, x.dtype
    ).reshape(along(x, axis))


def along(x: jax.Array, axis: int) -> list[int]:
    """The shape in which a vector stands along one axis of x."""
    return [-1 if n == axis else 1 for n in range(x.ndim)]


def _slice(x, axis, start, stop):
    return jax.lax.slice_in_dim(x, start, stop, axis=axis)


def pixel_shuffle(x: jax.Array, scale: int) -> jax.Array:
    """[B, H, W, C * S * S] to [B, S * H, S * W, C]; torch's channel order c, i, j."""
    batch, height, width, channels = x.shape
    channels //= scale * scale
    x = x.reshape(batch, height, width, channels, scale, scale)
    x = x.transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(batch, height * scale, width * scale, channels)


def repeat(x: jax.Array, scale: int) -> jax.Array:
    """[B, H, W, C] to [B, S * H, S * W, C], each pixel repeated over S x S."""
    return jnp.repeat(jnp.repeat(x, scale, axis=1), scale, axis=2)
