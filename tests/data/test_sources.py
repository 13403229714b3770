"""Specs, what is left out and why, and training kept apart from validation."""

import numpy as np
import pytest
from PIL import Image

from ignn_jax.data.sources import (
    ImageSet,
    drop_small,
    hold_out,
    load_images,
    load_train_and_validation,
)
from ignn_jax.errors import InputError


def _image(value, height=4, width=5):
    return np.full((height, width, 3), value, np.uint8)


def _image_set(count):
    return ImageSet(
        tuple(f"{i}.png" for i in range(count)),
        tuple(_image(i) for i in range(count)),
        (("bad.png", "truncated"),),
    )


def _folder(path, values):
    path.mkdir(parents=True)
    for value in values:
        Image.fromarray(_image(value)).save(path / f"{value}.png")
    return f"folder:{path}"


def test_photos_are_the_wheels_color_photographs():
    photos = load_images("photos")
    assert len(photos.names) == len(photos.images) == 5
    assert photos.left_out == ()
    assert "motorcycle_right.png" not in photos.names  # the left one's stereo twin
    for image in photos.images:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert min(image.shape[:2]) >= 300
        assert np.any(image[..., 0] != image[..., 1])


def test_folder_names_images_and_leaves_out_the_damaged(tmp_path):
    spec = _folder(tmp_path / "train" / "sub", [10, 20])
    folder = tmp_path / "train"
    (folder / "text.png").write_text("not a picture")
    whole = (folder / "sub" / "10.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[:45])
    (folder / "dangling.png").symlink_to(folder / "gone.png")

    images = load_images(f"folder:{folder}")
    assert images.names == ("sub/10.png", "sub/20.png")
    assert [int(image[0, 0, 0]) for image in images.images] == [10, 20]
    reasons = dict(images.left_out)
    assert sorted(reasons) == ["cut.png", "dangling.png", "text.png"]
    assert "not an image" in reasons["text.png"]
    assert "No such file" in reasons["dangling.png"]
    assert all(str(tmp_path) not in reason for reason in reasons.values())
    assert load_images(spec).names == ("10.png", "20.png")


def test_folder_of_damaged_files_is_refused(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(InputError, match=r"no usable image.*empty\.png: not an image"):
        load_images(f"folder:{tmp_path}")


@pytest.mark.parametrize("spec", ["", "photo", "photos:", "folder", "folder:", "x:y"])
def test_unknown_spec_lists_the_kinds(spec):
    with pytest.raises(InputError, match="photos or folder:PATH"):
        load_images(spec)


def test_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    _folder(tmp_path / "pictures", [7])
    assert load_images("folder:~/pictures").names == ("7.png",)


@pytest.mark.parametrize(
    ("count", "fraction", "expected"),
    [
        (40, 0.1, [5, 15, 25, 35]),
        (8, 0.5, [1, 3, 5, 7]),
        (5, 0.1, [2]),
        (2, 0.01, [1]),
        (3, 0.99, [0, 2]),
    ],
)
def test_hold_out_is_evenly_spaced(count, fraction, expected):
    images = _image_set(count)
    train, held_out = hold_out(images, fraction)
    assert [int(image[0, 0, 0]) for image in held_out.images] == expected
    assert held_out.names == tuple(images.names[i] for i in expected)
    assert sorted(train.names + held_out.names) == sorted(images.names)
    assert train.left_out == images.left_out
    assert held_out.left_out == ()


def test_hold_out_of_one_image_is_refused():
    with pytest.raises(InputError, match="one image cannot be split"):
        hold_out(_image_set(1), 0.5)


def test_split_spec_holds_out_of_the_training_set():
    train, validation = load_train_and_validation("photos", "split:0.1")
    assert len(train.names) == 4
    assert len(validation.names) == 1
    assert not set(train.names) & set(validation.names)


def test_validation_images_are_never_trained_on(tmp_path):
    train_spec = _folder(tmp_path / "train", [1, 2, 3])
    validation_spec = _folder(tmp_path / "validation", [2, 9])
    (tmp_path / "validation" / "2.png").rename(tmp_path / "validation" / "renamed.png")
    train, validation = load_train_and_validation(train_spec, validation_spec)
    assert train.names == ("1.png", "3.png")
    assert train.left_out == (("2.png", "is in the validation set"),)
    assert validation.names == ("9.png", "renamed.png")


def test_validation_on_all_of_the_training_set_is_refused(tmp_path):
    spec = _folder(tmp_path / "train", [1, 2])
    with pytest.raises(InputError, match=r"every image is in data\.validation"):
        load_train_and_validation(spec, spec)


@pytest.mark.parametrize("validation", ["split:", "split:x", "split:0", "split:1"])
def test_bad_fraction_is_refused(validation):
    with pytest.raises(InputError, match="fraction between 0 and 1"):
        load_train_and_validation("photos", validation)


def test_drop_small_names_what_it_drops():
    images = ImageSet(
        ("tall", "square", "wide"),
        (_image(0, 9, 7), _image(0, 8, 8), _image(0, 7, 9)),
        (("bad", "truncated"),),
    )
    kept = drop_small(images, 8)
    assert kept.names == ("square",)
    assert kept.left_out == (
        ("bad", "truncated"),
        ("tall", "is smaller than 8 x 8"),
        ("wide", "is smaller than 8 x 8"),
    )
    with pytest.raises(InputError, match=r"each of the 3 images.*data\.lr_patch"):
        drop_small(images, 10)
