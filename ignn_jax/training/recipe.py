"""How a config trains: network, optimizer and step, without its images."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
import optax
from ml_collections import ConfigDict

from ignn_jax.models.factory import create_model
from ignn_jax.training import parallel
from ignn_jax.training.optimizer import create_optimizer, learning_rate_schedule
from ignn_jax.training.step import TrainState, init_variables, train_step


class Recipe(NamedTuple):
    """What a config says of a training, except for its images.

    Attributes:
      model: the network.
      optimizer: the optimizer.
      schedule: the learning rate of each step, counted from 0.
      step: (state, batch) -> (state, metrics), for one device of `parallel`.
    """

    model: nn.Module
    optimizer: optax.GradientTransformation
    schedule: optax.Schedule
    step: Callable[..., Any]


def create_recipe(config: ConfigDict) -> Recipe:
    """Makes the network, the optimizer and the step.

    Args:
      config: without "auto", as `training.config.resolve` returns it.

    Raises:
      InputError: the config cannot be followed.
    """
    model = create_model({"scale": config.scale, **config.model.to_dict()})
    options = config.optimizer.to_dict()
    clip = options.pop("clip")
    schedule = learning_rate_schedule(**options, steps=config.train.steps)
    optimizer = create_optimizer(schedule, clip=clip)
    step = functools.partial(
        train_step,
        model=model,
        optimizer=optimizer,
        axis=parallel.AXIS,
        ema_decay=config.train.ema,
        accumulate=config.train.accumulate,
    )
    return Recipe(model, optimizer, schedule, step)


def state_shapes(
    model: nn.Module, optimizer: optax.GradientTransformation, *, ema: bool
) -> TrainState:
    """The state of a training, as shapes and types alone."""
    draw = functools.partial(init_variables, model, jax.random.key(0))
    return jax.eval_shape(lambda: TrainState.create(draw(), optimizer, ema=ema))


def batch_shapes(config: ConfigDict) -> dict[str, jax.ShapeDtypeStruct]:
    """A batch over all devices, as shapes and types alone."""
    side, count = config.data.lr_patch, config.train.batch_size
    return {
        name: jax.ShapeDtypeStruct((count, n, n, 3), np.uint8)
        for name, n in (("lr", side), ("hr", config.scale * side))
    }
