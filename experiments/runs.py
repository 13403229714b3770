"""The trainings and evaluations that an experiment is made of.

What is finished is not done again, and what was stopped goes on.
"""

import hashlib
import json
import pathlib
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import jax
from ml_collections import ConfigDict

from ignn_jax.data.benchmarks import Benchmark, read_pair
from ignn_jax.evaluation.scores import Score, evaluate_pair
from ignn_jax.files import check_output_folder, write_text
from ignn_jax.inference.upscalers import Upscaler
from ignn_jax.training import run
from ignn_jax.training.changes import with_defaults
from ignn_jax.training.config import resolve
from ignn_jax.training.log import read_rows
from ignn_jax.weights.file import read_header
from ignn_jax.weights.find import FILENAME, find_weights

_REPOSITORY = pathlib.Path(__file__).parents[1]


def train(workdir: pathlib.Path, config: ConfigDict) -> None:
    """Trains to the end, from wherever the run in the workdir stopped.

    Ctrl-C and SIGTERM end the run with a checkpoint, and the program with it.

    Args:
      workdir: of the run.
      config: as of `configs/base.py`.

    Raises:
      InputError: as `ignn_jax.training.run.train`.
    """
    if is_finished(workdir, config):
        print(f"{workdir}: finished before", flush=True)
        return
    print(f"\nTraining in {workdir}", flush=True)
    if run.train(config, workdir).step != config.train.steps:
        sys.exit(0)  # it was told to stop, and said so
    # Linux allows a process 65,530 mappings, and XLA crashes where it gets no more.
    jax.clear_caches()


def score(
    upscale: Upscaler,
    benchmarks: Sequence[Benchmark],
    *,
    scale: int,
    folder: pathlib.Path,
    weights: str | pathlib.Path | None = None,
) -> dict[str, dict[str, Score]]:
    """Scores the images of some sets, or reads the scores that they had before.

    Args:
      upscale: a method, from an LR image to an HR image, uint8 RGB both.
      benchmarks: the images.
      scale: of the super-resolution.
      folder: keeps the scores, one JSON file per set.
      weights: of the network, as `find_weights` takes them: with others, the scores are
        made anew.

    Returns:
      The score of each image by name, by set.

    Raises:
      InputError: an image cannot be read, or the scores cannot be kept.
    """
    check_output_folder(folder, field="workdir")
    sha256 = weights and _sha256(find_weights(weights))
    found = {}
    for benchmark in benchmarks:
        path = folder / f"{benchmark.name}.json"
        images = [str(files.hr.resolve()) for files in benchmark.pairs]
        source = {"sha256": sha256, "images": images}
        scores = _kept_scores(path, source)
        if not scores:
            print(f"Evaluation: {path}", flush=True)
            pairs = (read_pair(files, scale=scale) for files in benchmark.pairs)
            scores = {
                pair.name: evaluate_pair(pair, {"sr": upscale}).scores["sr"]
                for pair in pairs
            }
            write_text(path, json.dumps({"source": source, "scores": scores}))
            jax.clear_caches()  # see `train`
        found[benchmark.name] = scores
    return found


def training_hours(workdir: pathlib.Path) -> float:
    """How long a run's steps took, with compilation but without evaluation."""
    before, seconds = 0, 0.0
    for row in read_rows(workdir / "metrics.jsonl"):
        if "loss" in row:
            seconds += (row["step"] - before) / row["steps_per_second"]
            before = row["step"]
    return seconds / 3600


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


def is_finished(workdir: pathlib.Path, config: ConfigDict) -> bool:
    """Whether the run in the workdir has this config and came to its end."""
    path, weights = workdir / "config.json", workdir / FILENAME
    if not path.exists() or not weights.exists():
        return False
    if read_header(weights)["step"] != config.train.steps:
        return False
    # If the config is another one, the training names the keys and refuses or goes on.
    saved = with_defaults(json.loads(path.read_text(encoding="utf-8")))
    return saved == resolve(config, saved).to_dict()


def _kept_scores(path: pathlib.Path, source: dict[str, Any]) -> dict[str, Score]:
    """The scores in a file; none if it is not there or they are of something else."""
    if not path.exists():
        return {}
    kept = json.loads(path.read_text(encoding="utf-8"))
    scores = kept["scores"] if kept["source"] == source else {}
    return {name: Score(*values) for name, values in scores.items()}


def _sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
