"""The shapes of variables, counted by hand and traced by Flax."""

import flax.traverse_util
import jax
import numpy as np
import pytest

from ignn_jax.models import EDSR, IGNN, GraphConfig
from ignn_jax.models.graph import CHOICES
from ignn_jax.models.shapes import variable_shapes

KINDS = CHOICES["kind"]
GRAPHS = [
    dict(kind=kind, **{field: choice})
    for field in ("edge_weights", "den", "embedding")
    for choice in CHOICES[field]
    for kind in (KINDS if field != "embedding" else KINDS[:1])
]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kind", [EDSR, IGNN])
def test_both_networks_at_all_scales(kind, scale):
    check(kind(scale=scale, features=5, num_blocks=3))


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: "-".join(graph.values()))
def test_all_graphs(graph):
    check(IGNN(scale=4, features=3, num_blocks=1, graph=GraphConfig(**graph)))


def check(model):
    lr = jax.ShapeDtypeStruct((1, 1, 1, 3), np.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), lr)
    flat = flax.traverse_util.flatten_dict(dict(variables), sep="/")
    assert variable_shapes(model) == {name: x.shape for name, x in flat.items()}
