"""Files of every kind, read as 8-bit RGB, against known pixels."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ignn_jax.errors import InputError
from ignn_jax.pictures.reader import read_rgb

# 2 x 3 pixels, all different.
RGB = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 14
GRAY = RGB[..., 0]
ALPHA = 255 - GRAY  # one pixel is opaque, none is fully transparent


def gray_as_rgb(gray):
    return np.stack([gray] * 3, axis=-1)


def palette_image():
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3), "P")
    image.putpalette(RGB.reshape(-1).tolist())
    return image


# name: (image, file name, options of `save`, the pixels that must be read)
MODES = {
    "RGB": (Image.fromarray(RGB), "a.png", {}, RGB),
    "RGB bmp": (Image.fromarray(RGB), "a.bmp", {}, RGB),
    "RGB tiff": (Image.fromarray(RGB), "a.tif", {}, RGB),
    "RGB webp": (Image.fromarray(RGB), "a.webp", {"lossless": True}, RGB),
    "L": (Image.fromarray(GRAY), "a.png", {}, gray_as_rgb(GRAY)),
    "1": (
        Image.fromarray(GRAY > 100).convert("1", dither=Image.Dither.NONE),
        "a.png",
        {},
        gray_as_rgb(np.uint8(255) * (GRAY > 100)),
    ),
    "P": (palette_image(), "a.png", {}, RGB),
    "P with one clear color": (palette_image(), "a.png", {"transparency": 1}, RGB),
    "P with alphas": (
        palette_image(),
        "a.png",
        {"transparency": bytes([0, 50, 100, 150, 200, 255])},
        RGB,
    ),
    "P gif": (palette_image(), "a.gif", {}, RGB),
    "LA": (
        Image.fromarray(np.stack([GRAY, ALPHA], -1), "LA"),
        "a.png",
        {},
        gray_as_rgb(GRAY),
    ),
    "RGBA": (Image.fromarray(np.dstack([RGB, ALPHA])), "a.png", {}, RGB),
    "CMYK": (
        Image.fromarray(
            np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255]]], np.uint8), "CMYK"
        ),
        "a.tif",
        {},
        np.array([[[255, 255, 255], [0, 255, 255], [0, 0, 0]]], np.uint8),
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", MODES)
def test_every_mode_becomes_rgb(tmp_path, name):
    image, file_name, options, expected = MODES[name]
    image.save(tmp_path / file_name, **options)
    pixels = read_rgb(tmp_path / file_name)
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    np.testing.assert_array_equal(pixels, expected)


def test_cmyk_jpeg_is_not_read_as_its_negative(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "red.jpg")
    expected = np.broadcast_to(np.array([255, 0, 0]), (16, 16, 3))
    np.testing.assert_allclose(read_rgb(tmp_path / "red.jpg"), expected, atol=3)


@pytest.mark.parametrize(
    ("file_name", "dtype"),
    [("a.png", "<u2"), ("a.tif", "<u2"), ("b.tif", ">u2"), ("i.tif", "i4")],
)
def test_16_bit_gray_is_scaled_and_rounded(tmp_path, file_name, dtype):
    values = np.arange(65536).reshape(256, 256)
    Image.fromarray(values.astype(dtype)).save(tmp_path / file_name)
    expected = ((values * 510 + 65535) // 131070).astype(np.uint8)  # round half up
    assert expected[0, 0] == 0
    assert expected[-1, -1] == 255
    np.testing.assert_array_equal(read_rgb(tmp_path / file_name), gray_as_rgb(expected))


def test_16_bit_color_gives_its_high_bytes(tmp_path):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    pixel = struct.pack(">3H", 65535, 0x80FF, 255)
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">2I5B", 1, 1, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" + pixel))
        + chunk(b"IEND", b"")
    )
    assert read_rgb(tmp_path / "a.png").tolist() == [[[255, 0x80, 0]]]


@pytest.mark.parametrize("peak", [1, 255, 65535])
def test_float_gray_takes_the_smallest_range_that_fits(tmp_path, peak):
    values = np.array([[0, 0.2, 1]], np.float32) * np.float32(peak)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert read_rgb(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 51, 255]


@pytest.mark.parametrize(
    "values",
    [np.int32([[0, 65536]]), np.int32([[-1, 9]]), np.float32([[0.5, np.nan]])],
)
def test_values_beyond_16_bits_are_refused(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: .*(beyond 16 bits|negative)"):
        read_rgb(tmp_path / "a.tif")


# What each EXIF orientation asks a viewer to do, from the standard's table.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),  # clockwise
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / "color.png", exif=exif)
    expected = UPRIGHT[orientation](RGB)
    np.testing.assert_array_equal(read_rgb(tmp_path / "color.png"), expected)

    Image.fromarray(GRAY.astype(np.uint16) * 257).save(tmp_path / "16.png", exif=exif)
    expected = gray_as_rgb(UPRIGHT[orientation](GRAY))
    np.testing.assert_array_equal(read_rgb(tmp_path / "16.png"), expected)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif"])
def test_truncated_file_is_named(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError) as caught:
        read_rgb(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a picture\n", b"\x89PNG\r\n\x1a\n"])
def test_what_is_not_an_image_is_named(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png: .*(empty|not an image)"):
        read_rgb(path)


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.png: .*No such file"):
        read_rgb(tmp_path / "gone.png")
    with pytest.raises(InputError, match="is not a file"):
        read_rgb(tmp_path)


def test_decompression_bomb_is_named(tmp_path, monkeypatch):
    Image.new("RGB", (5, 5)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(InputError, match=r"bomb\.png: has more than 20 pixels"):
        read_rgb(tmp_path / "bomb.png")
