"""Checkpoints: what is saved comes back, and what was half-written does not."""

import jax
import numpy as np
import pytest

from ignn_jax.checkpoint import Checkpoints
from ignn_jax.errors import InputError

STATE = {
    "step": np.int32(7),
    "params": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3) / 7},
    "frozen": {},
}
CONFIG = {"scale": 2, "model": {"name": "ignn", "residual_scale": 0.1}}


def saved(workdir, steps, keep=3):
    checkpoints = Checkpoints(workdir, keep)
    checkpoints.create()
    for step in steps:
        checkpoints.save(step, {**STATE, "step": np.int32(step)}, CONFIG)
    checkpoints.close()
    return workdir


def steps_of(workdir):
    return sorted(path.name for path in (workdir / "checkpoints").iterdir())


def test_state_and_config_come_back(tmp_path):
    checkpoints = Checkpoints(saved(tmp_path / "new" / "run", [7]), 3)
    assert checkpoints.latest == 7
    assert checkpoints.config() == CONFIG
    restored = checkpoints.restore(jax.tree.map(np.zeros_like, STATE))
    assert jax.tree.structure(restored) == jax.tree.structure(STATE)
    jax.tree.map(np.testing.assert_array_equal, restored, STATE)
    assert restored["params"]["kernel"].dtype == np.float32


def test_the_last_ones_are_kept(tmp_path):
    saved(tmp_path, [1, 2, 10], keep=2)
    assert steps_of(tmp_path) == ["10", "2"]
    checkpoints = Checkpoints(tmp_path, 2)
    assert checkpoints.latest == 10
    assert checkpoints.restore(STATE)["step"] == 10


def test_a_half_written_one_is_ignored_and_cleared(tmp_path):
    saved(tmp_path, [1])
    leftover = tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp"
    (leftover / "state").mkdir(parents=True)
    checkpoints = Checkpoints(tmp_path, 3)
    assert checkpoints.latest == 1
    assert leftover.is_dir()  # a run that is refused changes nothing
    checkpoints.create()
    assert steps_of(tmp_path) == ["1"]
    checkpoints.save(2, STATE, CONFIG)
    checkpoints.close()
    assert steps_of(tmp_path) == ["1", "2"]


def test_to_look_makes_no_folder(tmp_path):
    assert Checkpoints(tmp_path / "run", 3).latest is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("below", ["", "run"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path, below):
    file = tmp_path / "file"
    file.touch()
    checkpoints = Checkpoints(file / below, 3)
    assert checkpoints.latest is None
    with pytest.raises(InputError, match=r"--workdir .*file.* cannot be made"):
        checkpoints.create()
