"""Upscaled images compared with the original by kind of region.

Images are uint8 RGB [H, W, 3]. A region is a block of 8 x 8 LR pixels. It is of one of
three kinds, by the LR image alone:

  smooth     its luma has a standard deviation below 5 gray levels;
  recurring  its patches resemble patches of the downsampled image: the nearest of
             these, adapted in mean and contrast, rebuild it but for 5% of its variance;
  other      neither.
"""

import dataclasses
import functools
import math
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ignn_jax.evaluation.scores import Evaluated, scale_of
from ignn_jax.models.aggregation import aggregate
from ignn_jax.models.embedding import rgb
from ignn_jax.models.graph import GraphConfig, construct_graph
from ignn_jax.models.ignn import downsample
from ignn_jax.ops.color import rgb_to_y

KINDS = ("smooth", "recurring", "other")
SIDE = 8  # LR pixels

_CONTRAST, _REBUILT = 5, 0.05


class RegionScore(NamedTuple):
    """How a method does in the regions of a kind.

    Attributes:
      psnr: in dB, on Y, of all of their pixels together.
      sharpness: the energy of the gradients of Y, as a fraction of the original's; NaN
        if the original has no gradients.
      better: the fraction of regions in which its error is smaller than bicubic's.
    """

    psnr: float
    sharpness: float
    better: float


def kinds_of_regions(
    lr: np.ndarray, *, scale: int, config: GraphConfig = GraphConfig()
) -> np.ndarray:
    """The kind of every whole block of an image.

    Args:
      lr: uint8 [H, W, 3].
      scale: of the graph.
      config: the graph's patches and window. They are compared by color.

    Returns:
      int [H // 8, W // 8], the index of each block's kind in `KINDS`.
    """
    config = dataclasses.replace(config, neighbors=1, normalization="adapn")
    rebuilt = _rebuild(jnp.asarray(lr[None], jnp.float32), scale=scale, config=config)
    y = rgb_to_y(lr)
    variance = _blocks(y, SIDE).var(axis=-1)
    error = np.mean(_blocks(rgb_to_y(np.asarray(rebuilt[0])) - y, SIDE) ** 2, axis=-1)
    return np.where(
        variance < _CONTRAST**2, 0, np.where(error < _REBUILT * variance, 1, 2)
    )


def scores_by_region(
    evaluated: Iterable[Evaluated], *, config: GraphConfig = GraphConfig()
) -> tuple[dict[str, float], dict[str, dict[str, RegionScore]]]:
    """Scores of all images together, apart for each kind of region.

    Args:
      evaluated: images by the same methods, bicubic first; one scale for all.
      config: as `kinds_of_regions` takes it.

    Returns:
      The share of each kind in all blocks, and the scores by kind and method. A kind
      that is nowhere has no scores.
    """
    kinds: list[np.ndarray] = []
    blocks: list[dict[str, np.ndarray]] = []
    for pair, images, _ in evaluated:
        scale = scale_of(pair)
        kinds.append(kinds_of_regions(pair.lr, scale=scale, config=config).ravel())
        every = {"original": pair.hr, **images}
        blocks.append({k: _measure(x, pair.hr, scale) for k, x in every.items()})
    kind = np.concatenate(kinds)
    # By method: the squared error and the gradients' energy of each block.
    found = {key: np.concatenate([b[key] for b in blocks]) for key in blocks[0]}
    original, bicubic = found.pop("original"), next(iter(found.values()))
    shares, scores = {}, {}
    for n, name in enumerate(KINDS):
        where = kind == n
        shares[name] = float(where.mean())
        if where.any():
            scores[name] = {
                method: RegionScore(
                    _psnr(values[where, 0].mean()),
                    _fraction(values[where, 1].sum(), original[where, 1].sum()),
                    float((values[where, 0] < bicubic[where, 0]).mean()),
                )
                for method, values in found.items()
            }
    return shares, scores


@functools.partial(jax.jit, static_argnames=("scale", "config"))
def _rebuild(lr, *, scale, config):
    """The image made of the patches of the downsampled image, in their own size."""
    small = downsample(lr, scale)
    graph = construct_graph(rgb(lr), rgb(small), scale=scale, config=config)
    weights = jnp.ones((*lr.shape[:3], 1))
    return aggregate(lr, graph, weights, scale=1, config=config, candidates=small)


def _measure(image, hr, scale):
    """[blocks, 2]: the mean squared error of each, and its gradients' energy."""
    y = rgb_to_y(image)
    down, right = (
        np.diff(y, axis=0, append=y[-1:]),
        np.diff(y, axis=1, append=y[:, -1:]),
    )
    parts = (y - rgb_to_y(hr)) ** 2, down**2 + right**2
    return np.stack(
        [_blocks(x, SIDE * scale).mean(axis=-1).ravel() for x in parts], axis=-1
    )


def _blocks(image, side):
    """[H, W] to the whole blocks in it, [H // side, W // side, side * side]."""
    rows, columns = (n // side for n in image.shape)
    image = image[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return image.swapaxes(1, 2).reshape(rows, columns, side * side)


def _psnr(error):
    return 10 * math.log10(255**2 / error) if error else math.inf


def _fraction(part, whole):
    return float(part / whole) if whole else math.nan
