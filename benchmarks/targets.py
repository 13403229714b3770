"""Accelerators that programs can be compiled for where there are none.

TPUs need libtpu (`pip install '.[tpu]'`), and GPUs the CUDA plugin (`'.[cuda]'`).
"""

import math
import os
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import jax
from jax.experimental import topologies

from ignn_jax.errors import InputError


class Chip(NamedTuple):
    """What a chip can do at best, as its maker says.

    Attributes:
      memory: bytes that programs may use.
      bandwidth: of the memory, bytes per second.
      flops: per second, in products of bfloat16.
      clock: Hz, to turn a compiler's cycles into time; `None` where it gives none.
    """

    memory: float
    bandwidth: float
    flops: float
    clock: float | None = None


# By JAX's names of the devices. TPUs: cloud.google.com/tpu/docs; the memory is what
# their compiler lets programs use. At these clocks the peak is all matrix units busy:
# four of 128 x 128 multiply-adds a cycle in v5e, eight in v5p; four of 256 x 256 in
# v6e. H100: NVIDIA's data sheet of the SXM5, without sparsity.
CHIPS = {
    "TPU v5 lite": Chip(15.75 * 2**30, 819e9, 197e12, 1.5e9),
    "TPU v5": Chip(94.75 * 2**30, 2765e9, 459e12, 1.75e9),
    "TPU v6 lite": Chip(31.25 * 2**30, 1640e9, 918e12, 1.75e9),
    "NVIDIA H100 80GB HBM3": Chip(84.9e9, 3352e9, 989e12),
}
# A description for XLA, which does not come with one.
_H100 = pathlib.Path(__file__).with_name("h100.txtpb")


def use_cpu_only() -> None:
    """Keeps this process from looking for accelerators; before the first use of JAX."""
    jax.config.update("jax_platforms", "cpu")
    os.environ |= {
        "TPU_SKIP_MDS_QUERY": "1",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # else only one process may compile
    }


def find_devices(target: str) -> Sequence[jax.Device]:
    """The devices of a target, to compile for.

    Args:
      target: "tpu:v5e:2x2" (a kind of TPU and how its chips are arranged), or
        "cuda:h100" or "cuda:h100:4" (and how many).

    Raises:
      InputError: there is no such target, or its compiler is not installed.
    """
    platform, _, name = target.partition(":")
    try:
        if platform == "tpu" and name:
            return topologies.get_topology_desc(name, platform).devices
        if gpus := re.fullmatch(r"h100(?::(\d+))?", name if platform == "cuda" else ""):
            description = topologies.get_topology_desc(
                platform="cuda",
                target_config=_H100.read_text(),
                topology=f"1x1x{gpus[1] or 1}",
            )
            return description.devices
    except (RuntimeError, ValueError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"cannot compile for {target}: {reason}; it takes an environment of its "
            f"own with '.[{platform}]' (see CONTRIBUTING.md)",
            field="target",
        ) from error
    raise InputError(
        f"{target}: give tpu:v5e:2x2, tpu:v6e:2x2, tpu:v5p:2x2x1 or cuda:h100",
        field="target",
    )


def chip_of(device: jax.Device) -> Chip:
    """What the maker says of this device's chip; NaN where it is not known here."""
    unknown = Chip(math.nan, math.nan, math.nan)
    return CHIPS.get(device.device_kind, unknown)
