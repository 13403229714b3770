"""A thousand damaged files are upscaled: each is done or reported, none half written.

The files are real ones of every format and variant, cut, flipped and mixed by a fixed
seed. They go through the command in a process of its own, since a decoder that crashes
takes its process along.
"""

import io
import random
import re
import zlib

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import ExifTags, Image, features

from ignn_jax.models import EDSR
from ignn_jax.pictures.formats import FORMATS
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.writer import write_picture
from ignn_jax.weights.find import FILENAME
from ignn_jax.weights.network import save
from tests.networks import finish, random_variables, start
from tests.pictures import test_described
from tests.pictures.samples import SRGB, make_cmyk_profile
from tests.pictures.tiffs import (
    ASSOCIATED,
    BLACK_IS_ZERO,
    CMYK,
    DEFLATE,
    LAB,
    PACKBITS,
    PALETTE,
    RGB,
    UNASSOCIATED,
    WHITE_IS_ZERO,
    YCBCR,
    write_tiff,
)

MUTANTS = {"usual": 16, "variants": 20}  # of each file


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


def variants(folder):
    """Small pictures of what is rare in each format, name -> bytes."""
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 65536, (20, 24, 5))

    def tiff(bits, photometric, channels, **options):
        return write_tiff(
            samples[..., :channels] >> (16 - min(bits, 16)),
            bits=bits,
            photometric=photometric,
            **options,
        )

    image = Image.fromarray((samples[..., :3] >> 8).astype(np.uint8))
    files = {
        "bits.tif": tiff(1, WHITE_IS_ZERO, 1),
        "four.tif": tiff(4, BLACK_IS_ZERO, 2, extra=[UNASSOCIATED]),
        "twelve.tif": tiff(12, RGB, 4, extra=[ASSOCIATED], planes=True, order=">"),
        "palette.tif": tiff(
            4, PALETTE, 1, palette=samples[..., 0].ravel()[:48].tolist()
        ),
        "inks.tif": tiff(16, CMYK, 5, extra=[UNASSOCIATED], compression=DEFLATE),
        "lab.tif": tiff(16, LAB, 3, compression=PACKBITS),
        "ycbcr.tif": tiff(8, YCBCR, 3, tags=[(530, 3, [1, 1])]),
        "wide.tif": tiff(32, BLACK_IS_ZERO, 1, sample_format=2),
        "big.tif": tiff(16, RGB, 3, big=True, fill_order=2),
        "curve.tif": tiff(8, RGB, 3, tags=[(301, 3, list(range(0, 65536, 257)))]),
        "deep.jp2": imagecodecs.jpeg2k_encode(
            (samples[..., :3] >> 4).astype(np.uint16),
            level=0,
            codecformat="jp2",
            bitspersample=12,
        ),
        "wide_ppm.ppm": b"P6 24 20 65535\n" + samples[..., :3].astype(">u2").tobytes(),
    }
    described = test_described.png(
        test_described.LINEAR,
        test_described.chromaticities(*test_described.P3_XY),
        (b"zTXt", b"a\0\0" + zlib.compress(b"text" * 99)),
    )
    files |= {
        "described.png": described,
        "p3.png": test_described.png(test_described.P3),
        "profile.png": test_described.png(test_described.profile_chunk(SRGB)),
        "key.png": test_described.png((b"tRNS", b"\0\x50"), mode="L"),
        "v5.bmp": test_described.bmp(124, b"DEBM", bytes(60))[0],
    }
    for name, mode in (("gray.tga", "L"), ("rgb.jp2", "RGB"), ("silicon.sgi", "RGB")):
        buffer = io.BytesIO()
        kind = {"tga": "TGA", "jp2": "JPEG2000", "sgi": "SGI"}[name[-3:]]
        image.convert(mode).save(buffer, kind)
        files[name] = buffer.getvalue()
    for name, options in (
        ("moving.webp", {"save_all": True, "append_images": [image], "lossless": True}),
        ("adobe.jpg", {"exif": adobe_exif(), "icc_profile": make_cmyk_profile()}),
        ("plain.jfif", {"progressive": True}),
        ("moving.apng", {"save_all": True, "append_images": [image.rotate(90)]}),
    ):
        buffer = io.BytesIO()
        image.save(buffer, FORMATS[name[name.index(".") :]], **options)
        files[name] = buffer.getvalue()
    if features.check("avif"):
        files["deep.avif"] = imagecodecs.avif_encode(
            (samples[..., :4] >> 6).astype(np.uint16), level=90, bitspersample=10
        )
        files["p3.avif"] = test_described.avif(13, 12)
    if ".heic" in FORMATS:
        files["deep.heic"] = heic_of_10_bits(samples[..., :3].astype(np.uint16))
    return files


def adobe_exif():
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ColorSpace: 2}
    return exif.tobytes()


def heic_of_10_bits(samples):
    height, width, _ = samples.shape
    buffer = io.BytesIO()
    image = pillow_heif.from_bytes("RGB;16", (width, height), samples.tobytes())
    image.save(buffer, color_primaries=12, transfer_characteristics=13)
    return buffer.getvalue()


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


@pytest.fixture(params=MUTANTS)
def broken(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    make = {"usual": originals, "variants": variants}[request.param]
    files, rng = make(folder), random.Random(0)
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        stem, _, suffix = name.partition(".")
        (folder / name).write_bytes(data)
        for n in range(MUTANTS[request.param]):
            other = files[rng.choice(sorted(files))]
            path = folder / f"{stem}_{n:02}.{suffix}"
            path.write_bytes(mutate(data, other, rng))
    return folder, list(files), len(files) * MUTANTS[request.param]


def test_every_file_is_done_or_named(broken, tmp_path):
    folder, names, mutants = broken
    sources = {path.name for path in folder.iterdir()}
    assert len(sources) == mutants + len(names)
    assert mutants >= (500 if "deep.jp2" in names else 200)
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
    notes, _, table = done.stderr.rpartition("\ndone ")
    strange = [x for x in notes.splitlines() if not x.startswith(str(folder))]
    assert strange == []
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
