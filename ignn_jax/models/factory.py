"""Networks from plain settings, as configs and weights files hold them, and back.

The settings are `{"name": "ignn", "scale": 2, "features": 64, ..., "graph": {...}}`:
the fields of IGNN and GraphConfig, or of EDSR.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import flax.linen as nn

from ignn_jax.errors import InputError
from ignn_jax.models.edsr import EDSR
from ignn_jax.models.graph import GraphConfig
from ignn_jax.models.ignn import IGNN

NETWORKS: dict[str, type[Any]] = {"edsr": EDSR, "ignn": IGNN}
SCALES = (2, 3, 4)
DTYPES = ("float32", "bfloat16")


def create_model(settings: Mapping[str, Any]) -> EDSR | IGNN:
    """Makes the network of these settings.

    Args:
      settings: "name", the fields of that network, and "graph" with those of its
        GraphConfig. EDSR has no graph and ignores it. The embedding "auto" is the
        backbone's, which needs no weights of VGG19.

    Raises:
      InputError: an unknown name, key or choice.
    """
    settings = dict(settings)
    name = settings.pop("name", None)
    if name not in NETWORKS:
        _refuse("model.name", name, NETWORKS)
    graph = dict(settings.pop("graph", {}))
    if name == "ignn":
        if graph.get("embedding") == "auto":
            graph["embedding"] = "backbone"
        settings["graph"] = _build(GraphConfig, graph, "model.graph")
    model = _build(NETWORKS[name], settings, "model")
    if model.scale not in SCALES:
        _refuse("scale", model.scale, SCALES)
    if model.dtype not in DTYPES:
        _refuse("model.dtype", model.dtype, DTYPES)
    if name == "ignn":
        try:
            model.graph.position_among(model.num_blocks)
        except InputError as error:
            raise InputError(error.reason, field=f"model.{error.field}") from error
    return model


def model_settings(model: nn.Module) -> dict[str, Any]:
    """The settings that make this network, as JSON has them."""
    name = next(name for name, kind in NETWORKS.items() if type(model) is kind)
    settings: dict[str, Any] = {"name": name}
    for field in _fields(type(model)):
        value = getattr(model, field)
        is_graph = isinstance(value, GraphConfig)
        settings[field] = dataclasses.asdict(value) if is_graph else value
    return settings


def _build(kind: type[Any], fields: Mapping[str, Any], name: str) -> Any:
    unknown = set(fields).difference(_fields(kind))
    if unknown:
        raise InputError(
            "there is no such setting; known are " + _list(sorted(_fields(kind))),
            field=f"{name}.{min(unknown)}",
        )
    try:
        return kind(**fields)
    except InputError as error:  # of one field
        raise InputError(error.reason, field=f"model.{error.field}") from error
    except (TypeError, ValueError) as error:
        raise InputError(str(error), field=name) from error


def _refuse(field: str, value: Any, choices: Iterable[Any]) -> None:
    raise InputError(f"{value}: give one of {_list(choices)}", field=field)


def _fields(kind: type[Any]) -> list[str]:
    """A module's own fields in their order, without those that Flax adds."""
    names = [field.name for field in dataclasses.fields(kind)]
    return [name for name in names if name not in ("parent", "name")]


def _list(names: Iterable[Any]) -> str:
    return ", ".join(map(str, names))
