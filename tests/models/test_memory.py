"""The memory that XLA plans for the network and for its graph."""

import functools

import jax
import jax.numpy as jnp
import pytest

from ignn_jax.models import IGNN, GraphConfig
from ignn_jax.models.graph import construct_graph

pytestmark = pytest.mark.usefixtures("optimized")


def planned(function, *arguments):
    compiled = jax.jit(function).lower(*arguments).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def embedded(side, channels):
    return jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)


@pytest.mark.parametrize("den", ["per_neighbor", "aggregated"])
def test_network_does_not_grow_with_k(den):
    def of(neighbors):
        graph = GraphConfig(neighbors=neighbors, den=den, embedding="rgb")
        model = IGNN(scale=2, features=32, num_blocks=2, graph=graph)
        lr = embedded(48, 3)
        variables = jax.eval_shape(model.init, jax.random.key(0), lr)
        return planned(model.apply, variables, lr)

    assert of(11) < 1.06 * of(3)


@pytest.mark.parametrize("window", [10, 30])
def test_graph_takes_the_memory_of_its_edges(window):
    """The labels of 64 numbers take nearly all of it; the search adds one tile."""
    construct = functools.partial(
        construct_graph, scale=2, config=GraphConfig(window=window)
    )
    images = embedded(512, 64), embedded(256, 64)
    edges = sum(
        4 * leaf.size for leaf in jax.tree.leaves(jax.eval_shape(construct, *images))
    )
    assert planned(construct, *images) < 1.1 * edges < 96e6
