"""The benchmarks, with tiny networks: they run, and their numbers are right."""

import argparse
import json
import re
import statistics

import numpy as np
import pytest
from PIL import Image

from benchmarks import peers, stages
from benchmarks.common import SIZES, Program, make_image, make_network, time_in_turn
from benchmarks.multiply_adds import multiply_adds
from ignn_jax.models import EDSR, IGNN, GraphConfig
from tests.networks import random_variables, run, save_pictures

TINY = argparse.Namespace(size="tiny", dtype="float32", embedding="rgb", side=32)


@pytest.fixture(scope="module")
def measure(tmp_path_factory):
    """Runs a benchmark in a new process; returns what it printed, and its tables.

    The programs share a compilation cache.
    """
    folder = tmp_path_factory.mktemp("benchmarks")

    def measure(name, *options):
        path = folder / f"{name}.json"
        done = run(
            *("-m", f"benchmarks.{name}", "--repeats", 3, "--json", path, *options),
            JAX_COMPILATION_CACHE_DIR=str(folder / "compiled"),
            JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
            JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES="-1",
        )
        assert done.returncode == 0, done.stderr
        result = json.loads(path.read_text())
        assert result["machine"]["jax"] in done.stdout
        return done.stdout, list(result["tables"].values())

    return measure


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side"), [("inference", "--side"), ("training", "--patch")]
)
def test_ignn_beside_edsr(measure, name, side):
    printed, (rows,) = measure(name, "--size", "tiny", "--embedding", "rgb", side, 16)
    ignn, edsr = rows[:2]
    assert (ignn["network"], edsr["network"]) == ("ignn", "edsr")
    assert ignn["s"] == statistics.median(ignn["times"])
    assert ignn["of edsr"] == pytest.approx(ignn["s"] / edsr["s"])
    assert ignn["GFLOP by hand"] > edsr["GFLOP by hand"]
    assert 0 < edsr["memory planned, GB"] < ignn["memory planned, GB"]
    # A process with JAX in it.
    assert 0.1 < edsr["memory, GB"] < 4
    assert "| ignn | " in printed


@pytest.mark.slow
def test_search(measure):
    _, (rows,) = measure(
        *("search", "--images", 2, "--side", 40, "--features", 4, "--tiles", "1,3")
    )
    assert [row["tiles at once"] for row in rows] == ["1", "3"]
    assert [row["found"] for row in rows] == [1, 1]
    assert rows[0]["memory planned, GB"] < rows[1]["memory planned, GB"]


@pytest.mark.slow
def test_precision(measure, tmp_path):
    save_pictures(tmp_path, 2)
    _, (rows,) = measure("precision", "--data", tmp_path, "--weights", "tiny-x2")
    exact, default, half = rows
    assert exact["other levels"] == default["other levels"] == 0  # on a CPU
    assert exact["lost, dB"] == default["lost, dB"] == 0
    assert half["lost, dB"] == pytest.approx(exact["PSNR, dB"] - half["PSNR, dB"])
    assert 0 < half["other levels"] < 0.5
    assert half["largest difference"] < 4


@pytest.mark.slow
def test_growth(measure):
    _, (sides, neighbors) = measure(
        *("growth", "--size", "tiny", "--embedding", "rgb"),
        *("--sides", "16,32", "--neighbors", "1,2"),
    )
    assert [row["side"] for row in sides] == [16, 32]
    assert [row["k"] for row in neighbors] == [1, 2]
    small, large = sides
    assert large["memory planned, GB"] > 2 * small["memory planned, GB"]
    assert small["us per pixel"] == pytest.approx(1e6 * small["s"] / 16**2)


@pytest.mark.slow
def test_upscale(measure):
    _, (rows,) = measure(
        *("upscale", "--size", "tiny", "--embedding", "rgb"),
        *("--width", 40, "--height", 24, "--tile", 16),
    )
    assert [row["network"] for row in rows] == ["ignn", "edsr"]
    assert rows[1]["of edsr"] == 1


def test_topk(measure):
    _, (rows,) = measure("topk", "--tiles", 1, "--window", 6, "--neighbors", 3)
    found = {row[""]: row["found"] for row in rows}
    assert found["top_k"] == found["successive_minima"] == 1
    assert found["approximate"] > 0.5


