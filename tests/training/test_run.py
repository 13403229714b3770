"""Runs in their folders: what they leave there, and that they go on exactly."""

import functools
import json
import math
import re

import flax.traverse_util
import jax
import numpy as np
import pytest

from ignn_jax.cli.config_file import load_config
from ignn_jax.errors import InputError
from ignn_jax.training import run
from ignn_jax.training.checkpoint import Checkpoints
from ignn_jax.training.first_steps import FirstSteps
from ignn_jax.weights.find import BEST_FILENAME, FILENAME
from ignn_jax.weights.network import load, load_with_header
from tests.networks import save_pictures, save_vgg19
from tests.runs import leftovers, metrics, train_here

LEARNING = {
    "model.name": "edsr",
    "model.features": 8,
    "train.steps": 60,
    "train.batch_size": 4,
    "optimizer.learning_rate": 3e-3,
    "eval.every": 20,
    "checkpoint.every": 20,
}
RESUMED = {
    "train.steps": 120,
    "checkpoint.every": 20,
    "eval.every": 30,
    "log.every": 10,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three pictures and VGG19 weights."""
    folder = tmp_path_factory.mktemp("train")
    save_pictures(folder / "pictures")
    save_vgg19(folder)
    return folder


def flat_weights(workdir):
    _, variables = load(workdir)
    return flax.traverse_util.flatten_dict(variables, sep="/")


# Broken off and resumed (tests/training/test_interruptions.py kills real processes)


class Failure(Exception):
    pass


class FailingAt47(FirstSteps):
    def after(self, update):
        super().after(update)
        if update.step == 47:
            raise Failure


@pytest.fixture(scope="module")
def resumed(folder):
    """What was printed by a whole run, and by one that went on after a failure."""
    changes = {**RESUMED, "init.vgg19": folder / "vgg19.npz"}
    whole, told = train_here(folder, "whole", changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "FirstSteps", FailingAt47)
        with pytest.raises(Failure):
            train_here(folder, "resumed", changes)
    # As if it had been killed while it wrote these.
    (folder / "resumed" / "checkpoints" / "40000.orbax-checkpoint-tmp").mkdir()
    (folder / "resumed" / ".0123456789abcdef.part").write_bytes(b"half")
    state, told_again = train_here(folder, "resumed", changes)
    # On a GPU two runs need not agree to the last bit.
    tolerance = 0 if jax.default_backend() == "cpu" else 1e-4
    same = functools.partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance)
    jax.tree.map(same, state, whole)
    return told, told_again


def test_a_resumed_run_ends_with_the_same_weights(folder, resumed):
    _, told = resumed
    assert "Resuming from step 40\n" in told
    whole, again = folder / "whole", folder / "resumed"
    assert (again / FILENAME).read_bytes() == (whole / FILENAME).read_bytes()
    assert metrics(again, "psnr") == metrics(whole, "psnr")


def test_a_resumed_run_tells_each_step_once(folder, resumed):
    for name in ("whole", "resumed"):
        steps = [row["step"] for row in metrics(folder / name, "psnr")]
        assert steps == list(range(0, 121, 30))
        steps = [row["step"] for row in metrics(folder / name, "loss")]
        assert steps == list(range(10, 121, 10))


def test_a_resumed_run_leaves_nothing_half_written(folder, resumed):
    assert not leftovers(folder / "whole")
    assert not leftovers(folder / "resumed")
    best = max(metrics(folder / "resumed", "psnr")[1:], key=lambda row: row["psnr"])
    checkpoints = {path.name for path in (folder / "resumed/checkpoints").iterdir()}
    assert checkpoints == {"90", "100", "120", str(best["step"])}


def test_the_embedding_is_vgg19_where_weights_are_given(folder, resumed):
    for told in resumed:
        assert "model.graph.embedding=auto: vgg19\n" in told
    assert embeddings(folder / "resumed") == ["vgg19"] * 3
    with np.load(folder / "vgg19.npz") as arrays:
        weights = flat_weights(folder / "resumed")
        for name, array in arrays.items():  # frozen: after 120 steps the same
            np.testing.assert_array_equal(weights[f"vgg19/embedding/{name}"], array)


def test_the_embedding_stays_what_the_checkpoint_was_trained_with(folder, resumed):
    """Without init.vgg19 "auto" would be "backbone" in a new run."""
    longer = {**RESUMED, "train.steps": 122}
    with pytest.raises(InputError) as error:
        train_here(folder, "resumed", longer)
    assert str(error.value) == (
        "workdir: holds a run of another config: init.vgg19= "
        f"(was {folder / 'vgg19.npz'}), train.steps=122 (was 120); set allow_changes "
        "to go on with the new one, or give another folder"
    )
    _, told = train_here(folder, "resumed", longer, allow_changes=True)
    assert "model.graph.embedding=auto: vgg19\n" in told
    assert "Resuming from step 120\n" in told
    assert embeddings(folder / "resumed") == ["vgg19"] * 3
    assert metrics(folder / "resumed", "psnr")[-1]["step"] == 122


def embeddings(workdir):
    """As saved in the config, the checkpoint and the weights."""
    config = json.loads((workdir / "config.json").read_text())
    _, info = Checkpoints(workdir, 3).peek()
    _, _, header = load_with_header(workdir)
    return [x["model"]["graph"]["embedding"] for x in (config, info["config"], header)]


def test_another_network_in_the_workdir_is_refused(folder, resumed):
    before = {path: path.stat().st_mtime_ns for path in (folder / "whole").rglob("*")}
    with pytest.raises(InputError) as error:
        train_here(folder, "whole", {"model.features": 8}, allow_changes=True)
    assert str(error.value).startswith("workdir: holds a run of another network: ")
    assert " model.features=8 (was 4), " in str(error.value)
    assert str(error.value).endswith("; give another folder")
    after = {path: path.stat().st_mtime_ns for path in (folder / "whole").rglob("*")}
    assert after == before


# Learning


@pytest.fixture(scope="module")
def learned(folder):
    """What was printed by an EDSR's run."""
    _, told = train_here(folder, "edsr", LEARNING)
    return told


def test_it_learns(folder, learned):
    rows = metrics(folder / "edsr", "psnr")
    assert [row["step"] for row in rows] == [0, 20, 40, 60]
    losses = [row["loss"] for row in metrics(folder / "edsr", "loss")]
    assert len(losses) == 3
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.8 * losses[0]
    assert rows[-1]["psnr"] > rows[0]["psnr"] + 1
    gain = rows[-1]["psnr"] - rows[0]["psnr"]
    assert f"after 60 steps ({gain:+.2f} dB)" in learned


def test_it_leaves_what_it_promises(folder, learned):
    assert {path.name for path in (folder / "edsr").iterdir()} == {
        BEST_FILENAME,
        "checkpoints",
        "comparison.png",
        "config.json",
        "metrics.jsonl",
        "report.html",
        "tensorboard",
        FILENAME,
    }
    _, _, header = load_with_header(folder / "edsr")
    assert header["step"] == 60


def test_a_finished_run_stays_as_it_is(folder, learned):
    weights = (folder / "edsr" / FILENAME).read_bytes()
    state, told = train_here(folder, "edsr", LEARNING)
    assert state.step == 60
    assert "Resuming from step 60\n" in told
    assert (folder / "edsr" / FILENAME).read_bytes() == weights
    assert [row["step"] for row in metrics(folder / "edsr", "psnr")] == [0, 20, 40, 60]


# From a trained EDSR


@pytest.fixture(scope="module")
def from_edsr(folder, learned):
    """What an IGNN's first step printed, at a rate of 0, from the EDSR above."""
    changes = {
        **LEARNING,
        "model.name": "ignn",
        "model.graph.kind": "non_local",  # compiles soonest
        "init.backbone": folder / "edsr",
        "optimizer.learning_rate": 0.0,
        "train.steps": 1,
    }
    _, told = train_here(folder, "from_edsr", changes)
    return told


def test_the_backbone_is_taken_from_an_edsr(folder, from_edsr):
    edsr, ignn = flat_weights(folder / "edsr"), flat_weights(folder / "from_edsr")
    for name, array in edsr.items():
        np.testing.assert_array_equal(ignn[name], array, err_msg=name)
    fresh = sorted(name.removeprefix("params/") for name in ignn.keys() - edsr.keys())
    assert fresh
    taken = f"{len(edsr)} tensors taken; not in it, so fresh: {', '.join(fresh)}\n"
    assert taken in from_edsr


def test_the_config_of_a_run_starts_it_again(folder, from_edsr):
    config = load_config(folder / "from_edsr" / "config.json")
    run.train(config, folder / "again")
    files = [folder / name / FILENAME for name in ("from_edsr", "again")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_embedding_is_the_backbone_without_vgg19(folder, from_edsr):
    assert "model.graph.embedding=auto: backbone\n" in from_edsr
    assert embeddings(folder / "from_edsr") == ["backbone"] * 3


# Mistakes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.name": "srcnn"}, "srcnn"),
        ({"model.graph.den": "x"}, "den: x: give one of per_neighbor, aggregated"),
        ({"model.graph.embedding": "vgg19"}, "needs init.vgg19"),
        ({"init.vgg19": "none.npz"}, "none.npz: "),
        ({"init.backbone": "none"}, "none: no such weights file"),
        ({"scale": 5}, "2, 3, 4"),
        ({"data.lr_patch": 33}, "smaller than 66 x 66"),
        ({"data.train": "folder:{}/empty"}, "empty: no image in this folder"),
        ({"data.train": "pictures"}, "give photos or folder:PATH"),
        ({"data.validation": "split:2"}, "split:2"),
        ({"train.batch_size": 0}, "train.batch_size: must be at least 1 and"),
        ({"data.lr_patch": 0}, "data.lr_patch: must be at least 1"),
        ({"optimizer.clip": math.nan}, "optimizer.clip: must be at least 0, not nan"),
        ({"train.accumulate": 0}, "train.accumulate: must be at least 1 and"),
        ({"train.steps": 0}, "train.steps: must be at least 1, not 0"),
        ({"train.ema": 1.0}, "train.ema: must be a decay in [0, 1), not 1.0"),
        ({"checkpoint.keep": 0}, "checkpoint.keep: must be at least 1, not 0"),
    ],
)
def test_a_refused_config_leaves_nothing(tmp_path, folder, changes, words):
    (tmp_path / "empty").mkdir()
    keys = {
        key: value.format(tmp_path) if isinstance(value, str) else value
        for key, value in changes.items()
    }
    keys = {"data.train": f"folder:{folder / 'pictures'}", **keys}
    with pytest.raises(InputError, match=f".*{re.escape(words)}") as error:
        train_here(tmp_path, "run", keys)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_workdir_that_is_a_file_is_refused(tmp_path, folder):
    (tmp_path / "file").write_text("kept")
    keys = {"data.train": f"folder:{folder / 'pictures'}", "model.name": "edsr"}
    with pytest.raises(InputError, match=r"workdir: .*file: cannot be made a folder"):
        train_here(tmp_path, "file", keys)
    assert (tmp_path / "file").read_text() == "kept"
