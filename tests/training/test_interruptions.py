"""Real processes: interrupted, killed, out of disk, and several of one run.

They train a tiny EDSR: nothing that is tested here depends on the network.
"""

import json
import random
import shutil
import signal
import socket
import subprocess
import time

import pytest

from ignn_jax.errors import InputError
from ignn_jax.training.checkpoint import Checkpoints
from ignn_jax.weights.find import BEST_FILENAME, FILENAME
from tests.networks import finish, save_pictures
from tests.runs import begin, devices, leftovers, metrics, succeeded, train_here

RUN = {
    "model.name": "edsr",
    "train.batch_size": 4,
    "train.steps": 20,
    "optimizer.learning_rate": 1e-3,
    "checkpoint.every": 10,
    "eval.every": 20,
    "log.every": 1,
}
# As the tests' own process compiles, which goes on with some of these runs.
AS_HERE = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "true"}
ENDLESS = {**RUN, "train.steps": 1_000_000, "eval.every": 1_000_000}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interruptions")
    save_pictures(folder / "pictures")
    return folder


def wait_for_step(process, workdir, step):
    """Waits until the run has logged the step."""
    while process.poll() is None:
        rows = metrics(workdir, "loss")
        if rows and rows[-1]["step"] >= step:
            return
        time.sleep(0.02)
    pytest.fail(f"it ended before step {step}: {finish(process).stderr}")


def stopped_after(output):
    last = output.splitlines()[-1]
    words = "; the same command goes on from there"
    assert last.startswith("Stopped after step ")
    assert last.endswith(words)
    return int(last.removeprefix("Stopped after step ").removesuffix(words))


# Signals


def test_sigterm_and_sigint_save_and_stop(folder):
    workdir, step = folder / "stopped", 0
    for number in (signal.SIGTERM, signal.SIGINT):
        process = begin(folder, "stopped", ENDLESS)
        wait_for_step(process, workdir, step + 3)
        process.send_signal(number)
        output = succeeded(process)
        if step:
            assert f"Resuming from step {step}\n" in output
        step = stopped_after(output)
        assert Checkpoints(workdir, 3).latest == step
        assert metrics(workdir, "loss")[-1]["step"] == step
    assert [row["step"] for row in metrics(workdir, "loss")] == list(range(1, step + 1))
    assert not leftovers(workdir)


def test_a_second_signal_stops_at_once(folder):
    process = begin(folder, "impatient", ENDLESS)
    wait_for_step(process, folder / "impatient", 2)
    process.send_signal(signal.SIGSTOP)  # both arrive before it can save
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    while process.poll() is None:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.001)
    finish(process)
    assert process.returncode in (-signal.SIGTERM, 0)


# Killed


def test_a_killed_run_goes_on_to_the_same_weights(folder):
    changes = {**RUN, "train.steps": 300, "eval.every": 100, "log.every": 50}
    workdir = folder / "killed_once"
    process = begin(folder, "killed_once", changes, **AS_HERE)
    while process.poll() is None and not Checkpoints(workdir, 3).latest:
        time.sleep(0.005)
    process.kill()
    finish(process)
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    step = Checkpoints(workdir, 3).latest
    _, told = train_here(folder, "killed_once", changes)
    assert f"Resuming from step {step}\n" in told
    train_here(folder, "whole_once", changes)
    assert_same_end(folder / "whole_once", workdir)
    assert not leftovers(workdir)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_end_in_validation_loses_nothing(folder, number):
    """Where each checkpoint is evaluated, too."""
    if not (folder / "large").exists():
        save_pictures(folder / "large", count=20, side=256)
    name = f"ended_by_{number.name}"
    workdir = folder / name
    changes = {**RUN, "eval.every": 10}
    changes["data.validation"] = f"folder:{folder / 'large'}"
    process = begin(folder, name, changes, **AS_HERE)
    while process.poll() is None and not Checkpoints(workdir, 3).latest:
        time.sleep(0.005)
    process.send_signal(number)
    done = finish(process)
    if number == signal.SIGKILL:
        assert done.returncode == -signal.SIGKILL
    else:
        assert stopped_after(done.stdout) == 10
    steps = [row["step"] for row in metrics(workdir, "psnr")]
    assert steps == [0], "validation ended before the signal"
    assert (workdir / FILENAME).exists()
    _, told = train_here(folder, name, changes)
    assert "Resuming from step 10\n" in told
    assert [row["step"] for row in metrics(workdir, "psnr")] == [0, 10, 20]
    assert (workdir / BEST_FILENAME).exists()
    assert not leftovers(workdir)


def test_a_second_run_in_a_workdir_is_refused(folder):
    process = begin(folder, "taken", ENDLESS)
    wait_for_step(process, folder / "taken", 2)
    held = f"another run is going on in it: process {process.pid} on "
    with pytest.raises(InputError, match=held):
        train_here(folder, "taken", {**ENDLESS, "seed": 1}, allow_changes=True)
    process.terminate()
    stopped_after(succeeded(process))
    config = json.loads((folder / "taken" / "config.json").read_text())
    assert config["seed"] == 0


