"""Training, in processes of its own: what it learns, and that it goes on exactly."""

import json
import pathlib
import re
import signal
import time

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from configs import light_x2
from ignn_jax.errors import InputError
from ignn_jax.models.embedding import VGG19_SHAPES
from ignn_jax.training.checkpoint import Checkpoints
from ignn_jax.training.loop import take_backbone, train
from ignn_jax.weights.find import BEST_FILENAME, FILENAME
from ignn_jax.weights.network import load, load_with_header
from tests.networks import finish, run, save_pictures
from tests.runs import TINY, begin, devices, leftovers, metrics, succeeded

LEARNING = {
    "model.name": "edsr",
    "model.features": 8,
    "train.steps": 60,
    "train.batch_size": 4,
    "optimizer.learning_rate": 3e-3,
    "eval.every": 20,
    "checkpoint.every": 20,
}
RESUMED = {"train.steps": 240, "checkpoint.every": 40, "eval.every": 60}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three pictures and VGG19 weights."""
    folder = tmp_path_factory.mktemp("train")
    save_pictures(folder / "pictures")
    rng = np.random.default_rng(0)
    arrays = {}
    for name, shape in VGG19_SHAPES.items():
        arrays[f"{name}/kernel"] = rng.normal(0, 0.05, shape).astype(np.float32)
        arrays[f"{name}/bias"] = np.zeros(shape[-1:], np.float32)
    np.savez(folder / "vgg19.npz", **arrays)
    return folder


def kill_after_checkpoint(process, workdir):
    """Kills it once it has a checkpoint; returns the last one that was finished."""
    while process.poll() is None:
        if (workdir / "checkpoints" / "40" / "_CHECKPOINT_METADATA").exists():
            break
        time.sleep(0.005)
    process.kill()
    finish(process)
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    return Checkpoints(workdir, 3).latest


def flat_weights(workdir):
    _, variables = load(workdir)
    return flax.traverse_util.flatten_dict(variables, sep="/")


# Killed and resumed


@pytest.fixture(scope="module")
def resumed(folder):
    """Outputs of an uninterrupted run, and of one that was killed and went on."""
    changes = {**RESUMED, "init.vgg19": folder / "vgg19.npz"}
    # First, alone: the others find it compiled.
    whole = succeeded(begin(folder, "whole", changes))
    killed = begin(folder, "killed", changes)
    step = kill_after_checkpoint(killed, folder / "killed")
    # As if it had been killed while it wrote these.
    (folder / "killed" / "checkpoints" / "40000.orbax-checkpoint-tmp").mkdir()
    (folder / "killed" / ".0123456789abcdef.part").write_bytes(b"half")
    return whole, succeeded(begin(folder, "killed", changes)), step


def test_a_killed_run_goes_on_to_the_same_weights(folder, resumed):
    _, output, step = resumed
    assert 40 <= step < RESUMED["train.steps"]
    assert f"Resuming from step {step}\n" in output
    whole, killed = folder / "whole", folder / "killed"
    assert (killed / FILENAME).read_bytes() == (whole / FILENAME).read_bytes()
    assert metrics(killed, "psnr") == metrics(whole, "psnr")


def test_a_resumed_run_tells_each_step_once(folder, resumed):
    for name in ("whole", "killed"):
        steps = [row["step"] for row in metrics(folder / name, "psnr")]
        assert steps == list(range(0, 241, 60))
        steps = [row["step"] for row in metrics(folder / name, "loss")]
        assert steps == list(range(20, 241, 20))


def test_a_resumed_run_leaves_nothing_half_written(folder, resumed):
    assert not leftovers(folder / "whole")
    assert not leftovers(folder / "killed")
    best = max(metrics(folder / "killed", "psnr")[1:], key=lambda row: row["psnr"])
    checkpoints = {path.name for path in (folder / "killed" / "checkpoints").iterdir()}
    assert checkpoints == {"180", "200", "240", str(best["step"])}


def test_the_embedding_is_vgg19_where_weights_are_given(folder, resumed):
    for output in resumed[:2]:
        assert "model.graph.embedding=auto: vgg19\n" in output
    assert embeddings(folder / "killed") == ["vgg19"] * 3
    with np.load(folder / "vgg19.npz") as arrays:
        weights = flat_weights(folder / "killed")
        for name, array in arrays.items():  # frozen: after 240 steps the same
            np.testing.assert_array_equal(weights[f"vgg19/embedding/{name}"], array)


def test_the_embedding_stays_what_the_checkpoint_was_trained_with(folder, resumed):
    """Without init.vgg19 "auto" would be "backbone" in a new run."""
    longer = {**RESUMED, "train.steps": 242}
    refused = finish(begin(folder, "killed", longer))
    assert refused.returncode == 2
    assert refused.stderr == (
        "ignn_jax: this --workdir holds a run of another config: init.vgg19= "
        f"(was {folder / 'vgg19.npz'}), train.steps=242 (was 240); add "
        "--allow_changes to go on with the new one, or give another --workdir\n"
    )
    output = succeeded(begin(folder, "killed", longer, "--allow_changes"))
    assert "model.graph.embedding=auto: vgg19\n" in output
    assert "Resuming from step 240\n" in output
    assert embeddings(folder / "killed") == ["vgg19"] * 3
    assert metrics(folder / "killed", "psnr")[-1]["step"] == 242


def embeddings(workdir):
    """As saved in the config, the checkpoint and the weights."""
    config = json.loads((workdir / "config.json").read_text())
    checkpoint = Checkpoints(workdir, 3).config()
    _, _, header = load_with_header(workdir)
    return [x["model"]["graph"]["embedding"] for x in (config, checkpoint, header)]


def test_another_network_in_the_workdir_is_refused(folder, resumed):
    before = {path: path.stat().st_mtime_ns for path in (folder / "killed").rglob("*")}
    config = tiny_config(folder)
    config.model.features = 8
    with pytest.raises(InputError) as error:
        train(config, folder / "killed", allow_changes=True)
    assert str(error.value).startswith(
        "this --workdir holds a run of another network: "
    )
    assert " model.features=8 (was 4), " in str(error.value)
    assert str(error.value).endswith("; give another --workdir")
    after = {path: path.stat().st_mtime_ns for path in (folder / "killed").rglob("*")}
    assert after == before


# Learning, on one device and on two


@pytest.fixture(scope="module")
def learned(folder):
    """Outputs of the same run on one device and on two."""
    one, two = (
        begin(folder, "one", LEARNING),
        begin(folder, "two", LEARNING, **devices(2)),
    )
    return succeeded(one), succeeded(two)


def test_it_learns(folder, learned):
    rows = metrics(folder / "one", "psnr")
    assert [row["step"] for row in rows] == [0, 20, 40, 60]
    losses = [row["loss"] for row in metrics(folder / "one", "loss")]
    assert len(losses) == 3
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.8 * losses[0]
    assert rows[-1]["psnr"] > rows[0]["psnr"] + 1
    gain = rows[-1]["psnr"] - rows[0]["psnr"]
    assert f"after 60 steps ({gain:+.2f} dB)" in learned[0]


def test_it_leaves_what_it_promises(folder, learned):
    assert {path.name for path in (folder / "one").iterdir()} == {
        BEST_FILENAME,
        "checkpoints",
        "comparison.png",
        "config.json",
        "metrics.jsonl",
        "report.html",
        "tensorboard",
        FILENAME,
    }
    _, _, header = load_with_header(folder / "one")
    assert header["step"] == 60


def test_two_devices_train_as_one(folder, learned):
    one, two = (
        [row["loss"] for row in metrics(folder / n, "loss")] for n in ("one", "two")
    )
    assert one == pytest.approx(two, rel=1e-5)
    one, two = flat_weights(folder / "one"), flat_weights(folder / "two")
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_allclose(one[name], two[name], atol=1e-5, err_msg=name)


# From a trained EDSR


@pytest.fixture(scope="module")
def from_edsr(folder, learned):
    """The output of an IGNN's first step, at a rate of 0, from the EDSR above."""
    return succeeded(
        begin(
            folder,
            "from_edsr",
            {
                **LEARNING,
                "model.name": "ignn",
                "model.graph.kind": "non_local",  # compiles soonest
                "init.backbone": folder / "one",
                "optimizer.learning_rate": 0.0,
                "train.steps": 1,
            },
        )
    )


