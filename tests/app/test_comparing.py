"""Pairs of pictures, and their differences."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ignn_jax.app.comparing import compare, pair_up
from ignn_jax.errors import InputError


def paths(*names):
    return [Path(name) for name in names]


def test_the_same_names_belong_together():
    pairs = pair_up(paths("a/1.png", "a/2.png"), paths("b/2.jpg", "b/1.jpg"))
    assert [b.name for _, b in pairs] == ["1.jpg", "2.jpg"]


def test_other_names_are_paired_in_order():
    pairs = pair_up(paths("1.png", "2.png"), paths("b.png", "a.png"))
    assert [b.name for _, b in pairs] == ["b.png", "a.png"]
    assert pair_up(paths("x.png"), paths("y.png")) == [tuple(paths("x.png", "y.png"))]


def test_pairs_that_are_unclear_are_refused():
    with pytest.raises(InputError, match="1 and 2 pictures"):
        pair_up(paths("a.png"), paths("a.png", "b.png"))
    with pytest.raises(InputError, match=r"c.png: no picture of this name"):
        pair_up(paths("a.png", "c.png"), paths("a.png", "b.png"))


@pytest.fixture
def pair(tmp_path):
    a = np.random.default_rng(0).integers(0, 200, (20, 30, 3)).astype(np.uint8)
    b = a.copy()
    b[5, 7] += 16  # of Y, 16 * 219 / 255 = 13.74
    b[6, 8] += 55
    for name, pixels in (("a.png", a), ("b.png", b)):
        Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path / "a.png", tmp_path / "b.png"


def test_scores_and_differences(pair):
    compared = compare(*pair, border=0)
    error = ((16 * 219 / 255) ** 2 + (55 * 219 / 255) ** 2) / 600
    assert compared.score.psnr == pytest.approx(10 * np.log10(255**2 / error), abs=1e-6)
    assert 0.9 < compared.score.ssim < 1
    light = compared.difference().astype(int).sum(axis=-1)
    assert np.argwhere(light > light.min()).tolist() == [[5, 7], [6, 8]]
    assert light[6, 8] > light[5, 7]
    assert compare(pair[0], pair[0], border=2).score == (np.inf, 1)


def test_pictures_that_cannot_be_compared(pair, tmp_path):
    Image.new("RGB", (30, 21)).save(tmp_path / "c.png")
    with pytest.raises(InputError, match=r"a.png: is 30 x 20, and c.png 30 x 21"):
        compare(pair[0], tmp_path / "c.png", border=0)
    with pytest.raises(InputError, match=r"border: a.png: a border of 5 pixels"):
        compare(*pair, border=5)
