"""What XLA plans of memory: no more for more neighbors, nor for a larger search."""

import functools

import jax
import jax.numpy as jnp
import pytest

from ignn_jax.models import IGNN, GraphConfig
from ignn_jax.ops.search import nearest_patches

pytestmark = pytest.mark.usefixtures("optimized")


def planned(function, *arguments):
    compiled = jax.jit(function).lower(*arguments).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def images(side, channels):
    return jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)


@pytest.mark.parametrize("den", ["per_neighbor", "aggregated"])
def test_of_the_network_does_not_grow_with_k(den):
    def of(neighbors):
        graph = GraphConfig(neighbors=neighbors, den=den, embedding="rgb")
        model = IGNN(scale=2, features=16, num_blocks=2, graph=graph)
        lr = images(48, 3)
        variables = jax.eval_shape(model.init, jax.random.key(0), lr)
        return planned(model.apply, variables, lr)

    assert of(11) < 1.1 * of(3)


def test_of_the_search_does_not_grow_with_the_image():
    def of(side):
        search = functools.partial(
            nearest_patches,
            neighbors=5,
            window=10,
            patch_size=3,
            patch_stride=2,
            scale=2,
        )
        return planned(search, images(side, 64), images(side // 2, 64))

    # The image is 17 times as large, and so are the results.
    results = 4 * (250**2 - 60**2) * 5 * (4 + 4)
    assert of(500) < of(120) + results
