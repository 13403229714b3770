"""Files of tensors: what they are follows from their contents; a wrong one is named."""

import sys
import zipfile

import numpy as np
import pytest
import safetensors.numpy

from ignn_jax.weights.checkpoints import read_checkpoint, write_checkpoint
from tests.checks import assert_same, refusal

TENSORS = {"a.weight": np.float32([[1, 2], [3, 4]]), "a.bias": np.float16([0.5])}


def write_zip(path):
    """As PyTorch's are since 1.6."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}q\x00.")


@pytest.mark.parametrize("name", ["a.safetensors", "a.npz", "a.pth.tar"])
def test_the_name_does_not_matter(tmp_path, name):
    safetensors.numpy.save_file(TENSORS, tmp_path / name)
    tensors, key = read_checkpoint(tmp_path / name)
    assert key is None
    assert_same(tensors, TENSORS)
    with (tmp_path / name).open("wb") as file:
        np.savez(file, **TENSORS)
    assert_same(read_checkpoint(tmp_path / name).tensors, TENSORS)


def test_tensors_are_written_as_safetensors(tmp_path):
    write_checkpoint(tmp_path / "a.safetensors", TENSORS, {"params": TENSORS})
    assert_same(safetensors.numpy.load_file(tmp_path / "a.safetensors"), TENSORS)


@pytest.mark.parametrize("kind", ["safetensors", "npz"])
@pytest.mark.parametrize("left", [5, 40, -3])
def test_a_truncated_file(tmp_path, kind, left):
    path = tmp_path / f"a.{kind}"
    if kind == "npz":
        np.savez(path, **TENSORS)
    else:
        safetensors.numpy.save_file(TENSORS, path)
    path.write_bytes(path.read_bytes()[:left])
    refusal(read_checkpoint, path)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"", "not a file of tensors"),
        (b"weights\n", "not a file of tensors"),
        (b"\x89PNG\r\n\x1a\n12345", "not a file of tensors"),
        (b"PK\x03\x04 and no more", "damaged"),
        (None, "No such file"),
    ],
)
def test_a_foreign_file(tmp_path, contents, words):
    path = tmp_path / "a.pth"
    if contents is not None:
        path.write_bytes(contents)
    assert words in refusal(read_checkpoint, path)
    assert "directory" in refusal(read_checkpoint, tmp_path)


@pytest.mark.parametrize(
    "write", [write_zip, lambda path: path.write_bytes(b"\x80\x02\x8a\nl\xfc")]
)
def test_pytorchs_files_without_pytorch_name_the_extra(tmp_path, monkeypatch, write):
    monkeypatch.setitem(sys.modules, "torch", None)
    write(tmp_path / "a.pth")
    message = refusal(read_checkpoint, tmp_path / "a.pth")
    assert "pip install 'ignn-jax[torch]'" in message
    write = refusal(lambda path: write_checkpoint(path, TENSORS), tmp_path / "b.pth")
    assert "pip install 'ignn-jax[torch]'" in write
    assert not (tmp_path / "b.pth").exists()
