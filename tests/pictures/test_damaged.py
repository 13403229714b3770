"""Hundreds of damaged files are upscaled: each is done or reported, none half written.

The files are real ones of every format, cut, flipped and mixed by a fixed seed. They go
through the command in a process of its own, since a decoder that crashes takes its
process along.
"""

import io
import random
import re

import numpy as np
import pytest
import tifffile
from PIL import Image, features

from ignn_jax.models import EDSR
from ignn_jax.pictures.formats import FORMATS
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.writer import write_picture
from ignn_jax.weights.find import FILENAME
from ignn_jax.weights.network import save
from tests.networks import finish, random_variables, start

MUTANTS = 16  # of each file


def originals(folder):
    """Small pictures of every kind, name -> bytes."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 4), dtype=np.uint8))
    rgba = coarse.resize((24, 20), Image.Resampling.BICUBIC)
    rgb, gray = rgba.convert("RGB"), rgba.convert("L")
    turned = Image.Exif()
    turned[274], turned[271] = 6, "Maker"
    kinds = {
        "rgb.png": (rgb, {"dpi": (72, 72)}),
        "rgba.png": (rgba, {}),
        "palette.png": (rgb.quantize(16), {"transparency": 3}),
        "bits.png": (gray.convert("1"), {}),
        "turned.png": (rgb, {"exif": turned}),
        "base.jpg": (rgb, {"exif": turned}),
        "progressive.jpg": (rgb, {"progressive": True}),
        "gray.jpg": (gray, {}),
        "cmyk.jpg": (rgb.convert("CMYK"), {}),
        "lossy.webp": (rgba, {"exif": turned}),
        "lossless.webp": (rgba, {"lossless": True}),
        "rgb.bmp": (rgb, {}),
        "rgb.tif": (rgb, {"exif": turned}),
        "deflate.tif": (rgba, {"compression": "tiff_deflate"}),
        "lzw.tif": (gray, {"compression": "tiff_lzw"}),
        "group4.tif": (gray.convert("1"), {"compression": "group4"}),
        "jpeg.tif": (rgb, {"compression": "jpeg"}),
        "frames.gif": (rgb, {"save_all": True, "append_images": [rgb.rotate(9)]}),
    }
    if features.check("avif"):
        kinds["rgba.avif"] = (rgba, {})
    if ".heic" in FORMATS:
        kinds["rgb.heic"] = (rgb, {})
    files = {}
    for name, (image, options) in kinds.items():
        buffer = io.BytesIO()
        suffix = name[name.index(".") :]
        image.save(buffer, FORMATS.get(suffix, "GIF"), **options)
        files[name] = buffer.getvalue()
    for name, channels in (("deep.png", 3), ("deep_alpha.png", 2), ("deep.tif", 4)):
        samples = rng.integers(0, 65536, (20, 24, channels), dtype=np.uint16)
        write_picture(Picture(samples), folder / name)
        files[name] = (folder / name).read_bytes()
    tifffile.imwrite(
        folder / "deep_lzw.tif",
        rng.integers(0, 65536, (20, 24, 3), dtype=np.uint16),
        photometric="rgb",
        compression="lzw",
        rowsperstrip=7,
    )
    files["deep_lzw.tif"] = (folder / "deep_lzw.tif").read_bytes()
    return files


def mutate(data, other, rng):
    """One of the ways in which files break."""
    data, kind = bytearray(data), rng.randrange(5)
    if kind == 0:  # a download that was cut off
        return data[: rng.randrange(len(data))]
    if kind == 1:  # flipped bits anywhere
        for _ in range(rng.choice((1, 3, 20))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 2:  # nonsense in the header: sizes, counts and offsets
        for _ in range(rng.choice((1, 4))):
            data[rng.randrange(min(64, len(data)))] = rng.choice((0, 1, 127, 255))
    elif kind == 3:  # the header of another format
        length = rng.choice((4, 16, 64))
        data[:length] = other[:length]
    else:  # a part lost, doubled or blank
        a, b = sorted(rng.randrange(len(data)) for _ in range(2))
        data[a:b] = rng.choice((b"", data[a:b] * 2, bytes(b - a)))
    return data


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    files, rng = originals(folder), random.Random(0)
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        stem, _, suffix = name.partition(".")
        (folder / name).write_bytes(data)
        for n in range(MUTANTS):
            other = files[rng.choice(sorted(files))]
            path = folder / f"{stem}_{n:02}.{suffix}"
            path.write_bytes(mutate(data, other, rng))
    return folder, list(files)


def test_every_file_is_done_or_named(broken, tmp_path):
    folder, names = broken
    sources = {path.name for path in folder.iterdir()}
    assert len(sources) >= 200 + len(names)
    model = EDSR(scale=2, features=4, num_blocks=1)
    save(tmp_path / FILENAME, model, random_variables(model))
    output = tmp_path / "out"
    # A stand-in for the network, which would be compiled for every size.
    program = (
        "import sys, faulthandler; faulthandler.dump_traceback_later(120, exit=True)\n"
        "from ignn_jax.inference import network\n"
        "network.TiledNetwork = lambda *_, **__: (\n"
        "    lambda image, progress: image.repeat(2, axis=0).repeat(2, axis=1))\n"
        "from ignn_jax.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = ("upscale", folder, "-o", output, "--weights", tmp_path)
    done = finish(start("-c", program, *command, "--max-pixels", 10**6))
    assert done.returncode == 1, done.stderr[-2000:]
    assert "Traceback" not in done.stderr

    written = {}
    for line in done.stdout.splitlines():
        source, _, target = line.partition(" -> ")
        written[source.rpartition("/")[2]] = target
    notes, _, table = done.stderr.rpartition("done ")
    assert all(line.startswith(str(folder)) for line in notes.splitlines())
    failures = table.splitlines()[3:]
    failed = [re.match(rf"{re.escape(str(folder))}/([\w.]+): .+", x) for x in failures]
    assert all(failed), failures
    failed = {match[1] for match in failed}
    assert written.keys() | failed == sources
    assert not written.keys() & failed
    assert set(names) <= written.keys()
    assert len(failed) > len(sources) / 4
    for target in written.values():  # all of it can be decoded
        with Image.open(target) as image:
            image.load()
    assert len(list(output.iterdir())) == len(written)
