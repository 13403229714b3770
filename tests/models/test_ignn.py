"""The networks themselves: every setting of the paper, every size of image."""

import dataclasses
import functools
import importlib
import pathlib
import re

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.models import EDSR, IGNN, GraphConfig
from ignn_jax.models.factory import create_model, model_settings
from ignn_jax.training.task import take_backbone

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
GRAPH = GraphConfig(embedding="rgb", neighbors=3, window=2)
SMALL = dict(features=8, num_blocks=2, residual_scale=1.0)


def image(*size, batch=1, seed=0):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.uniform(0, 255, (batch, *size, 3)).astype(np.float32))


def initialized(model, lr):
    """Variables like those of `model.init`, which takes seconds to compile."""
    rng = np.random.default_rng(0)

    def draw(leaf):
        if len(leaf.shape) == 1:
            return jnp.zeros(leaf.shape)
        bound = 1 / np.sqrt(np.prod(leaf.shape[:-1]))
        return jnp.asarray(rng.uniform(-bound, bound, leaf.shape).astype(np.float32))

    return jax.tree.map(draw, jax.eval_shape(model.init, jax.random.key(0), lr))


ABLATIONS = {
    "the paper's": {},
    "position 0": dict(position=0),
    "position last": dict(position=2),
    "whole image": dict(window=0),
    "k = 1": dict(neighbors=1),
    "k = 11": dict(neighbors=11),
    "patch 5, stride 3": dict(patch_size=5, patch_stride=3),
    "patch 1": dict(patch_size=1, patch_stride=1),
    "no AdaPN": dict(normalization="none"),
    "no ECN": dict(edge_weights="gaussian"),
    "neither": dict(normalization="none", edge_weights="gaussian"),
    "aggregated DEN": dict(den="aggregated"),
    "residual fusion": dict(fusion="residual"),
    "backbone embedding": dict(embedding="backbone"),
    "VGG19 embedding": dict(embedding="vgg19"),
    "same-scale kNN": dict(kind="same_scale"),
    "non-local block": dict(kind="non_local"),
}


def built(name, lr):
    model = IGNN(scale=2, **SMALL, graph=dataclasses.replace(GRAPH, **ABLATIONS[name]))
    return model, initialized(model, lr)


@functools.cache
def the_papers():
    lr = image(13, 16)
    model, variables = built("the paper's", lr)
    return jax.tree.structure(variables), jax.jit(model.apply)(variables, lr)


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_ablation_runs(name):
    lr = image(13, 16)
    model, variables = built(name, lr)
    sr = jax.jit(model.apply)(variables, lr)
    assert sr.shape == (1, 26, 32, 3)
    assert jnp.isfinite(sr).all()
    if name != "the paper's":
        # The setting changes the parameters, or what is computed with them.
        structure, paper_sr = the_papers()
        assert (
            jax.tree.structure(variables) != structure
            or jnp.abs(sr - paper_sr).max() > 1e-3
        )


@pytest.mark.parametrize(
    "name",
    ["the paper's", "aggregated DEN", "neither", "same-scale kNN", "non-local block"],
)
def test_networks_train(name):
    """All gradients are finite, and a step against them reduces the loss."""
    lr, target = image(13, 16), image(26, 32, seed=1)
    model, variables = built(name, lr)
    params = variables.pop("params")

    @jax.jit
    def loss_and_gradients(params):
        def loss(params):
            sr = model.apply({**variables, "params": params}, lr)
            return jnp.abs(sr - target).mean()

        return jax.value_and_grad(loss)(params)

    before, gradients = loss_and_gradients(params)
    for path, gradient in flax.traverse_util.flatten_dict(gradients, sep="/").items():
        assert jnp.isfinite(gradient).all(), path
        if "ecn" not in path:  # its last biases have no gradient, see test_golden
            assert jnp.abs(gradient).max() > 0, f"{path} has no gradient"
    size = jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree.leaves(gradients)))
    params = jax.tree.map(lambda p, g: p - 0.01 * g / size, params, gradients)
    after, _ = loss_and_gradients(params)
    assert after < before


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_any_size_of_image(scale):
    model = IGNN(scale=scale, features=4, num_blocks=2, graph=GRAPH)
    variables = initialized(model, image(8, 8))
    for size in [(1, 1), (2, 3), (17, 11)]:
        sr = jax.jit(model.apply)(variables, image(*size))
        assert sr.shape == (1, scale * size[0], scale * size[1], 3)
        assert jnp.isfinite(sr).all(), size


