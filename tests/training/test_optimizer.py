"""The learning rate, step by step, and what a clipped gradient does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.training.optimizer import create_optimizer, learning_rate_schedule

PAPER = {
    "learning_rate": 1e-4,
    "decay_every": 200_000,
    "decay_factor": 0.5,
    "steps": 800_000,
}


def rates(numbers, **options):
    schedule = learning_rate_schedule(**{**PAPER, **options})
    with jax.numpy_dtype_promotion("standard"):  # Optax relies on it
        return [float(schedule(jnp.int32(n))) for n in numbers]


def test_the_papers_rate_is_halved_every_200000():
    found = rates([0, 199_999, 200_000, 400_000, 600_000, 799_999])
    assert found == pytest.approx([1e-4, 1e-4, 5e-5, 2.5e-5, 1.25e-5, 1.25e-5])


def test_a_warm_up_rises_in_equal_parts_and_delays_no_decay():
    found = rates([0, 1, 3, 4, 199_999, 200_000], warmup=4)
    assert found == pytest.approx([2.5e-5, 5e-5, 1e-4, 1e-4, 1e-4, 5e-5])


def test_a_cosine_ends_at_zero():
    steps = np.array([0, 250, 500, 1000])
    found = rates(steps, schedule="cosine", steps=1000)
    assert found == pytest.approx(
        list(1e-4 * (1 + np.cos(np.pi * steps / 1000)) / 2), abs=1e-11
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"schedule": "linear"},
            "optimizer.schedule: linear: give one of step, cosine",
        ),
        ({"decay_every": 0}, "optimizer.decay_every: must be at least 1, not 0"),
        ({"warmup": -1}, "optimizer.warmup: must be at least 0, not -1"),
    ],
)
def test_a_schedule_that_is_none_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        learning_rate_schedule(**{**PAPER, **options})


def adam(gradients, rate):
    """Kingma and Ba's algorithm 1, in a loop: the parameter after each gradient."""
    m = v = w = np.zeros(2)
    path = []
    for t, g in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        path.append(w)
    return np.array(path)


@pytest.mark.parametrize("clip", [0.0, 2.0])
def test_it_is_adam_on_the_clipped_gradient(clip):
    gradients = np.array([[3.0, 4.0], [0.3, -0.4], [-30, 0.1]], np.float32)
    optimizer = create_optimizer(lambda _: 0.1, clip=clip)
    params = jnp.zeros(2)
    state, path = optimizer.init(params), []
    for gradient in gradients:
        with jax.numpy_dtype_promotion("standard"):
            update, state = optimizer.update(jnp.asarray(gradient), state, params)
            params = params + update
        path.append(np.asarray(params))
    norms = np.linalg.norm(gradients, axis=1, keepdims=True)
    shrunk = gradients * np.minimum(1, clip / norms) if clip else gradients
    np.testing.assert_allclose(path, adam(shrunk, 0.1), rtol=1e-4)


def test_a_negative_norm_is_refused():
    with pytest.raises(
        InputError, match=r"optimizer\.clip: must be at least 0, not -1"
    ):
        create_optimizer(lambda _: 0.1, clip=-1.0)
