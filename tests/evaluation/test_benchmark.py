"""`ignn-jax evaluate` on small files, end to end."""

import csv
import hashlib
import itertools
import json
import re

import jax
import numpy as np
import pytest
from PIL import Image

from ignn_jax.cli import main
from ignn_jax.data.benchmarks import find_benchmark
from ignn_jax.evaluation.benchmark import evaluate_benchmark
from ignn_jax.evaluation.metrics import psnr, ssim
from ignn_jax.evaluation.setup import Method, Setup
from ignn_jax.inference.upscalers import bicubic_upscaler, upscaler
from ignn_jax.models import EDSR, IGNN, GraphConfig
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.reader import read_rgb
from ignn_jax.weights.find import FILENAME
from ignn_jax.weights.network import load, save


def save_network(folder, model):
    """A workdir with a network's weights, drawn without tracing its forward pass."""
    lr = jax.ShapeDtypeStruct((1, 8, 8, 3), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), lr)
    rng = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda x: rng.normal(0, 0.05, x.shape).astype(np.float32), shapes
    )
    save(folder / FILENAME, model, variables, step=7)
    return folder


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    graph = GraphConfig(position=1, window=8, embedding="rgb")
    model = IGNN(scale=2, features=8, num_blocks=2, graph=graph)
    return save_network(tmp_path_factory.mktemp("ignn"), model)


@pytest.fixture
def root(tmp_path):
    """Two sets: one with its LR images, one without."""
    for n, name in enumerate(("a", "b")):
        hr = picture(seed=n)
        save_image(tmp_path / "One" / "HR" / f"{name}.png", hr)
        lr = imresize(hr, scale=1 / 2, padding="replicate")
        save_image(tmp_path / "One" / "LR_bicubic" / "X2" / f"{name}x2.png", lr)
        save_image(tmp_path / "Two" / f"{name}.png", hr)
    return tmp_path


