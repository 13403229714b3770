"""What is evaluated: bicubic, and networks beside it."""

import hashlib
import os
import pathlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn

from ignn_jax.devices import check_devices
from ignn_jax.errors import InputError
from ignn_jax.evaluation.protocol import network_protocol
from ignn_jax.evaluation.scores import BICUBIC
from ignn_jax.evaluation.variants import OWN, Variant, change_graph, has_graph
from ignn_jax.inference.layout import HALO
from ignn_jax.inference.upscalers import Upscaler, bicubic_upscaler, upscaler
from ignn_jax.weights.find import FILENAME, find_weights
from ignn_jax.weights.network import load_with_header


class Method(NamedTuple):
    """What is evaluated beside bicubic, such as a network.

    Attributes:
      label: its name in tables. That of a network is its class, with "+" for the
        self-ensemble, its weights' name where there are several, and its variant.
      upscale: from an LR image to an HR image.
      weights: file, checksum and header as JSON has them; empty for a network in
        memory.
      evaluated_with: the keys of the graph that were chosen for the evaluation.
      trained_with: the values of these keys in the weights.
    """

    label: str
    upscale: Upscaler
    weights: dict[str, Any] = {}  # noqa: RUF012  (never changed)
    evaluated_with: dict[str, Any] = {}  # noqa: RUF012
    trained_with: dict[str, Any] = {}  # noqa: RUF012

    @property
    def note(self) -> str | None:
        """What is unlike the network's training, in words; None if nothing is."""
        if self.evaluated_with == self.trained_with:
            return None
        trained, evaluated = (
            ", ".join(f"{key}={value}" for key, value in keys.items())
            for keys in (self.trained_with, self.evaluated_with)
        )
        return (
            f"{self.label}: trained with {trained}, evaluated with {evaluated}, "
            "without training again."
        )

    def to_json(self) -> dict[str, Any]:
        """What it is, in JSON's types."""
        return {k: v for k, v in self._asdict().items() if k != "upscale"}


class Setup(NamedTuple):
    """What is evaluated.

    Attributes:
      scale: of the super-resolution.
      methods: those beside bicubic, in order; there may be none.
      tile: side of the networks' tiles; 0 for whole images.
      ensemble: whether networks' outputs are averaged over 8 orientations.
    """

    scale: int
    methods: tuple[Method, ...] = ()
    tile: int = 0
    ensemble: bool = False

    @property
    def label(self) -> str:
        """The first method's, or "bicubic"."""
        return self.methods[0].label if self.methods else BICUBIC

    @property
    def weights(self) -> dict[str, Any]:
        """The first method's, or those of "bicubic"."""
        return self.methods[0].weights if self.methods else {"file": BICUBIC}

    @property
    def upscalers(self) -> dict[str, Upscaler]:
        """By label: bicubic first, then the methods."""
        methods = {method.label: method.upscale for method in self.methods}
        return {BICUBIC: bicubic_upscaler(self.scale), **methods}

    @property
    def notes(self) -> list[str]:
        """What is unlike the networks' training, in sentences."""
        return [method.note for method in self.methods if method.note]

    @property
    def protocol(self) -> list[str]:
        """How the networks are run, in sentences."""
        if not self.methods:
            return []
        words = network_protocol(tile=self.tile, overlap=HALO, ensemble=self.ensemble)
        return [words, *self.notes]


def bicubic_setup(scale: int) -> Setup:
    """Bicubic alone."""
    return Setup(scale)


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
    upscale = upscaler(model, variables, tile=tile, ensemble=ensemble)
    return Setup(model.scale, (Method(label, upscale),), tile, ensemble)


def load_setup(
    weights: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    scale: int | None = None,
    tile: int = 0,
    ensemble: bool = False,
    variants: Sequence[Variant] = (OWN,),
) -> Setup:
    """The networks of weights files, or bicubic.

    Args:
      weights: one, or several of the same scale; each as `load` takes them, or
        "bicubic", which is there anyway.
      scale: None for the networks' own.
      tile: side of the tiles; 0 for whole images.
      ensemble: average over the 8 flips and rotations (IGNN+).
      variants: the graphs to evaluate each network with. A network without a graph is
        evaluated once.

    Raises:
      InputError: the arguments contradict each other, or the weights cannot be read.
    """
    check_devices()
    several = [weights] if isinstance(weights, str | os.PathLike) else weights
    chosen = [str(one) for one in several if str(one) != BICUBIC]
    if not chosen:
        return _bicubic_alone(scale, tile=tile, ensemble=ensemble, variants=variants)
    methods: list[Method] = []
    has_variants = False
    for one, name in zip(chosen, _names(chosen), strict=True):
        model, variables, header = load_with_header(one)
        if scale not in (None, model.scale):
            raise InputError(
                f"{one} is a network for x{model.scale}, not x{scale}; leave the scale "
                "out, or give weights of one scale",
                field="scale" if len(chosen) == 1 else None,
            )
        scale = model.scale
        about = _describe(one, header)
        has_variants |= has_graph(model)
        for variant in variants if has_graph(model) else (OWN,):
            label = type(model).__name__ + "+" * ensemble + name + variant.label
            changed, its_variables, trained = change_graph(model, variables, variant)
            upscale = upscaler(changed, its_variables, tile=tile, ensemble=ensemble)
            methods.append(Method(label, upscale, about, variant.keys, trained))
    if not has_variants:
        _refuse_variants(variants, "has no meaning for a network without a graph")
    return Setup(model.scale, tuple(methods), tile, ensemble)


def _bicubic_alone(
    scale: int | None, *, tile: int, ensemble: bool, variants: Sequence[Variant]
) -> Setup:
    if scale is None:
        raise InputError("is needed where the weights are bicubic", field="scale")
    for field, given in (("ensemble", ensemble), ("tile", tile)):
        if given:
            raise InputError("has no meaning for bicubic", field=field)
    _refuse_variants(variants, "has no meaning for bicubic")
    return bicubic_setup(scale)


def _refuse_variants(variants: Sequence[Variant], reason: str) -> None:
    for variant in variants:
        for key in variant.keys:
            raise InputError(reason, field=key)


def _names(weights: Sequence[str]) -> list[str]:
    """ " NAME" to tell each from the others; "" for only one."""
    if len(weights) == 1:
        return [""]
    repeated = [one for one, n in Counter(weights).items() if n > 1]
    if repeated:
        raise InputError(f"{repeated[0]} is given twice", field="weights")
    names = [_short_name(one) for one in weights]
    if len(set(names)) < len(names):
        names = list(weights)
    return [f" {name}" for name in names]


def _short_name(weights: str) -> str:
    """ "x2" for runs/x2, runs/x2/weights.safetensors and x2.safetensors."""
    path = pathlib.Path(weights)
    if path.name == FILENAME and path.resolve().parent.name:
        return path.resolve().parent.name
    return path.stem if path.is_file() else path.resolve().name


def _describe(weights: str, header: Mapping[str, Any]) -> dict[str, Any]:
    file = find_weights(weights)
    with open(file, "rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"file": str(file), "sha256": checksum, "header": header}
