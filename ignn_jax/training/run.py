"""A training run: the loop, and all that is kept and told of it."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from ignn_jax.training import parallel
from ignn_jax.training.checkpoint import Checkpoints
from ignn_jax.training.config import check, describe_changes, resolve
from ignn_jax.training.first_steps import FirstSteps
from ignn_jax.training.interruption import Interruption
from ignn_jax.training.loop import Update, training_steps
from ignn_jax.training.progress import Progress
from ignn_jax.training.step import TrainState
from ignn_jax.training.task import Task, create_state, create_task, state_shapes
from ignn_jax.training.validation import Validation
from ignn_jax.training.workdir import Workdir


def train(
    config: ConfigDict,
    workdir: pathlib.Path,
    *,
    allow_changes: bool = False,
    profile: bool = False,
) -> TrainState:
    """Trains what a config describes, going on from the workdir's last checkpoint.

    SIGTERM or SIGINT end it after the step, with a checkpoint. `Workdir` says what it
    keeps.

    Args:
      config: as of `configs/base.py`.
      workdir: of the run.
      allow_changes: whether a run may go on with another config than it began with.
      profile: whether to write a trace of a few steps to `profile/`.

    Returns:
      The last state, as NumPy arrays.

    Raises:
      InputError: the config cannot be followed, or training came to nothing.
    """
    check(config)
    checkpoints = Checkpoints(workdir, config.checkpoint.keep)
    config = _settle(config, checkpoints.config(), allow_changes)
    task = create_task(config, print)
    state = _first_state(config, task, checkpoints)
    start = int(state.step)
    checkpoints.create()  # only now, so that a refused run leaves nothing behind

    validation = Validation(task.held_out, task.model, config.eval.tile)
    print(f"Bicubic on the validation images: {validation.bicubic}")
    show = jax.process_index() == 0
    progress = Progress(start, task.steps, task.schedule, show=show)
    kept = Workdir(
        workdir, config, checkpoints, task.model, validation, progress, start
    )
    trace = workdir / "profile" if profile else None
    first_steps = FirstSteps(start, task.steps, trace)
    with Interruption() as interruption, kept:
        with progress:
            if start % config.eval.every == 0 and kept.log.last_evaluation != start:
                kept.evaluate(state)
            updates = training_steps(task, state, print)
            state, stopped = _follow(
                updates, state, config, kept, progress, first_steps, interruption
            )
        if not stopped:
            kept.finish(state)
    if stopped:
        print(f"Stopped after step {state.step}; the same command goes on from there")
    return state


def _settle(
    config: ConfigDict, saved: Mapping[str, Any] | None, allow_changes: bool
) -> ConfigDict:
    """The config to train with, which is told where it is not the one asked for."""
    settled = resolve(config, saved)
    embedding = settled.model.graph.embedding
    if embedding != config.model.graph.embedding:
        print(f"model.graph.embedding=auto: {embedding}")
    if saved:
        changes = describe_changes(settled, saved, allow_changes=allow_changes)
        if changes:
            print(f"Going on with another config: {changes}")
    return settled


def _first_state(
    config: ConfigDict, task: Task, checkpoints: Checkpoints
) -> TrainState:
    """The last checkpoint's state, or else a new one."""
    if checkpoints.latest is None:
        return create_state(config, task, print)
    state, _ = checkpoints.restore(state_shapes(config, task))
    print(f"Resuming from step {state.step}")
    return state.replace(skipped_in_row=np.int32(0))


def _follow(
    updates: Iterable[Update],
    state: TrainState,
    config: ConfigDict,
    kept: Workdir,
    progress: Progress,
    first_steps: FirstSteps,
    interruption: Interruption,
) -> tuple[TrainState, bool]:
    """Logs, evaluates and saves as the steps are made.

    Returns:
      The last state, and whether the run was told to stop.
    """
    for update in updates:
        n = update.step
        progress.advance(update)
        first_steps.after(update)
        stops = interruption.asked(n)
        evaluates = not stops and (
            n % config.eval.every == 0 or n == config.train.steps
        )
        saves = stops or evaluates or n % config.checkpoint.every == 0
        if saves or n % config.log.every == 0:
            kept.log.training(n, progress.take())
        if saves:
            state = parallel.unreplicate(update.state)
            psnr = kept.evaluate(state).mean.psnr if evaluates else None
            if state.skipped_in_row == 0:
                kept.save(state, psnr)
        if stops:
            return state, True
    return state, False
