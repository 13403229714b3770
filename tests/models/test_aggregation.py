"""The graph and what it gathers, against loops written from the paper's definitions."""

import dataclasses
import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from ignn_jax.errors import InputError
from ignn_jax.models import GraphConfig
from ignn_jax.models.aggregation import DEN, GraphAggregation, aggregate
from ignn_jax.models.graph import construct_graph

CONFIG = GraphConfig(neighbors=3, window=3, embedding="rgb")
FLOAT32 = jnp.dtype("float32")


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def corners(length, patch=3, stride=2):
    """First pixel of each patch; half of the padding goes before the image."""
    count = max(-(-(length - patch) // stride), 0) + 1
    before = ((count - 1) * stride + patch - length) // 2
    return [n * stride - before for n in range(count)]


def patch_at(image, corner, side):
    """[side, side, C] of an image [H, W, C], zeros beyond it."""
    padded = np.pad(image, [(side, side)] * 2 + [(0, 0)])
    top, left = (n + side for n in corner)
    return padded[top : top + side, left : left + side]


def grid(size):
    return [(top, left) for top in corners(size[0]) for left in corners(size[1])]


def loop_graph(queries, candidates, scale, neighbors, window):
    """Indices, distances and labels of one image, each a list by query."""
    rows, columns = (corners(n) for n in candidates.shape[:2])
    side = min(window, len(rows), len(columns))
    found = []
    height, width = (len(corners(n)) for n in queries.shape[:2])
    for (i, j), corner in zip(
        np.ndindex(height, width), grid(queries.shape), strict=True
    ):
        query = patch_at(queries, corner, 3)
        top, left = (
            min(max(n // scale - side // 2, 0), len(axis) - side)
            for n, axis in ((i, rows), (j, columns))
        )
        edges = []
        for r in range(top, top + side):
            for c in range(left, left + side):
                if scale > 1 or (r, c) != (i, j):
                    away = np.abs(
                        query - patch_at(candidates, (rows[r], columns[c]), 3)
                    )
                    label = away.sum(axis=(0, 1))
                    edges.append((np.sum(away**2), r * len(columns) + c, label))
        found.append(sorted(edges, key=lambda edge: edge[:2])[:neighbors])
    return [[[edge[n] for edge in edges] for edges in found] for n in (1, 0, 2)]


def loop_fold(patches, size, scale):
    """The mean of overlapping patches [side, side, C], one for each of the grid."""
    side = 3 * scale
    total = np.zeros((scale * size[0] + 2 * side, scale * size[1] + 2 * side, 1))
    total = np.repeat(total, patches[0].shape[-1], axis=-1)
    count = np.zeros_like(total)
    for patch, corner in zip(patches, grid(size), strict=True):
        top, left = (scale * n + side for n in corner)
        total[top : top + side, left : left + side] += patch
        count[top : top + side, left : left + side] += 1
    inside = slice(side, -side), slice(side, -side)
    return total[inside] / count[inside]


def loop_aggregate(features, indices, weights, scale, normalization):
    """The weighted sum of the neighbors' HR maps of one image."""
    size = features.shape[:2]
    places = grid([n // scale for n in size])
    cut = features[: size[0] // scale * scale, : size[1] // scale * scale]
    total = 0
    for k in range(weights.shape[-1]):
        patches = []
        for query, index in zip(grid(size), indices, strict=True):
            corner = [scale * n for n in places[index[k]]]
            patch = patch_at(cut, corner, 3 * scale)
            if normalization == "adapn":
                own = patch_at(features, query, 3)
                mean, std = (
                    [f(x, axis=(0, 1)) for x in (patch, own)]
                    for f in (
                        np.mean,
                        lambda x, axis: np.sqrt(x.var(axis, ddof=1) + 1e-5),
                    )
                )
                patch = (patch - mean[0]) / std[0] * std[1] + mean[1]
            patches.append(patch)
        weight = weights[..., k, None].repeat(scale, 0).repeat(scale, 1)
        total = total + weight * loop_fold(patches, size, scale)
    return total


def images(scale, channels=4, batch=2):
    queries = random(batch, 13, 16, channels)
    small = [n // scale for n in queries.shape[1:3]]
    candidates = random(batch, *small, channels, seed=1) if scale > 1 else queries
    return queries, candidates


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_graph_is_that_of_loops(scale):
    queries, candidates = images(scale)
    config = dataclasses.replace(CONFIG, window=2) if scale == 3 else CONFIG
    graph = construct_graph(queries, candidates, scale=scale, config=config)
    for n in range(2):
        indices, distances, labels = loop_graph(
            queries[n], candidates[n], scale, config.neighbors, config.window
        )
        k = graph.indices.shape[-1]
        np.testing.assert_array_equal(graph.indices[n].reshape(-1, k), indices)
        np.testing.assert_allclose(
            graph.distances[n].reshape(-1, k), distances, rtol=1e-4
        )
        np.testing.assert_allclose(graph.labels[n].reshape(-1, k, 4), labels, rtol=1e-4)


def make_graph(scale):
    queries, candidates = images(scale)
    return construct_graph(queries, candidates, scale=scale, config=CONFIG)


@pytest.mark.parametrize("normalization", ["adapn", "none"])
@pytest.mark.parametrize("scale", [1, 2])
def test_aggregate_is_that_of_loops(scale, normalization):
    config = dataclasses.replace(CONFIG, normalization=normalization)
    graph, features = make_graph(scale), random(2, 13, 16, 5, seed=2)
    weights = random(2, 13, 16, 3, seed=3)
    ours = aggregate(features, graph, weights, scale=scale, config=config)
    for n in range(2):
        indices = np.asarray(graph.indices[n]).reshape(-1, 3)
        theirs = loop_aggregate(features[n], indices, weights[n], scale, normalization)
        np.testing.assert_allclose(ours[n], theirs, atol=1e-4)


def module(scale=2, **graph):
    """Aggregation of 5 features, its variables, and what it is applied to."""
    config = dataclasses.replace(CONFIG, **graph)
    graph, features = make_graph(scale), random(2, 13, 16, 5, seed=2)
    network = GraphAggregation(5, scale, config, FLOAT32)
    shapes = jax.eval_shape(network.init, jax.random.key(0), features, graph)
    variables = jax.tree.map(lambda x: 0.3 * random(*x.shape), shapes)
    return network, variables, features, graph


def run(network, variables, features, graph):
    """Both outputs, and the weights of both."""
    apply = jax.jit(functools.partial(network.apply, mutable="intermediates"))
    outputs, state = apply({"params": variables.get("params", {})}, features, graph)
    return outputs, state["intermediates"]["weights"][0]


def test_gaussian_weights():
    """exp(-||D||^2 / 10) over their sum; patches overlap, and their mean counts."""
    network, variables, features, graph = module(edge_weights="gaussian")
    _, (hr_weights, lr_weights) = run(network, variables, features, graph)
    np.testing.assert_array_equal(hr_weights, lr_weights)
    distances = np.asarray(graph.distances, np.float64)
    weights = np.exp(-distances / 10)
    weights /= weights.sum(axis=-1, keepdims=True)
    assert np.ptp(weights) > 0.2
    for n in range(2):
        patches = np.broadcast_to(weights[n].reshape(-1, 1, 1, 3), (6 * 8, 3, 3, 3))
        np.testing.assert_allclose(
            hr_weights[n], loop_fold(patches, (13, 16), 1), atol=1e-5
        )


def test_learned_weights():
    """ECN pixel by pixel, on the labels of overlapping patches; then softmax."""
    network, variables, features, graph = module()
    _, weights = run(network, variables, features, graph)
    for name, ours in zip(("ecn_hr", "ecn_lr"), weights, strict=True):
        p = variables["params"][name]
        layers = [(p[f"conv_{n}"]["kernel"], p[f"conv_{n}"]["bias"]) for n in range(4)]
        scores = np.zeros((13, 16, 3))
        for k in range(3):
            labels = np.asarray(graph.labels[0, :, :, k]).reshape(-1, 1, 1, 4)
            x = loop_fold(np.broadcast_to(labels, (6 * 8, 3, 3, 4)), (13, 16), 1)
            x = x @ layers[0][0] + layers[0][1]
            y = np.maximum(x @ layers[1][0] + layers[1][1], 0)
            x = x + 0.1 * (y @ layers[2][0] + layers[2][1])
            scores[..., k] = (x @ layers[3][0] + layers[3][1])[..., 0]
        expected = np.exp(scores - scores.max(axis=-1, keepdims=True))
        expected /= expected.sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(ours[0], expected, atol=1e-4)


@pytest.mark.parametrize("den", ["per_neighbor", "aggregated"])
def test_outputs(den):
    """The HR output is the weighted sum; the LR output DEN of the maps, or the sum."""
    network, variables, features, graph = module(den=den)
    (lr, hr), (hr_weights, lr_weights) = run(network, variables, features, graph)
    options = {"scale": 2, "config": network.config}
    expected = aggregate(features, graph, hr_weights, **options)
    np.testing.assert_allclose(hr, expected, atol=1e-4)
    brings_down = functools.partial(
        DEN(5, 2, FLOAT32).apply, {"params": variables["params"]["den"]}
    )
    if den == "aggregated":
        assert lr_weights is None
        expected = brings_down(expected)
    else:
        expected = 0
        for k in range(3):
            alone = graph._replace(indices=graph.indices[..., k, None])
            one = np.ones((2, 13, 16, 1), np.float32)
            neighbor = aggregate(features, alone, one, **options)
            expected += lr_weights[..., k, None] * brings_down(neighbor)
    np.testing.assert_allclose(lr, expected, atol=1e-4)


def test_outputs_within_one_scale():
    """The weighted sum is at LR size: there is neither DEN nor an HR output."""
    network, variables, features, graph = module(scale=1)
    assert set(variables["params"]) == {"ecn_hr"}
    (lr, hr), (weights, _) = run(network, variables, features, graph)
    assert hr is None
    expected = aggregate(features, graph, weights, scale=1, config=network.config)
    np.testing.assert_allclose(lr, expected, atol=1e-5)


def test_functions_are_pure():
    """Alone they compile, map and differentiate."""
    queries, candidates = images(2)
    construct = functools.partial(construct_graph, scale=2, config=CONFIG)
    features, weights = random(2, 13, 16, 5, seed=2), random(2, 13, 16, 3, seed=3)
    gather = functools.partial(aggregate, scale=2, config=CONFIG)
    graph = construct(queries, candidates)
    expected = gather(features, graph, weights)

    def one(*arrays):
        return jax.tree.map(lambda x: x[None], arrays)

    def of_one(query, candidate, features, weights):
        query, candidate, features, weights = one(query, candidate, features, weights)
        return gather(features, construct(query, candidate), weights)[0]

    mapped = jax.jit(jax.vmap(of_one))(queries, candidates, features, weights)
    np.testing.assert_allclose(mapped, expected, atol=1e-4)

    def loss(features, weights):
        return jnp.mean(gather(features, graph, weights) ** 2)

    check_grads(loss, (features, weights), order=1, rtol=1e-2)


def test_features_that_do_not_fit_are_refused():
    """The functions as users have them: without the tests' check of annotations."""
    construct, merge = (inspect.unwrap(f) for f in (construct_graph, aggregate))
    config = GraphConfig(neighbors=2)
    for queries, candidates, field in (
        ((8, 8, 3), (4, 4, 3), "queries"),
        ((1, 8, 8, 3), (4, 4, 3), "candidates"),
        ((1, 8, 8, 3), (1, 4, 4, 4), "candidates"),
        ((1, 8, 8, 3), (2, 4, 4, 3), "candidates"),
        ((1, 8, 8, 3), (1, 8, 8, 3), "candidates"),
    ):
        with pytest.raises(InputError, match="give features") as error:
            construct(jnp.zeros(queries), jnp.zeros(candidates), scale=2, config=config)
        assert error.value.field == field
    features = jnp.zeros((1, 8, 8, 3))
    graph = construct(features, jnp.zeros((1, 4, 4, 3)), scale=2, config=config)
    for weights in ((1, 8, 8, 1), (1, 4, 4, 2), (8, 8, 2)):
        with pytest.raises(InputError, match="weights: give"):
            merge(features, graph, jnp.zeros(weights), scale=2, config=config)
    with pytest.raises(InputError, match="features: give"):
        merge(features[0], graph, jnp.zeros((1, 8, 8, 2)), scale=2, config=config)
