"""Weights that come with the package: found by name, complete and good."""

import json
import re

import numpy as np
import pytest
import skimage.data
from PIL import Image

import ignn_jax
from ignn_jax.cli import main
from ignn_jax.errors import InputError
from ignn_jax.evaluation.metrics import psnr
from ignn_jax.models import EDSR
from ignn_jax.ops.bicubic import imresize
from ignn_jax.weights.find import FILENAME, default_weights, find_weights, pretrained
from ignn_jax.weights.network import load, load_with_header, save
from tests.checks import refusal
from tests.networks import random_variables, run

# Bytes, at most.
SHIPPED = {"tiny-x2": 1.3e6, "light-x2": 3.7e6, "tiny-x3": 1.5e6, "tiny-x4": 1.5e6}


# With other weights in place of the package's


@pytest.fixture
def names(tmp_path, monkeypatch):
    """The names of two networks for x2 and one for x4, in place of the package's."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    for name, scale, features in (("a-x2", 2, 4), ("b-x2", 2, 8), ("c-x4", 4, 16)):
        model = EDSR(scale=scale, features=features, num_blocks=1)
        save(
            folder / f"{name}.safetensors",
            model,
            random_variables(model),
            steps=5000,
            license="MIT",
            psnr={"Set5": {"bicubic": 33.68, "edsr": 34.561}},
        )
    monkeypatch.setattr("ignn_jax.weights.find.PRETRAINED", folder)
    return ["a-x2", "b-x2", "c-x4"]


def test_a_name_is_a_file_unless_there_is_one_of_that_name(
    names, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert list(pretrained()) == names
    assert load("c-x4")[0] == EDSR(scale=4, features=16, num_blocks=1)
    other = EDSR(scale=3, features=4, num_blocks=1)
    save("c-x4", other, random_variables(other))
    assert load("c-x4")[0] == other
    message = refusal(find_weights, "d-x2")
    assert "no such weights file" in message
    assert "a-x2, b-x2, c-x4" in message


def test_the_default_is_the_smallest_of_the_scale(names):
    assert (default_weights(), default_weights(4)) == ("a-x2", "c-x4")
    with pytest.raises(
        InputError, match=r"scale: .* for x3, only .*b-x2 \(x2\), c-x4 \(x4\)"
    ):
        default_weights(3)


@pytest.mark.parametrize(
    ("outscale", "name"),
    [
        (None, "a-x2"),
        (0.5, "a-x2"),
        (2, "a-x2"),
        (2.1, "c-x4"),
        (4, "c-x4"),
        (9, "c-x4"),
    ],
)
def test_the_default_reaches_the_output_scale(names, outscale, name):
    assert default_weights(outscale=outscale) == name
    assert default_weights(2, outscale=outscale) == "a-x2"
    image = Image.fromarray(np.zeros((6, 8, 3), np.uint8))
    size = ignn_jax.upscale(image, outscale=outscale).size
    assert size == tuple(round((outscale or 2) * n) for n in (8, 6))


def test_weights_need_not_be_named(names, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    image = Image.fromarray(np.zeros((6, 8, 3), np.uint8))
    image.save("a.png")
    assert main(["upscale", "a.png"]) == 0
    assert capsys.readouterr().err == "Weights: a-x2 (--weights takes others)\n"
    assert main(["upscale", "a.png", "--scale", "4"]) == 0
    assert "Weights: c-x4 " in capsys.readouterr().err
    assert main(["upscale", "a.png", "--scale", "3"]) == 2
    err = capsys.readouterr().err
    assert "--scale: the package has no weights for x3" in err
    assert "(--weights)" in err
    assert "(--outscale N)" in err
    assert main(["upscale", "a.png", "--weights", "c-x4", "-o", "b.png"]) == 0
    assert capsys.readouterr().err == ""
    for name, size in (("a_x2", (16, 12)), ("a_x4", (32, 24)), ("b", (32, 24))):
        with Image.open(f"{name}.png") as upscaled:
            assert upscaled.size == size
    assert ignn_jax.upscale(image).size == (16, 12)
    assert ignn_jax.upscale(image, scale=4).size == (32, 24)
    assert main(["explain", "a.png", "--at", "1,1"]) == 2
    assert "a-x2: this network has no graph" in capsys.readouterr().err


def test_a_name_can_be_evaluated(names, tmp_path, capsys):
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "a.png")
    assert main(["evaluate", "--weights", "b-x2", "--data", str(tmp_path)]) == 0
    assert "EDSR" in capsys.readouterr().out


def test_the_table(names, capsys):
    assert main(["weights"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["name", "scale", "parameters", "size"]
    assert [row.split()[0] for row in rows] == names
    # conv3 of 3 to 4, four of 4 to 4 (three in the body), 4 to 16, and 4 to 3.
    parameters = 9 * 4 * (3 + 4 + 4 + 4 + 16 + 3) + 4 + 4 + 4 + 4 + 16 + 3
    assert rows[0].split()[1:3] == ["x2", f"{parameters:,}"]
    assert "Set5 34.56 dB, 33.68 dB" in rows[0]
    assert rows[0].endswith(" MIT")


def test_one_in_full(names, tmp_path, capsys):
    model = EDSR(scale=2, features=4, num_blocks=1)
    save(tmp_path / FILENAME, model, random_variables(model), step=70)
    for weights, words in (
        ("a-x2", ["steps +5000", "license +MIT", "psnr\n  Set5\n", "edsr +34.561"]),
        (tmp_path, ["step +70", "features +4", "float32", "sha256 +[0-9a-f]{64}"]),
    ):
        assert main(["weights", str(weights)]) == 0
        out = capsys.readouterr().out
        assert all(re.search(word, out) for word in words)
    assert main(["weights", str(tmp_path / "none")]) == 2


def test_the_table_does_not_need_jax():
    program = (
        "import sys; from ignn_jax.cli import main; main(['weights']); "
        "sys.exit('jax' in sys.modules)"
    )
    assert run("-c", program).returncode == 0


# The package's own


@pytest.mark.parametrize(("name", "size"), SHIPPED.items())
def test_the_file_is_complete(name, size):
    assert find_weights(name).stat().st_size <= size
    model, _, header = load_with_header(name)
    keys = {"model", "data", "command", "commit", "steps", "license", "psnr", "sha256"}
    assert keys <= header.keys()
    assert header["psnr"].keys() >= {"Set5", "Set14"}
    for scores in header["psnr"].values():
        assert scores["ignn"] > scores["bicubic"]
    assert name.endswith(f"-x{model.scale}")
    # It names no paths of the machine that it was trained on.
    assert not re.search(r"(^|[\s\"'=:])[/~]", json.dumps(header))


def test_all_are_known():
    assert set(pretrained()) == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_photograph_gains_a_decibel(name):
    """What a newcomer does, with a photograph that is not a training image."""
    scale = int(name[-1])
    hr = skimage.data.coffee()
    hr = hr[: len(hr) // scale * scale]
    lr = imresize(hr, scale=1 / scale)
    bicubic = imresize(lr.astype(np.float32), scale=scale).round().clip(0, 255)
    sr = ignn_jax.upscale(lr, weights=name)
    assert load(name)[0].scale == scale
    gain = psnr(sr, hr, border=scale) - psnr(bicubic.astype(np.uint8), hr, border=scale)
    assert gain >= 1


def test_verify_all_or_one(tmp_path, capsys):
    assert main(["weights", "--verify"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, line in zip(SHIPPED, lines, strict=True):
        assert line.startswith(f"{pretrained()[name]}: intact: ")
        words = f"tensors of an x{name[-1]} IGNN, all finite; as in its checksum"
        assert line.endswith(words)
    contents = bytearray(pretrained()["tiny-x2"].read_bytes())
    contents[-1] ^= 1
    damaged = tmp_path / "a.safetensors"
    damaged.write_bytes(contents)
    assert main(["weights", str(damaged), "--verify"]) == 2
    assert f"{damaged}: damaged" in capsys.readouterr().err
