"""PNGs of 16 bits, against pypng."""

import io

import numpy as np
import png
import pytest
from PIL import Image

from ignn_jax.errors import InputError
from ignn_jax.pictures import png as ours
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.reader import read_picture
from ignn_jax.pictures.writer import write_picture
from tests.pictures.samples import GRAY, SRGB, check_exif, make_exif, noise


def encode(samples, **options):
    """Encodes samples with pypng."""
    height, width, channels = samples.shape
    options |= {"greyscale": channels < 3, "alpha": channels in (2, 4), "bitdepth": 16}
    file = io.BytesIO()
    png.Writer(width, height, **options).write(file, samples.reshape(height, -1))
    return file.getvalue()


def decode(data):
    """Decodes samples with pypng."""
    width, height, rows, info = png.Reader(bytes=data).read()
    assert info["bitdepth"] == 16
    return np.array([list(row) for row in rows]).reshape(height, width, -1)


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_it_is_read(tmp_path, channels, interlace):
    samples, path = noise(70, 9, channels, dtype=np.uint16), tmp_path / "a.png"
    path.write_bytes(encode(samples, interlace=interlace))
    picture = read_picture(path)
    assert picture.samples.dtype == np.uint16
    np.testing.assert_array_equal(picture.samples, samples)
    assert picture.notes == ()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_it_is_written(tmp_path, channels):
    samples, path = noise(70, 9, channels, dtype=np.uint16), tmp_path / "a.png"
    profile = SRGB if channels > 2 else GRAY
    picture = Picture(samples, profile, make_exif(1), (300.0, 150.0))
    assert write_picture(picture, path) == ()
    np.testing.assert_array_equal(decode(path.read_bytes()), samples)
    again = read_picture(path)
    assert again.samples.dtype == np.uint16
    np.testing.assert_array_equal(again.samples, samples)
    assert again.icc_profile == profile
    np.testing.assert_allclose(again.dpi, (300, 150), atol=0.02)
    kept = Image.Exif()
    kept.load(again.exif)
    check_exif(kept, 9, 70)


def test_a_view_that_is_not_contiguous_is_written():
    samples = noise(7, 5, 3, dtype=np.uint16)
    np.testing.assert_array_equal(decode(ours.encode(samples[::-1])), samples[::-1])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_damage_anywhere_is_refused_or_harmless(tmp_path, channels):
    """Changes each byte in turn: the file is refused, or its pixels are right."""
    samples, path = noise(4, 3, channels, dtype=np.uint16), tmp_path / "a.png"
    write_picture(Picture(samples, dpi=(300, 300)), path)
    data, refused = path.read_bytes(), 0
    for n in range(len(data)):
        damaged = bytearray(data)
        damaged[n] ^= 0x10
        path.write_bytes(damaged)
        try:
            read = read_picture(path).samples
        except InputError:
            refused += 1
        else:
            np.testing.assert_array_equal(read, samples)
    assert refused > len(data) - 30  # the resolution's chunk has 21 bytes


@pytest.mark.parametrize("channels", [2, 3])
def test_a_cut_file_is_refused(tmp_path, channels):
    path = tmp_path / "a.png"
    write_picture(Picture(noise(70, 9, channels, dtype=np.uint16)), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match=r"a\.png: "):
        read_picture(path)
