"""LR images that are told by what they show, whatever their folders are called."""

import os

import numpy as np
import pytest
from PIL import Image

from ignn_jax.data.layouts import find_pairs
from ignn_jax.errors import InputError


def save_hr(folder, *, side=64, seed=0):
    """Three pictures, whose large parts are of different colors, as in photographs."""
    folder.mkdir(parents=True)
    for n, rng in enumerate(np.random.default_rng(seed).spawn(3)):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3)).astype(np.uint8))
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{n}.png")
    return folder


def save_degraded(hr, folder, *, scale=2, name="{}.png"):
    """Darker, noisy, and not bicubic."""
    folder.mkdir(parents=True)
    for path in hr.iterdir():
        lr = np.asarray(Image.open(path))[::scale, ::scale] * 0.6
        lr = lr + np.random.default_rng(0).normal(0, 8, lr.shape)
        lr = Image.fromarray(lr.clip(0, 255).astype(np.uint8))
        lr.save(folder / name.format(path.stem))


def lr_of(folder, scale=2):
    return [pair.lr for pair in find_pairs(folder, scale=scale).pairs]


@pytest.mark.parametrize(
    ("lr", "name"),
    [
        ("input", "{}.png"),
        ("train/input", "{}x2.png"),
        ("sharp_bicubic/X2", "{}.jpg"),
    ],
)
def test_lr_images_in_folders_of_any_name(tmp_path, lr, name):
    hr, lr = save_hr(tmp_path / "target"), tmp_path / lr
    save_degraded(hr, lr, name=name)
    with pytest.raises(InputError, match=r"seems to hold LR images, .* as HR\|LR"):
        find_pairs(tmp_path, scale=2)
    assert lr_of(f"{tmp_path}|bicubic") == [None] * 6
    if lr.parent != tmp_path / "train":  # which is not beside it
        with pytest.raises(InputError) as error:
            find_pairs(hr, scale=2)
        assert f"give {hr}|{lr} to use them, or {hr}|bicubic to" in str(error.value)
    assert lr_of(f"{hr}|bicubic") == [None] * 3
    assert lr_of(f"{hr}|{lr}") == sorted(lr.iterdir())


def test_lr_images_beside_a_folder_that_is_called_hr(tmp_path):
    save_degraded(save_hr(tmp_path / "HR"), tmp_path / "camera")
    with pytest.raises(InputError, match=r"HR: .*/camera, beside it, seems to hold"):
        find_pairs(tmp_path, scale=2)


def test_lr_images_of_another_scale(tmp_path):
    save_degraded(save_hr(tmp_path / "a"), tmp_path / "b", scale=4)
    with pytest.raises(InputError, match=r"b/0\.png: seems to hold LR images"):
        find_pairs(tmp_path, scale=2)
    assert lr_of(tmp_path / "a") == [None] * 3  # there are none for x2
    with pytest.raises(InputError, match=r"b, beside it, seems to hold its LR"):
        find_pairs(tmp_path / "a", scale=4)


def test_other_images_of_the_same_names_are_none(tmp_path):
    """Frames of several videos have the same names."""
    save_hr(tmp_path / "a")
    save_hr(tmp_path / "b", side=32, seed=1)
    save_degraded(tmp_path / "a", tmp_path / "same_size", scale=1)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "0.png").write_bytes(b"not a picture")
    assert lr_of(tmp_path) == [None] * 10
    assert lr_of(tmp_path / "a") == [None] * 3


def test_pipes_do_not_block(tmp_path):
    hr = save_hr(tmp_path / "a")
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "b" / "0.png")
    assert lr_of(hr) == [None] * 3  # looks beside it
    assert lr_of(tmp_path) == [None] * 4  # two are called 0.png
