"""The compilation cache, in processes with and without it."""

import os
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


def entries(folder):
    return sorted(path.name for path in folder.glob("*-cache"))


def test_a_second_process_compiles_nothing(tmp_path):
    model = EDSR(scale=2, features=4, num_blocks=1)
    weights = tmp_path / "weights.safetensors"
    save(weights, model, random_variables(model), source="random")
    picture = save_pictures(tmp_path, count=1, side=16) / "0.png"
    said = []
    for name in ("first.png", "second.png"):
        done = run(
            *("-m", "ignn_jax", "upscale", picture, "-o", tmp_path / name),
            *("--weights", weights, "--tile", "whole"),
            IGNN_CACHE=str(tmp_path),
            JAX_EXPLAIN_CACHE_MISSES="1",
        )
        assert done.returncode == 0, done.stderr
        said.append((done.stderr.count(MISS), entries(tmp_path / "compiled")))
    (misses, compiled), again = said
    assert misses == len(compiled) > 0
    assert again == (0, compiled)


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
    for age, name in enumerate(("new", "middle", "old")):
        path = tmp_path / "compiled" / f"{name}-cache"
        path.write_bytes(bytes(100))
        os.utime(path, times=(1e9 - age, 1e9 - age))
    monkeypatch.setattr(compile_cache, "_LARGEST", 200)
    assert compile_cache.enable()
    assert entries(tmp_path / "compiled") == ["middle-cache", "new-cache"]


def test_a_full_disk_is_left_alone(without_jax, monkeypatch):
    monkeypatch.setattr(compile_cache, "_LEAST_FREE", 10**18)
    assert not compile_cache.enable()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ
