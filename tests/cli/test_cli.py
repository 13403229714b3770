"""The command line, with a network too small to be good at anything."""

import configparser
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import ignn_jax
from ignn_jax.cli import main
from ignn_jax.models import EDSR
from ignn_jax.weights.find import FILENAME
from ignn_jax.weights.network import save
from tests.networks import REPOSITORY, random_variables, run, save_pictures, tiny_ignn

COMMANDS = (
    *("upscale", "explain", "evaluate", "weights", "convert", "export", "plot", "data"),
)


def save_network(folder, model):
    save(folder / FILENAME, model, random_variables(model), step=1)
    return folder


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """The workdir of an EDSR, which compiles faster than an IGNN."""
    model = EDSR(scale=2, features=4, num_blocks=1)
    return save_network(tmp_path_factory.mktemp("workdir"), model)


@pytest.fixture
def pictures(tmp_path):
    return save_pictures(tmp_path / "pictures", count=2, side=32)


def call(*args):
    return main([str(arg) for arg in args])


def size(path):
    with Image.open(path) as image:
        return image.size


def refused(capsys, *args):
    """The line that a wrong command line prints."""
    try:
        status = call(*args)
    except SystemExit as error:  # argparse's, which prints the usage first
        status = error.code
    assert status == 2
    out, err = capsys.readouterr()
    assert not out
    lines = [x for x in err.splitlines() if not x.startswith((" ", "usage:"))]
    assert len(lines) == 1
    assert lines[0].startswith("ignn-jax")
    return lines[0]


def test_upscale_a_file(pictures, tmp_path):
    weights, output = save_network(tmp_path, tiny_ignn()), tmp_path / "out.png"
    assert call("upscale", pictures / "0.png", "-o", output, "--weights", weights) == 0
    assert size(output) == (64, 64)


def test_upscale_a_folder(workdir, pictures):
    weights = workdir / FILENAME
    assert call("upscale", pictures, "--weights", weights, "--tile", "whole") == 0
    folder = pictures.with_name("pictures_x2")
    assert {path.name: size(path) for path in folder.iterdir()} == {
        "0.png": (64, 64),
        "1.png": (64, 64),
    }


def test_gray_stays_gray(workdir, pictures, tmp_path):
    gray, output = tmp_path / "gray.png", tmp_path / "out.png"
    with Image.open(pictures / "0.png") as image:
        image.convert("L").save(gray)
    assert call("upscale", gray, "-o", output, "--weights", workdir) == 0
    with Image.open(output) as image:
        assert (image.mode, image.size) == ("L", (64, 64))


def test_an_existing_file_is_replaced_only_if_allowed(workdir, pictures, capsys):
    source, target = pictures / "0.png", pictures / "1.png"
    before = target.read_bytes()
    args = ("upscale", source, "-o", target, "--weights", workdir)
    assert call(*args) == 1
    assert str(target) in capsys.readouterr().err
    assert target.read_bytes() == before
    assert call(*args, "--overwrite") == 0
    assert size(target) == (64, 64)


def test_the_options_of_upscale(workdir, pictures, tmp_path):
    with Image.open(pictures / "0.png") as image:
        image.save(pictures / "0.png", dpi=(300, 300))
    options = [
        *("--scale", 2, "--outscale", 2.5, "--format", "webp", "--quality", 80),
        *("--tile", 48, "--ensemble", "--device", "cpu", "--dtype", "bfloat16"),
        *("--strip", "--max-pixels", 32 * 32),
    ]
    pattern, output = pictures / "*.png", tmp_path / "out"
    command = ("upscale", pattern, "-o", output, "--weights", workdir, *options)
    assert call(*command) == 0
    assert {path.name: size(path) for path in output.iterdir()} == {
        "0.webp": (80, 80),
        "1.webp": (80, 80),
    }
    before = [path.stat().st_mtime_ns for path in sorted(output.iterdir())]
    assert call(*command, "--skip-existing") == 0
    assert before == [path.stat().st_mtime_ns for path in sorted(output.iterdir())]
    assert call(*command[:-1], 32 * 32 - 1, "--overwrite") == 1


def test_output_names_tell_the_size(workdir, pictures):
    picture = pictures / "0.png"
    for option in (("--width", 50), ("--size", "50X40"), ("--outscale", "3")):
        assert call("upscale", picture, "--weights", workdir, *option) == 0
    sizes = {path.stem: size(path) for path in pictures.glob("0_*.png")}
    assert sizes == {"0_w50": (50, 50), "0_50x40": (40, 40), "0_x3": (96, 96)}


def test_a_comparison(workdir, pictures, tmp_path, capsys):
    picture, sheet = pictures / "0.png", tmp_path / "sheet.png"
    options = ("--weights", workdir, "-o", tmp_path / "a.png", "--comparison")
    assert call("upscale", picture, *options, sheet) == 0
    assert str(sheet) in capsys.readouterr().out
    before = sheet.read_bytes()
    for path, words in (
        (sheet, "exists already"),
        (tmp_path / "b.jpg", "ends in .png"),
        (tmp_path / "none" / "b.png", "no folder"),
    ):
        assert words in refused(capsys, "upscale", picture, *options, path)
    for path, words in ((picture, "input"), (tmp_path / "a.png", "picture")):
        again = ("upscale", picture, *options, path, "--overwrite")
        assert f"is the {words}; give another name" in refused(capsys, *again)
    options = (pictures, "--weights", workdir, "--comparison", tmp_path / "b.png")
    assert "not of 2" in refused(capsys, "upscale", *options)
    assert sheet.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {
        *("a.png", "sheet.png", "pictures")
    }


