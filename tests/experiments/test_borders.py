"""The measurement of what networks see beyond the edges, on small pictures."""

import numpy as np
import pytest

import ignn_jax as ignn
from experiments import borders
from ignn_jax.data.benchmarks import find_benchmark, read_pair
from tests.networks import save_pictures


def test_each_way_has_a_row(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(borders, "WAYS", [("symmetric", 8)])
    save_pictures(tmp_path / "sets" / "One", count=1)
    assert borders.main([str(tmp_path / "sets"), "--sets", "One"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    rows = {(cells := line.strip("| ").split(" | "))[0]: cells[1:] for line in lines}
    assert len(rows) == len(lines) == 2 + 2

    # A flat picture that is continued stays flat; with zeros around it does not.
    assert int(rows["zeros"][0]) > 20
    assert rows["symmetric, 8"][:4] == ["0"] * 4

    upscale = ignn.upscaler(*ignn.load("tiny-x2"), tile=None)
    (files,) = find_benchmark(tmp_path / "sets" / "One", scale=2).pairs
    pair = read_pair(files, scale=2)
    score = ignn.mean_score(ignn.evaluate(upscale, [pair]))
    assert float(rows["zeros"][4]) == pytest.approx(score.psnr, abs=5e-4)
    wider = upscale(np.pad(pair.lr, ((8, 8), (8, 8), (0, 0)), mode="symmetric"))
    found = ignn.metrics.psnr(wider[16:-16, 16:-16], pair.hr, border=2)
    assert float(rows["symmetric, 8"][4]) == pytest.approx(found, abs=5e-4)


def test_mistakes_are_one_line(tmp_path, capsys):
    assert borders.main([str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'none'}: no such folder\n"
