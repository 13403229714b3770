"""Patches of an image on a regular grid: taken out (unfold) and put back (fold).

Arrays are [B, H, W, C]; patches are [B, M1, M2, P, P, C]. Both directions treat the
rows, then the columns, and need neither gather nor scatter: with stride T, a patch is
the concatenation of ceil(P / T) consecutive blocks of T rows, cut to P.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Axis(NamedTuple):
    """The patches along one axis: how many, and the zeros put before and after."""

    count: int
    before: int
    after: int


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
    return Axis(count, padding // 2, padding - padding // 2)


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
      [B, M1, M2, S * P, S * P, C].
    """
    size, step = scale * patch_size, scale * stride
    for axis in (1, 3):  # the second is W, once H has become M1, P
        grid = patch_axis(image.shape[axis] // scale, patch_size, stride)
        image = _unfold_axis(image, axis, grid.count, scale * grid.before, size, step)
    return image.transpose(0, 1, 3, 2, 4, 5)


def fold(
    patches: jax.Array, size: tuple[int, int], stride: int, *, scale: int = 1
) -> jax.Array:
    """The image made of patches; where they overlap, their mean.

    Args:
      patches: [B, M1, M2, S * P, S * P, C], on the grid of an H x W image.
      size: (H, W).
      stride: the distance T between patches at scale 1.
      scale: S.

    Returns:
      [B, S * H, S * W, C].
    """
    image = patches.transpose(0, 1, 3, 2, 4, 5)
    side = patches.shape[3]
    for axis, length in ((3, size[1]), (1, size[0])):
        grid = patch_axis(length, side // scale, stride)
        image = _fold_axis(
            image, axis, scale * grid.before, scale * length, scale * stride
        )
    return image


def _unfold_axis(x, axis, count, before, size, step):
    """[..., L, ...] to [..., count, size, ...]."""
    blocks = math.ceil(size / step)
    length = (count + blocks - 1) * step
    after = length - before - x.shape[axis]
    if after < 0:  # the last block is cut to what the last patch uses
        x = jax.lax.slice_in_dim(x, 0, length - before, axis=axis)
    x = _pad(x, axis, before, max(after, 0))
    x = x.reshape(*x.shape[:axis], -1, step, *x.shape[axis + 1 :])
    x = jnp.concatenate(
        [jax.lax.slice_in_dim(x, b, b + count, axis=axis) for b in range(blocks)],
        axis=axis + 1,
    )
    return jax.lax.slice_in_dim(x, 0, size, axis=axis + 1)


def _fold_axis(x, axis, before, length, step):
    """[..., count, size, ...] to [..., length, ...]: the mean of what overlaps."""
    count, size = x.shape[axis : axis + 2]
    blocks = math.ceil(size / step)
    x = _pad(x, axis + 1, 0, blocks * step - size)
    x = sum(
        _pad(
            jax.lax.slice_in_dim(x, b * step, (b + 1) * step, axis=axis + 1),
            axis,
            b,
            blocks - 1 - b,
        )
        for b in range(blocks)
    )
    x = x.reshape(*x.shape[:axis], -1, *x.shape[axis + 2 :])
    x = jax.lax.slice_in_dim(x, before, before + length, axis=axis)
    covered = np.zeros((count + blocks - 1) * step, np.float32)
    for i in range(count):
        covered[i * step : i * step + size] += 1
    weights = 1 / covered[before : before + length]
    weights = weights.reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    return x * jnp.asarray(weights, x.dtype)


def _pad(x, axis, before, after):
    return jnp.pad(x, [(before, after) if a == axis else (0, 0) for a in range(x.ndim)])


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
