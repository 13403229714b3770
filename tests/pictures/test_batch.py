"""Single files and batches, upscaled by a stand-in for the network."""

import os
import pathlib

import jax
import numpy as np
import pytest
from PIL import Image

from ignn_jax.errors import InputError
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.batch import Options, Outcome, upscale_file, upscale_files
from ignn_jax.pictures.end_size import EndSize
from ignn_jax.pictures.jobs import Job, plan_jobs
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.reader import read_picture
from ignn_jax.pictures.upscale import MIRRORED
from ignn_jax.pictures.writer import write_picture
from tests.pictures import samples
from tests.pictures.samples import (
    BICUBIC,
    NEAREST,
    SRGB,
    network,
    never,
    smooth,
    twice,
)


def save(path, array=None, **options):
    array = smooth().astype(np.uint8) if array is None else array
    return samples.save(path, array, **options)


def size(path):
    with Image.open(path) as image:
        return image.size


def entries(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )


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
        assert image.size == (48, 64)  # upright nevertheless
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
    """The first row is the original by bicubic, the second the result, on white."""
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


def test_a_folder(tmp_path):
    folder, output = tmp_path / "in", tmp_path / "out"
    save(folder / "a.png")
    save(folder / "b" / "c.jpg")
    jobs = plan_jobs([folder], output, label="x2").jobs
    assert list(upscale_files(BICUBIC, jobs)) == [Outcome(job) for job in jobs]
    assert entries(output) == ["a.png", "b/c.jpg"]


def test_each_outcome_comes_when_its_file_is_done(tmp_path):
    jobs = plan_jobs(
        [save(tmp_path / "a.png"), save(tmp_path / "b.png")], label="x2"
    ).jobs
    outcomes = upscale_files(NEAREST, jobs)
    assert entries(tmp_path) == ["a.png", "b.png"]
    assert next(outcomes).job == jobs[0]
    assert entries(tmp_path) == ["a.png", "a_x2.png", "b.png"]


def test_a_batch_is_resumed(tmp_path):
    folder, output = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "b.png"):
        save(folder / name)
    half = save(output / "a.png", np.zeros((3, 3), np.uint8)).read_bytes()
    jobs = plan_jobs([folder], output, label="x2").jobs
    outcomes = upscale_files(NEAREST, jobs, Options(skip_existing=True))
    assert list(outcomes) == [Outcome(jobs[0], skipped=True), Outcome(jobs[1])]
    assert (output / "a.png").read_bytes() == half
    assert size(output / "b.png") == (64, 48)


def test_a_failed_file_fails_only_itself(tmp_path):
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
        if image.shape[0] == 13 + 2 * MIRRORED:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\n...")
        return twice(image)

    jobs = plan_jobs([folder], output, label="x2").jobs
    outcomes = list(upscale_files(network(nearly_out_of_memory), jobs))
    assert [outcome.job for outcome in outcomes] == jobs
    assert entries(output) == ["a.png", "d.png", "f.png"]
    assert [o.job.source.name for o in outcomes if not o.error] == ["a.png", "f.gif"]
    errors = [str(outcome.error) for outcome in outcomes if outcome.error]
    assert [error.split(": ")[0] for error in errors] == [
        str(folder / "b.png"),
        str(folder / "c.png"),
        str(output / "d.png"),
        str(folder / "e.png"),
        str(folder / "f.png"),  # f.gif comes first and takes the name
    ]
    assert "RESOURCE_EXHAUSTED: Out of memory; try a smaller tile" in errors[1]
    assert "f.gif" in errors[-1]
    assert size(output / "d.png") == (3, 3)


def test_a_full_disk_fails_the_file_and_leaves_nothing(tmp_path, monkeypatch):
    source, replace = save(tmp_path / "a.png"), os.replace
    save(tmp_path / "b.png")

    def full(temporary, target):
        if pathlib.Path(target).name == "a_x2.png":
            raise OSError(28, "No space left on device")
        replace(temporary, target)

    monkeypatch.setattr(os, "replace", full)
    jobs = plan_jobs([source, tmp_path / "b.png"], label="x2").jobs
    first, second = upscale_files(NEAREST, jobs)
    assert "a_x2.png: cannot be written: No space left" in str(first.error)
    assert second == Outcome(jobs[1])
    assert entries(tmp_path) == ["a.png", "b.png", "b_x2.png"]


def test_a_mistake_in_the_program_is_not_hidden(tmp_path):
    jobs = plan_jobs([save(tmp_path / "a.png")], label="x2").jobs
    with pytest.raises(AssertionError, match="the network ran"):
        list(upscale_files(network(never), jobs))


