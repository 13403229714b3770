"""`ignn-jax convert`, with files that need no PyTorch."""

import numpy as np
import pytest
import safetensors.numpy

from ignn_jax.cli import main
from ignn_jax.models import EDSR
from ignn_jax.weights.network import load, load_with_header, save
from ignn_jax.weights.vgg19 import load_vgg19
from tests.checks import assert_same
from tests.networks import REPOSITORY, random_variables


def call(*args):
    return main([str(arg) for arg in args])


def refused(capsys, *args):
    """The line that is printed in place of a result."""
    assert call(*args) == 2
    out, err = capsys.readouterr()
    assert not out
    (line,) = err.splitlines()
    return line


@pytest.fixture
def state_dict():
    with np.load(REPOSITORY / "tests/golden/x2_windowed_odd.npz") as arrays:
        return {
            name.removeprefix("weights/"): arrays[name]
            for name in arrays.files
            if name.startswith("weights/")
        }


@pytest.fixture
def checkpoint(tmp_path, state_dict):
    path = tmp_path / "IGNN_x2.safetensors"
    safetensors.numpy.save_file(state_dict, path)
    return path


@pytest.mark.parametrize("option", [(), ("-o",)])
def test_a_checkpoint(tmp_path, checkpoint, state_dict, capsys, option):
    output = tmp_path / "x2.safetensors"
    assert call("convert", checkpoint, *option, output) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{checkpoint}: IGNN x2, as in sczhou/IGNN",
        "features=8, num_blocks=4, position=2, embedding=vgg19",
        "not in the file, but usual: residual_scale=0.1, window=30, neighbors=5",
        f"wrote {output}",
    ]
    model, variables, header = load_with_header(output)
    assert (model.scale, header["source"]) == (2, checkpoint.name)
    np.testing.assert_array_equal(
        variables["params"]["tail"]["bias"], state_dict["tail.0.0.bias"]
    )
    back = tmp_path / "back.safetensors"
    assert call("convert", output, back, "--to", "torch") == 0
    again = safetensors.numpy.load_file(back)
    assert_same({name: again[name] for name in state_dict}, state_dict)
    assert call("convert", back, tmp_path / "again.safetensors") == 0
    assert_same(load(tmp_path / "again.safetensors")[1], variables)


def test_an_edsr_for_either_program(tmp_path, capsys):
    model = EDSR(scale=3, features=4, num_blocks=2, residual_scale=0.3)
    variables = random_variables(model)
    ours, theirs = tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors"
    save(ours, model, variables)
    for layout, program in (
        ("edsr", "sanghyun-son/EDSR-PyTorch"),
        ("basicsr", "XPixelGroup/BasicSR"),
    ):
        assert call("convert", ours, theirs, "--to", "torch", "--layout", layout) == 0
        assert f"EDSR x3, for {program}\n" in capsys.readouterr().out
        back = tmp_path / "back.safetensors"
        options = ("--scale", 3, "--residual-scale", 0.3)
        assert call("convert", theirs, back, *options) == 0
        assert f"EDSR x3, as in {program}\n" in capsys.readouterr().out
        assert load(back)[0] == model
        assert_same(load(back)[1], variables)
    line = refused(capsys, "convert", theirs, back, "--scale", 2)
    assert line == (
        f"ignn-jax: --scale: {theirs}: this is an x3 network, not x2; give its scale, "
        "or none"
    )


def test_vgg19(tmp_path, capsys):
    rng = np.random.default_rng(0)
    shapes = {"features.0": (64, 3, 3, 3), "features.2": (64, 64, 3, 3)}
    tensors = {}
    for name, shape in shapes.items():
        tensors[f"{name}.weight"] = rng.normal(size=shape).astype(np.float32)
        tensors[f"{name}.bias"] = rng.normal(size=64).astype(np.float32)
    source, output = tmp_path / "vgg19.safetensors", tmp_path / "small.safetensors"
    safetensors.numpy.save_file(tensors, source)
    assert call("convert", source, output) == 0
    assert f"{source}: VGG19 (torchvision)" in capsys.readouterr().out
    assert_same(load_vgg19(output), load_vgg19(source))


def test_a_missing_folder_is_refused_before_anything_is_read(tmp_path, capsys):
    output = tmp_path / "missing" / "out.safetensors"
    line = refused(capsys, "convert", "none.pth", output)
    assert f"no folder {output.parent}" in line
    assert not list(tmp_path.iterdir())


def damaged(state_dict, change):
    changed = dict(state_dict)
    change(changed)
    return changed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.pop("fuse_b.0.0.bias"), "fuse_b.0.0.bias is missing"),
        (lambda x: x.update(a=np.zeros(2)), "a is unexpected"),
        (
            lambda x: x.update({"head.0.bias": np.full(8, np.nan, np.float32)}),
            "head.0.bias is not finite",
        ),
        (  # two convolutions of other sizes, swapped
            lambda x: x.update(
                {
                    "upsample.0.bias": x["head.0.bias"],
                    "head.0.bias": x["upsample.0.bias"],
                }
            ),
            "head.0.bias has shape (32,), not (8,); upsample.0.bias has shape",
        ),
        (lambda x: [x.pop(name) for name in list(x)], "not a network known here"),
    ],
    ids=["missing", "unexpected", "NaN", "swapped", "empty"],
)
def test_what_is_wrong_is_named(tmp_path, state_dict, capsys, change, words):
    source, output = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    safetensors.numpy.save_file(damaged(state_dict, change), source)
    line = refused(capsys, "convert", source, output)
    assert str(source) in line
    assert words in line
    assert not output.exists()
