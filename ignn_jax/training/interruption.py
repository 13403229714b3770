"""SIGTERM and SIGINT stop a run after its step, or after a validation image."""

import os
import signal
import sys
from typing import Any

import jax
from jax.experimental import multihost_utils


class Interruption:
    """A context that listens for SIGTERM (from a scheduler) and SIGINT (Ctrl-C).

    The first signal is only noted; a second one has its default effect. If the run has
    several processes, a signal to one of them stops all at the same place: JAX's
    preemption service, which listens for SIGTERM, tells the others.
    """

    def __init__(self) -> None:
        self._asked = False
        self._places = 0  # where the run could have stopped so far
        self._before: dict[int, Any] = {}  # the handlers to restore

    def __enter__(self):
        several = jax.process_count() > 1
        for number in (signal.SIGINT,) if several else (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_):
        self._restore()

    def asked(self) -> bool:
        """Whether to stop now; all processes have to ask at the same places."""
        self._places += 1
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(self._places)
        return self._asked

    def _ask(self, *_):
        self._restore()
        self._asked = True
        print("\nStopping soon; again to stop at once", file=sys.stderr)
        if jax.process_count() > 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def _restore(self):
        while self._before:
            signal.signal(*self._before.popitem())
