"""Where one image is better than another, and the sheet of such places."""

import numpy as np
import pytest

from ignn_jax.data.pairs import Pair
from ignn_jax.evaluation.comparison import largest_gain, side_by_side
from ignn_jax.evaluation.scores import evaluate_pair


def noise(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("side", [1, 7, 20, 99])
def test_the_largest_gain_is_that_of_a_loop(side):
    better, worse, hr = (noise(23, 31, seed) for seed in range(3))
    height, width = min(side, 23), min(side, 31)

    def error(image, where):
        return ((image[where].astype(int) - hr[where].astype(int)) ** 2).sum()

    places = [
        (slice(top, top + height), slice(left, left + width))
        for top in range(23 - height + 1)
        for left in range(31 - width + 1)
    ]
    best = max(places, key=lambda where: error(worse, where) - error(better, where))
    assert largest_gain(better, worse, hr, side=side) == best


def test_a_row_shows_bicubic_networks_and_original_magnified():
    hr = noise(100, 120)
    sr, other, bicubic = hr // 2, hr // 3, hr // 4
    methods = {"bicubic": bicubic, "Net": sr, "Other": other}
    upscalers = {name: lambda lr, image=image: image for name, image in methods.items()}
    results = [
        evaluate_pair(Pair(name, hr[::2, ::2], hr), upscalers) for name in ("a", "b")
    ]
    rows, columns = largest_gain(sr, bicubic, hr, side=96)
    sheet = np.asarray(side_by_side(results))
    for n in (0, 1):
        top = 8 + n * (24 + 288 + 8) + 24
        for m, image in enumerate((bicubic, sr, other, hr)):
            left = 8 + m * (288 + 8)
            shown = sheet[top : top + 288 : 3, left : left + 288 : 3]
            np.testing.assert_array_equal(shown, image[rows, columns])
