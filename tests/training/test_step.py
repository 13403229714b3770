"""A step on its own: accumulation, the moving average, updates that are skipped."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ignn_jax.models import EDSR
from ignn_jax.training import parallel
from ignn_jax.training.step import init_state, train_step

RATE = 1e-3


@pytest.fixture(autouse=True)
def _standard_promotion():
    with jax.numpy_dtype_promotion("standard"):  # Optax relies on it
        yield


class Scaled(nn.Module):
    """sr = w * lr, twice as large: an L1 loss whose gradient is known."""

    @nn.compact
    def __call__(self, lr):
        w = self.param("w", nn.initializers.ones, ())
        return jnp.repeat(jnp.repeat(lr, 2, axis=1), 2, axis=2) * w


def start(model, *, with_ema=False, optimizer=None):
    optimizer = optimizer or optax.sgd(RATE)
    variables = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 4, 4, 3)))
    state = parallel.replicate(init_state(variables, optimizer, with_ema=with_ema))

    def run(state, batch, **options):
        step = functools.partial(
            train_step, model=model, optimizer=optimizer, **options
        )
        state, metrics = parallel.parallelize(step)(state, parallel.split(batch))
        return state, jax.tree.map(lambda x: np.asarray(x)[0], metrics)

    return state, run


def batch(seed=0, size=4):
    """LR is even and HR odd: no difference is 0, where L1 has no gradient."""
    rng = np.random.default_rng(seed)
    return {
        "lr": 2 * rng.integers(0, 128, (size, 4, 4, 3)).astype(np.uint8),
        "hr": 2 * rng.integers(0, 128, (size, 8, 8, 3)).astype(np.uint8) + np.uint8(1),
    }


def params_of(state):
    return parallel.unreplicate(state).params


def test_parts_give_the_gradient_of_the_whole():
    model = EDSR(scale=2, features=4, num_blocks=1, residual_scale=1.0)
    state, run = start(model)
    before = parallel.unreplicate(state)
    whole, loss = run(state, batch())
    whole, before = params_of(whole), before.params
    moved = jax.tree.map(lambda a, c: np.abs(a - c).max(), whole, before)
    assert max(jax.tree.leaves(moved)) > 1e-5
    for accumulate in (2, 4):
        state, run = start(model)
        parts, loss_of_parts = run(state, batch(), accumulate=accumulate)
        assert loss["loss"] == pytest.approx(loss_of_parts["loss"], rel=1e-6)
        jax.tree.map(
            lambda a, b, c: np.testing.assert_allclose(a - c, b - c, atol=1e-7),
            whole,
            params_of(parts),
            before,
        )


def test_the_loss_and_its_gradient_are_those_of_l1():
    images = batch()
    state, run = start(Scaled())
    state, metrics = run(state, images)
    lr = images["lr"].astype(np.float64).repeat(2, axis=1).repeat(2, axis=2)
    hr = images["hr"].astype(np.float64)
    assert metrics["loss"] == pytest.approx(np.abs(lr - hr).mean(), rel=1e-6)
    gradient = (np.sign(lr - hr) * lr).mean()
    assert params_of(state)["w"] == pytest.approx(1 - RATE * gradient, rel=1e-6)


def test_the_moving_average_follows_the_parameters():
    state, run = start(Scaled(), with_ema=True)
    expected = 1.0
    for seed in range(3):
        state, _ = run(state, batch(seed), ema_decay=0.75)
        expected = 0.75 * expected + 0.25 * params_of(state)["w"]
    found = parallel.unreplicate(state)
    assert found.ema["w"] == pytest.approx(expected, rel=1e-6)
    assert found.variables["params"]["w"] == found.ema["w"] != found.params["w"]


def test_a_step_that_is_not_finite_changes_nothing_but_the_counts():
    optimizer = optax.adam(RATE)
    state, run = start(Scaled(), with_ema=True, optimizer=optimizer)
    state, metrics = run(state, batch(), ema_decay=0.5)
    assert (metrics["skipped"], metrics["skipped_in_row"]) == (0, 0)
    before = parallel.unreplicate(state)
    broken = parallel.replicate(before.replace(params={"w": np.float32("nan")}))
    for n in (1, 2):
        broken, metrics = run(broken, batch(n), ema_decay=0.5)
        assert not np.isfinite(metrics["loss"])
        assert (metrics["skipped"], metrics["skipped_in_row"]) == (n, n)
    after = parallel.unreplicate(broken)
    assert after.step == before.step + 2
    assert np.isnan(after.params["w"])
    jax.tree.map(
        np.testing.assert_array_equal,
        (after.opt_state, after.ema),
        (before.opt_state, before.ema),
    )
    healed = parallel.replicate(after.replace(params=before.params))
    healed, metrics = run(healed, batch(3), ema_decay=0.5)
    assert (metrics["skipped"], metrics["skipped_in_row"]) == (2, 0)
    assert params_of(healed)["w"] != before.params["w"]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_no_convolution_is_in_a_loop_on_cpu(accumulate):
    """There its gradient takes 20 times as long."""
    model = EDSR(scale=2, features=4, num_blocks=1, residual_scale=1.0)
    state, _ = start(model)
    step = functools.partial(
        train_step, model=model, optimizer=optax.sgd(RATE), accumulate=accumulate
    )
    lowered = parallel.parallelize(step).lower(state, parallel.split(batch()))
    assert "convolution" in lowered.as_text()
    assert "while" not in lowered.as_text()
