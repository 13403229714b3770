"""A folder of files that upscalers and image libraries are known to get wrong.

All are upscaled at once. Each result shows what its original shows, and the summary is
true. `faults/` holds small files of these kinds; the others are made here.
"""

import collections
import shutil
from pathlib import Path

import imagecodecs
import numpy as np
import png
import pytest
import tifffile
from PIL import Image

from ignn_jax.cli import main
from ignn_jax.data.benchmarks import find_benchmark, read_pair
from ignn_jax.data.cache import load_pairs
from ignn_jax.data.sources import find_images
from ignn_jax.inference import network
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.reader import read_picture, read_rgb
from ignn_jax.pictures.writer import write_picture
from tests.pictures import test_described
from tests.pictures.samples import SRGB, noise, twice
from tests.pictures.test_variants import RAW

FAULTS = Path(__file__).with_name("faults")


@pytest.fixture
def folder(tmp_path):
    """The files, and the names of those that cannot be upscaled."""
    folder = tmp_path / "in"
    shutil.copytree(FAULTS, folder)
    profile = SRGB + np.random.default_rng(0).bytes(1_300_000)
    Image.open(FAULTS / "pano_xmp.jpg").save(
        folder / "big_icc.jpg", icc_profile=profile
    )
    (folder / "linear.heic").write_bytes(test_described.heif(8, 1))
    (folder / "hdr.png").write_bytes(test_described.png(test_described.PQ))
    write_picture(Picture(noise(6, 5, 4, dtype=np.uint16)), folder / "deep.png")
    bad = {
        "camera.nef": RAW["a preview"],
        "camera.tif": RAW["DNG"],
        "cut.png": (FAULTS / "gama_linear.png").read_bytes()[:999],
        "empty.jpg": b"",
        "text.webp": b"not a picture",
        "page.tif": imagecodecs.zlib_encode(b"II*\0"),
    }
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "folder.png").mkdir()
    (folder / ("n" * 251 + ".png")).symlink_to(folder / "deep.png")
    (folder / "notes.txt").write_text("passed over")
    return folder, {*bad, "loop.png"}


def run(folder, output, monkeypatch, capsys, *options):
    """Runs the command with a stand-in for the network.

    Returns:
      The targets and the notes by the names of their sources, the numbers of the
      summary, and the names of the files that failed.
    """
    monkeypatch.setattr(
        network, "TiledNetwork", lambda *_, **__: lambda image, progress: twice(image)
    )
    status = main(["upscale", str(folder), "-o", str(output), *options])
    out, err = capsys.readouterr()
    done = {}
    for line in out.splitlines():
        source, _, target = line.partition(" -> ")
        done[Path(source).name] = Path(target)
    lines = [line for line in err.splitlines() if not line.startswith("Weights")]
    (start,) = (n for n, line in enumerate(lines) if line.startswith("done "))
    summary = {
        line.split()[0]: int(line.split()[1].strip(",")) for line in lines[start:][:3]
    }
    notes = collections.defaultdict(list)
    for line in lines[:start]:
        name, _, note = line.partition(": ")
        notes[Path(name).name].append(note)
    failed = {Path(line.partition(": ")[0]).name for line in lines[start + 3 :]}
    assert status == (1 if failed else 0)
    return done, notes, summary, failed


