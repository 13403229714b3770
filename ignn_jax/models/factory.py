"""Networks from plain settings, and back: what a config and a weights file hold.

The settings are `{"name": "ignn", "scale": 2, "features": 64, ..., "graph": {...}}`:
the fields of IGNN and GraphConfig, or of EDSR.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn

from ignn_jax.errors import InputError
from ignn_jax.models.edsr import EDSR
from ignn_jax.models.graph import GraphConfig
from ignn_jax.models.ignn import IGNN

NETWORKS: dict[str, type[nn.Module]] = {"edsr": EDSR, "ignn": IGNN}
SCALES = (2, 3, 4)
DTYPES = ("float32", "bfloat16")


def create_model(settings: Mapping[str, Any]) -> nn.Module:
    """The network of these settings; EDSR has no graph and ignores "graph".

    Raises:
      InputError: an unknown name, key or choice.
    """
    settings = dict(settings)
    name = settings.pop("name", None)
    if name not in NETWORKS:
        raise InputError(f"model.name={name}: give one of {_list(NETWORKS)}")
    graph = settings.pop("graph", {})
    if name == "ignn":
        settings["graph"] = _build(GraphConfig, graph, "model.graph.")
    model = _build(NETWORKS[name], settings, "model.")
    if model.scale not in SCALES:
        raise InputError(f"scale={model.scale}: give one of {_list(SCALES)}")
    if model.dtype not in DTYPES:
        raise InputError(f"model.dtype={model.dtype}: give one of {_list(DTYPES)}")
    if name == "ignn" and not 0 <= (model.graph.position or 0) <= model.num_blocks:
        raise InputError(
            f"model.graph.position={model.graph.position}: give a number from 0 to "
            f"model.num_blocks={model.num_blocks}"
        )
    return model


def model_settings(model: nn.Module) -> dict[str, Any]:
    """The settings that make this network: of JSON's types only."""
    name = next(name for name, kind in NETWORKS.items() if type(model) is kind)
    settings = {"name": name}
    for field in _fields(type(model)):
        value = getattr(model, field)
        is_graph = isinstance(value, GraphConfig)
        settings[field] = dataclasses.asdict(value) if is_graph else value
    return settings


def _build(kind, fields, prefix):
    unknown = set(fields).difference(_fields(kind))
    if unknown:
        raise InputError(
            f"{prefix}{min(unknown)} is not a setting of this network; known are "
            + _list(sorted(_fields(kind)))
        )
    try:
        return kind(**fields)
    except (TypeError, ValueError) as error:
        raise InputError(f"{prefix.rstrip('.')}: {error}") from error


def _fields(kind):
    """A module's own fields in their order, without those that Flax adds."""
    names = [field.name for field in dataclasses.fields(kind)]
    return [name for name in names if name not in ("parent", "name")]


def _list(names):
    return ", ".join(map(str, names))