def picture(height=32, width=32, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 4, width // 4, 3)).astype(np.uint8)
    return imresize(coarse, size=(height, width))


def save_image(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def evaluate(*args):
    return main(["evaluate", *map(str, args)])


def mean_of(output, method=0):
    """(PSNR, SSIM) as printed in the line of the means."""
    line = next(x for x in output.splitlines() if x.startswith("mean"))
    return re.findall(r"([\d.]+) dB / ([\d.]+)", line)[method]


def assert_close(means, db, similarity):
    assert float(means[0]) == pytest.approx(db, abs=0.0101)
    assert float(means[1]) == pytest.approx(similarity, abs=1.01e-4)


@pytest.mark.parametrize(
    ("name", "scale", "db", "similarity"),
    [
        ("Set5", 2, 33.68, 0.9305),
        ("Set5", 3, 30.40, 0.8690),
        ("Set5", 4, 28.43, 0.8113),
        ("Set14", 4, 26.09, 0.7050),
    ],
)
def test_bicubic_has_its_known_scores(images, capsys, name, scale, db, similarity):
    root = images / "benchmark"
    args = ("--weights", "bicubic", "--scale", scale, "--data", root, "--sets", name)
    assert evaluate(*args) == 0
    output = capsys.readouterr().out
    measured = [float(value) for value in mean_of(output)]
    # The given LR images were made with replicated edges, the known scores come from
    # LR images with symmetric padding.
    assert measured == [
        pytest.approx(db, abs=0.011),
        pytest.approx(similarity, abs=2e-4),
    ]
    assert "LR given" in output


def test_made_lr_images_give_the_known_scores(images, tmp_path, capsys):
    for n in range(1, 6):
        name = f"img_{n:03}_SRF_2_HR.png"
        source = images / "benchmark" / "Set5" / "image_SRF_2" / name
        save_image(tmp_path / "Set5" / f"{n}.png", read_rgb(source))
    args = ("--weights", "bicubic", "--scale", 2, "--data", tmp_path / "Set5")
    assert evaluate(*args) == 0
    output = capsys.readouterr().out
    measured = [float(value) for value in mean_of(output)]
    assert measured == [
        pytest.approx(33.68, abs=0.005),
        pytest.approx(0.9305, abs=1e-4),
    ]
    assert "LR made by MATLAB's bicubic" in output
    # Bicubic minus the paper's own network: 38.24 and 0.9613.
    assert re.search(
        r"^IGNN +38.24 dB / 0.9613 +-4.56 dB / -0.03", output, re.MULTILINE
    )


def test_everything_is_written(root, workdir, tmp_path, capsys):
    out = tmp_path / "out"
    args = ("--weights", workdir, "--data", root, "--sets", "One,Two")
    files = [
        ("--json", tmp_path / "e.json"),
        ("--csv", tmp_path / "e.csv"),
        ("--report", tmp_path / "e.html"),
        ("--save-images", out),
    ]
    assert evaluate(*args, *itertools.chain(*files)) == 0
    output = capsys.readouterr().out
    assert "One, x2" in output
    assert "LR given" in output
    assert "LR made" in output

    content = json.loads((tmp_path / "e.json").read_text())
    digest = hashlib.sha256((workdir / FILENAME).read_bytes()).hexdigest()
    assert content["weights"]["sha256"] == digest
    assert content["weights"]["header"]["step"] == 7
    assert (content["scale"], content["tile"], content["ensemble"]) == (2, 0, False)
    assert set(content["versions"]) >= {"ignn_jax", "jax", "numpy", "Python"}
    assert any("border of 2 pixels" in line for line in content["protocol"])
    assert [part["name"] for part in content["sets"]] == ["One", "Two"]

    sr = read_rgb(out / "Two" / "a_x2.png")
    hr = read_rgb(root / "Two" / "a.png")
    [image, _] = content["sets"][1]["images"]
    assert (image["name"], image["lr"]) == ("a", "made")
    assert image["scores"]["IGNN"] == {
        "psnr": psnr(sr, hr, border=2),
        "ssim": ssim(sr, hr, border=2),
    }

    lines = (tmp_path / "e.csv").read_text().splitlines()
    header = [line for line in lines if line.startswith("# ")]
    assert f"# weights: {json.dumps(content['weights'])}" in header
    rows = list(csv.DictReader(lines[len(header) :]))
    assert len(rows) == 2 * (2 + 1) * 2
    for row in rows:
        part = content["sets"][["One", "Two"].index(row["set"])]
        scores = {image["name"]: image["scores"] for image in part["images"]}
        scores["mean"] = part["means"]
        expected = scores[row["image"]][row["method"]]
        assert float(row["psnr"]) == expected["psnr"]
        assert float(row["ssim"]) == expected["ssim"]
    assert "<html" in (tmp_path / "e.html").read_text()


def test_a_truncated_file_fails_alone(root, tmp_path, capsys):
    bad = root / "Two" / "b.png"
    bad.write_bytes(bad.read_bytes()[:200])
    save_image(root / "Two" / "c.png", picture(seed=3))
    save_image(root / "Two" / "tiny.png", picture(12, 40))
    (root / "One" / "LR_bicubic" / "X2" / "bx2.png").unlink()
    args = ("--weights", "bicubic", "--scale", 2, "--data", root, "--sets", "One,Two")
    files = ("--json", tmp_path / "e.json", "--report", tmp_path / "e.html")
    assert evaluate(*args, *files) == 1
    captured = capsys.readouterr()
    errors = captured.err.splitlines()
    assert "3 of 6 failed:" in errors
    assert f"{root}/One/HR/b.png: its LR image is missing" in errors
    assert any("Two/b.png: cannot be decoded" in line for line in errors)
    assert any("Two/tiny.png" in line and "too few" in line for line in errors)
    content = json.loads((tmp_path / "e.json").read_text())
    names = [[i["name"] for i in part["images"]] for part in content["sets"]]
    assert names == [["a"], ["a", "c"]]
    assert [len(part["failures"]) for part in content["sets"]] == [1, 2]
    assert "Two/b.png" in (tmp_path / "e.html").read_text()


def test_an_image_that_does_not_fit_into_memory_fails_alone(root):
    save_image(root / "Two" / "c.png", picture(64, 64))

    def upscale(lr):
        if lr.shape[0] > 16:
            raise MemoryError
        return bicubic_upscaler(2)(lr)

    setup = Setup(2, (Method("Net", upscale),))
    result = evaluate_benchmark(setup, find_benchmark(root / "Two", scale=2))
    assert [image.name for image in result.images] == ["a", "b"]
    assert result.failures == [f"{root}/Two/c.png: out of memory; try a smaller tile"]


def test_a_set_in_which_all_fail(tmp_path, capsys):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(b"no image")
    files = itertools.chain(
        *((f"--{kind}", tmp_path / kind) for kind in ("json", "csv", "report"))
    )
    args = ("--weights", "bicubic", "--scale", 2, "--data", tmp_path / "set", *files)
    assert evaluate(*args) == 1
    assert "no image was scored" in capsys.readouterr().out
    assert json.loads((tmp_path / "json").read_text())["sets"][0]["means"] == {}


def test_identical_images_are_valid_json(tmp_path):
    save_image(tmp_path / "set" / "flat.png", np.full((32, 32, 3), 90, np.uint8))
    save_image(tmp_path / "set" / "b.png", picture())
    files = ("--json", tmp_path / "e.json", "--report", tmp_path / "e.html")
    args = ("--weights", "bicubic", "--scale", 2, "--data", tmp_path / "set", *files)
    assert evaluate(*args) == 0

    def refuse(constant):
        raise AssertionError(constant)

    text = (tmp_path / "e.json").read_text()
    content = json.loads(text, parse_constant=refuse)["sets"][0]
    assert content["images"][1]["scores"]["bicubic"] == {"psnr": "inf", "ssim": 1.0}
    assert content["means"]["bicubic"]["psnr"] == "inf"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--weights", "bicubic"), "--scale: is needed where"),
        (("--weights", "bicubic", "--scale", 2, "--ensemble"), "--ensemble: has no"),
        (("--weights", "bicubic", "--scale", 2, "--tile", 64), "--tile: has no"),
        (
            ("--weights", "{workdir}", "--scale", 3),
            "--scale: .* network for x2, not x3",
        ),
        (("--weights", "{workdir}", "--tile", -20), "-20 is not the side of a tile"),
        (("--weights", "{root}/none"), "no such weights file"),
        (("--weights", "{workdir}", "--sets", "Three"), "which holds One, Two"),
        (("--weights", "{workdir}", "--json", "{root}/no/e.json"), "no folder"),
        (("--weights", "{workdir}", "--csv", "{root}"), "is a folder"),
        (("--weights", "{workdir}", "--report", "/proc/e"), "cannot be written"),
        (
            ("--weights", "{workdir}", "--json", "{root}/e", "--csv", "{root}/e"),
            "--csv: .*e: is another output's file",
        ),
        (("--weights", "{workdir}", "--save-images", "/proc/e"), "cannot be made"),
    ],
)
def test_mistakes_are_one_line_before_any_work(root, workdir, capsys, args, message):
    args = [str(arg).format(root=root, workdir=workdir) for arg in args]
    before = sorted(root.rglob("*"))
    assert evaluate("--data", root, *args) == 2
    captured = capsys.readouterr()
    assert re.search(message, captured.err)
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""
    assert sorted(root.rglob("*")) == before


