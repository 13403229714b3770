"""What is evaluated: bicubic, and a network beside it."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn

from ignn_jax.errors import InputError
from ignn_jax.evaluation.protocol import network_protocol
from ignn_jax.evaluation.scores import BICUBIC
from ignn_jax.inference.layout import HALO
from ignn_jax.inference.upscalers import Upscaler, bicubic_upscaler, upscaler
from ignn_jax.weights.find import find_weights
from ignn_jax.weights.network import load_with_header


class Setup(NamedTuple):
    """What is evaluated.

    Attributes:
      label: the method's name: that of the network's class, with "+" for the
        self-ensemble, or "bicubic".
      scale: of the super-resolution.
      upscalers: by method: bicubic first, then the network if there is one.
      tile: side of the network's tiles; 0 for whole images.
      ensemble: whether the network's output is averaged over 8 orientations.
      weights: file, checksum and header as JSON has them; empty for a network in
        memory.
    """

    label: str
    scale: int
    upscalers: dict[str, Upscaler]
    tile: int = 0
    ensemble: bool = False
    weights: dict[str, Any] = {}  # noqa: RUF012  (never changed)

    @property
    def protocol(self) -> str | None:
        """How the network is run, in words; None without a network."""
        if self.label == BICUBIC:
            return None
        return network_protocol(tile=self.tile, overlap=HALO, ensemble=self.ensemble)


def bicubic_setup(scale: int) -> Setup:
    """Bicubic alone."""
    upscalers = {BICUBIC: bicubic_upscaler(scale)}
    return Setup(BICUBIC, scale, upscalers, weights={"file": BICUBIC})


def network_setup(
    model: nn.Module,
    variables: Mapping[str, Any],
    *,
    tile: int = 0,
    ensemble: bool = False,
) -> Setup:
    """A network beside bicubic.

    Args:
      model: an IGNN or EDSR.
      variables: what `model.apply` takes.
      tile: side of the tiles in LR pixels; 0 for whole images.
      ensemble: average over the 8 flips and rotations (IGNN+).

    Raises:
      InputError: there is no such tile.
    """
    label = type(model).__name__ + "+" * ensemble
    upscalers = {
        BICUBIC: bicubic_upscaler(model.scale),
        label: upscaler(model, variables, tile=tile, ensemble=ensemble),
    }
    return Setup(label, model.scale, upscalers, tile, ensemble)


def load_setup(
    weights: str | os.PathLike, *, scale: int | None, tile: int, ensemble: bool
) -> Setup:
    """The network of a weights file, or bicubic.

    Args:
      weights: as `load` takes them, or "bicubic".
      scale: None for the network's own.
      tile: side of the tiles; 0 for whole images.
      ensemble: average over the 8 flips and rotations (IGNN+).

    Raises:
      InputError: the arguments contradict each other, or the weights cannot be read.
    """
    if str(weights) == BICUBIC:
        if scale is None:
            raise InputError("is needed where the weights are bicubic", field="scale")
        for field, given in (("ensemble", ensemble), ("tile", tile)):
            if given:
                raise InputError("has no meaning for bicubic", field=field)
        return bicubic_setup(scale)
    model, variables, header = load_with_header(weights)
    if scale not in (None, model.scale):
        raise InputError(
            f"{weights} is a network for x{model.scale}, not x{scale}; "
            "leave the scale out, or give other weights",
            field="scale",
        )
    file = find_weights(weights)
    with open(file, "rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    setup = network_setup(model, variables, tile=tile, ensemble=ensemble)
    return setup._replace(
        weights={"file": str(file), "sha256": checksum, "header": header}
    )
