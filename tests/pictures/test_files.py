import contextlib
import os
import resource
import stat
import struct
import warnings
from pathlib import Path

import numpy as np
import png
import pytest
from PIL import ExifTags, Image, ImageCms

from ignn_jax.errors import InputError
from ignn_jax.pictures.files import (
    FORMATS,
    Picture,
    check_size,
    check_target,
    quantize,
    read_picture,
    write_picture,
)

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS = [".png", ".bmp", ".tif", ".tiff"]
SUFFIXES = sorted(FORMATS)
COLOR_ONLY = [".webp", ".avif", ".heic", ".heif"]  # gray is written as color


def noise(*shape, dtype=np.uint8):
    limit = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, limit, shape, dtype, endpoint=True)


def smooth(height=24, width=32):
    """Colors that JPEG and lossy WebP keep to within a few levels, [H, W, 3]."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([100 + 2 * x, 60 + 3 * y, 200 - x - y], axis=-1)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def make_cmyk_profile():
    """An ICC profile of a press whose every ink is gray: L = 100% - 31% (C + M + Y)."""
    inks = np.indices((2, 2, 2, 2))
    lightness = np.where(inks[3], 0, 255 - 80 * inks[:3].sum(axis=0))
    lab = np.stack([lightness, lightness * 0 + 128, lightness * 0 + 128], axis=-1)
    table = b"mft1" + struct.pack(">4x4B", 4, 3, 2, 0)  # 4 channels to 3, 2 nodes each
    table += (np.eye(3) * 65536).astype(">i4").tobytes()
    table += (
        bytes(range(256)) * 4 + lab.astype(np.uint8).tobytes() + bytes(range(256)) * 3
    )
    white = struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"A2B0": table, b"wtpt": b"XYZ " + bytes(4) + white}
    index, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        offset = 128 + 4 + 12 * len(tags) + len(body)
        index += name + struct.pack(">II", offset, len(data))
        body += data
    length = 128 + len(index) + len(body)
    header = struct.pack(">I4sI", length, b"lcms", 0x02400000) + b"prtrCMYKLab "
    header += bytes(12) + b"acsp" + bytes(28) + white
    return header.ljust(128, b"\0") + index + body


def make_exif(orientation, **sizes):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Maker"
    for name, size in sizes.items():
        exif[ExifTags.Base[name]] = size
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.DateTimeOriginal: "2020:12:06 10:00:00",
        ExifTags.Base.ExifImageWidth: 32,
        ExifTags.Base.ExifImageHeight: 24,
    }
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N"}
    return exif.tobytes()


def check_exif(exif):
    assert exif[ExifTags.Base.Make] == "Maker"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    assert details[ExifTags.Base.DateTimeOriginal] == "2020:12:06 10:00:00"
    assert ExifTags.Base.ExifImageWidth not in details
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"


# Reading


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
    """Adobe's CMYK JPEG; a profile that does not fit is no obstacle, nor is it kept."""
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
    with pytest.raises(InputError, match=r"a\.png: has more than 4095 .*--max-pixels"):
        read_picture(path, max_pixels=4095)
    limit = Image.MAX_IMAGE_PIXELS
    assert read_picture(path, max_pixels=4096).samples.shape == (64, 64, 1)
    assert limit == Image.MAX_IMAGE_PIXELS  # others' use of Pillow is as it was


def test_a_pipe_is_not_waited_for(tmp_path):
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


# Writing


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
    assert picture.dpi == (300, 150)
    exif = Image.Exif()
    exif.load(picture.exif)
    assert exif[ExifTags.Base.Orientation] == 1
    assert ExifTags.Base.ImageWidth not in exif
    check_exif(exif)

    target = tmp_path / f"b{suffix}"
    notes = write_picture(picture, target)
    again = read_picture(target)
    if suffix == ".bmp":
        assert "profile" in notes[0]
    else:
        assert notes == ()
        assert again.icc_profile == SRGB
        with Image.open(target) as image:
            check_exif(image.getexif())
    if suffix in COLOR_ONLY:
        assert again.dpi is None
    else:
        np.testing.assert_allclose(again.dpi, (300, 150), atol=0.02)


def test_tiff_metadata_leave_its_layout_behind(tmp_path):
    """EXIF and TIFF share tags: strips, tiles and palettes must not reach a JPEG."""
    image = Image.fromarray(noise(40, 30) % 4)
    image.putpalette(noise(4, 3).tobytes())
    source = tmp_path / "a.tif"
    image.save(source, exif=make_exif(1), compression=None, dpi=(96, 96))
    picture = read_picture(source)
    assert write_picture(picture, tmp_path / "b.jpg") == ()
    with Image.open(tmp_path / "b.jpg") as again:
        check_exif(again.getexif())
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


def test_existing_target(tmp_path):
    path = tmp_path / "a.png"
    check_target(path, overwrite=False)
    path.touch()
    check_target(path, overwrite=True)
    with pytest.raises(InputError, match=r"a\.png: exists already"):
        check_target(path, overwrite=False)


def test_a_size_beyond_the_format_is_named():
    """The limits are the formats' own: one pixel less is written."""
    check_size(Path("a.webp"), (1, 16383, 3), np.dtype(np.uint8))
    with pytest.raises(InputError, match=r"a\.webp: WEBP holds at most 16383"):
        check_size(Path("a.webp"), (1, 16384, 3), np.dtype(np.uint8))
    with pytest.raises(InputError, match=r"a\.jpg: JPEG holds at most 65500"):
        check_size(Path("a.jpg"), (65501, 1, 3), np.dtype(np.uint8))
    check_size(Path("a.tif"), (26000, 27000, 3), np.dtype(np.uint16))
    with pytest.raises(InputError, match=r"a\.tif: TIFF holds at most 4 GiB"):
        check_size(Path("a.tif"), (27000, 27000, 3), np.dtype(np.uint16))


@pytest.mark.parametrize(("suffix", "side"), [(".webp", 16383), (".jpg", 65500)])
def test_the_largest_sides_are_written(tmp_path, suffix, side):
    samples = np.zeros((1, side, 3), np.uint8)
    write_picture(Picture(samples), tmp_path / f"a{suffix}")
    assert read_picture(tmp_path / f"a{suffix}").samples.shape == (1, side, 3)


@contextlib.contextmanager
def file_size_limit(size):
    """Every longer file fails while it is written, as on a full disk."""
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
        assert Path(source).parent == Path(target).parent  # one file system: atomic
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
