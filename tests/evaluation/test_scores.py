"""Pairs of images, evaluated by any function that upscales."""

import numpy as np
import pytest

from ignn_jax.data.pairs import Pair
from ignn_jax.evaluation.metrics import psnr, ssim
from ignn_jax.evaluation.scores import evaluate, evaluate_pair, mean_score


def nearest(scale):
    return lambda lr: lr.repeat(scale, 0).repeat(scale, 1)


def random_pair(scale, side=12, seed=0):
    rng = np.random.default_rng(seed)
    lr = rng.integers(0, 256, (side, side + 1, 3), np.uint8)
    noise = rng.integers(-9, 10, (scale * side, scale * (side + 1), 3))
    hr = (nearest(scale)(lr).astype(int) + noise).clip(0, 255).astype(np.uint8)
    return Pair(f"{seed}", lr, hr)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_border_is_as_wide_as_the_scale_of_the_shapes(scale):
    pair = random_pair(scale)
    sr = nearest(scale)(pair.lr)
    expected = psnr(sr, pair.hr, border=scale), ssim(sr, pair.hr, border=scale)
    assert evaluate(nearest(scale), [pair]) == [expected]


def test_pairs_may_differ_in_size_and_are_read_one_at_a_time():
    upscaled = []

    def upscale(lr):
        upscaled.append(lr)
        return nearest(2)(lr)

    def pairs():
        for n in range(3):
            assert len(upscaled) == n
            yield random_pair(2, side=12 + n, seed=n)

    scores = evaluate(upscale, pairs())
    assert len(scores) == 3
    assert mean_score(scores).psnr == pytest.approx(np.mean([s.psnr for s in scores]))
    assert mean_score(scores).ssim == pytest.approx(np.mean([s.ssim for s in scores]))


def test_a_pair_keeps_the_images_and_scores_of_each_method():
    pair = random_pair(2)
    one = evaluate_pair(pair, {"near": nearest(2), "exact": lambda lr: pair.hr})
    assert one.pair is pair
    np.testing.assert_array_equal(one.images["near"], nearest(2)(pair.lr))
    assert list(one.scores) == ["near", "exact"]
    assert one.scores["exact"] == (np.inf, 1.0)
    assert [one.scores["near"]] == evaluate(nearest(2), [pair])


@pytest.mark.parametrize("shape", [(23, 26, 3), (24, 39, 3), (6, 6, 3)])
def test_shapes_without_a_common_scale_are_refused(shape):
    pair = random_pair(2)._replace(hr=np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="not a whole multiple"):
        evaluate(nearest(2), [pair])
