"""The program that makes the shipped weights, whole, on networks that learn nothing."""

import json
import subprocess
import time

import jax
import numpy as np
import pytest
from PIL import Image

from ignn_jax.evaluation.metrics import psnr
from ignn_jax.inference.upscalers import bicubic_upscaler
from ignn_jax.ops.bicubic import imresize
from ignn_jax.weights.file import read_weights
from ignn_jax.weights.network import load, load_with_header
from tests.networks import REPOSITORY, finish, run, save_pictures, save_vgg19, start
from tests.runs import TINY, metrics

NETWORKS = ("edsr", "ignn_backbone", "ignn_rgb", "ignn_vgg19", "edsr_longer")
SETS = {"Small": 2, "Smaller": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures to train on, benchmarks, and a VGG19 of noise."""
    folder = tmp_path_factory.mktemp("pretrained")
    save_pictures(folder / "pictures", count=6)
    for name, count in SETS.items():
        save_pictures(folder / "benchmarks" / name, count=count)
    save_vgg19(folder)
    return folder


KEYS = {
    **TINY,
    "train.steps": 100,
    "checkpoint.every": 5,
    "log.every": 5,
    "optimizer.warmup": 0,
}


def training(**changes):
    return [f"--config.{key}={value}" for key, value in {**KEYS, **changes}.items()]


def make(folder, *options, launch=run, **changes):
    return launch(
        *("-m", "experiments.pretrained", "--config=configs/tiny_x2.py"),
        *(f"--train=folder:{folder / 'pictures'}", "--workdir", folder / "runs"),
        *("--benchmarks", folder / "benchmarks", "--sets", ",".join(SETS)),
        *("--vgg19", folder / "vgg19.npz", "--output", folder / "made.safetensors"),
        *(*options, "--", *training(**changes)),
        **ENVIRONMENT,
    )


# It compiles in half the time.
ENVIRONMENT = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "true"}


def read(path):
    return json.loads(path.read_text())


@pytest.mark.slow
def test_weights_are_made_from_a_run_made_by_hand_and_after_a_kill(folder):
    workdir, made = folder / "runs", folder / "made.safetensors"
    images = f"--config.data.train=folder:{folder / 'pictures'}"
    by_hand = ("--config=configs/tiny_x2.py", images)
    edsr = (f"--workdir={workdir / 'edsr'}", "--config.model.name=edsr")
    done = run("-m", "ignn_jax.main", *by_hand, *edsr, *training(), **ENVIRONMENT)
    assert done.returncode == 0, done.stderr

    process = make(folder, launch=start)
    checkpoints = workdir / "ignn_backbone" / "checkpoints"
    while process.poll() is None and not list(checkpoints.glob("*[0-9]")):
        time.sleep(0.01)
    assert process.returncode is None, finish(process).stderr
    process.kill()
    assert f"{workdir / 'edsr'}: finished before\n" in finish(process).stdout

    done = make(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": finished before\n") == 1
    assert done.stdout.count("Resuming from step") == 1
    results = read(workdir / "results.json")
    table = (workdir / "results.md").read_text()
    check_networks(results["networks"], workdir)
    check_file(made, results, workdir)
    assert table in done.stdout
    assert [line.count("|") for line in table.splitlines()[:8]] == [8] * 8
    (bold,) = [line for line in table.splitlines() if line.startswith("| **")]
    words = {"ignn_backbone": "own features", "ignn_rgb": "color"}
    assert words[results["shipped"]] in bold
    for text in (json.dumps(results), json.dumps(load_with_header(made)[2]), table):
        assert str(folder) not in text

    # All is there: nothing is run but the packing.
    done = make(folder, "--float32")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": finished before\n") == len(NETWORKS)
    assert "Training in" not in done.stdout
    assert "Evaluation:" not in done.stdout
    assert read(workdir / "results.json")["networks"] == results["networks"]
    _, variables = load(made)
    _, original = load(workdir / results["shipped"])
    jax.tree.map(np.testing.assert_array_equal, variables, original)

    # A run is not taken for one of another config.
    done = make(folder, **{"seed": 1})
    assert done.returncode == 2
    assert "seed=1 (was 0)" in done.stderr
    assert done.stderr.count("\n") == 1


def check_networks(networks, workdir):
    assert set(networks) == {"bicubic", *NETWORKS}
    for name in NETWORKS:
        network, config = networks[name], read(workdir / name / "config.json")
        _, variables = load(workdir / name)
        assert network["steps"] == KEYS["train.steps"]
        count = sum(np.size(x) for x in jax.tree.leaves(variables["params"]))
        assert network["parameters"] == count
        assert network["hours"] >= 0
        last = metrics(workdir / name, "psnr")[-1]
        assert network["validation"] == {key: last[key] for key in ("psnr", "ssim")}
        begun = "" if name == "edsr" else str(workdir / "edsr")
        assert config["init"]["backbone"] == begun
        kind, _, embedding = name.partition("_")
        assert config["model"]["name"] == kind
        if kind == "ignn":
            assert config["model"]["graph"]["embedding"] == embedding
        for part in SETS:
            assert network["sets"][part] != networks["bicubic"]["sets"][part]
    hr = np.asarray(Image.open(workdir.parent / "benchmarks" / "Smaller" / "0.png"))
    bicubic = bicubic_upscaler(2)(imresize(hr, scale=1 / 2))
    found = networks["bicubic"]["sets"]["Smaller"]["psnr"]
    assert found == pytest.approx(psnr(bicubic, hr, border=2))


def check_file(path, results, workdir):
    networks, shipped = results["networks"], results["shipped"]
    scores = {
        name: networks[name]["validation"]["psnr"]
        for name in ("ignn_backbone", "ignn_rgb")
    }
    assert scores[shipped] == max(scores.values())
    stored, header = read_weights(path)
    costs = results["cost_of_float16"]
    assert set(costs) == {"validation", "Small"}
    assert 0 < max(map(abs, costs.values())) < 0.005
    assert {x.dtype.name for x in stored.values()} == {"float16"}
    original, _ = read_weights(workdir / shipped / "weights.safetensors")
    for name, array in stored.items():
        np.testing.assert_array_equal(array, original[name].astype(np.float16))
    assert set(header["psnr"]) == set(SETS)
    for name, row in (("edsr", "edsr_longer"), ("ignn", shipped)):
        known = networks[row]["sets"]["Small"]["psnr"]
        assert header["psnr"]["Small"][name] == pytest.approx(known, abs=1e-3)
    assert header["steps"] == KEYS["train.steps"]
    assert header["license"] == "MIT; trained on folder:PATH/pictures"
    assert header["commit"].removesuffix("+changes") == head()


def head():
    git = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(git, cwd=REPOSITORY, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


@pytest.mark.parametrize(
    ("options", "changes", "words"),
    [
        (("--vgg19", "none.npz"), {}, "none.npz"),
        (("--sets", "Small,Large"), {}, "--sets: Large: no such folder in"),
        (("--output", "configs"), {}, "--output: configs: is a folder"),
        (("--networks", "edsr"), {}, "--networks: give ignn_backbone or ignn_rgb too"),
        ((), {"model.feature": 4}, 'did you mean "features"'),
        ((), {"train.steps": 0}, "train.steps: must be at least 1, not 0"),
    ],
)
def test_a_mistake_is_one_line(folder, tmp_path, options, changes, words):
    done = make(folder, "--workdir", tmp_path / "runs", *options, **changes)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("checkpoints"))
