"""Benchmark sets, evaluated image by image, and the files that keep the results."""

import importlib.metadata
import os
import pathlib
import platform
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from ignn_jax.data.benchmarks import Benchmark, read_pair
from ignn_jax.data.matching import PairFiles
from ignn_jax.devices import failure
from ignn_jax.errors import InputError
from ignn_jax.evaluation import formats, published
from ignn_jax.evaluation.kept import Kept
from ignn_jax.evaluation.protocol import protocol
from ignn_jax.evaluation.report import write_report
from ignn_jax.evaluation.results import ImageResult, SetResult
from ignn_jax.evaluation.scores import BICUBIC, Evaluated, evaluate_pair
from ignn_jax.evaluation.setup import Setup
from ignn_jax.files import (
    check_free,
    check_output,
    check_output_folder,
    identity,
    write_text,
)
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

    def check(self, inputs: Iterable[str | os.PathLike] = ()) -> None:
        """Refuses, before the work, what could not be written after it.

        Args:
          inputs: the files that are read, which are never replaced.

        Raises:
          InputError: naming the output.
        """
        taken, inputs = set(), list(inputs)
        for name, path in self._asdict().items():
            if not path:
                continue
            check_output(path, field=name, inputs=inputs)
            place = os.path.realpath(path)
            if place in taken:
                raise InputError(
                    f"{path}: is another output's file; give each its own", field=name
                )
            taken.add(place)


Progress = Callable[[Iterable[PairFiles]], Iterable[PairFiles]]


def evaluate_benchmarks(
    setup: Setup,
    benchmarks: Sequence[Benchmark],
    outputs: Outputs,
    *,
    images: pathlib.Path | None = None,
    progress: Progress = iter,
    tell: Callable[[SetResult], None] = lambda result: None,
) -> list[SetResult]:
    """Scores several sets; if it is interrupted, the same call goes on from there.

    The outputs are written after each set. Images that were scored before an
    interruption are not scored again, as long as nothing has changed that their scores
    rest on. After the last set they are forgotten: the next call scores all images.

    Args:
      setup: what is evaluated.
      benchmarks: the sets.
      outputs: the files to write.
      images: as `evaluate_benchmark`.
      progress: as `evaluate_benchmark`.
      tell: gets each set's result.

    Raises:
      InputError: a file cannot be written.
    """
    outputs.check(_inputs(setup, benchmarks))
    figures = outputs.report is not None
    circumstances = {**_versions(), "images": str(images), "figures": figures}
    kept = [Kept(setup, benchmark, circumstances) for benchmark in benchmarks]
    sets = []
    for n, benchmark in enumerate(benchmarks):
        result = evaluate_benchmark(
            setup,
            benchmark,
            images=images,
            figures=figures,
            progress=progress,
            kept=kept[n],
        )
        tell(result)
        sets.append(result)
        unfinished = [benchmark.name for benchmark in benchmarks[n + 1 :]]
        write_outputs(outputs, setup, sets, unfinished=unfinished)
    for one in kept:
        one.forget()
    return sets


def evaluate_benchmark(
    setup: Setup,
    benchmark: Benchmark,
    *,
    images: pathlib.Path | None = None,
    figures: bool = False,
    progress: Progress = iter,
    kept: Kept | None = None,
) -> SetResult:
    """Scores the images of a set, one after the other, and writes them if asked to.

    An image that fails, fails alone and is among the result's failures.

    Args:
      setup: what is evaluated.
      benchmark: the images.
      images: folder to write the upscaled images to, `SET/NAME_x2.png`; of several
        methods, `METHOD/SET/NAME_x2.png`.
      figures: whether the result keeps the images that a report takes, encoded.
      progress: wraps the iterable of images, as `tqdm` does.
      kept: results of an interrupted evaluation; gets each new one.
    """
    unpaired = [f"{path}: {reason}" for path, reason in benchmark.unpaired]
    lr = str(benchmark.lr or "")
    result = SetResult(
        benchmark.name, [], unpaired, str(benchmark.folder), lr_folder=lr
    )
    from_before = 0
    for n, files in enumerate(progress(benchmark.pairs)):
        paths = _image_paths(setup, images, benchmark.name, files.name)
        known = kept.read(n) if kept else None
        if known and all(os.path.exists(path) for path in paths.values()):
            result.images.append(known)
            from_before += 1
            continue
        try:
            for path in paths.values():
                _check_image(path, files)
            evaluated = _evaluate(setup, files)
            for label, path in paths.items():
                write_picture(Picture(evaluated.images[label].astype(np.float32)), path)
        except InputError as error:
            result.failures.append(str(error))
            continue
        image = ImageResult.of(evaluated, figure=figures)
        result.images.append(image)
        if kept:
            kept.write(n, image)
    return result._replace(from_before=from_before)


