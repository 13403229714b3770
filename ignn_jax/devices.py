"""Devices: whether there are any, how much memory they have, how work on them fails."""

import os
import pathlib
from typing import Any

import jax
import psutil

from ignn_jax.errors import InputError
from ignn_jax.files import reason_of

# Of what is free: the compiler's plan leaves out the images, the program itself, and
# what the memory is fragmented into; on CPU others want some too.
_SHARE_OF_CPU = 0.5
_SHARE_OF_ACCELERATOR = 0.85

_CGROUP = pathlib.Path("/sys/fs/cgroup")


def check_devices() -> None:
    """Makes sure that JAX finds a device at all.

    Raises:
      InputError: it finds none of the kind that the environment asks for.
    """
    try:
        jax.local_devices()
    except (RuntimeError, AssertionError) as error:  # JAX raises either
        asked = os.environ.get("JAX_PLATFORMS")
        raise InputError(
            f"JAX finds no {asked} here, which JAX_PLATFORMS asks for; unset it to use "
            "what there is, or see the README on how to install JAX for GPUs and TPUs"
            if asked
            else f"JAX finds no device: {reason_of(error)}"
        ) from error


def default_platform() -> str:
    """What programs will run on, unless their arrays say otherwise: "cpu", "gpu"..."""
    config: Any = jax.config  # its options are not declared
    device = config.jax_default_device
    if device is None:
        return jax.default_backend()
    return device if isinstance(device, str) else device.platform


def available_memory(device: jax.Device) -> float:
    """Bytes that a program on this device may plan to use."""
    if device.platform == "cpu":
        return _SHARE_OF_CPU * min(psutil.virtual_memory().available, _cgroup_left())
    stats = device.memory_stats() or {}
    limit = stats.get("bytes_limit", float("inf"))
    return _SHARE_OF_ACCELERATOR * (limit - stats.get("bytes_in_use", 0))


def planned_memory(compiled: jax.stages.Compiled) -> int:
    """Bytes that XLA will take on each device for a program and its arguments."""
    plan: Any = compiled.memory_analysis()
    return (
        plan.argument_size_in_bytes
        + plan.output_size_in_bytes
        + plan.temp_size_in_bytes
        - plan.alias_size_in_bytes
    )


def is_out_of_memory(error: Exception) -> bool:
    """Whether NumPy, XLA or a device's allocator ran out of memory."""
    text = str(error)
    return isinstance(error, MemoryError) or any(
        sign in text for sign in ("RESOURCE_EXHAUSTED", "ut of memory")
    )


def failure(error: Exception, path: str | os.PathLike) -> InputError:
    """What stopped the work on one file, in one line; the next file may go well."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    if isinstance(error, OSError):
        reason = reason_of(error)
    if is_out_of_memory(error):
        reason = f"{reason if str(error) else 'out of memory'}; try a smaller tile"
    return InputError(f"{os.fspath(path)}: {reason}")


def _cgroup_left() -> float:
    """Bytes until the limit of this container, if it has one (cgroup v2)."""
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        return limit - int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):  # no such files; "max"
        return float("inf")
