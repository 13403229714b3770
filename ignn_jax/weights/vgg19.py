"""Weights that others made: VGG19's first convolutions, and PyTorch's state dicts."""

import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from ignn_jax.errors import InputError
from ignn_jax.models.embedding import VGG19, VGG19_SHAPES


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
