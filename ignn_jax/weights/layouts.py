"""How other programs name the tensors of IGNN and EDSR: a layout for each program.

Names and convolutions (OIHW) are PyTorch's; paths in the variables are ours.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ignn_jax.errors import InputError
from ignn_jax.models import EDSR, IGNN, GraphConfig
from ignn_jax.models.aggregation import ECN_FEATURES
from ignn_jax.models.edsr import upsample_factors
from ignn_jax.models.embedding import VGG19, VGG19_SHAPES
from ignn_jax.models.factory import SCALES

Arrays = Mapping[str, np.ndarray]


class Convolution(NamedTuple):
    """One convolution in both worlds; its weight and its bias are tensors."""

    name: str  # in PyTorch
    path: str  # of ours
    out: int
    into: int
    side: int


class Layout(NamedTuple):
    """The tensors of one program's network.

    program: where it is from.
    mark: a name that matches this pattern is in no other layout.
    model: the network that arrays by name belong to, given a scale (or None) and
      settings.
    convolutions: of such a network.
    shifts: the convolutions that subtract or add the mean of colors.
    wrap: what the program's own files hold: from arrays by name to nested dicts.
    """

    program: str
    mark: str
    model: Callable[..., Any]
    convolutions: Callable[[Any], list[Convolution]]
    shifts: tuple[str, ...]
    wrap: Callable[[dict[str, np.ndarray]], dict[str, Any]]


def recognize(arrays: Arrays) -> str:
    """The key in LAYOUTS of the layout that arrays have.

    Raises:
      InputError: none.
    """
    for key, layout in LAYOUTS.items():
        if any(re.match(layout.mark, name) for name in arrays):
            return key
    shown = ", ".join(list(arrays)[:3]) or "none"
    programs = ", ".join(layout.program for layout in LAYOUTS.values())
    raise InputError(
        f"not a network known here; its tensors are {shown}{' ...' * (len(arrays) > 3)}"
        f" (known are {programs}, and torchvision's VGG19)"
    )


def _ignn(arrays, *, scale=None, residual_scale=None, **graph):
    # body1 holds blocks alone; body2 holds blocks, then one convolution.
    position, behind = (
        _count(arrays, rf"{b}\.\d+\.body\.") for b in ("body1", "body2")
    )
    # At x4 the tail begins with another pixel shuffle.
    is_x4 = "tail.1.0.weight" in arrays or "tail.1.0.bias" in arrays
    return IGNN(
        scale=_scale(arrays, r"upsample\.0", scale, times=1 + is_x4),
        features=_features(arrays, "head.0"),
        num_blocks=position + behind,
        residual_scale=0.1 if residual_scale is None else residual_scale,
        graph=GraphConfig(position=position, **{"window_center": "reference"} | graph),
    )


def _edsr(arrays, *, scale=None, residual_scale=None):
    blocks = _count(arrays, r"body\.\d+\.body\.")
    scale = _scale(arrays, r"tail\.0\.\d+", scale)
    return _new_edsr(_features(arrays, "head.0"), blocks, scale, residual_scale)


def _basicsr(arrays, *, scale=None, residual_scale=None):
    blocks = _count(arrays, r"body\.\d+\.conv1\.")
    scale = _scale(arrays, r"upsample\.\d+", scale)
    return _new_edsr(_features(arrays, "conv_first"), blocks, scale, residual_scale)


def _new_edsr(features, blocks, scale, residual_scale):
    # The files do not tell; this is how the authors trained large and small networks.
    if residual_scale is None:
        residual_scale = 0.1 if features >= 256 else 1.0
    return EDSR(
        scale=scale,
        features=features,
        num_blocks=blocks,
        residual_scale=residual_scale,
    )


def _count(arrays, pattern):
    return len({match[0] for name in arrays if (match := re.match(pattern, name))})


def _features(arrays, head):
    weight = arrays.get(f"{head}.weight")
    return weight.shape[0] if weight is not None and weight.ndim == 4 else 0


def _scale(arrays, pattern, expected, *, times=1):
    """The scale of the convolutions before pixel shuffles, which must be as expected.

    Each makes f * f channels of one, so it upscales by f.
    """
    found = 1
    for name, array in arrays.items():
        if re.fullmatch(rf"{pattern}\.weight", name) and array.ndim == 4:
            found *= math.isqrt(array.shape[0] // max(array.shape[1], 1))
    found **= times
    if found in SCALES and expected not in (None, found):
        raise InputError(
            f"this is an x{found} network, not x{expected}; give its scale, or none",
            field="scale",
        )
    if found > max(SCALES):
        raise InputError(f"this is an x{found} network; known are x2, x3 and x4")
    return found if found in SCALES else expected or SCALES[0]


def _edsr_convolutions(model):
    c, blocks = model.features, model.num_blocks
    convolutions = [
        Convolution("head.0", "params/head", c, 3, 3),
        *_block_convolutions([(f"body.{n}", n) for n in range(blocks)], c),
        Convolution(f"body.{blocks}", "params/body", c, c, 3),
        Convolution("tail.1", "params/tail", 3, c, 3),
    ]
    for n, s in enumerate(upsample_factors(model.scale)):  # then a pixel shuffle
        ours = f"params/upsample_{n}/conv"
        convolutions.append(Convolution(f"tail.0.{2 * n}", ours, s * s * c, c, 3))
    return convolutions


def _basicsr_convolutions(model):
    names = {
        r"head\.0": "conv_first",
        rf"body\.{model.num_blocks}": "conv_after_body",
        r"body\.(\d+)\.body\.0": r"body.\1.conv1",
        r"body\.(\d+)\.body\.2": r"body.\1.conv2",
        r"tail\.0\.(\d+)": r"upsample.\1",
        r"tail\.1": "conv_last",
    }
    return [
        conv._replace(name=re.sub(pattern, name, conv.name))
        for conv in _edsr_convolutions(model)
        for pattern, name in names.items()
        if re.fullmatch(pattern, conv.name)
    ]


def _block_convolutions(blocks, c):
    return [
        Convolution(f"{theirs}.body.{2 * i}", f"params/block_{n}/conv_{i}", c, c, 3)
        for theirs, n in blocks
        for i in (0, 1)
    ]


def _ignn_convolutions(model):
    s, c, e = upsample_factors(model.scale)[0], model.features, ECN_FEATURES
    position, is_x4 = model.graph.position, model.scale == 4
    if position is None:
        position = model.num_blocks // 2
    behind = model.num_blocks - position
    convs = [Convolution("head.0", "params/head", c, 3, 3)]
    blocks = [(f"body1.{n}", n) for n in range(position)]
    blocks += [(f"body2.{n}", position + n) for n in range(behind)]
    convs += _block_convolutions(blocks, c)
    convs.append(Convolution(f"body2.{behind}.0", "params/body", c, c, 3))
    for i, side in enumerate((5, 3, 3)):
        ours = f"params/graph_agg/den/conv_{i}"
        convs.append(Convolution(f"gcn.knn_downsample.{i}.0", ours, c, c, side))
    for size in ("lr", "hr"):
        for i, layer in enumerate(("0.0", "1.body.0", "1.body.2", "2.0")):
            theirs, ours = f"gcn.weightnet_{size}.{layer}", f"ecn_{size}/conv_{i}"
            out = e if i < 3 else 1
            convs.append(Convolution(theirs, f"params/graph_agg/{ours}", out, e, 1))
    for theirs, ours in (("fuse_b", "fuse_lr"), ("fuse_up", "fuse_hr")):
        for i in (0, 1):
            into = c * (2 - i)
            convs.append(
                Convolution(f"{theirs}.{i}.0", f"params/{ours}_{i}", c, into, 3)
            )
    convs.append(Convolution("upsample.0", "params/upsample_0/conv", s * s * c, c, 3))
    if is_x4:
        convs.append(Convolution("tail.0.0", "params/upsample_1/conv", 4 * c, c, 3))
    convs.append(Convolution(f"tail.{int(is_x4)}.0", "params/tail", 3, c, 3))
    for i, (name, shape) in enumerate(VGG19_SHAPES.items()):
        theirs, ours = f"vggnet.model.{2 * i}", f"{VGG19}/embedding/{name}"
        convs.append(Convolution(theirs, ours, shape[3], shape[2], 3))
    return convs


LAYOUTS = {
    "ignn": Layout(
        "sczhou/IGNN",
        r"gcn\.",
        _ignn,
        _ignn_convolutions,
        ("sub_mean", "add_mean", "vggnet.sub_mean"),
        lambda arrays: {
            "net_state_dict": {f"module.{name}": x for name, x in arrays.items()},
            "epoch_idx": 0,
            "best_PSNR": 0.0,
            "best_epoch": 0,
        },
    ),
    "edsr": Layout(
        "sanghyun-son/EDSR-PyTorch",
        r"body\.0\.body\.0\.weight",
        _edsr,
        _edsr_convolutions,
        ("sub_mean", "add_mean"),
        lambda arrays: arrays,
    ),
    "basicsr": Layout(
        "XPixelGroup/BasicSR",
        r"conv_after_body\.|body\.0\.conv1\.",
        _basicsr,
        _basicsr_convolutions,
        (),
        lambda arrays: {"params": arrays},
    ),
}
