"""IGNN (Figure 2): EDSR with a graph of its own patches inside.

Images are NHWC RGB in [0, 255].
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float, Num

from ignn_jax.models.aggregation import GraphAggregation
from ignn_jax.models.edsr import (
    ResBlock,
    Upsample,
    as_images,
    border,
    center_rgb,
    conv,
    kernel_init,
    uncenter_rgb,
    upsample_factors,
)
from ignn_jax.models.embedding import EXACT, make_embedding
from ignn_jax.models.graph import GraphConfig, construct_graph
from ignn_jax.models.non_local import NonLocalBlock
from ignn_jax.ops.bicubic import imresize_jnp
from ignn_jax.ops.regions import Region, mirror_beyond, zero_beyond
from ignn_jax.ops.types import Array


class Encoded(NamedTuple):
    """A part of an image and its features, as `IGNN.decode` takes it.

    lr: float32 [B, H, W, 3] in [0, 255].
    features: F_L, [B, H, W, C], zeros beyond the image; `IGNN.encode` makes them.
    region: where it lies in the image; `None` is the whole image.
    """

    lr: Float[Array, "B H W 3"]
    features: Float[Array, "B H W C"]
    region: Region | None = None


class IGNN(nn.Module):
    """Cross-scale internal graph neural network.

    Attributes:
      scale: 2, 3 or 4.
      features: channels C.
      num_blocks: residual blocks.
      residual_scale: factor of each block's residual.
      dtype: of the convolutions; parameters, distances, statistics and scores are
        float32.
      graph: see GraphConfig.
      centered: whether the mean color is subtracted from the input. Only converted
        weights may need that it is not (see `weights/mean_shift.py`).
    """

    scale: int
    features: int = 256
    num_blocks: int = 32
    residual_scale: float = 0.1
    dtype: str = "float32"
    graph: GraphConfig = GraphConfig()
    centered: bool = True

    @property
    def graph_scale(self) -> int:
        """S of the graph: the first pixel shuffle's, or 1 within one scale."""
        is_cross_scale = self.graph.kind == "cross_scale"
        return upsample_factors(self.scale)[0] if is_cross_scale else 1

    def setup(self):
        features, dtype = self.features, jnp.dtype(self.dtype)
        blocks = [
            ResBlock(features, self.residual_scale, dtype, name=f"block_{n}")
            for n in range(self.num_blocks)
        ]
        position = self.graph.position_among(self.num_blocks)
        self.first_blocks, self.last_blocks = blocks[:position], blocks[position:]
        # Exact, since neighbors may be found by its features.
        self.head = conv(features, 3, dtype=dtype, precision=EXACT)
        if self.graph.kind == "non_local":
            self.non_local = NonLocalBlock(features, dtype)
        else:
            self.embed = make_embedding(
                self.graph.embedding, lambda rgb: self.head(self._center(rgb))
            )
            self.graph_agg = GraphAggregation(
                features, self.graph_scale, self.graph, dtype
            )
        is_residual = self.graph.fusion == "residual"
        last_init = nn.initializers.zeros if is_residual else kernel_init
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
            for n, factor in enumerate(upsample_factors(self.scale))
        ]
        self.tail = conv(3, 3, dtype=dtype)

    def __call__(self, lr: Any) -> Float[Array, "B SH SW 3"]:
        """Super-resolves images: Figure 2, whose right half is `reconstruct`.

        Sows "graph", "lr_features", "aggregated_lr", "aggregated_hr" and, below
        "graph_agg", the "weights" [B, H, W, K] of the HR and of the LR output into the
        collection "intermediates".

        Args:
          lr: [B, H, W, 3] in [0, 255], of any size from 1 x 1, computed with as
            float32.

        Returns:
          float32 [B, S * H, S * W, 3], not clipped.

        Raises:
          InputError: if lr is not [B, H, W, 3], or empty.
        """
        lr = as_images(lr)
        height, width = lr.shape[1:3]
        lr = pad_to(lr, self.graph_scale)  # changes only images of a few pixels
        x0 = self.head(self._center(lr))  # [B, H, W, C]
        features = run(self.first_blocks, x0)  # F_L
        if self.graph.kind == "non_local":
            aggregated = self.non_local(features, features), None
        else:
            scale, config = self.graph_scale, self.graph
            queries, candidates = map(self.embed, (lr, downsample(lr, scale)))
            graph = construct_graph(queries, candidates, scale=scale, config=config)
            self.sow("intermediates", "graph", graph)
            aggregated = self.graph_agg(features, graph)  # at LR and at HR size
        sr = self.reconstruct(x0, features, *aggregated)
        return sr[:, : height * self.scale, : width * self.scale]

    def reconstruct(
        self,
        x0: Float[Array, "B H W C"],
        features: Float[Array, "B H W C"],
        aggregated_lr: Float[Array, "B H W C"],
        aggregated_hr: Float[Array, "B {self.graph_scale}*H {self.graph_scale}*W C"]
        | None,
    ) -> Float[Array, "B {self.scale}*H {self.scale}*W 3"]:
        """The right half of Figure 2: from the graph's output to the SR image.

        Args:
          x0: of the head.
          features: F_L.
          aggregated_lr: what the neighbors give at LR size.
          aggregated_hr: F_L at HR size, [B, S * H, S * W, C]; `None` within one scale.
        """
        self.sow("intermediates", "lr_features", features)
        self.sow("intermediates", "aggregated_lr", aggregated_lr)
        self.sow("intermediates", "aggregated_hr", aggregated_hr)
        x = self._fuse(self.fuse_lr, features, aggregated_lr)
        x = run(self.last_blocks, x)
        x = self.body(x) + x0
        x = self.upsamples[0](x)
        if aggregated_hr is not None:
            x = self._fuse(self.fuse_hr, x, aggregated_hr)
            if self.graph.fusion == "reference":
                x = nn.relu(x)
        x = run(self.upsamples[1:], x)  # at x4
        return uncenter_rgb(self.tail(x))

    def encode(
        self, lr: Float[Array, "B H W 3"], region: Region | None = None
    ) -> Float[Array, "B H W C"]:
        """F_L of a part of an image: what `decode` needs of the whole image.

        An image too large to go through at once is encoded part by part, then decoded
        part by part, with the result of `__call__`.

        Args:
          lr: float32 [B, H, W, 3] in [0, 255].
          region: where it lies; `None` is the whole image.
        """
        lr = as_images(lr)
        with border(region, lr.shape[1]):
            return run(self.first_blocks, self.head(self._center(lr)))

    def decode(
        self, queries: Encoded, candidates: Encoded
    ) -> Float[Array, "B SH SW 3"]:
        """Super-resolves a part of an image.

        Args:
          queries: the part.
          candidates: the part in which its neighbors are searched. Both begin and end
            with patches of their grids, the candidates' S times as large; the
            candidates of the non-local block are the whole image.

        Returns:
          float32 [B, S * H, S * W, 3], not clipped, of `queries`.
        """
        lr, features, region = queries
        if self.graph.kind == "non_local":
            aggregated = self.non_local(features, candidates.features), None
        else:
            scale = self.graph_scale
            small = downsample(candidates.lr, scale, candidates.region)
            source, regions, there = candidates.features, None, None
            if region is not None and candidates.region is not None:
                there = candidates.region.over(scale)
                regions = region, there
                # Pixels that do not fill one of the downsampled image are in no patch.
                source = zero_beyond(source, there.times(scale))
            graph = construct_graph(
                self._embed(lr, region),
                self._embed(small, there),
                scale=scale,
                config=self.graph,
                regions=regions,
            )
            self.sow("intermediates", "graph", graph)
            with border(region, lr.shape[1]):
                aggregated = self.graph_agg(features, graph, source, region)
        with border(region, lr.shape[1]):
            x0 = self.head(self._center(lr))
            return self.reconstruct(x0, features, *aggregated)

    def _center(self, rgb):
        dtype = jnp.dtype(self.dtype)
        return center_rgb(rgb, dtype) if self.centered else rgb.astype(dtype)

    def _embed(self, rgb, region):
        with border(region, rgb.shape[1]):
            return zero_beyond(self.embed(rgb), region)

    def _fuse(self, convolutions, x, y):
        """conv3(relu(conv3([x, y]))), plus x if it is a residual."""
        first, second = convolutions
        z = second(nn.relu(first(jnp.concatenate([x, y], axis=-1))))
        return x + z if self.graph.fusion == "residual" else z


