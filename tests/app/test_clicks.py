"""The picture to click at."""

import numpy as np
import pytest

from ignn_jax.app.clicks import Shown
from ignn_jax.inspection.boxes import Box
from ignn_jax.inspection.neighbors import Explanation


@pytest.mark.parametrize(("height", "width"), [(3000, 2000), (30, 40), (1, 500)])
def test_clicks_are_pixels_of_the_picture(height, width):
    shown = Shown.of(np.zeros((height, width, 3), np.uint8))
    assert max(shown.image.size) == 1200
    right, bottom = (n - 1 for n in shown.image.size)
    assert shown.pixel(0, 0) == (0, 0)
    x, y = shown.pixel(right, bottom)
    assert abs(x - (width - 1)) <= 2
    assert y <= height - 1
    assert abs(y - (height - 1)) <= 2


def test_patches_are_outlined_where_they_are():
    picture = np.zeros((120, 120, 3), np.uint8)
    shown = Shown.of(picture)
    explanation = Explanation(
        picture,
        small=picture[::2, ::2],
        start=(0, 0),
        scale=2,
        query=Box(10, 20, 3, 3),
        window=Box(0, 0, 60, 60),
        neighbors=[Box(40, 30, 3, 3)],
        distances=np.ones(1),
        weights=np.ones(1),
    )
    marked = np.asarray(shown.with_neighbors(explanation))
    white = np.argwhere((marked == 255).all(-1))
    assert white.min(0).tolist() == [100 - 6, 200 - 6]
    assert white.max(0).tolist() == [130 + 5, 230 + 5]
    assert not marked[105:125, 205:225].any()  # the patch itself stays visible
    blue = np.argwhere((marked == (0x1F, 0x77, 0xB4)).all(-1))
    assert blue[:, 0].max() == 860 + 5
    assert blue[:, 1].min() == 600 - 6
