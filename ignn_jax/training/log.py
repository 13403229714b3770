"""The log of a training run: `metrics.jsonl`, and TensorBoard's event files.

`metrics.jsonl` has one JSON object per line, of two kinds:

    {"step", "loss", "learning_rate", "steps_per_second", "data_wait", "skipped"}
    {"step", "psnr", "ssim"}

from training (see `progress.py`) and from its evaluations. TensorBoard has them too,
and also crops of validation images and statistics of the graph.
"""

import contextlib
import json
import math
import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tqdm import tqdm

from ignn_jax.errors import InputError
from ignn_jax.evaluation.comparison import largest_gain
from ignn_jax.evaluation.scores import Evaluated, Score
from ignn_jax.files import write_text
from ignn_jax.inspection.statistics import GraphStatistics

FILENAME = "metrics.jsonl"

# Validation images that TensorBoard shows a crop of, and the crop's side.
_CROPS, _SIDE = 4, 96


class Log:
    """Writes the log; a context.

    Rows are on disk as soon as they are added, so that a killed run loses none. A run
    that goes on from step `start` drops the later rows, since they will come again.
    """

    def __init__(self, workdir: pathlib.Path, start: int, *, write: bool = True):
        """Opens it.

        Args:
          workdir: a folder that exists.
          start: the step that the run goes on from.
          write: False only reads: one of several processes writes.

        Raises:
          InputError: it cannot be written, or `metrics.jsonl` is damaged.
        """
        path = workdir / FILENAME
        rows = read_rows(path) if path.exists() else []
        self._rows = [row for row in rows if row["step"] <= start]
        self._file = self._events = None
        if not write:
            return
        write_text(path, "".join(map(_to_line, self._rows)))
        board = workdir / "tensorboard"
        with _writing(workdir):
            board.mkdir(exist_ok=True)
            # Not SummaryWriter: a killed run loses what is in its queue, and on a full
            # disk it blocks forever. The suffix tells apart two files of one second.
            self._events = EventsWriter(str(board / "events"), f".{start}")
            self._events.write_event(
                Event(
                    wall_time=time.time(),
                    step=start + 1,  # TensorBoard drops this step and later ones
                    session_log=SessionLog(status=SessionLog.START),
                )
            )
            self._file = path.open("a", encoding="utf-8")
        self._workdir = workdir

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """The rows of the evaluations so far, in the order of their steps."""
        return [row for row in self._rows if "psnr" in row]

    @property
    def last_evaluation(self) -> int | None:
        """The step of the last evaluation; None before the first."""
        return self.evaluations[-1]["step"] if self.evaluations else None

    @property
    def best_psnr(self) -> float | None:
        """The highest PSNR of all evaluations; None before the first."""
        values = [row["psnr"] for row in self.evaluations]
        return max((x for x in values if x is not None), default=None)

    def training(self, step: int, metrics: Mapping[str, float]) -> None:
        """Adds a row of training, as `Progress.take` returns it."""
        self._add("train", {"step": step, **metrics})

    def evaluation(self, step: int, score: Score) -> None:
        """Adds a row of an evaluation, and prints it; a step has one row."""
        if self._file:
            tqdm.write(f"step {step}: {score}")
        if all(row["step"] != step for row in self.evaluations):
            self._add("validation", {"step": step, **score._asdict()})

    def crops(self, step: int, results: Sequence[Evaluated]) -> None:
        """Shows bicubic, SR and HR of the first images where bicubic errs most."""
        summaries = []
        for one in results[:_CROPS]:
            hr = one.pair.hr
            bicubic, sr = one.images.values()
            where = largest_gain(hr, bicubic, hr, side=_SIDE)
            crops = [image[where] for image in (bicubic, sr, hr)]
            strip = np.concatenate(crops, axis=1)
            name = f"crops/{one.pair.name}"
            summaries.append(summary.image(name, strip, dataformats="HWC"))
        self._show(step, summaries)

    def graph(self, step: int, statistics: GraphStatistics) -> None:
        """Shows how far neighbors lie and how their weights spread."""
        summaries = [
            summary.scalar(f"graph/{name}", value)
            for name, value in statistics.summary().items()
        ]
        for name, values in statistics._asdict().items():
            values = values[np.isfinite(values)]
            if values.size:
                summaries.append(summary.histogram(f"graph/{name}", values, bins=50))
        self._show(step, summaries)

    def _add(self, group: str, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if not self._file:
            return
        with _writing(self._workdir):
            self._file.write(_to_line(row))
            self._file.flush()
        summaries = [
            summary.scalar(f"{group}/{name}", value)
            for name, value in row.items()
            if name != "step"
        ]
        self._show(row["step"], summaries)

    def _show(self, step: int, summaries: Sequence[Summary]) -> None:
        if not self._events:
            return
        together = Summary(value=[value for s in summaries for value in s.value])
        event = Event(wall_time=time.time(), step=step, summary=together)
        with _writing(self._workdir):
            self._events.write_event(event)
            self._events.flush()

    def close(self) -> None:
        """Closes the files."""
        for file in (self._file, self._events):
            if file:
                with contextlib.suppress(OSError):  # the last flush reported it
                    file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read_rows(path: pathlib.Path) -> list[dict[str, Any]]:
    """The rows of a `metrics.jsonl`, without a last line that was only half written.

    Raises:
      InputError: it cannot be read, or another line is not a row.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            row["step"] + 0
        except (ValueError, TypeError, KeyError) as error:
            if not line.endswith("\n"):  # the run was killed while writing it
                break
            raise InputError(
                f"{path}: line {number} is not a row of metrics; delete it"
            ) from error
        rows.append(row)
    return rows


def _to_line(row: Mapping[str, float | None]) -> str:
    """A row as JSON, with null for NaN and infinity, which JSON does not have."""
    plain = {
        name: value if value is not None and math.isfinite(value) else None
        for name, value in row.items()
    }
    return json.dumps(plain, allow_nan=False) + "\n"


@contextlib.contextmanager
def _writing(workdir: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{workdir}: the log cannot be written: {error.strerror}"
        ) from error
