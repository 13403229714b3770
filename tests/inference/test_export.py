"""Exported programs: they run alone, and compute what the network does."""

import os
import subprocess
import sys
from unittest import mock

import jax
import jaxtyping
import numpy as np
import pytest

from ignn_jax.cli import main
from ignn_jax.errors import InputError
from ignn_jax.inference.export import export_onnx, export_stablehlo, least_side
from ignn_jax.models import EDSR
from ignn_jax.weights.network import save
from tests.networks import random_variables, tiny_ignn

EDSR_TINY = EDSR(scale=3, features=4, num_blocks=1)
# Small windows make small images large enough for any size.
IGNN_TINY = tiny_ignn()


@pytest.fixture
def symbols():
    """Sizes that are symbols are no `int`, which conftest.py has checked elsewhere."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def images(*shape):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (*shape, 3)).astype(np.float32)


def expected(model, variables, lr):
    return np.asarray(jax.jit(model.apply)(variables, lr))


def call(program, lr):
    return np.asarray(jax.export.deserialize(bytearray(program)).call(lr))


@pytest.mark.usefixtures("symbols")
def test_a_program_runs_where_there_is_only_jax(tmp_path):
    """The example of docs/weights.md, in a process that cannot import this package."""
    variables = random_variables(IGNN_TINY)
    save(tmp_path / "a.safetensors", IGNN_TINY, variables)
    options = ["--weights", str(tmp_path / "a.safetensors"), "-o", "net.stablehlo"]
    program = """if True:
        import jax, numpy as np, sys
        from jax import export
        exported = export.deserialize(bytearray(open("net.stablehlo", "rb").read()))
        np.save("sr.npy", exported.call(np.load("lr.npy")))
        assert exported.platforms == ("cpu", "cuda", "tpu")
        assert not {"flax", "ignn_jax"} & sys.modules.keys()"""
    lr = images(2, 57, 60)
    np.save(tmp_path / "lr.npy", lr)
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        assert main(["export", *options]) == 0
        subprocess.run([sys.executable, "-I", "-c", program], check=True)
    finally:
        os.chdir(here)
    sr = np.load(tmp_path / "sr.npy")
    np.testing.assert_allclose(
        sr, expected(IGNN_TINY, variables, lr), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize(
    "model",
    [
        tiny_ignn(3, window_center="reference", den="aggregated"),
        pytest.param(tiny_ignn(4, embedding="vgg19"), marks=pytest.mark.slow),
        pytest.param(tiny_ignn(kind="same_scale"), marks=pytest.mark.slow),
        EDSR_TINY,
    ],
    ids=["x3", "x4", "same_scale", "edsr"],
)
@pytest.mark.usefixtures("symbols")
def test_any_size(model):
    variables, least = random_variables(model), least_side(model)
    program = export_stablehlo(model, variables)
    lr = images(1, least, least + 7)
    sr = call(program, lr)
    np.testing.assert_allclose(sr, expected(model, variables, lr), rtol=0, atol=1e-4)
    if least > 1:
        with pytest.raises(ValueError, match="shapes"):
            call(program, images(1, least, least - 1))


@pytest.mark.usefixtures("symbols")
def test_one_size_and_any_number():
    model = tiny_ignn(window=0)
    variables = random_variables(model)
    program = export_stablehlo(model, variables, shape=(17, 12))
    for batch in (1, 3):
        lr = images(batch, 17, 12)
        sr = call(program, lr)
        np.testing.assert_allclose(
            sr, expected(model, variables, lr), rtol=0, atol=1e-4
        )


@pytest.mark.parametrize(
    "model",
    [tiny_ignn(window=0), tiny_ignn(kind="non_local"), tiny_ignn(window=1)],
)
def test_networks_that_need_a_size(model):
    with pytest.raises(InputError, match="give its height and width") as error:
        export_stablehlo(model, {})
    assert error.value.field == "shape"


def test_onnx_without_jax2onnx_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    with pytest.raises(InputError, match=r"pip install 'ignn-jax\[onnx\]'"):
        export_onnx(EDSR_TINY, {}, shape=(8, 8))


@pytest.mark.parametrize(
    "model",
    [
        tiny_ignn(embedding="vgg19"),
        pytest.param(tiny_ignn(3, window=0), marks=pytest.mark.slow),
        EDSR_TINY,
    ],
    ids=["x2", "x3", "edsr"],
)
@pytest.mark.filterwarnings("ignore")  # of others, which ours are not responsible for
def test_onnx(tmp_path, model, capfd):
    pytest.importorskip("jax2onnx", reason="the extra [onnx] is not installed")
    onnxruntime = pytest.importorskip("onnxruntime")
    if jax.__version_info__ >= (0, 12):
        pytest.skip("jax2onnx 0.17 does not know JAX 0.12")
    variables = random_variables(model)
    save(tmp_path / "a.safetensors", model, variables)
    path = tmp_path / "net.onnx"
    options = ["--weights", str(tmp_path / "a.safetensors"), "-o", str(path)]
    # On a machine with a GPU, whose programs jax2onnx does not know.
    with mock.patch.object(jax, "default_backend", return_value="gpu"):
        assert main(["export", *options, "--shape", "26x33"]) == 0
    lr = images(1, 26, 33)
    session = onnxruntime.InferenceSession(path)
    (sr,) = session.run(["sr"], {"lr": lr.transpose(0, 3, 1, 2) / np.float32(255)})
    np.testing.assert_allclose(
        255 * sr.transpose(0, 2, 3, 1),
        expected(model, variables, lr),
        rtol=0,
        atol=1e-3,
    )
    out, err = capfd.readouterr()
    assert (
        out == f"{path}: x{model.scale}, takes RGB, float32 [1, 3, 26, 33] in [0, 1]\n"
    )
    assert not err  # onnxruntime finds nothing to warn of
