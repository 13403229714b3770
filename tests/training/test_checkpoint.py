"""Checkpoints: what is saved comes back, whatever happened to the disk meanwhile."""

import json
import math
import shutil
import socket
import subprocess
import time

import jax
import numpy as np
import pytest

from ignn_jax.errors import InputError
from ignn_jax.training.checkpoint import Checkpoints
from tests.networks import finish, run, start

STATE = {
    "step": np.int32(7),
    "params": {"kernel": np.arange(4096, dtype=np.float32).reshape(64, 64) / 7},
    "opt_state": (np.ones(3, np.float32), {"key": np.arange(4, dtype=np.uint32)}),
    "frozen": {},
}
CONFIG = {"scale": 2, "model": {"name": "ignn", "residual_scale": 0.1}}
INFO = {"config": CONFIG, "images": {"validation": [["a.png", "12ab"]]}}


def state_at(step):
    return {**STATE, "step": np.int32(step)}


def saved(workdir, steps, keep=3, psnrs=None):
    """Saves, and scores afterwards; earlier scores are known, as those of a log."""
    psnrs = psnrs or {}
    checkpoints = Checkpoints(workdir, keep)
    checkpoints.create({step: psnrs[step] for step in psnrs if step < min(steps)})
    for step in steps:
        checkpoints.save(step, state_at(step), INFO)
        checkpoints.score(step, psnrs.get(step))
    checkpoints.close()
    return workdir


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


def entries(workdir):
    return sorted(path.name for path in (workdir / "checkpoints").iterdir())


def assert_state(state, step):
    assert jax.tree.structure(state) == jax.tree.structure(STATE)
    jax.tree.map(
        lambda x, y: np.testing.assert_array_equal(x, y, strict=True),
        state,
        jax.tree.map(np.asarray, state_at(step)),
    )


def test_state_and_config_come_back(tmp_path, capfd):
    checkpoints = Checkpoints(saved(tmp_path / "new" / "run", [7]), 3)
    assert checkpoints.latest == 7
    assert checkpoints.peek() == (7, INFO)
    state, info = checkpoints.restore(jax.tree.map(np.zeros_like, STATE))
    assert_state(state, 7)
    assert info == INFO
    assert capfd.readouterr() == ("", "")


def test_the_last_ones_and_the_best_are_kept(tmp_path):
    psnrs = {1: 30.0, 2: 32.5, 3: 31.0, 5: 32.0, 7: float("nan")}
    saved(tmp_path, [1, 2, 3, 4, 5], keep=2, psnrs=psnrs)
    assert entries(tmp_path) == ["2", "4", "5"]
    saved(tmp_path, [6, 7, 8], keep=2, psnrs=psnrs)  # in a later run as well
    assert entries(tmp_path) == ["2", "7", "8"]
    assert_state(Checkpoints(tmp_path, 2).restore(STATE)[0], 8)


def test_without_any_psnr_the_last_ones_are_kept(tmp_path):
    assert entries(saved(tmp_path, [1, 2, 10], keep=2)) == ["10", "2"]
    with pytest.raises(InputError, match=r"checkpoint\.keep: must be at least 1"):
        Checkpoints(tmp_path, 0)


