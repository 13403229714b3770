"""Several trainings at once, each in a process with its share of the machine."""

import contextlib
import multiprocessing
import os
import pathlib
import signal
import sys
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import NamedTuple

from ml_collections import ConfigDict

from experiments import runs
from ignn_jax.errors import InputError


class Run(NamedTuple):
    """A training: its folder and its config."""

    workdir: pathlib.Path
    config: ConfigDict


def train_all(trainings: Sequence[Run], jobs: int) -> None:
    """Trains each run to its end; those that are finished are passed over.

    Args:
      trainings: the runs.
      jobs: how many at once. One trains in this process, on all devices. Of several,
        each has one GPU, or a share of the processor's cores where there is none.

    Raises:
      InputError: a config cannot be followed (with one job; with several, the process
        prints it and the program ends when the others have finished).
    """
    if jobs == 1:
        for training in trainings:
            runs.train(*training)
        return
    spawn = multiprocessing.get_context("spawn").Process
    waiting = [run for run in trainings if not runs.is_finished(*run)]
    slots: dict[int, SpawnProcess] = {}
    status = 0
    with _passed_on(waiting, slots):
        while waiting or slots:
            for slot in set(range(jobs)) - slots.keys():
                if waiting:
                    slots[slot] = spawn(
                        target=_train, args=(slot, jobs, waiting.pop(0))
                    )
                    slots[slot].start()
            wait([process.sentinel for process in slots.values()])
            for slot, process in list(slots.items()):
                if process.exitcode is not None:
                    if process.exitcode != -signal.SIGTERM:  # sent by us
                        status = status or abs(process.exitcode)
                    del slots[slot]
    if status or not all(runs.is_finished(*run) for run in trainings):
        sys.exit(status)  # the trainings said why


@contextlib.contextmanager
def _passed_on(waiting: list[Run], slots: dict[int, SpawnProcess]) -> Iterator[None]:
    """On a signal, what is running saves and ends, and nothing else begins.

    The terminal sends Ctrl-C to the processes too, but SIGTERM comes to this one alone.
    """

    def stop(number, _):
        waiting.clear()
        if number == signal.SIGTERM:
            for process in slots.values():
                process.terminate()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [(number, signal.signal(number, stop)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _train(slot: int, jobs: int, training: Run) -> None:
    """Trains in a process of its own, which has not yet used a device."""
    gpus = [n for n in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if n]
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus[slot] if gpus[slot:] else str(slot)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[slot % len(cores) :: jobs])
    try:
        runs.train(*training)
    except InputError as error:
        print(f"{training.workdir}: {error}", file=sys.stderr)
        sys.exit(2)
