"""`fit`: what a config describes, trained without a folder."""

import math

import jax
import numpy as np
import pytest

from ignn_jax.data.sets import load_sets
from ignn_jax.errors import InputError
from ignn_jax.evaluation.scores import evaluate, mean_score
from ignn_jax.evaluation.setup import network_setup
from ignn_jax.models.factory import create_model
from ignn_jax.training import parallel
from ignn_jax.training.loop import fit
from tests.networks import save_pictures
from tests.runs import config, train_here

EDSR = {
    "model.name": "edsr",
    "model.features": 8,
    "train.batch_size": 4,
    "train.steps": 60,
    "optimizer.learning_rate": 3e-3,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    save_pictures(folder / "pictures")
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    """A config, its last state and the losses."""
    losses = []
    wanted = config(folder, EDSR)
    with jax.numpy_dtype_promotion("standard"):
        state = fit(wanted, on_step=lambda n, m: losses.append((n, m["loss"])))
    return wanted, state, losses


def test_the_loss_falls(trained):
    _, state, losses = trained
    assert state.step == 60
    assert [n for n, _ in losses] == list(range(1, 61))
    means = [np.mean([loss for _, loss in losses[n : n + 20]]) for n in (0, 20, 40)]
    assert means == sorted(means, reverse=True)
    assert means[-1] < 0.8 * means[0]


def test_the_state_upscales(trained, folder):
    wanted, state, _ = trained
    model = create_model({"scale": wanted.scale, **wanted.model.to_dict()})
    _, held_out = load_sets(
        wanted.data.train, wanted.data.validation, scale=2, lr_patch=12
    )
    assert len(held_out) > 0
    fresh = fit(config(folder, {**EDSR, "train.steps": 1}))
    before, after = (
        mean_score(
            evaluate(network_setup(model, s.variables).upscalers["EDSR"], held_out)
        )
        for s in (fresh, state)
    )
    assert after.psnr > before.psnr + 1


def test_it_neither_prints_nor_writes_unless_it_is_told_to(
    folder, trained, capfd, monkeypatch, tmp_path
):
    """Once the images are decoded, as they are after `trained`."""
    monkeypatch.chdir(tmp_path)
    note = "{0} images are too few for {1} parts".format
    monkeypatch.setattr(parallel, "small_share", note)
    told = []
    first, second = (
        fit(config(folder, {**EDSR, "train.steps": 2}), tell=tell)
        for tell in (None, told.append)
    )
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
    jax.tree.map(np.testing.assert_array_equal, first, second)
    assert any("2 images" in line for line in told)
    assert any(" parameters; 1 x cpu" in line for line in told)
    assert told[-1] == "4 images are too few for 1 parts"


def test_it_trains_as_the_program_does(trained, folder):
    kept, _ = train_here(folder, "run", {**EDSR, "eval.every": 60})
    jax.tree.map(np.testing.assert_array_equal, trained[1], kept)


def test_losses_that_stay_infinite_end_it(folder):
    changes = {"optimizer.learning_rate": 1e38, "train.max_skipped": 3}
    steps = []
    with pytest.raises(InputError, match=r"not finite in [345] steps in a row"):
        fit(config(folder, {**EDSR, **changes}), on_step=lambda n, m: steps.append(m))
    assert len(steps) < 10
    assert not math.isfinite(steps[-1]["loss"])
