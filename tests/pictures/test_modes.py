"""Every mode of PNG and TIFF, written by pypng and tifffile from known samples.

`read_picture` gives the samples, and `read_rgb` their 8-bit RGB view.
"""

import io
import itertools
import zlib

import numpy as np
import png
import pytest
import tifffile
from PIL import Image

from ignn_jax.pictures.reader import decode_rgb, read_picture
from tests.pictures.samples import noise

HEIGHT, WIDTH = 5, 7
COLORS = [tuple(map(int, color)) for color in noise(16, 3)]
ALPHAS = [0, 50, 255, *range(13)]


def samples_of(channels, depth):
    dtype = np.uint8 if depth <= 8 else np.uint16
    return noise(HEIGHT, WIDTH, channels, dtype=dtype) >> max(0, 8 - depth)


def write_png(samples, **options):
    file = io.BytesIO()
    png.Writer(WIDTH, HEIGHT, **options).write(file, samples.reshape(HEIGHT, -1))
    return file.getvalue()


def write_tiff(samples, **options):
    file = io.BytesIO()
    tifffile.imwrite(
        file, samples.squeeze(-1) if samples.shape[-1] == 1 else samples, **options
    )
    return file.getvalue()


def pngs():
    """(name, file, samples that it holds)."""
    for depth, interlace in itertools.product((1, 2, 4, 8, 16), (False, True)):
        options = {"bitdepth": depth, "interlace": interlace}
        name = f"{depth} bits{' interlaced' * interlace}"
        unit = 255 // (2**depth - 1) if depth < 8 else 1
        gray = samples_of(1, depth)
        yield f"gray {name}", write_png(gray, greyscale=True, **options), gray * unit
        key = int(gray[2, 3, 0])
        file = write_png(gray, greyscale=True, transparent=key, **options)
        alpha = (gray != key) * gray.dtype.type(min(2 ** max(depth, 8) - 1, 65535))
        yield f"gray, key, {name}", file, np.dstack([gray * unit, alpha])
        if depth <= 8:
            indices = samples_of(1, min(depth, 4))
            colors = [color[:3] for color in COLORS[: 2 ** min(depth, 4)]]
            file = write_png(indices, palette=colors, **options)
            yield f"palette {name}", file, np.uint8(colors)[indices[..., 0]]
            colors = [
                (*color, alpha) for color, alpha in zip(colors, ALPHAS, strict=False)
            ]
            file = write_png(indices, palette=colors, **options)
            yield f"palette alpha {name}", file, np.uint8(colors)[indices[..., 0]]
        if depth < 8:
            continue
        for channels in (1, 2, 3, 4):
            options |= {"greyscale": channels < 3, "alpha": channels in (2, 4)}
            samples = samples_of(channels, depth)
            yield f"{channels} channels {name}", write_png(samples, **options), samples
        samples = samples_of(3, depth)
        key = tuple(map(int, samples[2, 3]))
        options |= {"greyscale": False, "alpha": False}
        file = write_png(samples, transparent=key, **options)
        opaque = (samples != key).any(axis=-1, keepdims=True)
        alpha = opaque * samples.dtype.type(2**depth - 1)
        yield f"RGB, key, {name}", file, np.dstack([samples, alpha])


def tiffs():
    """(name, file, samples that it holds)."""
    for depth, order in itertools.product((8, 16), "<>"):
        for channels in (1, 2, 3, 4):
            samples = samples_of(channels, depth)
            file = write_tiff(
                samples,
                byteorder=order,
                photometric="rgb" if channels > 2 else "minisblack",
                extrasamples=["unassalpha"] if channels in (2, 4) else None,
            )
            yield f"{channels} channels {order} {depth} bits", file, samples
    for order in "<>":
        bits = samples_of(1, 1)
        file = write_tiff(bits.astype(bool), byteorder=order, photometric="minisblack")
        yield f"bits {order}", file, bits * 255
        indices, colors = samples_of(1, 8), noise(256, 3)
        file = write_tiff(
            indices,
            byteorder=order,
            photometric="palette",
            colormap=colors.T.astype(np.uint16) * 257,
        )
        yield f"palette {order}", file, colors[indices[..., 0]]


