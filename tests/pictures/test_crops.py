"""Crops come from the right places and show the right pixels."""

import numpy as np
import pytest

from ignn_jax.pictures.crops import beside_bicubic, largest_differences


def noise(height, width):
    rng = np.random.default_rng(0)
    return rng.integers(0, 128, (height, width, 3)).astype(np.uint8)


def brighten(image, top, left, by, side=16):
    image[top : top + side, left : left + side] += np.uint8(by)


def test_the_largest_differences_come_first_and_do_not_overlap():
    a = noise(301, 427)
    b = a.copy()
    spots = [(285, 411, 60), (40, 100, 50), (40, 200, 40)]
    for top, left, by in spots:
        brighten(b, top, left, by)
    found = list(largest_differences(a, b, side=96, count=9))
    for (rows, columns), (top, left, _) in zip(found, spots, strict=True):
        assert rows.start <= top < min(top + 16, 301) <= rows.stop
        assert columns.start <= left < min(left + 16, 427) <= columns.stop
    taken = np.zeros(a.shape[:2], int)
    for where in found:
        assert taken[where].shape == (96, 96)
        taken[where] += 1
    assert taken.max() == 1


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (96, 96), (97, 20)])
def test_any_size_has_one_place_even_without_differences(shape):
    image = noise(*shape)
    ((rows, columns),) = largest_differences(image, image, side=96, count=3)
    assert image[rows, columns].shape[:2] == tuple(min(n, 96) for n in shape)


def test_the_sheet_shows_both():
    sr = noise(200, 300)
    bicubic = sr.copy()
    brighten(bicubic, 0, 0, 100, side=96)
    sheet = np.asarray(beside_bicubic(sr, bicubic, label="IGNN"))
    above, below = np.split(sheet, [sheet.shape[0] // 2])
    for half, image in ((above, bicubic), (below, sr)):
        crop = image[:96, :96].repeat(3, 0).repeat(3, 1)
        windows = (half[top : top + 288, 8 : 8 + 288] for top in range(40))
        assert any(np.array_equal(window, crop) for window in windows)
