"""What a training would cost on the devices at hand, without training."""

import datetime
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from ignn_jax.devices import available_memory
from ignn_jax.training import parallel
from ignn_jax.training.config import complete, resolve
from ignn_jax.training.loop import describe_step
from ignn_jax.training.recipe import batch_shapes, create_recipe, state_shapes
from ignn_jax.training.step import TrainState, loop_turns

# Steps that are timed, after one that is not; but only that one if it takes longer.
_STEPS = 3
_PATIENCE = 10.0  # seconds


class Plan(NamedTuple):
    """What a training costs.

    Attributes:
      parameters: of the network, without frozen ones.
      cost: of a step.
      available: bytes that a step may use on each device.
      times: of a few steps, in seconds; none if a step does not fit, or if there are
        several processes, which might not agree on that.
    """

    parameters: int
    cost: parallel.Cost
    available: float
    times: list[float]

    @property
    def fits(self) -> bool:
        return self.cost.memory <= self.available


def make_plan(config: ConfigDict) -> Plan:
    """Compiles the step of a config, and times it on random images.

    It reads no images and no weights, and writes nothing.

    Args:
      config: as of `configs/base.py`.

    Raises:
      InputError: the config cannot be followed.
    """
    config = resolve(complete(config))
    accumulate = config.train.accumulate
    parallel.check_batch_size(config.train.batch_size, accumulate)
    config.train.batch_size //= jax.process_count()  # this one's share
    recipe = create_recipe(config)
    state = state_shapes(recipe.model, recipe.optimizer, ema=bool(config.train.ema))
    batch = batch_shapes(config)
    alone = jax.process_count() == 1
    given = (  # with several processes, pmap takes only arrays
        parallel.shapes_on_devices(state, batch, jax.local_devices())
        if alone
        else _random(state, batch)
    )
    turns = loop_turns(accumulate)
    step, cost = parallel.compile_step(recipe.step, *given, turns=turns)
    available = available_memory(jax.local_devices()[0])
    if jax.default_backend() == "cpu":
        available /= jax.local_device_count()  # they share it
    parameters = sum(x.size for x in jax.tree.leaves(state.params))
    plan = Plan(parameters, cost, available, [])
    if plan.fits and alone:
        plan = plan._replace(times=_time_steps(step, *_random(state, batch)))
    return plan


def describe_plan(plan: Plan, config: ConfigDict) -> str:
    """A plan in a few lines.

    Args:
      plan: what `make_plan` returned for the config.
      config: the config.
    """
    train = config.train
    needed, available = plan.cost.memory / 1e9, plan.available / 1e9
    lines = [describe_step(plan.parameters, plan.cost)]
    if plan.fits:
        lines.append(f"It fits: each device has {available:.2f} GB for it")
    else:
        lines.append(
            f"It does not fit: it needs {needed:.2f} GB of each device, which has "
            f"{available:.2f} GB for it; lower train.batch_size or data.lr_patch, or "
            "raise train.accumulate (on accelerators)"
        )
    if plan.times:
        seconds = statistics.median(plan.times)
        whole = datetime.timedelta(seconds=round(seconds * train.steps))
        rate = plan.cost.flops / seconds / 1e9
        lines.append(
            f"{seconds:.3g} s a step ({rate:,.0f} GFLOP/s), measured: "
            f"{len(plan.times)} on random images. {train.steps:,} steps take {whole}, "
            "and validation comes on top"
        )
    else:
        lines.append("The time of a step is not known: none was made")
    note = parallel.small_share(train.batch_size, train.accumulate)
    return "\n".join([*lines, *([note] if note else []), "Nothing was trained"])


def _random(state: TrainState, batch: Any) -> tuple[TrainState, Any]:
    """A state and a batch of these shapes; a step takes as long as on other values."""
    rng = np.random.default_rng(0)

    def draw(x):  # small, so that nothing overflows
        return rng.normal(0, np.prod(x.shape[:-1]) ** -0.5, x.shape).astype(x.dtype)

    zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), state)
    drawn = zeros.replace(
        params=jax.tree.map(draw, state.params),
        frozen=jax.tree.map(draw, state.frozen),
    )
    images = jax.tree.map(lambda x: rng.integers(0, 256, x.shape, x.dtype), batch)
    return parallel.replicate(drawn), next(parallel.prefetch(iter([images])))


def _time_steps(step: Callable[..., Any], state: Any, batch: Any) -> list[float]:
    """Seconds of a few steps."""
    times: list[float] = []
    for _ in range(1 + _STEPS):
        begin = time.monotonic()
        state, metrics = step(state, batch)
        jax.block_until_ready(metrics)
        times.append(time.monotonic() - begin)
        if times[0] > _PATIENCE:
            return times
    return times[1:]
