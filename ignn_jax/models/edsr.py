"""EDSR (Lim et al., CVPRW 2017): the backbone of IGNN, and IGNN without a graph.

Images are NHWC RGB in [0, 255]. The parts that both networks have bear the same names
in both, so that an IGNN can start from a trained EDSR.
"""

import contextlib
from collections.abc import Iterator, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from ignn_jax.ops.patches import pixel_shuffle
from ignn_jax.ops.place import Place, zero_beyond

# Mean color of DIV2K, as the reference.
RGB_MEAN = tuple(255 * m for m in (0.4488, 0.4371, 0.4040))

# torch.nn.Conv2d's default, U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)), as the reference.
kernel_init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


def conv(
    features: int,
    kernel_size: int,
    *,
    dtype: jnp.dtype,
    name: str | None = None,
    stride: int = 1,
    kernel_init: nn.initializers.Initializer = kernel_init,
) -> nn.Conv:
    """A convolution with a bias and zero padding (kernel_size - 1) // 2 on all sides.

    Not "SAME", which pads differently when it strides.
    """
    return nn.Conv(
        features,
        (kernel_size, kernel_size),
        strides=stride,
        padding=(kernel_size - 1) // 2,
        dtype=dtype,
        kernel_init=kernel_init,
        name=name,
    )


@contextlib.contextmanager
def border(place: Place | None, height: int) -> Iterator[None]:
    """Convolutions of a part see the image's border where it is: zeros beyond it.

    As they do at the edges of a whole image. They see the edges of the part so too,
    and what is computed near them has no meaning.

    Args:
      place: of the part; None: it is the whole image.
      height: of the part. Inputs as many times as high are of the upscaled image.
    """

    def zeros_beyond(convolve, args, kwargs, context):
        if isinstance(context.module, nn.Conv) and context.method_name == "__call__":
            (x,) = args
            args = (zero_beyond(x, place.times(x.shape[1] // height)),)
        return convolve(*args, **kwargs)

    with nn.intercept_methods(zeros_beyond) if place else contextlib.nullcontext():
        yield


def center_rgb(image: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Subtracts the mean color: [B, H, W, 3]."""
    return (image - jnp.asarray(RGB_MEAN).reshape(1, 1, 1, 3)).astype(dtype)


def uncenter_rgb(image: jax.Array) -> jax.Array:
    """Adds the mean color, in float32: [B, H, W, 3]."""
    return image.astype(jnp.float32) + jnp.asarray(RGB_MEAN).reshape(1, 1, 1, 3)


def upsample_factors(scale: int) -> Sequence[int]:
    """The factor of each pixel shuffle: (2,), (3,) or (2, 2)."""
    if scale not in (2, 3, 4):
        raise ValueError(f"scale must be 2, 3 or 4, not {scale}")
    return (2, 2) if scale == 4 else (scale,)


class ResBlock(nn.Module):
    """x + residual_scale * conv3(relu(conv3(x))): [B, H, W, C] to the same."""

    features: int
    residual_scale: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = conv(self.features, 3, dtype=self.dtype, name="conv_0")(x)
        y = conv(self.features, 3, dtype=self.dtype, name="conv_1")(nn.relu(y))
        return x + self.residual_scale * y


class Upsample(nn.Module):
    """conv3 to S * S * C channels and pixel shuffle: [B, S * H, S * W, C]."""

    features: int
    scale: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = conv(self.features * self.scale**2, 3, dtype=self.dtype, name="conv")(x)
        return pixel_shuffle(x, self.scale)


class EDSR(nn.Module):
    """Enhanced deep residual network.

    Attributes:
      scale: 2, 3 or 4.
      features: channels C.
      num_blocks: residual blocks.
      residual_scale: factor of each block's residual.
      dtype: of the computation; parameters are float32.
    """

    scale: int
    features: int = 256
    num_blocks: int = 32
    residual_scale: float = 0.1
    dtype: str = "float32"

    @nn.compact
    def __call__(self, lr: jax.Array, place: Place | None = None) -> jax.Array:
        """Super-resolves an image, or a part of one.

        Args:
          lr: float32 [B, H, W, 3] in [0, 255].
          place: of the part.

        Returns:
          float32 [B, S * H, S * W, 3], not clipped.
        """
        with border(place, lr.shape[1]):
            return self._upscale(lr)

    def _upscale(self, lr):
        dtype = jnp.dtype(self.dtype)
        x0 = conv(self.features, 3, dtype=dtype, name="head")(center_rgb(lr, dtype))
        x = x0
        for n in range(self.num_blocks):
            x = ResBlock(self.features, self.residual_scale, dtype, name=f"block_{n}")(
                x
            )
        x = conv(self.features, 3, dtype=dtype, name="body")(x) + x0
        for n, factor in enumerate(upsample_factors(self.scale)):
            x = Upsample(self.features, factor, dtype, name=f"upsample_{n}")(x)
        return uncenter_rgb(conv(3, 3, dtype=dtype, name="tail")(x))
