"""What is told of a run at its start: its size, its cost, how long it will take."""

import datetime
import pathlib
import time
from typing import Any

import jax
from tqdm import tqdm

from ignn_jax.training.parallel import Cost
from ignn_jax.training.step import TrainState


def describe(state: TrainState, cost: Cost) -> str:
    """Parameters, devices and the cost of a step, in two lines."""
    parameters = sum(x.size for x in jax.tree.leaves(state.params))
    kinds = sorted({device.device_kind for device in jax.devices()})
    processes = jax.process_count()
    return (
        f"{parameters:,} parameters; {jax.device_count()} x {', '.join(kinds)}"
        + f", {processes} processes" * (processes > 1)
        + f"\nA step: {cost.flops / 1e9:,.1f} GFLOP, about {cost.memory / 1e9:.2f} GB "
        + f"on each device; compiled in {cost.compilation:.0f} s"
    )


class FirstSteps:
    """Times the first steps, and traces some of them where that is asked for."""

    # Not the first step, nor the wait for what it left behind.
    TIMED, TRACED = (1, 5), (2, 6)

    def __init__(self, start: int, end: int, trace: pathlib.Path | None = None):
        """Steps start + 1 to end are to come; `trace` is the folder to write to."""
        self._start, self._end, self._trace = start, end, trace
        self._clock = 0.0

    def after(self, step: int, metrics: Any) -> None:
        """To be called after each step; waits for it where it has to."""
        n = step - self._start
        if n in self.TIMED or (self._trace and n in self.TRACED):
            jax.block_until_ready(metrics)
        if n == self.TIMED[0]:
            self._clock = time.monotonic()
        if n == self.TIMED[1]:
            seconds = (time.monotonic() - self._clock) / (n - self.TIMED[0])
            left = datetime.timedelta(seconds=round(seconds * (self._end - step)))
            tqdm.write(f"{seconds:.3g} s a step: about {left} in all for those left")
        if self._trace and n == self.TRACED[0]:
            jax.profiler.start_trace(self._trace)
        if self._trace and n == self.TRACED[1]:
            jax.profiler.stop_trace()
            tqdm.write(f"Trace of {n - self.TRACED[0]} steps: {self._trace}")
