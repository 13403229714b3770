"""LR images that would be taken for HR images, or would not be used, and are refused.

They are told by the names of their folders and files, and by what they show: an image
with the name of another one, of a fraction of its size, and of the same picture.
"""

import itertools
import pathlib
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from ignn_jax.data.matching import match
from ignn_jax.errors import InputError
from ignn_jax.pictures.folders import (
    IMAGE_SUFFIXES,
    find_subfolder,
    open_file,
    subfolders,
)

_KNOWN = (
    "HR with LR, LR/x2 or LR_bicubic/X2; X_HR with X_LR_bicubic/X2; X_HR_sub with "
    "X_LR_bicubic_sub/x2 or X_LR_bicubic/X2_sub; trainH with trainL; GTmod12 with "
    "LRbicx2; image_SRF_2; NAME_HR.png with NAME_LR.png; HR images alone"
)

_SCALES = (2, 3, 4, 8)
# A folder for one scale.
SCALE = re.compile(r"x([2348])([-_].*)?", re.IGNORECASE)
# Folders, sets and files whose names let expect LR images. The first part of a file's
# name is that of another file.
_LR_FOLDER = re.compile(
    r"(.*[^a-z])?(LR([^a-z].*|bic.*|x\d.*)?|LQ)|low[-_ ]?res(olution)?"
    r"|(train|test|valid?)_?L|(.*[-_])?x[2348]([-_].*)?",
    re.IGNORECASE,
)
_LR_SET = re.compile(
    r"(.+_)?LR(_?(bicubic|bic|unknown|mild|wild|difficult|sub|x\d))*|trainL|testL",
    re.IGNORECASE,
)
_LR_FILE = re.compile(r"(.+?)(_?x[2348]|_LR(BI)?_?(x?\d)?)(_s\d+)?", re.IGNORECASE)
# What may be said of the resolution at the end of a file's name.
_TAG = re.compile(r"(_?(HR|LR(BI)?))?(_?x?[2348])?(?=(_s\d+)?$)", re.IGNORECASE)
# Gray values of two images at this side, if they are of the same picture, correlate.
_SIDE, _CORRELATION = 16, 0.9
_TRIED = 3  # HR images that are looked for in other folders


def refuse_lr(folder: pathlib.Path, paths: Sequence[pathlib.Path]) -> None:
    """Refuses a folder of HR images if it, or something in it, seems to hold LR images.

    Args:
      folder: the folder.
      paths: the images in it.

    Raises:
      InputError: it does.
    """
    suspect = _suspect_name(folder, paths) or _small_copy(paths)
    if suspect:
        raise InputError(
            f"{suspect}: seems to hold LR images, and is in no layout that is known: "
            f"{_KNOWN}; name both folders, as HR|LR, or give {folder}|bicubic if they "
            "are HR images"
        )


def refuse_unused(
    folder: pathlib.Path, paths: Sequence[pathlib.Path], scale: int
) -> None:
    """Refuses a folder of HR images if one beside it seems to hold their LR images.

    Args:
      folder: the folder.
      paths: the images in it.
      scale: of the LR images.

    Raises:
      InputError: there is one.
    """
    tried = paths[:_TRIED]
    for name in sorted(subfolders(folder.parent)):
        beside = folder.parent / name
        if beside == folder or name.startswith("."):
            continue
        for place in filter(None, (beside, find_subfolder(beside, f"x{scale}"))):
            files = {file for path in tried for file in _beside(path, folder, place)}
            pairs, *_ = match(
                tried, files, hr_folder=folder, lr_folder=place, scale=scale
            )
            if any(
                pair.lr and _is_copy(_look(pair.lr), _look(pair.hr), [scale])
                for pair in pairs
            ):
                raise InputError(
                    f"{folder}: {place}, beside it, seems to hold its LR images; give "
                    f"{folder}|{place} to use them, or {folder}|bicubic to have LR made"
                )


def _suspect_name(
    folder: pathlib.Path, paths: Sequence[pathlib.Path]
) -> pathlib.Path | None:
    """The folder, or something in it, that has a name of LR images."""
    own = folder.parent if SCALE.fullmatch(folder.name) else folder
    if _LR_SET.fullmatch(own.name):
        return folder
    stems = {path.stem.lower() for path in paths}
    for path in paths:
        found = _LR_FILE.fullmatch(path.stem.lower())
        if found and {found[1] + (found[5] or ""), f"{found[1]}_hr"} & stems:
            return path
        for parent in reversed(path.relative_to(folder).parents):
            if _LR_FOLDER.fullmatch(parent.name):
                return folder / parent
    return None


def _small_copy(paths: Sequence[pathlib.Path]) -> pathlib.Path | None:
    """An image that is another one of its name in small."""
    named = defaultdict(list)
    for path in paths:
        named[_TAG.sub("", path.stem.lower(), count=1)].append(path)
    # The frames of videos have the same names, video after video: one name is enough.
    groups: dict[tuple[pathlib.Path, ...], list[pathlib.Path]] = {}
    for group in named.values():
        groups.setdefault(tuple(path.parent for path in group), group)
    for group in groups.values():
        if len({_size(path) for path in group}) > 1:
            looks = [(path, _look(path)) for path in group]
            for (lr, small), (_, large) in itertools.permutations(looks, 2):
                if _is_copy(small, large, _SCALES):
                    return lr
    return None


def _beside(
    path: pathlib.Path, folder: pathlib.Path, place: pathlib.Path
) -> list[pathlib.Path]:
    """The images in another folder that are where this one is in its own."""
    parent = place / path.relative_to(folder).parent
    try:
        return [f for f in parent.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES]
    except OSError:  # there is no such folder, or it cannot be read
        return []


class _Look(NamedTuple):
    """An image at first sight: its size, and its gray values in small, less the mean.

    A file that is no image is (0, 0): it is read later, and named.
    """

    size: tuple[int, int] = (0, 0)
    grays: np.ndarray = np.zeros(_SIDE**2, np.float32)


def _size(path: pathlib.Path) -> tuple[int, int]:
    try:
        with open_file(path) as file, Image.open(file) as image:
            return image.size
    except Exception:
        return 0, 0


def _look(path: pathlib.Path) -> _Look:
    try:
        with open_file(path) as file, Image.open(file) as image:
            gray = np.asarray(image.convert("L").resize((_SIDE, _SIDE)), np.float32)
            return _Look(image.size, gray.ravel() - gray.mean())
    except Exception:
        return _Look()


def _is_copy(small: _Look, large: _Look, scales: Collection[int]) -> bool:
    """Whether an image shows what another one does, at 1/scale of its size."""
    sides = list(zip(small.size, large.size, strict=True))
    # LR sides may be rounded up.
    fits = any(all(a in (b // s, -(-b // s)) for a, b in sides) for s in scales)
    a, b = small.grays, large.grays
    return fits and bool(a @ b > _CORRELATION * np.sqrt((a @ a) * (b @ b)))
