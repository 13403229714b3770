"""Benchmark sets: found in a folder, and read image by image."""

import os
import pathlib
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ignn_jax.data.layouts import find_pairs, split_apart
from ignn_jax.data.matching import PairFiles
from ignn_jax.data.pairs import Pair, cut_to_scale, match_lr
from ignn_jax.errors import InputError
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.folders import find_subfolder, subfolders
from ignn_jax.pictures.reader import read_rgb

# What is left of an image without its border must hold the window of SSIM.
_SSIM_WINDOW = 11


class Benchmark(NamedTuple):
    """A set of images that was found, but not read.

    Attributes:
      name: the set's name: that of its folder.
      folder: where it is.
      pairs: the files of its images.
      unpaired: (file, reason) of each HR file without an LR file, and of the reverse.
      lr: the folder of the LR images; None where they are to be made.
    """

    name: str
    folder: pathlib.Path
    pairs: list[PairFiles]
    unpaired: list[tuple[pathlib.Path, str]]
    lr: pathlib.Path | None = None


def find_benchmarks(
    data: str | os.PathLike[str], sets: Sequence[str] | None, *, scale: int
) -> list[Benchmark]:
    """Finds several sets in one folder, or takes the folder itself as the only set.

    Args:
      data: the folder; or `HR|LR`, as `find_pairs` takes it.
      sets: which of its subfolders, in any case; None for the folder itself.
      scale: the scale to evaluate at.

    Raises:
      InputError: a folder is missing, a name is given twice, or as `find_benchmark`.
    """
    root, _ = split_apart(data)
    if not os.path.isdir(root):
        raise InputError(f"{root}: no such folder")
    if sets is None:
        return [find_benchmark(data, scale=scale)]
    repeated = [name for name, n in Counter(map(str.lower, sets)).items() if n > 1]
    if repeated:
        raise InputError(f"{repeated[0]} is given twice", field="sets")
    benchmarks = []
    for name in sets:
        folder = find_subfolder(root, re.escape(name))
        if folder is None:
            there = ", ".join(sorted(subfolders(root))) or "no folder"
            raise InputError(
                f"{name}: no such folder in {root}, which holds {there}", field="sets"
            )
        benchmarks.append(find_benchmark(folder, scale=scale))
    return benchmarks


def find_benchmark(folder: str | os.PathLike[str], *, scale: int) -> Benchmark:
    """Finds the images of one set.

    Raises:
      InputError: as `find_pairs`.
    """
    found = find_pairs(folder, scale=scale)
    root, _ = split_apart(folder)
    return Benchmark(root.resolve().name, root, *found)


def read_pair(files: PairFiles, *, scale: int) -> Pair:
    """Reads an image at both resolutions, cut so that one is `scale` times the other.

    HR is cut at the bottom and on the right to a multiple of the scale. If LR was made
    of the whole HR (MATLAB rounds its size up), the last row or column of LR is cut off
    too. Where there is no LR file, LR is made of the cut HR.

    Raises:
      InputError: a file cannot be read, the sizes do not match, or the image is too
        small to be scored.
    """
    hr = read_rgb(files.hr)
    height, width, _ = hr.shape
    if min(height, width) // scale * scale < _SSIM_WINDOW + 2 * scale:
        raise InputError(
            f"{files.hr}: {width} x {height} pixels are too few to be scored at "
            f"x{scale}; {_SSIM_WINDOW + 3 * scale - 1} a side are enough"
        )
    if files.lr is None:
        hr = cut_to_scale(hr, scale)
        return Pair(files.name, imresize(hr, scale=1 / scale), hr, "made")
    try:
        lr, hr, origin = match_lr(read_rgb(files.lr), hr, scale=scale)
    except ValueError as error:
        raise InputError(f"{files.lr}: {error}") from error
    return Pair(files.name, lr, hr, origin)
