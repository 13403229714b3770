"""The live line of a training run, and what is measured of its steps."""

import collections
import contextlib
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator

from tqdm import tqdm

from ignn_jax.training import parallel
from ignn_jax.training.loop import Update

# Seconds between two updates of the line, and between two lines in a log file.
_TERMINAL, _LOG_FILE = 0.5, 20


class Progress:
    """Speed, loss, learning rate, PSNR and time left, as a live line; a context.

    The metrics of a step are read when the next one is on its way, so that the devices
    do not have to wait for it.

    Attributes:
      latest: the metrics of the last step that was read; empty before the first.
      psnr: of the last evaluation, to be shown; None before the first.
    """

    def __init__(
        self,
        start: int,
        end: int,
        learning_rate: Callable[[int], float],
        *,
        show: bool = True,
    ):
        """Begins.

        Args:
          start: steps done already.
          end: steps in the end.
          learning_rate: of each step, counted from 0.
          show: False only measures: one of several processes shows the line.
        """
        self.latest: dict[str, float] = {}
        self.psnr: float | None = None
        self._learning_rate = learning_rate
        self._step = start
        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            initial=start,
            total=end,
            unit="step",
            mininterval=_TERMINAL if terminal else _LOG_FILE,
            miniters=1,
            dynamic_ncols=terminal,
            file=sys.stderr if terminal else _Lines(),
            disable=not show,
        )
        self._unread: Update | None = None
        self._recent: collections.deque[float] = collections.deque(maxlen=100)
        self._described = 0.0
        self._begin_row()

    def advance(self, update: Update) -> None:
        """Takes note of a step, which the devices may still be at."""
        self._read()
        self._unread = update

    def take(self) -> dict[str, float]:
        """The measures of the steps since the last call; there must be some.

        Returns:
          "loss": mean of the finite losses, NaN without any;
          "learning_rate": of the last step;
          "steps_per_second": without evaluations and the like, but with compilation;
          "data_wait": share of that time that the loop waited for batches;
          "skipped": updates so far that were not made.
        """
        self._read()
        seconds = time.monotonic() - self._since
        row = {
            "loss": _mean(self._losses),
            "learning_rate": self._last_rate(),
            "steps_per_second": len(self._losses) / seconds,
            "data_wait": self._waited / seconds,
            "skipped": self.latest["skipped"],
        }
        self._begin_row()
        return row

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Around whatever is not training and shall not count in its speed."""
        self._read()
        begin = time.monotonic()
        yield
        pause = time.monotonic() - begin
        self._since += pause
        if not self._bar.disable:  # tqdm.unpause would drop the time before, too
            self._bar.start_t += pause
            self._bar.last_print_t += pause

    def _begin_row(self) -> None:
        self._losses: list[float] = []
        self._waited = 0.0
        self._since = time.monotonic()

    def _read(self) -> None:
        """Waits for the last step, and counts it."""
        if self._unread is None:
            return
        self.latest = parallel.to_numbers(self._unread.metrics)
        self._step = self._unread.step
        self._waited += self._unread.waited
        self._unread = None
        self._losses.append(self.latest["loss"])
        self._recent.append(self.latest["loss"])
        if time.monotonic() - self._described >= _TERMINAL:
            self._described = time.monotonic()
            self._describe()
        self._bar.update()

    def _describe(self) -> None:
        values = {"loss": f"{_mean(self._recent):.3f}"}
        values["lr"] = f"{self._last_rate():.3g}"
        if self.psnr is not None:
            values["psnr"] = f"{self.psnr:.2f}"
        self._bar.set_postfix(values, refresh=False)

    def _last_rate(self) -> float:
        # 1e-4 rather than the nearest float32.
        return float(f"{float(self._learning_rate(self._step - 1)):.6g}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._recent:
            self._describe()
        self._bar.close()


class _Lines:
    """Standard error as a file, in which carriage returns would not overwrite."""

    def write(self, text: str) -> None:
        if text := text.strip():
            sys.stderr.write(f"{text}\n")

    def flush(self) -> None:
        sys.stderr.flush()


def _mean(losses: Iterable[float]) -> float:
    finite = [loss for loss in losses if math.isfinite(loss)]
    return statistics.fmean(finite) if finite else math.nan
