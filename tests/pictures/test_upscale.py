"""Pictures through stand-ins for the network, whose results are known."""

import numpy as np
import pytest
from PIL import Image, ImageCms

import ignn_jax
from ignn_jax.errors import InputError
from ignn_jax.models import EDSR
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.files import Picture
from ignn_jax.pictures.upscale import (
    EndSize,
    Network,
    load_network,
    upscale_picture,
)
from ignn_jax.weights.find import FILENAME
from ignn_jax.weights.network import save
from tests.networks import random_variables

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def network(function):
    return Network(lambda image, progress: function(image), 2)


def twice(samples):
    return samples.repeat(2, axis=0).repeat(2, axis=1)


NEAREST = network(twice)
BICUBIC = network(lambda image: imresize(image, scale=2))


def never(image):
    raise AssertionError("the network ran")


def noise(*shape, dtype=np.uint8):
    limit = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, limit, shape, dtype, endpoint=True)


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
    picture = Picture(noise(4, 4, 3), SRGB, b"exif", (72.0, 72.0), ("a note",))
    result = upscale_picture(NEAREST, picture)
    assert result._replace(samples=None) == picture._replace(samples=None)


def test_gray_is_the_luma_of_what_the_network_returned():
    constant = network(lambda image: np.full((8, 8, 3), [10, 20, 30], np.float32))
    result = upscale(constant, noise(4, 4, 1))
    np.testing.assert_array_equal(result, round(0.299 * 10 + 0.587 * 20 + 0.114 * 30))


# Transparency


def composite(samples, background):
    opacity = samples[..., 3:] / 255
    return samples[..., :3] * opacity + background * (1 - opacity)


def red_disk(side=48):
    """On transparent black, its border antialiased."""
    y, x = np.mgrid[:side, :side] - side / 2
    alpha = np.clip(side / 3 + 0.5 - np.hypot(x, y), 0, 1) * 255
    colors = np.where(alpha[..., None] > 0, [255, 0, 0], 0)
    return np.dstack([colors, np.rint(alpha)]).astype(np.uint8)


@pytest.mark.parametrize("factor", [2, 2.5, 1.6, 0.6])
@pytest.mark.parametrize("background", [0, 255])
def test_no_fringe(factor, background):
    """On any background it is what the flat picture would have become."""
    disk = red_disk()
    result = upscale(BICUBIC, disk, end_size=EndSize(factor))
    flat = composite(disk, background).astype(np.float32)
    if factor > 1:
        flat = imresize(flat, scale=2)
    expected = imresize(flat, size=result.shape[:2]).clip(0, 255)
    assert 0 < result[..., 3].mean() < 255
    # Bicubic overshoots beside the border, where no alpha is beyond that around it.
    error = np.abs(composite(result, background) - expected)
    assert error.mean() < 0.6
    assert error.max() < 12
    seen = result[..., 3] > 2
    np.testing.assert_allclose(result[seen][:, :3], [[255, 0, 0]] * seen.sum(), atol=1)


def test_alpha_is_as_crisp_as_the_colors_and_never_beyond_its_surroundings():
    alpha = np.zeros((20, 20, 1), np.uint8)
    alpha[5:15, 5:15] = 255
    sharp = network(lambda image: 3 * twice(image) - 200)  # too much of it
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


@pytest.mark.parametrize(
    ("end_size", "expected", "label"),
    [
        (EndSize(), (200, 100), "x2"),
        (EndSize(2.5), (250, 125), "x2.5"),
        (EndSize(0.001), (1, 1), "x0.001"),
        (EndSize(width=77), (154, 77), "w77"),
        (EndSize(width=300, height=300), (300, 150), "300x300"),
        (EndSize(width=100, height=900), (200, 100), "100x900"),
    ],
)
def test_end_sizes(end_size, expected, label):
    assert end_size.of(100, 50, scale=2) == expected
    assert end_size.label(2) == label


@pytest.mark.parametrize("channels", [1, 3])
def test_the_rest_is_exact_bicubic(channels):
    samples = noise(20, 30, channels)
    result = upscale(NEAREST, samples, end_size=EndSize(width=75))
    expected = imresize(twice(samples).astype(np.float64), size=(50, 75))
    # Half a level by rounding, and what float32 leaves of a gray's luma.
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


