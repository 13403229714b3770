"""A network in a single file: its weights and settings (`ignn_jax.weights.file`)."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import flax.traverse_util
import jax
import numpy as np

from ignn_jax.errors import InputError
from ignn_jax.models.factory import create_model, model_settings
from ignn_jax.weights.file import (
    BEST_FILENAME,
    FILENAME,
    find_weights,
    read_weights,
    write_weights,
)

__all__ = ["BEST_FILENAME", "FILENAME", "load_weights", "save_weights"]


def save_weights(
    path: str | os.PathLike,
    model: nn.Module,
    variables: Mapping[str, Any],
    *,
    stored: str = "float32",
    **details: Any,
) -> None:
    """Writes a weights file, whole or not at all.

    Args:
      path: the file; replaced if it exists.
      model: the network whose settings go into the header.
      variables: as `model.apply` takes them.
      stored: dtype on disk: "float32", or "float16" or "bfloat16" for half the size.
      **details: whatever else JSON can hold, for the header: step, PSNR, data.

    Raises:
      InputError: it cannot be written.
    """
    flat = flax.traverse_util.flatten_dict(dict(variables), sep="/")
    tensors = {
        name: np.ascontiguousarray(np.asarray(array).astype(stored))
        for name, array in flat.items()
    }
    header = {"model": model_settings(model), **details}
    write_weights(pathlib.Path(path), tensors, header)


def load_weights(
    weights: str | os.PathLike,
) -> tuple[nn.Module, dict[str, Any], dict[str, Any]]:
    """Reads a network from a weights file.

    Args:
      weights: the file, the workdir of a training run, or the name of weights that
        come with the package, as `find_weights` takes it.

    Returns:
      The network, its variables (NumPy, float32), and the header.

    Raises:
      InputError: no such file, not a weights file, a damaged one, or one of tensors
        that are missing, unexpected, of another shape or not finite.
    """
    path = find_weights(weights)
    tensors, header = read_weights(path)
    try:
        model = create_model(header["model"])
    except (InputError, TypeError) as error:
        raise InputError(f"{path}: not a network that is known ({error})") from error
    flat = {name: array.astype(np.float32) for name, array in tensors.items()}
    _check(path, model, flat)
    return model, flax.traverse_util.unflatten_dict(flat, sep="/"), header


def _check(path, model, flat):
    """Raises InputError unless the tensors are those of the model."""
    # Of a single pixel: the fewer the neighbors, the sooner it is traced.
    lr = jax.ShapeDtypeStruct((1, 1, 1, 3), np.float32)
    expected = jax.eval_shape(model.init, jax.random.key(0), lr)
    expected = flax.traverse_util.flatten_dict(expected, sep="/")
    problems = [f"{name} is missing" for name in expected.keys() - flat.keys()]
    problems += [f"{name} is unexpected" for name in flat.keys() - expected.keys()]
    for name in sorted(expected.keys() & flat.keys()):
        if flat[name].shape != expected[name].shape:
            problems.append(
                f"{name} has shape {flat[name].shape}, not {expected[name].shape}"
            )
        elif not np.isfinite(flat[name]).all():
            problems.append(f"{name} is not finite")
    if problems:
        shown = "; ".join(sorted(problems)[:3])
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise InputError(f"{path}: {shown}{more}")
