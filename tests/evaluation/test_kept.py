"""An interrupted evaluation goes on where it was; nothing stale is taken."""

import json
import os

import pytest

from ignn_jax.cli import main
from ignn_jax.data.benchmarks import find_benchmark
from ignn_jax.evaluation import benchmark, kept
from ignn_jax.evaluation.benchmark import Outputs, evaluate_benchmarks
from ignn_jax.evaluation.setup import bicubic_setup
from ignn_jax.files import cache_folder
from tests.networks import save_pictures


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IGNN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path):
    """Two sets of three images."""
    for name in ("One", "Two"):
        save_pictures(tmp_path / "data" / name, count=3, side=32)
    return tmp_path / "data"


@pytest.fixture
def scored(monkeypatch):
    """The names of the images that are scored, and a way to stop before one of them."""
    evaluate_pair, names, stop = benchmark.evaluate_pair, [], []

    def count(pair, upscalers):
        if [*names, pair.name] == stop:
            raise KeyboardInterrupt
        names.append(pair.name)
        return evaluate_pair(pair, upscalers)

    monkeypatch.setattr(benchmark, "evaluate_pair", count)
    names_and_stop = names, stop
    return names_and_stop


def evaluate(data, *args):
    sets = ("--data", data, "--sets", "One,Two")
    words = ("evaluate", "--weights", "bicubic", "--scale", 2, *sets, *args)
    return main([str(word) for word in words])


def interrupt(scored, before, *args):
    """Evaluates until the image after these, and forgets that they were scored."""
    names, stop = scored
    stop[:] = before
    assert evaluate(*args) == 130
    names.clear()
    stop.clear()


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_finished_sets_are_written_and_images_are_not_scored_again(
    data, scored, tmp_path, capsys
):
    names, _ = scored
    outputs = {kind: tmp_path / f"e.{kind}" for kind in ("json", "csv", "html")}
    files = [f"--{'report' if k == 'html' else k}={p}" for k, p in outputs.items()]
    assert evaluate(data, *files) == 0
    whole = {kind: path.read_text() for kind, path in outputs.items()}
    for path in outputs.values():
        path.unlink()
    names.clear()

    interrupt(scored, ["0", "1", "2", "0", "1"], data, *files)
    part = read(outputs["json"])
    assert [found["name"] for found in part["sets"]] == ["One"]
    assert part["unfinished"] == ["Two"]
    assert "One,mean" in outputs["csv"].read_text()
    assert "Two" in outputs["html"].read_text()  # as not finished
    capsys.readouterr()

    assert evaluate(data, *files) == 0
    assert names == ["1", "2"]  # of Two
    output = capsys.readouterr().out
    assert "3 of them scored before an interruption" in output
    assert "1 of them scored before an interruption" in output
    assert {kind: path.read_text() for kind, path in outputs.items()} == whole
    assert not list((cache_folder() / "evaluations").iterdir())


def test_what_the_scores_rest_on_is_scored_again_if_it_has_changed(
    data, scored, tmp_path, monkeypatch
):
    names, _ = scored
    interrupt(scored, ["0", "1", "2", "0"], data)
    os.utime(data / "One" / "1.png", ns=(1, 1))  # another file, for all we know
    assert evaluate(data) == 0
    assert names == ["0", "1", "2"] * 2

    names.clear()
    interrupt(scored, ["0", "1", "2", "0"], data)
    monkeypatch.setattr(kept, "_source", lambda: "other code")
    assert evaluate(data) == 0
    assert names == ["0", "1", "2"] * 2

    names.clear()
    interrupt(scored, ["0", "1", "2", "0"], data, "--save-images", tmp_path / "out")
    (tmp_path / "out" / "One" / "1_x2.png").unlink()
    assert evaluate(data, "--save-images", tmp_path / "out") == 0
    assert names == ["1", "0", "1", "2"]
    assert len(list((tmp_path / "out").rglob("*.png"))) == 6


def test_a_finished_evaluation_is_done_again(data, scored):
    names, _ = scored
    for _ in range(2):
        assert evaluate(data) == 0
    assert names == ["0", "1", "2"] * 4


def test_damage_and_a_cache_that_cannot_be_written(data, scored, monkeypatch):
    names, _ = scored
    interrupt(scored, ["0", "1", "2", "0", "1"], data)
    contents = ["", "[]", "[1, 2, 3, 4, 5, 6]", '["a", 1, 1, "", {}, 3]']
    files = sorted((cache_folder() / "evaluations").rglob("*.json"))
    for path, content in zip(files, contents, strict=True):
        path.write_text(content)
    assert evaluate(data) == 0
    assert names == ["0", "1", "2"] * 2
    monkeypatch.setenv("IGNN_CACHE", "/proc/none")
    benchmarks = [find_benchmark(data / "One", scale=2)]
    [result] = evaluate_benchmarks(bicubic_setup(2), benchmarks, Outputs())
    assert len(result.images) == 3
