"""Pairs of pictures that are compared: which belong together, and how they differ."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps

from ignn_jax.errors import InputError
from ignn_jax.evaluation.metrics import psnr, ssim
from ignn_jax.evaluation.scores import Score
from ignn_jax.ops.color import rgb_to_y
from ignn_jax.pictures.reader import read_rgb

# Of 255, in the difference map: whatever differs more is as bright as it gets.
_BRIGHTEST = 32


class Compared(NamedTuple):
    """Two pictures of one size, uint8 RGB [H, W, 3], and their score."""

    a: np.ndarray
    b: np.ndarray
    score: Score

    def difference(self) -> np.ndarray:
        """The absolute difference on Y as colors, uint8 [H, W, 3]: black is none."""
        brightness = np.abs(rgb_to_y(self.a) - rgb_to_y(self.b)) / _BRIGHTEST
        colors = colormaps["inferno"](brightness.clip(0, 1), bytes=True)
        return np.ascontiguousarray(colors[..., :3])


def pair_up(
    first: Sequence[str | Path], second: Sequence[str | Path]
) -> list[tuple[Path, Path]]:
    """Pictures of the same name belong together, or else those in the same place.

    Raises:
      InputError: there are not as many, or only some of the names are the same.
    """
    a, b = ([Path(path) for path in paths] for paths in (first, second))
    if len(a) != len(b):
        raise InputError(
            f"{len(a)} and {len(b)} pictures; give as many on the left as on the right"
        )
    by_name = {path.stem: path for path in b}
    same = [path for path in a if path.stem in by_name]
    if len(by_name) == len(b) and len(same) == len(a):
        return [(path, by_name[path.stem]) for path in a]
    if len(a) > 1 and same:
        other = next(path for path in a if path.stem not in by_name)
        raise InputError(f"{other.name}: no picture of this name on the right")
    return list(zip(a, b, strict=True))


def compare(a: Path, b: Path, *, border: int) -> Compared:
    """Reads two pictures and compares them on Y.

    Args:
      a, b: files.
      border: pixels to leave out on every side.

    Raises:
      InputError: one cannot be read, they differ in size, or little is left of them.
    """
    first, second = read_rgb(a), read_rgb(b)
    if first.shape != second.shape:
        sizes = [f"{x.shape[1]} x {x.shape[0]}" for x in (first, second)]
        raise InputError(
            f"{a.name}: is {sizes[0]}, and {b.name} {sizes[1]}; give pictures of the "
            "same size"
        )
    try:
        score = Score(
            psnr(first, second, border=border), ssim(first, second, border=border)
        )
    except ValueError as error:
        raise InputError(f"{a.name}: {error}", field="border") from error
    return Compared(first, second, score)
