"""Images decoded once, into files that are mapped into memory and never loaded whole.

The cache is a folder of `.npy` files, uint8 [H, W, 3], named by the SHA-256 of the
encoded file that they come from: `HASH.npy` is the image, `HASH.x2.npy` the LR image
made of it. Each is written aside and renamed, so that no lock is needed: runs that
start at once share the work, and after a kill the next run goes on where this one was.
"""

import contextlib
import hashlib
import io
import os
import pathlib
import random
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent import futures

import numpy as np
from PIL import Image
from tqdm import tqdm

from ignn_jax.data.images import decode_rgb
from ignn_jax.data.layouts import cut_to_scale, match_lr
from ignn_jax.data.pairs import Pair, PairSet
from ignn_jax.data.sources import SourceImage
from ignn_jax.errors import InputError
from ignn_jax.files import cache_folder, check_output_folder, write_bytes
from ignn_jax.ops.bicubic import imresize

# To be changed when `decode_rgb` or `imresize` give other pixels than before.
_PROTOCOL = "decoded-v1"
# Each thread holds one decoded image or two.
_THREADS = min(os.cpu_count() or 1, 8)
_DAY = 24 * 3600


def load_pairs(
    images: Sequence[SourceImage], *, scale: int, folder: str | os.PathLike[str] = ""
) -> PairSet:
    """Opens images at both resolutions; what the cache lacks is decoded first.

    LR is MATLAB's bicubic of the whole image, cut to a multiple of the scale: as in the
    benchmarks, a crop's border pixels saw their neighbors.

    Args:
      images: whose names are unique.
      scale: the HR side over the LR side.
      folder: of the cache; "" for the environment's IGNN_CACHE or, without, the
        user's cache folder.

    Returns:
      The images in their order, mapped read-only. Damaged files, and those whose LR
      image has the wrong size, are in `left_out`.

    Raises:
      InputError: the folder cannot be written or its disk is too full, or the system
        does not let a process open so many files.
    """
    cache = _Cache(_open_folder(folder), scale)
    _allow_open_files(2 * len(images))
    found = _run(cache.find, images, desc="Looking for images", delay=2)
    absent = [n for n, outcome in enumerate(found) if isinstance(outcome, int)]
    if absent:
        cache.announce(len(absent), sum(found[n] for n in absent))
        # Of runs that start at once, each has its own order, and so its own share.
        random.shuffle(absent)
        made = _run(cache.make, [images[n] for n in absent], desc="Decoding")
        for n, outcome in zip(absent, made, strict=True):
            found[n] = outcome
    return PairSet(
        [outcome for outcome in found if isinstance(outcome, Pair)],
        [
            (image.name, outcome)
            for image, outcome in zip(images, found, strict=True)
            if isinstance(outcome, str)
        ],
    )


class _Unusable(Exception):
    """An image that has to be left out; the text says why."""


