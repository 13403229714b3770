"""`load_network` with its options."""

import numpy as np

from ignn_jax.inference.network import load_network
from ignn_jax.models import EDSR
from ignn_jax.weights.find import FILENAME
from ignn_jax.weights.network import save
from tests.networks import random_variables
from tests.pictures.samples import noise


def test_device_dtype_and_ensemble(tmp_path):
    model = EDSR(scale=2, features=4, num_blocks=1)
    weights = tmp_path / FILENAME
    save(weights, model, random_variables(model))
    image = noise(8, 9, 3).astype(np.float32)
    plain = load_network(weights).run(image)
    there = load_network(weights, scale=2, device="cpu").run(image)
    np.testing.assert_array_equal(there, plain)
    half = load_network(weights, dtype="bfloat16").run(image)
    assert 0 < np.abs(half - plain).max() < 3
    # The average over all orientations turns with the picture.
    ensemble = load_network(weights, ensemble=True).run
    turned = ensemble(np.rot90(image))
    np.testing.assert_allclose(turned, np.rot90(ensemble(image)), atol=1e-3)