def view(samples):
    """8-bit RGB without alpha."""
    if samples.shape[-1] in (2, 4):
        samples = samples[..., :-1]
    if samples.dtype == np.uint16 and samples.shape[-1] == 3:
        samples = (samples // 256).astype(np.uint8)
    elif samples.dtype == np.uint16:
        samples = np.rint(samples / 257).astype(np.uint8)
    return np.broadcast_to(samples, (HEIGHT, WIDTH, 3))


def check(path, file, samples):
    path.write_bytes(file)
    read = read_picture(path).samples
    assert read.dtype == samples.dtype
    np.testing.assert_array_equal(read, samples)
    rgb = decode_rgb(file, name=path)
    assert rgb.dtype == np.uint8
    assert rgb.flags.writeable
    assert rgb.flags.c_contiguous
    np.testing.assert_array_equal(rgb, view(samples))


PNGS = {name: rest for name, *rest in pngs()}
TIFFS = {name: rest for name, *rest in tiffs()}


@pytest.mark.parametrize("name", PNGS)
def test_png(tmp_path, name):
    check(tmp_path / "a.png", *PNGS[name])


@pytest.mark.parametrize("name", PNGS)
def test_significant_bits_are_only_a_hint(tmp_path, name):
    """The samples have their full range, whatever sBIT says they were before."""
    file, samples = PNGS[name]
    depth, color_type = file[24], file[25]
    count = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}[color_type]
    body = b"sBIT" + bytes(
        [max(1, min(8 if color_type == 3 else depth, 8) - 1)] * count
    )
    chunk = count.to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    check(tmp_path / "a.png", file[:33] + chunk + file[33:], samples)


@pytest.mark.parametrize("key", [7, 7 + 16, 7 + 256, 65535])
def test_a_key_beyond_the_depth(tmp_path, key):
    """Only the bits count that the samples have."""
    gray = samples_of(1, 4)
    gray[0, 0], gray[0, 1] = 7, 15
    file = write_png(gray, greyscale=True, bitdepth=4, transparent=7)
    at = file.index(b"tRNS")
    body = b"tRNS" + key.to_bytes(2, "big")
    file = file[:at] + body + zlib.crc32(body).to_bytes(4, "big") + file[at + 10 :]
    (tmp_path / "a.png").write_bytes(file)
    alpha = (gray != key % 16) * 255
    expected = np.dstack([gray * 17, alpha])
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").samples, expected)


@pytest.mark.parametrize("is_default", [False, True])
def test_the_first_picture_of_an_animation(tmp_path, is_default):
    frames = [Image.fromarray(noise(HEIGHT, WIDTH, 3) ^ np.uint8(n)) for n in (0, 1, 2)]
    frames[0].save(
        tmp_path / "a.png",
        save_all=True,
        append_images=frames[1:],
        default_image=is_default,
    )
    picture = read_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.samples, noise(HEIGHT, WIDTH, 3))
    assert "pictures, of which the first is taken" in picture.notes[0]


@pytest.mark.parametrize("name", TIFFS)
def test_tiff(tmp_path, name):
    check(tmp_path / "a.tif", *TIFFS[name])


@pytest.mark.parametrize("order", "<>")
def test_cmyk_tiff(tmp_path, order):
    """Without a profile, ink takes away light."""
    inks = samples_of(4, 8)
    file = write_tiff(inks, byteorder=order, photometric="separated")
    light = 255 - inks.astype(float)
    expected = light[..., :3] * light[..., 3:] / 255
    (tmp_path / "a.tif").write_bytes(file)
    read = read_picture(tmp_path / "a.tif").samples
    np.testing.assert_allclose(read, expected, atol=1)
    np.testing.assert_array_equal(decode_rgb(file, name="a.tif"), read)


def test_pypng_and_tifffile_read_the_same():
    """Independent readers find the samples of the table in its files."""
    for name, (file, samples) in PNGS.items():
        if "16 bits" in name and "key" not in name:
            rows = png.Reader(bytes=file).read()[2]
            assert np.array_equal(np.vstack(list(rows)), samples.reshape(HEIGHT, -1))
    for name, (file, samples) in TIFFS.items():
        if "channels" in name:
            read = tifffile.imread(io.BytesIO(file))
            assert np.array_equal(read.reshape(samples.shape), samples)
