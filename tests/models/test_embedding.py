"""The embeddings are exact on every device, so that neighbors are the same."""

import jax
import jax.numpy as jnp
import pytest

from ignn_jax.models.embedding import embedding_of
from ignn_jax.models.graph import construct_graph
from tests.networks import random_variables, tiny_ignn

EXACT = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)


def products(jaxpr):
    """Every convolution and matrix product of a program, also in what it calls."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("conv_general_dilated", "dot_general"):
            yield equation
        for value in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns")
        ):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from products(inner)


@pytest.mark.parametrize(("embedding", "count"), [("vgg19", 2), ("backbone", 1)])
def test_convolutions_are_exact_on_accelerators(embedding, count):
    model = tiny_ignn(embedding=embedding)
    variables = random_variables(model)

    def search(image):
        queries = embedding_of(model, variables)(image)
        candidates = queries[:, ::2, ::2]
        return construct_graph(queries, candidates, scale=2, config=model.graph)

    found = list(products(jax.make_jaxpr(search)(jnp.zeros((1, 8, 8, 3))).jaxpr))
    names = [equation.primitive.name for equation in found]
    assert names.count("conv_general_dilated") == count
    assert "dot_general" in names  # the distances
    assert all(equation.params["precision"] == EXACT for equation in found)
