"""The runs that experiments consist of, each training in a process of its own.

Whatever is finished is not done again.
"""

import json
import pathlib
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from ignn_jax.data.benchmarks import Benchmark
from ignn_jax.evaluation import formats
from ignn_jax.evaluation.benchmark import Outputs, evaluate_benchmark, write_outputs
from ignn_jax.evaluation.scores import Score
from ignn_jax.evaluation.setup import load_setup
from ignn_jax.training.log import read_rows
from ignn_jax.weights.file import read_header
from ignn_jax.weights.find import FILENAME

_REPOSITORY = pathlib.Path(__file__).parents[1]


def read_config(arguments: Sequence[str]) -> ConfigDict:
    """The config of a training's command line, which may have other flags too.

    If `ignn_jax.main` refuses the command line, it says why and this program ends.
    """
    argv, values = ["", *arguments], flags.FlagValues()
    holder = config_flags.DEFINE_config_file(
        "config", flag_values=values, sys_argv=argv
    )
    try:
        values(argv, known_only=True)
        holder.value.keys()  # raises what went wrong when the file was loaded
    except Exception:  # a config is a program
        _run_main(*arguments)
        raise
    return holder.value


def train(workdir: pathlib.Path, arguments: Sequence[str]) -> None:
    """Trains to the end, from wherever the run in the workdir stopped.

    Ctrl-C and SIGTERM reach the training, which saves; then this program ends too.

    Args:
      workdir: of the run.
      arguments: of `ignn_jax.main`, without the workdir.
    """
    config = read_config(arguments)
    if _is_finished(workdir, config):
        print(f"{workdir}: finished before", flush=True)
        return
    _run_main(*arguments, f"--workdir={workdir}")
    if _last_step(workdir) != config.train.steps:
        sys.exit(0)  # it was told to stop, and said so


def evaluate(workdir: pathlib.Path, benchmarks: Sequence[Benchmark]) -> dict[str, Any]:
    """What `ignn-jax evaluate` reports for a run's network, kept as `benchmarks.json`.

    To be called when all is trained: it runs in this process and takes JAX's devices.
    """
    setup = load_setup(workdir, scale=None, tile=0, ensemble=False)
    path = workdir / "benchmarks.json"
    if path.exists():
        found = _read_json(path)
        sets = [(part["folder"], part["failures"]) for part in found["sets"]]
        same = found["weights"]["sha256"] == setup.weights["sha256"]
        if same and sets == [(str(part.folder), []) for part in benchmarks]:
            return found
    print(f"\nEvaluation of {workdir}", flush=True)
    results = [evaluate_benchmark(setup, benchmark) for benchmark in benchmarks]
    for result in results:
        print(f"\n{formats.format_set(result, scale=setup.scale)}")
    write_outputs(Outputs(json=path), setup, results)
    if failures := formats.format_failures(results):
        sys.exit(failures)
    return _read_json(path)


def training_hours(workdir: pathlib.Path) -> float:
    """How long a run's steps took, with compilation but without evaluation."""
    before, seconds = 0, 0.0
    for row in read_rows(workdir / "metrics.jsonl"):
        if "loss" in row:
            seconds += (row["step"] - before) / row["steps_per_second"]
            before = row["step"]
    return seconds / 3600


def validation_score(workdir: pathlib.Path) -> Score:
    """A finished run's last score on its validation images."""
    rows = [row for row in read_rows(workdir / "metrics.jsonl") if "psnr" in row]
    return Score(rows[-1]["psnr"], rows[-1]["ssim"])


def commit() -> str:
    """The commit that is checked out, with "+changes" if files differ from it."""
    git = ["git", "-C", str(_REPOSITORY)]
    done = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
    if done.returncode:
        return "unknown"
    changes = ["status", "--porcelain", "--untracked-files=no"]
    changed = subprocess.run([*git, *changes], capture_output=True, check=True).stdout
    return done.stdout.strip() + "+changes" * bool(changed)


def public(arguments: Sequence[str]) -> str:
    """A command line for others to read: of absolute paths only the end is left."""
    absolute = re.compile(r"(?<![\w.~-])~?/(?:[^,*]*/)?(?=[^,*/])")
    return shlex.join(absolute.sub("PATH/", argument) for argument in arguments)


def _is_finished(workdir, config):
    """Whether the run in the workdir has this config and came to its end."""
    path = workdir / "config.json"
    if not path.exists() or _last_step(workdir) != config.train.steps:
        return False
    # If the config is another one, the training names the keys and refuses or goes on.
    return _read_json(path) == config.to_dict()


def _read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _last_step(workdir):
    """The step of the weights in the workdir; None if there are none."""
    path = workdir / FILENAME
    return read_header(path)["step"] if path.exists() else None


def _run_main(*arguments):
    """Runs `ignn_jax.main` to its end; exits with its status if it failed."""
    command = ["-m", "ignn_jax.main", *arguments]
    print("\npython", shlex.join(command), flush=True)
    process = subprocess.Popen([sys.executable, *command])
    # The terminal sends Ctrl-C to both processes.
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
    }
    status = process.wait()
    for number, handler in before.items():
        signal.signal(number, handler)
    if status < 0:
        name = signal.Signals(-status).name
        sys.exit(f"ended by {name}; the same command goes on from there")
    if status:
        sys.exit(status)  # it said why