def test_ensemble_and_tiles_on_the_command_line(root, tmp_path, capsys):
    workdir = save_network(tmp_path, EDSR(scale=2, features=8, num_blocks=2))
    args = ("--weights", workdir, "--data", root / "Two", "--ensemble")
    assert evaluate(*args, "--save-images", tmp_path / "out") == 0
    assert "EDSR+" in capsys.readouterr().out
    model, variables = load(workdir)
    upscale = upscaler(model, variables, tile=0, ensemble=True)
    lr = imresize(read_rgb(root / "Two" / "a.png"), scale=1 / 2)
    saved = read_rgb(tmp_path / "out" / "Two" / "a_x2.png")
    assert np.abs(saved.astype(int) - upscale(lr)).max() <= 1
    assert evaluate(*args[:-1], "--tile", 33, "--scale", 2) == 0


def test_lr_images_of_another_folder_are_named(tmp_path, capsys):
    for n in range(2):
        hr = np.random.default_rng(n).integers(0, 256, (40, 48, 3), np.uint8)
        save_image(tmp_path / "HR" / f"{n}.png", hr)
        save_image(tmp_path / "LR_unknown" / "X2" / f"{n}x2.png", hr[::2, ::2])
    args = ("--weights", "bicubic", "--scale", 2, "--json", tmp_path / "scores.json")
    assert evaluate(*args, "--data", tmp_path / "HR") == 2
    assert "LR_unknown to use them" in capsys.readouterr().err
    apart = f"{tmp_path}/HR|{tmp_path}/LR_unknown"
    assert evaluate(*args, "--data", apart) == 0
    where = f"LR given, from {tmp_path}/LR_unknown/X2"
    assert f"2 images of {tmp_path}/HR; {where}\n" in capsys.readouterr().out
    (part,) = json.loads((tmp_path / "scores.json").read_text())["sets"]
    assert (part["name"], part["lr"]) == ("HR", where)


def test_originals_are_not_replaced(root, workdir, capsys):
    """Neither by the results, nor by upscaled images."""
    picture, weights = root / "Two" / "a.png", workdir / FILENAME
    lr = root / "One" / "LR_bicubic" / "X2" / "ax2.png"
    before = [path.read_bytes() for path in (picture, lr, weights)]
    for path in (picture, weights):
        options = ("--data", root / "Two", "--weights", weights, "--json", path)
        assert evaluate(*options) == 2
        assert f"--json: {path}: is the input" in capsys.readouterr().err
    (root / "saved").mkdir()
    (root / "saved" / "One").symlink_to(lr.parent)
    lr.rename(lr.with_name("a_x2.png"))  # as an upscaled image is called
    options = ("--data", root / "One", "--weights", "bicubic", "--scale", 2)
    assert evaluate(*options, "--save-images", root / "saved") == 1
    assert "a_x2.png: is an original" in capsys.readouterr().err
    after = [path.read_bytes() for path in (picture, lr.with_name("a_x2.png"), weights)]
    assert before == after
    assert (root / "saved" / "One" / "b_x2.png").exists()
