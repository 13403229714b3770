"""What would a network cost on an accelerator? Compiles for one without having it.

python -m benchmarks.accelerators --target tpu:v5e:2x2 --config configs/x2.py \
  --batches 16,64 [KEY=VALUE ...]

For each batch it compiles the training step for all devices of the target, as it is
compiled where they are; with `--programs forward,search` also the network, and the
embedding with the search for neighbors, for images of `--side` on one device. It runs
none of them. Compiling for TPUs needs libtpu, and for GPUs JAX's CUDA plugin.
"""

import argparse
import functools
import pathlib
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
from jax.sharding import SingleDeviceSharding
from ml_collections import ConfigDict

from benchmarks import hlo
from benchmarks.common import publish
from benchmarks.targets import chip_of, find_devices, use_cpu_only
from ignn_jax.cli.config_file import read_config
from ignn_jax.devices import is_out_of_memory, planned_memory
from ignn_jax.errors import InputError
from ignn_jax.files import write_text
from ignn_jax.models.graph import construct_graph
from ignn_jax.models.ignn import downsample
from ignn_jax.training import parallel
from ignn_jax.training.config import resolve
from ignn_jax.training.recipe import batch_shapes, create_recipe, state_shapes

PROGRAMS = ("forward", "search", "step")

# Lowers a program for these devices, each with the same share of the work.
Lower = Callable[[Sequence[jax.Device]], jax.stages.Lowered]


class Compiled:
    """A program compiled for devices that are not here, and what it costs.

    Attributes:
      chip: what one of the devices can do.
      flops, accessed: operations and bytes on each device, as XLA counts them: a loop,
        such as the search's, only once. Bytes are `None` for GPUs.
      stages: bytes and cycles on each device, by stage.
      memory: XLA's figures, of each device.
      planned: bytes that it takes on each device.
      text: the optimized program.
      seconds: that compiling took.
    """

    def __init__(self, lower: Lower, devices: Sequence[jax.Device]):
        """Compiles what `lower` gives for these devices, or for one of this machine."""
        begin = time.monotonic()
        compiled = lower(devices).compile()
        self.seconds = time.monotonic() - begin
        self.chip = chip_of(devices[0])
        self.text = compiled.as_text() or ""
        self.stages = hlo.costs(self.text)
        self.memory: Any = compiled.memory_analysis()
        self.planned = planned_memory(compiled)
        counted: Any = compiled.cost_analysis() or {}
        self.accessed = counted.get("bytes accessed")
        # The CUDA compiler counts nothing; this count is from before optimization.
        counted = counted or lower(jax.devices()[:1]).cost_analysis()
        self.flops = counted["flops"]

    def row(self) -> dict[str, Any]:
        """Its costs in a table, with times in ms and the rest in 10^9 and 10^12."""
        chip, stages = self.chip, self.stages.values()
        cycles = sum(cost.cycles for cost in stages)
        # Products at the chip's peak, then everything else as fast as its memory.
        products = self.flops / chip.flops
        least = products + sum(cost.outside for cost in stages) / chip.bandwidth
        by_cycles = cycles / chip.clock if cycles and chip.clock else None
        return {
            "arguments, GB": self.memory.argument_size_in_bytes / 1e9,
            "temporary, GB": self.memory.temp_size_in_bytes / 1e9,
            "donated, GB": self.memory.alias_size_in_bytes / 1e9,
            "of memory": self.planned / chip.memory,
            "all-reduced, GB": hlo.all_reduced(self.text) / 1e9,
            "TFLOP": self.flops / 1e12,
            "GB by XLA": self.accessed / 1e9 if self.accessed else None,
            "GB moved": sum(cost.bytes for cost in stages) / 1e9,
            "roofline, ms": 1e3 * least,
            "cycles, ms": 1e3 * by_cycles if by_cycles else None,
            "ceiling of use": products / (by_cycles or least),
            "compilation, s": self.seconds,
        }

    def stage_rows(self) -> list[dict[str, Any]]:
        """Its costs by stage, the largest first."""
        clock = self.chip.clock or float("nan")
        whole = sum(cost.cycles for cost in self.stages.values())
        return [
            {
                "stage": stage,
                "cycles, ms": 1e3 * cost.cycles / clock if whole else None,
                "share": cost.cycles / whole if whole else None,
                "GB moved": cost.bytes / 1e9,
            }
            for stage, cost in self.stages.items()
        ]


def compile_step(config: ConfigDict, devices: Sequence[jax.Device]) -> Compiled:
    """The training step of a config's batch, over all of these devices."""
    accumulate = config.train.accumulate
    parallel.check_batch_size(config.train.batch_size, accumulate, len(devices))
    recipe = create_recipe(config)
    state = state_shapes(recipe.model, recipe.optimizer, ema=bool(config.train.ema))
    share = config.train.batch_size // len(devices)

    def lower(devices):
        batch = batch_shapes(with_batch(config, share * len(devices)))
        shapes = parallel.shapes_on_devices(state, batch, devices)
        return parallel.parallelize(recipe.step, devices).lower(*shapes)

    return Compiled(lower, devices)


