"""The self-ensemble against the definition."""

import jax.numpy as jnp
import numpy as np

from ignn_jax.inference.ensemble import self_ensemble
from ignn_jax.ops.bicubic import imresize_jnp


def test_the_ensemble_turns_its_outputs_back():
    def linear(lr):
        return imresize_jnp(jnp.asarray(lr), scale=2)

    lr = np.random.default_rng(0).random((1, 7, 10, 3), np.float32)
    np.testing.assert_allclose(self_ensemble(linear)(lr), linear(lr), atol=1e-5)


def test_the_ensemble_is_the_mean_over_all_orientations():
    rng = np.random.default_rng(0)
    lr = rng.random((1, 6, 6, 3), np.float32)
    weights = rng.random((1, 6, 6, 1), np.float32)

    def uneven(x):
        return x * weights

    expected = np.zeros_like(lr)
    for turns in range(4):
        for flip in (False, True):
            x = np.rot90(lr, turns, (1, 2))
            x = uneven(x[:, ::-1] if flip else x)
            expected += np.rot90(x[:, ::-1] if flip else x, -turns, (1, 2)) / 8
    np.testing.assert_allclose(self_ensemble(uneven)(lr), expected, rtol=1e-5)
