"""Data parallelism, on one device here and on four virtual ones in a process."""

import functools
import json

import jax
import numpy as np
import optax
import pytest

from ignn_jax.errors import InputError
from ignn_jax.models import EDSR
from ignn_jax.training import parallel
from ignn_jax.training.step import TrainState, train_step
from tests.networks import random_variables, run

FOUR_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "NPROC": "8"}

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


def test_replicate_and_back():
    tree = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.int32(5)}
    back = parallel.unreplicate(parallel.replicate(tree))
    jax.tree.map(np.testing.assert_array_equal, back, tree)
    assert {type(leaf) for leaf in jax.tree.leaves(back)} <= {np.ndarray, np.int32}
