"""A training run: the loop, and all that is kept and told of it."""

import pathlib
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from ignn_jax.data.pairs import PairSet
from ignn_jax.data.sets import load_set, parse_fraction
from ignn_jax.data.splits import Mark, hold_out_evenly, mark
from ignn_jax.training import changes, parallel
from ignn_jax.training.checkpoint import Checkpoints
from ignn_jax.training.config import complete, resolve
from ignn_jax.training.first_steps import FirstSteps
from ignn_jax.training.interruption import Interruption
from ignn_jax.training.lock import Lock
from ignn_jax.training.loop import training_steps
from ignn_jax.training.progress import Progress
from ignn_jax.training.recipe import state_shapes
from ignn_jax.training.step import TrainState
from ignn_jax.training.task import Task, create_state, create_task, load_images
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

    SIGTERM or SIGINT end it after the step, with a checkpoint, or after a validation
    image. `Workdir` says what it keeps.

    Args:
      config: as of `configs/base.py`.
      workdir: of the run.
      allow_changes: whether a run may go on with another config than it began with.
      profile: whether to write a trace of a few steps to `profile/`.

    Returns:
      The last state, as NumPy arrays.

    Raises:
      InputError: the config cannot be followed, another run goes on in the workdir, or
        training came to nothing.
    """
    config = complete(config)
    with Lock(workdir) as lock:
        checkpoints = Checkpoints(workdir, config.checkpoint.keep)
        before = checkpoints.peek()
        config = _settle(config, before, allow_changes)
        task = create_task(config, print, _kept(config, before))
        images = _settle_images(task, before)
        state = _first_state(config, task, checkpoints)
        start = int(state.step)

        validation = Validation(task.held_out, task.model, config.eval.tile)
        print(f"Bicubic on the validation images: {validation.bicubic}")
        show = jax.process_index() == 0
        progress = Progress(start, task.steps, task.schedule, show=show)
        # Only now does anything change on disk: a refused run leaves nothing behind.
        kept = Workdir(
            workdir,
            config,
            images,
            lock,
            checkpoints,
            task.model,
            validation,
            progress,
            start,
        )
        trace = workdir / "profile" if profile else None
        first_steps = FirstSteps(start, task.steps, trace)
        with Interruption() as interruption, kept:
            state, stopped = _follow(
                task, state, config, kept, progress, first_steps, interruption
            )
            stopped = stopped or not kept.finish(state, interruption.asked)
    if stopped:
        print(f"Stopped after step {state.step}; the same command goes on from there")
    return state


def validation_images(workdir: pathlib.Path, config: ConfigDict) -> PairSet:
    """The images that a run is validated on, as its last checkpoint has them.

    Args:
      workdir: of the run.
      config: of the run.

    Raises:
      InputError: the images or the checkpoint cannot be read.
    """
    config = complete(config)
    before = Checkpoints(workdir, config.checkpoint.keep).peek()
    _, held_out = load_images(config, _kept(config, before))
    return held_out


# The step and the info of the checkpoint that a run goes on from.
_Before = tuple[int, dict[str, Any]] | None


def _settle(config: ConfigDict, before: _Before, allow_changes: bool) -> ConfigDict:
    """The config to train with; tells where it is not the one asked for, or before."""
    saved = changes.with_defaults(before[1]["config"]) if before else None
    settled = resolve(config, saved)
    embedding = settled.model.graph.embedding
    if embedding != config.model.graph.embedding:
        print(f"model.graph.embedding=auto: {embedding}")
    if before and saved:
        for line in changes.describe_changes(
            settled, saved, step=before[0], allow_changes=allow_changes
        ):
            print(f"Changed: {line}")
    return settled


def _kept(config: ConfigDict, before: _Before) -> list[Mark]:
    """The marks of the validation images so far."""
    if before is None:
        return []
    _, info = before
    if "images" in info:
        return changes.kept_marks(info["images"])
    # Earlier versions kept no list, and chose the images by their positions.
    fraction = parse_fraction(info["config"]["data"]["validation"])
    if fraction is None:
        return []
    images = load_set(config.data.train, scale=config.scale, cache=config.data.cache)
    _, held_out = hold_out_evenly(images, fraction)
    return [mark(pair) for pair in held_out]


def _settle_images(task: Task, before: _Before) -> dict[str, Any]:
    """What to keep of the images; tells what has changed."""
    images = changes.images_of(task.train, task.held_out)
    if before and "images" in before[1]:
        for line in changes.describe_images(before[1]["images"], images):
            print(f"Changed: {line}")
    return images


def _first_state(
    config: ConfigDict, task: Task, checkpoints: Checkpoints
) -> TrainState:
    """The last checkpoint's state, or else a new one."""
    before = checkpoints.peek()
    if before is None:
        return create_state(config, task, print)
    had_ema = bool(changes.with_defaults(before[1]["config"])["train"]["ema"])
    shapes = state_shapes(task.model, task.optimizer, ema=had_ema)
    state, _ = checkpoints.restore(shapes)
    print(f"Resuming from step {state.step}")
    if not config.train.ema:
        state = state.replace(ema=None)
    elif not had_ema:
        state = state.replace(ema=jax.tree.map(np.copy, state.params))
    return state.replace(skipped_in_row=np.int32(0))


def _follow(
    task: Task,
    state: TrainState,
    config: ConfigDict,
    kept: Workdir,
    progress: Progress,
    first_steps: FirstSteps,
    interruption: Interruption,
) -> tuple[TrainState, bool]:
    """Trains; logs, saves and evaluates as the steps are made.

    Returns:
      The last state, and whether the run was told to stop.
    """

    def is_due(n: int) -> bool:
        return n % config.eval.every == 0 or n == config.train.steps

    with progress:
        start = int(state.step)
        # It died in the evaluation, or has yet to begin.
        owed = is_due(start) and not kept.is_evaluated(start)
        if owed and not kept.evaluate(state, interruption.asked):
            return state, True
        for update in training_steps(task, state, print):
            n = update.step
            progress.advance(update)
            first_steps.after(update)
            stops = interruption.asked()
            evaluates = is_due(n) and not stops
            saves = stops or evaluates or n % config.checkpoint.every == 0
            if saves or n % config.log.every == 0:
                kept.log.training(n, progress.take())
            if saves:
                state = parallel.unreplicate(update.state)
                if state.skipped_in_row == 0:
                    kept.save(state)
            # After it is saved: what may happen in an evaluation loses nothing.
            if evaluates:
                stops = not kept.evaluate(state, interruption.asked)
            if stops:
                return state, True
    return state, False
