"""Files of tensors that other programs wrote: PyTorch's, safetensors and NumPy's.

What a file is follows from its contents, not from its name. Only tensors are read;
nothing that a file asks for is ever run.
"""

import io
import os
import pathlib
import re
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from ignn_jax.errors import InputError
from ignn_jax.files import reason_of, write_bytes

# Where training programs keep the state dict in their checkpoints. If there is a moving
# average ("ema"), it is what they evaluate.
_KEYS = ("net_state_dict", "params_ema", "params", "state_dict", "model_state_dict")


class Checkpoint(NamedTuple):
    """What a file holds.

    tensors: arrays by their names in the file.
    key: the entry of the file that they were in; None if they are all that it holds.
    """

    tensors: dict[str, np.ndarray]
    key: str | None


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Reads a PyTorch checkpoint (which needs the extra [torch]), safetensors or npz.

    Raises:
      InputError: it cannot be read, is none of these, is damaged, or asks for code; or
        PyTorch is needed and not installed.
    """
    path = pathlib.Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(9)
        if start[8:] == b"{":
            return Checkpoint(safetensors.numpy.load_file(path), None)
        # A zip archive since PyTorch 1.6, a pickle before.
        is_zip, is_torch = start[:2] == b"PK", start[:1] == b"\x80"
        if is_zip:
            with zipfile.ZipFile(path) as archive:
                is_torch = any(n.endswith("/data.pkl") for n in archive.namelist())
        if is_torch:
            return _read_torch(path)
        if is_zip:
            with np.load(path) as arrays:
                return Checkpoint(dict(arrays), None)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {reason_of(error)}") from error
    except (ValueError, zipfile.BadZipFile, safetensors.SafetensorError) as error:
        raise InputError(f"{path}: damaged, or not what it seems ({error})") from error
    raise InputError(
        f"{path}: not a file of tensors; give a PyTorch checkpoint, or a safetensors "
        "or npz file"
    )


def write_checkpoint(
    path: pathlib.Path, tensors: Mapping[str, np.ndarray], contents: Any = None
) -> None:
    """Writes tensors, whole or not at all.

    Args:
      path: for PyTorch if it ends in .pth or .pt, which needs the extra [torch];
        otherwise safetensors.
      tensors: arrays by name.
      contents: what a PyTorch file holds, with dicts of arrays in it; `tensors` by
        default.

    Raises:
      InputError: it cannot be written, or PyTorch is needed and not installed.
    """
    if path.suffix not in (".pth", ".pt"):
        write_bytes(path, safetensors.numpy.save(dict(tensors)))
        return
    torch, buffer = _import_torch(path), io.BytesIO()
    torch.save(_map_arrays(torch.from_numpy, contents or dict(tensors)), buffer)
    write_bytes(path, buffer.getvalue())


def _map_arrays(function, tree):
    if isinstance(tree, np.ndarray):
        return function(tree)
    if isinstance(tree, dict):
        return {name: _map_arrays(function, entry) for name, entry in tree.items()}
    return tree


def _read_torch(path: pathlib.Path) -> Checkpoint:
    torch = _import_torch(path)
    try:
        with (
            torch.serialization.safe_globals(_numbers()),
            warnings.catch_warnings(action="ignore"),
        ):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler meets
        raise InputError(f"{path}: {_why_not_loaded(error)}") from error
    key = None
    if isinstance(loaded, Mapping):
        key = next((k for k in _KEYS if isinstance(loaded.get(k), Mapping)), None)
    state_dict = loaded[key] if key else loaded
    if (
        not isinstance(state_dict, Mapping)
        or not state_dict
        or not all(isinstance(x, torch.Tensor) for x in state_dict.values())
    ):
        raise InputError(f"{path}: no state dict of tensors in this checkpoint")
    return Checkpoint({name: to_numpy(x) for name, x in state_dict.items()}, key)


def to_numpy(tensor: Any) -> np.ndarray:
    """An array of PyTorch or any other as NumPy's; bfloat16 as float32."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        if str(tensor.dtype) == "torch.bfloat16":
            tensor = tensor.float()
    return np.asarray(tensor)


def _import_torch(path):
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{path}: PyTorch's files need PyTorch: pip install 'ignn-jax[torch]'; "
            "safetensors files do not"
        ) from error
    return torch


def _numbers():
    """What may be unpickled besides tensors: the numbers of NumPy, such as a PSNR."""
    scalar, _ = np.float64().__reduce__()
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    dtypes = (type(np.dtype(code)) for code in "?bhilefd")
    return [np.dtype, *dtypes, *((scalar, name) for name in names)]


def _why_not_loaded(error):
    reason = str(error)
    if found := re.search(r"GLOBAL ([\w.]+)", reason):
        return (
            f"refused: this file asks Python for {found[1]}, so loading it could run "
            "any code; a state dict holds only tensors"
        )
    reason = reason.rpartition("WeightsUnpickler error: ")[2].strip().partition("\n")[0]
    reason = reason.partition(". ")[0]
    return f"damaged, or not a PyTorch checkpoint ({reason or type(error).__name__})"
