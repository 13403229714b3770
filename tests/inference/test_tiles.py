import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.inference.tiles import upscale_tiled

RADIUS = 4  # of `network`: two 5 x 5 convolutions


def make_network(scale):
    """A jitted upsampler of known receptive field, and the shapes it was traced for.

    Its weights are whole numbers and differ in every direction, so that float32 sums
    are exact and a pixel out of place shows.
    """
    shapes = []
    rng = np.random.default_rng(0)
    first = jnp.asarray(rng.integers(-3, 4, (5, 5, 3, 4)), jnp.float32)
    last = jnp.asarray(rng.integers(-3, 4, (5, 5, 4, 3 * scale**2)), jnp.float32)

    @jax.jit
    def network(lr):
        shapes.append(lr.shape)
        for kernel in (first, last):
            lr = jax.lax.conv_general_dilated(
                lr, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        b, h, w, _ = lr.shape
        hr = lr.reshape(b, h, w, scale, scale, 3).transpose(0, 1, 3, 2, 4, 5)
        return hr.reshape(b, h * scale, w * scale, 3)

    return network, shapes


def make_image(height, width):
    values = np.random.default_rng(1).integers(0, 256, (height, width, 3))
    return values.astype(np.float32)


def nearest(scale):
    return lambda lr: lr.repeat(scale, axis=1).repeat(scale, axis=2)


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize(
    ("height", "width", "tile"),
    [(37, 50, 16), (33, 16, 16), (17, 64, 16), (9, 41, 17), (23, 10, 9), (12, 12, 16)],
)
def test_tiles_give_the_whole_image(height, width, tile, scale):
    network, shapes = make_network(scale)
    image = make_image(height, width)
    tiled = upscale_tiled(network, image, scale=scale, tile=tile, overlap=RADIUS)
    assert shapes == [(1, min(tile, height), min(tile, width), 3)]  # one trace
    assert tiled.dtype == np.float32
    np.testing.assert_array_equal(tiled, network(image[None])[0])


def test_a_smaller_overlap_than_the_receptive_radius_shows():
    network, _ = make_network(2)
    image = make_image(36, 36)
    tiled = upscale_tiled(network, image, scale=2, tile=16, overlap=RADIUS - 1)
    assert (tiled != network(image[None])[0]).any()


@pytest.mark.parametrize("tile", [None, 0])
def test_without_tiles_the_network_runs_once(tile):
    seen = []
    upscale_tiled(
        lambda lr: (seen.append(lr.shape), nearest(2)(lr))[1],
        make_image(70, 90),
        scale=2,
        tile=tile,
    )
    assert seen == [(1, 70, 90, 3)]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 40), (40, 1), (3, 2)])
def test_smallest_images(height, width):
    image = make_image(height, width)
    result = upscale_tiled(nearest(3), image, scale=3, tile=8, overlap=2)
    np.testing.assert_array_equal(result, nearest(3)(image[None])[0])


def test_each_pixel_comes_from_the_tile_in_which_it_lies_deepest():
    tile, overlap, length = 10, 2, 33

    def depth(lr):  # of each pixel inside its tile
        ramp = np.minimum(np.arange(tile), np.arange(tile)[::-1])
        return np.broadcast_to(ramp[None, :, None, None], lr.shape)

    image = np.zeros((length, tile, 3), np.float32)
    depths = upscale_tiled(depth, image, scale=1, tile=tile, overlap=overlap)[:, 0, 0]
    inner = depths[overlap : length - overlap]
    assert inner.min() == overlap
    np.testing.assert_array_equal(depths[:2], [0, 1])
    np.testing.assert_array_equal(depths[-2:], [1, 0])


def test_every_geometry_is_covered_by_the_fewest_tiles():
    for length in range(1, 60):
        for tile, overlap in [(1, 0), (2, 0), (5, 2), (9, 1), (16, 7), (64, 16)]:
            seen = []
            image = make_image(length, 1)
            result = upscale_tiled(
                lambda lr, seen=seen: (seen.append(lr.shape[1]), lr)[1],
                image,
                scale=1,
                tile=tile,
                overlap=overlap,
            )
            np.testing.assert_array_equal(result, image)
            fewest = max(1, -(-(length - 2 * overlap) // (tile - 2 * overlap)))
            assert seen == [min(tile, length)] * (fewest if length > tile else 1)


def test_values_beyond_the_range_are_not_clipped():
    image = np.full((20, 20, 3), -7.5, np.float32)
    image[10:] = 300.25
    result = upscale_tiled(nearest(2), image, scale=2, tile=9, overlap=1)
    np.testing.assert_array_equal(np.unique(result), [-7.5, 300.25])


def test_progress_wraps_the_tiles():
    counts = []

    def progress(tiles):
        counts.append(len(tiles))
        return iter(tiles)

    upscale_tiled(
        nearest(2), make_image(20, 12), scale=2, tile=8, overlap=2, progress=progress
    )
    assert counts == [4 * 2]


@pytest.mark.parametrize(("tile", "overlap"), [(32, 16), (1, 1), (-8, 0), (8, -1)])
def test_a_tile_that_is_all_overlap_is_refused(tile, overlap):
    with pytest.raises(InputError, match="pixels"):
        upscale_tiled(nearest(2), make_image(4, 4), scale=2, tile=tile, overlap=overlap)


def test_a_network_of_another_scale_is_refused():
    with pytest.raises(ValueError, match="returned"):
        upscale_tiled(nearest(3), make_image(8, 8), scale=2, tile=None)