def test_a_flipped_byte_anywhere_is_noticed_or_harmless(tmp_path, capfd):
    saved(tmp_path / "sound", [1, 2])
    noticed = {}
    newest = tmp_path / "sound" / "checkpoints" / "2"
    for file in (file for file in newest.rglob("*") if file.is_file()):
        size = file.stat().st_size
        for place in (0, size // 2):
            workdir = shutil.copytree(tmp_path / "sound", tmp_path / "w")
            flip(workdir / file.relative_to(tmp_path / "sound"), place)
            checkpoints = Checkpoints(workdir, 3)
            assert checkpoints.peek()[1] == INFO
            state, _ = checkpoints.restore(STATE)
            out, err = capfd.readouterr()
            assert err == ""
            if out:
                assert out.startswith("checkpoint 2 is damaged (")
                assert out.endswith("): going on from 1\n")
                assert out.count("\n") == 1
                noticed.setdefault(str(file.relative_to(newest)), []).append(out)
            assert_state(state, 1 if out else 2)
            shutil.rmtree(workdir)
    assert {"info/metadata", "state/_METADATA"} <= noticed.keys()
    # The arrays themselves, of which Orbax notices nothing.
    assert any(
        name.startswith("state/") and "it is not what was saved" in out
        for name, outs in noticed.items()
        for out in outs
    )


def test_a_damaged_checkpoint_makes_way_for_the_same_step(tmp_path, capsys):
    saved(tmp_path, [1, 2, 3], psnrs={1: 30.0})
    for file in ("3/info/metadata", "2/state/_METADATA"):
        flip(tmp_path / "checkpoints" / file, 1)
    checkpoints = Checkpoints(tmp_path, 1)
    assert_state(checkpoints.restore(STATE)[0], 1)
    assert entries(tmp_path) == ["1", "2", "3"]  # a run that is refused changes nothing
    checkpoints.create({1: 30.0})
    assert entries(tmp_path) == ["1", "damaged-2", "damaged-3"]
    assert f"renamed to {tmp_path}/checkpoints/damaged-3" in capsys.readouterr().out
    checkpoints.save(2, state_at(2), INFO)
    checkpoints.score(2, 29.0)
    checkpoints.save(3, state_at(3), INFO)
    checkpoints.close()
    assert entries(tmp_path) == ["1", "3", "damaged-2", "damaged-3"]
    assert_state(Checkpoints(tmp_path, 1).restore(STATE)[0], 3)


def test_a_checkpoint_of_an_older_version_is_taken_up(tmp_path):
    """Its digest was another one, in another place, and its PSNR beside it."""
    saved(tmp_path, [1])
    path = tmp_path / "checkpoints" / "1" / "info" / "metadata"
    info = json.loads(path.read_text())
    info["sha256"] = info.pop("digest")[::-1]
    info["psnr"] = -math.inf
    path.write_text(json.dumps(info))
    assert_state(Checkpoints(tmp_path, 2).restore(STATE)[0], 1)
    saved(tmp_path, [2, 3, 4], keep=2, psnrs={2: 30.0})
    assert entries(tmp_path) == ["2", "3", "4"]


def test_all_damaged_is_refused(tmp_path):
    saved(tmp_path, [1, 2])
    for step in "12":
        shutil.rmtree(tmp_path / "checkpoints" / step / "state" / "d")
    with pytest.raises(InputError, match=r"all checkpoints are damaged \(2: .*delete"):
        Checkpoints(tmp_path, 3).peek()


@pytest.mark.parametrize(
    ("params", "difference"),
    [
        (
            {"kernel": np.zeros((32, 64), np.float32)},
            r"params/kernel is float32 \(64, 64\) there, float32 \(32, 64\) here",
        ),
        (
            {"kernel": np.zeros((64, 64), np.float16)},
            r"params/kernel is float32 \(64, 64\) there, float16 \(64, 64\) here",
        ),
        (
            {**STATE["params"], "bias": np.zeros(64, np.float32)},
            r"params/bias is missing there, float32 \(64,\) here",
        ),
        ({}, r"params/kernel is float32 \(64, 64\) there, missing here"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, params, difference):
    saved(tmp_path, [7])
    with pytest.raises(
        InputError, match=f"checkpoint 7 is of another network: {difference}"
    ):
        Checkpoints(tmp_path, 3).restore({**STATE, "params": params})


def test_to_look_makes_no_folder(tmp_path):
    checkpoints = Checkpoints(tmp_path / "run", 3)
    assert checkpoints.latest is None
    assert checkpoints.peek() is None
    assert checkpoints.restore(STATE) == (None, None)
    checkpoints.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("below", ["", "run"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path, below):
    file = tmp_path / "file"
    file.touch()
    checkpoints = Checkpoints(file / below, 3)
    assert checkpoints.latest is None
    with pytest.raises(InputError, match=r"workdir: .*file.* cannot be made"):
        checkpoints.create({})


SAVE_TWO = """
import pathlib, sys
import numpy as np
from ignn_jax.training.checkpoint import Checkpoints
from ignn_jax.errors import InputError
checkpoints = Checkpoints(pathlib.Path(sys.argv[1]), 3)
try:
    checkpoints.create({})
    for step, size in enumerate(map(int, sys.argv[2:]), start=1):
        array = np.random.default_rng(step).random(size)
        checkpoints.save(step, {"array": array}, {})
    checkpoints.close()
except InputError as error:
    sys.exit(str(error))
"""


def assert_first_survived(workdir):
    """And that the next run can save what this one could not."""
    expected = np.random.default_rng(1).random(100)
    checkpoints = Checkpoints(workdir, 3)
    np.testing.assert_array_equal(
        checkpoints.restore({"array": expected})[0]["array"], expected
    )
    checkpoints.create({})
    assert entries(workdir) == ["1"]
    checkpoints.save(2, {"array": expected}, {})
    checkpoints.close()
    assert entries(workdir) == ["1", "2"]


def test_a_full_disk_is_told_in_one_line(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("no small disk could be mounted here (that takes root)")
    try:
        result = run("-c", SAVE_TWO, disk, 100, 1_000_000)
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr == (
            f"{disk}/checkpoints: cannot be written: No space left on device; "
            "free some space, then run the same command again\n"
        )
        assert_first_survived(disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_killed_while_saving(tmp_path):
    process = start("-c", SAVE_TWO, tmp_path, 100, 30_000_000)
    half_written = tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp"
    deadline = time.monotonic() + 120
    while not half_written.is_dir():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.kill()
    finish(process)
    assert half_written.is_dir()  # it was in time
    assert_first_survived(tmp_path)


TWO_PROCESSES = """
import pathlib, sys
import jax
from jax.experimental import multihost_utils
from ignn_jax.training.checkpoint import Checkpoints
from ignn_jax.errors import InputError
from tests.training.test_checkpoint import (
    INFO, STATE, assert_state, flip, saved, state_at)

workdir, address, index = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
jax.distributed.initialize(address, num_processes=2, process_id=index)
assert Checkpoints(workdir, 2).restore(STATE) == (None, None)
saved(workdir, [1, 2, 3, 4], keep=2, psnrs={1: 30.0, 2: 29.0})
multihost_utils.sync_global_devices("saved")
assert_state(Checkpoints(workdir, 2).restore(STATE)[0], 4)
multihost_utils.sync_global_devices("restored")
if index == 0:
    flip(workdir / "checkpoints" / "4" / "info" / "metadata", 3)
multihost_utils.sync_global_devices("damaged")

checkpoints = Checkpoints(workdir, 2)
assert checkpoints.peek() == (3, INFO)
assert_state(checkpoints.restore(STATE)[0], 3)
checkpoints.create({1: 30.0})
checkpoints.save(4, state_at(4), INFO)
checkpoints.close()
multihost_utils.sync_global_devices("saved again")
assert_state(Checkpoints(workdir, 2).restore(STATE)[0], 4)

try:
    Checkpoints(workdir if index == 0 else workdir / "another", 2).peek()
except InputError as error:
    print(error)
multihost_utils.sync_global_devices("done")
"""


def test_two_processes_share_the_folder(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    processes = [
        start("-c", TWO_PROCESSES, tmp_path, address, index, JAX_PLATFORMS="cpu")
        for index in range(2)
    ]
    results = [finish(process) for process in processes]
    assert [result.returncode for result in results] == [0, 0], results
    assert entries(tmp_path) == ["1", "3", "4", "damaged-4"]
    for index, result in enumerate(results):
        *told, refusal = (x for x in result.stdout.splitlines() if "checkpoint" in x)
        assert len(told) == (2 if index == 0 else 0)  # damaged, and renamed
        assert "the processes of this run find different checkpoints" in refusal
