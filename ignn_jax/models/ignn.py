"""IGNN (Figure 2): EDSR with a graph of its own patches inside."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from ignn_jax.models.aggregation import GraphAggregation
from ignn_jax.models.baselines import NonLocalBlock
from ignn_jax.models.edsr import (
    ResBlock,
    Upsample,
    center_rgb,
    conv,
    uncenter_rgb,
    upsample_factors,
)
from ignn_jax.models.embedding import make_embedding
from ignn_jax.models.graph import GraphConfig, construct_graph
from ignn_jax.ops.bicubic import imresize_jnp


class IGNN(nn.Module):
    """Cross-scale internal graph neural network.

    Attributes:
      scale: 2, 3 or 4.
      features: channels C.
      num_blocks: residual blocks.
      residual_scale: factor of each block's residual.
      dtype: of the convolutions; parameters, distances, statistics and edge weights
        are float32.
      graph: see GraphConfig.
    """

    scale: int
    features: int = 256
    num_blocks: int = 32
    residual_scale: float = 0.1
    dtype: str = "float32"
    graph: GraphConfig = GraphConfig()

    @nn.compact
    def __call__(self, lr: jax.Array) -> jax.Array:
        """Super-resolves.

        Sows "graph", "lr_features", "aggregated_lr", "aggregated_hr" and, below
        "graph_agg", each neighbor's "neighbors_hr" and the "weights" [B, H, W, K] of
        the HR maps into the collection "intermediates".

        Args:
          lr: float32 [B, H, W, 3] in [0, 255], of any size from 1 x 1.

        Returns:
          float32 [B, S * H, S * W, 3], not clipped.
        """
        dtype, features = jnp.dtype(self.dtype), self.features
        height, width = lr.shape[1:3]
        lr = pad_to(lr, upsample_factors(self.scale)[0])

        head = conv(features, 3, dtype=dtype, name="head")
        x0 = head(center_rgb(lr, dtype))
        position = self.graph.position
        if position is None:
            position = self.num_blocks // 2
        x = self._blocks(x0, range(position))
        x, hr = self._aggregate(lr, head, x)
        x = self._blocks(x, range(position, self.num_blocks))
        x = conv(features, 3, dtype=dtype, name="body")(x) + x0
        for n, factor in enumerate(upsample_factors(self.scale)):
            x = Upsample(features, factor, dtype, name=f"upsample_{n}")(x)
            if n == 0 and hr is not None:
                x = nn.relu(self._fuse(x, hr, "fuse_hr"))
        sr = uncenter_rgb(conv(3, 3, dtype=dtype, name="tail")(x))
        return sr[:, : height * self.scale, : width * self.scale]

    def _blocks(self, x, numbers):
        for n in numbers:
            block = ResBlock(
                self.features,
                self.residual_scale,
                jnp.dtype(self.dtype),
                name=f"block_{n}",
            )
            x = block(x)
        return x

    def _aggregate(self, lr, head, features):
        """F_L to F'_L, and F_L at HR size (None where the graph has only one scale)."""
        dtype, kind = jnp.dtype(self.dtype), self.graph.kind
        if kind == "non_local":
            aggregated = NonLocalBlock(self.features, dtype, name="non_local")(features)
            return self._fuse(features, aggregated, "fuse_lr"), None
        embed = make_embedding(
            self.graph.embedding, lambda rgb: head(center_rgb(rgb, dtype))
        )
        queries = candidates = embed(lr)
        scale = 1
        if kind == "cross_scale":
            scale = upsample_factors(self.scale)[0]
            candidates = embed(downsample(lr, scale))
        graph = construct_graph(queries, candidates, scale=scale, config=self.graph)
        aggregation = GraphAggregation(
            self.features, scale, self.graph, dtype, name="graph_agg"
        )
        aggregated_lr, aggregated_hr = aggregation(features, graph)
        self.sow("intermediates", "graph", graph)
        self.sow("intermediates", "lr_features", features)
        self.sow("intermediates", "aggregated_lr", aggregated_lr)
        self.sow("intermediates", "aggregated_hr", aggregated_hr)
        return self._fuse(features, aggregated_lr, "fuse_lr"), aggregated_hr

    def _fuse(self, x, y, name):
        """conv3(relu(conv3([x, y])))."""
        dtype = jnp.dtype(self.dtype)
        x = jnp.concatenate([x, y], axis=-1)
        x = conv(self.features, 3, dtype=dtype, name=f"{name}_0")(x)
        return conv(self.features, 3, dtype=dtype, name=f"{name}_1")(nn.relu(x))


def downsample(image: jax.Array, scale: int) -> jax.Array:
    """Bicubic, [B, H, W, C] in [0, 255] to [B, H // S, W // S, C], not rounded."""
    height, width = (n // scale * scale for n in image.shape[1:3])
    image = imresize_jnp(image[:, :height, :width], scale=1 / scale)
    return jnp.clip(image, 0, 255)


def pad_to(image: jax.Array, least: int) -> jax.Array:
    """Repeats the last row and column until each side has at least `least` pixels."""
    margins = [(0, max(least - n, 0)) for n in image.shape[1:3]]
    return jnp.pad(image, [(0, 0), *margins, (0, 0)], mode="edge")
