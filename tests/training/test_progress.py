"""The live line: what it shows, and that its measures are those of a clock."""

import math
import re
import time

import jax.numpy as jnp
import pytest

from ignn_jax.training import parallel, progress
from ignn_jax.training.progress import Progress

DEVICE = 0.15  # seconds of a step


def metrics(loss=1.0, skipped=0):
    """As of a step on all devices."""
    return parallel.replicate(
        {"loss": jnp.float32(loss), "skipped": jnp.int32(skipped)}
    )


def rate(step):
    return 1e-3 if step < 5 else 5e-4


def train(bar, steps, loader=0.0):
    for _ in range(steps):
        with bar.waiting():
            time.sleep(loader)
        bar.advance(metrics())


@pytest.fixture
def slow_device(monkeypatch):
    """A device that is done with each step DEVICE seconds after it could begin."""
    fetch = parallel.unreplicate

    def wait(tree):
        time.sleep(DEVICE)
        return fetch(tree)

    monkeypatch.setattr(parallel, "unreplicate", wait)


@pytest.mark.parametrize(
    ("loader", "steps_per_second", "data_wait"),
    [
        (0.01, 1 / DEVICE, 0.0),  # fetched while the device works
        (0.3, 1 / 0.3, 0.5),  # half of each wait, the device works
    ],
)
def test_data_wait_is_the_devices_idle_time(
    slow_device, loader, steps_per_second, data_wait
):
    with Progress(0, 8, rate) as bar:
        train(bar, 2, loader)
        bar.take()
        train(bar, 6, loader)
        row = bar.take()
    # The last step's time is not hidden behind another's wait.
    seconds = max(6 * loader + DEVICE, 6 * DEVICE)
    assert row["steps_per_second"] == pytest.approx(6 / seconds, rel=0.25)
    idle = max(loader - DEVICE, 0) * 5 + loader
    assert row["data_wait"] == pytest.approx(idle / seconds, abs=0.1)


def test_a_pause_is_no_training(slow_device):
    with Progress(0, 4, rate) as bar:
        train(bar, 2)
        with bar.paused():
            time.sleep(2)
        train(bar, 2)
        row = bar.take()
    assert row["steps_per_second"] > 0.6 / DEVICE


def test_the_loss_is_the_mean_of_those_that_are_finite():
    with Progress(3, 9, rate) as bar:
        for loss in (1.0, math.nan, math.inf, 4.0):
            bar.advance(metrics(loss, skipped=2))
        row = bar.take()
        assert (row["loss"], row["skipped"], row["learning_rate"]) == (2.5, 2, 5e-4)
        bar.advance(metrics(math.nan, skipped=3))
        row = bar.take()
        assert math.isnan(row["loss"])
        assert type(row["skipped"]) is int
        assert bar.latest["skipped"] == 3


def test_a_log_file_gets_lines(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LOG_FILE", 0.0)
    with Progress(10, 13, rate) as bar:
        bar.psnr = 31.234
        for loss in (1.0, 2.0, 6.0):
            bar.advance(metrics(loss))
            bar.take()
    err = capsys.readouterr().err
    assert "\r" not in err
    assert len(err.splitlines()) == 5  # the first, three steps, the last
    last = err.splitlines()[-1]
    assert " 13/13 [" in last
    assert re.search(r"(step/s|s/step), loss=3\.000, lr=0\.0005, psnr=31\.23\]$", last)


def test_others_of_several_processes_are_silent(capsys):
    with Progress(0, 2, rate, show=False) as bar:
        train(bar, 1)
        with bar.paused():
            pass
        train(bar, 1)
        assert bar.take()["loss"] == 1
    assert capsys.readouterr() == ("", "")


def test_a_step_that_failed_fails_the_loop(monkeypatch):
    def fail(tree):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(parallel, "unreplicate", fail)
    failing = pytest.raises(RuntimeError, match="out of luck")
    with failing, Progress(0, 2, rate) as bar:
        train(bar, 2)
        bar.take()
