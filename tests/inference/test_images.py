"""`ignn_jax.upscale` of Pillow images and arrays, with real weights."""

import numpy as np
import pytest
from PIL import Image

import ignn_jax
from ignn_jax.errors import InputError
from ignn_jax.models import EDSR
from ignn_jax.weights.find import FILENAME
from ignn_jax.weights.network import save
from tests.networks import random_variables
from tests.pictures.samples import SRGB, noise


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
        ({"scale": 3}, "scale: .* is a network for x2, not x3"),
        ({"outscale": 2, "width": 9}, "only one"),
        ({"size": (9, 0)}, "positive"),
        ({"tile": -1}, "-1 is not the side of a tile"),
        ({"device": "tpu"}, "device: JAX finds no tpu here, only cpu"),
    ],
)
def test_wrong_options(weights, options, words):
    with pytest.raises(InputError, match=words):
        ignn_jax.upscale(noise(8, 8, 3), weights=weights, **options)
