"""One step of training: the L1 loss and an optimizer.

Batches are uint8 [B, H, W, 3] in [0, 255]; the loss is on the same scale.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax

from ignn_jax.errors import InputError


@flax.struct.dataclass
class TrainState:
    """Everything that a step changes, and the frozen variables beside it.

    Attributes:
      step: int32, the steps done.
      params: the parameters.
      opt_state: of the optimizer.
      frozen: collections without a gradient: VGG19's weights, or none.
      ema: exponential moving average of the parameters; None without one.
      skipped: int32, the steps whose update was not finite, and so not made.
      skipped_in_row: int32, how many of them came last, one after another.
    """

    step: jax.Array
    params: Any
    opt_state: Any
    frozen: dict[str, Any]
    ema: Any
    skipped: jax.Array
    skipped_in_row: jax.Array

    @classmethod
    def create(
        cls,
        variables: Mapping[str, Any],
        optimizer: optax.GradientTransformation,
        *,
        ema: bool = False,
    ) -> "TrainState":
        """The state before the first step.

        Args:
          variables: as `model.apply` takes them. A step that donates its state deletes
            these arrays.
          optimizer: the one that the steps will use.
          ema: whether to keep a moving average of the parameters.
        """
        frozen = {name: tree for name, tree in variables.items() if name != "params"}
        params = variables["params"]
        # No array is in the state twice: it could not be donated.
        return cls(
            step=jnp.zeros((), jnp.int32),
            params=params,
            opt_state=optimizer.init(params),
            frozen=frozen,
            ema=jax.tree.map(jnp.array, params) if ema else None,
            skipped=jnp.zeros((), jnp.int32),
            skipped_in_row=jnp.zeros((), jnp.int32),
        )

    @property
    def variables(self) -> dict[str, Any]:
        """What `model.apply` takes; of the moving average if there is one."""
        params = self.params if self.ema is None else self.ema
        return {"params": params, **self.frozen}


def init_state(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    key: jax.Array,
    *,
    ema: bool = False,
) -> TrainState:
    """Draws a network's variables and makes the state before the first step.

    Args:
      model: the network.
      optimizer: the one that the steps will use.
      key: a JAX random key.
      ema: whether to keep a moving average of the parameters.
    """
    return TrainState.create(init_variables(model, key), optimizer, ema=ema)


def init_variables(model: nn.Module, key: jax.Array) -> dict[str, Any]:
    """Draws a network's variables, compiled: much faster than op by op."""
    return jax.jit(model.init)(key, jnp.zeros((1, 8, 8, 3), jnp.float32))


def train_step(
    state: TrainState,
    batch: Mapping[str, jax.Array],
    *,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    axis: str | None = None,
    ema_decay: float = 0.0,
    accumulate: int = 1,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One step down the gradient of the mean L1 distance.

    A pure function, for `jax.jit` and other transformations. If the loss or a gradient
    is not finite, the step is counted but changes nothing else.

    Args:
      state: the state before the step.
      batch: "lr" [B, H, W, 3] and "hr" [B, S*H, S*W, 3], uint8.
      model: the network.
      optimizer: the one that the state was made with.
      axis: of `jax.pmap` or `jax.vmap`, if the batch is one part of a larger one: loss
        and gradient are averaged over it. The state is then the same in all parts.
      ema_decay: of the moving average, if the state has one.
      accumulate: number of parts that the batch goes through the network in, one after
        another; divides B. The gradient is the same and, except on CPU, it takes less
        memory.

    Returns:
      The next state, and {"loss": float32, "skipped" and "skipped_in_row": int32, as in
      the next state}.

    Raises:
      InputError: the shapes of LR and HR do not fit, or `accumulate` does not divide B.
    """
    count = len(batch["lr"])
    if count % accumulate:
        raise InputError(f"{accumulate} does not divide {count}", field="accumulate")

    def mean_l1(params, lr, hr):
        sr = model.apply({**state.frozen, "params": params}, lr.astype(jnp.float32))
        if hr.shape != sr.shape:  # else the difference might broadcast
            raise InputError(
                f"give HR images {sr.shape} for LR images {lr.shape}, not {hr.shape}",
                field="batch",
            )
        return jnp.abs(sr - hr.astype(jnp.float32)).mean()

    def add(total, part):
        found = jax.value_and_grad(mean_l1)(state.params, part["lr"], part["hr"])
        return jax.tree.map(jnp.add, total, found), None

    parts = jax.tree.map(lambda x: x.reshape(accumulate, -1, *x.shape[1:]), dict(batch))
    total = (jnp.zeros((), jnp.float32), jax.tree.map(jnp.zeros_like, state.params))
    if loop_turns(accumulate) > 1:
        total, _ = jax.lax.scan(add, total, parts)
    else:  # an unrolled scan would not do: with one part it is still a loop
        for n in range(accumulate):
            total, _ = add(total, jax.tree.map(lambda x, n=n: x[n], parts))
    loss, gradients = jax.tree.map(lambda x: x / accumulate, total)
    if axis is not None:
        # After differentiation: the gradient of an averaged loss would be wrong.
        loss, gradients = jax.lax.pmean((loss, gradients), axis)
    state = _update(state, loss, gradients, optimizer, ema_decay)
    return state, {
        "loss": loss,
        "skipped": state.skipped,
        "skipped_in_row": state.skipped_in_row,
    }


def loop_turns(accumulate: int) -> int:
    """Turns of the loop in a step that takes its parts in one; 1 without a loop.

    There is none on CPU: there the gradient of a convolution is 20 times slower in a
    loop. The parts are then unrolled and share no memory.
    """
    return 1 if jax.default_backend() == "cpu" else accumulate


def _update(state, loss, gradients, optimizer, ema_decay):
    """The state after an update, or with one more skipped if that is not finite."""
    with jax.numpy_dtype_promotion("standard"):  # Optax relies on it
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    ema = state.ema
    if ema is not None:
        ema = optax.incremental_update(params, ema, 1 - ema_decay)
    updated = state.replace(params=params, opt_state=opt_state, ema=ema)
    # Not optax.apply_if_finite: it knows neither the loss nor the moving average, and
    # after a number of errors in a row it lets them through.
    finite = jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(gradients))
    state = jax.tree.map(lambda new, old: jnp.where(finite, new, old), updated, state)
    return state.replace(
        step=state.step + 1,
        skipped=state.skipped + jnp.where(finite, 0, 1),
        skipped_in_row=jnp.where(finite, 0, state.skipped_in_row + 1),
    )
