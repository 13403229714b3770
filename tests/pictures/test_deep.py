"""16-bit colors, against pypng and tifffile."""

import numpy as np
import png
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms

from ignn_jax.errors import InputError
from ignn_jax.pictures.files import Picture, read_picture, write_picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ROWS = 70  # more than are compressed together


def noise(channels, height=ROWS, width=9):
    shape = (height, width, channels)
    return np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)


def check_same(picture, samples):
    assert picture.samples.dtype == np.uint16
    np.testing.assert_array_equal(picture.samples, samples)


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_is_read(tmp_path, channels, interlace):
    samples, path = noise(channels), tmp_path / "a.png"
    with open(path, "wb") as file:
        png.Writer(
            *samples.shape[1::-1],
            greyscale=channels < 3,
            alpha=channels in (2, 4),
            bitdepth=16,
            interlace=interlace,
        ).write(file, samples.reshape(ROWS, -1).tolist())
    picture = read_picture(path)
    check_same(picture, samples)
    assert picture.notes == ()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"tile": (16, 16)},
        {"compression": "zlib", "predictor": 2},
    ],
)
def test_tiff_is_read(tmp_path, channels, options):
    samples, path = noise(channels), tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        samples.squeeze(),
        photometric="rgb" if channels > 2 else "minisblack",
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        **options,
    )
    check_same(read_picture(path), samples)


@pytest.mark.parametrize("channels", [2, 4])
def test_tiff_with_alpha_multiplied_in(tmp_path, channels):
    samples = noise(channels)
    samples[..., -1] |= 0x4000  # of less alpha, less of the color is left
    opacity = samples[..., -1:] / 65535
    multiplied = samples.copy()
    multiplied[..., :-1] = np.rint(samples[..., :-1] * opacity)
    tifffile.imwrite(
        tmp_path / "a.tif",
        multiplied,
        photometric="rgb" if channels > 2 else "minisblack",
        extrasamples=["assocalpha"],
    )
    read = read_picture(tmp_path / "a.tif").samples
    np.testing.assert_allclose(read.astype(int), samples, atol=3)


@pytest.mark.parametrize(
    "options",
    [
        {"photometric": "separated"},  # CMYK
        {"photometric": "rgb", "planarconfig": "separate"},
        {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib"},
    ],
)
def test_what_is_read_as_8_bits_and_says_so(tmp_path, options):
    samples = noise(4 if options["photometric"] == "separated" else 3)
    is_planar = "planarconfig" in options
    stored = np.moveaxis(samples, -1, 0) if is_planar else samples
    tifffile.imwrite(tmp_path / "a.tif", stored, **options)
    picture = read_picture(tmp_path / "a.tif")
    assert picture.samples.dtype == np.uint8
    assert "16 bits" in picture.notes[0]
    if is_planar:
        np.testing.assert_array_equal(picture.samples, samples >> 8)


def test_gray_and_alpha_in_planes_is_refused(tmp_path):
    stored = np.moveaxis(noise(2), -1, 0)
    options = {"planarconfig": "separate", "extrasamples": ["unassalpha"]}
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", **options)
    with pytest.raises(InputError, match=r"a\.tif: cannot be decoded: "):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_written(tmp_path, channels, suffix):
    samples, path = noise(channels), tmp_path / f"a{suffix}"
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.DateTimeOriginal: "2020:12:06 10:00:00"}
    profile = SRGB + bytes(70000)  # pushes a TIFF's pixels beyond 64 KiB
    picture = Picture(samples, profile, exif.tobytes(), (300.0, 150.0))
    assert write_picture(picture, path) == ()
    if suffix == ".png":
        width, height, rows, info = png.Reader(filename=str(path)).read()
        assert info["bitdepth"] == 16
        oracle = np.array([list(row) for row in rows]).reshape(height, width, -1)
    else:
        oracle = tifffile.imread(path).reshape(samples.shape)
    np.testing.assert_array_equal(oracle, samples)
    again = read_picture(path)
    check_same(again, samples)
    assert again.icc_profile == profile
    np.testing.assert_allclose(again.dpi, (300, 150), atol=0.02)
    kept = Image.Exif()
    kept.load(again.exif)
    assert kept[ExifTags.Base.Make] == "Maker"
    details = kept.get_ifd(ExifTags.IFD.Exif)
    assert details[ExifTags.Base.DateTimeOriginal] == "2020:12:06 10:00:00"


def test_orientation_is_applied_once(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    samples = noise(3)
    write_picture(Picture(samples, exif=exif.tobytes()), tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    check_same(picture, np.rot90(samples, -1))
    write_picture(picture, tmp_path / "b.png")
    check_same(read_picture(tmp_path / "b.png"), np.rot90(samples, -1))
    for channels in (2, 3):
        path = tmp_path / "a.tif"
        tifffile.imwrite(
            path,
            noise(channels),
            photometric="rgb" if channels > 2 else "minisblack",
            extrasamples=["unassalpha"] if channels == 2 else None,
            extratags=[(274, 3, 1, 6, True)],
        )
        check_same(read_picture(path), np.rot90(noise(channels), -1))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [2, 3])
def test_a_cut_file_is_refused(tmp_path, suffix, channels):
    path = tmp_path / f"a{suffix}"
    write_picture(Picture(noise(channels)), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match=r"a\.\w+: "):
        read_picture(path)


def test_pillow_is_left_as_it_was(tmp_path):
    write_picture(Picture(noise(2)), tmp_path / "a.tif")
    read_picture(tmp_path / "a.tif")
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(tmp_path / "a.tif")