def test_the_backbone_is_taken_from_an_edsr(folder, from_edsr):
    edsr, ignn = flat_weights(folder / "one"), flat_weights(folder / "from_edsr")
    for name, array in edsr.items():
        np.testing.assert_array_equal(ignn[name], array, err_msg=name)
    fresh = sorted(name.removeprefix("params/") for name in ignn.keys() - edsr.keys())
    assert fresh
    taken = f"{len(edsr)} tensors taken; not in it, so fresh: {', '.join(fresh)}\n"
    assert taken in from_edsr


def test_the_embedding_is_the_backbone_without_vgg19(folder, from_edsr):
    assert "model.graph.embedding=auto: backbone\n" in from_edsr
    assert embeddings(folder / "from_edsr") == ["backbone"] * 3


def test_only_parameters_of_the_same_shape_are_taken():
    ours = {"a": {"kernel": jnp.zeros((3, 3))}, "b": jnp.zeros(2), "c": jnp.zeros(1)}
    theirs = {"a": {"kernel": np.ones((3, 3))}, "b": np.ones(3), "d": np.ones(1)}
    merged, fresh = take_backbone(ours, theirs)
    assert fresh == ["b", "c"]
    assert jax.tree.map(np.shape, merged) == jax.tree.map(np.shape, ours)
    assert merged["a"]["kernel"].min() == 1
    assert merged["b"].max() == merged["c"].max() == 0


