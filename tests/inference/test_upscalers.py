"""Upscalers: what they return, and what they refuse."""

import jax
import numpy as np
import pytest

from ignn_jax.inference.upscalers import bicubic_upscaler, to_uint8, upscaler
from tests.networks import random_variables, tiny_ignn


def test_results_are_rounded_and_clipped():
    values = np.float32([-3, 0.4, 0.6, 254.4, 260])
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 1, 254, 255])
    lr = np.array([[[0, 128, 255]]], np.uint8).repeat(4, 0).repeat(4, 1)
    np.testing.assert_array_equal(bicubic_upscaler(3)(lr), lr.repeat(3, 0).repeat(3, 1))


def test_a_network_gives_its_own_output_and_the_mean_over_orientations():
    model = tiny_ignn()
    variables = random_variables(model)
    lr = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)

    jitted = jax.jit(model.apply)  # op by op it would take a minute

    def apply(image):
        return np.asarray(jitted(variables, image[None].astype(np.float32)))[0]

    found = upscaler(model, variables, tile=0)(lr)
    assert found.dtype == np.uint8
    assert np.abs(found - apply(lr).clip(0, 255)).max() <= 0.51
    mean = np.zeros((18, 24, 3))
    for turns in range(4):
        for flip in (1, -1):
            sr = apply(np.rot90(lr, turns)[:, ::flip])
            mean += np.rot90(sr[:, ::flip], -turns) / 8
    found = upscaler(model, variables, tile=0, ensemble=True)(lr)
    assert np.abs(found - mean.clip(0, 255)).max() <= 0.51


@pytest.mark.parametrize("lr", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8)])
def test_other_images_are_refused(lr):
    with pytest.raises(ValueError, match="must be uint8"):
        bicubic_upscaler(2)(lr)
