"""The graph's rival in Table 2: the non-local block.

The table's other one, kNN within the LR image, is `GraphConfig(kind="same_scale")`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from ignn_jax.models.edsr import conv
from ignn_jax.ops.types import Array

# Queries that attend at once: they need this many weights for each pixel.
BLOCK = 1024


class NonLocalBlock(nn.Module):
    """Embedded-Gaussian attention of every pixel to every pixel.

    Wang et al., "Non-local Neural Networks", CVPR 2018, with half the channels inside;
    without its residual, since IGNN fuses what comes out with what went in.
    """

    features: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self, x: Float[Array, "B H W C"], image: Float[Array, "B h w C"]
    ) -> Float[Array, "B H W C"]:
        """Lets every pixel of x attend to all pixels of `image`."""
        batch, height, width, _ = x.shape
        inner = max(self.features // 2, 1)
        theta, phi, g = (
            conv(inner, 1, dtype=self.dtype, name=name)(of).reshape(batch, -1, inner)
            for name, of in (("theta", x), ("phi", image), ("g", image))
        )

        @jax.checkpoint  # else the backward pass keeps every block's weights
        def attend(query):  # [B, inner]
            scores = jnp.einsum(
                "bc,bnc->bn", query, phi, preferred_element_type=jnp.float32
            )
            return jnp.einsum("bn,bnc->bc", nn.softmax(scores).astype(g.dtype), g)

        y = jax.lax.map(attend, theta.transpose(1, 0, 2), batch_size=BLOCK)
        y = y.transpose(1, 0, 2).reshape(batch, height, width, inner)
        return conv(self.features, 1, dtype=self.dtype, name="out")(y)
