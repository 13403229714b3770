"""End sizes from the options that users give."""

import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.pictures.end_size import EndSize


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


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"outscale": 2, "width": 9}, "only one"),
        ({"outscale": "2"}, "outscale: '2' is not a positive number"),
        ({"outscale": float("nan")}, "outscale: nan is not"),
        ({"outscale": True}, "outscale: True is not"),
        ({"width": 9.5}, "width: 9.5 is not a positive whole number"),
        ({"width": -1}, "width: -1 is not"),
        ({"size": (9, 0)}, "positive"),
        ({"size": "64x64"}, r"size: '64x64' is not \(width, height\)"),
        ({"size": 64}, "size: 64 is not"),
        ({"size": (64, 64, 3)}, "size: .* two"),
    ],
)
def test_wrong_options(options, words):
    with pytest.raises(InputError, match=words):
        EndSize.given(**options)


def test_numbers_of_numpy():
    assert EndSize.given(size=np.array([64, 32])) == EndSize(width=64, height=32)
    assert EndSize.given(outscale=np.float32(1.5)) == EndSize(1.5)
    assert EndSize.given(width=np.uint8(9)) == EndSize(width=9)