# From Python, with real weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    model = EDSR(scale=2, features=4, num_blocks=1)
    save(folder / FILENAME, model, random_variables(model))
    return folder


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 8, 3), (8, 8, 4)])
def test_arrays(weights, shape, dtype):
    array = noise(*shape).astype(dtype)
    before = array.copy()
    result = ignn_jax.upscale(array, weights=weights)
    assert result.dtype == dtype
    assert result.shape == (16, 16, *shape[2:])
    np.testing.assert_array_equal(array, before)


def test_depths_agree(weights):
    """The same picture in 8 bits, 16 bits and floats."""
    array = noise(8, 8, 3)
    eight = ignn_jax.upscale(array, weights=weights)
    deep = ignn_jax.upscale(array * np.uint16(257), weights=weights)
    floats = ignn_jax.upscale(array.astype(np.float32), weights=weights)
    np.testing.assert_allclose(deep / 257, floats, atol=0.01)
    np.testing.assert_array_equal(eight, np.rint(floats))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        *(("1", "L"), ("L", "L"), ("LA", "LA"), ("P", "RGB"), ("RGB", "RGB")),
        *(("RGBA", "RGBA"), ("CMYK", "RGB"), ("I;16", "I;16")),
    ],
)
def test_pillow_images(weights, mode, expected):
    image = Image.fromarray(noise(8, 6, 3)).convert("L" if mode == "I;16" else mode)
    image = image.convert(mode)
    result = ignn_jax.upscale(image, weights=weights, outscale=1.5)
    assert (result.mode, result.size) == (expected, (9, 12))


def test_metadata_of_pillow_images(weights, tmp_path):
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Maker"
    image = Image.fromarray(noise(8, 6, 3))
    image.save(tmp_path / "a.png", exif=exif, icc_profile=SRGB, dpi=(300, 300))
    with Image.open(tmp_path / "a.png") as image:
        result = ignn_jax.upscale(image, weights=weights)
    assert result.size == (16, 12)
    kept = {name: result.info[name] for name in ("exif", "icc_profile", "dpi")}
    result.save(tmp_path / "b.png", **kept)
    with Image.open(tmp_path / "b.png") as image:
        assert dict(image.getexif()) == {274: 1, 271: "Maker"}
        assert image.info["icc_profile"] == SRGB
        assert round(image.info["dpi"][0]) == 300


def test_newer_weights_are_read_again(tmp_path):
    model = EDSR(scale=2, features=4, num_blocks=1)
    array, results = noise(8, 8, 3), []
    for seed in (0, 1):
        save(tmp_path / FILENAME, model, random_variables(model, seed))
        results.append(ignn_jax.upscale(array, weights=tmp_path))
    assert (results[0] != results[1]).any()


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("photo.jpg", "is a str"),
        (np.zeros((4, 4, 5), np.uint8), "shape"),
        (np.zeros((4,), np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "shape"),
        (np.zeros((4, 4), bool), "bool"),
        (np.full((4, 4), np.nan), "not finite"),
        (Image.new("F", (4, 4)), "float"),
        (Image.new("RGB", (0, 4)), "empty"),
    ],
)
def test_what_is_no_image(weights, image, words):
    with pytest.raises(InputError, match=words):
        ignn_jax.upscale(image, weights=weights)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": 3}, "scale 3: .* is a network for x2"),
        ({"outscale": 2, "width": 9}, "only one"),
        ({"size": (9, 0)}, "positive"),
        ({"tile": -1}, "tile of -1"),
        ({"device": "tpu"}, "device tpu: JAX finds none here, only cpu"),
    ],
)
def test_wrong_options(weights, options, words):
    with pytest.raises(InputError, match=words):
        ignn_jax.upscale(noise(8, 8, 3), weights=weights, **options)


def test_device_dtype_and_ensemble(weights):
    image = noise(8, 9, 3).astype(np.float32)
    plain = load_network(weights).run(image)
    there = load_network(weights, scale=2, device="cpu").run(image)
    np.testing.assert_array_equal(there, plain)
    half = load_network(weights, dtype="bfloat16").run(image)
    assert 0 < np.abs(half - plain).max() < 3
    # Over all orientations: a turned picture becomes the turned result.
    ensemble = load_network(weights, ensemble=True).run
    turned = ensemble(np.rot90(image))
    np.testing.assert_allclose(turned, np.rot90(ensemble(image)), atol=1e-3)
