"""Networks beside the first one."""

import math

import pytest

from ignn_jax.evaluation.results import Comparison, ImageResult, SetResult
from ignn_jax.evaluation.scores import Score


def result_of(psnrs):
    """A set's result from the PSNRs of each network, by its name."""
    count = len(next(iter(psnrs.values())))
    images = []
    for n in range(count):
        scores = {name: Score(values[n], 0.9) for name, values in psnrs.items()}
        scores = {"bicubic": Score(20.0, 0.8), **scores}
        images.append(ImageResult(str(n), 8, 8, "made", scores))
    return SetResult("set", images)


@pytest.mark.parametrize(
    ("psnrs", "comparison"),
    [
        # Five heads in a row, or five tails: 2 of the 32 ways that five coins fall.
        ([31.0, 32.0, 31.5, 31.5, 31.0], (1.4, 5, 0, 2 / 32)),
        # Four or more of a kind of five: 2 * (5 + 1) of 32.
        ([31.0, 31.0, 31.0, 31.0, 29.0], (0.6, 4, 1, 12 / 32)),
        # Equal images count for neither.
        ([31.0, 30.0, 30.0, 30.0, 30.0], (0.2, 1, 0, 1)),
        ([30.0, 30.0, 30.0, 30.0, 30.0], (0.0, 0, 0, 1)),
        ([math.inf, 29.0, 30.0, 30.0, 30.0], (math.inf, 1, 1, 1)),
    ],
)
def test_the_sign_test(psnrs, comparison):
    result = result_of({"a": [30.0] * 5, "b": psnrs})
    (found,) = result.comparisons.values()
    assert found == pytest.approx(Comparison(*comparison))


def test_identical_images_are_equal():
    found = result_of({"a": [math.inf, 30.0], "b": [math.inf, 31.0]}).comparisons
    assert found == {"b": Comparison(0.5, 1, 0, 1.0)}


def test_all_are_compared_with_the_first():
    result = result_of({"a": [30.0], "b": [31.0], "c": [29.0]})
    assert {name: one.psnr for name, one in result.comparisons.items()} == {
        "b": 1.0,
        "c": -1.0,
    }
    assert result_of({"a": [30.0]}).comparisons == {}
    assert SetResult("set", []).comparisons == {}
