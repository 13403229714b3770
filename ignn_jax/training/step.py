"""One step of training: L1 and an optimizer, the same on every device."""

from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax

from ignn_jax.training import parallel


@flax.struct.dataclass
class TrainState:
    """All that a step changes, and the frozen variables beside it."""

    step: jax.Array
    params: Any
    opt_state: Any
    frozen: dict[str, Any]  # collections without gradient: VGG19's weights, or none
    ema: Any  # exponential moving average of the parameters; None without one
    skipped: jax.Array  # updates that were not finite
    skipped_in_row: jax.Array  # of these, the last ones

    @property
    def variables(self) -> dict[str, Any]:
        """As `model.apply` takes them; of the moving average where there is one."""
        params = self.params if self.ema is None else self.ema
        return {"params": params, **self.frozen}


def init_state(
    variables: dict[str, Any],
    optimizer: optax.GradientTransformation,
    *,
    with_ema: bool = False,
) -> TrainState:
    """The state before the first step, with or without a moving average."""
    frozen = {name: tree for name, tree in variables.items() if name != "params"}
    params, zero = variables["params"], jnp.zeros((), jnp.int32)
    return TrainState(
        step=zero,
        params=params,
        opt_state=optimizer.init(params),
        frozen=frozen,
        ema=params if with_ema else None,
        skipped=zero,
        skipped_in_row=zero,
    )


def is_loop(accumulate: int) -> bool:
    """Whether a step takes its parts in a loop, whose cost XLA counts but once.

    Not on CPU, where a convolution's gradient in a loop is 20 times slower. The parts
    then share no memory.
    """
    return accumulate > 1 and jax.default_backend() != "cpu"


def train_step(
    state: TrainState,
    batch: dict[str, jax.Array],
    *,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    ema_decay: float = 0.0,
    accumulate: int = 1,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One step of L1, on each device of `parallel.parallelize`.

    Where the loss or a gradient is not finite, the step counts but changes nothing.

    Args:
      state: the same on every device.
      batch: this device's part: "lr" [B, P, P, 3] and "hr" [B, S * P, S * P, 3], uint8.
      model: the network.
      optimizer: as of Optax.
      ema_decay: of the moving average of the parameters, if the state has one.
      accumulate: parts that the batch goes through the network in, one after another,
        which gives the same gradient and, but on CPU, takes less memory; divides B.

    Returns:
      The next state, and over all devices {"loss": mean L1 on the scale of 0..255,
      "skipped" and "skipped_in_row": as in the state}.
    """

    def mean_l1(params, lr, hr):
        sr = model.apply({**state.frozen, "params": params}, lr.astype(jnp.float32))
        return jnp.abs(sr - hr.astype(jnp.float32)).mean()

    def add(total, part):
        found = jax.value_and_grad(mean_l1)(state.params, part["lr"], part["hr"])
        return jax.tree.map(jnp.add, total, found), None

    parts = jax.tree.map(lambda x: x.reshape(accumulate, -1, *x.shape[1:]), batch)
    total = (jnp.zeros(()), jax.tree.map(jnp.zeros_like, state.params))
    if is_loop(accumulate):
        total, _ = jax.lax.scan(add, total, parts)
    else:  # nor a scan that is unrolled: of one part, it is a loop all the same
        for n in range(accumulate):
            total, _ = add(total, jax.tree.map(lambda x, n=n: x[n], parts))
    loss, gradients = parallel.average(jax.tree.map(lambda x: x / accumulate, total))

    updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    ema = state.ema
    if ema is not None:
        ema = optax.incremental_update(params, ema, 1 - ema_decay)
    finite = jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(gradients))
    changed = (params, opt_state, ema)
    unchanged = (state.params, state.opt_state, state.ema)
    params, opt_state, ema = jax.tree.map(
        lambda new, old: jnp.where(finite, new, old), changed, unchanged
    )
    state = state.replace(
        step=state.step + 1,
        params=params,
        opt_state=opt_state,
        ema=ema,
        skipped=state.skipped + ~finite,
        skipped_in_row=jnp.where(finite, 0, state.skipped_in_row + 1),
    )
    return state, {
        "loss": loss,
        "skipped": state.skipped,
        "skipped_in_row": state.skipped_in_row,
    }
