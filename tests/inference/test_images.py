"""`ignn_jax.upscale` of Pillow images and arrays, with real weights."""

import io
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from PIL.ExifTags import IFD

import ignn_jax
from ignn_jax.errors import InputError
from ignn_jax.models import EDSR
from ignn_jax.weights.find import FILENAME
from ignn_jax.weights.network import save
from tests.networks import random_variables
from tests.pictures.samples import SRGB, noise

PLATFORM = jax.default_backend()


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


def convert(image, mode):
    """Through the modes that lie between."""
    between = {"LAB": ["RGB"], "PA": ["P"], "La": ["LA"], "RGBa": ["RGBA"]}
    if mode == "LAB":
        profiles = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
        return ImageCms.profileToProfile(
            image.convert("RGB"), *profiles, outputMode=mode
        )
    for step in [*between.get(mode, []), mode]:
        image = image.convert(step)
    return image


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        *(("1", "L"), ("L", "L"), ("LA", "LA"), ("P", "RGB"), ("RGB", "RGB")),
        *(("RGBA", "RGBA"), ("CMYK", "RGB"), ("I;16", "I;16"), ("I", "I;16")),
        *(("HSV", "RGB"), ("YCbCr", "RGB"), ("LAB", "RGB"), ("RGBX", "RGB")),
        *(("PA", "RGBA"), ("La", "LA"), ("RGBa", "RGBA"), ("I;16B", "I;16")),
    ],
)
def test_pillow_images(weights, mode, expected):
    image = Image.fromarray(noise(8, 6, 3))
    image = convert(image.convert("L") if mode[0] == "I" else image, mode)
    assert image.mode == mode
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


@pytest.mark.parametrize("is_loaded", [False, True])
def test_an_image_from_a_tiff_keeps_its_exif(weights, tmp_path, is_loaded):
    exif = Image.Exif()
    exif[274], exif[271], exif[270] = 6, "Maker", '{"shape": [8, 6]}'
    exif[IFD.Exif] = {40962: 6, 40963: 8}
    Image.fromarray(noise(8, 6, 3)).save(tmp_path / "a.tif", exif=exif.tobytes())
    with Image.open(tmp_path / "a.tif") as image:
        if is_loaded:
            image.load()
        result = ignn_jax.upscale(image, weights=weights)
    assert result.size == (16, 12)
    kept = Image.Exif()
    kept.load(result.info["exif"])
    assert dict(kept)[271] == "Maker"
    assert kept.get(274, 1) == 1
    assert {256, 257, 270, 273}.isdisjoint(kept)
    assert kept.get_ifd(IFD.Exif) == {40962: 16, 40963: 12}


def test_exif_that_the_user_has_set(weights, tmp_path):
    exif = Image.Exif()
    exif[271] = "Maker"
    Image.fromarray(noise(8, 6, 3)).save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as image:
        image.getexif()[271] = "Another"
        result = ignn_jax.upscale(image, weights=weights)
    kept = Image.Exif()
    kept.load(result.info["exif"])
    assert kept[271] == "Another"


def test_texts_comments_and_xmp_of_pillow_images(weights, tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a cat")
    info.add_itxt("Title", "\u732b")
    image = Image.fromarray(noise(8, 6, 3))
    xmp = b'<a tiff:ImageWidth="6" />'
    image.save(tmp_path / "a.png", pnginfo=info)
    image.save(tmp_path / "a.jpg", comment=b"words", xmp=xmp)
    with Image.open(tmp_path / "a.png") as image:
        kept = ignn_jax.upscale(image, weights=weights).info
    assert (kept["parameters"], kept["Title"]) == ("a cat", "\u732b")
    with Image.open(tmp_path / "a.jpg") as image:
        kept = ignn_jax.upscale(image, weights=weights).info
    assert (kept["comment"], kept["xmp"]) == (b"words", b'<a tiff:ImageWidth="12" />')


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
        ("photo.jpg", "is a str; open it with PIL.Image.open"),
        (np.zeros((4, 4, 5), np.uint8), "shape"),
        (np.zeros((4,), np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "shape"),
        (np.zeros((4, 4), bool), "of bool; give uint8"),
        (np.zeros((4, 4), np.int64), "of int64; give uint8"),
        (np.zeros((4, 4), np.complex64), "of complex64; give uint8"),
        (np.zeros((4, 4), "S1"), r"of \|S1; give uint8"),
        (np.zeros((4, 4), object), "of object; give uint8"),
        (np.zeros((), np.uint8), "shape"),
        (np.ones((4, 4), np.uint8).view(np.matrix), "is a matrix; .*numpy.asarray"),
        (np.ma.masked_equal(np.ones((4, 4), np.uint8), 1), "is a MaskedArray; "),
        (jnp.ones((4, 4)), "numpy.asarray"),
        ([[1, 2], [3, 4]], "is a list; .*numpy.asarray"),
        (None, "is a NoneType"),
        (Path("photo.jpg"), "PIL.Image.open"),
        (b"photo", "is a bytes; .*PIL.Image.open"),
        (io.BytesIO(), "is a BytesIO; .*PIL.Image.open"),
        (np.full((4, 4), np.nan), "not finite"),
        (np.full((4, 4), -np.inf, np.float16), "not finite"),
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
        ({"scale": "2"}, "scale: '2' is not a whole number"),
        ({"scale": [2]}, r"scale: \[2\] is not a whole number"),
        ({"scale": 3}, "scale: .* is a network for x2, not x3"),
        ({"outscale": 2, "width": 9}, "only one"),
        ({"size": (9, 0)}, "positive"),
        ({"size": "64x64"}, "size: '64x64' is not"),
        ({"tile": -1}, "-1 is not the side of a tile"),
        ({"tile": [16]}, r"\[16\] is not the side of a tile"),
        ({"tile": np.float32(16)}, "16.0 is not the side of a tile"),
        ({"tile": True}, "True is not the side of a tile"),
        ({"tile": "16"}, "16 is not the side of a tile"),
        ({"dtype": "int8"}, "dtype: 'int8' is not .*; give float32 or bfloat16"),
        ({"dtype": np.float32}, "dtype: .* is not"),
        ({"device": 0}, "device: 0 is not"),
        ({"data_range": 0}, "data_range: 0 is not a positive number"),
        ({"data_range": "1"}, "data_range: '1' is not"),
        ({"data_range": 256}, "data_range: 256 is beyond uint8"),
        ({"device": "tpu"}, f"device: JAX finds no tpu here, only {PLATFORM}"),
    ],
)
def test_wrong_options(weights, options, words):
    with pytest.raises(InputError, match=words):
        ignn_jax.upscale(noise(8, 8, 3), **{"weights": weights, **options})