def test_unusable_weights(workdir, pictures, tmp_path, capsys):
    command = ("upscale", pictures, "--weights")
    assert "is a network for x2" in refused(capsys, *command, workdir, "--scale", 3)
    model = EDSR(scale=2, features=4, num_blocks=1)
    variables = random_variables(model)
    variables["params"]["tail"]["bias"][0] = np.nan
    save(tmp_path / "nan.safetensors", model, variables)
    line = refused(capsys, *command, tmp_path / "nan.safetensors")
    assert "params/tail/bias is not finite" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "nan.safetensors",
        "pictures",
    ]


def test_a_killed_run_leaves_no_half_picture_and_goes_on(workdir, pictures, tmp_path):
    """It is killed just before it renames the second picture."""
    program = """if True:
        import os, signal, sys
        replace = os.replace
        def kill(temporary, target):
            if str(target).endswith("1.png"):
                os.kill(os.getpid(), signal.SIGKILL)
            replace(temporary, target)
        os.replace = kill
        from ignn_jax.cli import main
        sys.exit(main(sys.argv[1:]))"""
    output = tmp_path / "out"
    command = ("upscale", pictures, "-o", output, "--weights", workdir)
    assert run("-c", program, *command).returncode == -signal.SIGKILL
    assert [path.name for path in output.glob("*.png")] == ["0.png"]
    assert call(*command, "--skip-existing") == 0
    assert size(output / "0.png") == size(output / "1.png") == (64, 64)


def test_evaluate_a_folder(workdir, pictures, capsys):
    assert call("evaluate", "--weights", workdir, "--data", pictures) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["0", "1", "mean"]
    assert all(line.count(" dB / ") == 2 for line in lines[-3:])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "COMMAND"),
        (("downscale",), "downscale"),
        (("upscale",), "PICTURE"),
        (("evaluate", "--data", "a"), "--weights"),
        (("weights", "none"), "none: no such weights file"),
        (("upscale", "a.png", "--weights", "none"), "none: no such weights file"),
        (("upscale", "a.png", "--weights", "none", "--quality", "0"), "between 1"),
        (("upscale", "a.png", "--weights", "none", "--quality", "high"), "high"),
        (("upscale", "a.png", "--weights", "none", "--outscale", "0"), "positive"),
        (("upscale", "a.png", "--weights", "none", "--size", "800"), "--size"),
        (("upscale", "a.png", "--weights", "none", "--format", "gif"), "png, jpg"),
        (
            ("upscale", "a.png", "--weights", "none", "--size", "8x8", "--width", "8"),
            "not allowed with",
        ),
        (("evaluate", "--weights", "none", "--data", "none"), "none"),
        (("convert", "a.pth", "-o", "b", "--scale", "5"), "--scale"),
        (("convert", "a.pth"), "--output: give one file"),
        (("convert", "a.pth", "b", "-o", "b"), "--output: give one file"),
        (("convert", "a", "b", "--layout", "edsr"), "--layout: is for the other"),
        (("convert", "a", "b", "--to", "torch", "--scale", "2"), "--scale: is for"),
        (("convert", "tiny-x2", "b"), "tiny-x2: weights of this package already; to"),
        (("convert", "tiny-x2", "b"), "add --to torch"),
        (("convert", "tiny-x2", "b", "--to", "torch"), "tiny-x2: sczhou/IGNN has no"),
        (("weights", "none", "--verify"), "none: no such weights file"),
        (("export", "--weights", "tiny-x2", "-o", "a.onnx"), "--shape: an ONNX file"),
        (("export", "--weights", "tiny-x2", "-o", "a", "--shape", "9"), "such as 256x"),
        (("export", "--weights", "tiny-x2", "-o", "none/a"), "--output: none/a: no"),
    ],
)
def test_a_mistake_is_one_line(capsys, args, words):
    assert words in refused(capsys, *args)


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        call("--version")
    assert end.value.code == 0
    assert capsys.readouterr().out == f"ignn-jax {ignn_jax.__version__}\n"


@pytest.mark.parametrize("missing", ["a.png", "folder/"])
def test_a_missing_picture_is_one_line(workdir, tmp_path, capsys, missing):
    path = tmp_path / missing
    assert str(path) in refused(capsys, "upscale", path, "--weights", workdir)


def test_module_and_console_script_are_one_program():
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    scripts = setup["options.entry_points"]["console_scripts"].split("\n")
    assert "ignn-jax = ignn_jax.cli:main" in scripts
    done = run("-m", "ignn_jax", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ignn-jax ")
    for command in COMMANDS:
        assert f" {command} " in done.stdout
    if script := shutil.which("ignn-jax"):
        assert run(script, "--help").stdout == done.stdout


def test_a_closed_pipe():
    """As in `ignn-jax weights tiny-x2 | head -0`."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "ignn_jax", "weights", "tiny-x2"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_the_module_ends_with_the_status():
    done = run("-m", "ignn_jax", "upscale", "a.png", "--weights", "none")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_the_package_imports_without_jax():
    program = "import ignn_jax, sys; sys.exit('jax' in sys.modules)"
    assert run("-c", program).returncode == 0
