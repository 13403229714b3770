"""The step as a pure function, whatever transforms it, and what it computes."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ignn_jax.errors import InputError
from ignn_jax.models import EDSR
from ignn_jax.training import step as training_step
from ignn_jax.training.step import TrainState, init_state, train_step
from tests.checks import assert_same

RATE = 1e-3


class Scaled(nn.Module):
    """sr = w * lr, twice as large: the gradient of its L1 loss is known."""

    @nn.compact
    def __call__(self, lr):
        w = self.param("w", nn.initializers.ones, ())
        return jnp.repeat(jnp.repeat(lr, 2, axis=1), 2, axis=2) * w


def tiny_edsr():
    return EDSR(scale=2, features=4, num_blocks=1, residual_scale=1.0)


def start(model, *, ema=False, optimizer=None, **options):
    """A state, and the step as a function of state and batch."""
    optimizer = optimizer or optax.sgd(RATE)
    state = init_state(model, optimizer, jax.random.key(0), ema=ema)
    step = functools.partial(train_step, model=model, optimizer=optimizer, **options)
    return state, step


def batch(seed=0, size=4):
    """LR is even and HR odd: no difference is 0, where L1 has no gradient."""
    rng = np.random.default_rng(seed)
    return {
        "lr": 2 * rng.integers(0, 128, (size, 4, 4, 3)).astype(np.uint8),
        "hr": 2 * rng.integers(0, 128, (size, 8, 8, 3)).astype(np.uint8) + np.uint8(1),
    }


def assert_close(ours, theirs, atol=1e-6):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=atol, rtol=1e-6),
        ours,
        theirs,
    )


# Transformed


def test_a_donated_state_trains_as_one_that_is_kept():
    """And the metrics of a step outlive the state that they were returned with."""
    kept, step = start(tiny_edsr(), ema=True, optimizer=optax.adam(RATE), ema_decay=0.9)
    donated, _ = start(tiny_edsr(), ema=True, optimizer=optax.adam(RATE))
    found = []
    for function, state in (
        (jax.jit(step), kept),
        (jax.jit(step, donate_argnums=0), donated),
    ):
        metrics = []
        for seed in range(3):
            state, measured = function(state, batch(seed))
            metrics.append(measured)
        found.append((state, metrics))
    assert_same(*found)
    assert all(x.is_deleted() for x in jax.tree.leaves(donated))
    assert not any(x.is_deleted() for x in jax.tree.leaves(kept))
    losses = [metrics["loss"] for metrics in found[0][1]]
    assert np.isfinite(losses).all()


def test_it_trains_several_states_at_once():
    states, expected = [], []
    for seed in range(2):
        state, step = start(tiny_edsr(), optimizer=optax.adam(RATE))
        params = jax.tree.map(lambda x, s=seed: x * (1 + s), state.params)
        states.append(state.replace(params=params))
        expected.append(jax.jit(step)(states[-1], batch()))
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *states)
    found = jax.jit(jax.vmap(step, in_axes=(0, None)))(stacked, batch())
    for n in range(2):
        assert_close(jax.tree.map(lambda x, n=n: x[n], found), expected[n])


def test_parts_along_an_axis_step_as_the_whole_batch():
    state, step = start(tiny_edsr(), ema=True, ema_decay=0.5)
    state, expected = jax.jit(step)(state, batch())
    parts = jax.tree.map(lambda x: x.reshape(2, 2, *x.shape[1:]), batch())
    start_state, step = start(tiny_edsr(), ema=True, ema_decay=0.5, axis="parts")
    step = jax.vmap(step, in_axes=(None, 0), axis_name="parts")
    states, metrics = jax.jit(step)(start_state, parts)
    for n in range(2):
        found = jax.tree.map(lambda x, n=n: x[n], (states, metrics))
        assert_close(found, (state, expected))


def test_a_step_can_be_differentiated():
    """How the loss after a step depends on the step's learning rate."""
    state, _ = start(Scaled())

    def loss_after(rate):
        options = {"model": Scaled(), "optimizer": optax.sgd(rate)}
        after, _ = train_step(state, batch(), **options)
        return train_step(after, batch(), **options)[1]["loss"]

    slope = jax.grad(loss_after)(RATE)
    first = gradient(1.0, batch())
    second = gradient(1 - RATE * first, batch())
    assert slope == pytest.approx(-first * second, rel=1e-5)


# Computed


def enlarged(images):
    lr = images["lr"].astype(np.float64).repeat(2, axis=1).repeat(2, axis=2)
    return lr, images["hr"].astype(np.float64)


