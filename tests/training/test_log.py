"""What a run logs, read back: as JSON, and with TensorBoard's own reader."""

import io
import json
import math
import signal

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ignn_jax.data.pairs import Pair
from ignn_jax.errors import InputError
from ignn_jax.evaluation.scores import Evaluated, Score
from ignn_jax.inspection.statistics import GraphStatistics
from ignn_jax.training.log import FILENAME, Log
from tests.networks import finish, run, start

METRICS = {
    "loss": 3.5,
    "learning_rate": 1e-4,
    "steps_per_second": 2.0,
    "data_wait": 0.25,
    "skipped": 1,
}


def rows(workdir):
    return [json.loads(x) for x in (workdir / FILENAME).read_text().splitlines()]


def board(workdir):
    accumulator = EventAccumulator(str(workdir / "tensorboard"))
    accumulator.Reload()
    return accumulator


def scalars(workdir, tag):
    return {event.step: event.value for event in board(workdir).Scalars(tag)}


def train_to(log, first, last):
    """A row of training every 10 steps, an evaluation every 20."""
    for step in range(first, last + 1, 10):
        log.training(step, {**METRICS, "loss": 100 / step})
        if step % 20 == 0:
            log.evaluation(step, Score(30 + step / 100, 0.9))


def test_rows_are_in_both_places(tmp_path, capsys):
    with Log(tmp_path, 0) as log:
        log.training(10, METRICS)
        log.evaluation(10, Score(30.125, 0.875))
        assert rows(tmp_path) == [  # at once, not when it is closed
            {"step": 10, **METRICS},
            {"step": 10, "psnr": 30.125, "ssim": 0.875},
        ]
        for name, value in METRICS.items():
            assert scalars(tmp_path, f"train/{name}") == {10: pytest.approx(value)}
        assert scalars(tmp_path, "validation/psnr") == {10: 30.125}
        assert scalars(tmp_path, "validation/ssim") == {10: 0.875}
    assert capsys.readouterr().out == "step 10: 30.12 dB / 0.8750\n"


