"""The live line: what it shows, and that its measures are those of a clock."""

import math
import re
import time

import jax.numpy as jnp
import pytest

from ignn_jax.training import parallel, progress
from ignn_jax.training.loop import Update
from ignn_jax.training.progress import Progress

DEVICE = 0.15  # seconds of a step


def update(step, loss=1.0, skipped=0, waited=0.0):
    """A step on all devices."""
    metrics = {"loss": jnp.float32(loss), "skipped": jnp.int32(skipped)}
    return Update(step, None, parallel.replicate(metrics), waited)


def rate(step):
    return 1e-3 if step < 5 else 5e-4


def train(bar, first, last, loader=0.0):
    for step in range(first, last + 1):
        time.sleep(loader)
        bar.advance(update(step, waited=loader))


@pytest.fixture
def slow_device(monkeypatch):
    """A device that is done with each step DEVICE seconds after it could begin."""
    fetch = parallel.unreplicate

    def wait(tree):
        time.sleep(DEVICE)
        return fetch(tree)

    monkeypatch.setattr(parallel, "unreplicate", wait)


@pytest.mark.parametrize("loader", [0.01, 0.3])
def test_speed_and_waiting_are_those_of_a_clock(slow_device, loader):
    with Progress(0, 8, rate) as bar:
        train(bar, 1, 2, loader)
        bar.take()
        train(bar, 3, 8, loader)
        row = bar.take()
    seconds = 6 * (loader + DEVICE)  # this device works only while it is waited for
    assert row["steps_per_second"] == pytest.approx(6 / seconds, rel=0.25)
    assert row["data_wait"] == pytest.approx(6 * loader / seconds, abs=0.1)


def test_the_next_step_is_not_held_up_by_the_metrics_of_the_last(monkeypatch):
    """A step is read when the next one has been handed to the devices."""
    read, fetch = [], parallel.to_numbers

    def record(metrics):
        read.append(fetch(metrics)["loss"])
        return fetch(metrics)

    monkeypatch.setattr(parallel, "to_numbers", record)
    with Progress(0, 3, rate) as bar:
        for step in (1, 2, 3):
            bar.advance(update(step, loss=step))
            assert read == list(range(1, step))
        bar.take()
    assert read == [1, 2, 3]


def test_a_pause_does_not_count_as_training(slow_device):
    with Progress(0, 4, rate) as bar:
        train(bar, 1, 2)
        with bar.paused():
            time.sleep(2)
        train(bar, 3, 4)
        row = bar.take()
    assert row["steps_per_second"] > 0.6 / DEVICE


def test_the_loss_is_the_mean_of_those_that_are_finite():
    with Progress(3, 9, rate) as bar:
        for step, loss in enumerate((1.0, math.nan, math.inf, 4.0), start=4):
            bar.advance(update(step, loss, skipped=2))
        row = bar.take()
        assert (row["loss"], row["skipped"], row["learning_rate"]) == (2.5, 2, 5e-4)
        bar.advance(update(8, math.nan, skipped=3))
        row = bar.take()
        assert math.isnan(row["loss"])
        assert type(row["skipped"]) is int
        assert bar.latest["skipped"] == 3


def test_a_log_file_gets_lines(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LOG_FILE", 0.0)
    with Progress(10, 13, rate) as bar:
        bar.psnr = 31.234
        for step, loss in enumerate((1.0, 2.0, 6.0), start=11):
            bar.advance(update(step, loss))
            bar.take()
    err = capsys.readouterr().err
    assert "\r" not in err
    assert len(err.splitlines()) == 5  # the first, three steps, the last
    last = err.splitlines()[-1]
    assert " 13/13 [" in last
    assert re.search(r"(step/s|s/step), loss=3\.000, lr=0\.0005, psnr=31\.23\]$", last)


def test_the_other_processes_are_silent(capsys):
    with Progress(0, 2, rate, show=False) as bar:
        train(bar, 1, 1)
        with bar.paused():
            pass
        train(bar, 2, 2)
        assert bar.take()["loss"] == 1
    assert capsys.readouterr() == ("", "")


def test_a_step_that_failed_fails_the_loop(monkeypatch):
    def fail(tree):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(parallel, "unreplicate", fail)
    failing = pytest.raises(RuntimeError, match="out of luck")
    with failing, Progress(0, 2, rate) as bar:
        train(bar, 1, 2)
