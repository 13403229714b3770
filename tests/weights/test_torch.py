"""PyTorch's names as ours; test_golden.py checks what the networks compute."""

import pathlib
import re

import flax.traverse_util
import jax
import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.models import EDSR
from ignn_jax.weights.layouts import LAYOUTS
from ignn_jax.weights.torch import (
    edsr_from_torch,
    ignn_from_torch,
    network_from_torch,
    network_to_torch,
)
from tests.checks import assert_same
from tests.networks import random_variables, tiny_ignn

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
SCALES = {"x2_windowed_odd": 2, "x3_full_search": 3, "x4_windowed": 4}
CASE = "x2_windowed_odd"


def reference(case=CASE):
    with np.load(GOLDEN / f"{case}.npz") as arrays:
        names = [name for name in arrays.files if name.startswith("weights/")]
        return {name.removeprefix("weights/"): arrays[name] for name in names}


def refusal(state_dict, scale=2):
    with pytest.raises(ValueError, match=f"not the weights of an x{scale} IGNN") as e:
        ignn_from_torch(state_dict, scale=scale)
    return str(e.value)


class FakeTensor:
    """Like a tensor on a GPU, it becomes an array only once it is on the CPU."""

    dtype = "torch.float32"

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
    model, variables = ignn_from_torch(weights)
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
    copies = {
        name.replace("vggnet", "graph.embedcnn"): array
        for name, array in weights.items()
        if name.startswith("vggnet")
    }
    assert len(copies) == 4
    assert_same(ignn_from_torch(weights | copies)[1], plain)
    copies["graph.embedcnn.model.2.bias"] = copies["graph.embedcnn.model.2.bias"] + 1
    with pytest.raises(InputError, match=r"embedcnn\.model\.2\.bias is not the same"):
        ignn_from_torch(weights | copies)


MEAN = np.float32([0.4488, 0.4371, 0.4040])
EYE = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)


def test_constants_that_a_real_checkpoint_holds():
    weights = reference()
    _, plain = ignn_from_torch(weights)
    constants = {"sub_mean.weight": EYE, "sub_mean.bias": -255 * MEAN}
    assert_same(ignn_from_torch(weights | constants)[1], plain)
    for bias, words in ((-MEAN, "shifts colors by -0.4488"), (None, "no bias")):
        wrong = {"sub_mean.weight": EYE, "sub_mean.bias": bias}
        wrong = {name: array for name, array in wrong.items() if array is not None}
        with pytest.raises(InputError, match=f"sub_mean .*{words}"):
            ignn_from_torch(weights | wrong)


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


@pytest.mark.parametrize("case", SCALES)
def test_another_scale_is_refused(case):
    scale = SCALES[case]
    for other in {2, 3, 4} - {scale}:
        with pytest.raises(InputError, match=f"x{scale} network, not x{other}") as e:
            ignn_from_torch(reference(case), scale=other)
        assert e.value.field == "scale"


def test_no_weights_at_all_are_refused():
    assert "head.0.weight is missing" in refusal({})


@pytest.mark.parametrize(
    "arrays", [{}, {"conv1.weight": np.zeros(2)}, {"params/head/kernel": np.zeros(2)}]
)
def test_a_network_that_is_not_known(arrays):
    with pytest.raises(InputError, match=f"not a network .*{'|'.join(arrays)}"):
        network_from_torch(arrays)


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
    for name, sign in (("sub_mean", -1), ("add_mean", 1)):
        weights[f"{name}.weight"] = EYE
        weights[f"{name}.bias"] = sign * 255 * MEAN
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


def in_basicsr(weights, blocks=2):
    """The same weights by BasicSR's names, which has no constants."""
    names = (
        (r"head\.0\.", "conv_first."),
        (rf"body\.{blocks}\.", "conv_after_body."),
        (r"(body\.\d+)\.body\.0\.", r"\1.conv1."),
        (r"(body\.\d+)\.body\.2\.", r"\1.conv2."),
        (r"tail\.0\.", "upsample."),
        (r"tail\.1\.", "conv_last."),
    )
    return {
        re.sub(pattern, name, theirs): array
        for theirs, array in weights.items()
        for pattern, name in names
        if re.match(pattern, theirs)
    }


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_edsr_computes_what_it_did(scale):
    weights = edsr_state_dict(scale)
    model, variables, layout = network_from_torch(weights)
    assert (layout, model) == (
        "edsr",
        EDSR(scale=scale, features=4, num_blocks=2, residual_scale=1.0),
    )
    lr = np.random.default_rng(0).uniform(0, 255, (3, 5, 7))
    theirs = edsr_in_numpy(weights, lr, scale)
    ours = model.apply(variables, lr.transpose(1, 2, 0)[None].astype(np.float32))
    np.testing.assert_allclose(ours[0].transpose(2, 0, 1), theirs, rtol=1e-4, atol=1e-2)
    again = network_from_torch(in_basicsr(weights))
    assert again.layout == "basicsr"
    assert again.model == model
    assert_same(again.variables, variables)
    assert_same(edsr_from_torch(in_basicsr(weights))[1], variables)


