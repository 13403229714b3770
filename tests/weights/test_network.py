"""Weights files: what is saved comes back, and a wrong file is named."""

import errno
import json
import os

import jax
import numpy as np
import pytest
import safetensors.numpy

from ignn_jax.errors import InputError
from ignn_jax.models import EDSR
from ignn_jax.weights.file import read_weights, write_weights
from ignn_jax.weights.find import FILENAME
from ignn_jax.weights.network import load, load_with_header, save
from tests.checks import assert_same, refusal
from tests.networks import random_variables, run, tiny_ignn

EDSR_TINY = EDSR(scale=3, features=4, num_blocks=1)
TENSOR = "params/block_0/conv_1/kernel"


@pytest.fixture
def path(tmp_path):
    """A weights file of a tiny EDSR."""
    path = tmp_path / FILENAME
    save(path, EDSR_TINY, random_variables(EDSR_TINY), step=3)
    return path


def change(path, change):
    """Changes the tensors of a file, and its checksum with them."""
    tensors, header = read_weights(path)
    change(tensors)
    write_weights(path, tensors, header)


@pytest.mark.parametrize(
    "model",
    [EDSR_TINY, tiny_ignn(4, embedding="vgg19", den="aggregated", position=None)],
    ids=lambda model: type(model).__name__,
)
def test_tensors_and_settings_come_back(tmp_path, model):
    variables = random_variables(model)
    save(tmp_path / FILENAME, model, variables, step=3, note="ü")
    for path in (tmp_path / FILENAME, tmp_path, str(tmp_path)):
        loaded, theirs, header = load_with_header(path)
        assert loaded == model
        assert_same(theirs, variables)
        assert (header["step"], header["note"]) == (3, "ü")
    assert {leaf.dtype for leaf in jax.tree.leaves(theirs)} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("stored", "error"), [("float16", 2**-11), ("bfloat16", 2**-8)]
)
def test_half_the_size_on_disk(tmp_path, path, stored, error):
    variables, half = random_variables(EDSR_TINY), tmp_path / "half.safetensors"
    save(half, EDSR_TINY, variables, stored=stored)
    assert half.stat().st_size < 0.7 * path.stat().st_size
    _, loaded = load(half)
    for ours, theirs in zip(*map(jax.tree.leaves, (loaded, variables)), strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=error, atol=1e-7)


def test_jax_arrays_are_saved_like_numpy_arrays(tmp_path, path):
    with_jax = tmp_path / "jax.safetensors"
    _, variables = load(path)
    save(with_jax, EDSR_TINY, jax.tree.map(jax.numpy.asarray, variables), step=3)
    assert with_jax.read_bytes() == path.read_bytes()


def test_the_same_weights_are_the_same_bytes(path):
    """In another process too, where Python orders sets differently."""
    program = (
        "import sys; from ignn_jax.weights.network import load, save; "
        "model, variables = load(sys.argv[1]); "
        "save(sys.argv[1], model, variables, step=3)"
    )
    before = path.read_bytes()
    done = run("-c", program, path, PYTHONHASHSEED="1")
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == before


def test_saving_replaces_and_leaves_nothing_else(path):
    variables = random_variables(EDSR_TINY, seed=1)
    save(path, EDSR_TINY, variables)
    assert_same(load(path)[1], variables)
    assert [entry.name for entry in path.parent.iterdir()] == [FILENAME]


def test_a_failed_save_keeps_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InputError, match=rf"{FILENAME}: .*No space left on device"):
        save(path, EDSR_TINY, random_variables(EDSR_TINY, seed=1))
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
    message = refusal(load, path)
    for word in words:
        assert word in message


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path):
    """Flips one bit in each byte of a file."""
    path = tmp_path / "a.safetensors"
    tensors = {"params/a": np.float32([0.5, -2]), "params/b": np.float16([[1], [3]])}
    model = {"name": "edsr", "scale": 2}
    write_weights(path, tensors, {"model": model, "psnr": 34.5})
    data, harmless = path.read_bytes(), []
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        path.write_bytes(flipped)
        try:
            theirs, header = read_weights(path)
        except InputError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert_same(theirs, tensors)
            assert (header["model"], header["psnr"]) == (model, 34.5)
            harmless.append(data[position : position + 1])
    assert len(harmless) <= len("sha256")  # the checksum's own name


def test_weights_without_a_checksum_load(tmp_path, path):
    tensors, header = read_weights(path)
    del header["sha256"]
    metadata = {"ignn_jax": json.dumps(header)}
    safetensors.numpy.save_file(tensors, tmp_path / "old.safetensors", metadata)
    assert_same(load(tmp_path / "old.safetensors")[1], load(path)[1])


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
def test_other_files_are_refused(path, damage):
    damage(path)
    refusal(load, path)


def test_a_missing_file_is_refused(tmp_path):
    assert "no such weights file" in refusal(load, tmp_path / "none")
    assert f"no {FILENAME} in this folder" in refusal(load, tmp_path)
