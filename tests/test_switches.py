"""JAX's own switches: training and upscaling work under each, with the same results."""

import functools

import jax
import numpy as np
import pytest
from PIL import Image

import ignn_jax as ignn
from tests.networks import random_variables, run, save_pictures, tiny_ignn
from tests.runs import begin, succeeded

SWITCHES = {
    "64 bits": {"jax_enable_x64": True},
    "strict": {
        "jax_numpy_dtype_promotion": "strict",
        "jax_numpy_rank_promotion": "raise",
    },
    "leaks": {"jax_check_tracer_leaks": True},
    "nans": {"jax_debug_nans": True, "jax_debug_infs": True},
    "no jit": {"jax_disable_jit": True},
}
MODEL = tiny_ignn(position=0, den="aggregated")


@pytest.fixture
def switch(request):
    """Sets the switches of this name for a test."""
    before = {key: getattr(jax.config, key) for key in SWITCHES[request.param]}
    for key, value in SWITCHES[request.param].items():
        jax.config.update(key, value)
    yield request.param
    for key, value in before.items():
        jax.config.update(key, value)


def images(height, width, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3)).astype(np.uint8)


def train():
    """Two steps, with all that the optimizer can do."""
    schedule = ignn.learning_rate_schedule(
        learning_rate=1e-3, steps=10, schedule="cosine", warmup=2
    )
    optimizer = ignn.create_optimizer(schedule, clip=1.0)
    variables = random_variables(MODEL)
    state = ignn.TrainState.create(variables, optimizer, ema=True)
    step = jax.jit(
        functools.partial(
            ignn.train_step, model=MODEL, optimizer=optimizer, ema_decay=0.9
        )
    )
    batch = {"lr": images(8, 8, 0)[None], "hr": images(16, 16, 1)[None]}
    for _ in range(2):
        state, metrics = step(state, batch)
    return state, metrics


@functools.cache
def expected():
    return train()


# Without jit each operation is compiled for itself; with the search for leaks nothing
# that was traced is used again.
SLOW = {"no jit": [pytest.mark.slow], "leaks": [pytest.mark.slow]}
EACH = pytest.mark.parametrize(
    "switch",
    [pytest.param(name, marks=SLOW.get(name, ())) for name in SWITCHES],
    indirect=True,
)


@EACH
def test_a_training_step(switch):
    state, metrics = train()
    reference, its_metrics = jax.tree.map(np.asarray, expected())
    assert float(metrics["loss"]) == pytest.approx(its_metrics["loss"], rel=1e-5)
    dtypes = jax.tree.map(lambda x: x.dtype, state)
    assert dtypes == jax.tree.map(lambda x: x.dtype, reference)
    for ours, theirs in zip(
        jax.tree.leaves(state.params), jax.tree.leaves(reference.params), strict=True
    ):
        # Adam's first steps are as long as the learning rate, however small a gradient.
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=2e-5)


@EACH
def test_upscaling(switch):
    photo = images(12, 10, 0)
    variables = random_variables(MODEL)
    whole = ignn.upscaler(MODEL, variables, tile=0)(photo)
    np.testing.assert_array_equal(whole, expected_image())
    lr = photo[None].astype(np.float64)
    sr, state = MODEL.apply(variables, lr, mutable=["intermediates"])
    assert {x.dtype for x in jax.tree.leaves((sr, state))} == {
        np.dtype("float32"),
        np.dtype("int32"),
    }


@functools.cache
def expected_image():
    return ignn.upscaler(MODEL, random_variables(MODEL), tile=0)(images(12, 10, 0))


@pytest.mark.slow
@pytest.mark.parametrize("names", [("64 bits", "nans"), ("strict", "leaks")])
def test_the_programs(tmp_path, names):
    """As a user sets them: in the environment, before JAX is imported."""
    chosen = [item for name in names for item in SWITCHES[name].items()]
    switches = {key.upper(): str(value) for key, value in chosen}
    save_pictures(tmp_path / "pictures")
    keys = {"train.steps": 2, "train.ema": 0.9, "optimizer.clip": 1.0, "eval.every": 2}
    succeeded(begin(tmp_path, "run", keys, **switches))
    command = ("-m", "ignn_jax", "upscale", tmp_path / "pictures" / "0.png")
    options = ("--weights", tmp_path / "run", "-o", tmp_path / "0.png", "--tile", 16)
    done = run(*command, *options, **switches)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "0.png") as image:
        assert image.size == (128, 128)
