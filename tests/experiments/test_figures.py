"""The figures, on small pictures and networks."""

import re

import numpy as np
import pytest
from PIL import Image

from experiments import figure1, figure3, figure4, figure5
from ignn_jax.evaluation.metrics import psnr
from ignn_jax.inference.upscalers import bicubic_upscaler, upscaler
from ignn_jax.models import EDSR
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.reader import read_rgb
from ignn_jax.weights.network import load, save
from tests.networks import random_variables, save_pictures, tiny_ignn

PROGRAMS = {"1": figure1, "3": figure3, "4": figure4, "5": figure5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A picture `0.png`, and weights of an IGNN and of an EDSR."""
    folder = save_pictures(tmp_path_factory.mktemp("figures"), count=1, side=96)
    edsr = EDSR(scale=2, features=4, num_blocks=1)
    for name, model in {"ignn": tiny_ignn(), "edsr": edsr}.items():
        save(folder / name, model, random_variables(model))
    return folder


@pytest.fixture
def drawn(folder, monkeypatch, tmp_path):
    """Runs a program in this process; returns its figure, and its PNG's pixels."""

    def draw(number, *options):
        figures = []
        module, png = PROGRAMS[number], tmp_path / "figure.png"

        def keep(args):
            figures.append(module.draw(args))
            return figures[0]

        arguments = [folder / "0.png", "-o", png, *options]
        if "--weights" not in options:
            arguments += ["--weights", folder / "ignn"]
        status = module.main.func(
            keep, *module.main.args[1:], argv=list(map(str, arguments))
        )
        assert status == 0
        return figures[0], np.asarray(Image.open(png).convert("RGB"))

    return draw


def images(figure):
    return [np.asarray(axes.get_images()[0].get_array()) for axes in figure.axes]


def captions(figure):
    return [text.get_text() for text in figure.texts]


def is_shown(crop, factor, pixels):
    """Whether a PNG holds a crop, each of its pixels magnified by this factor."""
    large = crop.repeat(factor, 0).repeat(factor, 1)
    height, width = large.shape[:2]
    first = np.all(np.abs(pixels.astype(int) - large[0, 0]) <= 1, axis=-1)
    return any(
        np.abs(pixels[y : y + height, x : x + width].astype(int) - large).max() <= 1
        for y, x in np.argwhere(first[: 1 - height, : 1 - width])
    )


def test_figure_3_shows_every_method_and_its_psnr(folder, drawn):
    weights = [folder / "edsr", folder / "ignn"]
    place = ["--at", "50,40", "--side", "32"]
    figure, pixels = drawn("3", "--weights", *weights, "--ensemble", *place)
    hr = read_rgb(folder / "0.png")
    lr = imresize(hr, scale=1 / 2)
    model, variables = load(folder / "ignn")
    expected = {
        "bicubic": bicubic_upscaler(2)(lr),
        "EDSR edsr": upscaler(*load(folder / "edsr"))(lr),
        "IGNN ignn": upscaler(model, variables)(lr),
        "IGNN+": upscaler(model, variables, ensemble=True)(lr),
    }
    where = slice(40 - 16, 40 + 16), slice(50 - 16, 50 + 16)
    photograph, *crops = images(figure)
    np.testing.assert_array_equal(photograph, hr)
    title, name, *written = captions(figure)
    assert "x2" in title
    assert (name, written.pop()) == ("0", "HR")
    np.testing.assert_array_equal(crops.pop(), hr[where])
    for crop, caption, (method, image) in zip(
        crops, written, expected.items(), strict=True
    ):
        np.testing.assert_array_equal(crop, image[where])
        assert caption == f"{method}\n{psnr(image, hr, border=2):.2f} dB"
    assert is_shown(crops[0], 288 // 32, pixels)
    [box] = figure.axes[0].patches
    assert box.get_bbox().bounds == (50 - 16 - 0.5, 40 - 16 - 0.5, 32, 32)


def test_figure_4_shows_where_the_graph_gains_and_loses(folder, drawn):
    figure, pixels = drawn("4", "--side", "16")
    crops, (_, *written) = images(figure), captions(figure)
    assert len(crops) == len(written) == 8
    scores = [re.search(r"\n(.*) dB", text) for text in written]
    scores = [float(found[1]) for found in scores if found]
    for row in (0, 4):
        *methods, hr = crops[row : row + 4]
        for method, caption in zip(methods, written[row:], strict=False):
            assert caption.endswith(f"\n{psnr(method, hr, border=0):.2f} dB")
            assert is_shown(method, 288 // 16, pixels)
    (bicubic, above, _), (worse, below, _) = scores[:3], scores[3:]
    assert above - bicubic > below - worse


def test_figure_5_shows_channels_and_measures_them(folder, drawn):
    figure, pixels = drawn("5", "--channels", "2", "0", "--side", "48")
    crops, (_, *written) = images(figure), captions(figure)
    assert [crop.shape for crop in crops] == [(48, 48)] * 6
    assert [text.split(",")[0] for text in written] == ["channel 2"] * 3 + [
        "channel 0"
    ] * 3
    assert written[0].splitlines()[1].startswith("detail 1.00, drift 0.")
    assert is_shown(crops[1][..., None].repeat(3, -1), 288 // 48, pixels)


def test_figure_1_outlines_the_same_patches_in_both_sizes(folder, drawn):
    figure, _ = drawn("1", "--at", "40,30")
    photograph, part, small, *panels = figure.axes if figure.axes else []
    hr = read_rgb(folder / "0.png")
    np.testing.assert_array_equal(photograph.get_images()[0].get_array(), hr)
    query, *dashed = part.patches
    assert query.get_linestyle() == "-"
    assert [box.get_linestyle() for box in dashed] == ["--", "--"]
    assert [box.get_linestyle() for box in small.patches] == ["-", "-"]
    for large, box in zip(dashed, small.patches, strict=True):
        # Pixel n extends from n - 0.5 to n + 0.5, of either image.
        x, y = (2 * (n + 0.5) - 0.5 for n in box.get_xy())
        assert large.get_xy() == (x, y)
        assert large.get_width() == 2 * box.get_width() == 6
    assert len(panels) == 2 * 3


@pytest.mark.parametrize(
    ("number", "options", "words"),
    [
        ("1", ["--at", "99,9"], "--at: 99,9 is outside"),
        ("3", ["--at", "99,9"], "--at: 99,9 is outside"),
        ("3", ["--weights", "none"], "none: no such weights file"),
        ("4", ["--weights", "EDSR"], "--weights: EDSR: give an IGNN"),
        ("5", ["--channels", "4"], "--channels: 4: give numbers from 0 to 3"),
        ("5", ["-o", "figure.jpg"], "--output: figure.jpg: give a name that ends in"),
    ],
)
def test_mistakes_are_one_line(folder, tmp_path, capsys, number, options, words):
    arguments = [folder / "0.png", "-o", tmp_path / "f.png", "--weights"]
    options = [str(folder / "edsr") if x == "EDSR" else x for x in options]
    argv = list(map(str, [*arguments, folder / "ignn", *options]))
    assert PROGRAMS[number].main(argv=argv) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert words.replace("EDSR", str(folder / "edsr")) in line
    assert not (tmp_path / "f.png").exists()
