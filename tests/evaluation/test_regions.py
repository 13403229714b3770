"""Regions of known kinds, and errors put into them."""

import math

import numpy as np
import pytest

from ignn_jax.data.pairs import Pair
from ignn_jax.evaluation.regions import KINDS, kinds_of_regions, scores_by_region
from ignn_jax.evaluation.scores import Evaluated
from ignn_jax.ops.bicubic import imresize
from ignn_jax.ops.color import rgb_to_y

# Three parts of 32 x 48 LR pixels: even, an edge, and noise.
ROWS = {"smooth": slice(0, 32), "recurring": slice(32, 64), "other": slice(64, 96)}


def photograph():
    """LR [96, 48]. An edge is the same edge at half the size, but noise is not."""
    rng = np.random.default_rng(0)
    lr = np.full((96, 48, 3), 120.0)
    lr[ROWS["smooth"]] += rng.normal(0, 1, (32, 48, 1))
    x = np.arange(48)
    edge = 255 / (1 + np.exp(-(x % 16 - 7.5) / 0.4))
    lr[ROWS["recurring"]] = edge[:, None]
    lr[ROWS["other"]] += rng.normal(0, 40, (32, 48, 1))
    return np.clip(np.rint(lr), 0, 255).astype(np.uint8)


def inner(kind):
    """Blocks of a part that do not touch another part."""
    rows = ROWS[kind]
    return slice(rows.start // 8 + 1, rows.stop // 8 - 1), slice(1, -1)


def test_kinds_of_regions():
    kinds = kinds_of_regions(photograph(), scale=2)
    assert kinds.shape == (12, 6)
    for n, name in enumerate(KINDS):
        assert (kinds[inner(name)] == n).mean() > 0.9, name


def test_scores_are_those_of_the_regions():
    lr = photograph()
    hr = np.clip(imresize(lr.astype(float), scale=2), 0, 240).astype(np.uint8)
    bicubic, ours = hr + np.uint8(3), hr + np.uint8(2)
    kinds = kinds_of_regions(lr, scale=2).repeat(16, 0).repeat(16, 1)
    ours[kinds == KINDS.index("smooth")] += 3
    pair = Pair("a", lr, hr)
    images = {"bicubic": bicubic, "ours": ours}
    shares, scores = scores_by_region([Evaluated(pair, images, {})])
    assert sum(shares.values()) == pytest.approx(1)
    for n, name in enumerate(KINDS):
        where = kinds == n
        assert shares[name] == pytest.approx(where.mean())
        for method, image in images.items():
            error = np.mean((rgb_to_y(image) - rgb_to_y(hr))[where] ** 2)
            expected = 10 * math.log10(255**2 / error)
            assert scores[name][method].psnr == pytest.approx(expected)
    assert scores["smooth"]["ours"].better == 0
    assert scores["recurring"]["ours"].better == 1
    assert scores["smooth"]["bicubic"].better == 0


def test_sharpness_is_the_energy_of_gradients():
    lr = photograph()
    hr = np.clip(imresize(lr.astype(float), scale=2), 0, 255).astype(np.uint8)
    hr = 2 * (hr // 4)  # even, and half of it has gradients half as steep
    images = {"bicubic": hr // 2, "same": hr}
    _, scores = scores_by_region([Evaluated(Pair("a", lr, hr), images, {})])
    for name in KINDS:
        assert scores[name]["bicubic"].sharpness == pytest.approx(1 / 4, abs=1e-6)
        assert scores[name]["same"].sharpness == 1
        assert scores[name]["same"].psnr == math.inf


def test_kinds_that_are_nowhere_have_no_scores():
    lr = np.full((16, 16, 3), 9, np.uint8)
    hr = np.full((32, 32, 3), 9, np.uint8)
    evaluated = Evaluated(Pair("a", lr, hr), {"bicubic": hr + np.uint8(1)}, {})
    shares, scores = scores_by_region([evaluated])
    assert shares == {"smooth": 1, "recurring": 0, "other": 0}
    assert list(scores) == ["smooth"]
    assert math.isnan(scores["smooth"]["bicubic"].sharpness)  # 0 of 0
