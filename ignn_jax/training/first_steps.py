"""The first steps of a run: timed, and traced if that is asked for."""

import datetime
import pathlib
import time

import jax
from tqdm import tqdm

from ignn_jax.training.loop import Update


class FirstSteps:
    """Times the first steps, and traces some of them if that is asked for."""

    # Neither the first step, nor the wait for whatever it left behind.
    TIMED, TRACED = (1, 5), (2, 6)

    def __init__(self, start: int, end: int, trace: pathlib.Path | None = None):
        """Steps start + 1 to end are to come; `trace` is the folder to write to."""
        self._start, self._end, self._trace = start, end, trace
        self._clock = 0.0

    def after(self, update: Update) -> None:
        """To be called after each step; waits for it if it has to."""
        n = update.step - self._start
        if n in self.TIMED or (self._trace and n in self.TRACED):
            jax.block_until_ready(update.metrics)
        if n == self.TIMED[0]:
            self._clock = time.monotonic()
        if n == self.TIMED[1]:
            seconds = (time.monotonic() - self._clock) / (n - self.TIMED[0])
            left = round(seconds * (self._end - update.step))
            tqdm.write(
                f"{seconds:.3g} s a step: about {datetime.timedelta(seconds=left)} for "
                "the steps left"
            )
        if self._trace and n == self.TRACED[0]:
            jax.profiler.start_trace(self._trace)
        if self._trace and n == self.TRACED[1]:
            jax.profiler.stop_trace()
            tqdm.write(f"Trace of {n - self.TRACED[0]} steps: {self._trace}")
