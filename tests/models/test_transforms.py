"""A tiny IGNN under JAX's transformations, one inside the other."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding
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


def turned(function):
    """The mean over two turns of another loop."""

    def mean(params):
        stacked = jax.tree.map(lambda x: jnp.stack([x, x]), params)
        found = jax.lax.map(function, stacked)
        return jax.tree.map(lambda x: x.mean(axis=0), found)

    return mean


def chosen(function):
    """The function of parameters that are never all negative, or else zeros."""

    def either(params):
        largest = jnp.max(jnp.stack([x.max() for x in jax.tree.leaves(params)]))
        shapes = jax.eval_shape(function, params)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return jax.lax.cond(largest > 0, function, lambda _: zeros, params)

    return either


def parallel(function):
    """On one device."""

    def only(params):
        found = jax.pmap(function)(jax.tree.map(lambda x: x[None], params))
        return jax.tree.map(lambda x: x[0], found)

    return only


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
    "map": turned,
    "cond": chosen,
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


@pytest.mark.parametrize("name", ["vmap", "checkpoint", "scan", "map", "cond"])
def test_gradient_inside_and_outside(name):
    same = SAME[name]
    check(jax.jit(same(jax.grad(same(loss))))(PARAMS), gradient())


@pytest.mark.parametrize("same", [sharded, parallel])
def test_gradient_inside_or_outside(same):
    """These cannot be in themselves."""
    check(jax.jit(same(jax.grad(loss)))(PARAMS), gradient())
    check(jax.grad(same(loss))(PARAMS), gradient())


def test_of_a_batch_on_an_explicit_mesh():
    """Through `auto_axes`, as most functions of JAX itself need it."""
    mesh = jax.make_mesh((1,), ("batch",), axis_types=(AxisType.Explicit,))
    auto = functools.partial(jax.sharding.auto_axes, axes="batch", out_sharding=P())

    def of_batch(params, lr):
        return jnp.mean(MODEL.apply({"params": params}, lr) ** 2)

    with jax.set_mesh(mesh):
        lr = jax.device_put(LR, NamedSharding(mesh, P("batch")))
        check(jax.jit(auto(jax.grad(of_batch)))(PARAMS, lr), gradient())
        check(jax.jit(jax.grad(auto(of_batch)))(PARAMS, lr), gradient())


def test_of_a_network_that_is_computed_again():
    names = ("scale", "features", "num_blocks", "graph")
    fields = {name: getattr(MODEL, name) for name in names}
    model = nn.remat(type(MODEL))(**fields)

    def again(params):
        return jnp.mean(jax.jit(model.apply)({"params": params}, LR) ** 2)

    check(jax.jit(jax.grad(again))(PARAMS), gradient())


@pytest.mark.parametrize("order", [1, -1])
def test_all_at_once(order):
    """Inside a gradient and a slope, and around them."""
    names = [SAME[n] for n in ("vmap", "checkpoint", "cond", "scan", "shard_map")]
    names = names[::order]
    check(jax.jit(jax.grad(chain(loss, names)))(PARAMS), gradient())
    products = jax.tree.map(np.vdot, gradient(), PARAMS)
    along = np.float32(sum(jax.tree.leaves(products)))
    check(jax.jit(chain(slope(loss), names))(PARAMS), along)
