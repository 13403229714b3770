"""PSNR and SSIM against scikit-image, and against the field's bicubic baselines."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from skimage import data
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ignn_jax.evaluation.metrics import psnr, ssim
from ignn_jax.ops.bicubic import imresize


def noisy(image: np.ndarray, level: int) -> np.ndarray:
    noise = np.random.default_rng(level).integers(-level, level + 1, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return data.astronaut()[100:260, 120:270]


@pytest.mark.parametrize("border", [0, 2, 3, 4])
@pytest.mark.parametrize("level", [1, 8, 100])
def test_equals_scikit_image(photograph, level, border):
    a, b = photograph, noisy(photograph, level)
    inside = slice(border, -border or None)
    y_a, y_b = (rgb2ycbcr(x)[inside, inside, 0] for x in (a, b))
    expected = peak_signal_noise_ratio(y_a, y_b, data_range=255)
    assert_allclose(psnr(a, b, border=border), expected, rtol=1e-12)
    # It averages where the window (11 x 11, from sigma 1.5 cut at 3.5 sigma) is inside.
    expected = structural_similarity(
        y_a,
        y_b,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    assert_allclose(ssim(a, b, border=border), expected, rtol=1e-10)


def test_known_answers():
    black, white = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8)
    assert psnr(black, white, border=2) == pytest.approx(20 * math.log10(255 / 219))
    c1 = 2.55**2
    expected = (2 * 16 * 235 + c1) / (16**2 + 235**2 + c1)
    assert ssim(black, white, border=2) == pytest.approx(expected)


def test_identical_images(photograph):
    for image in (photograph, photograph[..., 0]):
        assert psnr(image, image.copy(), border=2) == math.inf
        assert ssim(image, image.copy(), border=2) == 1.0


def test_gray_counts_as_equal_channels(photograph):
    a = photograph[..., 1]
    b = noisy(a, 5)
    for metric in (psnr, ssim):
        expected = metric(*(np.stack([x] * 3, axis=-1) for x in (a, b)), border=2)
        assert metric(a, b, border=2) == expected


def test_border_is_left_out(photograph):
    a = photograph.copy()
    b = noisy(a, 5)
    a[:3], a[-3:], a[:, :3], a[:, -3:] = 0, 255, 255, 0
    for metric in (psnr, ssim):
        expected = metric(a[3:-3, 3:-3], b[3:-3, 3:-3], border=0)
        assert metric(a, b, border=3) == expected
        assert metric(a, b, border=2) < expected


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_rejects_bad_shapes_and_borders(metric):
    def measure(shape_a, shape_b, border):
        metric(np.zeros(shape_a, np.uint8), np.zeros(shape_b, np.uint8), border=border)

    for shapes in [
        ((16, 16, 3), (16, 15, 3)),
        ((16, 16, 3), (16, 16)),
        ((16, 16, 1), (16, 16, 1)),
        ((16, 16, 4), (16, 16, 4)),
        ((16,), (16,)),
    ]:
        with pytest.raises(ValueError, match="images must be"):
            measure(*shapes, border=0)
    least = 11 if metric is ssim else 1
    shape = (least + 4, 30, 3)
    measure(shape, shape, border=2)
    for border in (3, -1):
        with pytest.raises(ValueError, match="border"):
            measure(shape, shape, border=border)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_rejects_other_dtypes(metric):
    image = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match="uint8"):
        metric(image, image.astype(np.float32), border=0)


def to_uint8(image: np.ndarray) -> np.ndarray:
    return np.floor(image.clip(0, 255) + 0.5).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "scale", "expected_psnr", "expected_ssim"),
    [
        ("Set5", 2, 33.68, 0.9305),
        ("Set5", 3, 30.40, 0.8690),
        ("Set5", 4, 28.43, 0.8113),
        ("Set14", 2, 30.33, 0.8700),
        ("Set14", 3, 27.63, 0.7760),
        ("Set14", 4, 26.09, 0.7050),
    ],
)
def test_bicubic_baselines(images, name, scale, expected_psnr, expected_ssim):
    """Bicubic down and up in float, each rounded once."""
    scores = []
    for path in sorted((images / "benchmark" / name).glob(f"*_{scale}/*_HR.png")):
        hr = np.asarray(Image.open(path))
        lr = to_uint8(imresize(hr.astype(np.float64), scale=1 / scale))
        sr = to_uint8(imresize(lr.astype(np.float64), scale=scale))
        scores.append([metric(sr, hr, border=scale) for metric in (psnr, ssim)])
    mean_psnr, mean_ssim = np.mean(scores, axis=0)
    assert mean_psnr == pytest.approx(expected_psnr, abs=0.01)
    assert mean_ssim == pytest.approx(expected_ssim, abs=2e-4)
