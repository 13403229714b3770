"""The search in blocks against one that compares every pair of patches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ignn_jax.ops import search as knn
from ignn_jax.ops.patches import unfold
from ignn_jax.ops.windows import window_starts

SETTINGS = {
    "windowed": dict(height=37, width=50, scale=2, neighbors=5, window=6),
    "whole image": dict(height=37, width=50, scale=2, neighbors=5, window=0),
    "scale 3": dict(height=41, width=40, scale=3, neighbors=3, window=5),
    "the reference's window": dict(
        height=41, width=40, scale=3, neighbors=3, window=5, window_center="reference"
    ),
    "same scale": dict(height=20, width=23, scale=1, neighbors=4, window=7),
    "patch 5, stride 3": dict(
        height=44, width=30, scale=2, neighbors=3, window=4, patch_size=5, stride=3
    ),
    "fewer than k": dict(height=4, width=5, scale=2, neighbors=5, window=30),
    "one candidate": dict(height=2, width=2, scale=2, neighbors=5, window=30),
    "one candidate, itself": dict(height=2, width=2, scale=1, neighbors=5, window=30),
    "a low, wide image": dict(height=9, width=80, scale=2, neighbors=5, window=7),
}


def search(queries, candidates, *, stride=2, patch_size=3, **settings):
    settings = {k: v for k, v in settings.items() if k not in ("height", "width")}
    return knn.nearest_patches(
        jnp.asarray(queries),
        jnp.asarray(candidates),
        patch_size=patch_size,
        patch_stride=stride,
        **settings,
    )


def loop_search(
    queries,
    candidates,
    *,
    scale,
    neighbors,
    window,
    patch_size=3,
    stride=2,
    window_center="centered",
    **_,
):
    """[queries, K, 2]: distances and indices, row by row."""

    def rows_of_patches(image):
        blocks = np.asarray(unfold(jnp.asarray(image), patch_size, stride), np.float64)
        blocks = blocks.transpose(0, 1, 3, 2, 4, 5)
        return blocks.reshape(*blocks.shape[:3], -1)

    query, candidate = rows_of_patches(queries), rows_of_patches(candidates)
    _, n1, n2, _ = candidate.shape
    side = min(window, n1, n2)
    whole = window == 0 or (window >= n1 and window >= n2)
    found = []
    for b, i, j in np.ndindex(query.shape[:3]):
        if whole:
            rows, columns = range(n1), range(n2)
        else:
            if window_center == "centered":
                top, left = i // scale - side // 2, j // scale - side // 2
            else:
                top, left = i // 2 - side // scale, j // 2 - side // scale
            top, left = min(max(top, 0), n1 - side), min(max(left, 0), n2 - side)
            rows, columns = range(top, top + side), range(left, left + side)
        distances = sorted(
            (np.sum((query[b, i, j] - candidate[b, r, c]) ** 2), r * n2 + c)
            for r in rows
            for c in columns
            if not (scale == 1 and (r, c) == (i, j) and len(rows) * len(columns) > 1)
        )
        found.append(distances[:neighbors])
    return np.asarray(found)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("block", [knn.BLOCK, 30])
def test_search_finds_the_nearest(name, block):
    settings = SETTINGS[name]
    rng = np.random.default_rng(0)
    shape = (2, settings["height"], settings["width"], 4)
    queries = rng.normal(size=shape).astype(np.float32)
    candidates = queries
    if settings["scale"] > 1:
        small = (max(n // settings["scale"], 1) for n in shape[1:3])
        candidates = rng.normal(size=(2, *small, 4)).astype(np.float32)
    ours = search(queries, candidates, block=block, **settings)
    theirs = loop_search(queries, candidates, **settings)
    k = theirs.shape[1]
    assert ours.indices.shape[-1] == k
    np.testing.assert_array_equal(ours.indices.reshape(-1, k), theirs[..., 1])
    np.testing.assert_allclose(
        ours.distances.reshape(-1, k), theirs[..., 0], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("at_once", [1, 3 * 6**2 * 10**2, knn.AT_ONCE])
@pytest.mark.parametrize("name", ["windowed", "scale 3", "same scale"])
def test_tiles_searched_at_once_find_the_same(name, at_once, monkeypatch):
    """As on accelerators: one, some of them, or all."""
    settings = SETTINGS[name]
    height, width, scale = (settings[k] for k in ("height", "width", "scale"))
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(3, height, width, 4)).astype(np.float32)
    candidates = queries[:, ::scale, ::scale]
    monkeypatch.setattr(knn, "TILE", 6)
    monkeypatch.setattr(knn, "AT_ONCE", at_once)
    found = []
    for backend in ("cpu", "gpu"):
        jax.clear_caches()  # which hold programs of the other one
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        found.append(search(queries, candidates, **settings))
    jax.clear_caches()
    ours, theirs = found
    np.testing.assert_array_equal(ours.indices, theirs.indices)
    np.testing.assert_allclose(ours.distances, theirs.distances, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours.labels, theirs.labels, rtol=1e-5, atol=1e-5)


def test_tiles_are_divided_evenly(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(knn, "AT_ONCE", 1000)
    for tiles, size, expected in (
        ((16, 3, 3), 100, 10),  # 15 rounds
        ((1, 2, 3), 100, 6),
        ((1, 1, 13), 100, 7),
        ((4, 1, 1), 2000, 1),
    ):
        assert knn._tiles_at_once(tiles, size, 7) == expected
        assert knn._tiles_at_once(tiles, 7, size) == expected
    with jax.default_device(jax.devices("cpu")[0]):
        assert knn._tiles_at_once((16, 3, 3), 100) is None
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert knn._tiles_at_once((16, 3, 3), 100) is None


def test_ties_go_to_the_first_candidate():
    flat = np.zeros((1, 16, 16, 2), np.float32)
    found = search(flat, flat[:, :8, :8], scale=2, neighbors=3, window=0)
    np.testing.assert_array_equal(
        found.indices, np.broadcast_to([0, 1, 2], found.indices.shape)
    )


def test_windows_stay_inside_the_grid_and_follow_the_query():
    starts = window_starts(jnp.arange(20), 10, 4, scale=2)
    assert starts.min() == 0
    assert starts.max() == 6
    np.testing.assert_array_equal(starts[8:12], [2, 2, 3, 3])
