"""What a training run tells: a progress line, and a line for each evaluation."""

import json
import pathlib
import sys
import time

import jax
import numpy as np
from tqdm import tqdm

from ignn_jax.outputs import write_text
from ignn_jax.scores import Score


class Progress:
    """A progress line: steps, steps a second, time left, and the mean recent loss.

    The loss is fetched from the device once a second at most: to fetch it is to wait
    for the step.
    """

    def __init__(self, start: int, end: int):
        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            initial=start,
            total=end,
            unit="step",
            mininterval=0.5 if terminal else 20,  # a line each in a log file
            dynamic_ncols=terminal,
        )
        self._pending: list[jax.Array] = []  # still on the device
        self._losses: list[float] = []
        self._fetched = time.monotonic()

    def advance(self, loss: jax.Array) -> None:
        """Counts a step; its loss is [devices], the same on each."""
        self._pending.append(loss)
        if time.monotonic() - self._fetched > 1 or self._bar.n + 1 == self._bar.total:
            recent = self._fetch()
            self._bar.set_postfix(loss=f"{np.mean(recent):.3f}", refresh=False)
            self._fetched = time.monotonic()
        self._bar.update()

    def take_loss(self) -> float | None:
        """The mean loss of all steps since the last call; None without any."""
        self._fetch()
        losses, self._losses = self._losses, []
        return float(np.mean(losses)) if losses else None

    def _fetch(self):
        recent = [float(loss[0]) for loss in jax.device_get(self._pending)]
        self._losses += recent
        self._pending.clear()
        return recent

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.close()


class Evaluations:
    """The evaluations of a run, kept in `metrics.jsonl` and printed as they come."""

    def __init__(self, path: pathlib.Path, start: int):
        """Reads the run's so far; those later than step `start` will come again."""
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows = [row for row in map(json.loads, lines) if row["step"] <= start]

    def add(self, step: int, score: Score, loss: float | None) -> None:
        """Records one, in place of an older one of the same step."""
        self.rows = [row for row in self.rows if row["step"] != step]
        self.rows.append({"step": step, "loss": loss, **score._asdict()})
        write_text(self._path, "".join(json.dumps(row) + "\n" for row in self.rows))
        tqdm.write(f"step {step}: {score}")
