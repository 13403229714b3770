"""The weights of IGNN and EDSR from PyTorch's programs, and back."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import flax.traverse_util
import numpy as np

from ignn_jax.errors import InputError
from ignn_jax.models import EDSR, IGNN
from ignn_jax.weights.checkpoints import to_numpy
from ignn_jax.weights.layouts import LAYOUTS, recognize
from ignn_jax.weights.mean_shift import mean_shift_arrays, remove_mean_shifts
from ignn_jax.weights.tensors import check_tensors

# In IGNN's checkpoints VGG19 is there twice, as a part of the graph as well.
_COPY, _COPIED = "graph.embedcnn.", "vggnet."


class Converted(NamedTuple):
    """A network from a state dict.

    model: for `model.apply(variables, lr)`.
    variables: NumPy, float32.
    layout: that the state dict had, a key of `layouts.LAYOUTS`.
    """

    model: EDSR | IGNN
    variables: dict[str, Any]
    layout: str


def network_from_torch(
    state_dict: Mapping[str, Any],
    *,
    scale: int | None = None,
    residual_scale: float | None = None,
) -> Converted:
    """Converts the weights of any network that is known here.

    Args:
      state_dict: arrays (torch tensors or NumPy, convolutions OIHW) by the names of
        their program, with or without "module." before them.
      scale: that the network must have; None for any.
      residual_scale: the factor of the residual blocks, which the arrays do not tell;
        None for what the authors of such networks use: 0.1 for IGNN and for an EDSR of
        256 features, 1 for a smaller one (their baseline).

    Raises:
      InputError: it is none of these networks, or has another scale; tensors are
        missing, unexpected, of another shape or not finite; or constants differ.
    """
    arrays = _arrays(state_dict)
    return _convert(
        arrays, recognize(arrays), scale=scale, residual_scale=residual_scale
    )


def ignn_from_torch(
    state_dict: Mapping[str, Any],
    *,
    scale: int | None = None,
    window: int = 30,
    neighbors: int = 5,
    window_center: str = "reference",
) -> tuple[IGNN, dict[str, Any]]:
    """Converts the weights of the reference's IGNN.

    Args:
      state_dict: arrays (torch tensors or NumPy, convolutions OIHW) by the reference's
        names, with or without "module." before them.
      scale: that the network must have; None for any.
      window: as in GraphConfig, like the next two: the arrays do not tell.
      neighbors: as in GraphConfig.
      window_center: as in GraphConfig.

    Returns:
      The model and its variables: `model.apply(variables, lr)`. Scale, features and the
      number of blocks before and after the graph follow from the arrays; the residual
      scale is 0.1, as in the reference.

    Raises:
      InputError: as `network_from_torch`.
    """
    graph = dict(window=window, neighbors=neighbors, window_center=window_center)
    model, variables, _ = _convert(_arrays(state_dict), "ignn", scale=scale, **graph)
    assert isinstance(model, IGNN)
    return model, variables


def edsr_from_torch(
    state_dict: Mapping[str, Any], *, scale: int | None = None
) -> tuple[EDSR, dict[str, Any]]:
    """Converts the weights of EDSR, IGNN's backbone.

    Args:
      state_dict: arrays (torch tensors or NumPy, convolutions OIHW) by the names of its
        authors or of BasicSR, with or without "module." before them.
      scale: that the network must have; None for any.

    Returns:
      The model and its variables. Scale, features and the number of blocks follow from
      the arrays; the residual scale is as in `network_from_torch`.

    Raises:
      InputError: as `network_from_torch`.
    """
    arrays = _arrays(state_dict)
    layout = "basicsr" if recognize(arrays) == "basicsr" else "edsr"
    model, variables, _ = _convert(arrays, layout, scale=scale)
    assert isinstance(model, EDSR)
    return model, variables


def _arrays(state_dict):
    return {name.removeprefix("module."): to_numpy(x) for name, x in state_dict.items()}


def _convert(arrays, layout, **settings) -> Converted:
    program, _, make_model, list_convolutions, shifts, _ = LAYOUTS[layout]
    model = make_model(arrays, **settings)
    convolutions = list_convolutions(model)
    if layout == "ignn":
        arrays = _without_copy(arrays)
    if shifts:
        names = {conv.path: conv.name for conv in convolutions}
        arrays, without_mean = remove_mean_shifts(arrays, names)
        model = _without_means(model, without_mean)
    paths: dict[str, str] = {}  # both by torch's names
    shapes: dict[str, tuple[int, ...]] = {}
    for theirs, ours, out, into, side in convolutions:
        paths[f"{theirs}.weight"] = f"{ours}/kernel"
        shapes[f"{theirs}.weight"] = (out, into, side, side)
        paths[f"{theirs}.bias"], shapes[f"{theirs}.bias"] = f"{ours}/bias", (out,)
    network = f"an x{model.scale} {type(model).__name__} ({program})"
    check_tensors(arrays, shapes, source=f"not the weights of {network}")
    flat = {path: _to_flax(arrays[name]) for name, path in paths.items()}
    variables = flax.traverse_util.unflatten_dict(flat, sep="/")
    return Converted(model, variables, layout)


def _without_copy(arrays):
    """Without the copy of VGG19, which must be one."""
    rest = {name: x for name, x in arrays.items() if not name.startswith(_COPY)}
    for name in arrays.keys() - rest.keys():
        copied = name.replace(_COPY, _COPIED)
        if not np.array_equal(arrays[name], rest.get(copied)):
            raise InputError(f"{name} is not the same as {copied}, as it should be")
    return rest


def _without_means(model, names):
    """The network that leaves out the mean of these MeanShifts; add_mean needs none."""
    names = names - {"add_mean"}
    if names and not isinstance(model, IGNN):
        raise InputError(f"{min(names)} subtracts no mean, which EDSR needs")
    if "sub_mean" in names:
        model = model.clone(centered=False)
    if "vggnet.sub_mean" in names:
        graph = dataclasses.replace(model.graph, embedding="vgg19_uncentered")
        model = model.clone(graph=graph)
    return model


def _to_flax(array):
    array = array.astype(np.float32)
    if array.ndim == 4:
        array = array.transpose(2, 3, 1, 0)  # OIHW to HWIO
    # The 1x1 convolutions of ECN are matrices here.
    return array[0, 0] if array.shape[:2] == (1, 1) else array


def network_to_torch(
    model: nn.Module, variables: Mapping[str, Any], *, layout: str
) -> dict[str, np.ndarray]:
    """The state dict of a network in the names of another program.

    Args:
      model: the network.
      variables: what `model.apply` takes.
      layout: a key of `layouts.LAYOUTS`.

    Returns:
      Arrays, float32, convolutions OIHW, by the program's names: all that its network
      loads, constants included.

    Raises:
      InputError: the program has no such network.
    """
    program, _, _, list_convolutions, shifts, _ = LAYOUTS[layout]
    if reasons := _unknown_to(layout, model):
        raise InputError(f"{program} has no such network: {'; '.join(reasons)}")
    flat = flax.traverse_util.flatten_dict(dict(variables), sep="/")
    arrays = {}
    for theirs, ours, *_ in list_convolutions(model):
        kernel, bias = (
            np.asarray(flat[f"{ours}/{leaf}"], np.float32)
            for leaf in ("kernel", "bias")
        )
        kernel = kernel.reshape((1,) * (4 - kernel.ndim) + kernel.shape)
        arrays[f"{theirs}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        arrays[f"{theirs}.bias"] = bias
    for name in shifts:
        arrays |= mean_shift_arrays(name, shifts=_shifts(model, name))
    if layout == "ignn":
        arrays |= {
            name.replace(_COPIED, _COPY): x.copy()
            for name, x in arrays.items()
            if name.startswith(_COPIED)
        }
    return arrays


def _shifts(model, name):
    if name == "sub_mean" and isinstance(model, IGNN):
        return model.centered
    return name != "vggnet.sub_mean" or model.graph.embedding == "vgg19"


def _unknown_to(layout, model):
    """What a network has that the program's own cannot have."""
    if (layout == "ignn") != isinstance(model, IGNN):
        return [f"it has no {type(model).__name__}"]
    if not isinstance(model, IGNN):
        return []
    graph, half = model.graph, model.num_blocks // 2
    needed = {
        "kind": ("cross_scale",),
        "fusion": ("reference",),
        "embedding": ("vgg19", "vgg19_uncentered"),
        "den": ("per_neighbor",),
        "edge_weights": ("ecn",),
        "patch_size": (3,),
        "patch_stride": (2,),
        "position": (half, None),
    }
    if graph.window and model.scale == 3:
        needed["window_center"] = ("reference",)
    reasons = [
        f"model.graph.{name} is {getattr(graph, name)}, not {choices[0]}"
        for name, choices in needed.items()
        if getattr(graph, name) not in choices
    ]
    if model.residual_scale != 0.1:  # ECN has the same one there
        reasons.append(f"model.residual_scale is {model.residual_scale}, not 0.1")
    return reasons
