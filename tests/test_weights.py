"""Weights files: what is saved comes back, and a wrong file is named."""

import errno
import json
import os
import re
import sys

import jax
import numpy as np
import pytest
import safetensors.numpy
from networks import random_variables, run, tiny_ignn

from ignn_jax.errors import InputError
from ignn_jax.models import EDSR
from ignn_jax.models.embedding import VGG19_SHAPES
from ignn_jax.weights import (
    FILENAME,
    load_torch,
    load_vgg19,
    load_weights,
    save_weights,
)

EDSR_TINY = EDSR(scale=3, features=4, num_blocks=1)
TENSOR = "params/block_0/conv_1/kernel"


@pytest.fixture
def path(tmp_path):
    """A weights file of a tiny EDSR."""
    path = tmp_path / FILENAME
    save_weights(path, EDSR_TINY, random_variables(EDSR_TINY), step=3)
    return path


def assert_same(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def change(path, change):
    """Applies a change to the tensors of a file, by name; the header stays."""
    with safetensors.safe_open(path, framework="numpy") as file:
        header = file.metadata()
    tensors = safetensors.numpy.load_file(path)
    change(tensors)
    safetensors.numpy.save_file(tensors, path, header)


def refusal(load, path):
    with pytest.raises(InputError, match=re.escape(str(path))) as error:
        load(path)
    assert "\n" not in str(error.value)
    return str(error.value)


# Networks


@pytest.mark.parametrize(
    "model",
    [EDSR_TINY, tiny_ignn(4, embedding="vgg19", den="aggregated", position=None)],
    ids=lambda model: type(model).__name__,
)
def test_tensors_and_settings_come_back(tmp_path, model):
    variables = random_variables(model)
    save_weights(tmp_path / FILENAME, model, variables, step=3, note="ü")
    for path in (tmp_path / FILENAME, tmp_path, str(tmp_path)):
        loaded, theirs, header = load_weights(path)
        assert loaded == model
        assert_same(theirs, variables)
        assert (header["step"], header["note"]) == (3, "ü")
    assert {leaf.dtype for leaf in jax.tree.leaves(theirs)} == {np.dtype(np.float32)}


def test_tensors_of_jax_are_saved_as_they_are(tmp_path, path):
    with_jax = tmp_path / "jax.safetensors"
    _, variables, _ = load_weights(path)
    save_weights(
        with_jax, EDSR_TINY, jax.tree.map(jax.numpy.asarray, variables), step=3
    )
    assert with_jax.read_bytes() == path.read_bytes()


def test_the_same_weights_are_the_same_bytes(path):
    """Whatever the seed of Python's hashes, which orders its sets."""
    program = (
        "import sys; from ignn_jax.weights import *; "
        "model, variables, _ = load_weights(sys.argv[1]); "
        "save_weights(sys.argv[1], model, variables, step=3)"
    )
    before = path.read_bytes()
    for seed in "12":
        done = run("-c", program, path, PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
        assert path.read_bytes() == before


def test_saving_replaces_and_leaves_nothing_else(path):
    variables = random_variables(EDSR_TINY, seed=1)
    save_weights(path, EDSR_TINY, variables)
    assert_same(load_weights(path)[1], variables)
    assert [entry.name for entry in path.parent.iterdir()] == [FILENAME]


def test_a_failed_save_keeps_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InputError, match=rf"{FILENAME}: .*No space left on device"):
        save_weights(path, EDSR_TINY, random_variables(EDSR_TINY, seed=1))
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [FILENAME]


def rename(tensors):
    tensors[f"{TENSOR}s"] = tensors.pop(TENSOR)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda tensors: tensors.pop(TENSOR), [f"{TENSOR} is missing"]),
        (rename, [f"{TENSOR} is missing", f"{TENSOR}s is unexpected"]),
        (
            lambda tensors: tensors.update({TENSOR: tensors[TENSOR][..., :2].copy()}),
            [f"{TENSOR} has shape (3, 3, 4, 2), not (3, 3, 4, 4)"],
        ),
        (
            lambda tensors: tensors[TENSOR].__setitem__((0, 0, 0, 0), np.nan),
            [f"{TENSOR} is not finite"],
        ),
        (lambda tensors: tensors.clear(), ["is missing", " more"]),
    ],
    ids=["missing", "renamed", "misshapen", "NaN", "all missing"],
)
def test_wrong_tensors_are_named(path, wrong, words):
    change(path, wrong)
    message = refusal(load_weights, path)
    for word in words:
        assert word in message


def truncate(path):
    path.write_bytes(path.read_bytes()[:-10])


def set_header(header):
    def damage(path):
        tensors = safetensors.numpy.load_file(path)
        safetensors.numpy.save_file(tensors, path, header)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        lambda path: path.write_text("weights\n"),
        lambda path: path.write_bytes(b""),
        set_header(None),
        set_header({"format": "pt"}),
        set_header({"ignn_jax": "not JSON"}),
        set_header({"ignn_jax": json.dumps({"step": 3})}),
        set_header({"ignn_jax": json.dumps([1, 2])}),
        set_header({"ignn_jax": json.dumps({"model": "edsr"})}),
        set_header({"ignn_jax": json.dumps({"model": {"name": "srcnn", "scale": 2}})}),
    ],
    ids=[
        "truncated",
        "text",
        "empty",
        "no header",
        "another's header",
        "no JSON",
        "no model",
        "a list",
        "model is text",
        "unknown model",
    ],
)
def test_what_is_no_weights_file_is_refused(path, damage):
    damage(path)
    refusal(load_weights, path)


