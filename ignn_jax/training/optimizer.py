"""Adam and its learning rate: the paper's steps, or a cosine, after a warm-up."""

import jax
import jax.numpy as jnp
import optax

from ignn_jax.errors import InputError

SCHEDULES = ("step", "cosine")


def learning_rate_schedule(
    *,
    learning_rate: float,
    schedule: str = "step",
    decay_every: int,
    decay_factor: float,
    warmup: int = 0,
    steps: int,
) -> optax.Schedule:
    """The learning rate of each step, counted from 0.

    Args:
      learning_rate: before any decay.
      schedule: "step": multiplied by `decay_factor` every `decay_every` steps, as the
        paper; "cosine": down to 0 at `steps`.
      decay_every, decay_factor: of "step".
      warmup: steps over which the rate rises to its value, in equal parts; 0 for none.
      steps: of the whole training.

    Raises:
      InputError: an unknown schedule, or a number out of range.
    """
    if schedule not in SCHEDULES:
        raise InputError(
            f"optimizer.schedule={schedule}: give one of {', '.join(SCHEDULES)}"
        )
    if decay_every < 1:
        raise InputError(f"optimizer.decay_every={decay_every}: give at least 1")
    if warmup < 0:
        raise InputError(f"optimizer.warmup={warmup}: give 0 or more")
    if schedule == "cosine":
        decayed = optax.cosine_decay_schedule(learning_rate, steps)
    else:
        decayed = optax.exponential_decay(
            learning_rate, decay_every, decay_factor, staircase=True
        )

    def rate(step: jax.Array) -> jax.Array:
        return decayed(step) * jnp.minimum((step + 1) / max(warmup, 1), 1.0)

    return rate


def create_optimizer(
    schedule: optax.Schedule, *, clip: float = 0.0
) -> optax.GradientTransformation:
    """Adam(0.9, 0.999, 1e-8), the gradient's norm clipped first.

    Args:
      schedule: the learning rate.
      clip: the largest norm of the whole gradient; 0 for any.

    Raises:
      InputError: a negative `clip`.
    """
    if clip < 0:
        raise InputError(f"optimizer.clip={clip}: give a norm, or 0 for none")
    clipping = optax.clip_by_global_norm(clip) if clip else optax.identity()
    return optax.chain(clipping, optax.adam(schedule))