def gradient(w, images):
    """Of the L1 loss of Scaled."""
    lr, hr = enlarged(images)
    return (np.sign(w * lr - hr) * lr).mean()


def test_the_loss_and_its_gradient_are_those_of_l1():
    state, step = start(Scaled())
    state, metrics = jax.jit(step)(state, batch())
    lr, hr = enlarged(batch())
    assert metrics["loss"] == pytest.approx(np.abs(lr - hr).mean(), rel=1e-6)
    expected = 1 - RATE * gradient(1.0, batch())
    assert state.params["w"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loop", [False, True])
def test_parts_give_the_gradient_of_the_whole(monkeypatch, loop):
    """One after another, and in a loop, as on accelerators."""
    monkeypatch.setattr(training_step, "loop_turns", lambda n: n if loop else 1)
    before, step = start(tiny_edsr())
    whole, metrics = jax.jit(step)(before, batch())
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), whole.params, before.params)
    assert max(jax.tree.leaves(moved)) > 1e-5
    for accumulate in (2, 4):
        _, step = start(tiny_edsr(), accumulate=accumulate)
        parts, metrics_of_parts = jax.jit(step)(before, batch())
        assert metrics["loss"] == pytest.approx(
            float(metrics_of_parts["loss"]), rel=1e-6
        )
        jax.tree.map(
            lambda a, b, c: np.testing.assert_allclose(a - c, b - c, atol=1e-7),
            whole.params,
            parts.params,
            before.params,
        )


@pytest.mark.parametrize(
    ("hr", "options", "message"),
    [
        ((4, 4, 4, 3), {}, r"give HR images \(4, 8, 8, 3\) for LR images"),
        ((1, 8, 8, 3), {}, "not \\(1, 8, 8, 3\\)"),  # would be broadcast
        ((4, 8, 8, 1), {}, "not \\(4, 8, 8, 1\\)"),
        ((4, 8, 8, 3), {"accumulate": 3}, "accumulate: 3 does not divide 4"),
    ],
)
def test_a_batch_whose_images_do_not_fit_is_refused(hr, options, message):
    state, step = start(tiny_edsr(), **options)
    with pytest.raises(InputError, match=message):
        step(state, {**batch(), "hr": np.zeros(hr, np.uint8)})


def test_the_moving_average_follows_the_parameters():
    state, step = start(Scaled(), ema=True, ema_decay=0.75)
    step = jax.jit(step)
    expected = 1.0
    for seed in range(3):
        state, _ = step(state, batch(seed))
        expected = 0.75 * expected + 0.25 * float(state.params["w"])
    assert state.ema["w"] == pytest.approx(expected, rel=1e-6)
    assert state.variables["params"]["w"] == state.ema["w"] != state.params["w"]


def test_a_step_that_is_not_finite_changes_nothing_but_the_counts():
    optimizer = optax.adam(RATE)
    state, step = start(Scaled(), ema=True, optimizer=optimizer, ema_decay=0.5)
    step = jax.jit(step)
    before, metrics = step(state, batch())
    assert (metrics["skipped"], metrics["skipped_in_row"]) == (0, 0)
    after = before.replace(params={"w": jnp.float32(jnp.nan)})
    for n in (1, 2):
        after, metrics = step(after, batch(n))
        assert not np.isfinite(metrics["loss"])
        assert (metrics["skipped"], metrics["skipped_in_row"]) == (n, n)
    assert after.step == before.step + 2
    assert np.isnan(after.params["w"])
    assert_same((after.opt_state, after.ema), (before.opt_state, before.ema))
    healed, metrics = step(after.replace(params=before.params), batch(3))
    assert (metrics["skipped"], metrics["skipped_in_row"]) == (2, 0)
    assert healed.params["w"] != before.params["w"]


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="not on a CPU")
@pytest.mark.parametrize("accumulate", [1, 2])
def test_no_convolution_is_in_a_loop_on_cpu(accumulate):
    """There its gradient takes 20 times as long."""
    state, step = start(tiny_edsr(), accumulate=accumulate)
    lowered = jax.jit(step).lower(state, batch()).as_text()
    assert "convolution" in lowered
    assert "while" not in lowered


# The state


def test_a_state_keeps_what_is_frozen_and_copies_what_it_averages():
    variables = {"params": {"w": jnp.ones(3)}, "vgg19": {"k": jnp.zeros(2)}}
    state = TrainState.create(variables, optax.sgd(RATE), ema=True)
    assert_same(state.variables, variables)
    assert_same(state.ema, state.params)
    pointers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(state)]
    assert len(set(pointers)) == len(pointers)
    assert TrainState.create(variables, optax.sgd(RATE)).ema is None
