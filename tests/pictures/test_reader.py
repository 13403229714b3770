"""Files of every kind, read for upscaling; unreadable files are named."""

import os
import struct
import warnings

import numpy as np
import png
import pytest
from PIL import Image

from ignn_jax.errors import InputError
from ignn_jax.pictures.formats import FORMATS
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.reader import read_picture
from ignn_jax.pictures.writer import write_picture
from tests.pictures.samples import (
    SRGB,
    make_cmyk_profile,
    make_exif,
    noise,
    save,
    smooth,
)

LOSSLESS = [".png", ".bmp", ".tif", ".tiff"]
SUFFIXES = sorted(FORMATS)


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_rgb(tmp_path, suffix):
    colors = noise(5, 7, 3)
    picture = read_picture(save(tmp_path / f"a{suffix}", colors))
    assert picture.samples.dtype == np.uint8
    np.testing.assert_array_equal(picture.samples, colors)
    assert picture._replace(samples=None) == Picture(None, dpi=picture.dpi)
    assert picture.dpi is None or suffix == ".bmp"  # Pillow's BMP always has one


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_gray_and_alpha(tmp_path, channels):
    samples = noise(5, 7, channels)
    array = samples[..., 0] if channels == 1 else samples
    picture = read_picture(save(tmp_path / "a.png", array))
    np.testing.assert_array_equal(picture.samples, samples)
    assert picture.notes == ()


def test_one_bit_becomes_gray_and_says_so(tmp_path):
    bits = noise(5, 7) > 99
    picture = read_picture(save(tmp_path / "a.png", bits))
    np.testing.assert_array_equal(picture.samples[..., 0], bits * 255)
    assert "gray" in picture.notes[0]


def test_palette(tmp_path):
    colors, indices = noise(4, 3), noise(5, 7) % 4
    image = Image.fromarray(indices)
    image.putpalette(colors.tobytes())
    image.save(tmp_path / "opaque.png")
    image.save(tmp_path / "clear.png", transparency=bytes([0, 100, 255, 255]))
    opaque, clear = (
        read_picture(tmp_path / f"{name}.png").samples for name in ("opaque", "clear")
    )
    np.testing.assert_array_equal(opaque, colors[indices])
    alpha = np.uint8([0, 100, 255, 255])
    np.testing.assert_array_equal(clear, np.column_stack([colors, alpha])[indices])


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_color_key(tmp_path, shape, dtype):
    samples = noise(*shape, dtype=dtype)
    key = tuple(map(int, np.atleast_1d(samples[2, 3])))
    path = tmp_path / "a.png"
    if dtype == np.uint8:
        save(path, samples, transparency=key if key[1:] else key[0])
    else:
        with open(path, "wb") as file:
            png.Writer(
                *shape[1::-1],
                greyscale=len(shape) == 2,
                bitdepth=16,
                transparent=key if key[1:] else key[0],
            ).write(file, samples.reshape(5, -1).tolist())
    is_key = (samples == key).reshape(5, 7, -1).all(axis=-1)
    alpha = np.where(is_key, 0, np.iinfo(dtype).max)
    read = read_picture(path).samples
    np.testing.assert_array_equal(read, np.dstack([samples, alpha.astype(dtype)]))


def test_big_endian_and_32_bit_tiff_within_16_bits(tmp_path):
    values = noise(5, 7, dtype=np.uint16)
    swapped = Image.frombytes("I;16B", (7, 5), values.astype(">u2").tobytes())
    swapped.save(tmp_path / "swapped.tif")
    save(tmp_path / "wide.tif", values.astype(np.int32))
    for name in ("swapped", "wide"):
        samples = read_picture(tmp_path / f"{name}.tif").samples
        assert samples.dtype == np.uint16
        np.testing.assert_array_equal(samples[..., 0], values)


@pytest.mark.parametrize(
    "values", [np.full((3, 4), 0.5, np.float32), np.full((3, 4), 70000, np.int32)]
)
def test_values_without_a_range_are_refused(tmp_path, values):
    path = save(tmp_path / "a.tif", values)
    with pytest.raises(InputError, match=r"a\.tif: .*8 or 16"):
        read_picture(path)


