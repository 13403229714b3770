"""Patch aggregation (Section 3.2): the neighbors' HR patches become features.

Each query's neighbors are gathered from F_L, adapted to the query (AdaPN) and folded to
one HR map for each of the K; ECN turns edge labels into weights. The weighted sum of
the maps is F_L at HR size, and DEN brings them down to LR size. The maps are made one
after another and never exist together.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from ignn_jax.errors import InputError
from ignn_jax.models.edsr import conv, kernel_init
from ignn_jax.models.graph import GraphConfig
from ignn_jax.ops.loop import sum_over
from ignn_jax.ops.patches import fold, repeat, spread, take, unfold
from ignn_jax.ops.regions import Region
from ignn_jax.ops.search import Graph
from ignn_jax.ops.types import Array

# Channels of ECN, as in the reference.
ECN_FEATURES = 64


class NeighborPatches(NamedTuple):
    """All that the HR maps of the neighbors are made of.

    patches: [B, N1, S * P, N2, S * P, C], of the candidates, normalized.
    std, mean: [B, M1, 1, M2, 1, C], of the queries; 1 and 0 without AdaPN.
    indices: int32 [B, M1, M2, K], of each query's neighbors.
    region: of the queries if they are part of an image.
    """

    patches: Float[Array, "B N1 SP N2 SP C"]
    std: Float[Array, "B M1 1 M2 1 C"] | int
    mean: Float[Array, "B M1 1 M2 1 C"] | int
    indices: Int[Array, "B M1 M2 K"]
    region: Region | None


def neighbor_patches(
    features: Float[Array, "B H W C"],
    graph: Graph,
    *,
    scale: int,
    config: GraphConfig,
    candidates: Float[Array, "B h w C"] | None = None,
    region: Region | None = None,
) -> NeighborPatches:
    """Does once what all neighbors share. Arguments are those of `aggregate`."""
    size, stride = config.patch_size, config.patch_stride
    candidates = features if candidates is None else candidates
    height, width = (n // scale * scale for n in candidates.shape[1:3])
    patches = unfold(candidates[:, :height, :width], size, stride, scale=scale)
    if config.normalization == "none":
        return NeighborPatches(patches, 1, 0, graph.indices, region)
    # The candidates' side of Eq. 3 depends on no query: computed once, not per edge.
    mean, std = patch_statistics(patches)
    patches = ((patches.astype(mean.dtype) - mean) / std).astype(features.dtype)
    mean, std = (
        x.astype(features.dtype)
        for x in patch_statistics(unfold(features, size, stride))
    )
    return NeighborPatches(patches, std, mean, graph.indices, region)


def neighbor_map(
    k: Int[Array, ""] | int,
    neighbors: NeighborPatches,
    size: tuple[int, int],
    *,
    scale: int,
    config: GraphConfig,
) -> Float[Array, "B {scale}*{size[0]} {scale}*{size[1]} C"]:
    """The HR map of each query's k-th neighbor, of an LR image of this size."""

    # Computed again for the backward pass: stored, K maps would need the most memory.
    @jax.checkpoint
    def make(k, neighbors):
        patches, std, mean, indices, region = neighbors
        adapted = take(patches, indices[..., k]) * std + mean  # AdaPN, Eq. 3
        return fold(adapted, size, config.patch_stride, scale=scale, region=region)

    return make(k, neighbors)


def aggregate(
    features: Float[Array, "B H W C"],
    graph: Graph,
    weights: Float[Array, "B H W K"],
    *,
    scale: int,
    config: GraphConfig = GraphConfig(),
    candidates: Float[Array, "B h w C"] | None = None,
    region: Region | None = None,
) -> Float[Array, "B {scale}*H {scale}*W C"]:
    """Sums the neighbors' HR maps, weighted: F_L at HR size.

    Args:
      features: F_L, [B, H, W, C], where the queries are.
      graph: of the queries.
      weights: [B, H, W, K], of the neighbors at each LR pixel.
      scale: S.
      config: the patches and their normalization.
      candidates: F_L, [B, H', W', C], where the candidates are; `features` by default.
      region: of the queries if they are part of an image.

    Returns:
      [B, S * H, S * W, C].

    Raises:
      InputError: features or weights have another shape.
    """
    if features.ndim != 4:
        raise InputError(f"give [B, H, W, C], not {features.shape}", field="features")
    expected = (*features.shape[:3], graph.indices.shape[-1])
    if weights.shape != expected:
        raise InputError(f"give {expected}, not {weights.shape}", field="weights")
    size = features.shape[1:3]

    def weighted_map(k, operands):
        weights, neighbors = operands
        neighbor = neighbor_map(k, neighbors, size, scale=scale, config=config)
        return repeat(weights[..., k, None], scale) * neighbor

    neighbors = neighbor_patches(
        features,
        graph,
        scale=scale,
        config=config,
        candidates=candidates,
        region=region,
    )
    return sum_over(weighted_map, weights.shape[-1], (weights, neighbors))


def patch_statistics(
    patches: Float[Array, "B M1 P M2 P C"],
) -> tuple[Float[Array, "B M1 1 M2 1 C"], Float[Array, "B M1 1 M2 1 C"]]:
    """Mean and standard deviation of each patch and channel (Eq. 3), in float32."""
    patches = patches.astype(jnp.float32)
    mean = patches.mean(axis=(2, 4), keepdims=True)
    # ddof=1, as torch.var in the reference; a patch of one pixel has no variance.
    ddof = int(patches.shape[2] > 1)
    variance = patches.var(axis=(2, 4), keepdims=True, ddof=ddof)
    return mean, jnp.sqrt(variance + 1e-5)


