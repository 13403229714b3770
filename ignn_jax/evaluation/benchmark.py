"""Evaluation on benchmarks: PSNR and SSIM on Y beside bicubic's and the published ones.

Images are uint8 RGB [H, W, 3]. Printing is done here alone.
"""

import hashlib
import importlib.metadata
import pathlib
import platform
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from ignn_jax.data.layouts import Benchmark, PairFiles, read_pair
from ignn_jax.errors import InputError
from ignn_jax.evaluation import published, results
from ignn_jax.evaluation.report import Figure, ReportSet, make_figure, write_report
from ignn_jax.evaluation.results import ImageResult, SetResult
from ignn_jax.evaluation.scores import score
from ignn_jax.files import check_output, check_output_folder, write_text
from ignn_jax.inference.ensemble import self_ensemble
from ignn_jax.inference.layout import HALO
from ignn_jax.inference.tiles import TiledNetwork
from ignn_jax.inference.upscalers import Upscaler, bicubic_upscaler, network_upscaler
from ignn_jax.pictures.crops import Row
from ignn_jax.pictures.files import Picture, write_picture
from ignn_jax.weights.file import find_weights
from ignn_jax.weights.network import load_weights

# The baseline's name, as a method and in place of weights.
BICUBIC = "bicubic"


class Setup(NamedTuple):
    """What is evaluated.

    Attributes:
      label: what to call it.
      scale: of the super-resolution.
      upscalers: by name: bicubic, and unless it is itself evaluated, the network.
      tile: side of the network's tiles; 0 for whole images.
      ensemble: whether over 8 orientations.
      weights: file, checksum and header, of JSON's types.
    """

    label: str
    scale: int
    upscalers: dict[str, Upscaler]
    tile: int
    ensemble: bool
    weights: dict[str, Any]

    @property
    def protocol(self) -> str | None:
        """What happens to the network's images, in words, if it is one."""
        if self.label == BICUBIC:
            return None
        return results.network_protocol(
            tile=self.tile, overlap=HALO, ensemble=self.ensemble
        )


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
        for name, path in files.items():
            check_output(path, field=name)
        if len({path.resolve() for path in files.values()}) < len(files):
            raise InputError(f"{', '.join(files)}: name a file of its own for each")
        if self.images:
            check_output_folder(self.images, field="save_images")


class _Evaluated(NamedTuple):
    row: Row
    result: ImageResult


def load_setup(
    weights: pathlib.Path, *, scale: int | None, tile: int, ensemble: bool
) -> Setup:
    """The network of a weights file, or bicubic.

    Args:
      weights: as `load_weights` takes them, or "bicubic".
      scale: None for the network's own.
      tile: side of the tiles; 0 for whole images.
      ensemble: over the 8 flips and rotations (IGNN+).

    Raises:
      InputError: the options contradict each other, or the weights cannot be read.
    """
    if str(weights) == BICUBIC:
        return _bicubic_setup(scale, tile, ensemble)
    model, variables, header = load_weights(weights)
    if scale not in (None, model.scale):
        raise InputError(
            f"--scale {scale}: {weights} is a network for x{model.scale}; "
            "leave --scale out, or give other weights"
        )
    file = find_weights(weights)
    with open(file, "rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    run = TiledNetwork(model, variables, tile=tile)
    label = type(model).__name__ + "+" * ensemble
    return Setup(
        label,
        model.scale,
        {
            BICUBIC: bicubic_upscaler(model.scale),
            label: network_upscaler(self_ensemble(run) if ensemble else run),
        },
        tile,
        ensemble,
        {"file": str(file), "sha256": checksum, "header": header},
    )


def _bicubic_setup(scale, tile, ensemble):
    if scale is None:
        raise InputError(f"--weights {BICUBIC}: give --scale too, as --scale 2")
    for option, given in (("--ensemble", ensemble), ("--tile", tile)):
        if given:
            raise InputError(f"{option}: has no meaning with --weights {BICUBIC}")
    upscalers = {BICUBIC: bicubic_upscaler(scale)}
    return Setup(BICUBIC, scale, upscalers, 0, False, {"file": BICUBIC})


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
            pair = read_pair(files, scale=setup.scale)
            upscaled = {name: run(pair.lr) for name, run in setup.upscalers.items()}
        except InputError as error:
            yield error
            continue
        except (MemoryError, jax.errors.JaxRuntimeError) as error:
            # Mostly out of memory, where the next image may be a smaller one.
            reason = (str(error) or "out of memory").splitlines()[0]
            yield InputError(f"{files.hr}: {reason}; try a smaller --tile")
            continue
        scores = {
            name: score(image, pair.hr, scale=setup.scale)
            for name, image in upscaled.items()
        }
        sr = upscaled.get(setup.label) if len(upscaled) > 1 else None
        row = Row(files.name, pair.lr, pair.hr, upscaled[BICUBIC], sr)
        yield _Evaluated(
            row, ImageResult(files.name, *pair.hr.shape[:2], pair.origin, scores)
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
