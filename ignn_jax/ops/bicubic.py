"""MATLAB's `imresize`, which the field makes its low-resolution images with.

Cubic convolution with a = -0.5 (Keys, "Cubic Convolution Interpolation for Digital
Image Processing", 1981), its kernel stretched by 1 / scale where the image shrinks
(antialiasing), one pass per axis. `imresize` gives MATLAB's uint8 images bit for bit;
`imresize_jnp` is the same linear map in JAX, differentiable, on batches of floats.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.export import is_symbolic_dim
from jaxtyping import Float

from ignn_jax.ops.types import Array

# Output rows computed together: 16 of a 2K RGB image fill the cache as float64.
_BLOCK = 16


class _Pass(NamedTuple):
    """One axis' resampling: output i is `sum(weights[i] * input[indices[i]])`."""

    axis: int  # 0 vertical, 1 horizontal
    weights: np.ndarray  # [out, P] float64, each row sums to 1
    indices: np.ndarray  # [out, P] inside the input


def imresize(
    image: np.ndarray,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    padding: str = "symmetric",
) -> np.ndarray:
    """Resizes an image as MATLAB's `imresize(image, scale)` or `(image, size)` does.

    Args:
      image: [H, W] or [H, W, C], of any range; uint8, float32 or float64.
      scale: output over input, both axes; the output has ceil(scale * input) pixels.
      size: the output's (height, width), in place of `scale`.
      padding: what lies beyond the edge: "symmetric", mirrored with the edge pixel
        repeated, as MATLAB does today; "replicate", the edge pixel alone, as the
        MATLAB did that made the LR images of Set5, Set14, BSD100 and Urban100.

    Returns:
      The resized image, of the same rank and dtype. uint8 is rounded after each pass,
      half away from zero, and clipped; floats are neither rounded nor clipped.

    Raises:
      ValueError: for another rank or dtype, an empty image, both or neither of `scale`
        and `size`, either not positive, or an unknown padding.
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3):
        raise ValueError(f"image must be [H, W] or [H, W, C], not {image.shape}")
    if image.dtype not in (np.uint8, np.float32, np.float64):
        raise ValueError(f"image must be uint8, float32 or float64, not {image.dtype}")
    for axis, weights, indices in _passes(image.shape[:2], scale, size, padding):
        rows = np.moveaxis(image, axis, 0)
        resized = _resize_rows(rows.reshape(len(rows), -1), weights, indices)
        image = np.moveaxis(resized.reshape(-1, *rows.shape[1:]), 0, axis)
    return np.ascontiguousarray(image)


def imresize_jnp(
    image: Float[Array, "... H W C"],
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    padding: str = "symmetric",
) -> Float[Array, "... h w C"]:
    """`imresize` of float images in JAX: two matrix products, differentiable.

    Args:
      image: [..., H, W, C] of any float dtype and range.
      scale: as in `imresize`; `size` and `padding` likewise. All three are static.

    Returns:
      [..., H', W', C] float32, neither rounded nor clipped.

    Raises:
      ValueError: as `imresize`.
    """
    if image.ndim < 3:
        raise ValueError(f"image must be [..., H, W, C], not {image.shape}")
    if not jnp.issubdtype(image.dtype, jnp.floating):
        raise ValueError(f"image must be of a float dtype, not {image.dtype}")
    *batch, height, width, channels = image.shape
    # Two plain products: XLA fails to compile one einsum of a batch for an H100.
    rows, columns = _matrices((height, width), scale, size, padding)
    kron = np.kron if isinstance(columns, np.ndarray) else jnp.kron
    columns = kron(columns.T, np.eye(channels, dtype="f"))
    multiply = functools.partial(
        jnp.matmul,
        precision=jax.lax.Precision.HIGHEST,  # TF32, bfloat16: 3 digits
    )
    image = image.astype(jnp.float32).reshape(*batch, height, width * channels)
    resized = multiply(multiply(rows, image), columns)  # [..., H', W' * C]
    return resized.reshape(*batch, rows.shape[0], -1, channels)


def _matrices(lengths, scale, size, padding) -> Sequence[Array]:
    """The two passes as matrices, [out, in]: the vertical and the horizontal one."""
    if any(map(is_symbolic_dim, lengths)):
        return [_shrinking_matrix(length, round(1 / scale)) for length in lengths]
    matrices = [np.zeros((0, 0))] * 2
    for axis, weights, indices in _passes(lengths, scale, size, padding):
        matrices[axis] = np.zeros((len(weights), lengths[axis]), np.float32)
        # Not `+=`: padding sends several taps to one pixel, and it would keep only one.
        np.add.at(matrices[axis], (np.arange(len(weights))[:, None], indices), weights)
    return matrices


def _shrinking_matrix(length, factor: int) -> jax.Array:
    """The pass at scale 1 / factor for a length that only an exported program knows.

    All rows have the same weights; any of them gives these, far from the edges.
    """
    middle = 8
    weights, indices = _taps(16 * factor, 16, 1 / factor, "symmetric")
    taps = (indices[middle] - middle * factor).astype(np.int32)[None]
    rows = jnp.arange(length // factor, dtype=jnp.int32)[:, None]
    # Mirrored, as by `_taps`.
    position = (factor * rows + taps) % (2 * length)
    position = jnp.minimum(position, 2 * length - 1 - position)
    matrix = jnp.zeros((length // factor, length), jnp.float32)
    return matrix.at[rows, position].add(weights[middle].astype(np.float32)[None])


def _passes(
    lengths: Sequence[int],
    scale: float | None,
    size: Sequence[int] | None,
    padding: str,
) -> list[_Pass]:
    """The passes over an image of `lengths` = (H, W), in MATLAB's order."""
    if 0 in lengths:
        raise ValueError(f"the image is empty: {lengths[0]} x {lengths[1]} pixels")
    if scale is not None and size is None:
        if not 0 < scale < math.inf:
            raise ValueError(f"scale must be positive and finite, not {scale}")
        scales = [scale, scale]
        size = [math.ceil(scale * length) for length in lengths]
    elif size is not None and scale is None:
        if np.shape(size) != (2,) or not all(n >= 1 and n % 1 == 0 for n in size):
            raise ValueError(f"size must be two positive whole numbers, not {size}")
        scales = [n / length for n, length in zip(size, lengths, strict=True)]
    else:
        raise ValueError("give either scale or size")
    # Stable, so the vertical pass comes first unless the horizontal one shrinks more.
    return [
        _Pass(axis, *_taps(lengths[axis], int(size[axis]), scales[axis], padding))
        for axis in sorted((0, 1), key=lambda axis: scales[axis])
    ]


