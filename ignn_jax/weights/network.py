"""A network in a single file: its weights and its settings."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import flax.traverse_util
import jax
import numpy as np

from ignn_jax.devices import check_devices
from ignn_jax.errors import InputError
from ignn_jax.models.factory import create_model, model_settings
from ignn_jax.models.shapes import variable_shapes
from ignn_jax.weights.file import read_weights, write_weights
from ignn_jax.weights.find import find_weights
from ignn_jax.weights.tensors import check_tensors


def save(
    path: str | os.PathLike[str],
    model: nn.Module,
    variables: Mapping[str, Any],
    *,
    stored: str = "float32",
    **details: Any,
) -> None:
    """Writes a weights file, whole or not at all.

    Args:
      path: the file; it is replaced if it exists.
      model: the network; its settings go into the header.
      variables: what `model.apply` takes.
      stored: the dtype in the file: "float32", or "float16" or "bfloat16" for half the
        size.
      **details: anything else for the header that JSON can hold: step, PSNR, data.

    Raises:
      InputError: the file cannot be written.
    """
    flat = flax.traverse_util.flatten_dict(dict(variables), sep="/")
    tensors = {
        name: np.ascontiguousarray(np.asarray(array).astype(stored))
        for name, array in flat.items()
    }
    header = {"model": model_settings(model), **details}
    write_weights(pathlib.Path(path), tensors, header)


def load(weights: str | os.PathLike[str]) -> tuple[nn.Module, dict[str, Any]]:
    """Reads a network: `sr = model.apply(variables, lr)`.

    Args:
      weights: a weights file, the workdir of a training run, or the name of weights
        that come with the package.

    Returns:
      The model and its variables (NumPy, float32).

    Raises:
      InputError: there is no such file, it is not a weights file or is damaged, or a
        tensor is missing, unexpected, of another shape or not finite.
    """
    model, variables, _ = load_with_header(weights)
    return model, variables


def load_with_header(
    weights: str | os.PathLike[str],
) -> tuple[nn.Module, dict[str, Any], dict[str, Any]]:
    """As `load`, with the file's header as a third result (see `weights.file`)."""
    path = find_weights(weights)
    tensors, header = read_weights(path)
    try:
        model = create_model(header["model"])
    except (InputError, TypeError) as error:
        raise InputError(f"{path}: not a known network ({error})") from error
    flat = {name: array.astype(np.float32) for name, array in tensors.items()}
    variables = flax.traverse_util.unflatten_dict(flat, sep="/")
    check_variables(model, variables, source=str(path))
    return model, variables, header


def verify(weights: str | os.PathLike[str]) -> str:
    """Reads a network and checks its file as `load` does.

    Returns:
      What was checked, in a line to print.

    Raises:
      InputError: as `load`.
    """
    path = find_weights(weights)
    model, variables, header = load_with_header(path)
    found = (
        f"{len(jax.tree.leaves(variables))} tensors of an x{model.scale} "
        f"{type(model).__name__}, all finite"
    )
    checksum = "as in its checksum" if "sha256" in header else "it has no checksum"
    return f"{path}: intact: {found}; {checksum}"


def check_variables(
    model: nn.Module, variables: Mapping[str, Any], *, source: str
) -> None:
    """Checks that variables are those that a network needs.

    Args:
      model: the network.
      variables: NumPy arrays, as `model.apply` takes them.
      source: what the message begins with.

    Raises:
      InputError: as `check_tensors`; or JAX finds no device.
    """
    check_devices()
    tensors = flax.traverse_util.flatten_dict(dict(variables), sep="/")
    check_tensors(tensors, variable_shapes(model), source=source)
