"""SIGTERM and SIGINT: an order to save and to stop, not to die."""

import os
import signal
import sys

import jax
from jax.experimental import multihost_utils


class Interruption:
    """Listens, as a context, for SIGTERM (a scheduler's) and SIGINT (Ctrl-C).

    The first only leaves word of itself; a second one does what it does by default.
    Where the run has several processes, an order to one reaches all, and they stop
    after the same step (JAX's preemption service, which listens to SIGTERM).
    """

    def __init__(self):
        self._asked = False
        self._before = {}

    def __enter__(self):
        several = jax.process_count() > 1
        for number in (signal.SIGINT,) if several else (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_):
        self._restore()

    def asked(self, step: int) -> bool:
        """Whether to stop after this step; to be called after each by each process."""
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self._asked

    def _ask(self, *_):
        self._restore()
        self._asked = True
        print("\nStopping after this step; again to stop at once", file=sys.stderr)
        if jax.process_count() > 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def _restore(self):
        while self._before:
            signal.signal(*self._before.popitem())
