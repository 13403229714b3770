"""Upscaling what was dropped into the page, as `ignn-jax upscale` does it."""

import functools
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ignn_jax.app.sessions import Session, Sessions, StoppedError
from ignn_jax.errors import InputError
from ignn_jax.inference.network import load_network
from ignn_jax.pictures.batch import Options, Outcome, upscale_files
from ignn_jax.pictures.jobs import Job, plan_jobs
from ignn_jax.pictures.upscale import Network, Progress

_TURNS = 8  # of the self-ensemble


class Machine(NamedTuple):
    """How networks are run, as `load_network` has it."""

    tile: int | str | None = "auto"
    device: str | None = None
    dtype: str | None = None
    programs: Path | None = None


@functools.lru_cache(maxsize=2)
def loaded(weights: str, ensemble: bool, machine: Machine) -> Network:
    return load_network(weights, ensemble=ensemble, **machine._asdict())


class Batch:
    """Some pictures that are upscaled one after the other, in a thread of their own.

    Attributes:
      turns: how many times the network sees each picture.
      outcomes: what became of each picture so far.
      share: how much of the present picture is done, from 0 to 1.
      words: what is being done now.
      end: why nothing is done any more, if not because all is done.
    """

    def __init__(
        self,
        sessions: Sessions,
        session: Session,
        files: Sequence[str | Path],
        *,
        weights: str,
        ensemble: bool = False,
        machine: Machine = Machine(),  # noqa: B008
        suffix: str | None = None,
        options: Options = Options(),  # noqa: B008, immutable
    ):
        """Nothing is done before `run`.

        Args:
          sessions, session: of the page.
          files: what was dropped.
          weights, ensemble, machine: of the network.
          suffix: of the results; None for each file's own.
          options: for every picture.
        """
        self._sessions, self._session, self._files = sessions, session, files
        self._settings = weights, ensemble, machine
        self._suffix, self._options = suffix, options
        self.turns = _TURNS if ensemble else 1
        self.outcomes: list[Outcome] = []
        self.share, self.words = 0.0, "Starting"
        self.end: InputError | StoppedError | None = None

    def run(self) -> None:
        """Upscales all; the results are in the folder `results` of the session."""
        try:
            with self._session.work():
                self._run()
        except (StoppedError, InputError) as error:
            # Its traceback would keep the images that were being worked on.
            self.end = error.with_traceback(None)

    def check(self) -> None:
        """Raises StoppedError if the user has stopped it."""
        self._session.check()

    def _run(self) -> None:
        network = loaded(*self._settings)
        jobs = self._jobs(self._options.end_size.label(network.scale))
        for n, job in enumerate(jobs):
            name = job.source.name
            if len(jobs) > 1:
                name = f"{name} ({n + 1} of {len(jobs)})"
            self.share, self.words = 0.0, f"{name}: another page is at work"
            with self._sessions.turn(self._session):
                self.words = f"{name}: starting"
                self.outcomes += upscale_files(
                    network, [job], self._options, progress=_Tiles(self, name).of
                )

    def _jobs(self, label: str) -> list[Job]:
        """Names as on the command line, with a number where two are the same."""
        folder = self._session.new_folder("results")
        planned = plan_jobs(self._files, label=label, suffix=self._suffix).jobs
        jobs: list[Job] = []
        taken: set[str] = set()
        for source, target in planned:
            name, number = target.name, 1
            while name.lower() in taken:
                number += 1
                name = f"{target.stem}_{number}{target.suffix}"
            taken.add(name.lower())
            jobs.append(Job(source, folder / name))
        return jobs


class _Tiles:
    """Tells a batch how far a picture is, tile by tile, and stops between two tiles."""

    def __init__(self, batch: Batch, name: str):
        self._batch, self._name = batch, name
        self._turn, self._start = 0, time.monotonic()

    def of(self, job: Job) -> Progress:
        """The progress of a job, as `upscale_files` asks for it."""
        return self._follow

    def _follow(self, tiles: Sequence) -> Iterator:
        """Wraps the tiles of one turn."""
        batch, count = self._batch, len(tiles)
        if self._turn == batch.turns:  # the transparency is done; now the colors
            self._turn, self._start = 0, time.monotonic()
        for n, tile in enumerate(tiles):
            batch.share = (self._turn + n / count) / batch.turns
            words = f"{self._name}: tile {n + 1} of {count}"
            if batch.turns > 1:
                words += f", turn {self._turn + 1} of {batch.turns}"
            if batch.share > 0:
                seconds = time.monotonic() - self._start
                left = seconds * (1 - batch.share) / batch.share
                words += f", {duration(left)} left"
            batch.words = words
            batch.check()
            yield tile
        batch.check()
        self._turn += 1


def duration(seconds: float) -> str:
    """About how long, in words: "40 seconds", "3 minutes"."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit}s"
    count = max(round(seconds), 1)
    return f"{count} second{'s' * (count > 1)}"


def pack(files: Sequence[Path], path: Path) -> None:
    """Writes a zip of files. Pictures are compressed already."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            archive.write(file, file.name)
