"""The training loop, on all devices of all processes.

It writes no files, prints nothing and listens to no signals: `run.py` adds these.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict

from ignn_jax.errors import InputError
from ignn_jax.training import parallel
from ignn_jax.training.config import complete, resolve
from ignn_jax.training.step import TrainState, loop_turns
from ignn_jax.training.task import Task, Tell, create_state, create_task


class Update(NamedTuple):
    """A step that the devices have been given, and may still be at.

    Attributes:
      step: its number; the first one is 1.
      state: after it, on every device. The next step takes its memory.
      metrics: as `train_step` returns them, on every device.
      waited: seconds that the loop waited for the batch.
    """

    step: int
    state: TrainState
    metrics: dict[str, jax.Array]
    waited: float


def fit(
    config: ConfigDict,
    *,
    tell: Tell | None = None,
    on_step: Callable[[int, dict[str, float]], None] | None = None,
) -> TrainState:
    """Trains what a config describes, from the beginning to the end.

    Nothing is printed, except for a line when images have to be decoded first.

    Args:
      config: as of `configs/base.py`. What concerns a run's folder has no effect.
      tell: gets lines about the images, the network and the cost of a step; `print`
        shows them.
      on_step: called after each step with its number, from 1, and its metrics:
        "loss" (L1 on the scale of 0..255), "skipped" and "skipped_in_row".

    Returns:
      The last state, as NumPy arrays.

    Raises:
      InputError: the config cannot be followed, or the loss stays infinite or NaN.
    """
    tell = tell or (lambda line: None)
    config = resolve(complete(config))
    task = create_task(config, tell)
    for update in training_steps(task, create_state(config, task, tell), tell):
        if on_step:
            on_step(update.step, parallel.to_numbers(update.metrics))
    return parallel.unreplicate(update.state)


def training_steps(task: Task, state: TrainState, tell: Tell) -> Iterator[Update]:
    """Makes the steps that are left, one each time that it is asked.

    Args:
      task: what to train.
      state: the state to go on from.
      tell: gets the size of the network and the cost of a step once it is compiled.

    Raises:
      InputError: `task.max_skipped` steps in a row were not finite.
    """
    start, metrics = int(state.step), None
    if start >= task.steps:
        return
    parameters = sum(x.size for x in jax.tree.leaves(state.params))
    state = parallel.replicate(state)
    batches = parallel.prefetch(task.batches(start))
    first = next(batches)
    step, cost = parallel.compile_step(
        task.step, state, first, turns=loop_turns(task.accumulate)
    )
    tell(describe_step(parameters, cost))
    note = parallel.small_share(task.batch_size, task.accumulate)
    if note:
        tell(note)
    batches = itertools.chain([first], batches)
    for n in range(start + 1, task.steps + 1):
        begin = time.monotonic()
        batch = next(batches)
        waited = time.monotonic() - begin
        before, (state, metrics) = metrics, step(state, batch)
        # To be one step ahead of the devices is enough, and not too late to stop.
        jax.block_until_ready(metrics if parallel.must_wait() else before)
        if n % task.max_skipped == 0:
            _refuse_to_skip_on(metrics, task.max_skipped)
        yield Update(n, state, metrics, waited)


def describe_step(parameters: int, cost: parallel.Cost) -> str:
    """Size, devices and the cost of a step, in two lines."""
    kinds = sorted({device.device_kind for device in jax.devices()})
    processes = jax.process_count()
    return (
        f"{parameters:,} parameters; {jax.device_count()} x {', '.join(kinds)}"
        + f", {processes} processes" * (processes > 1)
        + f"\nA step: {cost.flops / 1e9:,.1f} GFLOP, about {cost.memory / 1e9:.2f} GB "
        + f"on each device; compiled in {cost.compilation:.0f} s"
    )


def _refuse_to_skip_on(metrics: dict[str, Any], max_skipped: int) -> None:
    skipped = parallel.to_numbers(metrics)["skipped_in_row"]
    if skipped >= max_skipped:
        raise InputError(
            f"the loss or its gradient was not finite in {skipped} steps in a row: "
            "training stops, and a run keeps its last good checkpoint; lower "
            "optimizer.learning_rate, or set optimizer.clip"
        )
