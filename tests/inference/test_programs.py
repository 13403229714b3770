"""Compiled programs that a folder keeps."""

import jax
import numpy as np
import pytest

from ignn_jax.inference.programs import compile_or_load

X = np.arange(4, dtype=np.float32)


class Doubling:
    """A function that knows how often it is traced."""

    def __init__(self):
        self.traces = 0

    def __call__(self, x):
        self.traces += 1
        return 2 * x


@pytest.fixture
def doubled(tmp_path):
    """Doubles as a new process would; returns the result and the traces."""

    def double(x=X, *, name="double", folder=tmp_path):
        function = Doubling()
        jax.clear_caches()
        program = compile_or_load(
            jax.jit(function),
            (x,),
            name=name,
            devices=tuple(jax.devices()[:1]),
            folder=folder,
        )
        np.testing.assert_array_equal(program(x), 2 * x)
        return function.traces

    return double


def test_a_program_is_traced_once(doubled, tmp_path):
    assert [doubled(), doubled()] == [1, 0]
    (file,) = tmp_path.iterdir()
    assert file.suffix == ".program"


def test_a_program_that_jax_has_cached_is_kept_whole(doubled):
    """JAX's cache would give one that cannot be stored again."""
    doubled(folder=None)
    assert [doubled(), doubled()] == [1, 0]


def test_another_shape_dtype_or_function_is_another_program(doubled):
    doubled()
    assert doubled(X[:3]) == 1
    assert doubled(X.astype(np.int32)) == 1
    assert doubled(name="another") == 1
    assert doubled() == 0


def test_what_changes_programs_makes_others(doubled, monkeypatch):
    doubled()
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    assert doubled() == 1
    monkeypatch.undo()
    monkeypatch.setattr(
        "ignn_jax.inference.programs.processor_features", lambda: "another processor"
    )
    assert doubled() == 1


@pytest.mark.parametrize("damage", ["cut short", "changed", "empty"])
def test_damaged_programs_are_compiled_again(doubled, tmp_path, damage):
    doubled()
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    whole = bytes(data)
    file.write_bytes({"cut short": whole[:-50], "changed": whole, "empty": b""}[damage])
    assert [doubled(), doubled()] == [1, 0]


def test_a_folder_that_cannot_be_written_does_no_harm(doubled, tmp_path):
    (tmp_path / "file").touch()
    assert doubled(folder=tmp_path / "file") == 1
    assert doubled(folder=None) == 1
