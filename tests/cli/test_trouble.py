"""Trouble with single files, and Ctrl-C, in real processes."""

import os
import signal
import subprocess
import sys

import pytest
from PIL import Image

from ignn_jax.models import EDSR
from ignn_jax.weights.find import FILENAME
from ignn_jax.weights.network import save
from tests.networks import random_variables, run, save_pictures

# A name that is not UTF-8, and programs that insist on it.
BYTES = os.fsdecode(b"caf\xe9.png")
STRICT = {"PYTHONIOENCODING": "utf-8:strict", "PYTHONUTF8": "1"}


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workdir")
    model = EDSR(scale=2, features=4, num_blocks=1)
    save(folder / FILENAME, model, random_variables(model))
    return folder


@pytest.fixture
def pictures(tmp_path):
    folder = save_pictures(tmp_path / "pictures", count=2, side=32)
    (folder / "1.png").rename(folder / BYTES)
    (folder / "loop.png").symlink_to("loop.png")
    return folder


def ignn_jax(*args, **environment):
    command = [sys.executable, "-m", "ignn_jax", *map(str, args)]
    environment = {**os.environ, **STRICT, **environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_a_batch_goes_on_after_trouble(workdir, pictures):
    long = pictures / f"{'n' * 251}.png"
    with Image.open(pictures / "0.png") as image:
        image.save(long)
    done = ignn_jax("upscale", f"{pictures}/*", "--weights", workdir)
    assert done.returncode == 1
    assert (pictures / "0_x2.png").exists()
    assert (pictures / BYTES).with_stem(f"{BYTES[:-4]}_x2").exists()
    assert "caf\\udce9.png -> " in done.stdout
    done, skipped, failed, first, second = done.stderr.splitlines()[-5:]
    assert (done, skipped[:10], failed) == ("done     2", "skipped  0", "failed   2")
    assert first == f"{pictures}/loop.png: cannot be read: Too many levels of " + (
        "symbolic links"
    )
    assert second.endswith("n_x2.png: cannot be written: File name too long")


def test_evaluate_goes_on_after_trouble(workdir, pictures, tmp_path):
    outputs = [tmp_path / name for name in ("a.json", "a.csv", "a.html")]
    options = zip(("--json", "--csv", "--report"), outputs, strict=True)
    done = ignn_jax(
        *("evaluate", "--data", pictures, "--weights", workdir),
        *("--save-images", tmp_path / "images"),
        *(word for pair in options for word in pair),
    )
    assert done.returncode == 1
    assert "1 of 3 failed:" in done.stderr
    assert f"{pictures}/loop.png: cannot be read" in done.stderr
    saved = os.listdir(tmp_path / "images" / "pictures")
    assert sorted(saved) == ["0_x2.png", os.fsdecode(b"caf\xe9_x2.png")]
    for output in outputs:
        assert "caf\\udce9" in output.read_text(encoding="utf-8")


def test_ctrl_c_in_a_batch_tells_what_was_done(workdir, tmp_path):
    folder = save_pictures(tmp_path / "pictures", count=3, side=32)
    program = """if True:
        import os, signal, sys
        replace = os.replace
        def interrupt(temporary, target):
            if str(target).endswith("1.png"):
                os.kill(os.getpid(), signal.SIGINT)
            replace(temporary, target)
        os.replace = interrupt
        # Shells ignore it in what they start in the background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from ignn_jax.cli import main
        sys.exit(main(sys.argv[1:]))"""
    done = run("-c", program, "upscale", folder, "--weights", workdir)
    assert done.returncode == 128 + signal.SIGINT
    assert os.listdir(tmp_path / "pictures_x2") == ["0.png"]
    assert done.stderr.splitlines()[-4:] == [
        "done     1",
        "skipped  0, which exist already",
        "failed   0",
        "stopped  before 2 of 3",
    ]


def test_no_device_of_the_kind_that_is_asked_for(workdir, pictures):
    done = ignn_jax("upscale", pictures, "--weights", workdir, JAX_PLATFORMS="nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ignn-jax: JAX finds no nonsense here, which")
    assert done.stderr.count("\n") == 1


def test_the_weights_that_are_read_are_not_replaced(workdir):
    weights = workdir / FILENAME
    before = weights.read_bytes()
    for command in (
        ("export", "--weights", workdir, "-o", weights, "--shape", "32x32"),
        ("convert", workdir, weights, "--to", "torch"),
    ):
        done = ignn_jax(*command)
        assert done.returncode == 2
        assert "is the input" in done.stderr
    assert weights.read_bytes() == before


def test_an_empty_name_is_not_this_folder(workdir, pictures):
    command = [sys.executable, "-m", "ignn_jax", "upscale", "", "--weights", workdir]
    done = subprocess.run(command, cwd=pictures, capture_output=True, text=True)
    assert done.returncode == 2
    assert "an empty name" in done.stderr
    assert not list(pictures.parent.glob("*_x2"))
