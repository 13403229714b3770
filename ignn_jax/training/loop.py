"""Training, on all devices of all processes, from wherever it stopped."""

import functools
import itertools
import pathlib
from typing import Any

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from ignn_jax.data.batches import train_batches
from ignn_jax.data.inspection import describe as describe_images
from ignn_jax.data.sets import load_sets
from ignn_jax.errors import InputError
from ignn_jax.models.factory import create_model
from ignn_jax.training import parallel
from ignn_jax.training.checkpoint import Checkpoints
from ignn_jax.training.config import resolve
from ignn_jax.training.first_steps import FirstSteps, describe
from ignn_jax.training.interruption import Interruption
from ignn_jax.training.optimizer import create_optimizer, learning_rate_schedule
from ignn_jax.training.progress import Progress
from ignn_jax.training.step import TrainState, is_loop, train_step
from ignn_jax.training.validation import Validation
from ignn_jax.training.workdir import Workdir
from ignn_jax.weights.network import load
from ignn_jax.weights.vgg19 import load_vgg19


def train(
    config: ConfigDict,
    workdir: pathlib.Path,
    *,
    allow_changes: bool = False,
    profile: bool = False,
) -> None:
    """Trains what the config describes, going on from the workdir's last checkpoint.

    SIGTERM or SIGINT end it after the step, with a checkpoint. `Workdir` says what it
    keeps.

    Args:
      config: as of `configs/base.py`.
      workdir: of the run.
      allow_changes: whether a run may go on with another config than it was begun with.
      profile: whether to write a trace of a few steps to `profile/`.

    Raises:
      InputError: the config cannot be followed, or training came to nothing.
    """
    _check(config)
    checkpoints = Checkpoints(workdir, config.checkpoint.keep)
    config = resolve(config, checkpoints.config(), allow_changes=allow_changes)
    model = create_model({"scale": config.scale, **config.model.to_dict()})
    schedule, optimizer = _create_optimizer(config)
    pairs, held_out = _load_data(config)
    state = _first_state(config, checkpoints, model, optimizer)
    start, end = int(state.step), config.train.steps
    batches = _batches(config, pairs, start)
    checkpoints.create()  # only now, so that a refused run leaves nothing behind

    validation = Validation(held_out, model, config.eval.tile)
    print(f"Validation on {len(validation)} images; bicubic: {validation.bicubic}")
    progress = Progress(start, end, schedule, show=jax.process_index() == 0)
    kept = Workdir(workdir, config, checkpoints, model, validation, progress, start)
    first_steps = FirstSteps(start, end, workdir / "profile" if profile else None)
    stops, metrics = False, None
    with Interruption() as interruption, kept:
        with progress:
            if start % config.eval.every == 0 and kept.log.last_evaluation != start:
                kept.evaluate(state)
            batches = parallel.prefetch(batches)
            replicated = parallel.replicate(state)
            step, batches, cost = _compile(
                config, model, optimizer, replicated, batches
            )
            print(describe(state, cost))
            for n in range(start + 1, end + 1):
                with progress.waiting():
                    batch = next(batches)
                before, (replicated, metrics) = metrics, step(replicated, batch)
                progress.advance(metrics)
                # One step ahead of the devices is enough, and not too late to stop.
                jax.block_until_ready(metrics if parallel.must_wait() else before)
                first_steps.after(n, metrics)
                if n % config.train.max_skipped == 0:
                    _refuse_to_skip_on(metrics, config)
                stops = interruption.asked(n)
                evaluates = not stops and (n % config.eval.every == 0 or n == end)
                saves = stops or evaluates or n % config.checkpoint.every == 0
                if saves or n % config.log.every == 0:
                    kept.log.training(n, progress.take())
                if saves:
                    state = parallel.unreplicate(replicated)
                    psnr = kept.evaluate(state) if evaluates else None
                    if state.skipped_in_row == 0:
                        kept.save(state, psnr)
                if stops:
                    break
        if not stops:
            kept.finish(state)
    if stops:
        print(f"Stopped after step {n}; the same command goes on from there")


def take_backbone(params: Any, backbone: Any) -> tuple[Any, list[str]]:
    """Replaces the parameters that a trained backbone has too, by name and shape.

    Args:
      params: of the network to train.
      backbone: of another network.

    Returns:
      The new parameters, and the names of those that were not in the backbone.
    """
    ours, theirs = (
        flax.traverse_util.flatten_dict(tree, sep="/") for tree in (params, backbone)
    )
    taken = {
        name: jnp.asarray(theirs[name])
        for name, array in ours.items()
        if name in theirs and theirs[name].shape == array.shape
    }
    merged = flax.traverse_util.unflatten_dict({**ours, **taken}, sep="/")
    return merged, sorted(ours.keys() - taken.keys())


def _check(config):
    parallel.check_batch_size(config.train.batch_size, config.train.accumulate)
    for key, number in (
        ("train.steps", config.train.steps),
        ("train.max_skipped", config.train.max_skipped),
        ("checkpoint.every", config.checkpoint.every),
        ("eval.every", config.eval.every),
        ("log.every", config.log.every),
    ):
        if number < 1:
            raise InputError(f"{key}={number}: give at least 1")
    if not 0 <= config.train.ema < 1:
        raise InputError(f"train.ema={config.train.ema}: give a decay in [0, 1)")


def _create_optimizer(config):
    """The learning rate's schedule, and the optimizer that follows it."""
    options = config.optimizer.to_dict()
    clip = options.pop("clip")
    schedule = learning_rate_schedule(**options, steps=config.train.steps)
    return schedule, create_optimizer(schedule, clip=clip)


def _load_data(config):
    """The training pairs and the validation pairs."""
    training, validation = load_sets(
        config.data.train,
        config.data.validation,
        scale=config.scale,
        lr_patch=config.data.lr_patch,
        cache=config.data.cache,
    )
    print(f"Training on {config.data.train}: {describe_images(training)}")
    for name, reason in validation.left_out:
        print(f"Left out of validation: {name}: {reason}")
    return training, validation


def _batches(config, pairs, start):
    return train_batches(
        pairs,
        lr_patch=config.data.lr_patch,
        scale=config.scale,
        batch_size=config.train.batch_size // jax.process_count(),
        seed=config.seed,
        start_step=start,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        channel_shuffle=config.data.channel_shuffle,
    )


def _compile(config, model, optimizer, replicated, batches):
    """The step, compiled; the batches, none of them lost; and what a step costs."""
    first = next(batches)
    step = functools.partial(
        train_step,
        model=model,
        optimizer=optimizer,
        axis=parallel.AXIS,
        ema_decay=config.train.ema,
        accumulate=config.train.accumulate,
    )
    step, cost = parallel.compile_step(step, replicated, first)
    if is_loop(config.train.accumulate):
        cost = cost._replace(flops=cost.flops * config.train.accumulate)
    return step, itertools.chain([first], batches), cost


def _first_state(config, checkpoints, model, optimizer) -> TrainState:
    """The last checkpoint's state; or a fresh one, from the weights of `init`."""
    # XLA takes thrice as long to compile the default generator for so many arrays.
    key = jax.random.key(config.seed, impl="rbg")
    variables = jax.jit(model.init)(key, jnp.zeros((1, 8, 8, 3)))
    if checkpoints.latest is not None:
        like = TrainState.create(variables, optimizer, ema=bool(config.train.ema))
        state, _ = checkpoints.restore(like)
        print(f"Resuming from step {state.step}")
        return state.replace(skipped_in_row=np.int32(0))
    if config.init.backbone:
        _, backbone = load(config.init.backbone)
        params, fresh = take_backbone(variables["params"], backbone["params"])
        variables["params"] = params
        taken = len(jax.tree.leaves(params)) - len(fresh)
        print(
            f"init.backbone={config.init.backbone}: {taken} tensors taken; "
            f"not in it, so fresh: {', '.join(fresh) or 'none'}"
        )
    if "vgg19" in variables:
        if not config.init.vgg19:
            raise InputError(
                "model.graph.embedding=vgg19 needs init.vgg19, a file with VGG19's "
                "weights; or set model.graph.embedding=backbone"
            )
        variables.update(load_vgg19(config.init.vgg19))
    return TrainState.create(variables, optimizer, ema=bool(config.train.ema))


def _refuse_to_skip_on(metrics, config):
    skipped = parallel.unreplicate(metrics)["skipped_in_row"]
    if skipped >= config.train.max_skipped:
        raise InputError(
            f"the loss or its gradient was not finite in {skipped} steps in a row: "
            "training stops, the last good checkpoint is kept; lower "
            "optimizer.learning_rate, or set optimizer.clip"
        )
