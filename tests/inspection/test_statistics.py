"""The graph's statistics against loops over the patches of an image."""

import itertools

import numpy as np
import pytest

from ignn_jax.inspection.statistics import SIDE, GraphStatistics, graph_statistics
from ignn_jax.models import EDSR
from ignn_jax.models.ignn import downsample
from tests.networks import random_variables, tiny_ignn


def padding(length, patch, stride):
    """The fewest zeros before and after with which patches cover the length."""
    missing = -(length - patch) % stride
    return missing // 2, missing - missing // 2


def patches(image, patch, stride):
    """Row by row: the values, and the first row and column that they cover."""
    height, width, _ = image.shape
    pads = [padding(n, patch, stride) for n in (height, width)]
    padded = np.pad(image, [*pads, (0, 0)])
    firsts = [range(0, n - patch + 1, stride) for n in padded.shape[:2]]
    return [
        (padded[y : y + patch, x : x + patch], (y - pads[0][0], x - pads[1][0]))
        for y, x in itertools.product(*firsts)
    ]


def center(first, side):
    """The mean position of the pixels of a square."""
    return np.array([np.mean([n + i for i in range(side)]) for n in first])


@pytest.mark.parametrize(
    ("kind", "scale", "size", "patch", "stride"),
    [
        ("cross_scale", 2, (16, 20), 3, 3),
        ("cross_scale", 3, (17, 20), 3, 2),
        ("same_scale", 2, (9, 12), 2, 1),
    ],
)
def test_edges_are_those_of_a_loop(kind, scale, size, patch, stride):
    model = tiny_ignn(
        scale, kind=kind, window=0, neighbors=3, patch_size=patch, patch_stride=stride
    )
    lr = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    statistics = graph_statistics(model, random_variables(model), lr)

    image = lr.astype(np.float32)
    factor = scale if kind == "cross_scale" else 1
    small = np.asarray(downsample(image[None], factor))[0] if factor > 1 else image
    queries, candidates = (patches(x, patch, stride) for x in (image, small))
    offsets, distances = [], []
    for query, first in queries:
        found = []
        for candidate, place in candidates:
            if factor == 1 and place == first:
                continue  # itself
            # The candidate's HR patch is `factor` times as large.
            there = center(np.array(place) * factor, patch * factor)
            away = np.linalg.norm(there - center(first, patch))
            found.append((np.linalg.norm(query - candidate), away))
        nearest = sorted(found)[:3]
        distances.append([distance for distance, _ in nearest])
        offsets.append([away for _, away in nearest])

    np.testing.assert_allclose(statistics.offset.reshape(-1, 3), offsets, rtol=1e-6)
    # The embedding "rgb" is color on another scale.
    ratio = statistics.distance.reshape(-1, 3) / distances
    np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-3)
    assert statistics.weight.shape == (*size, 3)
    np.testing.assert_allclose(statistics.weight.sum(axis=-1), 1, rtol=1e-5)


def test_a_large_image_is_cut():
    model = tiny_ignn()
    rng = np.random.default_rng(0)
    middle = rng.integers(0, 256, (SIDE, 40, 3), dtype=np.uint8)
    image = np.pad(middle, ((3, 4), (0, 0), (0, 0)))
    whole, cut = (
        graph_statistics(model, random_variables(model), x) for x in (image, middle)
    )
    for a, b in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(a, b)


def test_summary():
    weight = np.zeros((1, 2, 4), np.float32)
    weight[0, 0] = (1, 0, 0, 0)  # entropy 0
    weight[0, 1] = 0.25  # entropy 1
    offset = np.arange(44, dtype=np.float32).reshape(1, 11, 4)
    distance = np.broadcast_to(np.float32([1, 2, 3, 4]), (1, 11, 4))
    summary = GraphStatistics(offset, distance, weight).summary()
    expected = {"offset_mean": 21.5, "weight_entropy": 0.5}
    expected |= {"offset_p10": 4.3, "offset_p50": 21.5, "offset_p90": 38.7}
    expected |= {f"distance_{k}": k for k in (1, 2, 3, 4)}
    expected |= {"weight_1": 0.625} | {f"weight_{k}": 0.125 for k in (2, 3, 4)}
    assert summary == pytest.approx(expected)


def test_there_is_none_without_a_graph():
    lr = np.zeros((8, 8, 3), np.uint8)
    for model in (EDSR(scale=2), tiny_ignn(kind="non_local")):
        assert graph_statistics(model, {}, lr) is None
