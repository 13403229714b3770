"""VGG19's weights in every form."""

import jax
import numpy as np
import pytest
import safetensors.numpy

from ignn_jax.models.embedding import VGG19_SHAPES
from ignn_jax.weights.vgg19 import load_vgg19
from tests.checks import assert_same, refusal
from tests.networks import random_variables, tiny_ignn


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
    assert f"conv1_2/{leaf} is missing" in refusal(load_vgg19, tmp_path / "vgg19.npz")


@pytest.mark.parametrize("name", ["conv1_2/kernel", "conv1_2/bias"])
def test_vgg19_of_another_shape_is_refused(tmp_path, vgg19, name):
    arrays = as_ours(vgg19)
    arrays[name] = arrays[name][:1]
    np.savez(tmp_path / "vgg19.npz", **arrays)
    assert f"{name} has shape" in refusal(load_vgg19, tmp_path / "vgg19.npz")


def test_vgg19_with_nan_is_refused(tmp_path, vgg19):
    arrays = as_ours(vgg19)
    arrays["conv1_1/bias"] = np.full_like(arrays["conv1_1/bias"], np.nan)
    np.savez(tmp_path / "vgg19.npz", **arrays)
    assert "conv1_1/bias is not finite" in refusal(load_vgg19, tmp_path / "vgg19.npz")


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors", "a.txt", "none.npz"])
def test_what_is_no_vgg19_is_refused(tmp_path, name):
    if not name.startswith("none"):
        (tmp_path / name).write_text("not what the name says")
    refusal(load_vgg19, tmp_path / name)


@pytest.mark.parametrize("layer", ["features.17.weight", "features.1.running_mean"])
def test_a_relative_of_vgg19_is_refused(tmp_path, vgg19, layer):
    """VGG16's third block, and batch normalization."""
    tensors = as_torchvision(vgg19) | {layer: np.zeros(3, np.float32)}
    safetensors.numpy.save_file(tensors, tmp_path / "vgg.safetensors")
    message = refusal(load_vgg19, tmp_path / "vgg.safetensors")
    assert f"another network than VGG19: it has {layer}" in message
