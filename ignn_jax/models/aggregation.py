"""Patch aggregation (Section 3.2): the neighbors' HR patches become features.

Each query's neighbors are gathered from F_L, adapted to the query (AdaPN) and folded to
one HR map for each of the K; ECN turns edge labels into weights; the weighted sum of
the maps is F_L at HR size, and DEN brings them down to LR size. The maps are made one
after another and never exist together.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from ignn_jax.models.edsr import conv, kernel_init
from ignn_jax.models.graph import Graph, GraphConfig
from ignn_jax.ops.patches import fold, repeat, spread, take, unfold

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
        x = nn.relu(conv(c, 5, stride=self.scale, dtype=dtype, name="conv_0")(x))
        x = nn.relu(conv(c, 3, dtype=dtype, name="conv_1")(x))
        return conv(c, 3, dtype=dtype, name="conv_2")(x)


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
        scale = self.scale
        lr_weights, hr_weights = self._edge_weights(graph, features.shape[1:3])
        self.sow("intermediates", "weights", hr_weights)
        den = DEN(self.features, scale, self.dtype, name="den")
        lr = hr = 0
        for k, neighbor in enumerate(self._neighbor_maps(features, candidates, graph)):
            self.sow("intermediates", "neighbors_hr", neighbor)
            hr += repeat(hr_weights[..., k, None], scale) * neighbor
            if lr_weights is not None:
                lr += lr_weights[..., k, None] * den(neighbor)
        if scale == 1:
            return hr, None
        return (den(hr) if lr_weights is None else lr), hr

    def _neighbor_maps(self, features, candidates, graph):
        """Yields each neighbor's HR map [B, S * H, S * W, C] in turn."""
        scale, config = self.scale, self.config
        size, stride = config.patch_size, config.patch_stride
        height, width = (n // scale * scale for n in candidates.shape[1:3])
        patches = unfold(candidates[:, :height, :width], size, stride, scale=scale)
        if config.normalization == "adapn":
            # The neighbor's side of AdaPN belongs to the candidate alone: normalize
            # once, then gather.
            mean, std = patch_statistics(patches)
            patches = ((patches.astype(mean.dtype) - mean) / std).astype(self.dtype)
            mean, std = (
                s.astype(self.dtype)
                for s in patch_statistics(unfold(features, size, stride))
            )
        for k in range(graph.indices.shape[-1]):
            neighbor = take(patches, graph.indices[..., k])
            if config.normalization == "adapn":
                neighbor = neighbor * std + mean
            yield fold(
                neighbor,
                features.shape[1:3],
                stride,
                scale=scale,
                exists=graph.exists,
            )

    def _edge_weights(self, graph, size):
        """Weights of the K neighbors at LR size, [B, H, W, K], for both outputs.

        Edge labels are constant on S x S blocks of the HR image, and ECN acts on each
        pixel alone: its HR weights are computed at LR size, and repeated where used.
        There are no LR weights where DEN has but one map to work on.
        """
        config = self.config
        names = ["ecn_hr"]
        if self.scale > 1 and config.den == "per_neighbor":
            names.append("ecn_lr")

        def spread_out(values):
            return spread(
                values,
                size,
                config.patch_size,
                config.patch_stride,
                exists=graph.exists,
            )

        if config.edge_weights == "gaussian":
            weights = dict.fromkeys(
                names, spread_out(nn.softmax(-graph.distances / 10))
            )
        else:
            neighbors = range(graph.indices.shape[-1])
            weights = {}
            for name in names:
                ecn = ECN(name=name)
                scores = [ecn(graph.labels[..., k, :], spread_out) for k in neighbors]
                weights[name] = nn.softmax(jnp.stack(scores, axis=-1))
        lr, hr = weights.get("ecn_lr"), weights["ecn_hr"]
        return None if lr is None else lr.astype(self.dtype), hr.astype(self.dtype)
