"""The compilation cache, in processes with and without it."""

import os
import re
import sys
import warnings

import pytest

from ignn_jax.cli import compile_cache
from ignn_jax.models import EDSR
from ignn_jax.weights.network import save
from tests.networks import random_variables, run, save_pictures

MISS = "PERSISTENT COMPILATION CACHE MISS"
PROGRAM = """
from ignn_jax.cli import compile_cache
compile_cache.enable()
import jax
print(jax.jit(lambda x: x + 1)(1))
"""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)


def compile_something(**environment) -> str:
    """The stderr of a process that compiles something."""
    done = run("-c", PROGRAM, JAX_EXPLAIN_CACHE_MISSES="1", **environment)
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
    return done.stderr


# What takes long to import, and no picture needs.
UNNEEDED = {
    *("clu", "grain", "imagecodecs", "jax2onnx", "matplotlib"),
    *("ml_collections", "onnx", "optax", "orbax", "pandas", "scipy.ndimage"),
    *("tensorboardX", "tensorflow", "tensorflow_datasets", "tensorstore", "torch"),
}


def entries(folder):
    return sorted(path.name for path in folder.glob("*-cache"))


def test_a_second_process_loads_the_program_and_no_more(tmp_path):
    """It neither compiles nor traces anything, and imports what it needs."""
    model = EDSR(scale=2, features=4, num_blocks=1)
    weights = tmp_path / "weights.safetensors"
    save(weights, model, random_variables(model), source="random")
    picture = save_pictures(tmp_path, count=1, side=16) / "0.png"
    kept, traces = [], []
    for name in ("first.png", "second.png"):
        done = run(
            *("-m", "ignn_jax", "upscale", picture, "-o", tmp_path / name),
            *("--weights", weights),
            IGNN_CACHE=str(tmp_path),
            JAX_LOG_COMPILES="1",
            PYTHONPROFILEIMPORTTIME="1",
        )
        assert done.returncode == 0, done.stderr
        traces.append(done.stderr.count("Finished tracing"))
        kept.append(sorted(path.name for path in (tmp_path / "compiled").iterdir()))
    assert traces[0] > traces[1] == 0
    assert kept[0] == kept[1]
    assert sum(name.endswith(".program") for name in kept[0]) == 1
    imported = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert {"jax", "ignn_jax.inference.tiles"} <= imported
    assert not UNNEEDED & imported
    first, second = (tmp_path / f"{name}.png" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_entries_that_were_cut_short_are_passed_over_in_silence(tmp_path):
    compile_something(IGNN_CACHE=str(tmp_path))
    for name in entries(tmp_path / "compiled"):
        path = tmp_path / "compiled" / name
        path.write_bytes(path.read_bytes()[:-20])
    said = compile_something(IGNN_CACHE=str(tmp_path))
    assert MISS in said
    assert "Error" not in said


def test_a_folder_that_cannot_be_made_does_no_harm(tmp_path):
    (tmp_path / "file").touch()
    assert MISS not in compile_something(IGNN_CACHE=str(tmp_path / "file"))


def test_the_users_own_setting_is_kept(tmp_path):
    compile_something(
        IGNN_CACHE=str(tmp_path / "ours"),
        JAX_COMPILATION_CACHE_DIR=str(tmp_path / "theirs"),
        JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
    )
    assert entries(tmp_path / "theirs")
    assert not (tmp_path / "ours").exists()


@pytest.fixture
def without_jax(monkeypatch, tmp_path):
    """As in a process that has not imported JAX."""
    monkeypatch.delitem(sys.modules, "jax")
    monkeypatch.setenv("IGNN_CACHE", str(tmp_path))
    # Undoes what `enable` sets.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    with warnings.catch_warnings():
        yield


def test_what_was_used_longest_ago_goes_first(without_jax, monkeypatch, tmp_path):
    (tmp_path / "compiled").mkdir()
    for age, name in enumerate(("new-cache", "middle.program", "old-cache")):
        path = tmp_path / "compiled" / name
        path.write_bytes(bytes(100))
        os.utime(path, times=(1e9 - age, 1e9 - age))
    monkeypatch.setattr(compile_cache, "_LARGEST", 200)
    assert compile_cache.enable() == tmp_path / "compiled"
    left = sorted(path.name for path in (tmp_path / "compiled").iterdir())
    assert left == ["middle.program", "new-cache"]


def test_it_is_off_where_jax_is_told_so(without_jax, monkeypatch):
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "false")
    assert compile_cache.enable() is None


def test_a_full_disk_is_left_alone(without_jax, monkeypatch):
    monkeypatch.setattr(compile_cache, "_LEAST_FREE", 10**18)
    assert not compile_cache.enable()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ
