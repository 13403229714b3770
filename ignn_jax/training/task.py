"""What a config describes, made: network, optimizer, images and first state."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from ignn_jax.data.batches import train_batches
from ignn_jax.data.inspection import describe
from ignn_jax.data.own import validation_source
from ignn_jax.data.pairs import PairSet
from ignn_jax.data.sets import load_sets
from ignn_jax.data.splits import Mark
from ignn_jax.errors import InputError
from ignn_jax.training import parallel
from ignn_jax.training.recipe import create_recipe
from ignn_jax.training.step import TrainState, init_variables
from ignn_jax.weights import network
from ignn_jax.weights.vgg19 import load_vgg19

Tell = Callable[[str], None]


class Task(NamedTuple):
    """All that a training needs, except for its state.

    Attributes:
      model: the network.
      optimizer: the optimizer.
      schedule: the learning rate of each step, counted from 0.
      step: (state, batch) -> (state, metrics), for one device of `parallel`.
      train: the training images.
      held_out: the validation images.
      batches: the batches of this process, from the one after a given step on.
      steps: of the whole training.
      max_skipped: updates in a row that are not finite, to stop at.
      batch_size: over all devices.
      accumulate: parts that a device takes its share of a batch in.
    """

    model: nn.Module
    optimizer: optax.GradientTransformation
    schedule: optax.Schedule
    step: Callable[..., Any]
    train: PairSet
    held_out: PairSet
    batches: Callable[[int], Iterator[dict[str, np.ndarray]]]
    steps: int
    max_skipped: int
    batch_size: int
    accumulate: int


def create_task(config: ConfigDict, tell: Tell, kept: Sequence[Mark] = ()) -> Task:
    """Makes the network and the optimizer, and loads the images.

    Args:
      config: without "auto", as `training.config.resolve` returns it.
      tell: gets a description of the images.
      kept: marks of the validation images of a run that goes on.

    Raises:
      InputError: the config cannot be followed.
    """
    parallel.check_batch_size(config.train.batch_size, config.train.accumulate)
    recipe = create_recipe(config)
    train, held_out = load_images(config, kept)
    tell(f"Training on {config.data.train}: {describe(train)}")
    source = validation_source(config.data.train, config.data.validation)
    tell(f"Validation on {source}: {describe(held_out)}")
    return Task(
        *recipe,
        train,
        held_out,
        functools.partial(_batches, config, train),
        config.train.steps,
        config.train.max_skipped,
        config.train.batch_size,
        config.train.accumulate,
    )


def load_images(config: ConfigDict, kept: Sequence[Mark]) -> tuple[PairSet, PairSet]:
    """The training images, and the validation images.

    Args:
      config: of the run.
      kept: marks of the validation images of a run that goes on.

    Raises:
      InputError: as `load_sets`.
    """
    return load_sets(
        config.data.train,
        config.data.validation,
        scale=config.scale,
        lr_patch=config.data.lr_patch,
        cache=config.data.cache,
        kept=kept,
    )


def _batches(config, train, start):
    return train_batches(
        train,
        lr_patch=config.data.lr_patch,
        scale=config.scale,
        batch_size=config.train.batch_size // jax.process_count(),
        seed=config.seed,
        start_step=start,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        channel_shuffle=config.data.channel_shuffle,
    )


def create_state(config: ConfigDict, task: Task, tell: Tell) -> TrainState:
    """The state before the first step, with the weights that `init` names.

    Args:
      config: the one that the task was made from.
      task: the task.
      tell: gets what was taken from `init.backbone`.

    Raises:
      InputError: weights are missing or cannot be read.
    """
    # The default generator takes XLA three times as long to compile for so many arrays.
    key = jax.random.key(config.seed, impl="rbg")
    variables = init_variables(task.model, key)
    if config.init.backbone:
        variables["params"] = _from_backbone(
            config.init.backbone, task.model, variables["params"], tell
        )
    if "vgg19" in variables:
        if not config.init.vgg19:
            raise InputError(
                "is vgg19, which needs init.vgg19, a file with VGG19's weights; or set "
                "model.graph.embedding=backbone",
                field="model.graph.embedding",
            )
        variables.update(load_vgg19(config.init.vgg19))
    return TrainState.create(variables, task.optimizer, ema=bool(config.train.ema))


def _from_backbone(path: str, model: nn.Module, params: Any, tell: Tell) -> Any:
    """The parameters with those of a trained backbone among them."""
    backbone, variables = network.load(path)
    if backbone.features != model.features:
        # Some tensors, such as the last bias, have the same shape in all networks.
        raise InputError(
            f"{path} is a network of {backbone.features} features, and "
            f"model.features is {model.features}: its tensors do not fit",
            field="init.backbone",
        )
    merged, fresh, unused = take_backbone(params, variables["params"])
    taken = len(jax.tree.leaves(merged)) - len(fresh)
    tell(
        f"init.backbone={path}: {taken} tensors taken; "
        f"not in it, so fresh: {', '.join(fresh) or 'none'}"
    )
    if unused:
        tell(f"In init.backbone, but not in this network: {', '.join(unused)}")
    if backbone.residual_scale != model.residual_scale:
        tell(
            f"init.backbone was trained with residual_scale={backbone.residual_scale}, "
            f"and model.residual_scale is {model.residual_scale}: it does not begin as "
            "that network"
        )
    return merged


class Taken(NamedTuple):
    """Parameters of which some come from a backbone.

    Attributes:
      params: all of them.
      fresh: names of those that were not in the backbone.
      unused: names of those in the backbone that were not taken.
    """

    params: Any
    fresh: list[str]
    unused: list[str]


def take_backbone(params: Any, backbone: Any) -> Taken:
    """Replaces the parameters that a trained backbone has too, by name and shape.

    Args:
      params: of the network to train.
      backbone: of another network.
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
    fresh, unused = (sorted(tree.keys() - taken.keys()) for tree in (ours, theirs))
    return Taken(merged, fresh, unused)