def apply_within(
    model: IGNN, variables: Any, lr: Float[Array, "B H W 3"], region: Region
) -> Float[Array, "B SH SW 3"]:
    """`model.apply` to an image whose size is a number that the program computes.

    Args:
      model: IGNN.
      variables: the model's.
      lr: float32 [B, H, W, 3] in [0, 255], as large as the image or larger.
      region: starts at [0, 0]; its size is the image's.
    """
    features: Any = model.apply(variables, lr, region, method="encode")
    whole = Encoded(lr, zero_beyond(features, region), region)
    sr: Any = model.apply(variables, whole, whole, method="decode")
    return sr


def run(modules: Sequence[nn.Module], x: Array) -> Array:
    """One module after another."""
    for module in modules:
        x = module(x)
    return x


def downsample(
    image: Float[Array, "B H W C"], scale: int, region: Region | None = None
) -> Float[Array, "B h w C"]:
    """Bicubic, [B, H, W, C] in [0, 255] to [B, H // S, W // S, C], not rounded.

    Rows and columns that do not fill a pixel are cut. A part of an image gives what the
    image would give there, except for a few pixels near the part's edges.
    """
    if scale == 1:
        return image
    height, width = (n // scale * scale for n in image.shape[1:3])
    image = image[:, :height, :width]
    if region is not None:
        image = mirror_beyond(image, region.over(scale).times(scale))
    return jnp.clip(imresize_jnp(image, scale=1 / scale), 0, 255)


def pad_to(image: Num[Array, "B H W C"], least: int) -> Num[Array, "B h w C"]:
    """Repeats the last row and column until each side has at least `least` pixels."""
    margins = [(0, max(least - n, 0)) for n in image.shape[1:3]]
    if not any(after for _, after in margins):
        return image
    return jnp.pad(image, [(0, 0), *margins, (0, 0)], mode="edge")
