"""PyTorch's names as ours; test_golden.py checks what the networks compute."""

import pathlib

import flax.traverse_util
import jax
import numpy as np
import pytest

from ignn_jax.weights.torch import edsr_from_torch, ignn_from_torch, is_edsr
from tests.networks import random_variables

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
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
    """Like a tensor on a GPU, it becomes an array only once it is on the CPU."""

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
    """Each tensor is filled with another number, so none is used twice or lost."""
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


def test_settings_that_arrays_do_not_tell_are_passed_on():
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


# EDSR


def edsr_state_dict(scale, features=4, blocks=2):
    """Random weights with the authors' names and shapes."""
    rng = np.random.default_rng(scale)
    shapes = {"head.0": (features, 3)}
    for n in range(blocks):
        shapes |= {f"body.{n}.body.{i}": (features, features) for i in (0, 2)}
    shapes[f"body.{blocks}"] = (features, features)
    upsampling = {2: {0: 4}, 3: {0: 9}, 4: {0: 4, 2: 4}}[scale]
    for n, factor in upsampling.items():
        shapes[f"tail.0.{n}"] = (factor * features, features)
    shapes["tail.1"] = (3, features)
    weights = {}
    for name, (out, into) in shapes.items():
        weights[f"{name}.weight"] = rng.normal(0, 0.2, (out, into, 3, 3))
        weights[f"{name}.bias"] = rng.normal(0, 0.2, out)
    for name in ("sub_mean", "add_mean"):
        weights[f"{name}.weight"], weights[f"{name}.bias"] = np.zeros((3, 3)), [0] * 3
    return weights


def edsr_in_numpy(weights, lr, scale, blocks=2):
    """The authors' forward pass, residual scale 1, in their layout: [3, H, W]."""

    def conv(x, name):
        x = np.pad(x, [(0, 0), (1, 1), (1, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        y = np.einsum("ihwkl,oikl->ohw", windows, weights[f"{name}.weight"])
        return y + weights[f"{name}.bias"][:, None, None]

    def pixel_shuffle(x, s):
        c, height, width = x.shape[0] // s**2, *x.shape[1:]
        x = x.reshape(c, s, s, height, width).transpose(0, 3, 1, 4, 2)
        return x.reshape(c, height * s, width * s)

    mean = 255 * np.array([0.4488, 0.4371, 0.4040])[:, None, None]
    head = x = conv(lr - mean, "head.0")
    for n in range(blocks):
        y = np.maximum(conv(x, f"body.{n}.body.0"), 0)
        x = x + conv(y, f"body.{n}.body.2")
    x = conv(x, f"body.{blocks}") + head
    for n, s in {2: [(0, 2)], 3: [(0, 3)], 4: [(0, 2), (2, 2)]}[scale]:
        x = pixel_shuffle(conv(x, f"tail.0.{n}"), s)
    return conv(x, "tail.1") + mean


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_edsr_computes_what_it_did(scale):
    weights = edsr_state_dict(scale)
    assert is_edsr(weights)
    assert not is_edsr(reference())
    model, variables = edsr_from_torch(weights, scale=scale)
    lr = np.random.default_rng(0).uniform(0, 255, (3, 5, 7))
    theirs = edsr_in_numpy(weights, lr, scale)
    ours = model.apply(variables, lr.transpose(1, 2, 0)[None].astype(np.float32))
    np.testing.assert_allclose(ours[0].transpose(2, 0, 1), theirs, rtol=1e-4, atol=1e-2)


def test_an_edsr_of_another_scale_is_refused():
    with pytest.raises(ValueError, match=r"not the weights of an x4 EDSR: tail\.0\.2"):
        edsr_from_torch(edsr_state_dict(2), scale=4)
