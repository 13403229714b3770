"""Evaluation: PSNR and SSIM on Y beside bicubic's, as the field reports them.

LR and HR images are uint8 RGB [H, W, 3]; an upscaler is a function from one to the
other. Borders as wide as the scale are cut before they are compared.
"""

import pathlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from ignn_jax.data.images import list_images, read_rgb
from ignn_jax.data.pipeline import Pair, make_pairs
from ignn_jax.errors import InputError
from ignn_jax.inference.tiles import upscale_tiled
from ignn_jax.metrics import psnr, ssim
from ignn_jax.ops.bicubic import imresize

Upscaler = Callable[[np.ndarray], np.ndarray]


class Score(NamedTuple):
    """PSNR in dB and SSIM, on Y."""

    psnr: float
    ssim: float

    def __str__(self):
        return f"{self.psnr:.2f} dB / {self.ssim:.4f}"


class PairFiles(NamedTuple):
    """An image of a benchmark: its HR file, and its LR file where there is one."""

    name: str
    hr: pathlib.Path
    lr: pathlib.Path | None


def mean_score(scores: Iterable[Score]) -> Score:
    """The mean over images."""
    return Score(*np.mean(list(scores), axis=0).tolist())


def score(sr: np.ndarray, hr: np.ndarray, *, scale: int) -> Score:
    """How well an image matches the original."""
    return Score(psnr(sr, hr, border=scale), ssim(sr, hr, border=scale))


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Rounds and clips to [0, 255]."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def bicubic_upscaler(scale: int) -> Upscaler:
    """MATLAB's bicubic, rounded once at the end."""
    return lambda lr: to_uint8(imresize(lr.astype(np.float64), scale=scale))


def network_upscaler(
    apply: Callable[[Any], Any], *, scale: int, tile: int | None = None
) -> Upscaler:
    """A network's, rounded; whole images, or tiles (`upscale_tiled`).

    Args:
      apply: jitted, float32 [1, h, w, 3] to [1, scale * h, scale * w, 3].
      scale: of the network.
      tile: side of the LR tiles; None or 0 for whole images.
    """
    return lambda lr: to_uint8(
        upscale_tiled(apply, lr.astype(np.float32), scale=scale, tile=tile)
    )


def find_pairs(folder: pathlib.Path, *, scale: int) -> list[PairFiles]:
    """The images of a benchmark folder.

    Either the layout of the self-exemplar sets, `image_SRF_2/*_SRF_2_HR.png` beside
    `*_LR.png` (in the folder or itself such a folder), or a folder of HR images.

    Raises:
      InputError: there is no image.
    """
    folder = pathlib.Path(folder)
    nested = folder / f"image_SRF_{scale}"
    files = list_images(nested if nested.is_dir() else folder)
    high = re.compile(rf"(.+_SRF_{scale})_HR$")
    matches = [(path, high.match(path.stem)) for path in files]
    if not any(match for _, match in matches):
        return [PairFiles(path.stem, path, None) for path in files]
    pairs = []
    for path, match in matches:
        if match:
            low = path.with_name(f"{match[1]}_LR{path.suffix}")
            pairs.append(PairFiles(match[1], path, low if low.is_file() else None))
    return pairs


def read_pair(files: PairFiles, *, scale: int) -> Pair:
    """Reads a pair; HR is cropped to a multiple of the scale, LR made where missing.

    Raises:
      InputError: a file cannot be read, or the sizes do not match.
    """
    hr = read_rgb(files.hr)
    if min(hr.shape[:2]) < scale:
        raise InputError(f"{files.hr}: smaller than the scale, {scale}")
    (made,) = make_pairs([hr], scale=scale)
    if files.lr is None:
        return made
    lr = read_rgb(files.lr)
    if lr.shape != made.lr.shape:
        raise InputError(
            f"{files.lr}: is {lr.shape[1]} x {lr.shape[0]}, but x{scale} smaller than "
            f"{files.hr.name} is {made.lr.shape[1]} x {made.lr.shape[0]}"
        )
    return Pair(lr, made.hr)


def evaluate(
    upscalers: dict[str, Upscaler], pairs: list[PairFiles], *, scale: int
) -> Iterator[tuple[str, dict[str, Score] | InputError]]:
    """Scores upscalers on a benchmark, image by image, with a progress bar.

    Yields:
      (name of the image, {upscaler: Score}), or the error that kept it from being
      read, which concerns that image alone.
    """
    for files in tqdm(pairs, unit="image", leave=False, disable=None):
        try:
            pair = read_pair(files, scale=scale)
            yield (
                files.name,
                {
                    name: score(upscale(pair.lr), pair.hr, scale=scale)
                    for name, upscale in upscalers.items()
                },
            )
        except (InputError, ValueError) as error:
            yield files.name, InputError(f"{files.name}: {error}")


def format_table(rows: dict[str, dict[str, Score]]) -> str:
    """A table of scores: a line per image, and their means."""
    columns = list(next(iter(rows.values())))
    means = {c: mean_score(row[c] for row in rows.values()) for c in columns}
    width = max(map(len, [*rows, "mean"]))
    lines = [" " * width + "".join(f"  {column:>17}" for column in columns)]
    for name, row in [*rows.items(), ("mean", means)]:
        cells = "".join(f"  {row[column]!s:>17}" for column in columns)
        lines.append(f"{name:<{width}}{cells}")
    return "\n".join(lines)
