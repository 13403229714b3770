"""VGG19's first two convolutions, which others trained."""

import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import flax.traverse_util
import numpy as np
import safetensors.numpy

from ignn_jax.errors import InputError
from ignn_jax.files import write_bytes
from ignn_jax.models.embedding import VGG19, VGG19_SHAPES
from ignn_jax.weights.checkpoints import read_checkpoint
from ignn_jax.weights.tensors import check_tensors

# In torchvision's state dict, by our names; and where it has all its convolutions,
# which tells VGG19 from its smaller relatives and from those with batch normalization.
_TORCHVISION = {"conv1_1": "features.0", "conv1_2": "features.2"}
_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)


def load_vgg19(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the variables of the embedding "vgg19".

    Args:
      path: an npz or safetensors file with `conv1_1/kernel` (HWIO), `conv1_1/bias` and
        so on; or torchvision's state dict (`features.0.weight`, OIHW) as safetensors,
        npz or, with PyTorch installed, .pth. Other tensors are ignored.

    Returns:
      {"vgg19": {"embedding": {"conv1_1": {"kernel": ..., "bias": ...}, ...}}}, float32.

    Raises:
      InputError: the file cannot be read, it is another VGG's, or a tensor is missing,
        of another shape or not finite.
    """
    tensors = _tensors(read_checkpoint(path).tensors, source=str(path))
    return {VGG19: {"embedding": flax.traverse_util.unflatten_dict(tensors, sep="/")}}


def is_torchvision(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether a state dict has the names of torchvision's VGG networks."""
    return "features.0.weight" in arrays


def save_vgg19(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes the two convolutions of torchvision's state dict, as `load_vgg19` reads.

    Raises:
      InputError: as `load_vgg19`, or the file cannot be written.
    """
    write_bytes(path, safetensors.numpy.save(_tensors(arrays, source="VGG19")))


def _tensors(arrays, *, source):
    """The tensors by our names, `conv1_1/kernel`, checked."""
    if others := _other_layers(arrays):
        raise InputError(f"{source}: another network than VGG19: it has {others[0]}")
    tensors, shapes = {}, {}
    for name, shape in VGG19_SHAPES.items():
        shapes[f"{name}/kernel"], shapes[f"{name}/bias"] = shape, shape[-1:]
        torch = _TORCHVISION[name]
        for leaf, theirs in (("kernel", "weight"), ("bias", "bias")):
            if (array := arrays.get(f"{torch}.{theirs}")) is not None:
                if array.ndim == 4:  # OIHW to HWIO
                    array = array.transpose(2, 3, 1, 0)
            elif (array := arrays.get(f"{name}/{leaf}")) is None:
                continue
            tensors[f"{name}/{leaf}"] = np.ascontiguousarray(array, np.float32)
    check_tensors(
        tensors,
        shapes,
        source=f"{source}: not VGG19's first convolutions, by our names or "
        "torchvision's",
    )
    return tensors


def _other_layers(arrays):
    layers = (re.fullmatch(r"features\.(\d+)\.\w+", name) for name in arrays)
    return [x[0] for x in layers if x and int(x[1]) not in _CONVOLUTIONS]
