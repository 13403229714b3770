"""Training runs for tests: tiny ones, in this process or in one of their own."""

import contextlib
import io
import json
import pathlib
import re
import subprocess
from typing import Any

from ml_collections import ConfigDict

from configs import light_x2
from ignn_jax.training.run import train
from ignn_jax.training.step import TrainState
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


def config(folder: pathlib.Path, changes: dict[str, Any]) -> ConfigDict:
    """TINY, with changes, on the pictures in `folder`."""
    config = light_x2.get_config()
    keys = {"data.train": f"folder:{folder / 'pictures'}", **TINY, **changes}
    for key, value in keys.items():
        value = str(value) if isinstance(value, pathlib.Path) else value
        config.update_from_flattened_dict({key: value})
    return config.lock()


def train_here(
    folder: pathlib.Path, name: str, changes: dict[str, Any], **options: Any
) -> tuple[TrainState, str]:
    """Trains in the workdir `name`; returns the state, and what was printed."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        state = train(config(folder, changes), folder / name, **options)
    return state, output.getvalue()


def begin(
    folder: pathlib.Path,
    name: str,
    changes: dict[str, Any],
    *flags: str,
    **environment: str,
) -> subprocess.Popen:
    """Starts the program on the workdir `name`, with what differs from TINY.

    The pictures are those in `folder`.
    """
    keys = {"data.train": f"folder:{folder / 'pictures'}", **TINY, **changes}
    return start(
        "-m",
        "ignn_jax.main",
        "--config=configs/light_x2.py",
        f"--workdir={folder / name}",
        *(f"--config.{key}={value}" for key, value in keys.items()),
        *flags,
        **environment,
    )


def succeeded(process: subprocess.Popen) -> str:
    """What it printed, once it has ended well."""
    done = finish(process)
    assert done.returncode == 0, done.stderr
    return done.stdout


def devices(count: int) -> dict[str, str]:
    """The environment of a process with so many devices, which are CPUs."""
    return {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}",
        "NPROC": "8",
    }


def metrics(workdir: pathlib.Path, name: str) -> list[dict[str, Any]]:
    """The rows of `metrics.jsonl` that have this value."""
    path = workdir / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    whole = (json.loads(line) for line in lines if line.endswith("\n"))
    return [row for row in whole if name in row]


def leftovers(workdir: pathlib.Path) -> list[str]:
    """Names of what was only half written."""
    names = [path.name for path in workdir.rglob("*")]
    return [name for name in names if re.search(r"tmp|\.part$", name)]
