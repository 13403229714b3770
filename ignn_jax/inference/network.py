"""A network that is ready to run, from its weights."""

import numbers
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import jax

from ignn_jax.errors import InputError
from ignn_jax.inference.ensemble import self_ensemble
from ignn_jax.inference.tiles import TiledNetwork, check_tile
from ignn_jax.pictures.upscale import Network
from ignn_jax.weights.network import load

_DTYPES = ("float32", "bfloat16")


def load_network(
    weights: str | os.PathLike,
    *,
    scale: int | None = None,
    tile: int | str | None = "auto",
    ensemble: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    programs: pathlib.Path | None = None,
) -> Network:
    """Loads weights and prepares their network for pictures.

    Args:
      weights: a weights file, a workdir, or the name of weights that come with the
        package.
      scale: the scale that the network must have; None for any.
      tile: side of the tiles in pixels; "auto"; None for whole pictures.
      ensemble: average over the 8 flips and rotations (IGNN+).
      device: "cpu", "gpu" or "tpu"; None for JAX's choice.
      dtype: of the convolutions, "float32" or "bfloat16"; None for the weights' own.
      programs: a folder where compiled programs are kept for the next process.

    Raises:
      InputError: the weights cannot be loaded or have another scale, or there is no
        such tile, device or dtype.
    """
    check_options(scale=scale, tile=tile, device=device, dtype=dtype)
    model, variables = load(weights)
    if scale not in (None, model.scale):
        raise InputError(
            f"{weights} is a network for x{model.scale}, not x{scale}; give other "
            "weights, or no scale",
            field="scale",
        )
    if dtype:
        model = model.clone(dtype=dtype)
    tiled = TiledNetwork(
        model, variables, tile=tile, devices=_devices(device), programs=programs
    )
    run = self_ensemble(tiled) if ensemble else tiled
    return Network(run, model.scale, type(model).__name__ + "+" * ensemble)


def check_options(*, scale: Any, tile: Any, device: Any, dtype: Any) -> None:
    """Refuses values that cannot be the options of `load_network`.

    Raises:
      InputError: naming the option.
    """
    check_tile(tile)
    if not (scale is None or isinstance(scale, numbers.Integral)):
        raise InputError(f"{scale!r} is not a whole number", field="scale")
    if not (device is None or isinstance(device, str)):
        raise InputError(f'{device!r} is not "cpu", "gpu" or "tpu"', field="device")
    if dtype is not None and str(dtype) not in _DTYPES:
        raise InputError(
            f"{dtype!r} is not of the convolutions; give " + " or ".join(_DTYPES),
            field="dtype",
        )


def _devices(kind: str | None) -> Sequence[jax.Device] | None:
    if kind is None:
        return None
    try:
        return jax.local_devices(backend=kind)
    except RuntimeError as error:
        raise InputError(
            f"JAX finds no {kind} here, only {jax.default_backend()}; see the README "
            "on how to install it for GPUs and TPUs",
            field="device",
        ) from error
