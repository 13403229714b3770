"""Data parallelism: the one place that knows how work is spread over devices.

`jax.pmap` over all devices, the state replicated, the global batch split between them.
"""

from collections.abc import Callable
from typing import Any

import flax.jax_utils
import jax
import numpy as np

from ignn_jax.errors import InputError

AXIS = "batch"


def parallelize(step: Callable) -> Callable:
    """`step(state, batch) -> (state, metrics)` for one device, for all of them.

    Inside, `average` averages over the devices. The state is donated.
    """
    parallel = jax.pmap(step, axis_name=AXIS, donate_argnums=0)
    if jax.default_backend() != "cpu" or jax.local_device_count() == 1:
        return parallel

    def wait(state, batch):
        # CPU devices that run ahead of one another deadlock in their collectives.
        return jax.block_until_ready(parallel(state, batch))

    return wait


def average(tree: Any) -> Any:
    """The mean over all devices; of gradients, never of the loss to differentiate."""
    return jax.lax.pmean(tree, AXIS)


def replicate(state: Any) -> Any:
    """The state on every local device."""
    return flax.jax_utils.replicate(state)


def unreplicate(state: Any) -> Any:
    """The first device's copy, as NumPy arrays."""
    # Through the shard: indexing the replicated array would copy all of it first.
    return jax.tree.map(lambda x: np.asarray(x.addressable_shards[0].data)[0], state)


def split(batch: Any) -> Any:
    """[B, ...] to [devices, B / devices, ...] for each array."""
    devices = jax.local_device_count()
    return jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), batch)


def check_batch_size(batch_size: int) -> None:
    """Refuses a global batch that the devices cannot share evenly.

    Raises:
      InputError: naming the nearest sizes that they can.
    """
    devices = jax.device_count()
    if batch_size < 1 or batch_size % devices:
        below = max(batch_size // devices, 0) * devices
        nearest = " or ".join(str(n) for n in (below, below + devices) if n)
        raise InputError(
            f"train.batch_size={batch_size} does not divide between {devices} "
            f"devices; give {nearest}"
        )
