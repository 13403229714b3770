"""Curves of runs: what is drawn is what was logged."""

import math

import numpy as np
import pytest
from PIL import Image

from ignn_jax.cli import main
from ignn_jax.evaluation.scores import Score
from ignn_jax.training.curves import draw, smooth
from ignn_jax.training.log import Log, read_rows


def make_run(folder, *, start=0, losses=(4.0, math.nan, 3.0)):
    folder.mkdir(parents=True)
    with Log(folder, start) as log:
        log.evaluation(start, Score(28.0, 0.8))
        for n, loss in enumerate(losses, start=1):
            log.training(start + n, {"loss": loss, "learning_rate": 1e-4 / n})
        log.evaluation(start + n, Score(30.0, 0.9))
    return folder


def call(*args):
    return main([str(arg) for arg in args])


def test_a_picture_of_several_runs(tmp_path, capsys):
    runs = [make_run(tmp_path / name) for name in ("x2", "_costs $5", "sub/x2")]
    capsys.readouterr()
    output = tmp_path / "curves.png"
    assert call("plot", *runs, "-o", output) == 0
    assert capsys.readouterr() == (f"{output}\n", "")
    with Image.open(output) as image:
        assert image.format == "PNG"
        assert np.asarray(image.convert("RGB")).std() > 10


def test_curves_are_the_rows(tmp_path):
    run = make_run(tmp_path / "run", start=100)
    figure = draw({"_costs $5": read_rows(run / "metrics.jsonl"), "empty": []})
    raw, smoothed = figure.axes[0].lines[:2]
    for line in (raw, smoothed):  # few rows are not smoothed; the NaN is left out
        np.testing.assert_array_equal(line.get_xydata(), [(101, 4), (103, 3)])
    psnr, rate = (axes.lines[0].get_xydata() for axes in figure.axes[1:])
    np.testing.assert_array_equal(psnr, [(100, 28), (103, 30)])
    np.testing.assert_array_equal(rate, [(101, 1e-4), (102, 5e-5), (103, 1e-4 / 3)])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [r"_costs \$5", "empty"]


def test_a_random_network_does_not_flatten_the_curves():
    scores = [(0, 9.0), (10, 30.0), (20, 30.5), (30, 31.0)]
    rows = [{"step": step, "psnr": psnr} for step, psnr in scores]
    low, high = draw({"run": rows}).axes[1].get_ylim()
    assert 29.5 < low < 30
    assert high > 31
    low, _ = draw({"run": rows[:1]}).axes[1].get_ylim()
    assert low < 9  # there is nothing else to see


def test_smooth_is_a_mean_around_each_value():
    values = np.random.default_rng(0).random(130)
    expected = [values[max(n - 2, 0) : n + 3].mean() for n in range(130)]
    np.testing.assert_allclose(smooth(values), expected)


def test_runs_of_one_name_are_told_apart(tmp_path, monkeypatch):
    from ignn_jax.training import curves

    paths = [make_run(tmp_path / name / "x2") for name in ("a", "b")]
    drawn = []
    monkeypatch.setattr(curves, "draw", lambda runs: drawn.extend(runs) or draw(runs))
    curves.plot([*paths, paths[0], make_run(tmp_path / "x3")], tmp_path / "out.png")
    assert drawn == [str(paths[0]), str(paths[1]), "x3"]


@pytest.mark.parametrize(
    ("name", "output", "words"),
    [
        ("missing", "a.png", "missing: no metrics.jsonl in it; give the workdir"),
        ("empty", "a.png", "nothing is logged yet"),
        ("run", "a.pdf", "a.pdf: give a name that ends in .png"),
        ("run", "none/a.png", "no folder"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, name, output, words):
    make_run(tmp_path / "run")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "metrics.jsonl").touch()
    capsys.readouterr()
    assert call("plot", tmp_path / name, "-o", tmp_path / output) == 2
    out, err = capsys.readouterr()
    assert not out
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / output).exists()
