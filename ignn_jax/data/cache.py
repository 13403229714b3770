"""Images that are decoded once, and mapped into memory from then on.

A decoded image is known by the path, the size and the time of the last change of its
file. So a file that is changed is decoded again, unless a tool gave the new file the
size and the time of the old one; in this case delete the cache, which is always safe.
"""

import hashlib
import os
import pathlib
import random
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from ignn_jax.data.pairs import Pair, PairSet, cut_to_scale, match_lr
from ignn_jax.data.sources import Encoded, SourceImage
from ignn_jax.data.store import ArrayStore
from ignn_jax.errors import InputError
from ignn_jax.files import cache_folder, check_output_folder
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.reader import decode_rgb

# Change this when `decode_rgb` or `imresize` give other pixels, or the format changes.
_PROTOCOL = "decoded-v3"
# Each thread holds an image or two.
_THREADS = min(os.cpu_count() or 1, 8)


def load_pairs(
    images: Sequence[SourceImage], *, scale: int, folder: str | os.PathLike[str] = ""
) -> PairSet:
    """Opens images at both resolutions, and first decodes those not in the cache.

    Where no LR image is given, it is MATLAB's bicubic of the whole HR image, cut to a
    multiple of the scale. As in the benchmarks, the pixels at the border of a training
    crop thus depend on what lies beyond it.

    Args:
      images: images with unique names.
      scale: the HR side over the LR side.
      folder: the cache; "" means IGNN_CACHE from the environment or, without it, the
        user's cache folder.

    Returns:
      The images in the same order, mapped read-only. Images that cannot be read, and
      those whose LR image has the wrong size, are in `left_out`.

    Raises:
      InputError: the folder cannot be written, or its disk is too full.
    """
    path = pathlib.Path(folder or cache_folder()).expanduser() / _PROTOCOL
    check_output_folder(path, field="data.cache")
    cache = _Cache(ArrayStore(path), scale)
    reasons: dict[str, str] = {}
    located = {}
    for image in images:
        try:
            located[image.name] = cache.locate(image)
        except _Unusable as error:
            reasons[image.name] = str(error)
    absent = [image for image in located.values() if not cache.has(image)]
    if absent:
        _announce(path, len(absent), sum(_run(cache.missing_bytes, absent)))
        reasons |= cache.decode(absent)
    pairs = []
    for image in images:
        if image.name not in reasons:
            try:
                pairs.append(cache.pair(located[image.name]))
            except _Unusable as error:
                reasons[image.name] = str(error)
    names = [image.name for image in images if image.name in reasons]
    return PairSet(pairs, [(name, reasons[name]) for name in names])


class _Unusable(Exception):
    """Raised for an image that has to be left out; the text says why."""


class _Located(NamedTuple):
    """An image, and the keys of its arrays in the store."""

    image: SourceImage
    hr: bytes
    lr: bytes


class _Cache:
    """The images of one scale in a store."""

    def __init__(self, store: ArrayStore, scale: int):
        self._store = store
        self._scale = scale

    def locate(self, image: SourceImage) -> _Located:
        try:
            hr = image.hr.key()
            lr = image.lr.key() if image.lr else f"{hr} x{self._scale}"
        except OSError as error:
            raise _Unusable(f"cannot be read ({error.strerror})") from error
        return _Located(image, _digest(hr), _digest(lr))

    def has(self, located: _Located) -> bool:
        return located.hr in self._store and located.lr in self._store

    def missing_bytes(self, located: _Located) -> int:
        """How many bytes an image will add to the store; damaged files count as 0."""
        image, hr_key, lr_key = located
        hr, missing = _decoded_bytes(image.hr), 0
        if hr_key not in self._store:
            missing += hr
        if lr_key not in self._store:
            missing += _decoded_bytes(image.lr) if image.lr else hr // self._scale**2
        return missing

    def decode(self, absent: Sequence[_Located]) -> dict[str, str]:
        """Fills the store; returns the names of unusable images, with the reasons."""
        # Runs that start together each take another order, and so share the work.
        shuffled = random.sample(absent, len(absent))
        try:
            failures = _run(self._decode, shuffled, desc="Decoding")
        finally:
            self._store.flush()
        names = (located.image.name for located in shuffled)
        return {n: reason for n, reason in zip(names, failures, strict=True) if reason}

    def _decode(self, located: _Located) -> str | None:
        image, hr_key, lr_key = located
        try:
            if hr_key in self._store:
                hr = self._store.get(hr_key)
            else:
                hr = _decode(image.hr, image.name)
            if lr_key in self._store:
                lr = None
            elif image.lr:
                lr = _decode(image.lr, image.name)
            else:
                lr = _downsample(hr, self._scale)
        except _Unusable as error:
            return str(error)
        if hr_key not in self._store:
            self._store.put(hr_key, hr)
        if lr is not None and lr_key not in self._store:
            self._store.put(lr_key, lr)
        return None

    def pair(self, located: _Located) -> Pair:
        image = located.image
        hr, lr = self._store.get(located.hr), self._store.get(located.lr)
        if image.lr is None:
            hr, origin = cut_to_scale(hr, self._scale), "made"
        else:
            try:
                lr, hr, origin = match_lr(lr, hr, scale=self._scale)
            except ValueError as error:
                raise _Unusable(f"its LR image {error}") from error
        return Pair(image.name, lr, hr, origin, image.weight)


def _digest(key: str) -> bytes:
    # Paths need not be valid UTF-8.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _announce(folder: pathlib.Path, count: int, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise InputError(
            f"{folder}: {count} images take {size / 1e6:,.0f} MB once decoded, and "
            f"{free / 1e6:,.0f} MB are free; choose a folder on a larger disk, or "
            "delete this one if its images are no longer needed",
            field="data.cache",
        )
    print(
        f"Decoding {count} images into {folder}, once: {size / 1e6:,.0f} MB",
        file=sys.stderr,
    )


def _run(function: Callable, items: Sequence, desc: str = "Reading headers") -> list:
    # Decoders release the GIL. The results come in the order of the items.
    with futures.ThreadPoolExecutor(_THREADS) as pool:
        results = pool.map(function, items)
        bar: dict[str, Any] = {"unit": "image", "disable": None, "delay": 2}
        return list(tqdm(results, desc=desc, total=len(items), **bar))


def _decode(file: Encoded, name: str) -> np.ndarray:
    try:
        with file.open() as stream:
            data = stream.read()
    except OSError as error:
        raise _Unusable(f"cannot be read ({error.strerror})") from error
    try:
        return decode_rgb(data, name=name)
    except InputError as error:
        raise _Unusable(str(error).removeprefix(f"{name}: ")) from error


def _downsample(hr: np.ndarray, scale: int) -> np.ndarray:
    if min(hr.shape[:2]) < scale:
        raise _Unusable(f"is smaller than {scale} x {scale}")
    return imresize(cut_to_scale(hr, scale), scale=1 / scale)


def _decoded_bytes(file: Encoded) -> int:
    try:
        with file.open() as stream, Image.open(stream) as image:
            return 3 * image.width * image.height
    except Exception:  # `decode` will say what is wrong with it
        return 0
