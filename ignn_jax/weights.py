"""Weights in a single file: safetensors, with the network's settings in the header.

Tensors are named by their path in the variables, `params/block_0/conv_0/kernel`,
convolutions HWIO, float32. The header's one entry, "ignn_jax", is JSON:
`{"model": settings, ...}` (`ignn_jax.models.factory`).
"""

import json
import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import flax.traverse_util
import numpy as np
import safetensors
import safetensors.numpy

from ignn_jax.errors import InputError
from ignn_jax.models.embedding import VGG19, VGG19_SHAPES
from ignn_jax.models.factory import create_model, model_settings
from ignn_jax.outputs import write_bytes

# What a training run keeps up to date in its workdir: the last, and the best.
FILENAME, BEST_FILENAME = "weights.safetensors", "best.safetensors"

_HEADER = "ignn_jax"


def save_weights(
    path: str | os.PathLike,
    model: nn.Module,
    variables: Mapping[str, Any],
    **details: Any,
) -> None:
    """Writes a weights file, whole or not at all.

    Args:
      path: the file; replaced if it exists.
      model: the network whose settings go into the header.
      variables: as `model.apply` takes them.
      **details: whatever else JSON can hold, for the header: step, PSNR, data.

    Raises:
      InputError: it cannot be written.
    """
    flat = flax.traverse_util.flatten_dict(dict(variables), sep="/")
    tensors = {name: np.ascontiguousarray(array) for name, array in flat.items()}
    header = {"model": model_settings(model), **details}
    data = safetensors.numpy.save(tensors, {_HEADER: json.dumps(header)})
    write_bytes(pathlib.Path(path), data)


def load_weights(
    path: str | os.PathLike,
) -> tuple[nn.Module, dict[str, Any], dict[str, Any]]:
    """Reads a weights file, or the one in a run's workdir.

    Args:
      path: the file or the workdir.

    Returns:
      The network, its variables (NumPy), and the header.

    Raises:
      InputError: no such file, not a weights file, or tensors that are missing,
        unexpected, of another shape or not finite.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        if not (path / FILENAME).is_file():
            raise InputError(
                f"{path}: no {FILENAME} in this folder; give a weights file or the "
                "workdir of a training run that has saved a checkpoint"
            )
        path = path / FILENAME
    if not path.is_file():
        raise InputError(f"{path}: no such weights file")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})[_HEADER])
            flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        model = create_model(header["model"])
    except (
        safetensors.SafetensorError,
        OSError,
        ValueError,
        KeyError,
        TypeError,  # JSON, but not ours
    ) as error:
        raise InputError(
            f"{path}: not a weights file of ignn_jax, or a damaged one ({error})"
        ) from error
    _check(path, model, flat)
    return model, flax.traverse_util.unflatten_dict(flat, sep="/"), header


def load_vgg19(path: str | os.PathLike) -> dict[str, Any]:
    """VGG19's first two convolutions, as the collection that the embedding wants.

    Args:
      path: npz or safetensors with `conv1_1/kernel` (HWIO) and so on; or torchvision's
        state dict (`features.0.weight`, OIHW) as safetensors, npz or, with PyTorch
        installed, .pth.

    Returns:
      {"vgg19": {"embedding": {"conv1_1": {"kernel": ..., "bias": ...}, ...}}}

    Raises:
      InputError: the file cannot be read, or lacks these tensors.
    """
    arrays = _read_arrays(pathlib.Path(path))
    layers = {}
    for (name, shape), torch in zip(
        VGG19_SHAPES.items(), ("features.0", "features.2"), strict=True
    ):
        names = (f"{name}/kernel", f"{name}/bias")
        if is_torch := f"{torch}.weight" in arrays:
            names = (f"{torch}.weight", f"{torch}.bias")
        if missing := [tensor for tensor in names if tensor not in arrays]:
            raise InputError(
                f"{path}: no {missing[0]} in this file; init.vgg19 wants VGG19's first "
                f"two convolutions, as {name}/kernel or as torchvision's {torch}.weight"
            )
        kernel, bias = (np.asarray(arrays[tensor], np.float32) for tensor in names)
        if is_torch and kernel.ndim == 4:
            kernel = kernel.transpose(2, 3, 1, 0)
        if kernel.shape != shape or bias.shape != shape[-1:]:
            raise InputError(
                f"{path}: {name} has shapes {kernel.shape}, {bias.shape}, not {shape}, "
                f"{shape[-1:]}"
            )
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise InputError(f"{path}: {name} is not finite")
        layers[name] = {"kernel": kernel, "bias": bias}
    return {VGG19: {"embedding": layers}}


def load_torch(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """A PyTorch checkpoint's state dict as arrays; needs the extra [torch].

    Only tensors are unpickled. A state dict inside a training checkpoint
    (`net_state_dict`, `state_dict`, `params`) is found.

    Raises:
      InputError: PyTorch is not installed, or the file is not such a checkpoint.
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


def _read_arrays(path):
    if path.suffix in (".pth", ".pt"):
        return load_torch(path)
    try:
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                return dict(arrays)
        return safetensors.numpy.load_file(path)
    except (OSError, ValueError, zipfile.BadZipFile, safetensors.SafetensorError) as e:
        raise InputError(
            f"{path}: cannot be read; give an npz, safetensors or pth file ({e})"
        ) from e


def _check(path, model, flat):
    """Raises InputError unless the tensors are those of the model."""
    import jax  # its import takes a second

    lr = jax.ShapeDtypeStruct((1, 8, 8, 3), np.float32)
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
