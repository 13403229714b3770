"""Data parallelism, on one device here and on two virtual ones in a process."""

import json

import jax
import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.training import parallel
from tests.networks import run

TWO_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "NPROC": "8"}

# Gradient of a loss that is not linear in the batch's mean: the devices' gradients
# differ, and only their mean is that of the whole batch.
PROGRAM = """
import json, jax, jax.numpy as jnp, numpy as np
from ignn_jax.training import parallel

def step(state, batch):
    def loss(w):
        return ((batch["x"] @ w) ** 2).mean()
    value, gradient = parallel.average(jax.value_and_grad(loss)(state["w"]))
    return {"w": state["w"] - gradient}, {"loss": value}

x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
state = parallel.replicate({"w": jnp.ones(3)})
step = parallel.parallelize(step)
for _ in range(3):
    state, metrics = step(state, parallel.split({"x": x}))
try:
    parallel.check_batch_size(5)
except ValueError as error:
    refused = str(error)
copies = [shard.data[0].tolist() for shard in state["w"].addressable_shards]
print(json.dumps({
    "devices": jax.device_count(),
    "copies": copies,
    "w": parallel.unreplicate(state)["w"].tolist(),
    "loss": metrics["loss"].tolist(),
    "refused": refused,
}))
"""


@pytest.fixture(scope="module")
def two_devices():
    done = run("-c", PROGRAM, **TWO_DEVICES)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_devices_descend_as_one(two_devices):
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    w = np.ones(3)
    for _ in range(3):
        loss = np.mean((x @ w) ** 2)
        w = w - 2 * x.T @ (x @ w) / 6
    assert two_devices["devices"] == 2
    np.testing.assert_allclose(two_devices["w"], w, rtol=1e-4)
    np.testing.assert_allclose(two_devices["loss"], [loss, loss], rtol=1e-4)
    assert two_devices["copies"] == [two_devices["w"]] * 2


def test_a_batch_that_two_devices_cannot_share_is_refused(two_devices):
    assert "train.batch_size=5 " in two_devices["refused"]
    assert two_devices["refused"].endswith("2 devices; give 4 or 6")


def test_the_nearest_batch_size_is_named(monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 4)
    for good in (4, 8, 400):
        parallel.check_batch_size(good)
    for bad, nearest in ((0, "4"), (-3, "4"), (3, "4"), (6, "4 or 8"), (9, "8 or 12")):
        with pytest.raises(InputError, match=f"={bad} .*4 devices; give {nearest}$"):
            parallel.check_batch_size(bad)


def test_replicate_and_back():
    tree = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.int32(5)}
    back = parallel.unreplicate(parallel.replicate(tree))
    jax.tree.map(np.testing.assert_array_equal, back, tree)
    assert {type(leaf) for leaf in jax.tree.leaves(back)} <= {np.ndarray, np.int32}