@pytest.mark.slow
def test_ten_kills_change_nothing(folder):
    changes = {**RUN, "train.steps": 600, "eval.every": 100, "log.every": 50}
    begun = time.monotonic()
    succeeded(begin(folder, "whole", changes))
    length = time.monotonic() - begun
    moments, kills = random.Random(0), 0
    while kills < 10:
        process = begin(folder, "killed", changes)
        deadline = time.monotonic() + moments.uniform(0, length)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        finish(process)
        if process.returncode == 0:  # it came to its end: once more, from the start
            assert_same_end(folder / "whole", folder / "killed")
            shutil.rmtree(folder / "killed")
        else:
            assert process.returncode == -signal.SIGKILL
            kills += 1
    succeeded(begin(folder, "killed", changes))
    assert_same_end(folder / "whole", folder / "killed")


def assert_same_end(whole, killed):
    assert (killed / FILENAME).read_bytes() == (whole / FILENAME).read_bytes()
    assert metrics(killed, "psnr") == metrics(whole, "psnr")
    losses = [[row["loss"] for row in metrics(w, "loss")] for w in (whole, killed)]
    assert losses[0] == losses[1]


# Several processes


def begin_two(folder, name, changes):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    return [
        begin(
            folder,
            name,
            changes,
            f"--coordinator=localhost:{port}",
            "--num_processes=2",
            f"--process_id={n}",
            **devices(2),
            **AS_HERE,
        )
        for n in range(2)
    ]


@pytest.mark.slow
def test_two_processes_of_two_devices_train_as_one_of_four_and_as_one_device(folder):
    processes = begin_two(folder, "2x2", RUN)
    four = begin(folder, "1x4", RUN, **devices(4), **AS_HERE)
    outputs = [succeeded(process) for process in processes]
    assert "4 x cpu, 2 processes\n" in outputs[0]
    assert outputs[1] == ""  # one process tells
    succeeded(four)
    train_here(folder, "1x1", RUN)
    two, four, one = (
        [row["loss"] for row in metrics(folder / name, "loss")]
        for name in ("2x2", "1x4", "1x1")
    )
    assert len(two) == RUN["train.steps"]
    assert two == pytest.approx(four, rel=1e-6)
    assert two == pytest.approx(one, rel=1e-6)


@pytest.mark.slow
def test_an_order_to_one_process_stops_both_after_the_same_step(folder):
    workdir, step = folder / "both", 0
    for number in (signal.SIGTERM, signal.SIGINT):
        processes = begin_two(folder, "both", ENDLESS)
        wait_for_step(processes[0], workdir, step + 3)
        processes[1].send_signal(number)
        output, _ = (succeeded(process) for process in processes)
        if step:
            assert f"Resuming from step {step}\n" in output
        step = stopped_after(output)
        assert Checkpoints(workdir, 3).latest == step


# What goes wrong


def test_losses_that_are_not_finite_end_the_run_and_spare_the_checkpoint(folder):
    workdir = folder / "diverged"
    train_here(folder, "diverged", RUN)
    good = (workdir / FILENAME).read_bytes()
    changes = {"optimizer.learning_rate": 1e38, "train.steps": 100}
    changes |= {"train.max_skipped": 3, "checkpoint.every": 2}
    refusal = pytest.raises(InputError, match=r"not finite in [35] steps in a row")
    with refusal as error:
        train_here(folder, "diverged", {**RUN, **changes}, allow_changes=True)
    assert "\n" not in str(error.value)
    assert metrics(workdir, "loss")[-1]["skipped"] >= 2
    assert Checkpoints(workdir, 3).latest == 20
    assert (workdir / FILENAME).read_bytes() == good
    # With a sane rate it goes on from there.
    changes["optimizer.learning_rate"], changes["train.steps"] = 1e-3, 24
    train_here(folder, "diverged", {**RUN, **changes}, allow_changes=True)
    assert metrics(workdir, "loss")[-1]["skipped"] == 0


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(
    folder, tmp_path
):
    disk = folder / "disk"
    disk.mkdir()
    # Two checkpoints and the log: a third one does not fit, however slow the run is.
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        changes = {**RUN, "checkpoint.every": 2, "train.steps": 40}
        done = finish(begin(folder, "disk/run", changes, **AS_HERE))
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        refusals = [x for x in done.stderr.splitlines() if x.startswith("ignn_jax: ")]
        assert len(refusals) == 1
        assert "No space left on device" in refusals[0]
        subprocess.run([*mount[:1], "-o", "remount,size=50m", disk], check=True)
        train_here(folder, "disk/run", changes)
        train_here(folder, "roomy", changes)
        weights = [(folder / n / FILENAME).read_bytes() for n in ("disk/run", "roomy")]
        assert weights[0] == weights[1]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_profile_is_a_trace(folder):
    _, output = train_here(folder, "profiled", RUN, profile=True)
    assert f"Trace of 4 steps: {folder / 'profiled' / 'profile'}\n" in output
    (trace,) = (folder / "profiled" / "profile").rglob("*.xplane.pb")
    assert trace.stat().st_size > 1000
