"""Data parallelism, on one device here and on four virtual ones in a process."""

import functools
import json
import re

import jax
import numpy as np
import optax
import pytest

from ignn_jax.errors import InputError
from ignn_jax.models import EDSR
from ignn_jax.training import parallel
from ignn_jax.training.step import TrainState, train_step
from tests.networks import random_variables, run
from tests.runs import devices

FOUR_DEVICES = devices(4)

# Four steps, mapped over all devices.
PROGRAM = """
import functools, json, jax, numpy as np, optax
from ignn_jax.training import parallel
from ignn_jax.training.step import TrainState, train_step
from tests.training.test_parallel import BATCH, MODEL, OPTIMIZER, initial_state

state = parallel.replicate(initial_state())
step = parallel.parallelize(functools.partial(
    train_step, model=MODEL, optimizer=OPTIMIZER, axis=parallel.AXIS))
for _ in range(4):
    state, metrics = step(state, parallel.split(BATCH))
    jax.block_until_ready(metrics)
try:
    parallel.check_batch_size(5)
except ValueError as error:
    refused = str(error)
leaves = jax.tree.leaves(state.params)
print(json.dumps({
    "devices": jax.device_count(),
    "differ": max(float(np.ptp(np.asarray(x), axis=0).max()) for x in leaves),
    "params": [x.tolist() for x in jax.tree.leaves(parallel.unreplicate(state).params)],
    "loss": metrics["loss"].tolist(),
    "refused": refused,
}))
"""

MODEL = EDSR(scale=2, features=4, num_blocks=1, residual_scale=1.0)
OPTIMIZER = optax.adam(1e-3)
BATCH = {
    name: np.random.default_rng(0).integers(0, 256, (8, side, side, 3), np.uint8)
    for name, side in (("lr", 6), ("hr", 12))
}


def initial_state():
    return TrainState.create(random_variables(MODEL), OPTIMIZER)


@pytest.fixture(scope="module")
def four_devices():
    done = run("-c", PROGRAM, **FOUR_DEVICES)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_four_devices_train_as_one(four_devices):
    state = initial_state()
    step = jax.jit(functools.partial(train_step, model=MODEL, optimizer=OPTIMIZER))
    for _ in range(4):
        state, metrics = step(state, BATCH)
    assert four_devices["devices"] == 4
    assert four_devices["differ"] == 0
    np.testing.assert_allclose(four_devices["loss"], 4 * [metrics["loss"]], rtol=1e-5)
    for found, expected in zip(
        four_devices["params"], jax.tree.leaves(state.params), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_batch_that_four_devices_cannot_share_is_refused(four_devices):
    assert "train.batch_size" in four_devices["refused"]
    assert four_devices["refused"].endswith("4 devices; give 4 or 8")


def test_the_nearest_batch_size_is_named(monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 4)
    for good in (4, 8, 400):
        parallel.check_batch_size(good)
    for bad, nearest in ((0, "4"), (-3, "4"), (3, "4"), (6, "4 or 8"), (9, "8 or 12")):
        with pytest.raises(InputError, match=f": {bad} .*4 devices; give {nearest}$"):
            parallel.check_batch_size(bad)


def test_a_batch_that_leaves_accelerators_idle_is_told(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert parallel.small_share(4) is None
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    monkeypatch.setattr(jax, "device_count", lambda: 4)
    assert parallel.small_share(32) is parallel.small_share(64, 2) is None
    for batch, accumulate, words in (
        (4, 1, r"1 image at a time.*train.batch_size=32$"),
        (28, 1, r"7 images at a time.*train.batch_size=32$"),
        (32, 2, r"4 images at a time.*train.batch_size=64$"),
    ):
        assert re.search(words, parallel.small_share(batch, accumulate))


# A host with TPUs, as far as one can tell from its files and libraries.
TPU_HOST = """
import jax
from ignn_jax.training import parallel
parallel._on_tpu = lambda: True
parallel.initialize()
print(jax.process_count(), jax.device_count())
"""


def test_a_tpu_host_outside_a_cluster_is_alone():
    done = run("-c", TPU_HOST)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 1\n"


def test_processes_that_do_not_find_each_other_are_refused(monkeypatch):
    """They were asked for by SLURM; a TPU host alone was not asked for any."""

    def fail(error):
        def initialize(*args):
            raise error

        monkeypatch.setattr(jax.distributed, "initialize", initialize)

    monkeypatch.setattr(parallel, "_on_tpu", lambda: True)
    fail(ConnectionError("no metadata server"))
    parallel.initialize()
    fail(RuntimeError("deadline exceeded"))  # it is in a cluster
    with pytest.raises(InputError, match="did not find each other: deadline"):
        parallel.initialize()
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    fail(ValueError("coordinator_address should be defined."))
    with pytest.raises(InputError, match="did not find each other: coordinator"):
        parallel.initialize()


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("accel0", True),
        ("accel3", True),
        ("accel/accel0", True),
        ("vfio/7", True),
        ("vfio/vfio", False),  # on every host that may pass devices on
        ("nvidia0", False),
    ],
)
def test_tpus_are_found_by_their_files(tmp_path, monkeypatch, file, found):
    monkeypatch.setattr(parallel.importlib.util, "find_spec", lambda name: name)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    assert parallel._on_tpu(tmp_path) == found


def test_replicate_and_back():
    tree = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.int32(5)}
    back = parallel.unreplicate(parallel.replicate(tree))
    jax.tree.map(np.testing.assert_array_equal, back, tree)
    assert {type(leaf) for leaf in jax.tree.leaves(back)} <= {np.ndarray, np.int32}
