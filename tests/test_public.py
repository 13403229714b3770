"""The names that stay wherever the code behind them moves."""

import importlib

import pytest

STABLE = (
    "ignn_jax.models.IGNN",
    "ignn_jax.models.EDSR",
    "ignn_jax.convert.ignn_from_torch",
    "ignn_jax.ops.bicubic.imresize",
    "ignn_jax.metrics.psnr",
    "ignn_jax.metrics.ssim",
    "ignn_jax.upscale",
)


@pytest.mark.parametrize("name", STABLE)
def test_a_stable_name_stays(name):
    module, _, attribute = name.rpartition(".")
    assert callable(getattr(importlib.import_module(module), attribute))
