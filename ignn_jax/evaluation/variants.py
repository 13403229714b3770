"""A trained network with another graph: other neighbors, window or embedding.

No parameter depends on k or d, and only ECN's first layer on the embedding, so a
network can be evaluated with a graph that it was not trained with.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn

from ignn_jax.errors import InputError
from ignn_jax.models.embedding import VGG19
from ignn_jax.models.ignn import IGNN
from ignn_jax.weights.network import check_variables


class Variant(NamedTuple):
    """What is changed of a graph; None is the network's own.

    Attributes:
      neighbors: k.
      window: d; 0 is the whole image.
      embedding: by which patches are compared, as in GraphConfig.
    """

    neighbors: int | None = None
    window: int | None = None
    embedding: str | None = None

    @property
    def keys(self) -> dict[str, Any]:
        """The fields that are changed."""
        return {k: v for k, v in self._asdict().items() if v is not None}

    @property
    def label(self) -> str:
        """What follows the network's name: ", k=3, d=10", or ""."""
        words = {"neighbors": "k", "window": "d", "embedding": "embedding"}
        values = {**self.keys, **({"window": "whole"} if self.window == 0 else {})}
        return "".join(f", {words[key]}={value}" for key, value in values.items())


OWN = Variant()


def all_variants(
    *,
    neighbors: Sequence[int] = (),
    window: Sequence[int] = (),
    embedding: Sequence[str] = (),
) -> list[Variant]:
    """Each combination of these values; without any, only the network's own graph.

    Raises:
      InputError: a value is given twice.
    """
    given = {"neighbors": neighbors, "window": window, "embedding": embedding}
    for key, values in given.items():
        if len(set(values)) < len(values):
            raise InputError("the same value is given twice", field=key)
    return [
        Variant(k, d, name)
        for k in neighbors or (None,)
        for d in window or (None,)
        for name in embedding or (None,)
    ]


def has_graph(model: nn.Module) -> bool:
    """Whether a network searches for neighbors."""
    return isinstance(model, IGNN) and model.graph.kind != "non_local"


def change_graph(
    model: nn.Module, variables: Mapping[str, Any], variant: Variant
) -> tuple[nn.Module, Mapping[str, Any], dict[str, Any]]:
    """The same network with another graph, without training again.

    Args:
      model: an IGNN, or another network if the variant changes nothing.
      variables: the model's.
      variant: what to change.

    Returns:
      The changed model, its variables, and the fields' values before.

    Raises:
      InputError: the network has no graph, there is no such choice, or the weights do
        not allow the embedding.
    """
    if not variant.keys:
        return model, variables, {}
    if not has_graph(model):
        raise InputError(
            "has no meaning for a network without a graph",
            field=next(iter(variant.keys)),
        )
    trained = {key: getattr(model.graph, key) for key in variant.keys}
    try:
        graph = dataclasses.replace(model.graph, **variant.keys)
    except InputError as error:
        name = str(error.field).removeprefix("graph.")
        raise InputError(error.reason, field=name) from error
    changed = model.clone(graph=graph)
    if variant.embedding in (None, trained.get("embedding")):
        return changed, variables, trained
    if variant.embedding != VGG19:
        variables = {name: tree for name, tree in variables.items() if name != VGG19}
    try:
        check_variables(changed, variables, source="its tensors")
    except InputError as error:
        raise InputError(
            f"{variant.embedding}: the network was trained with {trained['embedding']} "
            f"and does not fit ({error.reason}); train it again with this embedding",
            field="embedding",
        ) from error
    return changed, variables, trained
