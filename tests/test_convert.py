"""The reference's parameter names as ours; test_golden.py checks what they compute."""

import pathlib

import flax.traverse_util
import jax
import numpy as np
import pytest
from networks import random_variables

from ignn_jax.convert import ignn_from_torch

GOLDEN = pathlib.Path(__file__).parent / "golden"
SCALES = {"x2_windowed_odd": 2, "x3_full_search": 3, "x4_windowed": 4}
CASE = "x2_windowed_odd"
REDUNDANT = ("sub_mean", "add_mean", "vggnet.sub_mean", "graph.embedcnn.model.0")


def reference(case=CASE):
    with np.load(GOLDEN / f"{case}.npz") as arrays:
        names = [name for name in arrays.files if name.startswith("weights/")]
        return {name.removeprefix("weights/"): arrays[name] for name in names}


def refusal(state_dict, scale=2):
    with pytest.raises(ValueError, match=f"not the weights of an x{scale} IGNN") as e:
        ignn_from_torch(state_dict, scale=scale)
    return str(e.value)


def assert_same(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


class FakeTensor:
    """What of a tensor on a GPU matters: it is no array until it is on the CPU."""

    def __init__(self, array, steps=()):
        self._array, self._steps = array, steps

    def detach(self):
        return FakeTensor(self._array, (*self._steps, "detach"))

    def cpu(self):
        return FakeTensor(self._array, (*self._steps, "cpu"))

    def __array__(self, dtype=None, copy=None):
        assert self._steps == ("detach", "cpu")
        return np.asarray(self._array, dtype)


@pytest.mark.parametrize("case", SCALES)
def test_variables_are_those_of_the_model(case):
    scale = SCALES[case]
    weights = reference(case)
    model, variables = ignn_from_torch(weights, scale=scale)
    assert model.scale == scale
    expected = random_variables(model)
    shapes, theirs = (jax.tree.map(np.shape, tree) for tree in (variables, expected))
    assert shapes == theirs
    # Torch's OIHW, ours HWIO.
    np.testing.assert_array_equal(
        variables["params"]["head"]["kernel"],
        np.einsum("oihw->hwio", weights["head.0.weight"]),
    )
    count = sum(leaf.size for leaf in jax.tree.leaves(variables))
    assert count == sum(array.size for array in weights.values())


def test_every_tensor_has_its_own_place():
    """No two names lead to one tensor: each is filled with a number of its own."""
    weights = {
        name: np.full_like(array, n)
        for n, (name, array) in enumerate(reference().items())
    }
    _, variables = ignn_from_torch(weights, scale=2)
    flat = flax.traverse_util.flatten_dict(variables)
    assert sorted(leaf.flat[0] for leaf in flat.values()) == list(range(len(weights)))


def test_names_of_data_parallel_training():
    weights = reference()
    _, plain = ignn_from_torch(weights, scale=2)
    prefixed = {f"module.{name}": array for name, array in weights.items()}
    assert_same(ignn_from_torch(prefixed, scale=2)[1], plain)


def test_entries_that_a_real_checkpoint_holds_twice():
    weights = reference()
    _, plain = ignn_from_torch(weights, scale=2)
    extra = {
        f"{name}.{leaf}": np.zeros(3, np.float32)
        for name in (
            "sub_mean",
            "add_mean",
            "vggnet.sub_mean",
            "graph.embedcnn.model.0",
        )
        for leaf in ("weight", "bias")
    }
    assert_same(ignn_from_torch(weights | extra, scale=2)[1], plain)


def test_tensors_are_brought_to_the_cpu():
    weights = reference()
    tensors = {name: FakeTensor(array) for name, array in weights.items()}
    _, plain = ignn_from_torch(weights, scale=2)
    assert_same(ignn_from_torch(tensors, scale=2)[1], plain)


def test_what_the_arrays_do_not_tell_is_passed_on():
    weights = reference()
    graph = ignn_from_torch(weights, scale=2)[0].graph
    assert (graph.window, graph.neighbors, graph.window_center) == (30, 5, "reference")
    assert graph.embedding == "vgg19"
    options = dict(window=7, neighbors=3, window_center="centered")
    graph = ignn_from_torch(weights, scale=2, **options)[0].graph
    assert {name: getattr(graph, name) for name in options} == options


def test_all_wrong_names_are_listed():
    weights = reference()
    del weights["fuse_b.0.0.bias"], weights["vggnet.model.0.weight"]
    weights["body1.0.body.0.weight"] = weights["body1.0.body.0.weight"][1:]
    weights["graph.surprise"] = np.zeros(2)
    message = refusal(weights)
    assert "fuse_b.0.0.bias is missing" in message
    assert "vggnet.model.0.weight is missing" in message
    assert "graph.surprise is unexpected" in message
    assert "body1.0.body.0.weight has shape" in message
    assert message.count(";") == 3


def test_another_scale_is_refused():
    assert "upsample.0.weight has shape" in refusal(reference(), scale=3)
    assert "tail.1.0.weight is missing" in refusal(reference(), scale=4)


def test_no_weights_at_all_are_refused():
    assert "head.0.weight is missing" in refusal({})
