"""Patches of an image on a regular grid: extracted, selected, and put back.

Images are [B, H, W, C]; patches are [B, M1, P, M2, P, C], the P rows of patch row m1
followed by those of m1 + 1, so that nothing is ever transposed. With stride T, a patch
is ceil(P / T) consecutive blocks of T rows, cut to P, and likewise for columns: neither
direction needs a gather or a scatter.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, Num

from ignn_jax.ops.regions import Region, along, inside
from ignn_jax.ops.types import Array


class Grid(NamedTuple):
    """The patches that cover an image.

    counts: int [2], rows and columns of patches.
    before: int [2], rows and columns of zeros before the image.
    """

    counts: Int[Array, "2"]
    before: Int[Array, "2"]


def patch_grid(size: Int[Array, "2"], patch_size: int, stride: int) -> Grid:
    """The fewest patches that cover an image, padded evenly, as in the reference.

    Args:
      size: height and width of the image.
      patch_size: the side P of a patch.
      stride: the distance T between patches.

    Raises:
      ValueError: if the stride is not in [1, P].
    """
    if not 1 <= stride <= patch_size:
        raise ValueError(
            f"patch stride must be in [1, patch size {patch_size}], not {stride}"
        )
    counts = -(-(size - patch_size).clip(0) // stride) + 1
    return Grid(counts, ((counts - 1) * stride + patch_size - size) // 2)


def grid_region(region: Region, patch_size: int, stride: int) -> Region:
    """A part of an image that begins with a patch, in patches of the image's grid."""
    grid = patch_grid(region.size, patch_size, stride)
    return Region((region.start + grid.before) // stride, grid.counts)


def unfold(
    image: Num[Array, "B H W C"], patch_size: int, stride: int, *, scale: int = 1
) -> Num[Array, "B M1 P M2 P C"]:
    """Extracts the patches of an image, zero-padded so that they cover it.

    Args:
      image: [B, S * H, S * W, C].
      patch_size: the side P of a patch at scale 1.
      stride: the distance T between patches at scale 1.
      scale: S; patches of side S * P, S * T apart, padded by S times the padding of
        an H x W image, so that they lie on the same grid.

    Returns:
      [B, M1, S * P, M2, S * P, C].
    """
    size = np.array(image.shape[1:3]) // scale
    counts, zeros = (n.tolist() for n in patch_grid(size, patch_size, stride))
    for axis, count, before in zip((1, 3), counts, zeros, strict=True):
        image = _unfold_axis(
            image, axis, count, scale * before, scale * patch_size, scale * stride
        )
    return image


def fold(
    patches: Num[Array, "B M1 P M2 P C"],
    size: tuple[int, int],
    stride: int,
    *,
    scale: int = 1,
    region: Region | None = None,
) -> Num[Array, "B {scale}*{size[0]} {scale}*{size[1]} C"]:
    """The image made of patches; where they overlap, their mean.

    Args:
      patches: [B, M1, S * P, M2, S * P, C], on the grid of an H x W image.
      size: (H, W).
      stride: the distance T between patches at scale 1.
      scale: S.
      region: where the H x W pixels lie if they are part of an image; patches that are
        not the image's are left out. `None` is the whole image.

    Returns:
      [B, S * H, S * W, C].
    """
    for axis in (1, 2):  # the second is M2, once M1, P have become H
        patches = _fold_axis(patches, axis, size, stride, scale, region)
    return patches


def spread(
    values: Num[Array, "B M1 M2 C"],
    size: tuple[int, int],
    patch_size: int,
    stride: int,
    *,
    region: Region | None = None,
) -> Num[Array, "B {size[0]} {size[1]} C"]:
    """The image made of constant patches: `fold` of each value over its patch.

    Args:
      values: [B, M1, M2, C], on the grid of an H x W image.
      size: (H, W).
      patch_size: the side P of a patch.
      stride: the distance T between patches.
      region: as in `fold`.

    Returns:
      [B, H, W, C].
    """
    for axis in (1, 2):  # on CPU twice as fast as a fold of patches spread both ways
        patches = jnp.repeat(jnp.expand_dims(values, axis + 1), patch_size, axis + 1)
        values = _fold_axis(patches, axis, size, stride, 1, region)
    return values


def take(
    patches: Num[Array, "B N1 P N2 P C"], indices: Int[Array, "B M1 M2"]
) -> Num[Array, "B M1 P M2 P C"]:
    """Selects patches.

    Args:
      patches: [B, N1, P, N2, P, C].
      indices: int32 [B, M1, M2], flat (row-major) into N1, N2.

    Returns:
      [B, M1, P, M2, P, C].
    """
    batch, n1, size, n2, _, channels = patches.shape
    _, m1, m2 = indices.shape
    # Rows of patches, which are contiguous, are gathered: P times fewer copies.
    rows = patches.reshape(batch, n1 * size * n2, size * channels)
    row = jnp.arange(size, dtype=indices.dtype).reshape(1, 1, size, 1)
    first = (indices // n2)[:, :, None] * size  # [B, M1, 1, M2]
    places = (first + row) * n2 + (indices % n2)[:, :, None]
    taken = jax.vmap(lambda table, place: table[place])(rows, places)
    return taken.reshape(batch, m1, size, m2, size, channels)


def pixel_shuffle(
    x: Num[Array, "B H W D"], scale: int
) -> Num[Array, "B {scale}*H {scale}*W C"]:
    """[B, H, W, C * S * S] to [B, S * H, S * W, C]; torch's channel order c, i, j."""
    batch, height, width, channels = x.shape
    channels //= scale * scale
    x = x.reshape(batch, height, width, channels, scale, scale)
    x = x.transpose(0, 1, 4, 2, 5, 3)  # [B, H, S, W, S, C]
    return x.reshape(batch, height * scale, width * scale, channels)


def repeat(
    x: Num[Array, "B H W C"], scale: int
) -> Num[Array, "B {scale}*H {scale}*W C"]:
    """[B, H, W, C] to [B, S * H, S * W, C], each pixel repeated over S x S."""
    return jnp.repeat(jnp.repeat(x, scale, axis=1), scale, axis=2)


def _unfold_axis(x, axis, count, before, size, step):
    """[..., L, ...] to [..., count, size, ...]."""
    blocks = math.ceil(size / step)
    length = (count + blocks - 1) * step
    x = _slice(x, axis, 0, min(x.shape[axis], length - before))
    x = _pad(x, axis, before, length - before - x.shape[axis])
    x = x.reshape(*x.shape[:axis], -1, step, *x.shape[axis + 1 :])
    shifted = [_slice(x, axis, b, b + count) for b in range(blocks)]
    return _slice(jnp.concatenate(shifted, axis=axis + 1), axis + 1, 0, size)


def _fold_axis(x, axis, size, stride, scale, region):
    """[..., count, side, ...] to [..., L, ...]: overlap-add over that of ones."""
    count, side = x.shape[axis : axis + 2]
    patch_size, step, length = side // scale, stride * scale, scale * size[axis - 1]
    before = scale * patch_grid(np.array(size), patch_size, stride).before[axis - 1]
    ones = jnp.ones((count, side), x.dtype)
    if region is not None:
        exists = inside(grid_region(region, patch_size, stride), axis - 1, count)
        x = jnp.where(along(exists, axis, x.ndim), x, 0)
        ones = jnp.where(exists[:, None], ones, 0)
    total = _slice(_overlap_add(x, axis, step), axis, before, before + length)
    covers = _slice(_overlap_add(ones, 0, step), 0, before, before + length)
    return total * along(1 / jnp.maximum(covers, 1), axis, total.ndim)


def _overlap_add(x, axis, step):
    """[..., count, side, ...] to [..., L, ...], the sum where patches overlap."""
    side = x.shape[axis + 1]
    blocks = math.ceil(side / step)
    last = side - (blocks - 1) * step  # rows in a patch's last block

    def cells(start, stop, count):
        """Rows start..stop of every `step` rows: the sum of these of `count` blocks."""
        rows = (
            _slice(x, axis + 1, b * step + start, b * step + stop) for b in range(count)
        )
        return sum(_pad(r, axis, b, blocks - 1 - b) for b, r in enumerate(rows))

    total = cells(0, last, blocks)
    if last < step:  # apart: on CPU, filling the last block with zeros is 4 x slower
        total = jnp.concatenate([total, cells(last, step, blocks - 1)], axis + 1)
    return total.reshape(*x.shape[:axis], -1, *x.shape[axis + 2 :])


def _pad(x, axis, before, after):
    # Concatenated: XLA on CPU turns the sum of padded arrays into a 3 x slower loop.
    first, last = (
        [jnp.zeros((*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype)] if n else []
        for n in (before, after)
    )
    return jnp.concatenate([*first, x, *last], axis=axis)


def _slice(x, axis, start, stop):
    return jax.lax.slice_in_dim(x, start, stop, axis=axis)