def test_the_residual_scale_is_the_authors_unless_given():
    def of(features, **options):
        weights = edsr_state_dict(2, features=features, blocks=1)
        return network_from_torch(weights, **options).model.residual_scale

    assert (of(4), of(256), of(4, residual_scale=0.2)) == (1, 0.1, 0.2)


def test_an_edsr_of_another_scale_is_refused():
    for weights in (edsr_state_dict(2), in_basicsr(edsr_state_dict(2))):
        with pytest.raises(InputError, match="x2 network, not x4"):
            edsr_from_torch(weights, scale=4)
    weights = edsr_state_dict(4)
    for leaf in ("weight", "bias"):
        weights[f"tail.0.4.{leaf}"] = weights[f"tail.0.2.{leaf}"]
    with pytest.raises(InputError, match="x8 network"):
        edsr_from_torch(weights)


def test_an_edsr_of_another_range_of_colors_is_refused():
    weights = edsr_state_dict(2)
    weights["sub_mean.bias"] = -MEAN  # of colors in [0, 1]
    with pytest.raises(InputError, match="sub_mean shifts colors by"):
        edsr_from_torch(weights)


# And back


@pytest.mark.parametrize("case", SCALES)
def test_ignn_comes_back_bit_for_bit(case):
    weights = reference(case)
    model, variables = ignn_from_torch(weights)
    back = network_to_torch(model, variables, layout="ignn")
    for name, array in weights.items():
        np.testing.assert_array_equal(back.pop(name), array, strict=True)
    constants = {name.rpartition(".")[0] for name in back}
    assert constants == {
        *("sub_mean", "add_mean", "vggnet.sub_mean", "graph.embedcnn.sub_mean"),
        *("graph.embedcnn.model.0", "graph.embedcnn.model.2"),
    }
    np.testing.assert_array_equal(back["sub_mean.bias"], -255 * MEAN)
    whole = weights | back
    assert_same(ignn_from_torch(whole)[1], variables)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("layout", ["edsr", "basicsr"])
def test_edsr_comes_back_bit_for_bit(scale, layout):
    weights = {n: np.float32(x) for n, x in edsr_state_dict(scale).items()}
    model, variables = edsr_from_torch(weights)
    back = network_to_torch(model, variables, layout=layout)
    if layout == "basicsr":
        weights = in_basicsr(weights)
    assert back.keys() == weights.keys()
    assert_same(back, weights)


@pytest.mark.parametrize(
    ("model", "layout", "words"),
    [
        (tiny_ignn(), "ignn", ["embedding is rgb, not vgg19"]),
        (tiny_ignn(embedding="vgg19", fusion="residual"), "ignn", ["fusion is resid"]),
        (
            tiny_ignn(den="aggregated"),
            "ignn",
            ["embedding is", "den is aggregated"],
        ),
        (tiny_ignn(kind="non_local"), "ignn", ["kind is non_local"]),
        (
            tiny_ignn(patch_stride=3, position=0),
            "ignn",
            ["patch_stride", "position"],
        ),
        (tiny_ignn(3, embedding="vgg19"), "ignn", ["window_center is centered"]),
        (tiny_ignn(embedding="vgg19").clone(residual_scale=1.0), "ignn", ["not 0.1"]),
        (tiny_ignn(), "edsr", ["no IGNN"]),
        (EDSR(scale=2, features=4, num_blocks=1), "ignn", ["no EDSR"]),
    ],
)
def test_what_the_original_cannot_hold_is_refused(model, layout, words):
    with pytest.raises(InputError, match=LAYOUTS[layout].program) as error:
        network_to_torch(model, {}, layout=layout)
    for word in words:
        assert word in str(error.value)
