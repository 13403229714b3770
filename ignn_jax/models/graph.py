"""Graph construction (Section 3.1): which patches of the downsampled image are near.

The LR image is compared with itself, downsampled by S. Each of its patches is joined to
the K nearest patches there, each of which has an S times larger counterpart in the LR
image: an HR patch of a similar thing.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ignn_jax.models.embedding import EMBEDDINGS
from ignn_jax.ops.patches import Exists, take, unfold
from ignn_jax.ops.search import Grids, nearest_patches

CHOICES = {
    "kind": ("cross_scale", "same_scale", "non_local"),
    "normalization": ("adapn", "none"),
    "edge_weights": ("ecn", "gaussian"),
    "den": ("per_neighbor", "aggregated"),
    "fusion": ("reference", "residual"),
    "embedding": EMBEDDINGS,
    "window_center": ("centered", "reference"),
}


@dataclasses.dataclass(frozen=True)
class GraphConfig:
    """The graph of an IGNN; the defaults are the paper's.

    Attributes:
      kind: "cross_scale" (the paper's), or what Table 2 sets in its place:
        "same_scale" (neighbors in the LR image itself), "non_local" (every pixel
        attends to every pixel; the other fields, but position, are then unused).
      position: residual blocks before the graph; None is half of them.
      neighbors: k.
      window: d, the side of the searched square in cells of the candidates' grid;
        0 is the whole image.
      patch_size: l.
      patch_stride: distance between patches, of queries and candidates alike.
      normalization: "adapn" (Eq. 3) or "none".
      edge_weights: "ecn" (Eq. 2) or "gaussian", exp(-||D||^2 / 10).
      den: "per_neighbor" (as the reference: K LR maps, then their weighted sum) or
        "aggregated" (as the paper's text: once, on the weighted sum; K times cheaper).
      fusion: how features take in the graph's output: "reference", two convolutions
        of both; or "residual", what these give, which is nothing at first, is added: a
        network then begins as the backbone whose parameters it takes. Not the paper's.
      embedding: "vgg19", "backbone" or "rgb".
      window_center: "centered", or "reference" for its windows, off center at scale 3.
    """

    kind: str = "cross_scale"
    position: int | None = None
    neighbors: int = 5
    window: int = 30
    patch_size: int = 3
    patch_stride: int = 2
    normalization: str = "adapn"
    edge_weights: str = "ecn"
    den: str = "per_neighbor"
    fusion: str = "reference"
    embedding: str = "vgg19"
    window_center: str = "centered"

    def __post_init__(self):
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"graph.{name} must be one of {', '.join(choices)}, "
                    f"not {getattr(self, name)!r}"
                )
        if self.neighbors < 1:
            raise ValueError(f"graph.neighbors must be at least 1: {self.neighbors}")
        if self.window < 0:
            raise ValueError(f"graph.window must be 0 (whole) or more: {self.window}")
        if not 1 <= self.patch_stride <= self.patch_size:
            raise ValueError(
                f"graph.patch_stride must be from 1 to graph.patch_size "
                f"({self.patch_size}): {self.patch_stride}"
            )


class Graph(NamedTuple):
    """Each query patch's K nearest patches, the nearest first.

    indices: int32 [B, M1, M2, K], flat into the candidates' grid.
    distances: float32 [B, M1, M2, K], squared Euclidean, in the embedding.
    labels: float32 [B, M1, M2, K, E], |E_q - E_n| summed over the patch.
    exists: which rows and columns of queries are the image's; None: all.
    """

    indices: jax.Array
    distances: jax.Array
    labels: jax.Array
    exists: Exists = (None, None)


def construct_graph(
    queries: jax.Array,
    candidates: jax.Array,
    *,
    scale: int,
    config: GraphConfig,
    grids: Grids | None = None,
) -> Graph:
    """Finds the neighbors and labels the edges.

    Args:
      queries: [B, H, W, E], the embedded LR image.
      candidates: [B, H // S, W // S, E], the embedded downsampled image; at scale 1
        the same as the queries, and no patch is its own neighbor.
      scale: S.
      config: what to search.
      grids: where the patches lie of parts of an image (see `nearest_patches`).
    """
    indices, distances = nearest_patches(
        queries,
        candidates,
        neighbors=config.neighbors,
        window=config.window,
        patch_size=config.patch_size,
        patch_stride=config.patch_stride,
        scale=scale,
        window_center=config.window_center,
        exclude_self=scale == 1,
        grids=grids,
    )
    labels = edge_labels(
        queries, candidates, indices, config.patch_size, config.patch_stride
    )
    if grids is None:
        return Graph(indices, distances, labels)
    exists = grids.queries_exist(indices.shape[1:3])
    return Graph(indices, distances, labels, exists)


def edge_labels(
    queries: jax.Array,
    candidates: jax.Array,
    indices: jax.Array,
    patch_size: int,
    patch_stride: int,
) -> jax.Array:
    """|E_q - E_n|, summed over the patch's pixels: [B, M1, M2, K, E]."""
    query = unfold(queries, patch_size, patch_stride)
    patches = unfold(candidates, patch_size, patch_stride)

    def label(k):
        return jnp.abs(query - take(patches, indices[..., k])).sum(axis=(2, 4))

    # One neighbor's patches at a time.
    labels = jax.lax.map(label, jnp.arange(indices.shape[-1]))
    return jnp.moveaxis(labels, 0, 3)
