"""Patch aggregation (Section 3.2): the neighbors' HR patches become features.

Each query's neighbors are gathered from F_L, adapted to the query (AdaPN) and folded to
one HR map for each of the K; ECN turns edge labels into weights; the weighted sum of
the maps is F_L at HR size, and DEN brings them down to LR size. The maps are made one
after another and never exist together.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from ignn_jax.models.edsr import conv, kernel_init
from ignn_jax.models.graph import Graph, GraphConfig
from ignn_jax.ops.loop import sum_over
from ignn_jax.ops.patches import Exists, fold, repeat, spread, take, unfold

# Channels of ECN, as the reference.
ECN_FEATURES = 64


class Affine(nn.Module):
    """The kernel [I, O] and bias [O] of a 1 x 1 convolution, float32."""

    inputs: int
    outputs: int

    @nn.compact
    def __call__(self) -> tuple[jax.Array, jax.Array]:
        kernel = self.param("kernel", kernel_init, (self.inputs, self.outputs))
        return kernel, self.param("bias", nn.initializers.zeros, (self.outputs,))


class ECN(nn.Module):
    """Edge-conditioned sub-network: edge labels to scores, pixel by pixel.

    On the labels spread over the image it is conv1, a residual block of conv1, relu,
    conv1 (residual scale 0.1), and conv1 to one channel. Only the relu has to wait for
    the spreading, which is linear and keeps constants: what comes before is computed
    once a patch, and what comes after is linear down to one channel, hence one product
    with a vector. That is a tenth of the multiplications, and exact.
    """

    @nn.compact
    def __call__(
        self, labels: jax.Array, spread: Callable[[jax.Array], jax.Array]
    ) -> jax.Array:
        """Scores edges.

        Args:
          labels: [B, M1, M2, E], of one neighbor of each query.
          spread: [B, M1, M2, C] on the grid to [B, H, W, C].

        Returns:
          [B, H, W].
        """
        c = ECN_FEATURES
        w0, b0 = Affine(labels.shape[-1], c, name="conv_0")()
        w1, b1 = Affine(c, c, name="conv_1")()
        w2, b2 = Affine(c, c, name="conv_2")()
        w3, b3 = Affine(c, 1, name="conv_3")()

        def affine(x, w, b):
            return x @ w + b.reshape(1, 1, 1, -1)

        x = affine(labels, w0, b0)
        y = affine(x, w1, b1)
        scores = spread(affine(x, w3, b3))
        scores += 0.1 * affine(nn.relu(spread(y)), w2 @ w3, b2 @ w3)
        return scores[..., 0]


class DEN(nn.Module):
    """Downsampled-embedding sub-network: [B, S * H, S * W, C] to [B, H, W, C]."""

    features: int
    scale: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        c, dtype = self.features, self.dtype
        # On a CPU, four convolutions of the input's phases in place of the first, which
        # are exact, are faster at 256 features, but slower at 64.
        x = nn.relu(conv(c, 5, stride=self.scale, dtype=dtype, name="conv_0")(x))
        x = nn.relu(conv(c, 3, dtype=dtype, name="conv_1")(x))
        return conv(c, 3, dtype=dtype, name="conv_2")(x)


class Adapted(NamedTuple):
    """Patches of F_L, on their way to a query (AdaPN, Eq. 3).

    patches: [B, N1, S * P, N2, S * P, C], of the candidates, normalized.
    std, mean: [B, M1, 1, M2, 1, C], of the queries; None without AdaPN.
    """

    patches: jax.Array
    std: jax.Array | None = None
    mean: jax.Array | None = None


def adapt(
    features: jax.Array, candidates: jax.Array, *, scale: int, config: GraphConfig
) -> Adapted:
    """The sides of AdaPN: the candidates' is no query's affair, and done before it.

    Args:
      features: F_L, [B, H, W, C], where the queries are.
      candidates: F_L, [B, H', W', C], where the candidates are.
      scale: S.
      config: the graph's.
    """
    size, stride = config.patch_size, config.patch_stride
    height, width = (n // scale * scale for n in candidates.shape[1:3])
    patches = unfold(candidates[:, :height, :width], size, stride, scale=scale)
    if config.normalization == "none":
        return Adapted(patches)
    dtype = features.dtype
    mean, std = patch_statistics(patches)
    patches = ((patches.astype(mean.dtype) - mean) / std).astype(dtype)
    mean, std = patch_statistics(unfold(features, size, stride))
    return Adapted(patches, std.astype(dtype), mean.astype(dtype))


def patch_statistics(patches: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and standard deviation of each patch and channel (Eq. 3), in float32.

    Args:
      patches: [B, M1, P, M2, P, C].

    Returns:
      Both [B, M1, 1, M2, 1, C].
    """
    patches = patches.astype(jnp.float32)
    mean = patches.mean(axis=(2, 4), keepdims=True)
    # ddof=1, as torch.var in the reference; a patch of one pixel has no spread.
    ddof = int(patches.shape[2] > 1)
    variance = patches.var(axis=(2, 4), keepdims=True, ddof=ddof)
    return mean, jnp.sqrt(variance + 1e-5)


