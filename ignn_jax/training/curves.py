"""The curves of training runs, side by side in one picture."""

import collections
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from ignn_jax.errors import InputError
from ignn_jax.files import check_output, write_figure
from ignn_jax.training.log import FILENAME, read_rows


def plot(runs: Sequence[pathlib.Path], output: pathlib.Path) -> None:
    """Draws the curves of runs into a PNG.

    Args:
      runs: the workdirs of training runs.
      output: the file; it is replaced if it exists.

    Raises:
      InputError: a folder is not a workdir, nothing is logged in it yet, or the output
        is not a PNG or cannot be written.
    """
    check_output(output, field="output", suffix=".png")
    write_figure(output, draw({name: _read(run) for name, run in _name(runs).items()}))


def draw(runs: dict[str, list[dict[str, Any]]]) -> Figure:
    """Draws loss (raw and smoothed), PSNR and learning rate over the steps.

    Args:
      runs: rows of `metrics.jsonl` by the name of the run.
    """
    figure = Figure(figsize=(9, 10), dpi=120, layout="constrained")
    panels = figure.subplots(3, sharex=True, height_ratios=(3, 3, 1))
    loss, psnr, rate = panels
    curves, trained = [], []
    for n, rows in enumerate(runs.values()):
        style = {"color": f"C{n}", "linestyle": ("-", "--", ":", "-.")[n // 10 % 4]}
        steps, losses = _column(rows, "loss")
        loss.plot(steps, losses, color=f"C{n}", alpha=0.25, linewidth=0.8)
        curves += loss.plot(steps, smooth(losses), **style)
        steps, scores = _column(rows, "psnr")
        psnr.plot(steps, scores, marker=".", **style)
        trained += list(scores[steps > 0])
        rate.plot(*_column(rows, "learning_rate"), **style)
    labels = ("training loss (L1)", "validation PSNR (dB)", "learning rate")
    for panel, label in zip(panels, labels, strict=True):
        panel.set_ylabel(label)
        panel.grid(alpha=0.3)
    rate.set_xlabel("step")
    # A dollar sign in a name does not begin a formula.
    names = [name.replace("$", r"\$") for name in runs]
    if trained:  # beside the score of a random network, all others look the same
        psnr.set_ylim(bottom=min(trained) - 0.1 * np.ptp(trained) - 0.05)
    loss.set_yscale("log")  # it falls from tens to a few
    loss.yaxis.set_major_formatter(LogFormatter())  # 10, not a power of it
    loss.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False))
    loss.grid(alpha=0.3, which="minor")
    figure.legend(curves, names, loc="outside upper center", ncols=2)
    return figure


def smooth(values: np.ndarray) -> np.ndarray:
    """The mean around each value, over a thirtieth of the curve."""
    window = np.ones(2 * (len(values) // 60) + 1)
    if len(window) == 1:
        return values
    counts = np.convolve(np.ones_like(values), window, "same")
    return np.convolve(values, window, "same") / counts


def _column(rows: Sequence[dict[str, Any]], key: str) -> np.ndarray:
    """Steps and values of the rows that have this value."""
    pairs = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
    return np.array(pairs, float).reshape(-1, 2).T


def _read(run: pathlib.Path) -> list[dict[str, Any]]:
    path = run / FILENAME
    if not os.path.isfile(path):
        raise InputError(
            f"{run}: no {FILENAME} in it; give the workdir of a training run"
        )
    rows = read_rows(path)
    if not rows:
        raise InputError(f"{path}: nothing is logged yet; wait for the first steps")
    return rows


def _name(runs: Sequence[pathlib.Path]) -> dict[str, pathlib.Path]:
    """The folders by name, or by path where several have the same name."""
    paths = {run.resolve(): run for run in runs}
    count = collections.Counter(path.name for path in paths)
    return {
        path.name if count[path.name] == 1 else str(run): run
        for path, run in paths.items()
    }
