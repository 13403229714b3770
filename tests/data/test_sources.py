"""Specs: which files they name, in which layouts, with which weights."""

import pathlib

import pytest

from ignn_jax.data.sources import find_images
from ignn_jax.errors import InputError


def _files(folder: pathlib.Path, *names: str) -> str:
    """Files that hold their own names, as nothing is decoded here."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return f"folder:{folder}"


def _read(file):
    with file.open() as stream:
        return stream.read()


def _found(spec, scale=2):
    """{name: (what the HR file holds, what the LR file holds)}."""
    return {
        image.name: tuple(f and _read(f).decode() for f in (image.hr, image.lr))
        for image in find_images(spec, scale=scale).images
    }


def test_photos_are_the_wheels_color_photographs():
    photos = find_images("photos", scale=2)
    assert photos.left_out == []
    assert [image.name for image in photos.images] == [
        "astronaut.png",
        "chelsea.png",
        "coffee.png",
        "motorcycle_left.png",  # not the right one, its stereo twin
        "rocket.jpg",
    ]
    for image in photos.images:
        assert image.lr is None
        assert _read(image.hr).startswith((b"\x89PNG", b"\xff\xd8"))


def test_a_folder_is_searched_recursively(tmp_path):
    spec = _files(tmp_path, "b.PNG", "a/c.jpeg", "a/d.webp", "e.bmp", "f.tiff", "g.txt")
    names = ["a/c.jpeg", "a/d.webp", "b.PNG", "e.bmp", "f.tiff"]
    assert _found(spec) == {name: (name, None) for name in names}


def test_a_folder_in_a_layout_of_the_benchmarks_has_its_lr_files_read(tmp_path):
    hr, lr = "DIV2K_train_HR/0001.png", "DIV2K_train_LR_bicubic/X2/0001x2.png"
    lonely = "DIV2K_train_HR/0002.png"
    spec = _files(tmp_path, hr, lr, lonely)
    assert _found(spec) == {hr: (hr, lr)}
    ((name, reason),) = find_images(spec, scale=2).left_out
    assert (name, reason) == (lonely, "its LR image is missing")
    assert _found(spec, scale=3) == {hr: (hr, None), lonely: (lonely, None)}


def test_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    _files(tmp_path / "pictures", "a.png")
    assert list(_found("folder:~/pictures")) == ["a.png"]


def test_sources_are_joined_with_their_weights(tmp_path):
    a = _files(tmp_path / "a,b", "1.png", "HR/2.png")  # a comma within a path
    b = _files(tmp_path / "c", "1.png", "3.png")
    images = find_images(f"{a}*2,{b},photos*10", scale=2).images
    assert {image.name: image.weight for image in images if ":" in image.name} == {
        f"{a}/HR/2.png": 2,
        f"{b}/1.png": 1,
        f"{b}/3.png": 1,
    }
    assert [image.weight for image in images][3:] == [10] * 5
    assert images[-1].name == "photos/rocket.jpg"


@pytest.mark.parametrize("spec", ["", "photo", "photos:", "folder", "folder:", "x:y"])
def test_unknown_spec_lists_the_kinds(spec):
    with pytest.raises(InputError, match="photos or folder:PATH or tfds:"):
        find_images(spec, scale=2)


@pytest.mark.parametrize("weight", ["", "0", "-1", "1.5", "two", "1001"])
def test_a_wrong_weight_is_refused(weight):
    with pytest.raises(InputError, match=r"photos\*.*: the weight .* from 1 to 1000"):
        find_images(f"photos*{weight}", scale=2)


def test_a_source_given_twice_is_refused():
    with pytest.raises(InputError, match=r"photos is given twice; .* photos\*2"):
        find_images("photos,photos*3", scale=2)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        find_images(f"photos,folder:{tmp_path}/nowhere", scale=2)


def test_the_folders_of_hr_and_lr_are_named_apart(tmp_path):
    """In a spec with commas and weights, and with commas in the paths."""
    _files(tmp_path, "a,b/1.png", "lr,x/X2/1x2.png", "c/2.png")
    first, second = f"folder:{tmp_path}/a,b|{tmp_path}/lr,x", f"folder:{tmp_path}/c"
    source = find_images(f"{first}*3,{second}|bicubic,photos*2", scale=2)
    assert [image.weight for image in source.images] == [3, 1, *[2] * 5]
    one, two = source.images[:2]
    assert (one.name, two.name) == (f"{first}/1.png", f"{second}|bicubic/2.png")
    assert _read(one.lr) == b"lr,x/X2/1x2.png"
    assert two.lr is None
    made = "LR made by MATLAB's bicubic"
    assert source.lr == [
        f"{first}: LR from {tmp_path}/lr,x/X2",
        f"{second}|bicubic: {made}",
        f"photos: {made}",
    ]


def test_a_folder_of_hr_images_has_its_lr_images_beside_it(tmp_path):
    hr, lr = "DIV2K_train_HR/0001.png", "DIV2K_train_LR_bicubic/X2/0001x2.png"
    spec = _files(tmp_path, hr, lr, "DIV2K_train_LR_bicubic/X2/0002x2.png")
    spec += "/DIV2K_train_HR"
    assert _found(spec) == {"0001.png": (hr, lr)}
    source = find_images(spec, scale=2)
    assert source.lr == [f"LR from {tmp_path}/DIV2K_train_LR_bicubic/X2"]
    lonely = f"{tmp_path}/DIV2K_train_LR_bicubic/X2/0002x2.png"
    assert source.left_out == [(lonely, "its HR image is missing")]
