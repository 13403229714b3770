"""Where each picture is written."""

import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.pictures.jobs import Job, plan_jobs
from tests.pictures import samples


def save(path):
    return samples.save(path, np.zeros((3, 4, 3), np.uint8))


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
    jobs = plan_jobs([source], label="x2", suffix=suffix).jobs
    assert jobs == [Job(source, tmp_path / default)]


def test_a_file_goes_where_it_is_told(tmp_path):
    source, output = save(tmp_path / "a.gif"), tmp_path / "out.tif"
    assert plan_jobs([source], output, label="x2").jobs == [Job(source, output)]
    for folder in (tmp_path / "new", tmp_path):
        jobs = plan_jobs([source], folder, label="x2").jobs
        assert jobs == [Job(source, folder / "a.png")]


def test_several_files_go_into_a_folder(tmp_path):
    sources = [save(tmp_path / name) for name in ("a.png", "b.gif")]
    output = tmp_path / "v1.0"
    jobs = plan_jobs(sources, output, label="x2", suffix=".jpg").jobs
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
        jobs = plan_jobs([folder], output, label="x3").jobs
        assert jobs == [Job(folder / name, target / name) for name in names]
    save(folder / "out" / "a.png")  # of an earlier run
    assert len(plan_jobs([folder], folder / "out", label="x3").jobs) == 3


def test_patterns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/b/c.png", "in/d.jpg", "in/e[1].png"):
        save(tmp_path / name)

    def found(*sources):
        return [str(job.source) for job in plan_jobs(sources, label="x2").jobs]

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


def targets(*sources, output=None):
    plan = plan_jobs(sources, output, label="x2")
    assert plan.failures == []
    return [(str(job.source), str(job.target)) for job in plan.jobs]


def test_a_slash_makes_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a.png")
    assert targets("a.png", output="v.2/") == [("a.png", "v.2/a.png")]
    assert targets("a.png", output="v.png") == [("a.png", "v.png")]


@pytest.mark.parametrize("output", ["-", ""])
def test_nothing_is_written_to_stdout(tmp_path, output):
    with pytest.raises(InputError, match="output: name a file"):
        plan_jobs([save(tmp_path / "a.png")], output, label="x2")


def test_each_of_several_folders_has_its_name_in_the_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("cards/100/a.png", "cards/101/a.png", "old/100/a.png", "b.png"):
        save(tmp_path / name)
    assert targets("cards/100", "cards/101/", "b.png", output="out") == [
        ("cards/100/a.png", "out/100/a.png"),
        ("cards/101/a.png", "out/101/a.png"),
        ("b.png", "out/b.png"),
    ]
    assert targets("cards/1*", output="out") == [
        ("cards/100/a.png", "out/100/a.png"),
        ("cards/101/a.png", "out/101/a.png"),
    ]
    assert targets("cards/100", "old/100", output="out") == [
        ("cards/100/a.png", "out/cards/100/a.png"),
        ("old/100/a.png", "out/old/100/a.png"),
    ]
    assert targets("cards/100", "b.png", output="out") == [
        ("cards/100/a.png", "out/a.png"),
        ("b.png", "out/b.png"),
    ]
    assert targets("b.png", "./b.png", "b*", output="out") == [("b.png", "out/b.png")]


def test_results_of_an_earlier_run_are_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("p.jpg", "p_x2.jpg", "p_x2_x2.jpg", "out/p.jpg", "q/r.png"):
        save(tmp_path / name)

    def plan(*sources, output=None):
        jobs, failures, results = plan_jobs(sources, output, label="x2")
        assert failures == []
        return [str(job.source) for job in jobs], list(map(str, results))

    assert plan("*.jpg") == (["p.jpg"], ["p_x2.jpg", "p_x2_x2.jpg"])
    sources = ["p.jpg", "p_x2.jpg", "p_x2_x2.jpg", "q/r.png"]
    assert plan("**", output="out") == (sources, ["out/p.jpg"])
    assert plan(".", output="out") == (sources, ["out/p.jpg"])
    assert plan("out", "q", output="out") == (["out/p.jpg", "q/r.png"], [])
    assert plan("p_x2.jpg", "p.jpg") == (["p_x2.jpg", "p.jpg"], [])  # as it was told


def test_trouble_with_one_source_fails_it_alone(tmp_path):
    picture, loop = save(tmp_path / "in" / "a.png"), tmp_path / "loop"
    (tmp_path / "empty").mkdir()
    loop.symlink_to(loop)
    sources = [tmp_path / "none.png", tmp_path / "empty", picture, loop]
    jobs, failures, _ = plan_jobs(sources, tmp_path / "out.png", label="x2")
    assert jobs == [Job(picture, tmp_path / "out.png" / "a.png")]
    for error, words in zip(
        failures, ("none.png: no such", "empty: holds no", "loop: cannot"), strict=True
    ):
        assert f"{tmp_path}/{words}" in str(error)


def test_a_folder_below_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    picture = save(tmp_path / "a.png")
    save(tmp_path / "closed" / "b.png")
    samples.make_unreadable(tmp_path / "closed", monkeypatch)
    jobs, (error,), _ = plan_jobs([tmp_path], label="x2")
    assert [job.source for job in jobs] == [picture]
    assert str(error) == f"{tmp_path}/closed: cannot be read: Permission denied"
