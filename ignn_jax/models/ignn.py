"""IGNN (Figure 2): EDSR with a graph of its own patches inside."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from ignn_jax.models.aggregation import GraphAggregation
from ignn_jax.models.edsr import (
    ResBlock,
    Upsample,
    border,
    center_rgb,
    conv,
    kernel_init,
    uncenter_rgb,
    upsample_factors,
)
from ignn_jax.models.embedding import make_embedding
from ignn_jax.models.graph import GraphConfig, construct_graph
from ignn_jax.models.non_local import NonLocalBlock
from ignn_jax.ops.bicubic import imresize_jnp
from ignn_jax.ops.place import Place, mirror_beyond, zero_beyond
from ignn_jax.ops.search import Grids


class Part(NamedTuple):
    """A part of an image, or the whole.

    lr: float32 [B, H, W, 3] in [0, 255].
    features: F_L of it, [B, H, W, C]; zeros beyond the image.
    place: None for the whole image.
    """

    lr: jax.Array
    features: jax.Array
    place: Place | None = None


class IGNN(nn.Module):
    """Cross-scale internal graph neural network.

    It has two halves, for images too large to be computed at once: `encode` needs of
    the image what the convolutions before the graph see, and `decode` also what the
    search does.

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

    def setup(self):
        features, dtype = self.features, jnp.dtype(self.dtype)
        kind, factors = self.graph.kind, upsample_factors(self.scale)
        self.graph_scale = factors[0] if kind == "cross_scale" else 1
        self.position = self.graph.position
        if self.position is None:
            self.position = self.num_blocks // 2

        self.head = conv(features, 3, dtype=dtype)
        self.blocks = [
            ResBlock(features, self.residual_scale, dtype, name=f"block_{n}")
            for n in range(self.num_blocks)
        ]
        if kind == "non_local":
            self.non_local = NonLocalBlock(features, dtype)
        else:
            self.embed = make_embedding(
                self.graph.embedding, lambda rgb: self.head(center_rgb(rgb, dtype))
            )
            self.graph_agg = GraphAggregation(
                features, self.graph_scale, self.graph, dtype
            )
        self.is_residual = self.graph.fusion == "residual"
        last_init = nn.initializers.zeros if self.is_residual else kernel_init
        self.fuse_lr, self.fuse_hr = (
            [
                conv(features, 3, dtype=dtype, name=f"{name}_{n}", kernel_init=init)
                for n, init in enumerate((kernel_init, last_init))
            ]
            for name in ("fuse_lr", "fuse_hr")
        )
        self.body = conv(features, 3, dtype=dtype)
        self.upsamples = [
            Upsample(features, factor, dtype, name=f"upsample_{n}")
            for n, factor in enumerate(factors)
        ]
        self.tail = conv(3, 3, dtype=dtype)

    def __call__(self, lr: jax.Array) -> jax.Array:
        """Super-resolves.

        Sows "graph", "lr_features", "aggregated_lr", "aggregated_hr" and, below
        "graph_agg", the "weights" [B, H, W, K] of the HR and of the LR output into the
        collection "intermediates".

        Args:
          lr: float32 [B, H, W, 3] in [0, 255], of any size from 1 x 1.

        Returns:
          float32 [B, S * H, S * W, 3], not clipped.
        """
        height, width = lr.shape[1:3]
        lr = pad_to(lr, upsample_factors(self.scale)[0])
        whole = Part(lr, self.encode(lr))
        sr = self.decode(whole, whole)
        return sr[:, : height * self.scale, : width * self.scale]

    def encode(self, lr: jax.Array, place: Place | None = None) -> jax.Array:
        """F_L of an image, or a part of one: [B, H, W, 3] to [B, H, W, C]."""
        with border(place, lr.shape[1]):
            x = self.head(center_rgb(lr, jnp.dtype(self.dtype)))
            for block in self.blocks[: self.position]:
                x = block(x)
        return x

    def decode(
        self, queries: Part, candidates: Part, grids: Grids | None = None
    ) -> jax.Array:
        """Super-resolves what is encoded.

        Args:
          queries: what to super-resolve.
          candidates: where to look for its neighbors. Parts of an image begin and end
            with patches of their grids, the candidates' S times as large; those of the
            non-local block are the whole image.
          grids: where those patches lie.

        Returns:
          float32 [B, S * H, S * W, 3], not clipped, of `queries`.
        """
        lr, features, place = queries
        aggregated_lr, aggregated_hr = self._aggregate(queries, candidates, grids)
        with border(place, lr.shape[1]):
            x0 = self.head(center_rgb(lr, jnp.dtype(self.dtype)))
            x = self._fuse(self.fuse_lr, features, aggregated_lr)
            for block in self.blocks[self.position :]:
                x = block(x)
            x = self.body(x) + x0
            for n, upsample in enumerate(self.upsamples):
                x = upsample(x)
                if n == 0 and aggregated_hr is not None:
                    x = self._fuse(self.fuse_hr, x, aggregated_hr)
                    if not self.is_residual:
                        x = nn.relu(x)
            return uncenter_rgb(self.tail(x))

    def _aggregate(self, queries, candidates, grids):
        """F_L's neighbors at LR and at HR size, None where there is but one scale."""
        if self.graph.kind == "non_local":
            return self.non_local(queries.features, candidates.features), None
        scale, place = self.graph_scale, candidates.place
        lr, features = candidates.lr, candidates.features
        if scale > 1:
            lr = downsample(lr, scale, place)
            place = place and place.over(scale)
            # What does not make a whole pixel there is no part of a candidate.
            features = zero_beyond(features, place and place.times(scale))
        graph = construct_graph(
            self._embed(queries.lr, queries.place),
            self._embed(lr, place),
            scale=scale,
            config=self.graph,
            grids=grids,
        )
        with border(queries.place, queries.lr.shape[1]):
            aggregated = self.graph_agg(queries.features, features, graph)
        self.sow("intermediates", "graph", graph)
        self.sow("intermediates", "lr_features", queries.features)
        self.sow("intermediates", "aggregated_lr", aggregated[0])
        self.sow("intermediates", "aggregated_hr", aggregated[1])
        return aggregated

    def _fuse(self, convolutions, x, y):
        """conv3(relu(conv3([x, y]))), plus x if it is a residual."""
        first, second = convolutions
        z = second(nn.relu(first(jnp.concatenate([x, y], axis=-1))))
        return x + z if self.is_residual else z

    def _embed(self, rgb, place):
        with border(place, rgb.shape[1]):
            return zero_beyond(self.embed(rgb), place)


def downsample(image: jax.Array, scale: int, place: Place | None = None) -> jax.Array:
    """Bicubic, [B, H, W, C] in [0, 255] to [B, H // S, W // S, C], not rounded.

    Of a part of an image: what it would be of the image, but for a few pixels near
    those edges of the part that are not the image's.
    """
    height, width = (n // scale * scale for n in image.shape[1:3])
    image = image[:, :height, :width]
    if place is not None:
        image = mirror_beyond(image, place.over(scale).times(scale))
    return jnp.clip(imresize_jnp(image, scale=1 / scale), 0, 255)


def pad_to(image: jax.Array, least: int) -> jax.Array:
    """Repeats the last row and column until each side has at least `least` pixels."""
    margins = [(0, max(least - n, 0)) for n in image.shape[1:3]]
    return jnp.pad(image, [(0, 0), *margins, (0, 0)], mode="edge")
