"""Each setting of the paper's ablations, at each scale, from training to upscaling."""

import jax
import numpy as np
import pytest

import ignn_jax as ignn
from ignn_jax.data.sets import load_set
from ignn_jax.evaluation.setup import load_setup
from ignn_jax.pictures.upscale import MIRRORED
from ignn_jax.weights.find import FILENAME
from tests.networks import save_pictures, save_vgg19
from tests.runs import metrics, train_here

# What differs from TINY.
SETTINGS = {
    "EDSR": {"model.name": "edsr"},
    "IGNN": {},
    "position 0": {"position": 0},
    "position last": {"position": 2},
    "d = 10": {"window": 10},
    "d = 30": {"window": 30},
    "whole image": {"window": 0},
    "k = 1": {"neighbors": 1},
    "k = 5": {"neighbors": 5},
    "k = 11": {"neighbors": 11},
    "no AdaPN": {"normalization": "none"},
    "no ECN": {"edge_weights": "gaussian"},
    "neither": {"normalization": "none", "edge_weights": "gaussian"},
    "DEN per neighbor": {"den": "per_neighbor"},
    "residual fusion": {"fusion": "residual"},
    "same-scale kNN": {"kind": "same_scale"},
    "non-local block": {"kind": "non_local"},
    "embedding rgb": {"embedding": "rgb"},
    "embedding vgg19": {"embedding": "vgg19"},
    "reference windows": {"window_center": "reference"},
}
# At x2; the others are slow, since each compiles its own programs.
QUICK = ("EDSR", "non-local block")
# Its graph is that of x2, between other layers.
AT_X4 = ("EDSR", "IGNN", "residual fusion", "same-scale kNN")


def changes(name, scale):
    """The keys of a run of this setting."""
    keys = {
        key if "." in key else f"model.graph.{key}": value
        for key, value in SETTINGS[name].items()
    }
    return {
        "scale": scale,
        "data.lr_patch": 8,
        "train.batch_size": 1,
        "eval.every": 2,
        "checkpoint.every": 1,
        **keys,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablations")
    save_pictures(folder / "pictures", count=2, side=48)
    save_pictures(folder / "held_out", count=1, side=64)
    save_vgg19(folder)
    return folder


@pytest.fixture(autouse=True)
def forget_programs():
    """Frees the programs of each setting (see `tests/conftest.py`)."""
    yield
    jax.clear_caches()


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        pytest.param(
            name,
            scale,
            marks=() if scale == 2 and name in QUICK else pytest.mark.slow,
        )
        for scale in (2, 3, 4)
        for name in (SETTINGS if scale < 4 else AT_X4)
    ],
)
def test_it_is_trained_resumed_evaluated_and_upscales(folder, name, scale):
    held_out = f"folder:{folder / 'held_out'}"
    keys = {**changes(name, scale), "data.validation": held_out}
    if keys.get("model.graph.embedding") == "vgg19":
        keys["init.vgg19"] = folder / "vgg19.npz"
    place = f"{name} x{scale}"
    whole, _ = train_here(folder, place, {**keys, "train.steps": 2})
    again = f"{place}, resumed"
    train_here(folder, again, {**keys, "train.steps": 1})
    resumed, _ = train_here(
        folder, again, {**keys, "train.steps": 2}, allow_changes=True
    )
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)
    files = [(folder / name / FILENAME).read_bytes() for name in (place, again)]
    assert files[0] == files[1]

    setup = load_setup(folder / place)
    [pair] = load_set(held_out, scale=scale)
    [score] = ignn.evaluate(setup.upscalers[setup.label], [pair])
    assert metrics(folder / place, "psnr")[-1]["psnr"] == pytest.approx(score.psnr)

    larger = ignn.upscale(pair.lr, weights=folder / place, tile=None)
    assert larger.shape == pair.hr.shape
    mirrored = np.pad(pair.lr, ((MIRRORED,) * 2, (MIRRORED,) * 2, (0, 0)), "symmetric")
    within = slice(scale * MIRRORED, -scale * MIRRORED)
    expected = setup.upscalers[setup.label](mirrored)[within, within]
    assert np.abs(larger.astype(int) - expected).max() <= 1
