"""What the benchmarks share: the networks, runs in turn, memory, tables and JSON.

Each is a program, `python -m benchmarks.NAME --help`, that prints a table in Markdown
and what it was measured on. The weights are random: time does not depend on them.
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

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from ignn_jax.devices import planned_memory
from ignn_jax.machine import describe_machine
from ignn_jax.models import EDSR, IGNN, GraphConfig
from ignn_jax.models.embedding import EMBEDDINGS
from ignn_jax.tables import markdown_table

NETWORKS = ("ignn", "edsr")
# As the configs have them; of the graph, what is not the paper's.
SIZES = {
    "light": {"features": 64, "num_blocks": 16, "residual_scale": 1.0},
    "full": {"features": 256, "num_blocks": 32, "residual_scale": 0.1},
    # To try a benchmark: it compiles in seconds.
    "tiny": {
        "features": 4,
        "num_blocks": 2,
        "residual_scale": 1.0,
        "graph": {"neighbors": 2, "window": 4, "den": "aggregated"},
    },
}
SCALE = 2


def make_parser(description: str, *, network: bool = True) -> argparse.ArgumentParser:
    """The options that all have, and those of the networks."""
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
) -> tuple[nn.Module, Any]:
    """A network of x2, "ignn" or "edsr", and random variables for it."""
    settings = {"scale": SCALE, "dtype": args.dtype, **SIZES[args.size]}
    graph = {"embedding": args.embedding, **settings.pop("graph", {}), **graph}
    if name == "edsr":
        model = EDSR(**settings)
    else:
        model = IGNN(**settings, graph=GraphConfig(**graph))
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    rng = np.random.default_rng(0)

    def draw(x):  # of about the variance that an initializer gives
        fan_in = np.prod(x.shape[:-1]) if len(x.shape) > 1 else 100
        return rng.normal(0, fan_in**-0.5, x.shape).astype(x.dtype)

    return model, jax.device_put(jax.tree.map(draw, shapes))


def make_image(height: int, width: int, batch: int = 1) -> jax.Array:
    """Random pixels [B, H, W, 3] in [0, 255]."""
    pixels = np.random.default_rng(0).integers(0, 256, (batch, height, width, 3))
    return jnp.asarray(pixels, jnp.float32)


class Program:
    """A function compiled for its arguments."""

    def __init__(self, function: Callable, *args: Any):
        begin = time.perf_counter()
        self._compiled = jax.jit(function).lower(*args).compile()
        self.compilation = time.perf_counter() - begin
        self._args = args
        # XLA counts what is in a loop, such as the search's, but once.
        self.flops = self._compiled.cost_analysis().get("flops", 0)
        self.temporary = self._compiled.memory_analysis().temp_size_in_bytes
        self.planned = planned_memory(self._compiled)

    def __call__(self) -> Any:
        """Runs it and waits."""
        return jax.block_until_ready(self._compiled(*self._args))


def time_in_turn(
    runs: Mapping[str, Callable[[], Any]], repeats: int
) -> dict[str, list[float]]:
    """Seconds of each run, taken in turn, so that all meet the same disturbances."""
    for run in runs.values():
        run()
    times = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    return times


def summarize(times: Sequence[float]) -> dict[str, Any]:
    """Median, and the range of the middle half; all of them for the JSON file."""
    low, high = np.quantile(times, (0.25, 0.75))
    return {
        "s": statistics.median(times),
        "middle half": f"{low:.3g} to {high:.3g}",
        "times": list(times),
    }


def peak_flops(dtype: str) -> float:
    """FLOP a second of a large matrix product: what the machine can do at best."""
    side = 2048 if jax.default_backend() == "cpu" else 8192
    matrix = jnp.ones((side, side), dtype)
    program = Program(jnp.matmul, matrix, matrix)
    return 2 * side**3 / min(time_in_turn({"": program}, 10)[""])


def in_new_process(function: Callable, *args: Any) -> Any:
    """A function's result; what it takes of memory is not there before it."""
    with futures.ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def peak_memory() -> int:
    """Bytes at most so far: of the device, or of this process on a CPU."""
    stats = jax.local_devices()[0].memory_stats()
    if stats:
        return stats["peak_bytes_in_use"]
    # Not ru_maxrss, which is inherited from the process that started this one.
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def publish(
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    args: argparse.Namespace,
    **more: Any,
) -> None:
    """Prints tables, and writes the JSON file that was asked for.

    Args:
      tables: titles, and rows of the same keys; lists are for the JSON file alone.
      args: what was asked for.
      more: for the JSON file and below the tables.
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
    facts = {**settings, **more, **machine}
    print("\n" + ", ".join(f"{k} {_format(v)}" for k, v in facts.items()))
    if args.json:
        result = {"tables": tables, "settings": settings, **more, "machine": machine}
        args.json.write_text(json.dumps(result, indent=2) + "\n")


def _format(value):
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
