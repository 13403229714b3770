"""Upscalers: functions from an LR image to an HR image, uint8 RGB [H, W, 3] both."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from ignn_jax.inference.ensemble import self_ensemble
from ignn_jax.inference.tiles import AUTO, TiledNetwork
from ignn_jax.models.embedding import rgb
from ignn_jax.models.graph import GraphConfig
from ignn_jax.models.graph_agg import graph_agg
from ignn_jax.ops.bicubic import imresize

Upscaler = Callable[[np.ndarray], np.ndarray]


def upscaler(
    model: nn.Module,
    variables: Mapping[str, Any],
    *,
    tile: int | str | None = AUTO,
    ensemble: bool = False,
    devices: Sequence[jax.Device] | None = None,
) -> Upscaler:
    """A network as a function of images of any size.

    Args:
      model: IGNN or EDSR.
      variables: what `model.apply` takes.
      tile: side of the tiles that an image goes through in, in LR pixels; "auto" for
        the largest that fit into memory; None or 0 for whole images. The result is the
        same.
      ensemble: average over the 8 flips and rotations (IGNN+), 8 times slower.
      devices: that share the tiles; all local ones by default.

    Returns:
      A function from uint8 [H, W, 3] to uint8 [S*H, S*W, 3], rounded and clipped.

    Raises:
      InputError: there is no such tile.
    """
    run = TiledNetwork(model, variables, tile=tile, devices=devices)
    apply = self_ensemble(run) if ensemble else run
    return lambda lr: to_uint8(apply(_checked(lr).astype(np.float32)))


def bicubic_upscaler(scale: int) -> Upscaler:
    """MATLAB's bicubic, rounded once at the end."""
    return lambda lr: to_uint8(imresize(_checked(lr).astype(np.float64), scale=scale))


def graph_agg_upscaler(
    scale: int,
    *,
    config: GraphConfig = GraphConfig(),
    embed: Callable[[Any], jax.Array] = rgb,
) -> Upscaler:
    """GraphAgg*, the graph without learning; arguments are those of `graph_agg`."""
    apply = jax.jit(
        functools.partial(graph_agg, scale=scale, config=config, embed=embed)
    )
    return lambda lr: to_uint8(
        np.asarray(apply(_checked(lr)[None].astype("float32")))[0]
    )


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Rounds and clips to [0, 255]."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _checked(lr: np.ndarray) -> np.ndarray:
    if lr.dtype != np.uint8 or lr.ndim != 3 or lr.shape[-1] != 3:
        raise ValueError(f"lr must be uint8 [H, W, 3], not {lr.dtype} {lr.shape}")
    return lr
