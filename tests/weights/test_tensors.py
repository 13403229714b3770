"""The check of tensors, and the digest that tells whether they have changed."""

import ml_dtypes
import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.weights.file import digest
from ignn_jax.weights.tensors import check_tensors

SHAPES = {"a": (2, 3), "b": (4,), "c": ()}


def tensors():
    return {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}


def test_the_tensors_of_a_network_pass():
    check_tensors(tensors(), SHAPES, source="file")


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        ({"a": None}, "a is missing"),
        ({"d": np.ones(1)}, "d is unexpected"),
        ({"a": np.ones((3, 2))}, r"a has shape \(3, 2\), not \(2, 3\)"),
        ({"c": np.array(np.nan)}, "c is not finite"),
        ({"b": np.full(4, -np.inf)}, "b is not finite"),
        (
            {"a": None, "b": np.ones(5), "d": np.ones(1), "e": np.ones(1)},
            r"a is missing; b has shape .*; d is unexpected; e is unexpected",
        ),
        (
            {"a": None, "b": None, "c": None, **dict.fromkeys("def", np.ones(1))},
            "a is missing; b is missing; c is missing; d is unexpected and 2 more",
        ),
    ],
)
def test_wrong_tensors_are_listed(change, problems):
    changed = {
        n: array for n, array in (tensors() | change).items() if array is not None
    }
    with pytest.raises(InputError, match=f"^file: {problems}$"):
        check_tensors(changed, SHAPES, source="file")


def test_the_digest_sees_every_change_but_the_order():
    array, info = np.arange(6, dtype=np.float32).reshape(2, 3), {"step": 1, "psnr": 0.1}
    same = digest({"a": array, "b": array}, info)
    assert digest({"b": array.copy(order="F"), "a": array}, dict(info)) == same
    flipped = array.copy()
    flipped[1, 2] = np.nextafter(flipped[1, 2], 9)
    others = [
        digest({"a": array, "c": array}, info),
        digest({"a": array, "b": flipped}, info),
        digest({"a": array, "b": array.reshape(3, 2)}, info),
        digest({"a": array, "b": array.view(np.int32)}, info),
        digest({"a": array}, info),
        digest({"a": array, "b": array}, {**info, "step": 2}),
        digest({"a": np.float32(0), "b": np.zeros((0, 2), ml_dtypes.bfloat16)}, info),
    ]
    assert len({same, *others}) == 1 + len(others)