class ECN(nn.Module):
    """Edge-conditioned sub-network: edge labels to scores, pixel by pixel.

    A 1 x 1 convolution, a residual block of two (residual scale 0.1), and a 1 x 1
    convolution to one channel.
    """

    @nn.compact
    def __call__(
        self,
        labels: Float[Array, "B M1 M2 E"],
        spread: Callable[[Array], Array],
    ) -> Float[Array, "B H W"]:
        """Scores the edges to one neighbor of each query.

        Args:
          labels: [B, M1, M2, E], one for each query patch.
          spread: from patches [B, M1, M2, C] to pixels [B, H, W, C]. It averages, so it
            commutes with linear layers: what comes before the relu, and the skip
            connection, is computed per patch, not per pixel. That saves most of the
            time.

        Returns:
          The scores, up to a constant shared by all neighbors, which softmax ignores.
        """
        conv_0, conv_1, conv_2, conv_3 = (
            nn.Dense(features, kernel_init=kernel_init, name=f"conv_{n}")
            for n, features in enumerate([ECN_FEATURES] * 3 + [1])
        )
        x = conv_0(labels)
        y = conv_2(nn.relu(spread(conv_1(x))))
        # conv_3(spread(x) + 0.1 * y), except that the bias of conv_3 counts 1.1 times.
        return (spread(conv_3(x)) + 0.1 * conv_3(y))[..., 0]


class DEN(nn.Module):
    """Downsampled-embedding sub-network: [B, S * H, S * W, C] to [B, H, W, C]."""

    features: int
    scale: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Float[Array, "B SH SW C"]) -> Float[Array, "B H W C"]:
        c, dtype = self.features, self.dtype
        x = nn.relu(conv(c, 5, stride=self.scale, dtype=dtype, name="conv_0")(x))
        x = nn.relu(conv(c, 3, dtype=dtype, name="conv_1")(x))
        return conv(c, 3, dtype=dtype, name="conv_2")(x)


class GraphAggregation(nn.Module):
    """F_L and its graph to features of both sizes.

    Attributes:
      features: channels C.
      scale: S, of the graph; at 1 there is no HR size and no DEN.
      config: the graph's.
      dtype: of the features; statistics and scores are float32.
    """

    features: int
    scale: int
    config: GraphConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self,
        features: Float[Array, "B H W C"],
        graph: Graph,
        candidates: Float[Array, "B h w C"] | None = None,
        region: Region | None = None,
    ) -> tuple[
        Float[Array, "B H W C"],
        Float[Array, "B {self.scale}*H {self.scale}*W C"] | None,
    ]:
        """Aggregates.

        Args:
          features: F_L, where the queries are.
          graph: of the queries.
          candidates: F_L where the candidates are; `features` by default.
          region: of the queries if they are part of an image.

        Returns:
          The LR output [B, H, W, C], and F_L at HR size [B, S * H, S * W, C]; the
          latter is `None` at scale 1.
        """
        scale, config, size = self.scale, self.config, features.shape[1:3]
        patches: dict[str, Any] = dict(
            scale=scale, config=config, candidates=candidates, region=region
        )
        hr_weights = self._edge_weights("ecn_hr", graph, size, region)
        lr_weights = None
        den = DEN(self.features, scale, self.dtype, name="den")
        if scale == 1 or config.den == "aggregated":
            hr = aggregate(features, graph, hr_weights, **patches)
            lr = hr if scale == 1 else den(hr)
        else:
            lr_weights = self._edge_weights("ecn_lr", graph, size, region)
            example = jnp.zeros((1, scale, scale, self.features), self.dtype)
            apply_den, den_variables = unbind(den, example)

            def weighted_maps(k, operands):
                """Neighbor k's part of the LR output and of F_L at HR size."""
                hr_weights, lr_weights, neighbors, den_variables = operands
                neighbor = neighbor_map(k, neighbors, size, scale=scale, config=config)
                hr = repeat(hr_weights[..., k, None], scale) * neighbor
                lr = lr_weights[..., k, None] * apply_den(den_variables, neighbor)
                return lr, hr

            neighbors = neighbor_patches(features, graph, **patches)
            operands = hr_weights, lr_weights, neighbors, den_variables
            lr, hr = sum_over(weighted_maps, hr_weights.shape[-1], operands)
        self.sow("intermediates", "weights", (hr_weights, lr_weights))
        return lr, None if scale == 1 else hr

    def _edge_weights(self, name, graph, size, region):
        """Weights of the K neighbors at LR size (Eq. 2): [B, H, W, K].

        Edge labels are constant on S x S blocks of the HR image, and ECN acts on each
        pixel alone: its HR weights are computed at LR size, and repeated where used.
        """
        config = self.config
        spread_out = functools.partial(
            spread,
            size=size,
            patch_size=config.patch_size,
            stride=config.patch_stride,
            region=region,
        )
        if config.edge_weights == "gaussian":
            weights = spread_out(nn.softmax(-graph.distances / 10))
        else:
            ecn, variables = unbind(ECN(name=name), graph.labels[..., 0, :], spread_out)

            @jax.checkpoint
            def score(k):
                return ecn(variables, graph.labels[..., k, :], spread_out)

            # A neighbor at a time: labels at LR size would take K times the memory.
            scores = jax.lax.map(
                score, jnp.arange(graph.labels.shape[-2], dtype=jnp.int32)
            )
            weights = nn.softmax(jnp.moveaxis(scores, 0, -1))  # Eq. 2
        return weights.astype(self.dtype)


def unbind(module: nn.Module, *example: Any) -> tuple[Callable[..., Any], Any]:
    """The function of a submodule and its variables, for loops, which need both apart.

    Args:
      module: bound to its parent.
      example: what it can be called with, to initialize it.
    """
    if module.is_initializing():
        module(*example)
    module, variables = module.unbind()
    return module.apply, variables
