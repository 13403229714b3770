"""What a training would cost, against what it does cost."""

import re
import socket

import jax
import pytest

from ignn_jax.training import parallel, plan
from tests.networks import save_pictures
from tests.runs import begin, config, devices, succeeded, train_here

EDSR = {"model.name": "edsr", "train.steps": 2, "train.ema": 0.9}


def test_a_plan_says_what_the_run_says(tmp_path):
    wanted = config(tmp_path, EDSR)
    made = plan.make_plan(wanted)
    assert not list(tmp_path.iterdir())  # it reads no images, and there are none yet
    save_pictures(tmp_path / "pictures")
    state, printed = train_here(tmp_path, "run", EDSR)
    assert made.parameters == sum(x.size for x in jax.tree.leaves(state.params))
    described = plan.describe_plan(made, wanted)
    both = re.search(r".* parameters; .*\nA step: .* on each device", described)
    assert both[0] in printed
    assert made.fits
    assert f"It fits: each device has {made.available / 1e9:.2f} GB" in described
    assert len(made.times) == 3
    assert min(made.times) > 0
    assert "s a step" in described
    assert "2 steps take 0:00:0" in described


@pytest.fixture
def compiled(monkeypatch):
    """Takes the place of the compiler: a step of 3 GB that takes these seconds."""
    seconds = [5.0, 1.0, 3.0, 2.0]
    clock = iter([0.0, 5.0, 10.0, 11.0, 20.0, 23.0, 30.0, 32.0])
    monkeypatch.setattr(plan.time, "monotonic", lambda: next(clock))
    cost = parallel.Cost(flops=4e9, memory=3 * 10**9, compilation=7)

    def compile_step(step, state, batch, *, turns):
        return lambda state, batch: (state, {}), cost

    monkeypatch.setattr(parallel, "compile_step", compile_step)
    monkeypatch.setattr(plan, "available_memory", lambda device: 3.5e9)
    return seconds


def test_the_time_is_that_of_the_steps_after_the_first(tmp_path, compiled):
    wanted = config(tmp_path, {**EDSR, "train.steps": 1800})
    made = plan.make_plan(wanted)
    assert made.times == compiled[1:]
    words = (
        "2 s a step (2 GFLOP/s), measured: 3 on random images. 1,800 steps take 1:00"
    )
    assert words in plan.describe_plan(made, wanted)


def test_a_long_step_is_made_once(tmp_path, compiled, monkeypatch):
    monkeypatch.setattr(plan, "_PATIENCE", 4.0)
    assert plan.make_plan(config(tmp_path, EDSR)).times == [5.0]


def test_a_step_that_does_not_fit_is_not_made(tmp_path, compiled, monkeypatch):
    monkeypatch.setattr(plan, "available_memory", lambda device: 2e9)
    wanted = config(tmp_path, EDSR)
    made = plan.make_plan(wanted)
    assert not made.fits
    described = plan.describe_plan(made, wanted)
    assert "does not fit: it needs 3.00 GB of each device, which has 2.00" in described
    assert "none was made" in described


PROGRAM = {**EDSR, "train.batch_size": 4}


@pytest.mark.slow
def test_the_program_plans_for_all_devices(tmp_path):
    printed = succeeded(begin(tmp_path, "run", PROGRAM, "--plan", **devices(2)))
    assert "; 2 x cpu" in printed
    assert "It fits" in printed
    assert "s a step" in printed
    assert printed.endswith("Nothing was trained\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_several_processes_plan_together_without_the_time(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"--coordinator=localhost:{free.getsockname()[1]}"
    flags = "--plan", address, "--num_processes=2"
    processes = [
        begin(tmp_path, "run", PROGRAM, *flags, f"--process_id={n}") for n in range(2)
    ]
    printed, nothing = map(succeeded, processes)
    assert "; 2 x cpu, 2 processes\n" in printed
    assert "It fits" in printed
    assert "time of a step is not known" in printed
    assert nothing == ""
    assert not list(tmp_path.iterdir())
