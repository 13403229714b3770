"""Data parallelism: the one place that knows how work is spread over devices.

`jax.pmap` over all devices, the state replicated, the global batch split between them.
If there are several processes, each feeds its own devices its share of the batch.
"""

import importlib.util
import os
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import flax.jax_utils
import jax
import numpy as np

from ignn_jax.devices import planned_memory
from ignn_jax.errors import InputError

# Of the devices, within a step.
AXIS = "batch"


def initialize(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Joins the processes of a run, before any device is used.

    On SLURM and Cloud TPUs JAX finds the processes by itself; elsewhere the arguments
    name them. A process that is alone need not be joined.

    Args:
      coordinator: HOST:PORT of process 0.
      num_processes: how many there are.
      process_id: which one this is, from 0.

    Raises:
      InputError: some arguments are missing or out of range, or the processes do not
        find each other.
    """
    given = [coordinator, num_processes, process_id]
    # Not SLURM_NTASKS, which is also set when a script is run without srun.
    alone = int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) == 1 and not _on_tpu()
    if given == [None] * 3 and alone:
        return
    if given != [None] * 3:
        if coordinator is None or num_processes is None or process_id is None:
            raise InputError("coordinator, num_processes and process_id go together")
        if not 0 <= process_id < num_processes:
            raise InputError(
                f"must be from 0 to {num_processes - 1}, not {process_id}",
                field="process_id",
            )
    try:
        jax.distributed.initialize(coordinator, num_processes, process_id)
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"the processes did not find each other: {reason}") from error


def _on_tpu() -> bool:
    devices = (pathlib.Path("/dev/accel0"), pathlib.Path("/dev/vfio/0"))
    has_library = importlib.util.find_spec("libtpu") is not None
    return has_library and any(device.exists() for device in devices)


def parallelize(step: Callable[..., Any]) -> Any:
    """Maps `step(state, batch) -> (state, metrics)` over all devices.

    Within the step, AXIS is the axis to average over. The state is donated.
    """
    return jax.pmap(step, axis_name=AXIS, donate_argnums=0)


class Cost(NamedTuple):
    """What a compiled step costs, as XLA counts it.

    Attributes:
      flops: over all devices.
      memory: bytes on each device.
      compilation: seconds that it took.
    """

    flops: float
    memory: int
    compilation: float


def compile_step(
    step: Callable[..., Any], state: Any, batch: Any
) -> tuple[Callable[..., Any], Cost]:
    """Maps a step, as `parallelize`, and compiles it for arguments of these shapes."""
    begin = time.monotonic()
    mapped = parallelize(step)
    # The caller gets the mapped step, which finds this program again when it is called:
    # `compiled` itself would want the arrays of all processes.
    compiled = mapped.lower(state, batch).compile()
    flops = compiled.cost_analysis()["flops"] * jax.device_count()
    return mapped, Cost(flops, planned_memory(compiled), time.monotonic() - begin)


def must_wait() -> bool:
    """Whether the loop has to wait for each step before it begins the next one.

    CPU devices that run ahead of one another deadlock in their collectives.
    """
    return jax.default_backend() == "cpu" and jax.device_count() > 1


def replicate(state: Any) -> Any:
    """The state on every local device."""
    # With another axis name, the second step would be compiled again: it gets the
    # output of the first.
    return flax.jax_utils.replicate(state, axis_name=AXIS)


def unreplicate(state: Any) -> Any:
    """The first device's copy, as NumPy arrays."""
    # Through the shard: indexing the replicated array would copy all of it first.
    return jax.tree.map(lambda x: np.asarray(x.addressable_shards[0].data)[0], state)


def to_numbers(metrics: Any) -> dict[str, float]:
    """Metrics of a step as Python numbers; waits for the step."""
    return {name: x.item() for name, x in unreplicate(metrics).items()}


def split(batch: Any) -> Any:
    """[B, ...] to [devices, B / devices, ...] for each array."""
    devices = jax.local_device_count()
    return jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), batch)


def prefetch(batches: Iterator[Any]) -> Iterator[Any]:
    """Splits batches and sends them to the devices, one ahead of the step."""
    return flax.jax_utils.prefetch_to_device(
        map(split, batches), size=2, axis_name=AXIS
    )


def check_batch_size(batch_size: int, accumulate: int = 1) -> None:
    """Refuses a global batch that the devices cannot share evenly.

    Args:
      batch_size: over all devices.
      accumulate: parts that each device takes its share in.

    Raises:
      InputError: naming the nearest sizes that can be shared.
    """
    if accumulate < 1:
        raise InputError(
            f"must be at least 1, not {accumulate}", field="train.accumulate"
        )
    shares = jax.device_count() * accumulate
    if batch_size < 1 or batch_size % shares:
        below = max(batch_size // shares, 0) * shares
        nearest = " or ".join(str(n) for n in (below, below + shares) if n)
        between = f"{jax.device_count()} devices"
        if accumulate > 1:
            between += f" x {accumulate} parts (train.accumulate)"
        raise InputError(
            f"{batch_size} does not divide between {between}; give {nearest}",
            field="train.batch_size",
        )