@pytest.mark.parametrize("kind", ["cross_scale", "non_local"])
def test_images_of_a_batch_do_not_meet(kind):
    graph = dataclasses.replace(GRAPH, kind=kind)
    model = IGNN(scale=2, features=8, num_blocks=2, graph=graph)
    batch = image(12, 15, batch=3)
    variables = initialized(model, batch)
    apply = jax.jit(model.apply)
    together = apply(variables, batch)
    for n in range(3):
        alone = apply(variables, batch[n : n + 1])
        np.testing.assert_allclose(together[n], alone[0], atol=1e-3)


@pytest.mark.parametrize("embedding", ["backbone", "vgg19"])
def test_no_gradient_flows_through_the_graph(embedding):
    """Neither labels nor distances pass a gradient on to the image."""
    graph = dataclasses.replace(GRAPH, embedding=embedding)
    model = IGNN(scale=2, features=8, num_blocks=2, graph=graph)
    lr = image(12, 12)
    variables = initialized(model, lr)

    def labels(lr):
        _, state = model.apply(variables, lr, mutable="intermediates")
        graph = state["intermediates"]["graph"][0]
        return graph.labels.sum() + graph.distances.sum()

    value, gradient = jax.jit(jax.value_and_grad(labels))(lr)
    assert value > 0
    assert jnp.abs(gradient).max() == 0


def test_same_scale_neighbors_are_other_patches():
    graph = dataclasses.replace(GRAPH, kind="same_scale")
    model = IGNN(scale=2, features=8, num_blocks=2, graph=graph)
    lr = image(14, 18)
    apply = jax.jit(functools.partial(model.apply, mutable="intermediates"))
    _, state = apply(initialized(model, lr), lr)
    indices = state["intermediates"]["graph"][0].indices[0]
    m1, m2, _ = indices.shape
    own = jnp.arange(m1 * m2).reshape(m1, m2, 1)
    assert not (indices == own).any()


def test_non_local_block_attends_as_its_formula(monkeypatch):
    from ignn_jax.models import non_local as baselines

    monkeypatch.setattr(baselines, "BLOCK", 7)  # blocks that do not divide the image
    block = baselines.NonLocalBlock(8, jnp.dtype("float32"))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 5, 8)), jnp.float32)
    variables = block.init(jax.random.key(0), x, x)
    p = jax.tree.map(np.asarray, variables["params"])

    def dense(name, values):
        return values @ p[name]["kernel"][0, 0] + p[name]["bias"]

    for n in range(2):
        flat = np.asarray(x[n]).reshape(20, 8)
        scores = dense("theta", flat) @ dense("phi", flat).T
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        expected = dense("out", weights @ dense("g", flat)).reshape(4, 5, 8)
        np.testing.assert_allclose(block.apply(variables, x, x)[n], expected, atol=1e-5)


def test_bfloat16_is_near_float32():
    lr = image(16, 16)
    model = IGNN(scale=2, **SMALL, graph=GRAPH)
    variables = initialized(model, lr)
    full = jax.jit(model.apply)(variables, lr)
    half = jax.jit(model.clone(dtype="bfloat16").apply)(variables, lr)
    assert half.dtype == jnp.float32
    assert 0 < jnp.abs(half - full).mean() < 1.0  # of 255


@pytest.mark.parametrize(
    ("name", "count"), [("x2", 47_113_477), ("light_x2", 1_792_709)]
)
def test_parameter_count(name, count):
    config = importlib.import_module(f"configs.{name}").get_config()
    config.model.graph.embedding = "vgg19"
    model = create_model({"scale": config.scale, **config.model.to_dict()})
    shapes = jax.eval_shape(model.init, jax.random.key(0), image(8, 8))
    counts = {
        name: sum(leaf.size for leaf in jax.tree.leaves(tree))
        for name, tree in shapes.items()
    }
    assert counts == {"params": count, "vgg19": 38_720}


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_ignn_holds_edsr_by_name_and_shape(scale):
    def shapes(model):
        tree = jax.eval_shape(model.init, jax.random.key(0), image(8, 8))["params"]
        flat = flax.traverse_util.flatten_dict(tree, sep="/")
        return {name: leaf.shape for name, leaf in flat.items()}

    edsr = shapes(EDSR(scale=scale, **SMALL))
    assert edsr.items() <= shapes(IGNN(scale=scale, **SMALL, graph=GRAPH)).items()


