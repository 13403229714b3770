"""Validation images: chosen by name, and known again whatever happens to the files."""

import numpy as np
import pytest

from ignn_jax.data.pairs import Pair, PairSet
from ignn_jax.data.splits import find_marked, hold_out, hold_out_evenly, mark
from ignn_jax.errors import InputError


def _pair(name, seed):
    hr = np.random.default_rng(seed).integers(0, 256, (8, 10, 3), np.uint8)
    return Pair(name, hr[::2, ::2], hr)


def _images(numbers, template="{:04d}.png"):
    pairs = [_pair(template.format(n), n) for n in numbers]
    return PairSet(pairs, [("bad.png", "truncated")], ["LR made"])


def _names(images):
    return [pair.name for pair in images]


@pytest.mark.parametrize(
    ("count", "fraction", "expected"),
    [(40, 0.1, 4), (8, 0.5, 4), (5, 0.1, 1), (2, 0.01, 1), (3, 0.99, 2)],
)
def test_a_part_is_held_out_and_the_rest_stays(count, fraction, expected):
    images = _images(range(count))
    train, held_out = hold_out(images, fraction)
    assert len(held_out) == expected
    assert sorted(_names(train) + _names(held_out)) == _names(images)
    assert _names(held_out) == sorted(_names(held_out))
    assert (train.left_out, held_out.left_out) == (images.left_out, [])
    assert train.lr == held_out.lr == images.lr


def test_the_choice_is_of_names_and_not_of_positions():
    _, before = hold_out(_images(range(0, 80, 2)), 0.1)
    _, same = hold_out(_images(reversed(range(0, 80, 2)), "sub/{:04d}.jpg"), 0.1)
    assert sorted(_names(same)) == [
        f"sub/{name.replace('png', 'jpg')}" for name in _names(before)
    ]
    # An image that is added may take the place of one, but moves no other.
    for added in range(1, 80, 2):
        _, after = hold_out(_images([added, *range(0, 80, 2)]), 0.1)
        assert len(after) == 4
        assert set(_names(after)) <= {*_names(before), f"{added:04d}.png"}
    # Half of all images are chosen half the time.
    halves = [set(_names(hold_out(_images(range(n, n + 20)), 0.5)[1])) for n in (0, 10)]
    assert 2 <= len(halves[0] & halves[1]) <= 8


def test_parts_of_an_image_stay_together():
    images = [_pair(f"{n}_s{part:03d}.png", n) for n in range(20) for part in range(3)]
    train, held_out = hold_out(PairSet(images), 0.2)
    whole = [{name.split("_")[0] for name in _names(x)} for x in (train, held_out)]
    assert not whole[0] & whole[1]
    assert len(held_out) == 12


@pytest.mark.parametrize("names", [["1.png"], ["1_s001.png", "1_s002.png"]])
def test_one_image_is_not_split(names):
    images = PairSet([_pair(name, n) for n, name in enumerate(names)])
    with pytest.raises(
        InputError, match=r"data\.validation: one image.* cannot be spl"
    ):
        hold_out(images, 0.5)


def test_the_split_of_earlier_versions_is_evenly_spaced():
    train, held_out = hold_out_evenly(_images(range(40)), 0.1)
    assert _names(held_out) == [f"{n:04d}.png" for n in (5, 15, 25, 35)]
    assert len(train) == 36


def test_a_mark_tells_images_apart():
    first = _pair("a", 0)
    assert mark(first) == mark(first._replace(weight=3))
    assert mark(first).pixels == mark(first._replace(name="b")).pixels
    changed = first.hr.copy()
    changed[7, 9, 2] ^= 1
    turned = np.ascontiguousarray(first.hr.reshape(10, 8, 3))
    for other in (changed, turned):
        assert mark(first).pixels != mark(first._replace(hr=other)).pixels


def test_marked_images_are_found_again():
    marks = [mark(pair) for pair in _images([1, 2, 3])]
    images = [
        _pair("new.png", 9),
        _pair("renamed.png", 1),
        _pair("0002.png", 2),
        _pair("0003.png", 33),  # changed
        _pair("0001.png", 7),  # another one, under the name of the first
    ]
    assert find_marked(images, marks, by_name=True) == [1, 2, 3]
    assert find_marked(images, marks) == [1, 2]
    assert find_marked(images, []) == []
