"""Evaluation on benchmarks: PSNR and SSIM on Y beside bicubic's and the published ones.

Images are uint8 RGB [H, W, 3]. Printing is done here alone.
"""

import importlib.metadata
import pathlib
import platform
import sys
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from ignn_jax.data.layouts import Benchmark, PairFiles, read_pair
from ignn_jax.data.pairs import Pair
from ignn_jax.errors import InputError
from ignn_jax.evaluation import published, results
from ignn_jax.evaluation.report import Figure, ReportSet, make_figure, write_report
from ignn_jax.evaluation.results import ImageResult, SetResult
from ignn_jax.evaluation.scores import evaluate_pair
from ignn_jax.evaluation.setup import BICUBIC, Setup
from ignn_jax.files import check_output, check_output_folder, write_text
from ignn_jax.pictures.crops import Row
from ignn_jax.pictures.files import Picture, write_picture


class Outputs(NamedTuple):
    """What to leave behind, each None for nothing."""

    images: pathlib.Path | None = None
    json: pathlib.Path | None = None
    csv: pathlib.Path | None = None
    report: pathlib.Path | None = None

    def check(self) -> None:
        """Refuses, before the work, what could not be written after it.

        Raises:
          InputError: naming the option.
        """
        files = {
            name: path
            for name, path in self._asdict().items()
            if path and name != "images"
        }
        taken = set()
        for name, path in files.items():
            check_output(path, field=name)
            if path.resolve() in taken:
                raise InputError(
                    f"{path}: is another output's file; give each its own", field=name
                )
            taken.add(path.resolve())
        if self.images:
            check_output_folder(self.images, field="save_images")


class _Evaluated(NamedTuple):
    row: Row
    result: ImageResult


def evaluate_benchmarks(
    setup: Setup, benchmarks: list[Benchmark], outputs: Outputs
) -> int:
    """Scores all images of all sets, prints tables and writes what is asked for.

    An image that fails, fails alone: it is named at the end.

    Args:
      setup: what is evaluated.
      benchmarks: on what.
      outputs: what to write.

    Returns:
      The exit status: 0, or 1 if an image failed.

    Raises:
      InputError: an output cannot be written.
    """
    outputs.check()
    sets, report_sets = [], []
    for benchmark in benchmarks:
        images, figures, failures = [], [], list(benchmark.unpaired)
        for outcome in _evaluate(setup, benchmark.pairs):
            if isinstance(outcome, InputError):
                failures.append(str(outcome))
                continue
            images.append(outcome.result)
            if outputs.images:
                _save(outcome.row, outputs.images / benchmark.name, setup.scale)
            if outputs.report:
                figures.append(_figure(outcome, setup))
        result = SetResult(benchmark.name, str(benchmark.folder), images, failures)
        sets.append(result)
        report_sets.append(ReportSet(benchmark.name, result.lr, figures, failures))
        _print_set(result, setup)
    _write(setup, sets, report_sets, outputs)
    return _print_failures(sets)


def _evaluate(
    setup: Setup, pairs: list[PairFiles]
) -> Iterator[_Evaluated | InputError]:
    """Image by image; an error concerns its own image alone."""
    for files in tqdm(pairs, unit="image", leave=False, disable=None):
        try:
            lr, hr, origin = read_pair(files, scale=setup.scale)
            pair = Pair(files.name, lr, hr, origin)
            one = evaluate_pair(pair, setup.upscalers)
        except InputError as error:
            yield error
            continue
        except (MemoryError, jax.errors.JaxRuntimeError) as error:
            # Mostly out of memory, where the next image may be a smaller one.
            reason = (str(error) or "out of memory").splitlines()[0]
            yield InputError(f"{files.hr}: {reason}; try a smaller --tile")
            continue
        upscaled = one.images
        sr = upscaled.get(setup.label) if len(upscaled) > 1 else None
        row = Row(files.name, pair.lr, pair.hr, upscaled[BICUBIC], sr)
        yield _Evaluated(
            row, ImageResult(files.name, *pair.hr.shape[:2], pair.origin, one.scores)
        )


def _figure(outcome: _Evaluated, setup: Setup) -> Figure:
    scores = outcome.result.scores
    sr_score = scores[setup.label] if outcome.row.sr is not None else None
    return make_figure(outcome.row, scores[BICUBIC], sr_score)


def _save(row: Row, folder: pathlib.Path, scale: int) -> None:
    path = folder / f"{row.name}_x{scale}.png"
    image = row.bicubic if row.sr is None else row.sr
    check_output_folder(path.parent, field="save_images")
    write_picture(Picture(image.astype(np.float32)), path)


def _print_set(result: SetResult, setup: Setup) -> None:
    print(f"\n{result.name}, x{setup.scale}, PSNR / SSIM on Y")
    if not result.images:
        print("no image was scored")
        return
    print(f"{len(result.images)} images of {result.folder}; {result.lr}")
    print(results.format_images(result))
    table = results.format_published(result, setup.label, scale=setup.scale)
    if table:
        print(f"\n{table}")


def _print_failures(sets: list[SetResult]) -> int:
    failures = [line for result in sets for line in result.failures]
    if failures:
        total = len(failures) + sum(len(result.images) for result in sets)
        print(f"{len(failures)} of {total} failed:", file=sys.stderr)
        print(*failures, sep="\n", file=sys.stderr)
    return 1 if failures else 0


def _write(setup, sets, report_sets, outputs):
    words = results.protocol(scale=setup.scale, network=setup.protocol)
    run = {
        "method": setup.label,
        "scale": setup.scale,
        "tile": setup.tile,
        "ensemble": setup.ensemble,
        "weights": setup.weights,
        "versions": _versions(),
        "protocol": words,
        "published_note": published.NOTE,
    }
    if outputs.json:
        write_text(outputs.json, results.to_json(run, sets, scale=setup.scale))
    if outputs.csv:
        write_text(outputs.csv, results.to_csv(run, sets))
    if outputs.report:
        details = {
            "Weights": setup.weights["file"],
            "SHA-256": setup.weights.get("sha256", "none"),
            **_versions(),
        }
        write_report(
            outputs.report,
            report_sets,
            title=f"{setup.label}, \u00d7{setup.scale}",
            label=setup.label,
            scale=setup.scale,
            protocol=words,
            details=details,
        )


def _versions() -> dict[str, str]:
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
