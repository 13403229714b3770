"""Training runs for tests: tiny ones, in processes of their own."""

import json
import pathlib
import re

from tests.networks import finish, start

TINY = {
    "data.validation": "split:0.34",
    "data.lr_patch": 12,
    "train.batch_size": 2,
    "model.features": 4,
    "model.num_blocks": 2,
    "model.graph.position": 1,
    "model.graph.neighbors": 2,
    "model.graph.window": 4,
    "model.graph.den": "aggregated",  # compiles in half the time
    "eval.tile": 0,
    "log.every": 20,
}


def begin(folder: pathlib.Path, name: str, changes: dict, *flags: str, **environment):
    """Starts the program on the workdir `name`, with what differs from TINY.

    The pictures are those in `folder`, which also keeps what is compiled.
    """
    keys = {"data.train": f"folder:{folder / 'pictures'}", **TINY, **changes}
    return start(
        "-m",
        "ignn_jax.main",
        "--config=configs/light_x2.py",
        f"--workdir={folder / name}",
        *(f"--config.{key}={value}" for key, value in keys.items()),
        *flags,
        JAX_COMPILATION_CACHE_DIR=str(folder / "compiled"),
        JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
        JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES="-1",
        **environment,
    )


def succeeded(process) -> str:
    """What it printed, once it has ended well."""
    done = finish(process)
    assert done.returncode == 0, done.stderr
    return done.stdout


def devices(count: int) -> dict[str, str]:
    """The environment of a process with so many devices."""
    return {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}",
        "NPROC": "8",
    }


def metrics(workdir: pathlib.Path, name: str) -> list[dict]:
    """The rows of `metrics.jsonl` that have this value."""
    path = workdir / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    whole = (json.loads(line) for line in lines if line.endswith("\n"))
    return [row for row in whole if name in row]


def leftovers(workdir: pathlib.Path) -> list[str]:
    """Names of what was only half written."""
    names = [path.name for path in workdir.rglob("*")]
    return [name for name in names if re.search(r"tmp|\.part$", name)]
