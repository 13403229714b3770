"""For all tests of training."""

import jax
import pytest


@pytest.fixture(autouse=True)
def _standard_promotion():
    """Optax relies on it."""
    with jax.numpy_dtype_promotion("standard"):
        yield