@pytest.mark.parametrize(
    ("scale", "kind"),
    [(2, "cross_scale"), (3, "cross_scale"), (4, "cross_scale"), (2, "non_local")],
)
def test_a_residual_network_begins_as_its_backbone(scale, kind):
    lr = image(9, 12)
    edsr = EDSR(scale=scale, **SMALL)
    backbone = initialized(edsr, lr)
    graph = dataclasses.replace(GRAPH, kind=kind, fusion="residual")
    ignn = IGNN(scale=scale, **SMALL, graph=graph)
    variables = initialized(ignn, lr)
    for name in ("fuse_lr_1", "fuse_hr_1"):  # as initialized, see the next test
        if name in variables["params"]:
            variables["params"][name]["kernel"] *= 0
    params, *_ = take_backbone(variables["params"], backbone["params"])
    sr = jax.jit(ignn.apply)({"params": params}, lr)
    expected = jax.jit(edsr.apply)(backbone, lr)
    np.testing.assert_allclose(sr, expected, atol=1e-3)


def test_a_residual_is_nothing_at_first():
    graph = dataclasses.replace(GRAPH, fusion="residual")
    model = IGNN(scale=2, **SMALL, graph=graph)
    key = jax.random.key(0, impl="rbg")
    params = jax.jit(model.init)(key, image(8, 8))["params"]
    for name in ("fuse_lr", "fuse_hr"):
        assert not params[f"{name}_1"]["kernel"].any()
        assert params[f"{name}_0"]["kernel"].any()


def test_settings_survive_a_round_trip():
    model = IGNN(scale=3, **SMALL, graph=dataclasses.replace(GRAPH, position=1))
    assert create_model(model_settings(model)) == model
    edsr = EDSR(scale=4, features=16)
    assert create_model({**model_settings(edsr), "graph": {"ignored": 1}}) == edsr


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.py")), ids=lambda p: p.stem)
def test_configs_make_networks(path):
    """As written: the embedding "auto" is the one that needs no other weights."""
    config = importlib.import_module(f"configs.{path.stem}").get_config()
    model = create_model({"scale": config.scale, **config.model.to_dict()})
    assert model.scale == config.scale
    if isinstance(model, IGNN):
        assert model.graph.embedding == "backbone"


@pytest.mark.parametrize("model", [IGNN(scale=2), EDSR(scale=2)], ids=["IGNN", "EDSR"])
@pytest.mark.parametrize("shape", [(8, 8, 3), (1, 8, 8, 1), (1, 0, 8, 3), (1, 3, 8, 8)])
def test_other_images_are_refused(model, shape):
    with pytest.raises(InputError, match=re.escape(str(list(shape)))):
        jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(shape))
    with pytest.raises(InputError, match="lr: give images"):
        model.apply({}, [[1, 2], [3, 4]])
    with pytest.raises(InputError, match="lr: give numbers in"):
        model.apply({}, np.zeros((1, 8, 8, 3), bool))


def test_images_of_any_numbers_are_computed_with_as_float32():
    model = IGNN(scale=2, **SMALL, graph=GRAPH)
    lr = np.random.default_rng(0).integers(0, 256, (1, 6, 6, 3)).astype(np.uint8)
    variables = initialized(model, lr.astype(np.float32))
    apply = jax.jit(model.apply)
    expected = apply(variables, lr.astype(np.float32))
    assert expected.dtype == jnp.float32
    for dtype in (np.uint8, np.int32, np.float64, jnp.bfloat16):
        np.testing.assert_array_equal(apply(variables, lr.astype(dtype)), expected)


def test_a_position_after_the_last_block_is_refused():
    graph = dataclasses.replace(GRAPH, position=3)
    model = IGNN(scale=2, **SMALL, graph=graph)
    lr = jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.float32)
    with pytest.raises(InputError, match="position: 3: give a number from 0 to"):
        jax.eval_shape(model.init, jax.random.key(0), lr)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"name": "srcnn"}, "model.name"),
        ({"name": "ignn", "scale": 2, "feature": 8}, "model.feature"),
        ({"name": "ignn", "scale": 2, "graph": {"k": 5}}, "model.graph.k"),
        ({"name": "ignn", "scale": 2, "graph": {"den": "x"}}, "graph.den"),
        ({"name": "ignn", "scale": 2, "graph": {"patch_stride": 4}}, "patch_stride"),
        ({"name": "ignn", "scale": 2, "graph": {"position": 99}}, "graph.position"),
        ({"name": "ignn", "scale": 5}, "scale"),
        ({"name": "edsr", "scale": 2, "dtype": "float8"}, "dtype"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings, key):
    with pytest.raises(InputError, match=key):
        create_model(settings)
