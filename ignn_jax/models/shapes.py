"""The names and shapes of a network's variables, without tracing it.

Tracing `init` for them takes longer than a small picture takes to be upscaled.
"""

import flax.linen as nn

from ignn_jax.models.aggregation import ECN_FEATURES
from ignn_jax.models.edsr import upsample_factors
from ignn_jax.models.embedding import VGG19, VGG19_SHAPES
from ignn_jax.models.ignn import IGNN

Shapes = dict[str, tuple[int, ...]]


def variable_shapes(model: nn.Module) -> Shapes:
    """What `model.init` would give: "params/block_0/conv_0/kernel" to its shape.

    Args:
      model: IGNN or EDSR.
    """
    c = model.features
    layers = _convolution("head", 3, 3, c)
    for n in range(model.num_blocks):
        for m in range(2):
            layers |= _convolution(f"block_{n}/conv_{m}", 3, c, c)
    layers |= _convolution("body", 3, c, c)
    for n, factor in enumerate(upsample_factors(model.scale)):
        layers |= _convolution(f"upsample_{n}/conv", 3, c, factor**2 * c)
    layers |= _convolution("tail", 3, c, 3)
    frozen: Shapes = {}
    if isinstance(model, IGNN):
        layers |= _graph(model)
        if _has_vgg19(model):
            for name, shape in VGG19_SHAPES.items():
                frozen |= _layer(f"embedding/{name}", shape)
    params = {f"params/{name}": shape for name, shape in layers.items()}
    params |= {f"{VGG19}/{name}": shape for name, shape in frozen.items()}
    return dict(sorted(params.items()))


def _graph(model):
    c, config, layers = model.features, model.graph, {}
    for place in ("lr", "hr") if model.graph_scale > 1 else ("lr",):
        layers |= _convolution(f"fuse_{place}_0", 3, 2 * c, c)
        layers |= _convolution(f"fuse_{place}_1", 3, c, c)
    if config.kind == "non_local":
        inner = max(c // 2, 1)
        for name in ("theta", "phi", "g"):
            layers |= _convolution(f"non_local/{name}", 1, c, inner)
        return layers | _convolution("non_local/out", 1, inner, c)
    runs_den = model.graph_scale > 1
    if runs_den:
        for n, side in enumerate((5, 3, 3)):
            layers |= _convolution(f"graph_agg/den/conv_{n}", side, c, c)
    if config.edge_weights == "ecn":
        kind = config.embedding.partition("_")[0]
        channels = {"vgg19": VGG19_SHAPES["conv1_2"][-1], "backbone": c, "rgb": 3}[kind]
        ecns = ["ecn_hr"]
        if runs_den and config.den == "per_neighbor":
            ecns.append("ecn_lr")
        sizes = [channels, ECN_FEATURES, ECN_FEATURES, ECN_FEATURES, 1]
        for name in ecns:
            for n in range(4):
                path = f"graph_agg/{name}/conv_{n}"
                layers |= _layer(path, (sizes[n], sizes[n + 1]))
    return layers


def _has_vgg19(model):
    return model.graph.kind != "non_local" and model.graph.embedding.startswith(VGG19)


def _convolution(name, side, before, after):
    return _layer(name, (side, side, before, after))


def _layer(name, kernel):
    return {f"{name}/kernel": kernel, f"{name}/bias": kernel[-1:]}
