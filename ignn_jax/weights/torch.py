"""PyTorch weights, of the reference and of its backbone, as weights of ours."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ignn_jax.models import EDSR, IGNN, GraphConfig
from ignn_jax.models.aggregation import ECN_FEATURES
from ignn_jax.models.edsr import upsample_factors
from ignn_jax.models.embedding import VGG19, VGG19_SHAPES

# Held twice, or constant, in the state dicts.
_REDUNDANT = re.compile(r"(graph\.embedcnn\.|vggnet\.sub_mean\.|sub_mean\.|add_mean\.)")


def ignn_from_torch(
    state_dict: Mapping[str, Any],
    *,
    scale: int,
    window: int = 30,
    neighbors: int = 5,
    window_center: str = "reference",
) -> tuple[IGNN, dict]:
    """The reference's IGNN as ours.

    Args:
      state_dict: the reference's parameter names, with or without "module.", to arrays
        (torch tensors or NumPy, convolutions OIHW).
      scale: 2, 3 or 4.
      window, neighbors, window_center: what the arrays do not tell; see GraphConfig.

    Returns:
      The model and its variables: `model.apply(variables, lr)`. Blocks, their split
      around the graph and features are read off the arrays; the residual scale is the
      reference's 0.1.

    Raises:
      ValueError: names that are missing, unexpected, or of another shape, all listed.
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


def edsr_from_torch(state_dict: Mapping[str, Any], *, scale: int) -> tuple[EDSR, dict]:
    """An EDSR of its authors' PyTorch implementation as ours: IGNN's backbone.

    Args:
      state_dict: parameter names, with or without "module.", to arrays (torch tensors
        or NumPy, convolutions OIHW).
      scale: 2, 3 or 4.

    Returns:
      The model and its variables. Blocks and features are read off the arrays; the
      residual scale is the authors': 0.1 at 256 features, 1 below (their baseline).

    Raises:
      ValueError: names that are missing, unexpected, or of another shape, all listed.
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
    """Whether a state dict has EDSR's names, rather than IGNN's."""
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
    """The arrays in our variables; ValueError unless they are just those expected."""
    expected = {}  # torch name: (path in our variables, torch shape)
    for theirs, ours, out, into, k in convolutions:
        path = tuple(ours.split("/"))
        expected[f"{theirs}.weight"] = ((*path, "kernel"), (out, into, k, k))
        expected[f"{theirs}.bias"] = ((*path, "bias"), (out,))
    problems = [f"{name} is missing" for name in expected if name not in arrays]
    problems += [f"{name} is unexpected" for name in arrays if name not in expected]
    problems += [
        f"{name} has shape {arrays[name].shape}, not {shape}"
        for name, (_, shape) in expected.items()
        if name in arrays and arrays[name].shape != shape
    ]
    if problems:
        raise ValueError(
            f"these are not the weights of {network}: {'; '.join(problems)}"
        )
    variables: dict = {}
    for name, (path, shape) in expected.items():
        array = arrays[name].astype(np.float32)
        *parents, leaf = path
        node = variables
        for parent in parents:
            node = node.setdefault(parent, {})
        if len(shape) == 4:
            array = array.transpose(2, 3, 1, 0)
        # ECN's convolutions, of one pixel, are matrices here.
        node[leaf] = array[0, 0] if shape[2:] == (1, 1) else array
    return variables


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
