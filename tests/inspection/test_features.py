"""F_L at HR size: by the network's own graph, and measured."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.inspection.features import AggregatedFeatures, aggregated_features
from ignn_jax.models.aggregation import aggregate
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.reader import read_rgb
from tests.networks import random_variables, save_pictures, tiny_ignn


def test_features_are_aggregated_by_the_networks_graph(tmp_path):
    lr = read_rgb(save_pictures(tmp_path, count=1, side=20) / "0.png")
    model = tiny_ignn()
    variables = random_variables(model)
    found = aggregated_features(model, variables, lr)
    apply = jax.jit(functools.partial(model.apply, mutable="intermediates"))
    _, seen = apply(variables, lr[None].astype(np.float32))
    seen = seen["intermediates"]
    [features], [graph] = seen["lr_features"], seen["graph"]
    [(weights, _)] = seen["graph_agg"]["weights"]
    np.testing.assert_allclose(found.lr, features[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        found.bicubic, imresize(np.asarray(features[0]), scale=2), rtol=1e-5, atol=1e-5
    )
    for normalization, map_ in (("adapn", found.adapn), ("none", found.plain)):
        config = dataclasses.replace(model.graph, normalization=normalization)
        merge = jax.jit(functools.partial(aggregate, scale=2, config=config))
        expected = merge(features, graph, weights)
        np.testing.assert_allclose(map_, expected[0], rtol=1e-4, atol=1e-4)
    assert np.abs(found.adapn - found.plain).max() > 0.1


def test_detail_and_drift():
    lr = np.random.default_rng(0).normal(size=(12, 10, 1)).astype(np.float32)
    bicubic = imresize(lr, scale=2)
    features = AggregatedFeatures(lr, bicubic, 3 * bicubic, bicubic + 2 * lr.std())
    same, steep, shifted = features.channel(0)
    assert same.detail == 1
    # Three times as steep is nine times the energy; a shift is pure drift.
    np.testing.assert_allclose(steep.detail, 9, rtol=1e-5)
    np.testing.assert_allclose(shifted.detail, 1, rtol=1e-4)
    down = imresize(bicubic, scale=1 / 2)
    expected = np.sqrt(np.mean((down + 2 * lr.std() - lr) ** 2)) / lr.std()
    np.testing.assert_allclose(shifted.drift, expected, rtol=1e-4)
    # All on one scale: the mean of F_L is gray, and the shift makes it brighter.
    assert shifted.gray.mean() > same.gray.mean() + 50
    with pytest.raises(InputError, match="from 0 to 0") as caught:
        list(features.channel(1))
    assert caught.value.field == "channels"


def test_channels_of_most_contrast_come_first():
    lr = np.random.default_rng(0).normal(0, [1, 3, 2], (8, 8, 3)).astype(np.float32)
    assert AggregatedFeatures(lr, lr, lr, lr).of_most_contrast(2) == [1, 2]