class _Cache:
    """The files for one scale."""

    def __init__(self, folder: pathlib.Path, scale: int):
        self._folder = folder
        self._scale = scale

    def find(self, image: SourceImage) -> Pair | int | str:
        """The pair; or how many bytes it will take; or why there can be none."""
        try:
            hr_file, lr_file = _read(image)
            hr_path, lr_path = self._paths(hr_file, lr_file)
            hr, lr = _map(hr_path), _map(lr_path)
            if hr is not None and lr is not None:
                return self._pair(image, hr, lr, made=lr_file is None)
        except _Unusable as reason:
            return str(reason)
        missing = 0
        if hr is None:
            missing += _decoded_size(hr_file)
        if lr is None:
            made = _decoded_size(hr_file) // self._scale**2
            missing += _decoded_size(lr_file) if lr_file else made
        return missing

    def make(self, image: SourceImage) -> Pair | str:
        """The pair, its files made if they are not there; or why there can be none."""
        try:
            hr_file, lr_file = _read(image)
            hr_path, lr_path = self._paths(hr_file, lr_file)
            hr = self._store(hr_path, lambda: _decode(image.name, hr_file))
            if lr_file is None:
                lr = self._store(lr_path, lambda: _downsample(hr, self._scale))
            else:
                lr = self._store(lr_path, lambda: _decode(image.name, lr_file))
            return self._pair(image, hr, lr, made=lr_file is None)
        except _Unusable as reason:
            return str(reason)

    def announce(self, count: int, size: int) -> None:
        """Says what will be done.

        Raises:
          InputError: the disk is too full for it.
        """
        free = shutil.disk_usage(self._folder).free
        if free < size:
            raise InputError(
                f"data.cache {self._folder}: {count} images take {size / 1e6:,.0f} MB "
                f"once decoded, and {free / 1e6:,.0f} MB are free; set data.cache to a "
                "folder on a larger disk, or remove what is old in this one"
            )
        print(
            f"Decoding {count} images into {self._folder}, this once: "
            f"{size / 1e6:,.0f} MB",
            flush=True,
        )

    def _paths(self, hr: bytes, lr: bytes | None) -> tuple[pathlib.Path, pathlib.Path]:
        hr_hash = hashlib.sha256(hr).hexdigest()
        if lr is None:
            lr_name = f"{hr_hash}.x{self._scale}.npy"
        else:
            lr_name = f"{hashlib.sha256(lr).hexdigest()}.npy"
        return self._folder / f"{hr_hash}.npy", self._folder / lr_name

    def _store(self, path: pathlib.Path, make: Callable[[], np.ndarray]) -> np.ndarray:
        array = _map(path)
        if array is not None:
            return array
        file = io.BytesIO()
        np.save(file, make())
        try:
            write_bytes(path, file.getbuffer())
        except InputError as error:
            raise InputError(
                f"data.cache {error}; set data.cache to another folder"
            ) from error
        return _map(path)

    def _pair(
        self, image: SourceImage, hr: np.ndarray, lr: np.ndarray, *, made: bool
    ) -> Pair:
        if made:
            lr, hr, origin = lr, cut_to_scale(hr, self._scale), "made"
        else:
            try:
                lr, hr, origin = match_lr(lr, hr, scale=self._scale)
            except ValueError as error:
                raise _Unusable(f"its LR image {error}") from error
        return Pair(image.name, lr, hr, origin, image.weight)


def _open_folder(folder: str | os.PathLike[str]) -> pathlib.Path:
    folder = pathlib.Path(folder or cache_folder()).expanduser() / _PROTOCOL
    check_output_folder(folder, field="data.cache")
    for path in folder.glob(".*.part"):  # of runs that were killed
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - _DAY:
                path.unlink()
    return folder


def _allow_open_files(count: int) -> None:
    """Lets this process open so many files more: mapped ones stay open.

    Raises:
      InputError: the system does not allow it.
    """
    needed = len(os.listdir("/dev/fd")) + count + 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return
    if hard < needed and hard != resource.RLIM_INFINITY:
        raise InputError(
            f"data.train: {count} files have to be open at once, and this system "
            f"allows {hard}; raise it with 'ulimit -n {needed}', or give fewer images"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _run(function: Callable, images: Sequence[SourceImage], **bar) -> list:
    # Decoders and hashes release the GIL. The pool keeps the order.
    with futures.ThreadPoolExecutor(_THREADS) as pool:
        outcomes = pool.map(function, images)
        total = len(images)
        return list(tqdm(outcomes, total=total, unit="image", disable=None, **bar))


def _read(image: SourceImage) -> tuple[bytes, bytes | None]:
    try:
        return image.read()
    except OSError as error:
        raise _Unusable(f"cannot be read ({error.strerror})") from error


def _decode(name: str, file: bytes) -> np.ndarray:
    try:
        return decode_rgb(file, name=name)
    except InputError as error:
        raise _Unusable(str(error).removeprefix(f"{name}: ")) from error


def _downsample(hr: np.ndarray, scale: int) -> np.ndarray:
    if min(hr.shape[:2]) < scale:
        raise _Unusable(f"is smaller than {scale} x {scale}")
    return imresize(cut_to_scale(hr, scale), scale=1 / scale)


def _decoded_size(file: bytes) -> int:
    """Bytes of the decoded image by the file's header, 0 if it is damaged."""
    try:
        with Image.open(io.BytesIO(file)) as image:
            return 3 * image.width * image.height
    except Exception:  # `make` will say what it is
        return 0


def _map(path: pathlib.Path) -> np.ndarray | None:
    """The array in a file; None if it is not there, or was cut short."""
    try:
        # A plain array is sliced in half the time.
        return np.load(path, mmap_mode="r").view(np.ndarray)
    except (OSError, ValueError, EOFError):
        return None
