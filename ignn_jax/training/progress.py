"""The live line of a training run, and what is measured of its steps."""

import collections
import concurrent.futures
import contextlib
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping

import jax
from tqdm import tqdm

from ignn_jax.training import parallel

# Seconds between two looks at the line, and between lines in a log file.
_TERMINAL, _LOG_FILE = 0.5, 20


class Progress:
    """Steps a second, loss, learning rate, PSNR and time left; a context.

    A step is counted when the devices are done with it. A thread waits for that, so
    that the loop can give them the next one meanwhile.

    Attributes:
      latest: the metrics of the last step that is done; empty before the first.
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
          show: or only measure: of several processes, one shows.
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
        self._thread = concurrent.futures.ThreadPoolExecutor(max_workers=1)
        self._pending = collections.deque()  # waits, and the steps that they were for
        self._wait = (0.0, 0.0)
        self._recent = collections.deque(maxlen=100)  # losses, to be shown
        self._described = 0.0
        self._done = time.monotonic()  # when the devices were, with all they had
        self._begin_row()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Around the fetching of a step's batch."""
        begin = time.monotonic()
        yield
        self._wait = (begin, time.monotonic())

    def advance(self, metrics: Mapping[str, jax.Array]) -> None:
        """Takes note of a step, which the devices may still be at.

        Args:
          metrics: "loss", "skipped" (updates so far) and any others, each [devices],
            the same on each.
        """
        self._pending.append((self._wait, self._thread.submit(_fetch, metrics)))
        self._collect()

    def take(self) -> dict[str, float]:
        """The measures of the steps since the last call, of which there are some.

        Returns:
          "loss": mean of those that are finite, NaN without any;
          "learning_rate": of the last step;
          "steps_per_second": evaluations and the like left out, compilation not;
          "data_wait": share of the time that the devices were idle for want of data;
          "skipped": updates so far that were not made.
        """
        self._collect(all_of_them=True)
        seconds = time.monotonic() - self._since
        row = {
            "loss": _mean(self._losses),
            "learning_rate": self._last_rate(),
            "steps_per_second": len(self._losses) / seconds,
            "data_wait": self._idle / seconds,
            "skipped": self.latest["skipped"],
        }
        self._begin_row()
        return row

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Around what is no training, and is to be left out of its speed."""
        self._collect(all_of_them=True)
        begin = time.monotonic()
        yield
        pause = time.monotonic() - begin
        self._since += pause
        if not self._bar.disable:  # as tqdm.unpause, but to the point
            self._bar.start_t += pause
            self._bar.last_print_t += pause

    def _begin_row(self):
        self._losses: list[float] = []
        self._idle = 0.0
        self._since = time.monotonic()

    def _collect(self, *, all_of_them=False):
        """Counts the steps that are done; or waits for all."""
        while self._pending and (all_of_them or self._pending[0][1].done()):
            (begin, end), step = self._pending.popleft()
            self.latest, done = step.result()
            # While it waited for data, the devices may have been busy for some time.
            self._idle += max(0.0, end - max(begin, self._done))
            self._done = done
            self._losses.append(self.latest["loss"])
            self._recent.append(self.latest["loss"])
            self._step += 1
            if done - self._described >= _TERMINAL:
                self._described = done
                self._describe()
            self._bar.update()

    def _describe(self):
        values = {"loss": f"{_mean(self._recent):.3f}"}
        values["lr"] = f"{self._last_rate():.3g}"
        if self.psnr is not None:
            values["psnr"] = f"{self.psnr:.2f}"
        self._bar.set_postfix(values, refresh=False)

    def _last_rate(self):
        # 1e-4 rather than the float32 nearest to it.
        return float(f"{float(self._learning_rate(self._step - 1)):.6g}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._thread.shutdown(cancel_futures=True)
        if self._recent:
            self._describe()
        self._bar.close()


class _Lines:
    """Standard error as a file, where tqdm's carriage returns would not overwrite."""

    def write(self, text: str) -> None:
        if text := text.strip():
            sys.stderr.write(f"{text}\n")

    def flush(self) -> None:
        sys.stderr.flush()


def _fetch(metrics):
    """The metrics as numbers, and when they were ready."""
    values = {name: x.item() for name, x in parallel.unreplicate(metrics).items()}
    return values, time.monotonic()


def _mean(losses):
    finite = [loss for loss in losses if math.isfinite(loss)]
    return statistics.fmean(finite) if finite else math.nan
