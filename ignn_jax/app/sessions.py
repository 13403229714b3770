"""Open pages: what belongs to each of them, and goes when it is closed.

A page's work runs in threads of the server, so everything here is safe in threads.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Where all files of all pages are until the end of the program.

    Gradio has to be imported inside: it makes folders of its own when it is imported,
    and learns here that it must report to nobody.
    """
    with tempfile.TemporaryDirectory(
        prefix="ignn-jax-app-", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name).resolve()
        os.environ["GRADIO_TEMP_DIR"] = str(folder)
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        yield folder


class StoppedError(Exception):
    """The user stopped the work, or closed the page."""


class Session:
    """One open page.

    Attributes:
      folder: for the files that are made for it.
      uploads: the files that the browser sent.
      shown: what the tabs show, by their own keys.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.uploads: set[Path] = set()
        self.shown: dict[str, Any] = {}
        self._stop = threading.Event()
        self._is_closed = False
        self._works = 0
        self._lock = threading.Lock()

    @contextmanager
    def work(self) -> Iterator[None]:
        """A piece of work, which `stop` ends. Pieces of one page may overlap.

        Raises:
          StoppedError: the page is closed already.
        """
        with self._lock:
            if self._is_closed:
                raise StoppedError
            if self._works == 0:
                self._stop.clear()
            self._works += 1
        try:
            yield
        finally:
            with self._lock:
                self._works -= 1
                is_last = self._is_closed and self._works == 0
            if is_last:
                self._remove()

    def stop(self) -> None:
        """Ends the work at its next `check`."""
        self._stop.set()

    def check(self) -> None:
        """Call it often during the work.

        Raises:
          StoppedError: somebody has called `stop`.
        """
        if self._stop.is_set():
            raise StoppedError

    def close(self) -> None:
        """Ends the work, and removes all files as soon as it has ended."""
        with self._lock:
            self._is_closed = True
            is_idle = self._works == 0
        self.stop()
        if is_idle:
            self._remove()

    def _remove(self) -> None:
        self.shown.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_folder(self, name: str) -> Path:
        """An empty folder; what it held before is removed."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


class Sessions:
    """All open pages, and whose turn it is."""

    def __init__(self, folder: Path):
        """`folder` is where their files are; the caller removes it in the end."""
        self.folder = folder
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def of(self, key: str, uploads: Iterable[str | Path] = ()) -> Session:
        """The session of a page, which is opened if it is new.

        Args:
          key: of the page.
          uploads: files that its browser has sent. They are removed with the page,
            unless another page has sent the same.
        """
        with self._lock:
            if key not in self._open:
                folder = Path(tempfile.mkdtemp(prefix="page-", dir=self.folder))
                self._open[key] = Session(folder)
            session = self._open[key]
            session.uploads.update(map(Path, uploads))
            return session

    def close(self, key: str) -> None:
        """Stops what a page is doing, and removes its files."""
        with self._lock:
            session = self._open.pop(key, None)
            if session is None:
                return
            kept = set().union(*(other.uploads for other in self._open.values()))
            for path in session.uploads - kept:
                path.unlink(missing_ok=True)
                with suppress(OSError):  # gone, or not empty
                    path.parent.rmdir()
        session.close()

    def close_all(self) -> None:
        """Closes every page."""
        for key in list(self._open):
            self.close(key)

    @contextmanager
    def turn(self, session: Session) -> Iterator[None]:
        """Waits until no other page is at work: one picture at a time fits into memory.

        Raises:
          StoppedError: the wait was stopped.
        """
        while not self._turn.acquire(timeout=0.1):
            session.check()
        try:
            session.check()
            yield
        finally:
            self._turn.release()
