"""The training program's command line."""

import re

import pytest

from tests.networks import run
from tests.runs import devices

TINY = "--config=configs/demo.py"
CONFIG, WORKDIR = "--config=configs/light_x2.py", "--workdir={}/run"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            [CONFIG, WORKDIR, "--config.trian.steps=3"],
            "no key 'trian'; did you mean \"train\"",
        ),
        ([CONFIG, WORKDIR, "--config.train.stpes=3"], 'did you mean "steps"'),
        ([CONFIG, WORKDIR, "--config.flavor=3"], "no key 'flavor'"),
        ([CONFIG, WORKDIR, "--config.train.steps=abc"], "train.steps=abc"),
        ([CONFIG, WORKDIR, "--config.model=3"], "--config.model=3"),
        ([CONFIG, WORKDIR, "--workdri=x"], "Did you mean: workdir"),
        ([CONFIG, WORKDIR, "stra\x1by"], r"stra\x1by is not a flag"),
        ([WORKDIR], "--config is missing"),
        ([CONFIG], "--workdir is missing"),
        ([CONFIG, "--workdir="], "--workdir is missing"),
        (["--config=configs/none.py", WORKDIR], "configs/none.py"),
        (["--config=", WORKDIR], "empty"),
        ([CONFIG, WORKDIR, "--config.data.train=folder:{}/none"], "no such folder"),
        ([TINY, "--config.model.name=edsr", "--workdir=setup.cfg/x"], "--workdir: "),
        (
            [CONFIG, WORKDIR, "--process_id=1"],
            "coordinator, num_processes and process_id go together",
        ),
        (
            [
                *(CONFIG, WORKDIR, "--coordinator=localhost:1"),
                *("--num_processes=2", "--process_id=2"),
            ],
            "--process_id: must be from 0 to 1, not 2",
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path, args, words):
    done = run("-m", "ignn_jax.main", *(arg.format(tmp_path) for arg in args))
    assert done.returncode == 2
    # A note about images that are decoded may come before.
    error = re.sub(r"^Decoding .*\n", "", done.stderr)
    assert re.fullmatch(r"ignn_jax: .*\n", error), done.stderr
    assert words in error
    assert not list(tmp_path.iterdir())


def test_a_batch_that_does_not_divide_is_refused(tmp_path):
    done = run(
        *("-m", "ignn_jax.main", CONFIG, f"--workdir={tmp_path / 'run'}"),
        "--config.train.batch_size=3",
        **devices(2),
    )
    assert done.returncode == 2
    assert done.stderr == (
        "ignn_jax: train.batch_size: 3 does not divide between 2 devices; give 2 or 4\n"
    )
    assert not list(tmp_path.iterdir())


def test_ctrl_c_before_the_first_step(tmp_path):
    """Here while the config is read, which interrupts itself."""
    config = tmp_path / "config.py"
    config.write_text(
        "import signal\n"
        # In the background, as CI may run it, Ctrl-C is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )
    done = run("-m", "ignn_jax.main", f"--config={config}", WORKDIR.format(tmp_path))
    assert (done.returncode, done.stderr) == (130, "")
    assert not (tmp_path / "run").exists()
