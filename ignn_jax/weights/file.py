"""The format of weights files: safetensors with a JSON header and a checksum.

Tensors are named by their path in the variables, `params/block_0/conv_0/kernel`, with
convolutions as HWIO. They are stored as float32, or as float16 or bfloat16 to save
space. The one entry of safetensors' metadata, "ignn_jax", is the header, as JSON:

  model    the settings of the network, as in `ignn_jax.models.factory`
  sha256   the digest of the rest of the header and of the tensors
  step     the training step, or whatever else the writer wants to tell

Weights that come with the package, `pretrained/NAME.safetensors`, also have

  data     what they were trained on, in words
  command  the command that trained them
  commit   the commit of this repository that was used
  steps    how many steps they were trained for
  license  the license of the weights
  psnr     in dB on Y: {"Set5": {"bicubic": 33.68, "edsr": ..., "ignn": ...}, ...}

Nothing here needs JAX, which takes a second to import.
"""

import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import ml_dtypes  # noqa: F401, makes bfloat16 known to NumPy
import numpy as np
import safetensors
import safetensors.numpy

from ignn_jax.errors import InputError
from ignn_jax.files import write_bytes

_HEADER, _DIGEST = "ignn_jax", "sha256"


def write_weights(
    path: pathlib.Path, tensors: Mapping[str, np.ndarray], header: Mapping[str, Any]
) -> None:
    """Writes a file, whole or not at all; the same contents give the same bytes.

    Args:
      path: the file; it is replaced if it exists.
      tensors: arrays by name.
      header: values that JSON can hold; the digest is added.

    Raises:
      InputError: the file cannot be written.
    """
    header = {**header, _DIGEST: _own_digest(tensors, header)}
    data = safetensors.numpy.save(dict(tensors), {_HEADER: json.dumps(header)})
    write_bytes(path, data)


def read_weights(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads the tensors, with the dtype that they are stored in, and the header.

    Raises:
      InputError: this is not a weights file, or it is damaged: it has a digest, and
        its contents do not match it.
    """
    header = read_header(path)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error
    if _DIGEST in header and header[_DIGEST] != _own_digest(tensors, header):
        raise InputError(
            f"{path}: damaged: its contents do not match its checksum; copy or "
            "download it again"
        )
    return tensors, header


def read_header(path: pathlib.Path) -> dict[str, Any]:
    """Reads only the header, and checks that it has a model with a name and a scale.

    Raises:
      InputError: this is not a weights file.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})[_HEADER])
        header["model"]["name"], header["model"]["scale"]
    except (
        safetensors.SafetensorError,
        OSError,
        ValueError,
        KeyError,
        TypeError,  # JSON of another shape
    ) as error:
        raise _unreadable(path, error) from error
    return header


def digest(tensors: Mapping[str, np.ndarray], info: Mapping[str, Any]) -> str:
    """The SHA-256 of named arrays and of what is known about them, as hex digits.

    Names, dtypes and shapes count. The order of the tensors does not.

    Args:
      tensors: arrays by name.
      info: values that JSON can hold. JSON keeps their order, and floats exactly, so
        what is read back gives the same digest.
    """
    sha256 = hashlib.sha256(json.dumps(info).encode())
    for name, array in sorted(tensors.items()):
        sha256.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        sha256.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sha256.hexdigest()


def count_parameters(tensors: Mapping[str, np.ndarray]) -> int:
    """How many parameters are trained; the frozen ones of VGG19 do not count."""
    return sum(x.size for name, x in tensors.items() if name.startswith("params/"))


def _unreadable(path: pathlib.Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: not a weights file of ignn_jax, or a damaged one ({error})"
    )


def _own_digest(tensors, header):
    return digest(tensors, {k: v for k, v in header.items() if k != _DIGEST})