@pytest.mark.parametrize("wrong", [3, ["tiny-x2"], "n" * 300])
def test_wrong_weights(wrong):
    with pytest.raises(InputError, match=r"is not a file's name|no such weights"):
        ignn_jax.upscale(noise(8, 8, 3), weights=wrong)


@pytest.mark.parametrize(
    "array",
    [
        np.random.default_rng(0).random((8, 8, 3)),  # as scikit-image has them
        np.float32([[0, 1], [0, 1]]),
        np.full((4, 4), 0.5, np.float16),
        np.linspace(-1, 1, 16).reshape(4, 4),
        np.linspace(0, 65535, 16).reshape(4, 4),
        np.linspace(-200, 200, 16).reshape(4, 4),
        np.dstack([np.full((4, 4, 3), 200.0), np.ones((4, 4))]),  # alpha up to 1
    ],
)
def test_floats_that_cannot_be_in_the_range_are_refused(weights, array):
    with pytest.raises(
        InputError, match=r"data_range: holds floats from .* \[0, 255\]"
    ):
        ignn_jax.upscale(array, weights=weights)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((8, 8)),  # black in any range
        np.float32([[-3, 258.5], [20, 30]]),  # what sharpening adds is clipped
    ],
)
def test_floats_that_can_be_in_the_range(weights, array):
    result = ignn_jax.upscale(array, weights=weights)
    assert 0 <= result.min() <= result.max() <= 255


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 4)])
@pytest.mark.parametrize(
    ("white", "dtype"), [(1, np.float64), (1.0, np.float16), (4080, np.uint16)]
)
def test_data_range(weights, shape, white, dtype):
    eight = noise(*shape)
    expected = ignn_jax.upscale(eight.astype(np.float32), weights=weights)
    array = (eight * (white / 255)).astype(dtype)
    result = ignn_jax.upscale(array, weights=weights, data_range=white)
    assert result.dtype == dtype
    assert result.max() <= white
    tolerance = 0.5 if dtype == np.float16 else 0.05
    np.testing.assert_allclose(result * (255.0 / white), expected, atol=tolerance)


def test_data_range_is_for_arrays(weights):
    with pytest.raises(InputError, match="data_range: is for arrays"):
        ignn_jax.upscale(Image.new("L", (4, 4)), weights=weights, data_range=1)


def test_arrays_in_any_layout(weights, tmp_path):
    array = noise(8, 6, 3)
    expected = ignn_jax.upscale(array, weights=weights)
    mapped = np.memmap(tmp_path / "a", np.uint8, "w+", shape=array.shape)
    mapped[:] = array
    spread = np.zeros((16, 12, 3), np.uint8)[::2, ::2]
    spread[:] = array
    for same in (mapped, spread, np.asfortranarray(array)):
        result = ignn_jax.upscale(same, weights=weights)
        np.testing.assert_array_equal(result, expected)
        assert type(result) is np.ndarray


@pytest.mark.parametrize("dtype", [">u2", ">f4", "<f8"])
def test_byte_orders(weights, dtype):
    array = noise(8, 8, 3).astype(dtype)
    result = ignn_jax.upscale(array, weights=weights)
    assert result.dtype == array.dtype
    native = ignn_jax.upscale(
        array.astype(array.dtype.newbyteorder("=")), weights=weights
    )
    np.testing.assert_array_equal(result, native)


def test_numbers_of_numpy_are_options(weights):
    options = {"tile": np.int64(16), "scale": np.int32(2), "outscale": np.float32(2)}
    result = ignn_jax.upscale(noise(8, 8, 3), weights=weights, **options)
    assert result.shape == (16, 16, 3)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.gif", "a.bmp"])
def test_a_lazy_image_that_is_cut_short(weights, tmp_path, name):
    Image.fromarray(noise(64, 64, 3)).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    with (
        Image.open(io.BytesIO(data[: len(data) // 2])) as image,
        pytest.raises(InputError, match="the image cannot be used: "),
    ):
        ignn_jax.upscale(image, weights=weights)


def test_a_closed_image(weights, tmp_path):
    Image.fromarray(noise(8, 8, 3)).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pass
    with pytest.raises(InputError, match="the image cannot be used: "):
        ignn_jax.upscale(image, weights=weights)
