"""PyTorch checkpoints of the reference and of EDSR, read and converted."""

import os
import re
from collections.abc import Mapping
from typing import Any

import flax.traverse_util
import numpy as np

from ignn_jax.errors import InputError
from ignn_jax.models import EDSR, IGNN, GraphConfig
from ignn_jax.models.aggregation import ECN_FEATURES
from ignn_jax.models.edsr import upsample_factors
from ignn_jax.models.embedding import VGG19, VGG19_SHAPES
from ignn_jax.weights.tensors import check_tensors

# These are constants, or copies of other entries.
_REDUNDANT = re.compile(r"(graph\.embedcnn\.|vggnet\.sub_mean\.|sub_mean\.|add_mean\.)")


def load_torch(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads the state dict of a PyTorch checkpoint; this needs the extra [torch].

    Only tensors are unpickled. The state dict may be inside a training checkpoint,
    under `net_state_dict`, `state_dict` or `params`.

    Returns:
      Arrays by PyTorch's names.

    Raises:
      InputError: PyTorch is not installed, or the file is not a checkpoint.
    """
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{path}: reading PyTorch's files needs PyTorch: "
            "pip install 'ignn-jax[torch]'"
        ) from error
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler meets
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not a PyTorch checkpoint ({reason})") from error
    for key in ("net_state_dict", "state_dict", "params"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in loaded.values()
    ):
        raise InputError(f"{path}: no state dict of tensors in this checkpoint")
    return {name: tensor.numpy() for name, tensor in loaded.items()}


def load_network(
    path: str | os.PathLike[str], *, scale: int
) -> tuple[EDSR | IGNN, dict[str, Any]]:
    """Reads and converts a PyTorch checkpoint of either network.

    Raises:
      InputError: as the functions below, with the path.
    """
    state_dict = load_torch(path)
    convert = edsr_from_torch if is_edsr(state_dict) else ignn_from_torch
    try:
        return convert(state_dict, scale=scale)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def ignn_from_torch(
    state_dict: Mapping[str, Any],
    *,
    scale: int,
    window: int = 30,
    neighbors: int = 5,
    window_center: str = "reference",
) -> tuple[IGNN, dict[str, Any]]:
    """Converts the weights of the reference's IGNN.

    Args:
      state_dict: arrays (torch tensors or NumPy, convolutions OIHW) by the reference's
        names, with or without "module." before them.
      scale: 2, 3 or 4.
      window: as in GraphConfig, like the next two: the arrays do not tell.
      neighbors: as in GraphConfig.
      window_center: as in GraphConfig.

    Returns:
      The model and its variables: `model.apply(variables, lr)`. The number of blocks
      before and after the graph, and of features, follow from the arrays; the residual
      scale is 0.1, as in the reference.

    Raises:
      InputError: tensors are missing, unexpected, of another shape or not finite.
    """
    arrays = _arrays(state_dict)
    # body1 holds blocks alone; body2 holds blocks, then one convolution.
    position, behind = (
        _count(arrays, rf"{b}\.\d+\.body\.") for b in ("body1", "body2")
    )
    features = _features(arrays)
    convs = _ignn_convolutions(scale, features, position, behind)
    variables = _variables(arrays, convs, f"an x{scale} IGNN")
    model = IGNN(
        scale=scale,
        features=features,
        num_blocks=position + behind,
        residual_scale=0.1,
        graph=GraphConfig(
            position=position,
            neighbors=neighbors,
            window=window,
            window_center=window_center,
        ),
    )
    return model, variables


def edsr_from_torch(
    state_dict: Mapping[str, Any], *, scale: int
) -> tuple[EDSR, dict[str, Any]]:
    """Converts the weights of EDSR, IGNN's backbone, as its authors publish them.

    Args:
      state_dict: arrays (torch tensors or NumPy, convolutions OIHW) by the authors'
        names, with or without "module." before them.
      scale: 2, 3 or 4.

    Returns:
      The model and its variables. The number of blocks and of features follow from the
      arrays; the residual scale is as the authors have it: 0.1 for 256 features, 1 for
      fewer (their baseline).

    Raises:
      InputError: tensors are missing, unexpected, of another shape or not finite.
    """
    arrays = _arrays(state_dict)
    blocks, features = _count(arrays, r"body\.\d+\.body\."), _features(arrays)
    convs = _edsr_convolutions(scale, features, blocks)
    variables = _variables(arrays, convs, f"an x{scale} EDSR")
    model = EDSR(
        scale=scale,
        features=features,
        num_blocks=blocks,
        residual_scale=0.1 if features >= 256 else 1.0,
    )
    return model, variables


def is_edsr(state_dict: Mapping[str, Any]) -> bool:
    """Whether a state dict is that of an EDSR rather than of an IGNN."""
    return "body.0.body.0.weight" in {n.removeprefix("module.") for n in state_dict}


def _arrays(state_dict):
    arrays = {name.removeprefix("module."): a for name, a in state_dict.items()}
    return {
        name: np.asarray(a.detach().cpu() if hasattr(a, "detach") else a)
        for name, a in arrays.items()
        if not _REDUNDANT.match(name)
    }


def _count(arrays, pattern):
    return len({match[0] for name in arrays if (match := re.match(pattern, name))})


def _features(arrays):
    head = arrays.get("head.0.weight")
    return head.shape[0] if head is not None and head.ndim == 4 else 0


def _variables(arrays, convolutions, network):
    """The arrays as our variables, once they are known to be those expected."""
    paths, shapes = {}, {}  # by torch's names
    for theirs, ours, out, into, k in convolutions:
        path = tuple(ours.split("/"))
        paths[f"{theirs}.weight"], shapes[f"{theirs}.weight"] = (
            (*path, "kernel"),
            (out, into, k, k),
        )
        paths[f"{theirs}.bias"], shapes[f"{theirs}.bias"] = (*path, "bias"), (out,)
    check_tensors(arrays, shapes, source=f"not the weights of {network}")
    return flax.traverse_util.unflatten_dict(
        {path: _to_flax(arrays[name]) for name, path in paths.items()}
    )


def _to_flax(array):
    array = array.astype(np.float32)
    if array.ndim == 4:
        array = array.transpose(2, 3, 1, 0)  # OIHW to HWIO
    # The 1x1 convolutions of ECN are matrices here.
    return array[0, 0] if array.shape[:2] == (1, 1) else array


# (torch name, our path, out, in, kernel side) of every convolution


def _edsr_convolutions(scale, features, blocks):
    c, factors = features, upsample_factors(scale)
    convs = [("head.0", "params/head", c, 3, 3)]
    convs += _block_convolutions([(f"body.{n}", n) for n in range(blocks)], c)
    convs.append((f"body.{blocks}", "params/body", c, c, 3))
    for n, s in enumerate(factors):  # a pixel shuffle follows each
        ours = f"params/upsample_{n}/conv"
        convs.append((f"tail.0.{2 * n}", ours, s * s * c, c, 3))
    return [*convs, ("tail.1", "params/tail", 3, c, 3)]


def _block_convolutions(blocks, c):
    return [
        (f"{theirs}.body.{2 * i}", f"params/block_{n}/conv_{i}", c, c, 3)
        for theirs, n in blocks
        for i in (0, 1)
    ]


def _ignn_convolutions(scale, features, position, behind):
    s, c, e = upsample_factors(scale)[0], features, ECN_FEATURES
    convs = [("head.0", "params/head", c, 3, 3)]
    blocks = [(f"body1.{n}", n) for n in range(position)]
    blocks += [(f"body2.{n}", position + n) for n in range(behind)]
    convs += _block_convolutions(blocks, c)
    convs.append((f"body2.{behind}.0", "params/body", c, c, 3))
    for i, kernel in enumerate((5, 3, 3)):
        ours = f"params/graph_agg/den/conv_{i}"
        convs.append((f"gcn.knn_downsample.{i}.0", ours, c, c, kernel))
    for size in ("lr", "hr"):
        for i, layer in enumerate(("0.0", "1.body.0", "1.body.2", "2.0")):
            ours = f"params/graph_agg/ecn_{size}/conv_{i}"
            convs.append(
                (f"gcn.weightnet_{size}.{layer}", ours, e if i < 3 else 1, e, 1)
            )
    for theirs, ours in (("fuse_b", "fuse_lr"), ("fuse_up", "fuse_hr")):
        for i in (0, 1):
            convs.append((f"{theirs}.{i}.0", f"params/{ours}_{i}", c, c * (2 - i), 3))
    convs.append(("upsample.0", "params/upsample_0/conv", s * s * c, c, 3))
    if scale == 4:
        convs.append(("tail.0.0", "params/upsample_1/conv", 4 * c, c, 3))
    convs.append((f"tail.{int(scale == 4)}.0", "params/tail", 3, c, 3))
    for i, (name, shape) in enumerate(VGG19_SHAPES.items()):
        ours = f"{VGG19}/embedding/{name}"
        convs.append((f"vggnet.model.{2 * i}", ours, shape[3], shape[2], 3))
    return convs
