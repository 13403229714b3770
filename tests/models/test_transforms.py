"""A tiny IGNN under JAX's transformations, one inside the other."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from tests.networks import random_variables, tiny_ignn

MODEL = tiny_ignn(position=0)
PARAMS = random_variables(MODEL)["params"]
LR = np.random.default_rng(0).uniform(0, 255, (1, 6, 7, 3)).astype(np.float32)


def loss(params):
    return jnp.mean(jax.jit(MODEL.apply)({"params": params}, LR) ** 2)


def mapped(function):
    """The mean over two copies."""

    def mean(params):
        stacked = jax.tree.map(lambda x: jnp.stack([x, x]), params)
        return jax.tree.map(lambda x: x.mean(axis=0), jax.vmap(function)(stacked))

    return mean


def scanned(function):
    """The mean over two turns."""

    def mean(params):
        _, found = jax.lax.scan(
            lambda _, x: (None, function(params)), None, jnp.ones(2)
        )
        return jax.tree.map(lambda x: x.mean(axis=0), found)

    return mean


def sharded(function):
    mesh = Mesh(jax.devices()[:1], ("batch",))
    return jax.shard_map(
        function, mesh=mesh, in_specs=P(), out_specs=P(), check_vma=False
    )


# What leaves a function as it is.
SAME = {
    "vmap": mapped,
    "checkpoint": jax.checkpoint,
    "scan": scanned,
    "shard_map": sharded,
}


def slope(function):
    """The derivative along the parameters themselves."""
    return lambda params: jax.jvp(function, (params,), (params,))[1]


def chain(function, transformations):
    return functools.reduce(
        lambda f, transform: transform(f), transformations, function
    )


@functools.cache
def gradient():
    return jax.jit(jax.grad(loss))(PARAMS)


def check(ours, theirs):
    def close(a, b):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(b).max() + 1e-9)

    jax.tree.map(close, ours, theirs)


@pytest.mark.parametrize("name", SAME)
def test_gradient_inside_and_outside(name):
    same = SAME[name]
    check(jax.jit(jax.grad(same(loss)))(PARAMS), gradient())
    check(jax.jit(same(jax.grad(loss)))(PARAMS), gradient())


@pytest.mark.parametrize("order", [1, -1])
def test_all_at_once(order):
    """Inside a gradient and a slope, and around them."""
    names = list(SAME.values())[::order]
    check(jax.jit(jax.grad(chain(loss, names)))(PARAMS), gradient())
    products = jax.tree.map(np.vdot, gradient(), PARAMS)
    along = np.float32(sum(jax.tree.leaves(products)))
    check(jax.jit(chain(slope(loss), names))(PARAMS), along)