# Mistakes


def tiny_config(folder: pathlib.Path) -> ConfigDict:
    config = light_x2.get_config()
    config.data.train = f"folder:{folder / 'pictures'}"
    config.update_from_flattened_dict(TINY)
    return config.lock()


def program(*args):
    return run("-m", "ignn_jax.main", *args)


CONFIG, WORKDIR = "--config=configs/light_x2.py", "--workdir={}/run"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            [CONFIG, WORKDIR, "--config.trian.steps=3"],
            "no key 'trian' Did you mean \"train\"",
        ),
        ([CONFIG, WORKDIR, "--config.train.stpes=3"], 'Did you mean "steps"'),
        ([CONFIG, WORKDIR, "--config.flavor=3"], "no key 'flavor'"),
        ([CONFIG, WORKDIR, "--config.train.steps=abc"], "train.steps=abc"),
        ([CONFIG, WORKDIR, "--config.model=3"], "--config.model=3"),
        ([CONFIG, WORKDIR, "--workdri=x"], "Did you mean: workdir"),
        ([CONFIG, WORKDIR, "stray"], "stray is no flag"),
        ([WORKDIR], "--config is missing"),
        ([CONFIG], "--workdir is missing"),
        ([CONFIG, "--workdir="], "--workdir is missing"),
        (["--config=configs/none.py", WORKDIR], "configs/none.py"),
        (["--config=", WORKDIR], "empty"),
        ([CONFIG, WORKDIR, "--config.data.train=folder:{}/none"], "no such folder"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, args, words):
    done = program(*(arg.format(tmp_path) for arg in args))
    assert done.returncode == 2
    assert re.fullmatch(r"ignn_jax: .*\n", done.stderr), done.stderr
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.name": "srcnn"}, "model.name=srcnn: give one of edsr, ignn"),
        ({"model.graph.den": "x"}, "graph.den must be one of per_neighbor, aggregated"),
        ({"model.graph.embedding": "vgg19"}, "needs init.vgg19"),
        ({"init.vgg19": "none.npz"}, "none.npz: "),
        ({"init.backbone": "none"}, "none: no such weights file"),
        ({"scale": 5}, "scale=5: give one of 2, 3, 4"),
        ({"data.lr_patch": 33}, "smaller than 66 x 66"),
        ({"data.train": "folder:{}/empty"}, "empty: no image in this folder"),
        ({"data.train": "pictures"}, "give photos or folder:PATH"),
        ({"data.validation": "split:2"}, "split:2"),
        ({"train.batch_size": 0}, "train.batch_size=0"),
    ],
)
def test_a_refused_config_leaves_nothing(tmp_path, folder, changes, words):
    (tmp_path / "empty").mkdir()
    config = tiny_config(folder)
    for key, value in changes.items():
        value = value.format(tmp_path) if isinstance(value, str) else value
        config.update_from_flattened_dict({key: value})
    with pytest.raises(InputError) as error:
        train(config, tmp_path / "run")
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_workdir_that_is_a_file_is_refused(tmp_path, folder):
    (tmp_path / "file").write_text("kept")
    config = tiny_config(folder)
    config.model.name = "edsr"
    with pytest.raises(InputError, match=r"--workdir .*file.*Not a directory"):
        train(config, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"


def test_a_batch_that_does_not_divide_is_refused(tmp_path):
    done = run(
        "-m",
        "ignn_jax.main",
        CONFIG,
        f"--workdir={tmp_path / 'run'}",
        "--config.train.batch_size=3",
        **devices(2),
    )
    assert done.returncode == 2
    assert done.stderr == (
        "ignn_jax: train.batch_size=3 does not divide between 2 devices; give 2 or 4\n"
    )
    assert not list(tmp_path.iterdir())
