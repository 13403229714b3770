"""Benchmark sets, evaluated image by image, and the files that keep the results."""

import importlib.metadata
import pathlib
import platform
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from ignn_jax.data.benchmarks import Benchmark, read_pair
from ignn_jax.data.layouts import PairFiles
from ignn_jax.errors import InputError
from ignn_jax.evaluation import formats, published
from ignn_jax.evaluation.protocol import protocol
from ignn_jax.evaluation.report import write_report
from ignn_jax.evaluation.results import ImageResult, SetResult
from ignn_jax.evaluation.scores import Evaluated, evaluate_pair
from ignn_jax.evaluation.setup import Setup
from ignn_jax.files import check_output, check_output_folder, write_text
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.writer import write_picture


class Outputs(NamedTuple):
    """The files to write, each None for none.

    Attributes:
      json: all scores and what they rest on.
      csv: the same as a table.
      report: an HTML page to compare the images on.
    """

    json: pathlib.Path | None = None
    csv: pathlib.Path | None = None
    report: pathlib.Path | None = None

    def check(self) -> None:
        """Refuses, before the work, what could not be written after it.

        Raises:
          InputError: naming the output.
        """
        taken = set()
        for name, path in self._asdict().items():
            if not path:
                continue
            check_output(path, field=name)
            if path.resolve() in taken:
                raise InputError(
                    f"{path}: is another output's file; give each its own", field=name
                )
            taken.add(path.resolve())


def evaluate_benchmark(
    setup: Setup,
    benchmark: Benchmark,
    *,
    images: pathlib.Path | None = None,
    figures: bool = False,
    progress: Callable[[Iterable[PairFiles]], Iterable[PairFiles]] = iter,
) -> SetResult:
    """Scores the images of a set, one after the other, and writes them if asked to.

    An image that fails, fails alone and is among the result's failures.

    Args:
      setup: what is evaluated.
      benchmark: the images.
      images: folder to write the upscaled images to, `SET/NAME_x2.png`.
      figures: whether the result keeps the images that a report takes, encoded.
      progress: wraps the iterable of images, as `tqdm` does.

    Raises:
      InputError: an image cannot be written.
    """
    unpaired = [f"{path}: {reason}" for path, reason in benchmark.unpaired]
    result = SetResult(benchmark.name, [], unpaired, str(benchmark.folder))
    for files in progress(benchmark.pairs):
        try:
            evaluated = _evaluate(setup, files)
        except InputError as error:
            result.failures.append(str(error))
            continue
        if images:
            _save_image(evaluated, setup, images / benchmark.name)
        result.images.append(ImageResult.of(evaluated, figure=figures))
    return result


def write_outputs(outputs: Outputs, setup: Setup, sets: Sequence[SetResult]) -> None:
    """Writes the JSON, CSV and HTML files that are asked for.

    Raises:
      InputError: one of them cannot be written.
    """
    words = protocol(scale=setup.scale, network=setup.protocol)
    versions = _versions()
    run = {
        "method": setup.label,
        "scale": setup.scale,
        "tile": setup.tile,
        "ensemble": setup.ensemble,
        "weights": setup.weights,
        "versions": versions,
        "protocol": words,
        "published_note": published.published_note(scale=setup.scale),
    }
    if outputs.json:
        write_text(outputs.json, formats.to_json(run, sets, scale=setup.scale))
    if outputs.csv:
        write_text(outputs.csv, formats.to_csv(run, sets))
    if outputs.report:
        write_report(
            outputs.report,
            sets,
            title=f"{setup.label}, \u00d7{setup.scale}",
            scale=setup.scale,
            protocol=words,
            details={
                "Weights": setup.weights["file"],
                "SHA-256": setup.weights.get("sha256", "none"),
                **versions,
            },
        )


def _evaluate(setup: Setup, files: PairFiles) -> Evaluated:
    """Raises InputError whatever goes wrong with this image alone."""
    try:
        pair = read_pair(files, scale=setup.scale)
        return evaluate_pair(pair, setup.upscalers)
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        # Mostly out of memory, and the next image may be smaller.
        reason = (str(error) or "out of memory").splitlines()[0]
        raise InputError(f"{files.hr}: {reason}; try a smaller tile") from error


def _save_image(evaluated: Evaluated, setup: Setup, folder: pathlib.Path) -> None:
    path = folder / f"{evaluated.pair.name}_x{setup.scale}.png"
    check_output_folder(path.parent, field="save_images")
    image = evaluated.images[setup.label].astype(np.float32)
    write_picture(Picture(image), path)


def _versions() -> dict[str, Any]:
    try:
        own = importlib.metadata.version("ignn-jax")
    except importlib.metadata.PackageNotFoundError:
        own = "not installed, run from its source"
    return {
        "ignn_jax": own,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "Python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
    }
