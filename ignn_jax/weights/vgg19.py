"""VGG19's first two convolutions, which others trained."""

import os
import pathlib
import zipfile
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from ignn_jax.errors import InputError
from ignn_jax.models.embedding import VGG19, VGG19_SHAPES
from ignn_jax.weights.tensors import check_tensors
from ignn_jax.weights.torch import load_torch

# In torchvision's state dict, by our names.
_TORCHVISION = {"conv1_1": "features.0", "conv1_2": "features.2"}


def load_vgg19(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the variables of the embedding "vgg19".

    Args:
      path: an npz or safetensors file with `conv1_1/kernel` (HWIO), `conv1_1/bias` and
        so on; or torchvision's state dict (`features.0.weight`, OIHW) as safetensors,
        npz or, with PyTorch installed, .pth. Other tensors are ignored.

    Returns:
      {"vgg19": {"embedding": {"conv1_1": {"kernel": ..., "bias": ...}, ...}}}, float32.

    Raises:
      InputError: the file cannot be read, or a tensor is missing, of another shape or
        not finite.
    """
    arrays = _read_arrays(pathlib.Path(path))
    tensors: dict[str, np.ndarray] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in VGG19_SHAPES.items():
        shapes[f"{name}/kernel"], shapes[f"{name}/bias"] = shape, shape[-1:]
        torch = _TORCHVISION[name]
        for leaf, theirs in (("kernel", "weight"), ("bias", "bias")):
            if f"{torch}.{theirs}" in arrays:
                array = np.asarray(arrays[f"{torch}.{theirs}"], np.float32)
                if array.ndim == 4:  # OIHW to HWIO
                    array = array.transpose(2, 3, 1, 0)
                tensors[f"{name}/{leaf}"] = array
            elif f"{name}/{leaf}" in arrays:
                tensors[f"{name}/{leaf}"] = np.asarray(
                    arrays[f"{name}/{leaf}"], np.float32
                )
    check_tensors(
        tensors,
        shapes,
        source=f"{path}: not VGG19's first convolutions, by our names or torchvision's",
    )
    layers = {
        name: {leaf: tensors[f"{name}/{leaf}"] for leaf in ("kernel", "bias")}
        for name in VGG19_SHAPES
    }
    return {VGG19: {"embedding": layers}}


def _read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
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