@pytest.mark.parametrize("profile", [None, b"no profile", SRGB])
def test_cmyk(tmp_path, profile):
    """CMYK JPEG as Adobe writes it; a profile that does not fit is ignored."""
    path = tmp_path / "a.jpg"
    colors = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    colors.save(path, quality=95, **({"icc_profile": profile} if profile else {}))
    picture = read_picture(path)
    assert picture.icc_profile is None
    assert "CMYK" in picture.notes[0]
    red = np.broadcast_to([255, 0, 0], (16, 16, 3))
    np.testing.assert_allclose(picture.samples, red, atol=3)


def test_cmyk_through_its_profile(tmp_path):
    path = tmp_path / "a.jpg"
    profile = make_cmyk_profile()
    for ink, gray in [((0, 0, 0, 0), 255), ((255, 0, 0, 0), 167), ((0, 0, 0, 255), 0)]:
        Image.new("CMYK", (16, 16), ink).save(path, icc_profile=profile)
        picture = read_picture(path)
        np.testing.assert_allclose(picture.samples, gray, atol=3)
        assert picture.icc_profile is None


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path, suffix, orientation):
    upright = smooth(24, 32)
    stored = {  # how a camera held that way stores the upright scene
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    path = tmp_path / f"a{suffix}"
    save(path, stored.astype(np.uint8), exif=make_exif(orientation), quality=95)
    picture = read_picture(path)
    np.testing.assert_allclose(picture.samples, upright, atol=12)
    write_picture(picture, tmp_path / f"b{suffix}")
    again = read_picture(tmp_path / f"b{suffix}")
    np.testing.assert_allclose(again.samples, upright, atol=12)


def test_16_bit_orientation(tmp_path):
    values = noise(5, 7, dtype=np.uint16)
    path = save(tmp_path / "a.png", values, exif=make_exif(6))
    samples = read_picture(path).samples
    np.testing.assert_array_equal(samples[..., 0], np.rot90(values, -1))


def test_first_of_several_frames(tmp_path):
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    picture = read_picture(tmp_path / "a.gif")
    assert "3 pictures" in picture.notes[0]
    np.testing.assert_array_equal(picture.samples[0, 0], [255, 0, 0])


def test_a_link_to_a_picture_and_a_path_as_text(tmp_path):
    save(tmp_path / "a.png", noise(5, 7, 3))
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert read_picture(str(tmp_path / "b.png")).samples.shape == (5, 7, 3)


def test_bad_files_are_named(tmp_path):
    bad = {}
    for suffix in SUFFIXES:
        good = save(tmp_path / f"good{suffix}", noise(64, 64, 3)).read_bytes()
        for keep in (10, len(good) // 2):
            bad[f"cut{keep}{suffix}"] = good[:keep]
    bad |= {"empty.png": b"", "text.jpg": b"not a picture\n" * 9}
    for name, data in bad.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(InputError) as error:
            read_picture(path)
        message = str(error.value)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.png: .*No such file"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(InputError, match="is not a file"):
        read_picture(tmp_path)


def test_too_many_pixels_are_named(tmp_path):
    path = save(tmp_path / "a.png", noise(64, 64))
    with pytest.raises(InputError, match=r"has more than 4095 .*allow more pixels"):
        read_picture(path, max_pixels=4095)
    limit = Image.MAX_IMAGE_PIXELS
    odd = save(tmp_path / "b.png", noise(9, 7))
    assert read_picture(odd, max_pixels=63).samples.shape == (9, 7, 1)
    assert read_picture(path, max_pixels=4096).samples.shape == (64, 64, 1)
    assert limit == Image.MAX_IMAGE_PIXELS  # as before


def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match="is not a file"):
        read_picture(tmp_path / "a.png")


def test_damaged_exif_costs_only_the_exif(tmp_path):
    path = save(tmp_path / "a.png", noise(5, 7, 3), exif=b"Exif\0\0rubbish" * 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = read_picture(path)
    assert picture.exif is None
    assert "EXIF" in picture.notes[0]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_that_cannot_be_rewritten_still_turns_the_picture(
    tmp_path, suffix, monkeypatch
):
    stored = smooth().astype(np.uint8)
    path = save(tmp_path / f"a{suffix}", stored, exif=make_exif(6), quality=95)

    def tobytes(self, offset=8):  # as Pillow does for tags of unexpected types
        raise struct.error("argument out of range")

    monkeypatch.setattr(Image.Exif, "tobytes", tobytes)
    picture = read_picture(path)
    np.testing.assert_allclose(picture.samples, np.rot90(stored, -1), atol=12)
    assert picture.exif is None
    assert "EXIF" in picture.notes[0]
