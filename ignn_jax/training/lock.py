"""One run at a time in a workdir."""

import contextlib
import datetime
import os
import pathlib
import socket
import sys
import time

import filelock
import jax
import numpy as np
from jax.experimental import multihost_utils

from ignn_jax.errors import InputError
from ignn_jax.files import check_output_folder, write_text

FILENAME = ".lock"
# Who holds the lock, for the message to others.
HOLDER = ".lock.holder"
# A run gives a sign of life every few seconds. One on another machine that has given
# none for a while is dead. All versions have to agree on these numbers.
_SIGN, _DEATH = 2.0, 60.0


class Lock(contextlib.AbstractContextManager):
    """A context in which no other run may use the workdir.

    It is a lease: a file that says which process holds it, and that its holder touches
    now and then. A dead process of this machine is noticed at once, one of another
    machine after a minute. If a run has several processes, the first one holds it.
    """

    def __init__(self, workdir: pathlib.Path):
        self._workdir = workdir
        self._lease = filelock.SoftFileLease(
            workdir / FILENAME, lease_duration=_DEATH, heartbeat_interval=_SIGN
        )
        now = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
        self._who = f"process {os.getpid()} on {socket.gethostname()}, since {now}"
        self._made: list[pathlib.Path] = []

    def __enter__(self):
        """Makes the folder, and takes it.

        Raises:
          InputError: it cannot be written, or another run holds it.
        """
        error = None
        if jax.process_index() == 0:
            try:
                self._take()
            except InputError as refusal:
                error = refusal
        if multihost_utils.broadcast_one_to_all(np.int32(error is not None)):
            raise error or InputError(
                f"{self._workdir}: process 0 could not take the folder", field="workdir"
            )
        return self

    def __exit__(self, *_):
        """Gives the folder back, and removes what is empty of it."""
        if self._lease.is_locked:
            if self._holder() == self._who:  # and nobody took it over
                (self._workdir / HOLDER).unlink()
            self._lease.release()
        for folder in self._made:
            with contextlib.suppress(OSError):  # the run is in it
                folder.rmdir()

    def check(self) -> None:
        """Refuses to go on if another run took the folder over.

        Raises:
          InputError: it did, as it may after this machine was asleep.
        """
        if self._lease.compromise:
            raise InputError(
                f"{self._workdir}: is no longer this run's: "
                f"{self._holder() or 'somebody removed it'}"
            )

    def _take(self) -> None:
        folders = (self._workdir, *self._workdir.parents)
        self._made = [folder for folder in folders if not os.path.exists(folder)]
        check_output_folder(self._workdir, field="workdir")
        if not self._acquire():
            raise InputError(
                f"{self._workdir}: another run is going on in it: "
                f"{self._holder() or 'unknown'}; wait for its end, or give another "
                "folder",
                field="workdir",
            )
        write_text(self._workdir / HOLDER, self._who)

    def _acquire(self) -> bool:
        """Takes the lease, unless its holder gives a sign of life."""
        begin, before, told = time.monotonic(), self._last_sign(), False

        def is_alive() -> bool:
            nonlocal told
            if time.monotonic() > begin + 2 * _SIGN and not told:
                told = True
                print(
                    f"{self._workdir}: waiting up to {_DEATH:.0f} s for a sign of life "
                    f"of the run that held it: {self._holder() or 'unknown'}",
                    file=sys.stderr,
                )
            return self._last_sign() not in (before, None)

        try:
            self._lease.acquire(timeout=_DEATH + 2 * _SIGN, cancel_check=is_alive)
        except filelock.Timeout:
            return False
        return True

    def _last_sign(self) -> int | None:
        # On a network disk only what is opened is sure to be up to date.
        with contextlib.suppress(OSError), open(self._workdir / FILENAME) as file:
            return os.fstat(file.fileno()).st_mtime_ns
        return None

    def _holder(self) -> str:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return (self._workdir / HOLDER).read_text(encoding="utf-8")
        return ""
