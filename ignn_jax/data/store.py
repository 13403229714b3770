"""Arrays by key, in a few large files that many processes read and write at once.

A process that stores something writes two files of its own: NAME.pixels holds the bytes
of its arrays one after another, and NAME.index a record for each, with its key and
where it is. A record is written after its pixels are on the disk, so every complete
record can be trusted. Nobody needs a lock, and what a killed process has left is used.
Each file is mapped into memory once, however many arrays it holds.
"""

import contextlib
import errno
import os
import pathlib
import struct
import threading
import time
import uuid
from typing import NamedTuple

import numpy as np

from ignn_jax.errors import InputError

# SHA-256 of the key, offset in the file of pixels, height, width.
_RECORD = struct.Struct("<32sQII")
# A killed process loses what it has stored since the last flush.
_SECONDS_BETWEEN_FLUSHES = 1.0
_DAY = 24 * 3600


class _Place(NamedTuple):
    """Where an array is: in a file of pixels, from a byte on."""

    file: pathlib.Path
    offset: int
    height: int
    width: int

    @property
    def end(self) -> int:
        return self.offset + 3 * self.height * self.width


class ArrayStore:
    """A folder of arrays, each uint8 [H, W, 3] with a key of 32 bytes.

    Threads may use one store together.
    """

    def __init__(self, folder: pathlib.Path):
        """Opens a folder that exists, and removes what is of no use in it."""
        self._folder = folder
        self._places: dict[bytes, _Place] = {}
        self._bytes_read: dict[pathlib.Path, int] = {}  # of each index
        self._maps: dict[pathlib.Path, np.ndarray] = {}
        self._lock = threading.Lock()
        self._writer = _Writer(folder)
        self._next_flush = 0.0
        _remove_unused(folder)
        self._refresh()

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def get(self, key: bytes) -> np.ndarray:
        """The array of a key that is in the store: read-only, not loaded but mapped."""
        place = self._places[key]
        pixels = self._maps.get(place.file)
        if pixels is None or len(pixels) < place.end:  # the file has grown
            # Views of a plain array take half the time of those of a memmap.
            pixels = np.memmap(place.file, np.uint8, "r").view(np.ndarray)
            self._maps[place.file] = pixels
        shape = place.height, place.width, 3
        return pixels[place.offset : place.end].reshape(shape)

    def put(self, key: bytes, array: np.ndarray) -> None:
        """Stores an array; others see it after the next flush, which comes by itself.

        Raises:
          InputError: it cannot be written.
        """
        with self._lock:
            self._places[key] = self._writer.append(key, array)
            if time.monotonic() >= self._next_flush:
                self._flush()

    def flush(self) -> None:
        """Makes all that was put last, and sees what other processes have stored.

        Raises:
          InputError: it cannot be written.
        """
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        self._writer.flush()
        self._refresh()
        self._next_flush = time.monotonic() + _SECONDS_BETWEEN_FLUSHES

    def _refresh(self) -> None:
        """Reads the records that were added since the last time."""
        for index in self._folder.glob("*.index"):
            file = index.with_suffix(".pixels")
            with contextlib.suppress(FileNotFoundError):  # removed by somebody
                start = self._bytes_read.get(index, 0)
                with open(index, "rb") as stream:
                    stream.seek(start)
                    records = stream.read()
                # The last one may be incomplete as yet, or for ever.
                records = records[: len(records) // _RECORD.size * _RECORD.size]
                self._bytes_read[index] = start + len(records)
                size = file.stat().st_size
                for key, *numbers in _RECORD.iter_unpack(records):
                    place = _Place(file, *numbers)
                    if place.end <= size:  # else the file was cut short
                        self._places.setdefault(key, place)


class _Writer:
    """The two files of this process; they are made when there is something to write."""

    def __init__(self, folder: pathlib.Path):
        self._pixels = folder / f"{uuid.uuid4().hex}.pixels"
        self._end = 0
        self._records: list[bytes] = []  # not yet in the index

    def append(self, key: bytes, array: np.ndarray) -> _Place:
        height, width, _ = array.shape
        place = _Place(self._pixels, self._end, height, width)
        data = np.ascontiguousarray(array).data.cast("B")
        with self._naming_errors(), open(self._pixels, "ab") as file:
            if file.tell() < self._end:
                raise OSError(errno.ENOENT, "its files were removed")
            file.truncate(self._end)  # an attempt that failed may have left bytes
            file.write(data)
        self._end = place.end
        self._records.append(_RECORD.pack(key, place.offset, height, width))
        return place

    def flush(self) -> None:
        if not self._records:
            return
        with self._naming_errors():
            with open(self._pixels, "ab") as file:
                os.fsync(file.fileno())
            with open(self._pixels.with_suffix(".index"), "ab") as file:
                # A full disk may have cut the last record short.
                file.truncate(file.tell() // _RECORD.size * _RECORD.size)
                file.write(b"".join(self._records))
        self._records = []

    @contextlib.contextmanager
    def _naming_errors(self):
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self._pixels.parent}: cannot be written: {error.strerror}; choose "
                "another folder",
                field="data.cache",
            ) from error


def _remove_unused(folder: pathlib.Path) -> None:
    """Removes files of pixels that a process left when it was killed very early."""
    for pixels in folder.glob("*.pixels"):
        with contextlib.suppress(FileNotFoundError):  # others do the same
            is_old = pixels.stat().st_mtime < time.time() - _DAY
            if is_old and not pixels.with_suffix(".index").exists():
                pixels.unlink()