def write_outputs(
    outputs: Outputs,
    setup: Setup,
    sets: Sequence[SetResult],
    *,
    unfinished: Sequence[str] = (),
) -> None:
    """Writes the JSON, CSV and HTML files that are asked for.

    Args:
      outputs: the files.
      setup: what was evaluated.
      sets: the results.
      unfinished: names of the sets that are still to come.

    Raises:
      InputError: a file cannot be written.
    """
    words = protocol(scale=setup.scale, networks=setup.protocol)
    versions = _versions()
    run: dict[str, Any] = {
        "method": setup.label,
        "scale": setup.scale,
        "tile": setup.tile,
        "ensemble": setup.ensemble,
        "weights": setup.weights,
        "methods": [method.to_json() for method in setup.methods],
        "versions": versions,
        "protocol": words,
        "published_note": published.published_note(scale=setup.scale),
        **({"unfinished": list(unfinished)} if unfinished else {}),
    }
    if outputs.json:
        write_text(outputs.json, formats.to_json(run, sets, scale=setup.scale))
    if outputs.csv:
        write_text(outputs.csv, formats.to_csv(run, sets))
    if outputs.report:
        write_report(
            outputs.report,
            sets,
            title=f"{_title(setup)}, \u00d7{setup.scale}",
            scale=setup.scale,
            protocol=words,
            details={
                **_describe_weights(setup),
                **versions,
                **({"Not finished": ", ".join(unfinished)} if unfinished else {}),
            },
        )


def _title(setup: Setup) -> str:
    labels = [method.label for method in setup.methods] or [BICUBIC]
    return labels[0] if len(labels) == 1 else f"{len(labels)} networks"


def _describe_weights(setup: Setup) -> dict[str, str]:
    if len(setup.methods) < 2:
        weights = setup.weights
        return {"Weights": weights["file"], "SHA-256": weights.get("sha256", "none")}
    return {
        method.label: ", ".join(
            method.weights[key] for key in ("file", "sha256") if key in method.weights
        )
        for method in setup.methods
    }


def _evaluate(setup: Setup, files: PairFiles) -> Evaluated:
    """Raises InputError whatever goes wrong with this image alone."""
    try:
        pair = read_pair(files, scale=setup.scale)
        return evaluate_pair(pair, setup.upscalers)
    except (OSError, UnicodeError, MemoryError, RuntimeError) as error:
        raise failure(error, files.hr) from error


def _inputs(setup: Setup, benchmarks: Sequence[Benchmark]) -> list[str | os.PathLike]:
    """The files of images and weights."""
    pairs = [pair for benchmark in benchmarks for pair in benchmark.pairs]
    weights = [method.weights["file"] for method in setup.methods if method.weights]
    return [*weights, *(file for pair in pairs for file in pair[1:] if file)]


def _check_image(path: pathlib.Path, files: PairFiles) -> None:
    """Refuses to write an image where none can be, or over the files of its pair."""
    place = identity(path)
    if place and place in (identity(file) for file in files[1:] if file):
        raise InputError(
            f"{path}: is an original; give another folder", field="save_images"
        )
    check_output_folder(path.parent, field="save_images")
    check_free(path, overwrite=True, field="save_images")


def _image_paths(
    setup: Setup, folder: pathlib.Path | None, part: str, name: str
) -> dict[str, pathlib.Path]:
    """Where an image is written, by the method's label; empty without a folder."""
    if folder is None:
        return {}
    file = f"{name}_x{setup.scale}.png"
    if len(setup.methods) < 2:
        return {setup.label: folder / part / file}
    return {
        method.label: folder / re.sub(r"[^\w.+=-]+", "_", method.label) / part / file
        for method in setup.methods
    }


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
