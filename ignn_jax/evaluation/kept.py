"""The results of an evaluation that may be interrupted, kept for the next attempt.

They are files in the cache folder, one for each image, until the evaluation has ended.
They are found again by all that the scores rest on: the weights' digests, the settings,
the image files, the versions, the device, and the package's own source. An experimenter
who changes the code and evaluates again gets new scores.
"""

import contextlib
import functools
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

from ignn_jax.data.benchmarks import Benchmark
from ignn_jax.errors import InputError
from ignn_jax.evaluation.figures import Crop, Figure
from ignn_jax.evaluation.results import ImageResult
from ignn_jax.evaluation.scores import Score
from ignn_jax.evaluation.setup import Setup
from ignn_jax.files import cache_folder, write_text


class Kept:
    """The results of one benchmark set that are kept."""

    def __init__(
        self, setup: Setup, benchmark: Benchmark, circumstances: Mapping[str, Any]
    ):
        """Finds the set's folder; nothing is kept for a network in memory.

        Args:
          setup: what is evaluated.
          benchmark: the images.
          circumstances: whatever else the results rest on, in JSON's types.
        """
        self._folder = None
        if all(method.weights for method in setup.methods):
            key = [_identity(setup), _contents(benchmark), circumstances, _source()]
            digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
            self._folder = cache_folder() / "evaluations" / digest

    def read(self, n: int) -> ImageResult | None:
        """The result of the n-th image, if it is there and whole."""
        if self._folder is None:
            return None
        try:
            text = (self._folder / f"{n}.json").read_text(encoding="utf-8")
            return _from_json(json.loads(text))
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def write(self, n: int, result: ImageResult) -> None:
        """Keeps a result, where the cache can be written: it only saves time."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError, InputError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_text(self._folder / f"{n}.json", json.dumps(result))

    def forget(self) -> None:
        """Removes what is kept."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _identity(setup: Setup) -> list[Any]:
    methods = [method.to_json() for method in setup.methods]
    return [setup.scale, setup.tile, setup.ensemble, methods]


def _contents(benchmark: Benchmark) -> list[Any]:
    """The files of a set, each with its size and time of change."""
    contents: list[Any] = []
    for path in (path for pair in benchmark.pairs for path in (pair.hr, pair.lr)):
        try:
            status = os.stat(path) if path else None
        except OSError:  # it will fail alone, later
            status = None
        place = os.path.realpath(path) if path else None
        contents.append([place, status and (status.st_size, status.st_mtime_ns)])
    return contents


@functools.cache
def _source() -> str:
    """The digest of the package's code, which changes while its version does not."""
    sha256 = hashlib.sha256()
    for path in sorted(pathlib.Path(__file__).parents[1].rglob("*.py")):
        sha256.update(path.read_bytes())
    return sha256.hexdigest()


def _from_json(values: list[Any]) -> ImageResult:
    """The inverse of `json.dumps`, which writes named tuples as lists."""
    name, height, width, origin, scores, figure = values
    scores = {method: Score(*score) for method, score in scores.items()}
    if figure is not None:
        pictures, crops = figure
        crops = [Crop(caption, images, tuple(box)) for caption, images, box in crops]
        figure = Figure(pictures, crops)
    return ImageResult(name, height, width, origin, scores, figure)