@pytest.mark.parametrize("suffix", [None, "png", "jpg", "tif", "bmp"])
def test_all_at_once(folder, tmp_path, monkeypatch, capsys, suffix):
    folder, bad = folder
    options = ("--format", suffix) if suffix else ()
    output = tmp_path / "out"
    done, notes, summary, failed = run(folder, output, monkeypatch, capsys, *options)
    if suffix not in (None, "png"):
        bad = bad | {"hdr.png"}
    names = {path.name for path in folder.iterdir()} - {"notes.txt", "folder.png"}
    assert failed == bad
    assert done.keys() == names - bad
    assert summary == {"done": len(done), "skipped": 0, "failed": len(bad)}
    written = [path for path in output.rglob("*") if path.is_file()]
    assert sorted(written) == sorted(done.values())
    assert notes.keys() <= done.keys()
    lossy = suffix in ("jpg", "bmp")

    def check(name, expected, tolerance):
        picture = read_picture(done[name])
        samples = picture.samples * (255 / np.iinfo(picture.samples.dtype).max)
        expected = np.broadcast_to(twice(expected), samples.shape)
        if samples.shape[-1] == 2:
            np.testing.assert_array_equal(samples[..., 1], expected[..., 1])
            visible = samples[..., 1] > 0  # what is invisible has any color
            samples, expected = samples[visible, 0], expected[visible, 0]
        np.testing.assert_allclose(samples, expected, atol=tolerance)

    white = tifffile.imread(FAULTS / "miniswhite16.tif")[..., None]
    check("miniswhite16.tif", (65535 - white.astype(float)) / 257, 3 if lossy else 0.01)
    deep = tifffile.imread(FAULTS / "bigtiff16.tif")[..., None]
    check("bigtiff16.tif", deep / 257, 3 if lossy else 0.01)
    rows = png.Reader(bytes=(FAULTS / "g4_trns7.png").read_bytes()).read()[2]
    gray = np.array([list(row) for row in rows])[..., None]
    opaque = gray != 7
    if lossy:
        check("g4_trns7.png", np.where(opaque, gray * 17, 255), 255 * (suffix == "jpg"))
    else:
        check("g4_trns7.png", np.dstack([gray * 17, opaque * 255]), 0)
    for name in ("gama_linear.png", "cicp_p3_8.png"):
        stored = np.asarray(Image.open(FAULTS / name))
        is_linear = name == "gama_linear.png"
        shown = test_described.as_srgb(stored, *(("sRGB", 1) if is_linear else ("P3",)))
        is_converted = suffix == "bmp" or (is_linear and suffix in ("jpg", "tif"))
        expected = shown if is_converted else stored
        if suffix != "jpg":
            check(name, expected, 1 if suffix == "bmp" else 0.6)
        is_carried = suffix in (None, "png")
        assert [("gAMA" if is_linear else "cICP") in note for note in notes[name]] == (
            [] if is_carried else [True]
        )


def test_gama_linear_shows_what_the_report_says(tmp_path, monkeypatch, capsys):
    stored = np.asarray(Image.open(FAULTS / "gama_linear.png"))
    ((y, x),) = np.argwhere((stored == [80, 175, 120]).all(axis=-1))
    (tmp_path / "in").mkdir()
    shutil.copy(FAULTS / "gama_linear.png", tmp_path / "in")
    shutil.copy(FAULTS / "g4_trns7.png", tmp_path / "in")
    output = tmp_path / "out"
    run(tmp_path / "in", output, monkeypatch, capsys, "--format", "tif")
    samples = read_picture(output / "gama_linear.tif").samples
    assert samples.dtype == np.uint16
    np.testing.assert_allclose(samples[2 * y, 2 * x] / 257, [152, 216, 182], atol=0.6)


def test_training_and_evaluation_see_the_same(tmp_path):
    """White at zero, and 4 bits with a key: as positives, without the key."""
    for name in ("miniswhite16.tif", "g4_trns7.png"):
        shutil.copy(FAULTS / name, tmp_path)
    source = find_images(f"folder:{tmp_path}", scale=2)
    pairs = load_pairs(source.images, scale=2, folder=tmp_path / "cache")
    trained = {Path(pair.name).stem: pair.hr for pair in pairs}
    benchmark = find_benchmark(tmp_path, scale=2)
    evaluated = {
        Path(files.name).stem: read_pair(files, scale=2).hr for files in benchmark.pairs
    }
    white = 65535 - tifffile.imread(FAULTS / "miniswhite16.tif").astype(float)
    rows = png.Reader(bytes=(FAULTS / "g4_trns7.png").read_bytes()).read()[2]
    gray = 17 * np.array([list(row) for row in rows])
    for name, expected in (("miniswhite16", white / 257), ("g4_trns7", gray)):
        expected = np.repeat(np.rint(expected)[..., None], 3, axis=-1)
        for images in (trained, evaluated):
            np.testing.assert_array_equal(images[name], expected)
        np.testing.assert_array_equal(
            read_rgb(next(tmp_path.glob(f"{name}.*"))), expected
        )