def test_a_run_that_goes_on_has_the_rows_of_one_that_never_stopped(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    with Log(whole, 0) as log:
        train_to(log, 10, 100)
    with Log(killed, 0) as log:
        train_to(log, 10, 70)
    with (killed / FILENAME).open("a") as file:  # killed while it wrote this
        file.write('{"step": 80, "lo')
    with Log(killed, 40) as log:
        assert log.last_evaluation == 40
        assert log.best_psnr == 30.4
        train_to(log, 50, 60)
        # In between, TensorBoard has forgotten step 70.
        assert list(scalars(killed, "train/loss")) == [10, 20, 30, 40, 50, 60]
        train_to(log, 70, 100)
        assert [row["step"] for row in log.evaluations] == [20, 40, 60, 80, 100]
    assert (killed / FILENAME).read_bytes() == (whole / FILENAME).read_bytes()
    for tag in ("train/loss", "validation/psnr"):
        assert scalars(killed, tag) == scalars(whole, tag)


STAY = """
import pathlib, sys, time
from ignn_jax.training.log import Log
from ignn_jax.evaluation.scores import Score

log = Log(pathlib.Path(sys.argv[1]), 0)
for step in range(1, 31):
    log.evaluation(step, Score(30.0, 0.9))
print("all", flush=True)
time.sleep(300)
"""


def test_nothing_is_lost_by_a_kill(tmp_path):
    process = start("-c", STAY, tmp_path)
    while process.stdout.readline() not in ("all\n", ""):
        pass
    process.kill()
    assert finish(process).returncode == -signal.SIGKILL
    assert [row["step"] for row in rows(tmp_path)] == list(range(1, 31))
    assert list(scalars(tmp_path, "validation/psnr")) == list(range(1, 31))


def test_a_step_has_one_evaluation(tmp_path):
    with Log(tmp_path, 0) as log:
        train_to(log, 10, 20)
    with Log(tmp_path, 20) as log:
        log.evaluation(20, Score(99.0, 0.99))
    assert [row["psnr"] for row in rows(tmp_path) if "psnr" in row] == [30.2]


def test_what_is_not_finite_is_null(tmp_path):
    with Log(tmp_path, 0) as log:
        log.training(1, {**METRICS, "loss": math.nan})
        log.evaluation(1, Score(math.inf, 1.0))
        log.evaluation(2, Score(30.0, 0.9))
    assert rows(tmp_path)[0]["loss"] is None
    assert rows(tmp_path)[1]["psnr"] is None
    with Log(tmp_path, 2) as log:
        assert log.best_psnr == 30
    assert rows(tmp_path)[0]["loss"] is None


def test_one_process_of_several_writes(tmp_path, capsys):
    with Log(tmp_path, 0, write=False) as log:
        train_to(log, 10, 20)
        log.crops(20, [])
        assert log.best_psnr == 30.2
    assert not list(tmp_path.iterdir())
    assert not capsys.readouterr().out


def test_crops_stay_where_bicubic_errs_most(tmp_path):
    hr = np.zeros((150, 130, 3), np.uint8)
    bicubic = hr.copy()
    bicubic[-5:, -5:] = 200
    pair = Pair("a.png", hr[::2, ::2], hr)
    with Log(tmp_path, 0) as log:
        for step, value in ((1, 10), (2, 90)):
            images = {"bicubic": bicubic, "IGNN": np.full_like(hr, value)}
            log.crops(step, [Evaluated(pair, images, {})])
    events = board(tmp_path).Images("crops/a.png")
    assert [event.step for event in events] == [1, 2]
    for event, value in zip(events, (10, 90), strict=True):
        strip = decode(event.encoded_image_string)
        assert strip.shape == (96, 3 * 96, 3)
        expected = np.zeros_like(strip)
        expected[-5:, 91:96] = 200
        expected[:, 96:192] = value
        np.testing.assert_array_equal(strip, expected)


def decode(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def test_the_graph_is_shown(tmp_path):
    rng = np.random.default_rng(0)
    statistics = GraphStatistics(
        *(rng.random((4, 5, 3), dtype=np.float32) for _ in range(3))
    )
    statistics.weight[0, 0, 0] = np.nan
    with Log(tmp_path, 0) as log:
        log.graph(7, statistics)
        log.graph(8, statistics._replace(distance=np.full((4, 5, 3), np.inf)))
    accumulator = board(tmp_path)
    for name, value in statistics.summary().items():
        event = accumulator.Scalars(f"graph/{name}")[0]
        assert event.step == 7
        assert event.value == pytest.approx(value, nan_ok=True)
    histogram = accumulator.Histograms("graph/offset")[0].histogram_value
    assert histogram.num == statistics.offset.size
    assert histogram.max == pytest.approx(statistics.offset.max())
    assert sum(histogram.bucket) == statistics.offset.size
    histogram = accumulator.Histograms("graph/weight")[0].histogram_value
    assert histogram.num == statistics.weight.size - 1


@pytest.mark.parametrize("line", ["no json", "[1]", '{"loss": 1}', '{"step": "a"}'])
def test_a_damaged_line_is_named(tmp_path, line):
    (tmp_path / FILENAME).write_text(f'{{"step": 1}}\n{line}\n{{"step": 2}}\n')
    before = (tmp_path / FILENAME).read_bytes()
    with pytest.raises(InputError, match=r"metrics\.jsonl: line 2 is not a row"):
        Log(tmp_path, 5)
    assert (tmp_path / FILENAME).read_bytes() == before


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "tensorboard").write_text("a file")
    with pytest.raises(InputError, match="the log cannot be written: "):
        Log(tmp_path, 0)


FILL_UP = """
import pathlib, resource, sys
from ignn_jax.errors import InputError
from ignn_jax.training.log import Log

resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
try:
    with Log(pathlib.Path(sys.argv[1]), 0) as log:
        for step in range(1, 1000):
            log.training(step, {"loss": 0.5})
except InputError as error:
    print(error)
"""


def test_a_full_disk_is_one_line(tmp_path):
    done = run("-c", FILL_UP, tmp_path)
    expected = f"{tmp_path}: the log cannot be written: File too large\n"
    assert (done.stdout, done.stderr) == (expected, "")
    with Log(tmp_path, 10):  # it can go on
        assert [row["step"] for row in rows(tmp_path)] == list(range(1, 11))
