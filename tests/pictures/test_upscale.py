"""Pictures upscaled by stand-ins for the network with known results."""

import numpy as np
import pytest
from PIL import ExifTags, Image

import ignn_jax
from ignn_jax.errors import InputError
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.attached import Attached
from ignn_jax.pictures.end_size import EndSize
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.upscale import MIRRORED, upscale_picture
from tests.pictures.samples import (
    BICUBIC,
    NEAREST,
    SRGB,
    network,
    never,
    noise,
    twice,
)


def upscale(network, samples, **options):
    return upscale_picture(network, Picture(samples), **options).samples


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 41)])
def test_each_kind_of_picture(shape, channels, dtype):
    samples = noise(*shape, channels, dtype=dtype) | 1  # visible everywhere
    result = upscale(NEAREST, samples)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, twice(samples))


def test_what_is_not_pixels_stays():
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    attached = Attached(comments=(b"a comment",), notes=("another note",))
    picture = Picture(
        noise(4, 4, 3), SRGB, exif.tobytes(), (72.0, 72.0), ("a note",), attached
    )
    result = upscale_picture(NEAREST, picture)
    assert result._replace(samples=None) == picture._replace(samples=None)


def test_gray_is_the_luma_of_what_the_network_returned():
    constant = network(lambda image: np.full_like(twice(image), [10, 20, 30]))
    result = upscale(constant, noise(4, 4, 1))
    np.testing.assert_array_equal(result, round(0.299 * 10 + 0.587 * 20 + 0.114 * 30))


def test_at_its_edges_the_network_sees_the_picture_mirrored():
    seen = []
    samples = noise(20, 30, 3)
    upscale(network(lambda image: (seen.append(image), twice(image))[1]), samples)
    (image,) = seen
    for y in (0, MIRRORED, 20, 20 + 2 * MIRRORED - 1):
        for x in (0, MIRRORED, 30, 30 + 2 * MIRRORED - 1):
            there = [mirrored(y - MIRRORED, 20), mirrored(x - MIRRORED, 30)]
            np.testing.assert_array_equal(image[y, x], samples[*there])


def mirrored(n, size):
    """The pixel that is seen at n in two mirrors."""
    n %= 2 * size
    return min(n, 2 * size - 1 - n)


@pytest.mark.parametrize("color", [(255, 0, 0), (255, 255, 255), (30, 144, 255)])
def test_a_flat_picture_stays_flat(color):
    samples = np.full((40, 48, 3), color, np.uint8)
    result = ignn_jax.upscale(samples)
    np.testing.assert_array_equal(result, twice(samples))


# Transparency


def composite(samples, background):
    opacity = samples[..., 3:] / 255
    return samples[..., :3] * opacity + background * (1 - opacity)


def red_disk(side=48):
    """A disk with an antialiased border, on transparent black."""
    y, x = np.mgrid[:side, :side] - side / 2
    alpha = np.clip(side / 3 + 0.5 - np.hypot(x, y), 0, 1) * 255
    colors = np.where(alpha[..., None] > 0, [255, 0, 0], 0)
    return np.dstack([colors, np.rint(alpha)]).astype(np.uint8)


@pytest.mark.parametrize("factor", [2, 2.5, 1.6, 0.6])
@pytest.mark.parametrize("background", [0, 255])
def test_no_fringe(factor, background):
    """On any background it looks like the flat picture upscaled."""
    disk = red_disk()
    result = upscale(BICUBIC, disk, end_size=EndSize(factor))
    flat = composite(disk, background).astype(np.float32)
    if factor > 1:
        flat = imresize(flat, scale=2)
    expected = imresize(flat, size=result.shape[:2]).clip(0, 255)
    assert 0 < result[..., 3].mean() < 255
    # Near the border bicubic overshoots, and alpha does not.
    error = np.abs(composite(result, background) - expected)
    assert error.mean() < 0.6
    assert error.max() < 12
    seen = result[..., 3] > 2
    np.testing.assert_allclose(result[seen][:, :3], [[255, 0, 0]] * seen.sum(), atol=1)


def test_alpha_is_as_crisp_as_the_colors_and_never_beyond_its_surroundings():
    alpha = np.zeros((20, 20, 1), np.uint8)
    alpha[5:15, 5:15] = 255
    sharp = network(lambda image: 3 * twice(image) - 200)  # overshoots
    result = upscale(sharp, np.concatenate([np.full_like(alpha, 90)] * 3 + [alpha], -1))
    np.testing.assert_array_equal(result[..., 3:], twice(alpha))


def test_each_invisible_pixel_takes_the_nearest_color():
    samples = np.uint8(
        [[[9, 0, 0, 255], [7, 7, 7, 0], [7, 7, 7, 0], [0, 5, 0, 1], [0, 0, 3, 255]]]
    )
    result = upscale(NEAREST, samples)[0, ::2, :3]
    np.testing.assert_array_equal(result, samples[0, [0, 0, 3, 3, 4], :3])


@pytest.mark.parametrize("value", [0, 7, 255])
def test_alpha_that_is_the_same_everywhere_costs_nothing(value):
    calls = []
    counted = network(lambda image: (calls.append(1), twice(image))[1])
    samples = noise(6, 5, 4)
    samples[..., 3] = value
    np.testing.assert_array_equal(upscale(counted, samples), twice(samples))
    assert len(calls) == 1


# The end size


@pytest.mark.parametrize("channels", [1, 3])
def test_the_rest_is_exact_bicubic(channels):
    samples = noise(20, 30, channels)
    result = upscale(NEAREST, samples, end_size=EndSize(width=75))
    expected = imresize(twice(samples).astype(np.float64), size=(50, 75))
    # Half a level by rounding, and a little for the luma in float32.
    np.testing.assert_allclose(result, expected.clip(0, 255), atol=0.501)


def test_a_picture_that_is_not_enlarged_does_not_meet_the_network():
    picture = Picture(noise(20, 30, 3))
    result = upscale_picture(network(never), picture, end_size=EndSize(1))
    np.testing.assert_array_equal(result.samples, picture.samples)
    assert "not enlarged" in result.notes[0]


@pytest.mark.parametrize(("factor", "notes"), [(2.8, 0), (2.9, 1)])
def test_much_bicubic_is_noted(factor, notes):
    picture = Picture(noise(100, 100, 3))
    result = upscale_picture(NEAREST, picture, end_size=EndSize(factor))
    assert len(result.notes) == notes
    assert all(f"x{factor}" in note for note in result.notes)


def test_values_that_are_not_finite_are_refused():
    broken = network(lambda image: twice(image) * np.float32("nan"))
    with pytest.raises(InputError, match="not finite"):
        upscale(broken, noise(4, 4, 3))
