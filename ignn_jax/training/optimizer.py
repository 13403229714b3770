"""Adam and its learning rate: the paper's steps, or a cosine, after a warm-up."""

import jax
import jax.numpy as jnp
import optax

from ignn_jax.errors import InputError

SCHEDULES = ("step", "cosine")


def learning_rate_schedule(
    *,
    learning_rate: float,
    steps: int,
    schedule: str = "step",
    decay_every: int = 200_000,
    decay_factor: float = 0.5,
    warmup: int = 0,
) -> optax.Schedule:
    """The learning rate of each step, counted from 0. The defaults are the paper's.

    Args:
      learning_rate: before any decay.
      steps: of the whole training.
      schedule: "step" multiplies the rate by `decay_factor` every `decay_every` steps,
        as the paper does; "cosine" lowers it to 0 at `steps`.
      decay_every: steps, for "step".
      decay_factor: for "step".
      warmup: number of steps over which the rate rises linearly; 0 for none.

    Raises:
      InputError: the schedule is unknown, or a number is out of range.
    """
    if schedule not in SCHEDULES:
        raise InputError(
            f"{schedule}: give one of {', '.join(SCHEDULES)}",
            field="optimizer.schedule",
        )
    if decay_every < 1:
        raise InputError(
            f"must be at least 1, not {decay_every}", field="optimizer.decay_every"
        )
    if warmup < 0:
        raise InputError(f"must be at least 0, not {warmup}", field="optimizer.warmup")
    if schedule == "cosine":
        decayed = optax.cosine_decay_schedule(learning_rate, steps)
    else:
        decayed = optax.exponential_decay(
            learning_rate, decay_every, decay_factor, staircase=True
        )

    def rate(step: jax.Array) -> jax.Array:
        with jax.numpy_dtype_promotion("standard"):  # Optax relies on it
            return decayed(step) * jnp.minimum((step + 1) / max(warmup, 1), 1.0)

    return rate


def create_optimizer(
    learning_rate: optax.ScalarOrSchedule, *, clip: float = 0.0
) -> optax.GradientTransformation:
    """Adam(0.9, 0.999, 1e-8), as in the paper, with the gradient clipped before it.

    Args:
      learning_rate: a number, or a schedule.
      clip: the largest norm that the whole gradient may have; 0 for no limit.

    Raises:
      InputError: `clip` is negative.
    """
    if clip < 0:
        raise InputError(f"must be at least 0, not {clip}", field="optimizer.clip")
    clipping = optax.clip_by_global_norm(clip) if clip else optax.identity()
    return optax.chain(clipping, optax.adam(learning_rate))
