"""`imresize` against loops written from MATLAB's definition and the benchmark files."""

import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from ignn_jax.ops.bicubic import imresize, imresize_jnp

GOLDEN = sorted((pathlib.Path(__file__).parents[1] / "golden").glob("*.npz"))
PADDINGS = ("symmetric", "replicate")
HALVING = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256  # at -7/4, -5/4, ...


def random_image(*shape: int, dtype=np.uint8) -> np.ndarray:
    # The extremes drawn often: overshoot then has to be clipped.
    values = np.random.default_rng(shape).integers(-100, 356, shape).clip(0, 255)
    return values.astype(dtype)


def keys_cubic(t: float) -> float:
    t = abs(t)
    if t <= 1:
        return 1.5 * t**3 - 2.5 * t**2 + 1
    if t <= 2:
        return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return 0.0


def pixel_at(i: int, length: int, padding: str) -> int:
    if padding == "replicate":
        return min(max(i, 0), length - 1)
    while not 0 <= i < length:  # mirrored at an edge, as often as it takes
        i = -1 - i if i < 0 else 2 * length - 1 - i
    return i


def resize_line(line, out_length: int, scale: float, padding: str) -> list[float]:
    stretch = max(1.0, 1 / scale)
    output = []
    for j in range(out_length):
        center = (j + 0.5) / scale - 0.5
        taps = range(math.floor(center - 2 * stretch), math.ceil(center + 2 * stretch))
        weights = [keys_cubic((center - i) / stretch) for i in taps]
        pixels = [float(line[pixel_at(i, len(line), padding)]) for i in taps]
        total = sum(w * p for w, p in zip(weights, pixels, strict=True))
        output.append(total / sum(weights))
    return output


def imresize_loops(image, *, scale=None, size=None, padding="symmetric"):
    """[H, W, C], one line after the other; uint8 is rounded after each pass."""
    lengths = image.shape[:2]
    scales = [size[i] / lengths[i] if size else scale for i in (0, 1)]
    size = size or [math.ceil(n * scale) for n in lengths]
    for axis in (1, 0) if scales[1] < scales[0] else (0, 1):
        resized = np.apply_along_axis(
            resize_line, axis, image, size[axis], scales[axis], padding
        )
        if image.dtype == np.uint8:  # halves away from zero
            resized = np.floor(np.clip(resized, 0, 255) + 0.5)
        image = resized.astype(image.dtype)
    return image


SHAPES = [(9, 13), (2, 17), (1, 1)]
TARGETS = [
    {"scale": 0.37},
    {"scale": 1 / 20},  # the mirror then reflects many times
    {"scale": 1.6},
    {"size": (5, 4)},
    {"size": (3, 20)},
    {"size": (14, 3)},
]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_the_loops(shape, target, padding):
    image = random_image(*shape, 2, dtype=np.float64)
    options = {**target, "padding": padding}
    expected = imresize_loops(image, **options)
    assert_allclose(imresize(image, **options), expected, rtol=0, atol=1e-10)
    actual = imresize_jnp(jnp.asarray(image, jnp.float32), **options)
    assert_allclose(actual, expected, rtol=0, atol=1e-4)


# At these scales halves are exact in float64 or (3) never occur; at others they hang
# on the last bit, and so on the order of the sum.
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("scale", [1 / 4, 1 / 3, 1 / 2, 1, 2, 3, 4])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_the_loops_to_the_bit_on_uint8(shape, scale, padding):
    image = random_image(*shape, 2)
    expected = imresize_loops(image, scale=scale, padding=padding)
    assert_array_equal(imresize(image, scale=scale, padding=padding), expected)


def test_halving_has_the_weights_known_in_closed_form():
    impulse = np.zeros((24, 1))
    impulse[12] = 1
    response = imresize(impulse, size=(12, 1))
    assert_array_equal(response[4:8, 0], HALVING[[7, 5, 3, 1]])


def test_each_pass_rounds_halves_away_from_zero():
    impulse = np.zeros((24, 12), np.uint8)
    impulse[12, 6] = 128
    # Vertically 128 * 29 / 256 = 14.5 becomes 15, which it would not be to even.
    assert imresize(impulse, size=(12, 12))[5, 6] == 15
    # Horizontally 15 * 111 / 256 = 6.504 becomes 7, which 14.5 * 111 / 256 would not.
    assert imresize(impulse, scale=1 / 2)[5].tolist() == [0, 0, 2, 7, 0, 0]


def test_the_axis_that_shrinks_most_is_resized_first():
    image = random_image(24, 24)
    both = imresize(image, size=(12, 8))
    assert_array_equal(both, imresize(imresize(image, size=(24, 8)), size=(12, 8)))
    assert (both != imresize(imresize(image, size=(12, 24)), size=(12, 8))).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)], ids=str)
def test_keeps_dtype_and_resizes_each_channel_alone(channels, dtype):
    image = random_image(20, 15, *channels, dtype=dtype)
    resized = imresize(image, scale=0.7)
    assert resized.dtype == dtype
    assert resized.shape == (14, 11, *channels)
    assert resized.flags.c_contiguous
    for channel in np.ndindex(channels):
        alone = imresize(image[:, :, *channel], scale=0.7)
        assert_array_equal(resized[:, :, *channel], alone)


