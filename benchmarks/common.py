"""What the benchmarks share: networks, timing, memory, tables and JSON files.

Each benchmark is a program, `python -m benchmarks.NAME --help`. It prints a table in
Markdown and what it was measured on. Weights are random: time does not depend on them.
"""

import argparse
import json
import pathlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from multiprocessing import get_context
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ignn_jax.devices import planned_memory
from ignn_jax.files import write_text
from ignn_jax.machine import describe_machine
from ignn_jax.models import EDSR, IGNN, GraphConfig
from ignn_jax.models.embedding import EMBEDDINGS
from ignn_jax.tables import markdown_table

NETWORKS = ("ignn", "edsr")
# As in the configs. "graph" holds what differs from the paper's graph.
SIZES: dict[str, dict[str, Any]] = {
    "light": {"features": 64, "num_blocks": 16, "residual_scale": 1.0},
    "full": {"features": 256, "num_blocks": 32, "residual_scale": 0.1},
    # The network that comes with the package, with --embedding backbone.
    "tiny-x2": {
        "features": 32,
        "num_blocks": 8,
        "residual_scale": 1.0,
        "graph": {"den": "aggregated", "fusion": "residual"},
    },
    # For trying a benchmark: it compiles in seconds.
    "tiny": {
        "features": 4,
        "num_blocks": 2,
        "residual_scale": 1.0,
        "graph": {"neighbors": 2, "window": 4, "den": "aggregated"},
    },
}
SCALE = 2


def make_parser(description: str, *, network: bool = True) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks share.

    Args:
      description: the program's docstring, whose first line is shown by --help.
      network: whether the benchmark runs a network, whose options are then added.
    """
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    if network:
        parser.add_argument("--size", choices=SIZES, default="light")
        parser.add_argument(
            "--dtype", choices=("float32", "bfloat16"), default="float32"
        )
        parser.add_argument("--embedding", choices=EMBEDDINGS, default="vgg19")
    return parser


def make_network(
    name: str, args: argparse.Namespace, **graph: Any
) -> tuple[EDSR | IGNN, Any]:
    """An x2 network with random variables.

    Args:
      name: "ignn" or "edsr".
      args: with the options of `make_parser`.
      graph: fields of GraphConfig that differ from those of the size.
    """
    settings = {"scale": SCALE, "dtype": args.dtype, **SIZES[args.size]}
    graph = {"embedding": args.embedding, **settings.pop("graph", {}), **graph}
    model: EDSR | IGNN = EDSR(**settings)
    if name == "ignn":
        model = IGNN(**settings, graph=GraphConfig(**graph))
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    rng = np.random.default_rng(0)

    def draw(x):  # with about the variance that an initializer would give
        fan_in = np.prod(x.shape[:-1]) if len(x.shape) > 1 else 100
        return rng.normal(0, fan_in**-0.5, x.shape).astype(x.dtype)

    return model, jax.device_put(jax.tree.map(draw, shapes))


def make_image(height: int, width: int, batch: int = 1) -> jax.Array:
    """Random pixels [B, H, W, 3] in [0, 255]."""
    pixels = np.random.default_rng(0).integers(0, 256, (batch, height, width, 3))
    return jnp.asarray(pixels, jnp.float32)


class Program:
    """A function compiled for its arguments.

    Attributes:
      compilation: seconds that compiling took.
      flops: XLA's count. It takes a loop, such as the search's, only once.
      temporary, planned: bytes of temporary arrays, and of all arrays.
    """

    def __init__(self, function: Callable, *args: Any):
        begin = time.perf_counter()
        self._compiled = jax.jit(function).lower(*args).compile()
        self.compilation = time.perf_counter() - begin
        self._args = args
        compiled: Any = self._compiled  # its analyses are missing on some platforms
        self.flops = compiled.cost_analysis().get("flops", 0)
        self.temporary = compiled.memory_analysis().temp_size_in_bytes
        self.planned = planned_memory(self._compiled)

    def __call__(self) -> Any:
        """Runs the function and waits for its result."""
        return jax.block_until_ready(self._compiled(*self._args))


def time_in_turn(
    runs: Mapping[str, Callable[[], Any]], repeats: int
) -> dict[str, list[float]]:
    """Seconds of each run. They take turns, so that disturbances affect all alike.

    The first round, which may compile, is not counted.
    """
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    return times


def summarize(times: Sequence[float]) -> dict[str, Any]:
    """The median and the range of the middle half; all times for the JSON file."""
    low, high = np.quantile(times, (0.25, 0.75))
    return {
        "s": statistics.median(times),
        "middle half": f"{low:.3g} to {high:.3g}",
        "times": list(times),
    }


def peak_flops(dtype: str) -> float:
    """FLOP per second of a large matrix product: the best that the machine can do."""
    side = 2048 if jax.default_backend() == "cpu" else 8192
    matrix = jnp.ones((side, side), dtype)
    program = Program(jnp.matmul, matrix, matrix)
    return 2 * side**3 / min(time_in_turn({"": program}, 10)[""])


def in_new_process(function: Callable, *args: Any) -> Any:
    """Calls a function in a new process, so that its memory is measured alone."""
    with futures.ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def peak_memory() -> int:
    """The most bytes used so far, by the device or, on a CPU, by this process."""
    stats = jax.local_devices()[0].memory_stats()
    if stats:
        return stats["peak_bytes_in_use"]
    # Not ru_maxrss: a process inherits it from the one that started it.
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def publish(
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    args: argparse.Namespace,
    **more: Any,
) -> None:
    """Prints tables, and writes the JSON file if one was asked for.

    Args:
      tables: titles, and rows with the same keys. Lists go into the JSON file only.
      args: the program's options.
      more: other facts, for the JSON file and for the line below the tables.
    """
    settings = {name: value for name, value in vars(args).items() if name != "json"}
    devices = jax.devices()
    machine = {
        **describe_machine("jax", "flax", "numpy", "grain", "pillow"),
        "device": f"{len(devices)} x {devices[0].device_kind}",
    }
    for title, rows in tables.items():
        names = [k for k, value in rows[0].items() if not isinstance(value, list)]
        cells = [[_format(row[name]) for name in names] for row in rows]
        print(f"\n{title}\n\n{markdown_table([names, *cells])}")
    facts = {**settings, **machine, **more}
    print("\n" + ", ".join(f"{k} {_format(v)}" for k, v in facts.items()))
    if args.json:
        result = {"tables": tables, "settings": settings, **more, "machine": machine}
        write_text(args.json, json.dumps(result, indent=2, default=str) + "\n")


def _format(value):
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
