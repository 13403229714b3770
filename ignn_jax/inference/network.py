"""A network that is ready to run, from its weights."""

import os
from collections.abc import Sequence

import jax

from ignn_jax.errors import InputError
from ignn_jax.inference.ensemble import self_ensemble
from ignn_jax.inference.tiles import TiledNetwork
from ignn_jax.pictures.upscale import Network
from ignn_jax.weights.network import load


def load_network(
    weights: str | os.PathLike,
    *,
    scale: int | None = None,
    tile: int | str | None = "auto",
    ensemble: bool = False,
    device: str | None = None,
    dtype: str | None = None,
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

    Raises:
      InputError: the weights cannot be loaded or have another scale, the tile is
        invalid, or the device does not exist.
    """
    model, variables = load(weights)
    if scale not in (None, model.scale):
        raise InputError(
            f"{weights} is a network for x{model.scale}, not x{scale}; give other "
            "weights, or no scale",
            field="scale",
        )
    if dtype:
        model = model.clone(dtype=dtype)
    tiled = TiledNetwork(model, variables, tile=tile, devices=_devices(device))
    run = self_ensemble(tiled) if ensemble else tiled
    return Network(run, model.scale, type(model).__name__ + "+" * ensemble)


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
