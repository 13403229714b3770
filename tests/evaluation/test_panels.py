"""Sheets of crops: nothing overlaps or is cut, and pixels become squares."""

import io
import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from ignn_jax.data.pairs import Pair
from ignn_jax.errors import InputError
from ignn_jax.evaluation.metrics import psnr
from ignn_jax.evaluation.panels import Panel, Scene, crop_at, draw_panels, panels_of
from ignn_jax.evaluation.scores import evaluate_pair
from ignn_jax.inference.upscalers import bicubic_upscaler


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def extents(figure):
    """Of the images and of all text, in pixels of the figure."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    drawn = [axes.get_images()[0] for axes in figure.axes] + figure.texts
    return [artist.get_window_extent(renderer) for artist in drawn]


def is_apart(a, b):
    return a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0


@pytest.mark.parametrize("lines", [1, 3])
@pytest.mark.parametrize("size", [(96, 96), (40, 96), (300, 200), (5, 7)])
def test_nothing_overlaps_or_is_cut(size, lines):
    caption = "\n".join(["Aggregated, without AdaPN: 32.15 dB"] * lines)
    panel = Panel(noise(*size, 3), caption)
    rows = [[panel] * 3, [panel._replace(image=noise(*size))] * 2]
    scene = Scene(noise(120, 160, 3), (slice(10, 40), slice(20, 50)), "the photograph")
    figure = draw_panels(rows, title="a title\nof two lines", scene=scene)
    found = extents(figure)
    assert len(found) == 2 * 6 + 1
    for a, b in itertools.combinations(found, 2):
        assert is_apart(a, b), (a, b)
    width, height = figure.get_size_inches() * figure.dpi
    for box in found:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height


def test_a_crop_is_magnified_pixel_by_pixel():
    crop = noise(96, 48, 3)
    png = io.BytesIO()
    draw_panels([[Panel(crop, "")]], title="").savefig(png)
    pixels = np.asarray(Image.open(png).convert("RGB")).astype(int)
    large = crop.repeat(3, 0).repeat(3, 1).astype(int)
    dark = np.argwhere((pixels != 255).any(axis=-1))
    top, left = dark.min(axis=0)
    shown = pixels[top : top + 288, left : left + 144]
    assert np.abs(shown - large).max() <= 1


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ((30, 20), (slice(12, 28), slice(22, 38))),
        ((0, 0), (slice(0, 16), slice(0, 16))),
        ((59, 39), (slice(24, 40), slice(44, 60))),
    ],
)
def test_crops_lie_in_the_image(at, expected):
    assert crop_at(noise(40, 60, 3), at, side=16) == expected


def test_small_images_and_pixels_outside():
    image = noise(10, 60, 3)
    assert crop_at(image, (30, 9), side=16) == (slice(0, 10), slice(22, 38))
    for at in ((60, 0), (0, 10), (-1, 0)):
        with pytest.raises(InputError, match="from 0,0 to 59,9") as caught:
            crop_at(image, at, side=16)
        assert caught.value.field == "at"


def test_scores_are_of_the_image_or_of_the_crop():
    hr = noise(40, 60, 3)
    pair = Pair("noise", noise(20, 30, 3, seed=1), hr)
    evaluated = evaluate_pair(pair, {"bicubic": bicubic_upscaler(2)})
    image, where = evaluated.images["bicubic"], (slice(4, 20), slice(8, 24))
    whole, original = panels_of(evaluated, where)
    assert whole.caption == f"bicubic\n{psnr(image, hr, border=2):.2f} dB"
    assert original.caption == "HR"
    np.testing.assert_array_equal(original.image, hr[where])
    crop, _ = panels_of(evaluated, where, of_crops=True)
    score = psnr(image[where], hr[where], border=0)
    assert crop.caption == f"bicubic\n{score:.2f} dB"
