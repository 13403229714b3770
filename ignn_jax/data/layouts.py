"""Benchmark sets in the layouts in which they are found in the wild.

A set is a folder; its layout is found by itself, folders' names in any case:

    image_SRF_2/img_001_SRF_2_HR.png, image_SRF_2/img_001_SRF_2_LR.png
    HR/x2/img_001.png,     LR/x2/img_001.png
    HR/img_001.png,        LR_bicubic/X2/img_001x2.png
    GTmod12/img_001.png,   LRbicx2/img_001.png
    DIV2K_train_HR/0001.png, DIV2K_train_LR_bicubic/X2/0001x2.png
    img_001.png

An LR image has the name of its HR image, with or without the scale after it. Where a
set has no LR images for the scale, they are made.
"""

import pathlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ignn_jax.data.images import list_images, read_rgb
from ignn_jax.data.pairs import Pair
from ignn_jax.errors import InputError
from ignn_jax.ops.bicubic import imresize

# SSIM's window must fit into what is left of an image.
_SMALLEST = 11


class PairFiles(NamedTuple):
    """An image of a benchmark.

    Attributes:
      name: unique in its set.
      hr: its HR file.
      lr: its LR file; None where it is to be made.
    """

    name: str
    hr: pathlib.Path
    lr: pathlib.Path | None = None


class Benchmark(NamedTuple):
    """A set of images, found but not read.

    Attributes:
      name: of the set.
      folder: where it is.
      pairs: its images.
      unpaired: a line for each file that lacks its counterpart.
    """

    name: str
    folder: pathlib.Path
    pairs: list[PairFiles]
    unpaired: list[str] = []  # noqa: RUF012  (never changed)


def find_benchmarks(
    root: pathlib.Path, names: Sequence[str] | None, *, scale: int
) -> list[Benchmark]:
    """The named sets under a folder; without names, the folder itself as one set.

    Args:
      root: the folder.
      names: of its subfolders, in any case.
      scale: at which they are to be evaluated.

    Raises:
      InputError: a folder is missing, a name is given twice, or as `find_benchmark`.
    """
    root = pathlib.Path(root)
    if not root.is_dir():
        raise InputError(f"--data {root}: no such folder")
    if names is None:
        return [find_benchmark(root, scale=scale)]
    repeated = [name for name, n in Counter(map(str.lower, names)).items() if n > 1]
    if repeated:
        raise InputError(f"--sets: {repeated[0]} is given twice")
    benchmarks = []
    for name in names:
        folder = _subfolder(root, name)
        if folder is None:
            there = ", ".join(sorted(p.name for p in root.iterdir() if p.is_dir()))
            raise InputError(
                f"--sets {name}: no such folder in {root}, which holds "
                f"{there or 'no folder'}"
            )
        benchmarks.append(find_benchmark(folder, scale=scale))
    return benchmarks


