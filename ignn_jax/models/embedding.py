"""The embedding E of an image, by which patches are compared (Section 3.1).

VGG19's first convolutions, as in the paper; or, which need no further weights, the
network's own first features or plain color. `construct_graph` stops their gradients.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

# "vgg19_uncentered" is only for converted weights (see `weights/mean_shift.py`).
EMBEDDINGS = ("vgg19", "backbone", "rgb", "vgg19_uncentered")

# The collection that holds VGG19's weights, next to "params".
VGG19 = "vgg19"
VGG19_SHAPES = {"conv1_1": (3, 3, 3, 64), "conv1_2": (3, 3, 64, 64)}

# Accelerators would multiply with 3 digits, and then find other neighbors than a CPU.
EXACT = jax.lax.Precision.HIGHEST

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class VGG19Embedding(nn.Module):
    """relu(conv1_2(relu(conv1_1(x)))) of VGG19, frozen: 64 channels.

    The weights are variables of the collection "vgg19", random until they are loaded
    (`ignn_jax.weights.vgg19.load_vgg19`).

    Attributes:
      centered: whether ImageNet's mean color is subtracted from colors in [0, 1], and
        the result divided by its standard deviation.
    """

    centered: bool = True

    @nn.compact
    def __call__(self, rgb: jax.Array) -> jax.Array:
        """[B, H, W, 3] in [0, 255] to [B, H, W, 64], both float32."""
        x = rgb / 255
        if self.centered:
            mean, std = (
                jnp.asarray(values, jnp.float32).reshape(1, 1, 1, 3)
                for values in (IMAGENET_MEAN, IMAGENET_STD)
            )
            x = (x - mean) / std
        for name, shape in VGG19_SHAPES.items():
            conv = _FrozenConv(shape[-1], shape[:2], precision=EXACT, name=name)
            x = nn.relu(conv(x))
        return x


class _FrozenConv(nn.Conv):
    """A convolution whose weights are in the collection "vgg19"."""

    @nn.nowrap
    def param(self, name, init, *args, **kwargs):
        draw = lambda: init(self.make_rng("params"), *args)  # noqa: E731
        return self.variable(VGG19, name, draw).value


def rgb(image: jax.Array) -> jax.Array:
    """Plain color: [B, H, W, 3] in [0, 255] to [B, H, W, 3] in [0, 1]."""
    return image / 255


def make_embedding(
    kind: str, head: Callable[[jax.Array], jax.Array]
) -> Callable[[jax.Array], jax.Array]:
    """Makes the function E, in a module's `setup`.

    Args:
      kind: one of EMBEDDINGS.
      head: the backbone's first features of an image in [0, 255].

    Returns:
      A function of float32 [B, H, W, 3] in [0, 255] to float32 [B, H, W, E]; values
      are about 1 whatever the kind, since ECN weighs their differences.
    """
    if kind.startswith("vgg19"):
        return VGG19Embedding(centered=kind == "vgg19", name="embedding")
    embeddings: dict[str, Callable[[jax.Array], jax.Array]] = {
        "backbone": lambda image: head(image).astype(jnp.float32) / 255,
        "rgb": rgb,
    }
    return embeddings[kind]


def embedding_of(
    model: nn.Module, variables: Mapping[str, Any]
) -> Callable[[jax.Array], jax.Array]:
    """The embedding of an IGNN with these variables, as a function of images."""

    def embed(image):
        return model.apply(variables, image, method=lambda ignn, x: ignn.embed(x))

    return embed
