"""One run at a time in a workdir, whatever becomes of the other; in real processes."""

import contextlib
import os
import shutil
import signal
import socket
import time

import pytest

from ignn_jax.errors import InputError
from ignn_jax.training import lock
from ignn_jax.training.lock import Lock
from tests.networks import start

# Takes the folder, says so, and keeps it until it is told to end. With a name, it is
# another machine, and one whose runs die sooner.
HOLD = """
import pathlib, signal, socket, sys, time
from ignn_jax.training import lock
if sys.argv[2:]:
    socket.gethostname = lambda: sys.argv[2]
    lock._SIGN, lock._DEATH = 0.2, 2.0
with lock.Lock(pathlib.Path(sys.argv[1])):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    print("taken", flush=True)
    while True:
        time.sleep(0.1)
"""


@pytest.fixture
def soon(monkeypatch):
    """A minute takes two seconds."""
    monkeypatch.setattr(lock, "_SIGN", 0.2)
    monkeypatch.setattr(lock, "_DEATH", 2.0)


def hold(workdir, *host):
    process = start("-c", HOLD, workdir, *host)
    assert process.stdout.readline() == "taken\n"
    return process


def kill(process):
    process.kill()
    process.communicate()


def refusal(workdir):
    with pytest.raises(InputError) as error, Lock(workdir):
        pass
    line = str(error.value)
    assert line.startswith(f"workdir: {workdir}: another run is going on in it: ")
    assert line.endswith("; wait for its end, or give another folder")
    return line


def test_a_second_run_is_refused_until_the_first_is_dead(tmp_path):
    process = hold(tmp_path / "run")
    line = refusal(tmp_path / "run")
    assert f": process {process.pid} on {socket.gethostname()}, since 20" in line
    kill(process)
    with Lock(tmp_path / "run"):
        assert str(os.getpid()) in refusal(tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())


def test_a_stopped_run_holds_its_folder(tmp_path, soon):
    """For as long as it may still be alive, it does, and gives it up if it must."""
    process = hold(tmp_path, socket.gethostname())
    process.send_signal(signal.SIGSTOP)
    with Lock(tmp_path):
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.communicate()
        assert process.returncode == 0
        assert str(os.getpid()) in refusal(tmp_path)  # it did not take ours away


def test_a_run_on_another_machine_holds_its_folder_while_it_lives(
    tmp_path, soon, capfd
):
    process = hold(tmp_path, "elsewhere")
    assert f": process {process.pid} on elsewhere, since 20" in refusal(tmp_path)
    kill(process)
    with Lock(tmp_path):
        assert (tmp_path / lock.FILENAME).exists()
    told = capfd.readouterr().err
    assert (
        "waiting up to 2 s for a sign of life of the run that held it: process" in told
    )
    assert told.count("\n") == 1


def test_a_folder_is_given_back_with_what_was_made_of_it(tmp_path):
    with Lock(tmp_path / "new" / "run"):
        pass
    assert not list(tmp_path.iterdir())
    with Lock(tmp_path / "new" / "run"):
        (tmp_path / "new" / "run" / "kept").touch()
    assert [path.name for path in (tmp_path / "new" / "run").iterdir()] == ["kept"]


def test_a_run_that_lost_its_folder_does_not_go_on(tmp_path, soon):
    with Lock(tmp_path / "run") as ours:
        ours.check()
        shutil.rmtree(tmp_path / "run")
        deadline = time.monotonic() + 60
        with contextlib.suppress(InputError):
            while time.monotonic() < deadline:
                ours.check()
        with pytest.raises(InputError, match=r"is no longer this run's: somebody remo"):
            ours.check()
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"workdir: .*cannot be made a folder"),
        Lock(tmp_path / "file" / "run"),
    ):
        pass
    assert (tmp_path / "file").is_file()
