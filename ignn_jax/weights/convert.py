"""Files of weights from other programs to ours, and back."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import flax.linen as nn

from ignn_jax.errors import InputError
from ignn_jax.models import IGNN
from ignn_jax.weights.checkpoints import read_checkpoint, write_checkpoint
from ignn_jax.weights.file import read_header
from ignn_jax.weights.find import find_weights
from ignn_jax.weights.layouts import LAYOUTS
from ignn_jax.weights.network import load_with_header, save
from ignn_jax.weights.torch import network_from_torch, network_to_torch
from ignn_jax.weights.vgg19 import is_torchvision, save_vgg19


def from_torch(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    scale: int | None = None,
    residual_scale: float | None = None,
) -> str:
    """Converts a checkpoint of IGNN, of EDSR, or of torchvision's VGG19.

    Args:
      source: a PyTorch checkpoint, or its tensors as safetensors or npz.
      output: the weights file; for VGG19, a file that `init.vgg19` takes.
      scale: that the network must have; None for any.
      residual_scale: see `network_from_torch`.

    Returns:
      What it was, in lines to print.

    Raises:
      InputError: it cannot be read, is none of these, or is not as it should be; or the
        output cannot be written.
    """
    source, output = pathlib.Path(source), pathlib.Path(output)
    if _is_ours(source):
        raise InputError(
            f"{source}: weights of this package already; to write them for PyTorch, "
            "convert them to torch"
        )
    arrays, key = read_checkpoint(source)
    try:
        if is_torchvision(arrays):
            save_vgg19(output, arrays)
            return f"{source}: VGG19 (torchvision), its first two convolutions"
        model, variables, layout = network_from_torch(
            arrays, scale=scale, residual_scale=residual_scale
        )
    except InputError as error:
        raise InputError(f"{source}: {error.reason}", field=error.field) from error
    save(output, model, variables, source=source.name, layout=layout)
    where = f" in {key}" if key else ""
    lines = [f"{source}: {_network(model)}, as in {LAYOUTS[layout].program}{where}"]
    lines.append(_sizes(model))
    assumed: dict[str, Any] = {"residual_scale": model.residual_scale}
    if isinstance(model, IGNN):
        assumed |= {"window": model.graph.window, "neighbors": model.graph.neighbors}
    lines.append(f"not in the file, but usual: {_settings(assumed)}")
    return "\n".join(lines)


def to_torch(
    weights: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    layout: str | None = None,
) -> str:
    """Writes weights for the PyTorch program that such networks are from.

    Args:
      weights: a weights file, a workdir, or the name of weights that come with the
        package.
      output: as the program's own checkpoints if it ends in .pth or .pt, which needs
        the extra [torch]; otherwise the tensors alone, as safetensors.
      layout: a key of LAYOUTS; None for what they were converted from, or else for the
        authors' own.

    Returns:
      What it is, and what its program has to be told, in lines to print.

    Raises:
      InputError: the weights cannot be loaded, the program has no such network, or the
        output cannot be written.
    """
    model, variables, header = load_with_header(weights)
    own = "ignn" if isinstance(model, IGNN) else "edsr"
    layout = layout or header.get("layout")
    program = LAYOUTS[layout := layout if layout in LAYOUTS else own]
    try:
        arrays = network_to_torch(model, variables, layout=layout)
    except InputError as error:
        raise InputError(f"{weights}: {error.reason}") from error
    write_checkpoint(pathlib.Path(output), arrays, program.wrap(arrays))
    lines = [f"{weights}: {_network(model)}, for {program.program}", _sizes(model)]
    told: dict[str, Any] = {"residual_scale": model.residual_scale}
    if isinstance(model, IGNN):
        told |= {
            "window": model.graph.window or "off",
            "neighbors": model.graph.neighbors,
            "normalization": model.graph.normalization,
        }
    lines.append(f"not in the file: {_settings(told)}")
    return "\n".join(lines)


def _is_ours(source):
    try:
        read_header(find_weights(source))
    except InputError:
        return False
    return True


def _network(model: nn.Module) -> str:
    return f"{type(model).__name__} x{model.scale}"


def _sizes(model: nn.Module) -> str:
    sizes: dict[str, Any] = {"features": model.features, "num_blocks": model.num_blocks}
    if isinstance(model, IGNN):
        graph = model.graph
        sizes |= {"position": graph.position, "embedding": graph.embedding}
    return _settings(sizes)


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())
