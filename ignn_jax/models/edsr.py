"""EDSR (Lim et al., CVPRW 2017): the backbone of IGNN, and IGNN without a graph.

Images are NHWC RGB in [0, 255]. The layers that both networks have are named alike, so
that an IGNN can start from a trained EDSR.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ignn_jax.errors import InputError
from ignn_jax.ops.patches import pixel_shuffle
from ignn_jax.ops.regions import Region, zero_beyond
from ignn_jax.ops.types import Array

# Mean color of DIV2K, as in the reference.
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
    precision: jax.lax.Precision | None = None,
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
        precision=precision,
        name=name,
    )


@contextlib.contextmanager
def border(region: Region | None, height: int) -> Iterator[None]:
    """Zero-pads the convolutions of a part where the image ends, not the part.

    What is computed near the part's own edges is meaningless.

    Args:
      region: of the part; `None` is the whole image, and changes nothing.
      height: of the part. Inputs n times as high belong to the upscaled image.
    """

    def zero_input(convolve, args, kwargs, context):
        if isinstance(context.module, nn.Conv) and context.method_name == "__call__":
            (x,) = args
            args = (zero_beyond(x, region.times(x.shape[1] // height)),)
        return convolve(*args, **kwargs)

    with nn.intercept_methods(zero_input) if region else contextlib.nullcontext():
        yield


def as_images(lr: Any) -> Float[Array, "B H W 3"]:
    """A batch of RGB images as float32, whatever numbers they are given in.

    Raises:
      InputError: they are not [B, H, W, 3], are empty, or are not real numbers.
    """
    lr = lr if hasattr(lr, "dtype") else np.asarray(lr)
    if lr.ndim != 4 or lr.shape[-1] != 3 or 0 in lr.shape:
        shape = ", ".join(map(str, lr.shape))
        raise InputError(f"give images [B, H, W, 3], not [{shape}]", field="lr")
    if not (
        jnp.issubdtype(lr.dtype, jnp.integer) or jnp.issubdtype(lr.dtype, jnp.floating)
    ):
        raise InputError(f"give numbers in [0, 255], not {lr.dtype}", field="lr")
    return jnp.asarray(lr, jnp.float32)


def center_rgb(
    image: Float[Array, "B H W 3"], dtype: jnp.dtype
) -> Float[Array, "B H W 3"]:
    """Subtracts the mean color: [B, H, W, 3]."""
    return (image - rgb_mean()).astype(dtype)


def uncenter_rgb(image: Float[Array, "B H W 3"]) -> Float[Array, "B H W 3"]:
    """Adds the mean color, in float32: [B, H, W, 3]."""
    return image.astype(jnp.float32) + rgb_mean()


def rgb_mean() -> Float[Array, "1 1 1 3"]:
    """RGB_MEAN in float32, even where JAX's 64-bit mode is on."""
    return jnp.asarray(RGB_MEAN, jnp.float32).reshape(1, 1, 1, 3)


def upsample_factors(scale: int) -> Sequence[int]:
    """The factor of each pixel shuffle: (2,), (3,) or (2, 2)."""
    if scale not in (2, 3, 4):
        raise ValueError(f"scale must be 2, 3 or 4, not {scale}")
    return (2, 2) if scale == 4 else (scale,)


class ResBlock(nn.Module):
    """x + residual_scale * conv3(relu(conv3(x)))."""

    features: int
    residual_scale: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        y = conv(self.features, 3, dtype=self.dtype, name="conv_0")(x)
        y = conv(self.features, 3, dtype=self.dtype, name="conv_1")(nn.relu(y))
        return x + self.residual_scale * y


class Upsample(nn.Module):
    """conv3 to S * S * C channels and pixel shuffle: [B, S * H, S * W, C]."""

    features: int
    scale: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self, x: Float[Array, "B H W C"]
    ) -> Float[Array, "B {self.scale}*H {self.scale}*W C"]:
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
    def __call__(
        self, lr: Any, region: Region | None = None
    ) -> Float[Array, "B SH SW 3"]:
        """Super-resolves images, or parts of images.

        Args:
          lr: [B, H, W, 3] in [0, 255], computed with as float32.
          region: where they lie if they are parts.

        Returns:
          float32 [B, S * H, S * W, 3], not clipped.

        Raises:
          InputError: if lr is not [B, H, W, 3], or empty.
        """
        lr = as_images(lr)
        c, dtype = self.features, jnp.dtype(self.dtype)
        with border(region, lr.shape[1]):
            x = x0 = conv(c, 3, dtype=dtype, name="head")(center_rgb(lr, dtype))
            for n in range(self.num_blocks):
                x = ResBlock(c, self.residual_scale, dtype, name=f"block_{n}")(x)
            x = conv(c, 3, dtype=dtype, name="body")(x) + x0
            for n, factor in enumerate(upsample_factors(self.scale)):
                x = Upsample(c, factor, dtype, name=f"upsample_{n}")(x)
            return uncenter_rgb(conv(3, 3, dtype=dtype, name="tail")(x))
