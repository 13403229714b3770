"""The cache: right pixels, whoever builds it, however often, and whatever ends it."""

import io
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple

import numpy as np
import pytest
from PIL import Image

from ignn_jax.data import cache
from ignn_jax.data.cache import load_pairs
from ignn_jax.data.images import read_rgb
from ignn_jax.data.sets import load_set
from ignn_jax.data.sources import SourceImage
from ignn_jax.errors import InputError
from ignn_jax.ops.bicubic import imresize
from tests.networks import REPOSITORY, finish, run, start

LOAD = """
import sys, time
from ignn_jax.data.sets import load_set
images = load_set(f"folder:{sys.argv[1]}", scale=2, cache=sys.argv[2])
print(len(images), sum(int(pair.lr.sum()) for pair in images))
"""


def _picture(seed=0, height=24, width=30):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _pictures(folder: pathlib.Path, count: int, **size) -> pathlib.Path:
    folder.mkdir()
    for n in range(count):
        Image.fromarray(_picture(n, **size)).save(folder / f"{n:03d}.png")
    return folder


def _png(pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def _source(hr, lr=None, name="a"):
    return SourceImage(name, lambda: (_png(hr), None if lr is None else _png(lr)), 3)


def _load(tmp_path, *images, scale=2):
    return load_pairs(images, scale=scale, folder=tmp_path / "cache")


def _files(tmp_path):
    """{name: time of its last change}."""
    (folder,) = (tmp_path / "cache").iterdir()
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_lr_is_matlabs_bicubic_of_the_whole_image(tmp_path, scale):
    image = _picture(0, 25, 31)
    (pair,) = _load(tmp_path, _source(image), scale=scale)
    height, width = 25 // scale * scale, 31 // scale * scale
    np.testing.assert_array_equal(pair.hr, image[:height, :width])
    np.testing.assert_array_equal(pair.lr, imresize(pair.hr, scale=1 / scale))
    assert (pair.name, pair.origin, pair.weight) == ("a", "made", 3)
    assert not pair.hr.flags.writeable
    assert type(pair.hr) is np.ndarray


@pytest.mark.parametrize(("rows", "origin"), [(12, "given"), (13, "given, cut")])
def test_a_given_lr_image_is_taken(tmp_path, rows, origin):
    image, small = _picture(0, 25, 30), _picture(1, rows, 15)
    (pair,) = _load(tmp_path, _source(image, small))
    np.testing.assert_array_equal(pair.hr, image[:24])
    np.testing.assert_array_equal(pair.lr, small[:12])
    assert pair.origin == origin


def test_a_given_lr_image_of_a_wrong_size_is_left_out(tmp_path):
    wrong = _source(_picture(), _picture(1, 8, 10), "wrong")
    for _ in range(2):  # decoded, and found decoded
        images = _load(tmp_path, wrong, _source(_picture()))
        assert [pair.name for pair in images] == ["a"]
        ((name, reason),) = images.left_out
        assert name == "wrong"
        assert "its LR image is 10 x 8, but 1/2 of" in reason


def test_files_of_every_kind_are_read_or_named(tmp_path):
    folder = _pictures(tmp_path / "images", 1)
    rgb = Image.fromarray(_picture(1))
    gray = rgb.convert("L")
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x112] = 6  # to be turned
    gray.save(folder / "gray.png")
    gray.convert("1").save(folder / "bits.tiff")
    rgb.convert("RGBA").save(folder / "alpha.webp", lossless=True)
    rgb.quantize(16).save(folder / "palette.png")
    rgb.convert("CMYK").save(folder / "ink.jpg")
    deep.save(folder / "deep.png")
    rgb.save(folder / "turned.jpg", exif=exif)
    rgb.save(folder / "plain.bmp")
    (folder / "text.png").write_text("not a picture")
    (folder / "empty.jpg").touch()
    whole = (folder / "000.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "dangling.png").symlink_to(folder / "gone.png")
    (folder / "folder.png").mkdir()
    Image.fromarray(_picture(2, 1, 9)).save(folder / "line.png")

    images = load_set(f"folder:{folder}", scale=2, cache=tmp_path / "cache")
    hr = {pair.name: pair.hr for pair in images}
    good = ["000.png", "alpha.webp", "bits.tiff", "deep.png", "gray.png", "ink.jpg"]
    assert sorted(hr) == [*good, "palette.png", "plain.bmp", "turned.jpg"]
    for name, pixels in hr.items():
        np.testing.assert_array_equal(pixels, read_rgb(folder / name))
    assert hr["turned.jpg"].shape == (30, 24, 3)
    np.testing.assert_array_equal(hr["deep.png"], hr["gray.png"])
    np.testing.assert_array_equal(hr["alpha.webp"], _picture(1))
    reasons = dict(images.left_out)
    assert sorted(reasons) == [
        "cut.png",
        "dangling.png",
        "empty.jpg",
        "line.png",
        "text.png",
    ]
    assert "truncated" in reasons["cut.png"]
    assert "No such file" in reasons["dangling.png"]
    assert "not an image" in reasons["text.png"]
    assert "smaller than 2 x 2" in reasons["line.png"]


def test_an_image_is_decoded_once(tmp_path, monkeypatch):
    first = _load(tmp_path, _source(_picture(), name="a"))
    files = _files(tmp_path)
    assert len(files) == 2
    monkeypatch.setattr(cache, "decode_rgb", None)
    again = _load(tmp_path, _source(_picture(), name="b"))  # content, not name
    assert _files(tmp_path) == files
    np.testing.assert_array_equal(again[0].lr, first[0].lr)
    _load(tmp_path, _source(_picture()), scale=3)  # HR is there
    assert len(_files(tmp_path)) == 3


@pytest.mark.parametrize("left", [0, 20, 500])
def test_files_cut_short_are_made_again(tmp_path, left):
    image = _picture()
    _load(tmp_path, _source(image))
    (folder,) = (tmp_path / "cache").iterdir()
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:left])
    (pair,) = _load(tmp_path, _source(image))
    np.testing.assert_array_equal(pair.hr, image)
    np.testing.assert_array_equal(pair.lr, imresize(image, scale=0.5))


