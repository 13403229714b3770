"""The cache gives the right pixels, whoever builds it and whatever ends the build."""

import hashlib
import io
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import namedtuple
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from ignn_jax.data import cache
from ignn_jax.data.cache import load_pairs
from ignn_jax.data.sets import load_set
from ignn_jax.data.sources import ImageFile, SourceImage
from ignn_jax.errors import InputError
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.reader import read_rgb
from tests.networks import REPOSITORY, finish, run, start

LOAD = """
import sys
from ignn_jax.data import store
from ignn_jax.data.sets import load_set
store._SECONDS_BETWEEN_FLUSHES = float(sys.argv[3])
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


class Memory(NamedTuple):
    """An encoded image in memory."""

    data: bytes

    def key(self):
        return hashlib.sha256(self.data).hexdigest()

    def open(self):
        return io.BytesIO(self.data)


def _png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return Memory(file.getvalue())


def _source(hr, lr=None, name="a"):
    return SourceImage(name, _png(hr), None if lr is None else _png(lr), 3)


def _load(tmp_path, *images, scale=2):
    return load_pairs(images, scale=scale, folder=tmp_path / "cache")


def _files(tmp_path, suffix=""):
    """{name: size}."""
    (folder,) = (tmp_path / "cache").iterdir()
    return {path.name: path.stat().st_size for path in folder.glob(f"*{suffix}")}


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
    for _ in range(2):  # first decoded, then found in the cache
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
    os.mkfifo(folder / "pipe.png")
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
        "pipe.png",
        "text.png",
    ]
    assert "truncated" in reasons["cut.png"]
    assert "No such file" in reasons["dangling.png"]
    assert "not a file" in reasons["pipe.png"]
    assert "not an image" in reasons["text.png"]
    assert "smaller than 2 x 2" in reasons["line.png"]


def test_a_path_need_not_be_utf8(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff.bmp")
    path.write_bytes(_png(_picture()).data)
    (pair,) = _load(tmp_path, SourceImage("a", ImageFile(path)))
    np.testing.assert_array_equal(pair.hr, _picture())


def test_an_image_is_decoded_once(tmp_path, monkeypatch):
    first = _load(tmp_path, _source(_picture(), name="a"))
    files = _files(tmp_path)
    assert sorted(pathlib.Path(name).suffix for name in files) == [".index", ".pixels"]
    monkeypatch.setattr(cache, "decode_rgb", None)
    again = _load(tmp_path, _source(_picture(), name="b"))
    assert _files(tmp_path) == files
    np.testing.assert_array_equal(again[0].lr, first[0].lr)
    _load(tmp_path, _source(_picture()), scale=3)  # HR is there
    assert sum(_files(tmp_path, ".pixels").values()) == 3 * (24 * 30 + 12 * 15 + 8 * 10)


def test_a_changed_file_is_decoded_again(tmp_path):
    path = tmp_path / "a.bmp"  # uncompressed, so all have the same size

    def load(seed, when):
        Image.fromarray(_picture(seed)).save(path)
        os.utime(path, ns=(when, when))
        (pair,) = _load(tmp_path, SourceImage("a", ImageFile(path)))
        return pair.hr

    np.testing.assert_array_equal(load(0, 10**18), _picture(0))
    np.testing.assert_array_equal(load(1, 10**18 + 1), _picture(1))
    # As the docs say, this file is taken for the one with the same size and time.
    np.testing.assert_array_equal(load(2, 10**18), _picture(0))
    Image.fromarray(_picture(3, 30, 24)).save(path.with_suffix(".png"))
    os.replace(path.with_suffix(".png"), path)
    os.utime(path, ns=(10**18, 10**18))
    (pair,) = _load(tmp_path, SourceImage("a", ImageFile(path)))
    np.testing.assert_array_equal(pair.hr, _picture(3, 30, 24))


def test_a_changed_lr_file_is_decoded_again(tmp_path):
    hr, lr = tmp_path / "hr.png", tmp_path / "lr.bmp"
    Image.fromarray(_picture(0)).save(hr)
    for seed in (1, 2):
        Image.fromarray(_picture(seed, 12, 15)).save(lr)
        os.utime(lr, ns=(seed, seed))
        image = SourceImage("a", ImageFile(hr), ImageFile(lr))
        (pair,) = _load(tmp_path, image)
        np.testing.assert_array_equal(pair.lr, _picture(seed, 12, 15))


@pytest.mark.parametrize("suffix", ["pixels", "index"])
@pytest.mark.parametrize("left", [0, 20, 60])
def test_files_cut_short_are_made_again(tmp_path, suffix, left):
    image = _picture()
    _load(tmp_path, _source(image))
    (path,) = (tmp_path / "cache").glob(f"*/*.{suffix}")
    path.write_bytes(path.read_bytes()[:left])
    for _ in range(2):
        (pair,) = _load(tmp_path, _source(image))
        np.testing.assert_array_equal(pair.hr, image)
        np.testing.assert_array_equal(pair.lr, imresize(image, scale=0.5))


def test_what_was_killed_before_its_first_record_is_removed_once_it_is_old(tmp_path):
    _load(tmp_path, _source(_picture()))
    (folder,) = (tmp_path / "cache").iterdir()
    used = _files(tmp_path)
    old, new = folder / "old.pixels", folder / "new.pixels"
    for path in (old, new, *(folder / name for name in used)):
        path.touch()
        if path != new:
            os.utime(path, (time.time() - 10**6,) * 2)
    _load(tmp_path, _source(_picture()))
    assert _files(tmp_path) == {**used, "new.pixels": 0}


def test_two_processes_build_the_same_cache_at_once(tmp_path):
    folder = _pictures(tmp_path / "images", 40, height=300, width=400)
    command = ("-c", LOAD, folder, tmp_path / "cache", 0)
    together = [start(*command) for _ in range(2)]
    outputs = [finish(process) for process in together]
    alone = run("-c", LOAD, folder, tmp_path / "other", 1)
    assert alone.stdout.splitlines()[-1].startswith("40 ")
    for output in outputs:
        assert output.returncode == 0, output.stderr
        assert output.stdout.splitlines()[-1] == alone.stdout.splitlines()[-1]
    before = _files(tmp_path)
    assert run(*command).stdout == alone.stdout.splitlines()[-1] + "\n"
    assert _files(tmp_path) == before


def test_a_killed_build_goes_on_with_the_next_image(tmp_path):
    folder = _pictures(tmp_path / "images", 20, height=600, width=800)
    process = start("-c", LOAD, folder, tmp_path / "cache", 0)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        indices = list((tmp_path / "cache").rglob("*.index"))
        if indices and indices[0].stat().st_size >= 6 * 48:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL  # it was not yet done
    (index,) = (tmp_path / "cache").rglob("*.index")
    # An image is complete once its LR image is stored, which comes after its HR image.
    heights = [
        height for _, _, height, _ in struct.iter_unpack("<32sQII", _whole(index))
    ]
    again = run("-c", LOAD, folder, tmp_path / "cache", 1)
    assert again.returncode == 0
    assert f"Decoding {20 - heights.count(300)} images" in again.stderr
    alone = run("-c", LOAD, folder, tmp_path / "other", 1)
    assert again.stdout.splitlines()[-1] == alone.stdout.splitlines()[-1]


def _whole(index):
    """The complete records of an index; the last one may have been cut short."""
    data = index.read_bytes()
    return data[: len(data) // 48 * 48]


def test_a_full_disk_is_noticed_before(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(24 * 30 * 3))
    with pytest.raises(InputError, match=r"data\.cache: .*: 1 images take .* are free"):
        _load(tmp_path, _source(_picture()))  # the HR image fits, but not the LR image
    assert _files(tmp_path) == {}


def test_a_disk_that_fills_up_is_named_and_what_fitted_is_kept(tmp_path):
    """A limit on the size of files stands for the size of the disk."""
    folder = _pictures(tmp_path / "images", 9, height=100, width=100)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 * 37_500, 4 * 37_500))

    program = LOAD.replace("import sys", "import sys\nsys.dont_write_bytecode = True")
    command = [sys.executable, "-c", program, folder, tmp_path / "cache", "1"]
    options = {"cwd": REPOSITORY, "capture_output": True, "text": True}
    full = subprocess.run(command, preexec_fn=limit, **options)
    line = full.stderr.splitlines()[-1]
    assert "InputError: data.cache: " in line
    assert line.endswith("cannot be written: File too large; choose another folder")
    assert "Decoding 5 images" in subprocess.run(command, **options).stderr


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


def test_the_number_of_images_costs_no_files_and_no_mappings(tmp_path):
    """Three thousand images, loaded under a limit of 64 open files."""
    folder = _pictures(tmp_path / "images", 3000, height=8, width=8)
    program = """if True:
        import os, pathlib, sys, time
        from ignn_jax.data.sets import load_set
        for _ in range(2):
            start = time.process_time()
            images = load_set(f"folder:{sys.argv[1]}", scale=2, cache=sys.argv[2])
            seconds = time.process_time() - start
        maps = pathlib.Path("/proc/self/maps").read_text().count(".pixels")
        hr = sum(int(pair.hr.sum()) for pair in images)
        print(len(images), hr, maps, len(os.listdir("/dev/fd")), seconds)"""
    done = subprocess.run(
        [sys.executable, "-c", program, folder, tmp_path / "cache"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    count, total, maps, files, seconds = done.stdout.splitlines()[-1].split()
    assert int(count) == 3000
    assert int(total) == sum(int(_picture(n, 8, 8).sum()) for n in range(3000))
    assert int(maps) == 1
    assert int(files) < 32
    assert float(seconds) < 3