def compile_network(
    config: ConfigDict, device: jax.Device, images: int, side: int, *, search: bool
) -> Compiled:
    """The network, or its search for neighbors, for LR images on one device."""
    model = create_recipe(config).model

    def find_neighbors(ignn, lr):
        scale = ignn.graph_scale
        queries, candidates = map(ignn.embed, (lr, downsample(lr, scale)))
        return construct_graph(queries, candidates, scale=scale, config=ignn.graph)

    lr = jax.ShapeDtypeStruct((images, side, side, 3), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), lr)
    method = find_neighbors if search else None
    run = jax.jit(lambda variables, lr: model.apply(variables, lr, method=method))

    def lower(devices):
        there = SingleDeviceSharding(devices[0])
        arguments = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=there),
            (variables, lr),
        )
        return run.lower(*arguments)

    return Compiled(lower, [device])


def largest_batch(config: ConfigDict, devices: Sequence[jax.Device]) -> int:
    """The largest batch whose step compiles within the devices' memory.

    Of those that give each device a multiple of 8 images at a time, which alone use it
    well; 0 if not even 8 fit.
    """
    unit = parallel.IMAGES_AT_A_TIME * len(devices) * config.train.accumulate

    def fits(units):
        trial = with_batch(config, units * unit)
        try:
            compiled = compile_step(trial, devices)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        return compiled.planned <= compiled.chip.memory

    most, too_many = 0, 1
    while fits(too_many):
        most, too_many = too_many, 2 * too_many
    while too_many - most > 1:
        middle = (most + too_many) // 2
        most, too_many = (middle, too_many) if fits(middle) else (most, middle)
    return most * unit


def with_batch(config: ConfigDict, batch: int) -> ConfigDict:
    """The config with another batch size."""
    changed = config.copy_and_resolve_references().unlock()
    changed.train.batch_size = batch
    return changed


def as_edsr(config: ConfigDict) -> ConfigDict:
    """The config of the same network without its graph."""
    changed = config.copy_and_resolve_references().unlock()
    changed.model.name = "edsr"
    return changed


def programs_of(
    config: ConfigDict, devices: Sequence[jax.Device], args: argparse.Namespace
) -> dict[str, Callable[[], Compiled]]:
    """What compiles each of the programs that were asked for, by their titles."""
    programs: dict[str, Callable[[], Compiled]] = {}
    size = f"{args.images} of {args.side} x {args.side}"
    for kind in args.programs:
        if kind == "step":
            for batch in args.batches or [config.train.batch_size]:
                programs[f"step, batch {batch}"] = functools.partial(
                    compile_step, with_batch(config, batch), devices
                )
        elif kind == "forward" or config.model.name != "edsr":
            programs[f"{kind}, {size}"] = functools.partial(
                compile_network,
                config,
                devices[0],
                args.images,
                args.side,
                search=kind == "search",
            )
    return programs


def measure(args: argparse.Namespace, config: ConfigDict) -> dict[str, Any]:
    """The rows of each table, by its title."""
    devices = find_devices(args.target)
    configs = [config, as_edsr(config)] if args.edsr else [config]
    summary, too_large, tables = [], [], {}
    for each in configs:
        for title, compile_program in programs_of(each, devices, args).items():
            title = f"{each.model.name}: {title}"
            try:
                compiled = compile_program()
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error).partition("\n")[0]
                too_large.append({"program": title, "reason": reason})
                continue
            summary.append({"program": title, **compiled.row()})
            tables[f"{title}, by stage"] = compiled.stage_rows()
            if args.dump:
                file = re.sub(r"\W+", "_", title) + ".hlo"
                write_text(args.dump / file, compiled.text)
    kind = devices[0].device_kind
    whole = f"Compiled for {len(devices)} x {kind}, each one's share; nothing was run"
    tables = {whole: summary, "What does not fit": too_large, **tables}
    if args.largest:
        rows = [
            {"network": each.model.name, "largest batch": largest_batch(each, devices)}
            for each in configs
        ]
        tables["The largest batch that fits"] = rows
    return {title: rows for title, rows in tables.items() if rows}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--target", default="tpu:v5e:2x2", help="or cuda:h100")
    parser.add_argument("--config", required=True, help="such as configs/x2.py")
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="of the config"
    )
    parser.add_argument(
        "--programs", type=_programs, default=["step"], help="forward,search,step"
    )
    parser.add_argument("--batches", type=_numbers, help="over all devices: 16,64")
    parser.add_argument("--images", type=int, default=1, help="of forward and search")
    parser.add_argument("--side", type=int, default=64, help="of their LR images")
    parser.add_argument(
        "--edsr", action="store_true", help="also the same network without its graph"
    )
    parser.add_argument(
        "--largest", action="store_true", help="find the largest batch: long"
    )
    parser.add_argument(
        "--dump", type=pathlib.Path, metavar="FOLDER", help="for the compiled programs"
    )
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    args = parser.parse_args(argv)

    use_cpu_only()
    overrides = [f"--config.{override}" for override in args.overrides]
    try:
        config = resolve(read_config([f"--config={args.config}", *overrides]))
        # Some code asks, while it is traced, what it will run on.
        target, _, _ = args.target.partition(":")
        with mock.patch.object(jax, "default_backend", return_value=target):
            tables = measure(args, config)
    except InputError as error:
        sys.exit(f"accelerators: {error}")
    publish(tables, args, device="none, only compiled for it")


def _programs(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= set(PROGRAMS):
        raise argparse.ArgumentTypeError(f"give some of {','.join(PROGRAMS)}")
    return names


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    main()