def _taps(
    length: int, out_length: int, scale: float, padding: str
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and indices of one axis, computed as MATLAB's `contributions` does."""
    shrink = min(scale, 1.0)
    support = 4 / shrink
    # Counting pixels from 1, as MATLAB does, gives the same rounding errors.
    center = np.arange(1, out_length + 1) / scale + 0.5 * (1 - 1 / scale)
    first = np.floor(center - support / 2)
    taps = first[:, None] + np.arange(math.ceil(support) + 2)
    weights = shrink * _cubic(shrink * (center[:, None] - taps))
    weights /= weights.sum(axis=1, keepdims=True)
    indices = taps.astype(np.intp) - 1
    if padding == "symmetric":
        indices %= 2 * length
        indices = np.minimum(indices, 2 * length - 1 - indices)
    elif padding == "replicate":
        indices = indices.clip(0, length - 1)
    else:
        raise ValueError(f'padding must be "symmetric" or "replicate", not {padding!r}')
    used = weights.any(axis=0)
    return weights[:, used], indices[:, used]


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel, a = -0.5, of support [-2, 2]."""
    x = np.abs(x)
    inner = 1.5 * x**3 - 2.5 * x**2 + 1
    outer = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, inner, np.where(x <= 2, outer, 0.0))


def _resize_rows(
    rows: np.ndarray, weights: np.ndarray, indices: np.ndarray
) -> np.ndarray:
    """Weighted sums of rows, [N, D] -> [out, D], in float64, returned in rows.dtype."""
    resized = np.empty((len(weights), rows.shape[1]), rows.dtype)
    for start in range(0, len(weights), _BLOCK):
        block = slice(start, start + _BLOCK)
        # Taps are added in MATLAB's order. Another, such as BLAS's, rounds some sums
        # that end in .5 differently; not at scales 2, 3 and 4, but at 3 / 2.
        total = np.zeros_like(resized[block], dtype=np.float64)
        for weight, index in zip(weights[block].T, indices[block].T, strict=True):
            total += weight[:, None] * rows[index]
        if rows.dtype == np.uint8:
            total = np.floor(total.clip(0, 255) + 0.5)  # half away from zero
        resized[block] = total
    return resized
