"""Patch aggregation (Section 3.2): the neighbors' HR patches become features.

Each query's neighbors are gathered from F_L, adapted to the query (AdaPN) and folded to
one HR map for each of the K; ECN turns edge labels into weights; the weighted sum of
the maps is F_L at HR size, and DEN brings them down to LR size. The maps are made one
after another and never exist together.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from ignn_jax.models.edsr import conv
from ignn_jax.models.graph import Graph, GraphConfig
from ignn_jax.ops.patches import fold, repeat, unfold

# Channels of ECN, as the reference.
ECN_FEATURES = 64


class ECN(nn.Module):
    """Edge-conditioned sub-network: edge labels [..., E] to scores [...].

    1 x 1 convolutions, so that it acts on each pixel alone.
    """

    @nn.compact
    def __call__(self, labels: jax.Array) -> jax.Array:
        def dense(features, name):
            return conv(features, 1, dtype=jnp.float32, name=name)

        x = dense(ECN_FEATURES, "conv_0")(labels)
        y = dense(ECN_FEATURES, "conv_1")(x)
        x = x + 0.1 * dense(ECN_FEATURES, "conv_2")(nn.relu(y))
        return dense(1, "conv_3")(x)[..., 0]


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
      patches: [..., P, P, C].

    Returns:
      Both [..., 1, 1, C].
    """
    patches = patches.astype(jnp.float32)
    mean = patches.mean(axis=(-3, -2), keepdims=True)
    # ddof=1, as torch.var in the reference; a patch of one pixel has no spread.
    ddof = int(patches.shape[-2] > 1)
    variance = patches.var(axis=(-3, -2), keepdims=True, ddof=ddof)
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
        self, features: jax.Array, graph: Graph
    ) -> tuple[jax.Array, jax.Array | None]:
        """Aggregates.

        Args:
          features: F_L, [B, H, W, C].
          graph: of the LR image.

        Returns:
          The LR output [B, H, W, C], and F_L at HR size [B, S * H, S * W, C], None at
          scale 1.
        """
        scale = self.scale
        lr_weights, hr_weights = self._edge_weights(graph, features.shape[1:3])
        den = DEN(self.features, scale, self.dtype, name="den")
        lr = hr = 0
        for k, neighbor in enumerate(self._neighbor_maps(features, graph)):
            self.sow("intermediates", "neighbors_hr", neighbor)
            hr += repeat(hr_weights[..., k, None], scale) * neighbor
            if lr_weights is not None:
                lr += lr_weights[..., k, None] * den(neighbor)
        if scale == 1:
            return hr, None
        return (den(hr) if lr_weights is None else lr), hr

    def _neighbor_maps(self, features, graph):
        """Yields each neighbor's HR map [B, S * H, S * W, C] in turn."""
        scale, config = self.scale, self.config
        size, stride = config.patch_size, config.patch_stride
        batch, height, width, _ = features.shape
        cropped = features[:, : height // scale * scale, : width // scale * scale]
        patches = unfold(cropped, size, stride, scale=scale)
        if config.normalization == "adapn":
            # The neighbor's side of AdaPN belongs to the candidate alone: normalize
            # once, then gather.
            mean, std = patch_statistics(patches)
            patches = ((patches - mean) / std).astype(self.dtype)
            mean, std = (
                s.astype(self.dtype)
                for s in patch_statistics(unfold(features, size, stride))
            )
        patches = patches.reshape(batch, -1, *patches.shape[3:])
        gather = jax.vmap(lambda candidates, index: candidates[index])
        for k in range(graph.indices.shape[-1]):
            neighbor = gather(patches, graph.indices[..., k])
            if config.normalization == "adapn":
                neighbor = neighbor * std + mean
            yield fold(neighbor, (height, width), stride, scale=scale)

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

        def spread(x):  # [B, M1, M2, C] on the grid to [B, H, W, C]
            x = x[:, :, :, None, None]
            patch = (config.patch_size, config.patch_size)
            x = jnp.broadcast_to(x, (*x.shape[:3], *patch, x.shape[-1]))
            return fold(x, size, config.patch_stride)

        if config.edge_weights == "gaussian":
            weights = dict.fromkeys(names, spread(nn.softmax(-graph.distances / 10)))
        else:
            neighbors = range(graph.indices.shape[-1])
            labels = [spread(graph.labels[..., k, :]) for k in neighbors]
            weights = {}
            for name in names:
                ecn = ECN(name=name)
                scores = jnp.stack([ecn(label) for label in labels], axis=-1)
                weights[name] = nn.softmax(scores)
        lr, hr = weights.get("ecn_lr"), weights["ecn_hr"]
        return None if lr is None else lr.astype(self.dtype), hr.astype(self.dtype)