def test_a_missing_file_is_refused(tmp_path):
    assert "no such weights file" in refusal(load_weights, tmp_path / "none")
    assert f"no {FILENAME} in this folder" in refusal(load_weights, tmp_path)


# VGG19


@pytest.fixture(scope="module")
def vgg19():
    rng = np.random.default_rng(0)
    return {
        name: {
            "kernel": rng.normal(size=shape).astype(np.float32),
            "bias": rng.normal(size=shape[-1:]).astype(np.float32),
        }
        for name, shape in VGG19_SHAPES.items()
    }


def as_ours(vgg19):
    return {
        f"{name}/{leaf}": array
        for name, layer in vgg19.items()
        for leaf, array in layer.items()
    }


def as_torchvision(vgg19):
    tensors = {"classifier.0.bias": np.zeros(1, np.float32)}
    for name, torch in zip(VGG19_SHAPES, ("features.0", "features.2"), strict=True):
        kernel = np.einsum("hwio->oihw", vgg19[name]["kernel"])
        tensors[f"{torch}.weight"] = np.ascontiguousarray(kernel)
        tensors[f"{torch}.bias"] = vgg19[name]["bias"]
    return tensors


@pytest.mark.parametrize("names", [as_ours, as_torchvision])
@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_vgg19_in_any_form_is_the_same(tmp_path, vgg19, names, suffix):
    path = tmp_path / f"vgg19.{suffix}"
    if suffix == "npz":
        np.savez(path, **names(vgg19))
    else:
        safetensors.numpy.save_file(names(vgg19), path)
    assert_same(load_vgg19(path), {"vgg19": {"embedding": vgg19}})


def test_vgg19_fits_the_network(tmp_path, vgg19):
    np.savez(tmp_path / "vgg19.npz", **as_ours(vgg19))
    expected = random_variables(tiny_ignn(embedding="vgg19"))["vgg19"]
    loaded = load_vgg19(tmp_path / "vgg19.npz")["vgg19"]
    assert jax.tree.map(np.shape, loaded) == jax.tree.map(np.shape, expected)


@pytest.mark.parametrize("leaf", ["kernel", "bias"])
def test_vgg19_without_a_tensor_is_refused(tmp_path, vgg19, leaf):
    arrays = as_ours(vgg19)
    del arrays[f"conv1_2/{leaf}"]
    np.savez(tmp_path / "vgg19.npz", **arrays)
    assert f"conv1_2/{leaf}" in refusal(load_vgg19, tmp_path / "vgg19.npz")


@pytest.mark.parametrize("name", ["conv1_2/kernel", "conv1_2/bias"])
def test_vgg19_of_another_shape_is_refused(tmp_path, vgg19, name):
    arrays = as_ours(vgg19)
    arrays[name] = arrays[name][:1]
    np.savez(tmp_path / "vgg19.npz", **arrays)
    assert "conv1_2 has shapes" in refusal(load_vgg19, tmp_path / "vgg19.npz")


def test_vgg19_with_nan_is_refused(tmp_path, vgg19):
    arrays = as_ours(vgg19)
    arrays["conv1_1/bias"] = np.full_like(arrays["conv1_1/bias"], np.nan)
    np.savez(tmp_path / "vgg19.npz", **arrays)
    assert "conv1_1 is not finite" in refusal(load_vgg19, tmp_path / "vgg19.npz")


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors", "a.txt", "none.npz"])
def test_what_is_no_vgg19_is_refused(tmp_path, name):
    if not name.startswith("none"):
        (tmp_path / name).write_text("not what the name says")
    refusal(load_vgg19, tmp_path / name)


# PyTorch's files


def test_pth_without_torch_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for load in (load_vgg19, load_torch):
        message = refusal(load, tmp_path / "vgg19.pth")
        assert "pip install 'ignn-jax[torch]'" in message


def test_pth_with_torch(tmp_path, vgg19):
    torch = pytest.importorskip("torch", reason=".pth needs PyTorch")
    state = {n: torch.from_numpy(a) for n, a in as_torchvision(vgg19).items()}
    for name, content in (("a", state), ("b", {"state_dict": state, "epoch": 3})):
        torch.save(content, tmp_path / f"{name}.pth")
        loaded = load_vgg19(tmp_path / f"{name}.pth")
        assert_same(loaded, {"vgg19": {"embedding": vgg19}})
    torch.save({"epoch": 3}, tmp_path / "c.pth")
    assert "no state dict" in refusal(load_torch, tmp_path / "c.pth")
    (tmp_path / "d.pth").write_text("not a pickle")
    assert "not a PyTorch checkpoint" in refusal(load_torch, tmp_path / "d.pth")
