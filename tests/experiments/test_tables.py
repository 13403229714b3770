"""The programs of the tables, on networks that learn nothing."""

import dataclasses
import importlib
import json
import signal
import time

import jax
import numpy as np
import psutil
import pytest
from PIL import Image

import ignn_jax as ignn
from configs import light_x2, light_x3, light_x4
from experiments import sweep, table1, tables
from ignn_jax.evaluation.published import published_scores, published_table
from tests.networks import finish, save_pictures, save_vgg19, start
from tests.runs import metrics

# Their rows, and the trainings that they need beside the EDSR's.
TABLES = {
    "table2": (4, 4),
    "table3": (3, 3),
    "table4": (4, 2),
    "table5": (6, 6),
    "table6": (4, 4),
    "embedding": (3, 3),
    "den": (2, 2),
    "fusion": (3, 3),
}
NETWORK = {
    "model.features": 4,
    "model.num_blocks": 4,
    "model.graph.position": 2,
    "data.lr_patch": 48,  # so that d = 10 differs
    "train.batch_size": 2,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures to train on, a benchmark set, and a VGG19 of noise."""
    folder = tmp_path_factory.mktemp("tables")
    save_pictures(folder / "pictures", count=4, side=160)
    save_pictures(folder / "sets" / "Urban100", count=2, side=96)
    save_vgg19(folder)
    return folder


def options(folder, *more, **changes):
    overrides = {**NETWORK, **changes}
    return [
        "--preset=tiny",
        "--steps=20",
        f"--benchmarks={folder / 'sets'}",
        f"--train=folder:{folder / 'pictures'}",
        f"--vgg19={folder / 'vgg19.npz'}",
        f"--workdir={folder / 'runs'}",
        *more,
        "--",
        *(f"--config.{key}={value}" for key, value in overrides.items()),
    ]


def run(name, arguments):
    program = importlib.import_module(f"experiments.{name}")
    with jax.numpy_dtype_promotion("standard"):  # Optax relies on it
        return program.main(arguments)


def read(folder, name):
    return json.loads((folder / "runs" / f"{name}.json").read_text())


def trainings(folder, scale=2):
    return {path.parent.name for path in folder.glob(f"runs/x{scale}/*/config.json")}


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in TABLES]


@pytest.mark.parametrize("name", ["table4", *SLOW])
def test_a_table(folder, name, capsys):
    rows, count = TABLES[name]
    before = trainings(folder)
    assert run(name, options(folder)) == 0
    assert len(trainings(folder) - before - {"backbone"}) <= count
    printed = capsys.readouterr().out
    table = importlib.import_module(f"experiments.{name}").TABLE
    found = read(folder, name)["scales"]["2"]
    assert [row["label"] for row in found] == [v.label for v in table.variants]
    for row in found:
        (scores,) = row["scores"]["Urban100"]
        assert set(scores) == {"0", "1"}
        mean = np.mean([psnr for psnr, _ in scores.values()])
        (line,) = [
            x for x in printed.splitlines() if x.startswith(f"| {row['label']} |")
        ]
        assert line.count("|") == (7 if table.number else 5)
        assert f"| {mean:.2f} / " in line
        if table.number:
            psnr, ssim = published_table(table.number)[row["label"]]
            assert f"| {psnr:.2f} / {ssim:.4f} |" in line
    assert len(found) == rows
    assert printed.count(f"| {table.reference} |") == 1
    assert (folder / "runs" / f"{name}.md").read_text().strip() in printed
    assert (folder / "runs" / f"{name}.png").stat().st_size > 5000

    # Nothing is done twice.
    assert run(name, options(folder)) == 0
    printed = capsys.readouterr().out
    assert printed.count(": finished before\n") == count + 1
    assert "Training in" not in printed
    assert "Evaluation:" not in printed


@pytest.mark.slow
def test_table_1_beside_the_published_methods(folder, capsys):
    arguments = options(folder, "--scale=3", "--sets=Urban100", "--seeds=2")
    assert run("table1", arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    (plain,) = [line for line in lines if line.startswith("| IGNN |")]
    assert plain.count(" \u00b1 ") == 1
    (ensemble,) = [line for line in lines if line.startswith("| IGNN+ |")]
    assert ensemble.count(" \u00b1 ") == 2  # its difference has a spread too
    # The paper's Urban100 has 100 images, not two.
    assert not [line for line in lines if "(paper)" in line]


def test_table_1_has_the_papers_rows_for_whole_sets():
    scores = {str(n): ignn.Score(30.0, 0.9) for n in range(5)}
    row = sweep.Row("IGNN", 1000, {"Set5": [scores], "Half of Set14": [scores]})
    text = tables.format_rows(table1.TABLE, 2, [row])
    for method, score in published_scores("Set5", 5, scale=2).items():
        row = f"| {method} (paper) |  | {score.psnr:.2f} / {score.ssim:.4f} |  |  |"
        assert row in text
    ours = published_scores("Set5", 5, scale=2)["IGNN"].psnr
    assert f"| IGNN minus the paper's |  | {30 - ours:+.2f} |  |  |" in text


def test_given_weights_are_evaluated_at_other_k(folder, tmp_path):
    arguments = [
        f"--benchmarks={folder / 'sets'}",
        f"--workdir={tmp_path}",
        "--retrain=false",
        "--every=2",
    ]
    assert run("table5", arguments) == 0
    rows = json.loads((tmp_path / "table5.json").read_text())["scales"]["2"]
    model, variables = ignn.load("tiny-x2")
    hr = np.asarray(Image.open(folder / "sets" / "Urban100" / "0.png"))
    lr = ignn.imresize(hr, scale=1 / 2)
    for row, k in zip(rows, (1, 3, 5, 7, 9, 11), strict=True):
        graph = dataclasses.replace(model.graph, neighbors=k)
        sr = ignn.upscaler(model.clone(graph=graph), variables, tile=0)(lr)
        ((scores,),) = row["scores"].values()
        assert list(scores) == ["0"]
        assert scores["0"][0] == pytest.approx(ignn.psnr(sr, hr, border=2))
    assert len({row["scores"]["Urban100"][0]["0"][0] for row in rows}) == 6


def test_a_change_that_needs_training_is_refused(folder, tmp_path, capsys):
    given = [f"--benchmarks={folder / 'sets'}", f"--workdir={tmp_path}"]
    assert run("table6", [*given, "--retrain=false"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        "table6: --retrain: a network has to be trained for another"
    )
    assert "model.graph.edge_weights, model.graph.normalization" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("table5", ["--sets=Set99"], "--sets: Set99: no such folder"),
        ("embedding", ["--vgg19="], "--vgg19: give a file with VGG19's weights"),
        ("table5", ["--backbone=none"], "none"),
        ("table5", ["--steps=-1"], "--steps: must be at least 1"),
        ("table5", ["--seeds=0"], "--seeds: "),
        ("table5", ["--every=0"], "--every: "),
        ("table5", ["--jobs=0"], "--jobs: "),
        ("table5", ["--", "--config.model.feature=1"], 'Did you mean "features"'),
        ("table5", ["--retrain=false", "--scale=3"], "tiny-x2 is a network for x2"),
    ],
)
def test_a_mistake_is_one_line(folder, tmp_path, capsys, name, more, words):
    arguments = [
        f"--benchmarks={folder / 'sets'}",
        f"--train=folder:{folder / 'pictures'}",
        f"--workdir={tmp_path / 'runs'}",
        *more,
    ]
    assert run(name, arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not list(tmp_path.rglob("checkpoints"))


@pytest.mark.parametrize(
    ("config", "cells"), [(light_x2, 15), (light_x3, 10), (light_x4, 15)]
)
def test_what_training_can_see_of_a_window(config, cells):
    config = config.get_config()
    scale = 3 if config.scale == 3 else 2
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(1, 60, 60, 2)).astype(np.float32)
    candidates = rng.normal(size=(1, 60 // scale, 60 // scale, 2)).astype(np.float32)

    def neighbors(window):
        graph = dataclasses.replace(ignn.GraphConfig(), window=window)
        found = ignn.construct_graph(queries, candidates, scale=scale, config=graph)
        return np.asarray(found.indices)

    for window in (cells - 1, cells, 10, 20, 30):
        sees_all = np.array_equal(neighbors(window), neighbors(0))
        assert sees_all == (window >= cells)
        change = {"model.graph.window": window}
        assert sweep.seen_in_training(change, config) == ({} if sees_all else change)


def begin(folder, workdir, *more):
    return start(
        *("-m", "experiments.den"),
        *options(folder, f"--workdir={workdir}", *more, **{"train.steps": 60}),
        JAX_DISABLE_MOST_OPTIMIZATIONS="true",
    )


def finished(workdir):
    """The runs that have been trained to the end, with their weights."""
    return {
        path.parent.name: (path.parent / "weights.safetensors").read_bytes()
        for path in workdir.glob("x2/*/metrics.jsonl")
        if [row for row in metrics(path.parent, "psnr") if row["step"] == 60]
        and (path.parent / "report.html").exists()
    }


@pytest.mark.slow
def test_a_killed_sweep_loses_no_finished_variant(folder, tmp_path):
    process = begin(folder, tmp_path)
    while process.poll() is None and len(finished(tmp_path)) < 2:
        time.sleep(0.05)
    process.kill()
    finish(process)
    kept = finished(tmp_path)
    assert len(kept) == 2

    done = finish(begin(folder, tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": finished before\n") == len(kept)
    assert finished(tmp_path).items() > kept.items()
    assert len(finished(tmp_path)) == 3


@pytest.mark.slow
def test_side_by_side_and_stopped_by_a_signal(folder, tmp_path):
    process = begin(folder, tmp_path, "--jobs=2")
    while process.poll() is None and len(list(tmp_path.glob("x2/*/checkpoints"))) < 3:
        time.sleep(0.05)
    assert len(psutil.Process(process.pid).children()) >= 2
    process.send_signal(signal.SIGTERM)
    done = finish(process)
    assert done.returncode == 0, done.stderr
    assert "| aggregated |" not in done.stdout

    done = finish(begin(folder, tmp_path, "--jobs=2"))
    assert done.returncode == 0, done.stderr
    assert len(finished(tmp_path)) == 3
    assert "| aggregated |" in done.stdout
