"""TIFFs of 16 bits, against tifffile."""

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from ignn_jax.errors import InputError
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.reader import read_picture
from ignn_jax.pictures.writer import write_picture
from tests.pictures.samples import GRAY, SRGB, check_exif, make_exif, noise


def deep(channels):
    return noise(70, 9, channels, dtype=np.uint16)


def write(path, samples, **options):
    """Writes samples with tifffile."""
    channels = samples.shape[-1]
    options = {
        "photometric": "rgb" if channels > 2 else "minisblack",
        "extrasamples": ["unassalpha"] if channels in (2, 4) else None,
        **options,
    }
    if options.get("planarconfig") == "separate":
        samples = np.moveaxis(samples, -1, 0)
    tifffile.imwrite(path, samples if channels > 1 else samples[..., 0], **options)


def check_same(picture, samples):
    assert picture.samples.dtype == np.uint16
    np.testing.assert_array_equal(picture.samples, samples)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"tile": (16, 16)},
        {"rowsperstrip": 16, "compression": "lzw"},
        {"compression": "zlib", "predictor": 2},
        {"planarconfig": "separate"},
        {"planarconfig": "separate", "compression": "zlib"},
    ],
)
def test_it_is_read(tmp_path, channels, options):
    if channels == 1:
        options = {key: options[key] for key in options if key != "planarconfig"}
    write(tmp_path / "a.tif", deep(channels), **options)
    picture = read_picture(tmp_path / "a.tif")
    check_same(picture, deep(channels))
    assert picture.notes == ()


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_multiplied_in(tmp_path, channels):
    samples = deep(channels)
    samples[..., -1] |= 0x4000  # with less alpha, less of the color is left
    multiplied = samples.copy()
    opacity = samples[..., -1:] / 65535
    multiplied[..., :-1] = np.rint(samples[..., :-1] * opacity)
    write(tmp_path / "a.tif", multiplied, extrasamples=["assocalpha"])
    read = read_picture(tmp_path / "a.tif").samples
    np.testing.assert_allclose(read.astype(int), samples, atol=3)


@pytest.mark.parametrize("channels", [2, 4])
def test_an_extra_channel_that_is_not_alpha_is_dropped(tmp_path, channels):
    write(tmp_path / "a.tif", deep(channels), extrasamples=["unspecified"])
    picture = read_picture(tmp_path / "a.tif")
    check_same(picture, deep(channels)[..., :-1])
    assert "extra channel" in picture.notes[0]


def test_white_at_zero(tmp_path):
    write(tmp_path / "a.tif", deep(1), photometric="miniswhite")
    check_same(read_picture(tmp_path / "a.tif"), 65535 - deep(1))


def test_signed_samples_are_not_taken_for_unsigned(tmp_path):
    values = deep(1).astype(np.int16)
    write(tmp_path / "a.tif", np.abs(values))
    np.testing.assert_array_equal(
        read_picture(tmp_path / "a.tif").samples, np.abs(values)
    )
    write(tmp_path / "a.tif", values)
    with pytest.raises(InputError, match="negative"):
        read_picture(tmp_path / "a.tif")


def test_the_first_of_several_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for n in (0, 1, 2):
            file.write(deep(3) + np.uint16(n), photometric="rgb")
    picture = read_picture(tmp_path / "a.tif")
    check_same(picture, deep(3))
    assert "3 pictures" in picture.notes[0]


def test_too_many_pixels_are_named(tmp_path):
    write(tmp_path / "a.tif", deep(2))
    check_same(read_picture(tmp_path / "a.tif", max_pixels=630), deep(2))
    with pytest.raises(InputError, match=r"a\.tif: has more than 629 pixels"):
        read_picture(tmp_path / "a.tif", max_pixels=629)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_it_is_written(tmp_path, channels):
    path = tmp_path / "a.tif"
    profile = (SRGB if channels > 2 else GRAY) + bytes(
        70000
    )  # pushes the samples beyond 64 KiB
    picture = Picture(deep(channels), profile, make_exif(1), (300.0, 150.0))
    assert write_picture(picture, path) == ()
    oracle = tifffile.imread(path).reshape(picture.samples.shape)
    np.testing.assert_array_equal(oracle, picture.samples)
    again = read_picture(path)
    check_same(again, picture.samples)
    assert again.icc_profile == profile
    np.testing.assert_allclose(again.dpi, (300, 150), atol=0.02)
    kept = Image.Exif()
    kept.load(again.exif)
    check_exif(kept, 9, 70)


@pytest.mark.parametrize("bigtiff", [False, True])
def test_exif_of_any_tiff_can_be_written_to_every_format(tmp_path, bigtiff):
    tags = [(int(ExifTags.Base.Make), 2, 0, "Maker", True)]
    write(tmp_path / "a.tif", deep(3), bigtiff=bigtiff, extratags=tags)
    picture = read_picture(tmp_path / "a.tif")
    for suffix in (".tif", ".png", ".jpg"):
        write_picture(picture, tmp_path / f"b{suffix}")
        with Image.open(tmp_path / f"b{suffix}") as image:
            assert image.getexif()[ExifTags.Base.Make] == "Maker"


@pytest.mark.parametrize("channels", [2, 3])
def test_orientation_is_applied_once(tmp_path, channels):
    path = tmp_path / "a.tif"
    write(path, deep(channels), extratags=[(274, 3, 1, 6, True)])
    picture = read_picture(path)
    check_same(picture, np.rot90(deep(channels), -1))
    write_picture(picture, path)
    check_same(read_picture(path), np.rot90(deep(channels), -1))


@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}, {"tile": (16, 16)}])
def test_a_cut_file_is_refused(tmp_path, channels, options):
    path = tmp_path / "a.tif"
    write(path, deep(channels), **options)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match=r"a\.tif: cannot be decoded: "):
        read_picture(path)


def test_a_strip_that_is_missing_is_refused(tmp_path):
    """tifffile reads zeros in its place."""
    path = tmp_path / "a.tif"
    write(path, deep(3), rowsperstrip=35)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["StripByteCounts"].overwrite([35 * 9 * 6, 0])
    assert not tifffile.imread(path)[35:].any()
    with pytest.raises(InputError, match=r"a\.tif: cannot be decoded: "):
        read_picture(path)


def test_pillow_is_left_as_it_was(tmp_path):
    write_picture(Picture(deep(2)), tmp_path / "a.tif")
    read_picture(tmp_path / "a.tif")
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(tmp_path / "a.tif")
