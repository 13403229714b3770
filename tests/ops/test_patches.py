"""Unfold, fold, spread and take against loops written from their definitions."""

import jax.numpy as jnp
import numpy as np
import pytest

from ignn_jax.ops import patches

# height, width, patch size, stride, scale
CASES = [
    (9, 12, 3, 2, 1),
    (8, 7, 3, 2, 2),
    (5, 8, 3, 2, 3),
    (1, 2, 3, 2, 2),
    (10, 11, 5, 2, 1),
    (10, 11, 4, 4, 2),
    (7, 9, 5, 3, 1),
    (6, 6, 1, 1, 2),
]


def loop_grid(length, patch_size, stride):
    """First pixel of each patch; half of the padding comes before the image."""
    count = 1
    while (count - 1) * stride + patch_size < length:
        count += 1
    before = ((count - 1) * stride + patch_size - length) // 2
    return [i * stride - before for i in range(count)]


def loop_unfold(image, patch_size, stride, scale):
    batch, height, width, channels = image.shape
    rows = loop_grid(height // scale, patch_size, stride)
    columns = loop_grid(width // scale, patch_size, stride)
    side = patch_size * scale
    out = np.zeros((batch, len(rows), side, len(columns), side, channels), np.float32)
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            for p in range(side):
                for q in range(side):
                    y, x = top * scale + p, left * scale + q
                    if 0 <= y < height and 0 <= x < width:
                        out[:, i, p, j, q] = image[:, y, x]
    return out


def loop_fold(blocks, size, patch_size, stride, scale):
    height, width = size
    total = np.zeros((blocks.shape[0], height * scale, width * scale, blocks.shape[-1]))
    count = np.zeros((1, height * scale, width * scale, 1))
    for i, top in enumerate(loop_grid(height, patch_size, stride)):
        for j, left in enumerate(loop_grid(width, patch_size, stride)):
            for p in range(patch_size * scale):
                for q in range(patch_size * scale):
                    y, x = top * scale + p, left * scale + q
                    if 0 <= y < height * scale and 0 <= x < width * scale:
                        total[:, y, x] += blocks[:, i, p, j, q]
                        count[:, y, x] += 1
    return total / count


def random(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("case", CASES)
def test_unfold(case):
    height, width, patch_size, stride, scale = case
    image = random(2, height * scale, width * scale, 3)
    ours = patches.unfold(jnp.asarray(image), patch_size, stride, scale=scale)
    np.testing.assert_array_equal(ours, loop_unfold(image, patch_size, stride, scale))


@pytest.mark.parametrize("case", CASES)
def test_fold(case):
    height, width, patch_size, stride, scale = case
    image = random(2, height * scale, width * scale, 3)
    blocks = random(*loop_unfold(image, patch_size, stride, scale).shape)
    ours = patches.fold(jnp.asarray(blocks), (height, width), stride, scale=scale)
    theirs = loop_fold(blocks, (height, width), patch_size, stride, scale)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_fold_undoes_unfold(case):
    height, width, patch_size, stride, scale = case
    image = jnp.asarray(random(1, height * scale, width * scale, 2))
    blocks = patches.unfold(image, patch_size, stride, scale=scale)
    again = patches.fold(blocks, (height, width), stride, scale=scale)
    np.testing.assert_allclose(again, image, atol=1e-6)


@pytest.mark.parametrize("case", [case for case in CASES if case[4] == 1])
def test_spread_is_the_fold_of_constant_patches(case):
    height, width, patch_size, stride, _ = case
    rows = len(loop_grid(height, patch_size, stride))
    columns = len(loop_grid(width, patch_size, stride))
    values = random(2, rows, columns, 3)
    blocks = np.broadcast_to(
        values[:, :, None, :, None], (2, rows, patch_size, columns, patch_size, 3)
    )
    ours = patches.spread(jnp.asarray(values), (height, width), patch_size, stride)
    theirs = loop_fold(blocks, (height, width), patch_size, stride, 1)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_take():
    blocks = random(2, 4, 3, 5, 3, 2)  # N1 = 4, N2 = 5
    indices = np.random.default_rng(1).integers(0, 20, (2, 3, 6)).astype(np.int32)
    ours = patches.take(jnp.asarray(blocks), jnp.asarray(indices))
    for b in range(2):
        for i in range(3):
            for j in range(6):
                row, column = divmod(int(indices[b, i, j]), 5)
                np.testing.assert_array_equal(
                    ours[b, i, :, j], blocks[b, row, :, column]
                )


def test_a_stride_beyond_the_patch_is_refused():
    with pytest.raises(ValueError, match="patch stride"):
        patches.unfold(jnp.zeros((1, 8, 8, 1)), 3, 4)


def test_pixel_shuffle_takes_channels_in_torch_order():
    x = jnp.arange(12.0).reshape(1, 1, 1, 12)  # c = 3, i = 2, j = 2
    shuffled = patches.pixel_shuffle(x, 2)
    assert shuffled.shape == (1, 2, 2, 3)
    np.testing.assert_array_equal(shuffled[0, 1, 0], [2, 6, 10])  # i = 1, j = 0
