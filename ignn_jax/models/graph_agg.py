"""GraphAgg*: upscaling by the graph alone, without learning (Figure 4 of the paper)."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Float

from ignn_jax.models.aggregation import aggregate
from ignn_jax.models.edsr import as_images
from ignn_jax.models.embedding import rgb
from ignn_jax.models.graph import GraphConfig, construct_graph
from ignn_jax.models.ignn import downsample
from ignn_jax.ops.types import Array


def graph_agg(
    lr: Float[Array, "B H W 3"],
    *,
    scale: int = 2,
    config: GraphConfig = GraphConfig(),
    embed: Callable[[Any], Array] = rgb,
) -> Float[Array, "B {scale}*H {scale}*W 3"]:
    """Replaces each patch of an image by the mean of its neighbors' HR patches.

    The graph is IGNN's. The HR patches are cut from the LR image itself, averaged, and
    folded to the HR image: none of it is learned, except for what `embed` may be. The
    image is continued by its border pixels. IGNN has zeros there, which are no feature
    at all; in an image they are black, and would darken its edges.

    Args:
      lr: float32 [B, H, W, 3] in [0, 255].
      scale: S, of the graph and of the result.
      config: k, the window, the patches and their normalization. Other fields are not
        used, nor is `embedding`.
      embed: the embedding by which patches are compared, from [B, H, W, 3] to
        [B, H, W, E]; plain color by default. `embedding_of` gives a network's.

    Returns:
      float32 [B, S * H, S * W, 3], not clipped.

    Raises:
      InputError: if lr is not [B, H, W, 3], or empty.
    """
    lr = as_images(lr)
    height, width = lr.shape[1:3]
    # As far as HR patches reach beyond the image, and in whole steps of both grids.
    margin = scale * config.patch_stride * config.patch_size
    lr = jnp.pad(lr, [(0, 0), *[(margin, margin)] * 2, (0, 0)], mode="edge")
    queries, candidates = map(embed, (lr, downsample(lr, scale)))
    graph = construct_graph(queries, candidates, scale=scale, config=config)
    neighbors = graph.indices.shape[-1]
    weights = jnp.full((*lr.shape[:3], neighbors), 1 / neighbors, lr.dtype)
    hr = aggregate(lr, graph, weights, scale=scale, config=config)
    start = scale * margin
    return hr[:, start : start + height * scale, start : start + width * scale]