def test_a_path_that_no_file_can_have_fails_alone_before_the_network_runs(tmp_path):
    long = save(tmp_path / f"{'n' * 250}.png")
    loop, target = tmp_path / "loop.png", tmp_path / "turns.png"
    loop.symlink_to(loop)
    target.symlink_to(target)
    a = save(tmp_path / "a.png")
    jobs = [
        Job(long, long.with_stem(f"{long.stem}_x2")),
        Job(loop, tmp_path / "loop_x2.png"),
        Job(a, target),
        Job(a, target / "b.png"),
    ]
    outcomes = upscale_files(network(never), jobs, Options(overwrite=True))
    for outcome, words in zip(
        outcomes,
        (
            f"{jobs[0].target}: cannot be written: File name too long",
            f"{loop}: cannot be read: Too many levels of symbolic links",
            f"{target}: cannot be written: Too many levels of symbolic links",
            f"{target}/b.png: cannot be written: Too many levels of symbolic links",
        ),
        strict=True,
    ):
        assert str(outcome.error) == words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(5, "Input/output error"), "Input/output error"),
        (RuntimeError("the decoder is gone\nat line 3"), "the decoder is gone"),
        (UnicodeEncodeError("ascii", "\u00e9", 0, 1, "ordinal"), "'ascii' codec"),
        (MemoryError(), "out of memory; try a smaller tile"),
    ],
)
def test_whatever_happens_around_one_file_fails_it_alone(tmp_path, error, words):
    def fail_once(image):
        if image.shape[0] == 13 + 2 * MIRRORED:
            raise error
        return twice(image)

    paths = [save(tmp_path / "a.png", np.zeros((13, 4), np.uint8))]
    paths.append(save(tmp_path / "b.png"))
    first, second = upscale_files(network(fail_once), plan_jobs(paths, label="x2").jobs)
    assert str(first.error).startswith(f"{paths[0]}: {words}")
    assert second.error is None


def test_names_that_are_no_text(tmp_path):
    source = save(tmp_path / os.fsdecode(b"caf\xe9.png"))
    (outcome,) = upscale_files(NEAREST, plan_jobs([tmp_path], label="x2").jobs)
    assert outcome.error is None
    assert size(outcome.job.target) == (64, 48)
    assert outcome.job.target.name == source.name


# Sources are never replaced


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_source_is_not_replaced(tmp_path, monkeypatch, overwrite):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png", "in/a.png", "d.png", "e.png"):
        save(tmp_path / name)
    (tmp_path / "to_b.png").symlink_to("b.png")
    os.link("d.png", "hard.png")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    jobs = [
        *plan_jobs(["a.png", "in/a.png"], ".", label="x2").jobs,
        *plan_jobs(["b.png"], "to_b.png", label="x2").jobs,
        *plan_jobs(["d.png"], "hard.png", label="x2").jobs,
        *plan_jobs(["e.png"], "in/../e.png", label="x2").jobs,
    ]
    outcomes = list(upscale_files(network(never), jobs, Options(overwrite=overwrite)))
    assert len(outcomes) == 5
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert str(outcome.error).startswith(f"{job.source}: {job.target} is ")
        assert "overwrit" not in str(outcome.error)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.png")}


def test_names_that_the_disk_takes_for_the_same(tmp_path, monkeypatch):
    """As on disks that ignore case: here a name leads to what the other has written."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/b.png"):
        save(tmp_path / name)
    jobs = [Job(pathlib.Path("in", f"{x}.png"), pathlib.Path(f"{x}.png")) for x in "ab"]
    outcomes = upscale_files(NEAREST, jobs, Options(overwrite=True))
    assert next(outcomes).error is None
    os.link("a.png", "b.png")
    assert str(next(outcomes).error) == "in/b.png: b.png is already that of in/a.png"


def test_a_second_run_does_not_upscale_its_own_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "p.jpg")
    for sources in (["*.jpg"], ["*.jpg"], ["p.jpg", "p_x2.jpg"]):
        jobs = plan_jobs(sources, label="x2").jobs
        outcomes = list(upscale_files(NEAREST, jobs, Options(skip_existing=True)))
        assert [outcome.error for outcome in outcomes] == [None] * len(jobs)
        assert entries(tmp_path) == ["p.jpg", "p_x2.jpg"]
    assert [outcome.skipped for outcome in outcomes] == [True, True]
    jobs = plan_jobs(["p.jpg", "p_x2.jpg"], label="x2").jobs
    first, _ = upscale_files(NEAREST, jobs, Options(overwrite=True))
    assert "is one of the originals" in str(first.error)
