"""The format of weights files: safetensors with a JSON header and a checksum.

Tensors are named by their path in the variables, `params/block_0/conv_0/kernel`,
convolutions HWIO. On disk they are float32, or float16 or bfloat16 to save space. The
one entry of safetensors' metadata, "ignn_jax", is JSON, the header:

  model    the network's settings, as of `ignn_jax.models.factory`
  sha256   of all else in the header and of the tensors
  step     of the training, or whatever else the writer knows

Weights that come with the package, `pretrained/NAME.safetensors`, are known by their
names, and their headers also hold

  data     what they were trained on, in words
  command  what trained them
  commit   of this repository, at which
  steps    of the training
  license  of the weights
  psnr     in dB on Y: {"Set5": {"bicubic": 33.68, "edsr": ..., "ignn": ...}, ...}

Nothing here needs JAX, which takes a second to import.
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import ml_dtypes  # noqa: F401, makes bfloat16 known to NumPy
import numpy as np
import safetensors
import safetensors.numpy

from ignn_jax.errors import InputError
from ignn_jax.files import write_bytes

# What a training run keeps up to date in its workdir: the last, and the best.
FILENAME, BEST_FILENAME = "weights.safetensors", "best.safetensors"

PRETRAINED = pathlib.Path(__file__).with_name("pretrained")

_HEADER, _DIGEST = "ignn_jax", "sha256"


def pretrained() -> dict[str, pathlib.Path]:
    """The weights that come with the package: their files by their names."""
    return {path.stem: path for path in sorted(PRETRAINED.glob("*.safetensors"))}


def default_weights(scale: int | None = None) -> str:
    """The name of the package's own weights of a scale, x2 if None; the largest.

    Raises:
      InputError: there are none.
    """
    scale, files = scale or 2, pretrained()
    scales = {name: read_header(path)["model"]["scale"] for name, path in files.items()}
    fitting = [name for name in files if scales[name] == scale]
    if not fitting:
        there = ", ".join(f"{name} (x{n})" for name, n in scales.items()) or "none"
        raise InputError(
            f"scale {scale}: no such weights come with the package, which has {there}; "
            "give others (--weights), or leave the scale out and go on from x2 by "
            f"bicubic (--outscale {scale})"
        )
    return max(fitting, key=lambda name: files[name].stat().st_size)


def find_weights(weights: str | os.PathLike) -> pathlib.Path:
    """The file that is meant.

    Args:
      weights: a file; a workdir, for the one in it; or, where there is neither, the
        name of weights that come with the package.

    Raises:
      InputError: it is none of these.
    """
    path, files = pathlib.Path(weights), pretrained()
    if path.is_dir():
        if not (path / FILENAME).is_file():
            raise InputError(
                f"{path}: no {FILENAME} in this folder; give a weights file or the "
                "workdir of a training run that has saved a checkpoint"
            )
        return path / FILENAME
    if path.is_file():
        return path
    if str(weights) not in files:
        raise InputError(
            f"{path}: no such weights file, and not the name of weights that come with "
            f"the package: {', '.join(files) or 'none do'}"
        )
    return files[str(weights)]


def write_weights(
    path: pathlib.Path, tensors: Mapping[str, np.ndarray], header: Mapping[str, Any]
) -> None:
    """Writes a file, whole or not at all; the same contents give the same bytes.

    Args:
      path: the file; replaced if it exists.
      tensors: by name.
      header: what JSON can hold; the checksum is added.

    Raises:
      InputError: it cannot be written.
    """
    header = {**header, _DIGEST: _digest(tensors, header)}
    data = safetensors.numpy.save(dict(tensors), {_HEADER: json.dumps(header)})
    write_bytes(path, data)


def read_weights(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads a file: its tensors, as on disk, and its header.

    Raises:
      InputError: not a weights file, or not as it was written: a checksum that is
        there has to fit.
    """
    header = read_header(path)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error
    if _DIGEST in header and header[_DIGEST] != _digest(tensors, header):
        raise InputError(
            f"{path}: damaged: its contents do not fit its checksum; copy or download "
            "it again"
        )
    return tensors, header


def read_header(path: pathlib.Path) -> dict[str, Any]:
    """Reads a file's header alone; that it has a model with a name and a scale is sure.

    Raises:
      InputError: not a weights file.
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
        TypeError,  # JSON, but not ours
    ) as error:
        raise _unreadable(path, error) from error
    return header


def count_parameters(tensors: Mapping[str, np.ndarray]) -> int:
    """How many are trained: VGG19's frozen ones are left out."""
    return sum(x.size for name, x in tensors.items() if name.startswith("params/"))


def _unreadable(path, error):
    return InputError(
        f"{path}: not a weights file of ignn_jax, or a damaged one ({error})"
    )


def _digest(tensors, header):
    """In JSON what is read back is what was written, in its order, floats included."""
    header = {key: value for key, value in header.items() if key != _DIGEST}
    digest = hashlib.sha256(json.dumps(header).encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