def neighbor_map(
    adapted: Adapted,
    indices: jax.Array,
    size: tuple[int, int],
    *,
    scale: int,
    config: GraphConfig,
    exists: Exists = (None, None),
) -> jax.Array:
    """The HR map of one neighbor of each query.

    Args:
      adapted: the patches.
      indices: [B, M1, M2], of the neighbor.
      size: (H, W).
      scale: S.
      config: the graph's.
      exists: as in `fold`.

    Returns:
      [B, S * H, S * W, C].
    """
    neighbor = take(adapted.patches, indices)
    if adapted.std is not None:
        neighbor = neighbor * adapted.std + adapted.mean
    return fold(neighbor, size, config.patch_stride, scale=scale, exists=exists)


class GraphAggregation(nn.Module):
    """F_L and its graph to features of both sizes.

    Attributes:
      features: channels C.
      scale: S, of the graph; at 1 there is no HR size and no DEN.
      config: the graph's.
      dtype: of the features; statistics and weights are float32.
    """

    features: int
    scale: int
    config: GraphConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self, features: jax.Array, candidates: jax.Array, graph: Graph
    ) -> tuple[jax.Array, jax.Array | None]:
        """Aggregates.

        Args:
          features: F_L, [B, H, W, C], where the queries are.
          candidates: F_L, [B, H', W', C], where the candidates are.
          graph: of the LR image.

        Returns:
          The LR output [B, H, W, C], and F_L at HR size [B, S * H, S * W, C], None at
          scale 1.
        """
        scale, config, size = self.scale, self.config, features.shape[1:3]
        adapted = adapt(features, candidates, scale=scale, config=config)
        weights = self._edge_weights(graph, size)
        self.sow("intermediates", "weights", weights)
        den = DEN(self.features, scale, self.dtype, name="den")

        # Not kept for the backward pass, but made again: K maps would take the most
        # memory of all, and are made of copies and sums.
        make_map = jax.checkpoint(
            functools.partial(
                neighbor_map,
                size=size,
                scale=scale,
                config=config,
                exists=graph.exists,
            )
        )

        def outputs(k, operands):
            """Neighbor k's part of F_L at HR size and of the LR output."""
            adapted, (hr_weights, lr_weights), den = operands
            neighbor = make_map(adapted, graph.indices[..., k])
            hr = repeat(hr_weights[..., k, None], scale) * neighbor
            if lr_weights is None:
                return hr, None
            return hr, lr_weights[..., k, None] * den(neighbor)

        _, lr_weights = weights
        example = jnp.zeros((1, scale, scale, self.features), self.dtype)
        operands = adapted, weights, None if lr_weights is None else pure(den, example)
        hr, lr = sum_over(outputs, graph.indices.shape[-1], operands)
        if scale == 1:
            return hr, None
        return (den(hr) if lr is None else lr), hr

    def _edge_weights(self, graph, size):
        """Weights of the K neighbors at LR size, [B, H, W, K], of HR and LR output.

        Edge labels are constant on S x S blocks of the HR image, and ECN acts on each
        pixel alone: its HR weights are computed at LR size, and repeated where used.
        There are no LR weights where DEN has but one map to work on.
        """
        config = self.config
        spread_out = functools.partial(
            spread,
            size=size,
            patch_size=config.patch_size,
            stride=config.patch_stride,
            exists=graph.exists,
        )
        has_lr = self.scale > 1 and config.den == "per_neighbor"
        if config.edge_weights == "gaussian":
            weights = spread_out(nn.softmax(-graph.distances / 10)).astype(self.dtype)
            return weights, weights if has_lr else None

        def weigh(name):
            ecn = pure(ECN(name=name), graph.labels[..., 0, :], spread_out)
            scores = jax.lax.map(
                jax.checkpoint(lambda k: ecn(graph.labels[..., k, :], spread_out)),
                jnp.arange(graph.labels.shape[-2]),
            )
            return nn.softmax(jnp.moveaxis(scores, 0, -1)).astype(self.dtype)

        return weigh("ecn_hr"), weigh("ecn_lr") if has_lr else None


def pure(module: nn.Module, *args: Any) -> Callable[..., Any]:
    """A submodule as a function, a tree of arrays itself, which loops may call.

    Args:
      module: bound to its parent.
      args: what it can be called with.
    """
    if module.is_initializing():
        module(*args)
    module, variables = module.unbind()
    return jax.tree_util.Partial(module.apply, variables)
