"""Files and batches of them, through a stand-in for the network."""

import os
import pathlib

import jax
import numpy as np
import pytest
from PIL import Image, ImageCms

from ignn_jax.errors import InputError
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.batch import Job, Options, plan_jobs, upscale_file, upscale_files
from ignn_jax.pictures.files import Picture, read_picture, write_picture
from ignn_jax.pictures.upscale import EndSize, Network

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def network(function):
    return Network(lambda image, progress: function(image), 2)


def twice(image):
    return image.repeat(2, axis=0).repeat(2, axis=1)


def never(image):
    raise AssertionError("the network ran")


NEAREST = network(twice)
BICUBIC = network(lambda image: imresize(image, scale=2))


def smooth(height=24, width=32):
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([100 + 2 * x, 60 + 3 * y, 200 - x - y], axis=-1)


def save(path, array=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = smooth().astype(np.uint8) if array is None else array
    Image.fromarray(array).save(path, **options)
    return path


def size(path):
    with Image.open(path) as image:
        return image.size


def entries(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )


# What goes where


@pytest.mark.parametrize(
    ("name", "suffix", "default"),
    [
        ("a.jpg", None, "a_x2.jpg"),
        ("b.c.PNG", None, "b.c_x2.PNG"),
        ("d.gif", None, "d_x2.png"),
        ("d.gif", ".webp", "d_x2.webp"),
    ],
)
def test_a_file_goes_beside_itself(tmp_path, name, suffix, default):
    source = save(tmp_path / name)
    jobs = plan_jobs([source], label="x2", suffix=suffix)
    assert jobs == [Job(source, tmp_path / default)]


def test_a_file_goes_where_it_is_told(tmp_path):
    source, output = save(tmp_path / "a.gif"), tmp_path / "out.tif"
    assert plan_jobs([source], output, label="x2") == [Job(source, output)]
    for folder in (tmp_path / "new", tmp_path):
        jobs = plan_jobs([source], folder, label="x2")
        assert jobs == [Job(source, folder / "a.png")]


def test_several_files_go_into_a_folder(tmp_path):
    sources = [save(tmp_path / name) for name in ("a.png", "b.gif")]
    output = tmp_path / "v1.0"
    jobs = plan_jobs(sources, output, label="x2", suffix=".jpg")
    assert [job.target for job in jobs] == [output / "a.jpg", output / "b.jpg"]
    with pytest.raises(InputError, match=r"a\.png: is not a folder"):
        plan_jobs(sources, sources[0], label="x2")


def test_a_folder_is_mirrored(tmp_path):
    folder = tmp_path / "in"
    names = ["a.png", "b/a.jpg", "b/c/d.webp"]
    for name in [*names, ".hidden/e.png"]:
        save(folder / name)
    (folder / "text.txt").touch()
    for output in (tmp_path / "out", folder / "out", None):
        target = output or tmp_path / "in_x3"
        jobs = plan_jobs([folder], output, label="x3")
        assert jobs == [Job(folder / name, target / name) for name in names]
    save(folder / "out" / "a.png")  # of an earlier run
    assert len(plan_jobs([folder], folder / "out", label="x3")) == 3


def test_patterns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/b/c.png", "in/d.jpg", "in/e[1].png"):
        save(tmp_path / name)

    def found(*sources):
        return [str(job.source) for job in plan_jobs(sources, label="x2")]

    assert found("in/*.png") == ["in/a.png", "in/e[1].png"]
    assert found("in/**") == ["in/a.png", "in/b/c.png", "in/d.jpg", "in/e[1].png"]
    assert found("in/e[1].png", "in/d.jpg") == ["in/e[1].png", "in/d.jpg"]
    with pytest.raises(InputError, match=r"\*\.gif: matches no file"):
        found("in/*.gif")


def test_sources_that_cannot_be_planned(tmp_path):
    with pytest.raises(InputError, match=r"none\.png: no such file or folder"):
        plan_jobs([tmp_path / "none.png"], label="x2")
    with pytest.raises(InputError, match=r"holds no pictures.*\.webp"):
        plan_jobs([tmp_path], label="x2")
    source = save(tmp_path / "a.png")
    with pytest.raises(InputError, match="originals"):
        plan_jobs([tmp_path], tmp_path / ".", label="x2")
    with pytest.raises(InputError, match=r"b\.jpg: does not end in \.png"):
        plan_jobs([source], tmp_path / "b.jpg", label="x2", suffix=".png")


# Files


def run(network, source, target, **options):
    return upscale_file(network, Job(source, target), Options(**options))


def test_a_file_keeps_what_belongs_to_it(tmp_path):
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Maker"
    source, target = tmp_path / "a.jpg", tmp_path / "new" / "folder" / "b.png"
    save(source, exif=exif, icc_profile=SRGB, dpi=(300, 300))
    assert run(BICUBIC, source, target) == ()
    original, result = read_picture(source).samples, read_picture(target)
    assert result.samples.shape == (64, 48, 3)
    expected = imresize(original.astype(np.float32), scale=2).clip(0, 255)
    np.testing.assert_allclose(result.samples, expected, atol=0.51)
    assert result.icc_profile == SRGB
    with Image.open(target) as image:
        assert dict(image.getexif()) == {274: 1, 271: "Maker"}
        assert round(image.info["dpi"][0]) == 300
    run(BICUBIC, source, tmp_path / "c.png", strip=True)
    with Image.open(tmp_path / "c.png") as image:
        assert image.size == (48, 64)  # turned all the same
        assert (image.info, dict(image.getexif())) == ({}, {})


def test_the_end_size(tmp_path):
    source, target = save(tmp_path / "a.png"), tmp_path / "b.png"
    run(NEAREST, source, target, end_size=EndSize(width=80, height=80))
    assert size(target) == (80, 60)


def test_notes_of_reading_and_of_writing(tmp_path):
    frames = [Image.new("RGBA", (4, 4), (9, 9, n, n)) for n in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    notes = run(NEAREST, tmp_path / "a.gif", tmp_path / "a.jpg")
    words = ("holds 2 pictures", ".gif is not written", "white")
    assert len(notes) == len(words)
    assert all(word in note for word, note in zip(words, notes, strict=True))


def test_what_can_be_refused_is_refused_before_the_network_runs(tmp_path):
    source, target = save(tmp_path / "a.png"), tmp_path / "b.png"
    target.touch()
    for output, words, options in [
        (target, r"b\.png: exists already", {}),
        (tmp_path / "b.xyz", r"b\.xyz: .*must end in", {}),
        (target / "c.png", r"b\.png: cannot be made a folder", {}),
        (tmp_path / "c.png", "more than 767 pixels", {"max_pixels": 767}),
        (tmp_path / "c.webp", "16383", {"end_size": EndSize(600)}),
    ]:
        with pytest.raises(InputError, match=words):
            run(network(never), source, output, **options)
    with pytest.raises(InputError, match=r"none\.png: cannot be read"):
        run(network(never), tmp_path / "none.png", tmp_path / "c.png")
    (tmp_path / "d.png").mkdir()
    with pytest.raises(InputError, match=r"d\.png: is a folder"):
        run(network(never), source, tmp_path / "d.png", overwrite=True)
    assert target.read_bytes() == b""
    assert entries(tmp_path) == ["a.png", "b.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_paths_without_permission_are_named(tmp_path):
    source, folder = save(tmp_path / "a.png"), tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(InputError, match="closed: cannot be written: Permission"):
        run(network(never), source, folder / "a.png")
    source.chmod(0)
    with pytest.raises(InputError, match=r"a\.png: cannot be read: Permission"):
        run(network(never), source, tmp_path / "b.png")


def test_overwrite(tmp_path):
    source, target = save(tmp_path / "a.png"), tmp_path / "b.png"
    target.touch()
    run(NEAREST, source, target, overwrite=True)
    assert size(target) == (64, 48)


def test_a_failed_network_leaves_nothing(tmp_path):
    source = save(tmp_path / "a.png")
    broken = network(lambda image: twice(image) * np.float32("inf"))
    with pytest.raises(InputError, match=r"a\.png: .*not finite"):
        run(broken, source, tmp_path / "b.png")
    assert entries(tmp_path) == ["a.png"]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_comparison_of_any_picture(tmp_path, channels, dtype):
    """Its first row is the original by bicubic, its second the result, on white."""
    limit, profile = np.iinfo(dtype).max, SRGB if channels > 2 else None
    samples = np.dstack([smooth(), 250 - smooth()[..., :1]]) / 255
    channels = {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]
    samples = np.ascontiguousarray(np.rint(samples[..., channels] * limit), dtype)
    source, target, sheet = (tmp_path / f"{name}.png" for name in "abc")
    write_picture(Picture(samples, profile), source)
    negative = network(lambda image: 255 - twice(image))
    run(negative, source, target, end_size=EndSize(1.5), comparison=sheet)
    with Image.open(sheet) as image:
        assert image.info.get("icc_profile") == profile
        sheet = np.asarray(image)
    bicubic, ours = (sheet[top : top + 108 : 3, 8:152:3] for top in (32, 352))
    for shown, written in ((ours, target), (bicubic, source)):
        colors = read_picture(written).samples * (255 / limit)
        if len(channels) in (2, 4):
            opacity = colors[..., -1:] / 255
            colors = colors[..., :-1] * opacity + 255 * (1 - opacity)
        if written is source:
            colors = imresize(colors.astype(np.float32), size=(36, 48))
        np.testing.assert_allclose(shown, np.broadcast_to(colors, shown.shape), atol=2)


# Batches


def test_a_folder(tmp_path, capsys):
    folder, output = tmp_path / "in", tmp_path / "out"
    save(folder / "a.png")
    save(folder / "b" / "c.jpg")
    jobs = plan_jobs([folder], output, label="x2")
    assert upscale_files(BICUBIC, jobs) == 0
    assert entries(output) == ["a.png", "b/c.jpg"]
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        f"{folder / name} -> {output / name}" for name in ("a.png", "b/c.jpg")
    ]
    table = [line.split(",")[0].split() for line in captured.err.splitlines()[-3:]]
    assert table == [["done", "2"], ["skipped", "0"], ["failed", "0"]]


def test_a_batch_is_resumed(tmp_path, capsys):
    folder, output = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "b.png"):
        save(folder / name)
    half = save(output / "a.png", np.zeros((3, 3), np.uint8)).read_bytes()
    jobs = plan_jobs([folder], output, label="x2")
    assert upscale_files(NEAREST, jobs, Options(skip_existing=True)) == 0
    assert (output / "a.png").read_bytes() == half
    assert size(output / "b.png") == (64, 48)
    assert "skipped  1" in capsys.readouterr().err


def test_a_failed_file_fails_only_itself(tmp_path, capsys):
    folder, output = tmp_path / "in", tmp_path / "out"
    save(folder / "a.png", np.full((4, 4, 4), 9, np.uint8))
    data = save(folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(data[: len(data) // 2])
    save(folder / "c.png", np.zeros((13, 4), np.uint8))
    save(folder / "d.png")
    save(output / "d.png", np.zeros((3, 3), np.uint8))
    (folder / "e.png").write_bytes(b"")
    save(folder / "f.gif")
    save(folder / "f.png")

    def nearly_out_of_memory(image):
        if image.shape[0] == 13:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\n...")
        return twice(image)

    jobs = plan_jobs([folder], output, label="x2")
    assert upscale_files(network(nearly_out_of_memory), jobs) == 1
    assert entries(output) == ["a.png", "d.png", "f.png"]
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    lines = captured.err.splitlines()
    assert lines[-6] == "failed   5"
    assert [line.split(": ")[0] for line in lines[-5:]] == [
        str(folder / "b.png"),
        str(folder / "c.png"),
        str(output / "d.png"),
        str(folder / "e.png"),
        str(folder / "f.png"),  # f.gif, first in order, has the name already
    ]
    assert "--tile" in lines[-4]
    assert "f.gif" in lines[-1]
    assert size(output / "d.png") == (3, 3)


def test_a_full_disk_fails_the_file_and_leaves_nothing(tmp_path, capsys, monkeypatch):
    source, replace = save(tmp_path / "a.png"), os.replace
    save(tmp_path / "b.png")

    def full(temporary, target):
        if pathlib.Path(target).name == "a_x2.png":
            raise OSError(28, "No space left on device")
        replace(temporary, target)

    monkeypatch.setattr(os, "replace", full)
    jobs = plan_jobs([source, tmp_path / "b.png"], label="x2")
    assert upscale_files(NEAREST, jobs) == 1
    assert "a_x2.png: cannot be written: No space left" in capsys.readouterr().err
    assert entries(tmp_path) == ["a.png", "b.png", "b_x2.png"]


def test_a_mistake_in_the_program_is_not_hidden(tmp_path):
    jobs = plan_jobs([save(tmp_path / "a.png")], label="x2")
    with pytest.raises(AssertionError, match="the network ran"):
        upscale_files(network(never), jobs)
