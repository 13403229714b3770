"""Files of every format, written and read back."""

import contextlib
import os
import resource
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from ignn_jax.errors import InputError
from ignn_jax.pictures.formats import FORMATS, check_target
from ignn_jax.pictures.picture import Picture, quantize
from ignn_jax.pictures.reader import read_picture
from ignn_jax.pictures.writer import write_picture
from tests.pictures.samples import SRGB, check_exif, make_exif, noise, save, smooth

LOSSLESS = [".png", ".apng", ".bmp", ".dib", ".tif", ".tiff"]
SUFFIXES = sorted(FORMATS)
COLOR_ONLY = [".webp", ".avif", ".heic", ".heif", ".hif"]  # gray is written as color


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("channels", [1, 3])
def test_written_pixels(tmp_path, suffix, channels):
    samples = smooth()[..., :channels].astype(np.uint8)
    path = tmp_path / f"a{suffix.upper()}"
    assert write_picture(Picture(samples), path) == ()
    again = read_picture(path).samples
    if suffix not in COLOR_ONLY:
        assert again.shape == samples.shape
    tolerance = 0 if suffix in LOSSLESS else 8  # lossy WebP halves the chroma
    samples = np.broadcast_to(samples, again.shape)
    np.testing.assert_allclose(again.astype(int), samples, atol=tolerance)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_floats_are_clipped_and_rounded(tmp_path):
    samples = np.float32([[[-9, 0.4, 0.6], [254.6, 255.4, 300]]])
    write_picture(Picture(samples), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(image, [[[0, 0, 1], [255, 255, 255]]])
    deep = quantize(samples, np.uint16)
    np.testing.assert_array_equal(deep, [[[0, 103, 154], [65432, 65535, 65535]]])


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif", *COLOR_ONLY])
def test_alpha_is_kept(tmp_path, suffix, channels):
    if suffix not in FORMATS:
        pytest.skip(f"{suffix} is not written here")
    alpha = np.linspace(0, 255, 24 * 32).round().astype(np.uint8).reshape(24, 32)
    colors = smooth()[..., : channels - 1].astype(np.uint8)
    path = tmp_path / f"a{suffix}"
    assert write_picture(Picture(np.dstack([colors, alpha])), path) == ()
    again = read_picture(path).samples.astype(int)
    lossy = suffix not in LOSSLESS
    np.testing.assert_allclose(again[..., -1], alpha, atol=lossy * 2)
    visible = alpha > 0
    colors = np.broadcast_to(colors, again[..., :-1].shape)[visible]
    np.testing.assert_allclose(again[visible][:, :-1], colors, atol=lossy * 8)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
@pytest.mark.parametrize("unit", [1, 257])
def test_alpha_is_laid_on_white_where_there_is_none(tmp_path, suffix, channels, unit):
    samples = np.full((16, 24, channels), 55 * unit, [np.uint8, np.uint16][unit > 1])
    samples[..., -1] = np.repeat([0, 128, 255], 8) * unit
    path = tmp_path / f"a{suffix}"
    notes = write_picture(Picture(samples), path)
    assert ["white" in note for note in notes] == [True, False][: 1 + (unit > 1)]
    row = read_picture(path).samples[8, [3, 12, 20], 0].astype(int)
    np.testing.assert_allclose(row, [255, 155, 55], atol=2)


def test_opaque_alpha_needs_no_note(tmp_path):
    opaque = np.dstack([smooth(), np.full((24, 32), 255)]).astype(np.uint8)
    assert write_picture(Picture(opaque), tmp_path / "a.jpg") == ()


def test_16_bits_that_cannot_be_kept_are_noted(tmp_path):
    values = noise(5, 7, 3, dtype=np.uint16)
    (note,) = write_picture(Picture(values), tmp_path / "a.bmp")
    assert "16 bits" in note
    samples = read_picture(tmp_path / "a.bmp").samples
    np.testing.assert_array_equal(samples, np.rint(values / 257))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_metadata(tmp_path, suffix):
    source = tmp_path / "a.jpg"
    save(
        source,
        smooth().astype(np.uint8),
        exif=make_exif(6, ImageWidth=32, ImageLength=24),
        icc_profile=SRGB,
        dpi=(300, 150),
    )
    picture = read_picture(source)
    assert picture.icc_profile == SRGB
    assert picture.dpi == (150, 300)  # it is turned
    exif = Image.Exif()
    exif.load(picture.exif)
    assert exif[ExifTags.Base.Orientation] == 1
    assert ExifTags.Base.ImageWidth not in exif
    check_exif(exif, 24, 32)

    target = tmp_path / f"b{suffix}"
    notes = write_picture(picture, target)
    again = read_picture(target)
    if suffix in (".bmp", ".dib"):
        assert ["color profile" in notes[0], "EXIF" in notes[1]] == [True, True]
    else:
        assert again.icc_profile == SRGB
        with Image.open(target) as image:
            check_exif(image.getexif(), 24, 32)
    if suffix in COLOR_ONLY:
        assert again.dpi is None
        assert ["resolution is dropped" in note for note in notes] == [True]
    else:
        np.testing.assert_allclose(again.dpi, (150, 300), atol=0.02)
        assert len(notes) == (2 if suffix in (".bmp", ".dib") else 0)


def test_tiff_metadata_leave_its_layout_behind(tmp_path):
    """EXIF shares tags with TIFF; strips, tiles and palettes must not reach a JPEG."""
    image = Image.fromarray(noise(40, 30) % 4)
    image.putpalette(noise(4, 3).tobytes())
    source = tmp_path / "a.tif"
    image.save(source, exif=make_exif(1), compression=None, dpi=(96, 96))
    picture = read_picture(source)
    assert write_picture(picture, tmp_path / "b.jpg") == ()
    with Image.open(tmp_path / "b.jpg") as again:
        check_exif(again.getexif(), 30, 40)
        kept = set(again.getexif())
    assert kept <= {
        ExifTags.Base.Make,
        ExifTags.Base.Orientation,
        ExifTags.Base.XResolution,
        ExifTags.Base.YResolution,
        ExifTags.Base.ResolutionUnit,
        ExifTags.IFD.Exif,
        ExifTags.IFD.GPSInfo,
    }
    write_picture(picture, tmp_path / "c.tif")
    np.testing.assert_array_equal(
        read_picture(tmp_path / "c.tif").samples, picture.samples
    )


def test_quality(tmp_path):
    sizes = {}
    for quality in (10, 95):
        for suffix in (".jpg", ".webp"):
            path = tmp_path / f"a{suffix}"
            write_picture(Picture(noise(64, 64, 3)), path, quality=quality)
            sizes[quality, suffix] = path.stat().st_size
    assert sizes[10, ".jpg"] * 2 < sizes[95, ".jpg"]
    assert sizes[10, ".webp"] * 2 < sizes[95, ".webp"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        write_picture(Picture(smooth()), tmp_path / "a.png")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o644


@pytest.mark.parametrize("name", ["a", "a.xyz", "a.gif", ".png"])
def test_unknown_suffix(tmp_path, name):
    with pytest.raises(InputError, match=r"must end in one of \.png"):
        write_picture(Picture(smooth()), tmp_path / name)
    with pytest.raises(InputError, match=r"must end in one of \.png"):
        check_target(tmp_path / name, overwrite=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("suffix", "side"), [(".webp", 16383), (".jpg", 65500)])
def test_the_largest_sides_are_written(tmp_path, suffix, side):
    samples = np.zeros((1, side, 3), np.uint8)
    write_picture(Picture(samples), tmp_path / f"a{suffix}")
    assert read_picture(tmp_path / f"a{suffix}").samples.shape == (1, side, 3)


@contextlib.contextmanager
def file_size_limit(size):
    """Makes writing of any longer file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.bmp"
    path.write_bytes(b"old")
    with (
        file_size_limit(1000),
        pytest.raises(InputError, match=r"a\.bmp: cannot be written: File too large"),
    ):
        write_picture(Picture(smooth()), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_exif_too_long_for_jpeg_is_dropped_and_noted(tmp_path):
    path, exif = tmp_path / "a.jpg", Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "x" * 70000
    (note,) = write_picture(Picture(smooth(), exif=exif.tobytes()), path)
    assert "EXIF" in note
    assert read_picture(path).exif is None


def test_metadata_that_cannot_be_stored_are_named(tmp_path):
    picture = Picture(noise(5, 7, 3), dpi=("a", "b"))
    with pytest.raises(InputError, match=r"a\.png: cannot be saved as PNG"):
        write_picture(picture, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_a_failed_rename_leaves_nothing(tmp_path, monkeypatch):
    def replace(source, target):
        assert Path(source).parent == Path(target).parent  # so the rename is atomic
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(InputError, match="No space left"):
        write_picture(Picture(smooth()), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def replace(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        write_picture(Picture(smooth()), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["missing/a.png", "file/a.png"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"a\.png: cannot be written: No"):
        write_picture(Picture(smooth()), tmp_path / name)