def test_what_killed_runs_left_is_swept_when_it_is_old(tmp_path):
    _load(tmp_path, _source(_picture()))
    (folder,) = (tmp_path / "cache").iterdir()
    old, new = folder / ".old.part", folder / ".new.part"
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 10**6,) * 2)
    _load(tmp_path, _source(_picture()))
    assert (old.exists(), new.exists()) == (False, True)


def test_two_processes_build_the_same_cache_at_once(tmp_path):
    folder = _pictures(tmp_path / "images", 30, height=300, width=400)
    together = [start("-c", LOAD, folder, tmp_path / "cache") for _ in range(2)]
    outputs = [finish(process) for process in together]
    alone = run("-c", LOAD, folder, tmp_path / "other")
    assert alone.stdout.splitlines()[-1].startswith("30 ")
    for output in outputs:
        assert output.returncode == 0, output.stderr
        assert output.stdout.splitlines()[-1] == alone.stdout.splitlines()[-1]
    assert len(_files(tmp_path)) == 60  # and nothing temporary


def test_a_killed_build_goes_on_with_the_next_image(tmp_path):
    folder = _pictures(tmp_path / "images", 20, height=600, width=800)
    process = start("-c", LOAD, folder, tmp_path / "cache")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if len(list((tmp_path / "cache").rglob("[!.]*.x2.npy"))) >= 3:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL  # it was not yet done
    before = {n: t for n, t in _files(tmp_path).items() if not n.startswith(".")}
    assert 3 <= len(before) < 40
    again = run("-c", LOAD, folder, tmp_path / "cache")
    assert again.returncode == 0
    after = _files(tmp_path)
    assert {name: after[name] for name in before} == before  # none made twice
    alone = run("-c", LOAD, folder, tmp_path / "other")
    assert again.stdout.splitlines()[-1] == alone.stdout.splitlines()[-1]


def test_a_full_disk_is_noticed_before(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(24 * 30 * 3))
    with pytest.raises(InputError, match=r"data\.cache .*: 1 images take .* are free"):
        _load(tmp_path, _source(_picture()))  # its LR image does not fit any more
    assert _files(tmp_path) == {}


def test_a_disk_that_fills_up_is_named(tmp_path, monkeypatch):
    def full(path, data):
        raise InputError(f"{path}: cannot be written: No space left on device")

    monkeypatch.setattr(cache, "write_bytes", full)
    with pytest.raises(InputError, match=r"^data\.cache .*No space left .*another"):
        _load(tmp_path, *(_source(_picture(n), name=f"{n}") for n in range(9)))


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(InputError, match=r"data\.cache: .*cannot be made a folder"):
        _load(tmp_path, _source(_picture()))


def test_the_folder_is_the_keys_or_the_environments_or_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("IGNN_CACHE", str(tmp_path / "environment"))
    images = [_source(_picture())]
    load_pairs(images, scale=2, folder=tmp_path / "key")
    load_pairs(images, scale=2)
    monkeypatch.delenv("IGNN_CACHE")
    load_pairs(images, scale=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["environment", "key", "user"]


def test_more_images_than_open_files_are_allowed(tmp_path):
    folder = _pictures(tmp_path / "images", 150)

    def limit(hard):
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))

    command = [sys.executable, "-c", LOAD, folder, tmp_path / "cache"]
    options = {"cwd": REPOSITORY, "capture_output": True, "text": True}
    done = subprocess.run(command, preexec_fn=limit(4096), **options)
    assert done.stdout.splitlines()[-1].startswith("150 "), done.stderr
    refused = subprocess.run(command, preexec_fn=limit(200), **options)
    assert "300 files have to be open at once" in refused.stderr
