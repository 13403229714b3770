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