def test_floats_are_neither_rounded_nor_clipped():
    edge = np.repeat([[0.0], [255.0]], 6, axis=0)
    for dtype in (np.float32, np.float64):
        resized = imresize(edge.astype(dtype), scale=2)
        assert resized.min() < 0
        assert resized.max() > 255
    assert_array_equal(
        np.unique(imresize(edge.astype(np.uint8), scale=2))[[0, -1]], [0, 255]
    )


def test_leaves_its_input_alone_and_takes_any_strides():
    image = random_image(12, 10, 3)
    copy = image.copy()
    view = image[::-1, ::2].swapaxes(0, 1)
    assert_array_equal(
        imresize(view, scale=0.5), imresize(np.ascontiguousarray(view), scale=0.5)
    )
    assert_array_equal(imresize(image, scale=1), image)
    assert_array_equal(image, copy)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_downsamples_the_golden_images_as_the_reference_does(path):
    golden = np.load(path)
    graph_scale = 3 if golden["config"][0] == 3 else 2
    lr = golden["lr_image"]
    height, width = (n // graph_scale * graph_scale for n in lr.shape[:2])
    lr = lr[:height, :width]
    for resize in (imresize, imresize_jnp):
        actual = np.asarray(resize(lr, scale=1 / graph_scale)).clip(0, 255)
        assert_allclose(actual, golden["lr_downsampled"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_makes_the_benchmarks_lr_images_bit_for_bit(images, name, scale):
    folder = images / "benchmark" / name / f"image_SRF_{scale}"
    paths = sorted(folder.glob("*_HR.png"))
    assert len(paths) == {"Set5": 5, "Set14": 14}[name]
    for path in paths:
        hr = np.asarray(Image.open(path))
        lr = np.asarray(Image.open(path.with_name(path.name.replace("_HR", "_LR"))))
        actual = imresize(hr, scale=1 / scale, padding="replicate")
        assert_array_equal(actual, lr, err_msg=path.name)


def test_jax_takes_batches_of_any_float_and_jits():
    batch = random_image(2, 3, 12, 9, 3, dtype=np.float32)
    expected = [[imresize(image, scale=1.5) for image in row] for row in batch]
    for dtype in (jnp.float32, jnp.bfloat16):  # bfloat16 holds 0 to 255 exactly
        resize = jax.jit(lambda x: imresize_jnp(x, scale=1.5))
        actual = resize(jnp.asarray(batch, dtype))
        assert actual.dtype == jnp.float32
        assert_allclose(actual, expected, rtol=0, atol=1e-4)


def test_jax_gradient_is_the_adjoint():
    x = random_image(8, 6, 2, dtype=np.float32)
    y = random_image(4, 3, 2, dtype=np.float32)
    gradient = jax.grad(lambda x: jnp.vdot(imresize_jnp(x, scale=0.5), y))(x)
    # <Ax', y> = <x', Aᵀy> for an x' the gradient was not taken at.
    other = random_image(8, 6, 2, dtype=np.float64)[::-1]
    expected = np.vdot(imresize(other, scale=0.5), y)
    assert_allclose(np.vdot(other, gradient), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either scale or size"),
        ({"scale": 2, "size": (3, 3)}, "either scale or size"),
        ({"scale": 0}, "scale must be positive"),
        ({"scale": -1.0}, "scale must be positive"),
        ({"scale": math.inf}, "scale must be positive"),
        ({"scale": math.nan}, "scale must be positive"),
        ({"size": (0, 3)}, "size must be"),
        ({"size": (2.5, 3)}, "size must be"),
        ({"size": (3,)}, "size must be"),
        ({"size": 3}, "size must be"),
        ({"scale": 2, "padding": "reflect"}, "padding must be"),
    ],
    ids=str,
)
def test_rejects_bad_options(options, message):
    image = np.zeros((4, 4, 3), np.float32)
    for resize in (imresize, imresize_jnp):
        with pytest.raises(ValueError, match=message):
            resize(image, **options)


def test_rejects_bad_images():
    for shape in [(4,), (1, 4, 4, 3)]:
        with pytest.raises(ValueError, match=r"must be \[H, W\]"):
            imresize(np.zeros(shape, np.uint8), scale=2)
    for dtype in (bool, np.int32, np.uint16, np.float16):
        with pytest.raises(ValueError, match="must be uint8"):
            imresize(np.zeros((4, 4), dtype), scale=2)
    with pytest.raises(ValueError, match=r"must be \[\.\.\., H, W, C\]"):
        imresize_jnp(jnp.zeros((4, 4)), scale=2)
    with pytest.raises(ValueError, match="float dtype"):
        imresize_jnp(jnp.zeros((4, 4, 3), jnp.uint8), scale=2)
    for resize in (imresize, imresize_jnp):
        with pytest.raises(ValueError, match="empty"):
            resize(np.zeros((0, 4, 3), np.float32), scale=2)
