"""`rgb_to_y` at the corners of the RGB cube, in NumPy and in JAX."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from skimage.color import rgb2ycbcr

from ignn_jax.ops.color import rgb_to_y

# ITU-R BT.601: black, white, red, green, blue.
CORNERS = np.array([[0] * 3, [255] * 3, [255, 0, 0], [0, 255, 0], [0, 0, 255]])
LUMAS = np.array([16, 235, 81.481, 144.553, 40.966])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
def test_corners_in_numpy(dtype):
    y = rgb_to_y(CORNERS.astype(dtype))
    assert isinstance(y, np.ndarray)
    assert y.dtype == (np.float32 if dtype == np.float32 else np.float64)
    assert_allclose(y, LUMAS, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_corners_in_jax(dtype):
    y = rgb_to_y(jnp.asarray(CORNERS, dtype))
    assert y.dtype == jnp.float32
    assert_allclose(y, LUMAS, rtol=1e-6)


def test_equals_scikit_image():
    image = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 3), np.uint8)
    assert_allclose(rgb_to_y(image), rgb2ycbcr(image)[..., 0], rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (4,), (3, 4), (8, 8, 1)], ids=str)
def test_rejects_other_channels(shape):
    with pytest.raises(ValueError, match=r"\[\.\.\., 3\]"):
        rgb_to_y(np.zeros(shape))
