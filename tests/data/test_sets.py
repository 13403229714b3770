"""The training set and the validation set: what is in them, and what is left out."""

import numpy as np
import pytest
from PIL import Image

from ignn_jax.data.batches import train_batches
from ignn_jax.data.pairs import Pair, PairSet
from ignn_jax.data.sets import (
    drop_equal,
    drop_small,
    load_set,
    load_sets,
)
from ignn_jax.data.splits import mark
from ignn_jax.errors import InputError


def _pair(name, value, height=4, width=5):
    hr = np.full((2 * height, 2 * width, 3), value, np.uint8)
    return Pair(name, hr[::2, ::2], hr)


def _names(images):
    return [pair.name for pair in images]


def _folder(path, values):
    path.mkdir(parents=True)
    for value in values:
        pixels = np.random.default_rng(value).integers(0, 256, (40, 48, 3), np.uint8)
        Image.fromarray(pixels).save(path / f"{value}.png")
    return f"folder:{path}"


def test_drop_small_names_what_it_drops():
    images = PairSet(
        [_pair("tall", 0, 9, 7), _pair("square", 0, 8, 8), _pair("wide", 0, 7, 9)],
        [("bad", "truncated")],
    )
    kept = drop_small(images, 16)
    assert _names(kept) == ["square"]
    assert kept.left_out == [
        ("bad", "truncated"),
        ("tall", "is smaller than 16 x 16"),
        ("wide", "is smaller than 16 x 16"),
    ]
    with pytest.raises(InputError, match=r"each of the 3 images.*data\.lr_patch"):
        drop_small(images, 20)


def test_drop_equal_compares_every_pixel():
    one, twin, near = _pair("one", 9), _pair("twin", 9), _pair("near", 9)
    near.hr[0, 0, 0] = 8  # the middle rows are still equal
    turned = _pair("turned", 9, 5, 4)
    kept = drop_equal(PairSet([twin, near, turned]), [one])
    assert _names(kept) == ["near", "turned"]
    assert kept.left_out == [("twin", "is in the validation set")]


def test_split_holds_out_of_the_training_set():
    train, validation = load_sets("photos", "split:0.1", scale=2, lr_patch=60)
    assert _names(validation) == ["coffee.png"]
    assert len(train) == 4
    assert "coffee.png" not in _names(train)


def test_validation_images_are_never_trained_on(tmp_path):
    train_spec = _folder(tmp_path / "train", [1, 2, 3])
    validation_spec = _folder(tmp_path / "validation", [2, 9])
    # The same pixels in another file.
    png = tmp_path / "validation" / "2.png"
    Image.open(png).save(png.with_name("renamed.bmp"))
    png.unlink()
    train, validation = load_sets(train_spec, validation_spec, scale=2, lr_patch=8)
    assert _names(train) == ["1.png", "3.png"]
    assert train.left_out == [("2.png", "is in the validation set")]
    assert _names(validation) == ["9.png", "renamed.bmp"]
    with pytest.raises(InputError, match=r"data\.train: .* is in the validation set"):
        load_sets(train_spec, train_spec, scale=2, lr_patch=8)


def test_a_run_that_goes_on_keeps_its_validation_images(tmp_path):
    spec = _folder(tmp_path / "a", range(8))
    _, before = load_sets(spec, "split:0.25", scale=2, lr_patch=8)
    marks = [mark(pair) for pair in before]
    assert len(before) == 2
    # One is renamed, and others are added, which would be held out in its place.
    (tmp_path / "a" / before[0].name).rename(tmp_path / "a" / "renamed.png")
    _folder(tmp_path / "b", range(8, 40))
    for path in sorted((tmp_path / "b").iterdir()):
        path.rename(tmp_path / "a" / path.name)
    for validation in ("split:0.25", "split:0.9"):
        train, after = load_sets(spec, validation, scale=2, lr_patch=8, kept=marks)
        assert sorted(_names(after)) == sorted(["renamed.png", before[1].name])
        assert len(train) == 38
    # Another source for the validation: those of before are not trained on either.
    other = _folder(tmp_path / "c", [0, 50, 51])
    train, after = load_sets(spec, other, scale=2, lr_patch=8, kept=marks)
    assert _names(after) == ["0.png", "50.png", "51.png"]
    reasons = dict(train.left_out)
    assert reasons.pop("0.png") == "is in the validation set"
    assert reasons == dict.fromkeys(
        {"renamed.png", before[1].name} - {"0.png"}, "was validated on before"
    )
    # A name alone says nothing about another set.
    far = [known._replace(pixels="none") for known in marks]
    train, _ = load_sets(spec, other, scale=2, lr_patch=8, kept=far)
    assert len(train) == 39
    # None of them is there.
    _, after = load_sets(
        spec,
        "split:0.25",
        scale=2,
        lr_patch=8,
        kept=[known._replace(name="gone", pixels="none") for known in marks],
    )
    assert len(after) == 10


@pytest.mark.parametrize("validation", ["split:", "split:x", "split:0", "split:1"])
def test_bad_fraction_is_refused(validation):
    with pytest.raises(InputError, match="fraction between 0 and 1"):
        load_sets("photos", validation, scale=2, lr_patch=8)


def test_a_source_of_damaged_files_is_refused(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(InputError, match=r"no usable image.*empty\.png: .* is empty"):
        load_set(f"folder:{tmp_path}", scale=2)


def test_pairs_of_which_none_match_are_refused(tmp_path):
    _folder(tmp_path / "HR", [1])
    _folder(tmp_path / "LR", [2])
    with pytest.raises(InputError, match=r"no usable .*1\.png: its LR image is"):
        load_set(f"folder:{tmp_path}/HR", scale=2)


def test_the_training_sets_go_together(tmp_path, images):
    for name in ("bsds400", "sunhays80"):
        (tmp_path / name).mkdir()
        for path in sorted((images / "train" / name).iterdir())[:6]:
            (tmp_path / name / path.name).symlink_to(path)
    spec = f"folder:{tmp_path}/bsds400*2,folder:{tmp_path}/sunhays80"
    train, validation = load_sets(spec, "split:0.2", scale=2, lr_patch=60)
    assert train.left_out == []
    assert [pair.weight for pair in [*train, *validation]].count(2) == 6
    batch = next(train_batches(train, lr_patch=60, scale=2, batch_size=4, seed=0))
    assert batch["hr"].shape == (4, 120, 120, 3)