def test_pipeline(measure):
    printed, (rows,) = measure("pipeline", "--data", "photos", "--seconds", 0.1)
    assert all(row["median"] > 0 for row in rows)
    assert "plain NumPy" in printed


@pytest.mark.slow
def test_compile(measure):
    _, (rows,) = measure("compile", "--size", "tiny", "--side", 24, "--repeats", 1)
    warm = [row for row in rows if row["start"] == "warm"]
    assert len(warm) == 2
    assert all(row["of without"] > 0 and row["cache, MB"] > 0 for row in warm)


def test_stages_add_up():
    model, variables = make_network("ignn", TINY)
    programs = stages.make_programs(model, variables, TINY.side)
    flops = [program.flops for program in programs.values()]
    assert flops == sorted(flops)
    added = dict(zip(list(programs)[1:], np.diff(flops), strict=True))
    parts = multiply_adds(model, TINY.side)
    # XLA leaves out what DEN's convolutions multiply by the padding.
    by_hand = 2 * parts["DEN"] * TINY.side**2
    assert 0.9 * by_hand < added["DEN"] < 1.3 * by_hand


@pytest.mark.parametrize(
    ("size", "edsr", "ignn"), [("light", 1.37e6, 3.1e6), ("full", 40.7e6, 64.0e6)]
)
def test_multiply_adds_of_a_pixel_are_the_known_ones(size, edsr, ignn):
    settings = {"scale": 2, **SIZES[size]}
    graph = GraphConfig(embedding="vgg19")
    for model, known in (
        (EDSR(**settings), edsr),
        (IGNN(**settings, graph=graph), ignn),
    ):
        count = sum(multiply_adds(model, 256).values())
        assert count == pytest.approx(known, rel=0.01)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_multiply_adds_are_what_xla_counts(scale):
    model = EDSR(scale=scale, features=8, num_blocks=2)
    variables = random_variables(model)
    program = Program(model.apply, variables, make_image(64, 64))
    by_hand = 2 * sum(multiply_adds(model, 64).values()) * 64**2
    assert program.flops == pytest.approx(by_hand, rel=0.05)


def test_runs_take_turns():
    order = []
    runs = {name: lambda name=name: order.append(name) for name in "ab"}
    times = time_in_turn(runs, 2)
    assert "".join(order) == "ab" + "abab"  # the first round is not counted
    assert [len(seconds) for seconds in times.values()] == [2, 2]


def test_a_peer_is_measured_alone(tmp_path):
    """Its memory is not that of this process, which has imported JAX."""
    source, target = tmp_path / "lr.png", tmp_path / "sr.png"
    Image.new("RGB", (20, 10)).save(source)
    seconds, memory = peers.run(peers.Peer(["-c", peers.LANCZOS]), source, target)
    with Image.open(target) as image:
        assert image.size == (40, 20)
    assert 0 < seconds < 30
    assert 5e6 < memory < 2e8


@pytest.mark.slow
def test_programs_beside_each_other(measure, tmp_path):
    picture = save_pictures(tmp_path, count=1, side=16) / "0.png"
    _, (rows,) = measure(
        *("peers", "--photograph", picture, "--pictures", "small", "--tiles", "whole")
    )
    ours, lanczos = rows[:2]
    assert ours["program"] == "tiny-x2, --tile whole"
    assert lanczos["program"] == "Lanczos (Pillow)"
    assert lanczos["CPU s"] < ours["CPU s"]
    assert lanczos["of the first"] == lanczos["CPU s"] / ours["CPU s"]


def test_mistakes_of_peers_are_one_line(tmp_path):
    picture = save_pictures(tmp_path, count=1, side=16) / "0.png"
    for options, reason in (
        (["--photograph", tmp_path], f"{tmp_path}: cannot be read: it is not a file"),
        (
            ["--photograph", picture, "--pictures", "--data", tmp_path, "--sets", "a"],
            f"sets: a: no such folder in {tmp_path}",
        ),
    ):
        with pytest.raises(SystemExit, match=f"^peers: {re.escape(reason)}"):
            peers.main([str(option) for option in options])