def find_benchmark(folder: pathlib.Path, *, scale: int) -> Benchmark:
    """The images of one set, in whichever layout it has.

    Raises:
      InputError: there is no image, there are images for other scales only, or there
        are several sets.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a folder of images")
    name = folder.resolve().name
    nested = _subfolder(folder, f"image_SRF_{scale}") or folder
    exemplars = _self_exemplar(nested, scale)
    if exemplars:
        return Benchmark(name, folder, *exemplars)
    _refuse_other_scales(folder, r"image_SRF_(\d)", scale)
    hr = (
        _subfolder(folder, "HR")
        or _subfolder(folder, r"GTmod\d+", pattern=True)
        or _named_hr_folder(folder)
    )
    if hr is None:
        if lonely := _subfolder(folder, r"(.+_)?LR(_bicubic)?", pattern=True):
            raise InputError(f"{lonely}: there is no folder HR beside it")
        return Benchmark(name, folder, _named(list_images(folder), folder))
    for_scale = _subfolder(hr, f"x{scale}")
    if for_scale is None:
        _refuse_other_scales(hr, r"x(\d)", scale)
    lr = _lr_folder(folder, hr, scale)
    hr = for_scale or hr
    pairs = _named(list_images(hr), hr)
    if lr is None:
        return Benchmark(name, folder, pairs)
    return Benchmark(name, folder, *_match(pairs, hr, lr, scale))


def read_pair(files: PairFiles, *, scale: int) -> Pair:
    """Reads an image at both resolutions, cut so that one is `scale` times the other.

    HR is cut at the bottom and the right to a multiple of the scale. Where that took
    something away and LR was made of the whole (MATLAB then rounds the size up), LR's
    last row or column is cut as well. LR is made of the cut HR where none is given.

    Raises:
      InputError: a file cannot be read, the sizes do not match, or the image is too
        small to be scored.
    """
    hr = read_rgb(files.hr)
    full = hr.shape[:2]
    if min(full) // scale * scale < _SMALLEST + 2 * scale:
        raise InputError(
            f"{files.hr}: {full[1]} x {full[0]} pixels are too few to be scored at "
            f"x{scale}; {_SMALLEST + 3 * scale - 1} a side are enough"
        )
    if files.lr is None:
        hr = cut_to_scale(hr, scale)
        return Pair(files.name, imresize(hr, scale=1 / scale), hr, "made")
    try:
        lr, hr, origin = match_lr(read_rgb(files.lr), hr, scale=scale)
    except ValueError as error:
        raise InputError(f"{files.lr}: {error}") from error
    return Pair(files.name, lr, hr, origin)


def cut_to_scale(hr: np.ndarray, scale: int) -> np.ndarray:
    """A view without the last rows and columns that no LR pixel stands for."""
    height, width = (n // scale * scale for n in hr.shape[:2])
    return hr[:height, :width]


def match_lr(
    lr: np.ndarray, hr: np.ndarray, *, scale: int
) -> tuple[np.ndarray, np.ndarray, str]:
    """Cuts a given LR image and its HR image as `read_pair` says.

    Returns:
      Views of LR and of HR, and the origin of LR: "given" or "given, cut".

    Raises:
      ValueError: the sizes do not match.
    """
    full = hr.shape[:2]
    height, width = (n // scale for n in full)
    for n, small in zip(full, lr.shape[:2], strict=True):
        if small not in (n // scale, -(-n // scale)):
            raise ValueError(
                f"is {lr.shape[1]} x {lr.shape[0]}, but 1/{scale} of the HR image "
                f"({full[1]} x {full[0]}) is {width} x {height}"
            )
    cut = lr[:height, :width]
    origin = "given" if cut.shape == lr.shape else "given, cut"
    return cut, cut_to_scale(hr, scale), origin


def _subfolder(folder, name, *, pattern=False):
    """The subfolder of that name, in any case: one written exactly so is preferred."""
    regex = re.compile(name if pattern else re.escape(name), re.IGNORECASE)
    matches = [p for p in folder.iterdir() if p.is_dir() and regex.fullmatch(p.name)]
    return min(matches, key=lambda p: (p.name != name, p.name), default=None)


def _refuse_other_scales(folder, pattern, scale):
    """Raises InputError where the folder has subfolders for scales: none is ours."""
    found = sorted(
        match[0]
        for path in folder.iterdir()
        if path.is_dir() and (match := re.fullmatch(pattern, path.name, re.IGNORECASE))
    )
    if found:
        raise InputError(
            f"{folder}: holds {', '.join(found)}, none for x{scale}; "
            "set the scale to one of these"
        )


def _named_hr_folder(folder):
    """DIV2K_train_HR beside DIV2K_train_LR_bicubic: the one of that kind, or None."""
    names = [path.name for path in folder.iterdir() if path.is_dir()]
    found = sorted(name for name in names if name.lower().endswith("_hr"))
    sides = tuple(name[: -len("HR")].lower() + "lr" for name in found)
    # Without LR images beside it, "_HR" may be a part of any album's name.
    if not any(name.lower().startswith(sides) for name in names):
        return None
    if len(found) > 1:
        raise InputError(
            f"{folder}: holds {', '.join(found)}; give the path of one of them"
        )
    return folder / found[0]


def _lr_folder(folder, hr, scale):
    stem = hr.name[: -len("HR")] if hr.name.lower().endswith("hr") else ""
    for outer in (f"{stem}LR_bicubic", f"{stem}LR"):
        parent = _subfolder(folder, outer)
        inner = parent and _subfolder(parent, f"x{scale}")
        if inner:
            return inner
    return _subfolder(folder, f"LRbicx{scale}")


def _self_exemplar(folder, scale):
    """(pairs, unpaired) of `*_HR` and `*_LR` side by side; None in another layout."""
    suffix = re.compile(rf"(.+?)(?:_SRF_{scale})?_(HR|LR)", re.IGNORECASE)
    needs_scale = folder.name.lower() != f"image_srf_{scale}"
    sides = {"HR": {}, "LR": {}}
    for path in list_images(folder):
        match = suffix.fullmatch(path.stem) if path.parent == folder else None
        # In a folder of any name, "_HR" alone may be a part of a photograph's name.
        if not match or (needs_scale and f"_srf_{scale}_" not in path.stem.lower()):
            continue
        sides[match[2].upper()][match[1]] = path
    if not sides["HR"]:
        return None
    pairs = [
        PairFiles(name, hr, sides["LR"][name])
        for name, hr in sides["HR"].items()
        if name in sides["LR"]
    ]
    return pairs, _unpaired(
        (hr for name, hr in sides["HR"].items() if name not in sides["LR"]),
        (lr for name, lr in sides["LR"].items() if name not in sides["HR"]),
    )


def _named(paths, folder):
    """Images with unique names: the stem, or as much of the path as it takes."""
    relative = [path.relative_to(folder) for path in paths]
    longer_and_longer = [
        [path.stem for path in relative],
        [path.with_suffix("").as_posix() for path in relative],
        [path.as_posix() for path in relative],
    ]
    counts = [Counter(names) for names in longer_and_longer]
    return [
        PairFiles(
            next(n for n, c in zip(names, counts, strict=True) if c[n] == 1), path
        )
        for path, *names in zip(paths, *longer_and_longer, strict=True)
    ]


def _match(pairs, hr_folder, lr_folder, scale):
    """(pairs, unpaired): each HR image with the LR image that bears its name."""
    lr_files = {
        path.relative_to(lr_folder).with_suffix("").as_posix().lower(): path
        for path in list_images(lr_folder)
    }
    matched, missing = [], []
    for name, hr, _ in pairs:
        stem = hr.relative_to(hr_folder).with_suffix("").as_posix().lower()
        bare = re.sub(rf"(_hr)?(_?x{scale})?$", "", stem)
        tags = ("", *(tag + f"x{scale}" for tag in ("", "_", "_lr_", "_lrbi_")), "_lr")
        options = [base + tag for base in (stem, bare) for tag in tags]
        found = next((option for option in options if option in lr_files), None)
        if found is None:
            missing.append(hr)
        else:
            matched.append(PairFiles(name, hr, lr_files.pop(found)))
    return matched, _unpaired(missing, lr_files.values())


def _unpaired(hr: Iterable[pathlib.Path], lr: Iterable[pathlib.Path]) -> list[str]:
    return [f"{path}: its LR image is missing" for path in hr] + [
        f"{path}: its HR image is missing" for path in lr
    ]
