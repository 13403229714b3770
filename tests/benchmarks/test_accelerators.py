"""Programs compiled for accelerators that are not here."""

import importlib.util
import json

import jax
import pytest

from benchmarks import accelerators, targets
from ignn_jax.errors import InputError
from ignn_jax.training.config import complete, resolve
from ignn_jax.training.recipe import batch_shapes, create_recipe, state_shapes
from tests.networks import run

TINY = {
    "model.features": 4,
    "model.num_blocks": 2,
    "model.graph.position": 1,
    "model.graph.neighbors": 2,
    "model.graph.window": 4,
    "model.graph.embedding": "rgb",
    "model.graph.den": "aggregated",
    "data.lr_patch": 12,
    "train.batch_size": 8,
}


def tiny_config():
    config = complete({}).unlock()
    config.update_from_flattened_dict(TINY)
    return resolve(config)


def size(tree):
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "kind", "compiler"),
    [
        ("tpu:v5e:2x2", "TPU v5 lite", "libtpu"),
        ("cuda:h100:4", "NVIDIA H100", "jax_cuda13_plugin"),
    ],
)
def test_the_step_compiles_for_four_accelerators(tmp_path, target, kind, compiler):
    """Its state is donated, and it averages the gradient and the loss, and no more.

    Each device has two images: with more than one, XLA once failed for an H100.
    """
    if importlib.util.find_spec(compiler) is None:
        pytest.skip(f"{compiler} is not installed: CONTRIBUTING.md says how to compile")
    done = run(
        *("-m", "benchmarks.accelerators", "--target", target),
        *("--config", "configs/x2.py", "--json", tmp_path / "costs.json"),
        *(f"{key}={value}" for key, value in TINY.items()),
    )
    assert done.returncode == 0, done.stderr
    tables = json.loads((tmp_path / "costs.json").read_text())["tables"]
    (title, [step]), (_, stages) = tables.items()
    assert f"4 x {kind}" in title
    assert "nothing was run" in title
    recipe = create_recipe(tiny_config())
    state = state_shapes(recipe.model, recipe.optimizer, ema=False)
    # In whole tiles, so that small arrays take more.
    assert size(state) <= 1e9 * step["donated, GB"] <= 1e9 * step["arguments, GB"]
    batch = size(batch_shapes(tiny_config())) // 4
    assert step["arguments, GB"] - step["donated, GB"] < 500 * batch / 1e9
    assert (
        size(state.params) <= 1e9 * step["all-reduced, GB"] <= size(state.params) + 64
    )
    assert 0 < step["of memory"] < 0.01
    assert step["TFLOP"] > 0
    assert {"forward search", "forward blocks", "backward blocks", "all-reduce"} <= {
        row["stage"] for row in stages
    }
    assert sum(row["GB moved"] for row in stages) == pytest.approx(step["GB moved"])
    if compiler == "libtpu":  # the other estimates none
        cycles = sum(row["cycles, ms"] for row in stages)
        assert 0 < cycles == pytest.approx(step["cycles, ms"])


def test_the_step_of_the_devices_at_hand_costs_what_xla_says():
    config = accelerators.as_edsr(tiny_config())
    compiled = accelerators.compile_step(config, jax.devices())
    row = compiled.row()
    params = state_shapes(*create_recipe(config)[:2], ema=False).params
    assert row["donated, GB"] > 3 * size(params) / 1e9
    assert row["TFLOP"] > 0
    assert row["GB moved"] == pytest.approx(
        sum(stage["GB moved"] for stage in compiled.stage_rows())
    )


def test_what_does_not_fit_is_told_beside_what_does(monkeypatch, capsys):
    def compile_step(config, devices):
        if config.train.batch_size > 8:
            raise RuntimeError("RESOURCE_EXHAUSTED: Ran out of memory on HBM\nmore")
        return accelerators.Compiled(lambda _: jax.jit(abs).lower(1.0), devices)

    monkeypatch.setattr(accelerators, "compile_step", compile_step)
    monkeypatch.setattr(accelerators, "find_devices", lambda target: jax.devices())
    monkeypatch.setattr(accelerators, "use_cpu_only", lambda: None)
    accelerators.main(["--config=configs/x2.py", "--batches=8,16", "model.name=edsr"])
    printed = capsys.readouterr().out
    assert "| edsr: step, batch 8 | " in printed
    assert (
        "| edsr: step, batch 16 | RESOURCE_EXHAUSTED: Ran out of memory on HBM |"
        in (printed)
    )


@pytest.mark.parametrize("fitting", [0, 3, 40])
def test_the_largest_batch_is_the_last_that_fits(monkeypatch, fitting):
    """Of a device on which so many times eight images fit."""
    tried = []

    class Step:
        chip = targets.Chip(memory=fitting, bandwidth=1, flops=1)

        def __init__(self, config, devices):
            self.planned = config.train.batch_size / 16
            tried.append(self.planned)
            if self.planned > 30 + fitting:
                raise RuntimeError("RESOURCE_EXHAUSTED: Ran out of memory")

    monkeypatch.setattr(accelerators, "compile_step", Step)
    assert accelerators.largest_batch(tiny_config(), [None] * 2) == 16 * fitting
    assert len(tried) == len(set(tried)) <= 14


@pytest.mark.parametrize("target", ["tpu", "cuda", "cuda:a100", "npu:1", "cpu"])
def test_unknown_targets_are_refused(target):
    with pytest.raises(InputError, match=f"{target}: give tpu:v5e:2x2") as error:
        targets.find_devices(target)
    assert error.value.field == "target"
