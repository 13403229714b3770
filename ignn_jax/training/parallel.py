"""Data parallelism: the one place that knows how work is spread over devices.

`jax.pmap` over all devices, the state replicated, the global batch split between them.
If there are several processes, each feeds its own devices its share of the batch.
"""

import functools
import importlib.util
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import flax.jax_utils
import jax
import numpy as np

from ignn_jax.devices import planned_memory
from ignn_jax.errors import InputError

# Of the devices, within a step.
AXIS = "batch"

# An accelerator wants at least so many: TPUs put images on an axis of 8, which would be
# padded (docs/performance.md).
IMAGES_AT_A_TIME = 8


def initialize(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Joins the processes of a run, before any device is used.

    On SLURM and Cloud TPUs JAX finds the processes by itself; elsewhere the arguments
    name them. A process that is alone need not be joined, nor need a TPU host that is
    in no cluster that JAX knows.

    Args:
      coordinator: HOST:PORT of process 0.
      num_processes: how many there are.
      process_id: which one this is, from 0.

    Raises:
      InputError: some arguments are missing or out of range, or the processes do not
        find each other.
    """
    given = [coordinator, num_processes, process_id] != [None] * 3
    # Not SLURM_NTASKS, which is also set when a script is run without srun.
    in_step = int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1
    if not (given or in_step or _on_tpu()):
        return
    if given:
        if coordinator is None or num_processes is None or process_id is None:
            raise InputError("coordinator, num_processes and process_id go together")
        if not 0 <= process_id < num_processes:
            raise InputError(
                f"must be from 0 to {num_processes - 1}, not {process_id}",
                field="process_id",
            )
    try:
        jax.distributed.initialize(coordinator, num_processes, process_id)
    except (OSError, RuntimeError, ValueError) as error:
        # A TPU host without a cluster: JAX knows of none (ValueError), or it asked
        # Google's metadata server, and there is none (OSError).
        if not (given or in_step or isinstance(error, RuntimeError)):
            return
        reason = str(error).partition("\n")[0]
        raise InputError(f"the processes did not find each other: {reason}") from error


def _on_tpu(devices: pathlib.Path = pathlib.Path("/dev")) -> bool:
    """Whether there may be TPUs; other accelerators have such files too."""
    if importlib.util.find_spec("libtpu") is None:
        return False
    patterns = ("accel[0-9]*", "accel/accel[0-9]*", "vfio/[0-9]*")
    return any(any(devices.glob(pattern)) for pattern in patterns)


def parallelize(
    step: Callable[..., Any], devices: Sequence[jax.Device] | None = None
) -> Any:
    """Maps `step(state, batch) -> (state, metrics)` over devices.

    Within the step, AXIS is the axis to average over. The state is donated.

    Args:
      step: for one device.
      devices: all there are if `None`; or some to compile for, which need not be here.
    """
    return jax.pmap(step, axis_name=AXIS, donate_argnums=0, devices=devices)


def shapes_on_devices(
    state: Any, batch: Any, devices: Sequence[jax.Device]
) -> tuple[Any, Any]:
    """What `replicate` and `prefetch` make of a state and a batch, as shapes alone.

    Args:
      state, batch: arrays, or their shapes and types; the batch is that of `devices`.
      devices: of this process; or others, to compile for.
    """
    mesh = jax.sharding.Mesh(np.array(devices), (AXIS,))
    spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(AXIS))
    shape = functools.partial(jax.ShapeDtypeStruct, sharding=spread)
    n = len(devices)
    return (
        jax.tree.map(lambda x: shape((n, *x.shape), x.dtype), state),
        jax.tree.map(
            lambda x: shape((n, x.shape[0] // n, *x.shape[1:]), x.dtype), batch
        ),
    )


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
    step: Callable[..., Any], state: Any, batch: Any, *, turns: int = 1
) -> tuple[Callable[..., Any], Cost]:
    """Maps a step, as `parallelize`, and compiles it for arguments of these shapes.

    Args:
      step: for one device.
      state, batch: on the devices, or the shapes and types that they will have there.
      turns: of the loop in the step, if it is one; XLA counts its body once.
    """
    begin = time.monotonic()
    mapped = parallelize(step)
    # The caller gets the mapped step, which finds this program again when it is called:
    # `compiled` itself would want the arrays of all processes.
    compiled = mapped.lower(state, batch).compile()
    flops = compiled.cost_analysis()["flops"] * turns * jax.device_count()
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


def check_batch_size(
    batch_size: int, accumulate: int = 1, devices: int | None = None
) -> None:
    """Refuses a global batch that the devices cannot share evenly.

    Args:
      batch_size: over all devices.
      accumulate: parts that each device takes its share in.
      devices: how many share it; as many as there are if `None`.

    Raises:
      InputError: naming the nearest sizes that can be shared.
    """
    if accumulate < 1:
        raise InputError(
            f"must be at least 1, not {accumulate}", field="train.accumulate"
        )
    devices = devices or jax.device_count()
    shares = devices * accumulate
    if batch_size < 1 or batch_size % shares:
        below = max(batch_size // shares, 0) * shares
        nearest = " or ".join(str(n) for n in (below, below + shares) if n)
        between = f"{devices} devices"
        if accumulate > 1:
            between += f" x {accumulate} parts (train.accumulate)"
        raise InputError(
            f"{batch_size} does not divide between {between}; give {nearest}",
            field="train.batch_size",
        )


def small_share(batch_size: int, accumulate: int = 1) -> str | None:
    """What to tell if each device gets too few images at a time to be used well.

    Args:
      batch_size: over all devices.
      accumulate: parts that each device takes its share in.

    Returns:
      A line with the batch that would use the devices; `None` if this one does, or if
      they are CPUs, which do not mind.
    """
    shares = jax.device_count() * accumulate
    images = batch_size // shares
    if jax.default_backend() == "cpu" or images >= IMAGES_AT_A_TIME:
        return None
    return (
        f"Each device gets {images} image{'s' * (images > 1)} at a time, which leaves "
        "much of it idle; it takes less time for each image with "
        f"train.batch_size={IMAGES_AT_A_TIME * shares}"
    )
