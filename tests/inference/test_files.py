import contextlib
import os
import resource
import stat
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from ignn_jax.errors import InputError
from ignn_jax.inference.files import (
    FORMATS,
    Picture,
    check_target,
    read_picture,
    write_picture,
)

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS = [".png", ".bmp", ".tif", ".tiff"]
SUFFIXES = sorted(FORMATS)


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


def write_png(path, samples, color_type):
    """A PNG of 16 bits a sample, which Pillow writes for gray only."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data))
            + kind
            + data
            + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
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
    assert picture.pixels.dtype == np.float32
    np.testing.assert_array_equal(picture.pixels, colors)
    assert picture._replace(pixels=None) == Picture(None, dpi=picture.dpi)
    assert picture.dpi is None or suffix == ".bmp"  # Pillow's BMP always has one


def test_gray(tmp_path):
    gray = noise(5, 7)
    picture = read_picture(save(tmp_path / "a.png", gray))
    assert (picture.gray, picture.bits, picture.alpha) == (True, 8, None)
    np.testing.assert_array_equal(picture.pixels, np.dstack([gray] * 3))


def test_one_bit(tmp_path):
    bits = noise(5, 7) > 99
    picture = read_picture(save(tmp_path / "a.png", bits))
    assert (picture.gray, picture.bits) == (True, 8)
    np.testing.assert_array_equal(picture.pixels[..., 1], bits * 255)


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha(tmp_path, channels):
    samples = noise(5, 7, channels)
    picture = read_picture(save(tmp_path / "a.png", samples))
    assert picture.gray == (channels == 2)
    colors = np.broadcast_to(samples[..., :-1], (5, 7, 3))
    np.testing.assert_array_equal(picture.pixels, colors)
    np.testing.assert_array_equal(picture.alpha, samples[..., -1])
    assert picture.alpha.dtype == np.float32


def test_palette(tmp_path):
    colors, indices = noise(4, 3), noise(5, 7) % 4
    image = Image.fromarray(indices)
    image.putpalette(colors.tobytes())
    image.save(tmp_path / "opaque.png")
    image.save(tmp_path / "clear.png", transparency=bytes([0, 100, 255, 255]))
    for name, alpha in [("opaque", None), ("clear", np.array([0, 100, 255, 255]))]:
        picture = read_picture(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(picture.pixels, colors[indices])
        assert (picture.gray, picture.bits) == (False, 8)
        if alpha is None:
            assert picture.alpha is None
        else:
            np.testing.assert_array_equal(picture.alpha, alpha[indices])


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_color_key(tmp_path, shape):
    samples = noise(*shape)
    key = tuple(map(int, np.atleast_1d(samples[2, 3])))
    path = save(tmp_path / "a.png", samples, transparency=key if key[1:] else key[0])
    alpha = read_picture(path).alpha
    expected = (samples == key).reshape(5, 7, -1).all(axis=-1)
    np.testing.assert_array_equal(alpha, np.where(expected, 0, 255))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_gray(tmp_path, suffix):
    values = noise(5, 7, dtype=np.uint16)
    picture = read_picture(save(tmp_path / f"a{suffix}", values))
    assert (picture.gray, picture.bits, picture.notes) == (True, 16, ())
    np.testing.assert_allclose(picture.pixels[..., 2], values / 257, rtol=1e-6)
    write_picture(picture, tmp_path / f"b{suffix}")
    again = np.asarray(Image.open(tmp_path / f"b{suffix}"))
    np.testing.assert_array_equal(again, values)


def test_big_endian_and_32_bit_tiff_within_16_bits(tmp_path):
    values = noise(5, 7, dtype=np.uint16)
    swapped = Image.frombytes("I;16B", (7, 5), values.astype(">u2").tobytes())
    swapped.save(tmp_path / "swapped.tif")
    save(tmp_path / "wide.tif", values.astype(np.int32))
    for name in ("swapped", "wide"):
        picture = read_picture(tmp_path / f"{name}.tif")
        assert picture.bits == 16
        np.testing.assert_allclose(picture.pixels[..., 0], values / 257, rtol=1e-6)


@pytest.mark.parametrize("color_type", [2, 4, 6])
def test_16_bit_color_is_read_as_8_and_says_so(tmp_path, color_type):
    channels = {2: 3, 4: 2, 6: 4}[color_type]
    values = noise(5, 7, channels, dtype=np.uint16)
    picture = read_picture(write_png(tmp_path / "a.png", values, color_type))
    assert picture.bits == 8
    assert picture.gray == (color_type == 4)
    assert "16 bits" in picture.notes[0]
    colors = values if color_type == 2 else values[..., :-1]
    np.testing.assert_array_equal(
        picture.pixels, np.broadcast_to(colors >> 8, (5, 7, 3))
    )
    if color_type != 2:
        np.testing.assert_array_equal(picture.alpha, values[..., -1] >> 8)


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
    np.testing.assert_allclose(
        picture.pixels, np.broadcast_to(np.float32([255, 0, 0]), (16, 16, 3)), atol=3
    )


def test_cmyk_through_its_profile(tmp_path):
    path = tmp_path / "a.jpg"
    profile = make_cmyk_profile()
    for ink, gray in [((0, 0, 0, 0), 255), ((255, 0, 0, 0), 167), ((0, 0, 0, 255), 0)]:
        Image.new("CMYK", (16, 16), ink).save(path, icc_profile=profile)
        picture = read_picture(path)
        np.testing.assert_allclose(picture.pixels, gray, atol=3)
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
    np.testing.assert_allclose(picture.pixels, upright, atol=12)
    write_picture(picture, tmp_path / f"b{suffix}")
    again = read_picture(tmp_path / f"b{suffix}")
    np.testing.assert_allclose(again.pixels, upright, atol=12)


def test_16_bit_orientation(tmp_path):
    values = noise(5, 7, dtype=np.uint16)
    path = save(tmp_path / "a.png", values, exif=make_exif(6))
    pixels = read_picture(path).pixels
    np.testing.assert_allclose(pixels[..., 0], np.rot90(values, -1) / 257, rtol=1e-6)


def test_first_of_several_frames(tmp_path):
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    picture = read_picture(tmp_path / "a.gif")
    assert "3 pictures" in picture.notes[0]
    np.testing.assert_array_equal(picture.pixels[0, 0], [255, 0, 0])


def test_a_link_to_a_picture_and_a_path_as_text(tmp_path):
    save(tmp_path / "a.png", noise(5, 7, 3))
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert read_picture(str(tmp_path / "b.png")).pixels.shape == (5, 7, 3)


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
    with pytest.raises(InputError, match=r"[Ii]s a directory"):
        read_picture(tmp_path)


def test_too_many_pixels_are_named(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", noise(64, 64))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InputError, match=r"a\.png: .*exceeds limit"):
        read_picture(path)


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
    np.testing.assert_allclose(picture.pixels, np.rot90(stored, -1), atol=12)
    assert picture.exif is None
    assert "EXIF" in picture.notes[0]


# Writing


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("gray", [False, True])
def test_written_pixels(tmp_path, suffix, gray):
    pixels = np.repeat(smooth()[..., :1], 3, axis=-1) if gray else smooth()
    path = tmp_path / f"a{suffix.upper()}"
    assert write_picture(Picture(pixels, gray=gray), path) == ()
    tolerance = 0 if suffix in LOSSLESS else 8  # lossy WebP halves the chroma
    again = read_picture(path)
    np.testing.assert_allclose(again.pixels, pixels, atol=tolerance)
    assert again.gray == (gray and suffix != ".webp")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_values_are_clipped_and_rounded(tmp_path):
    pixels = np.float32([[[-9, 0.4, 0.6], [254.6, 255.4, 300]]])
    write_picture(Picture(pixels), tmp_path / "a.png")
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "a.png")), [[[0, 0, 1], [255, 255, 255]]]
    )
    write_picture(Picture(pixels, gray=True, bits=16), tmp_path / "b.png")
    assert np.asarray(Image.open(tmp_path / "b.png"))[0, 1] == 65535


def test_gray_is_the_luma_of_what_the_network_returned(tmp_path):
    write_picture(Picture(np.float32([[[10, 20, 30]]]), gray=True), tmp_path / "a.png")
    expected = 0.299 * 10 + 0.587 * 20 + 0.114 * 30
    assert np.asarray(Image.open(tmp_path / "a.png")) == round(expected)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_alpha_is_kept(tmp_path, suffix, gray):
    alpha = np.linspace(0, 255, 24 * 32, dtype=np.float32).reshape(24, 32)
    pixels = np.repeat(smooth()[..., :1], 3, axis=-1) if gray else smooth()
    path = tmp_path / f"a{suffix}"
    assert write_picture(Picture(pixels, alpha, gray), path) == ()
    again = read_picture(path)
    np.testing.assert_array_equal(again.alpha, np.rint(alpha))
    visible = alpha > 0
    tolerance = 0 if suffix in LOSSLESS else 8
    np.testing.assert_allclose(again.pixels[visible], pixels[visible], atol=tolerance)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_alpha_is_laid_on_white_where_there_is_none(tmp_path, suffix, gray):
    pixels = np.full((16, 24, 3), 55, np.float32)
    alpha = np.repeat(np.float32([0, 127.5, 255]), 8)[None].repeat(16, axis=0)
    path = tmp_path / f"a{suffix}"
    (note,) = write_picture(Picture(pixels, alpha, gray), path)
    assert "white" in note
    row = read_picture(path).pixels[8, [3, 12, 20], 0]
    np.testing.assert_allclose(row, [255, 155, 55], atol=2)


def test_opaque_alpha_needs_no_note(tmp_path):
    opaque = np.full((24, 32), 255, np.float32)
    assert write_picture(Picture(smooth(), opaque), tmp_path / "a.jpg") == ()


@pytest.mark.parametrize(
    ("name", "gray", "alpha"),
    [("a.jpg", True, False), ("a.png", False, False), ("a.png", True, True)],
)
def test_16_bits_that_cannot_be_kept_are_noted(tmp_path, name, gray, alpha):
    alpha = np.full((24, 32), 9, np.float32) if alpha else None
    picture = Picture(smooth(), alpha, gray, bits=16)
    (note,) = write_picture(picture, tmp_path / name)
    assert "16 bits" in note


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
    if suffix == ".webp":
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
        read_picture(tmp_path / "c.tif").pixels, picture.pixels
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


def test_a_size_beyond_the_format_is_named(tmp_path):
    wide = Picture(np.zeros((1, 20000, 3), np.float32))
    with pytest.raises(InputError, match=r"a\.webp: cannot be saved as WEBP"):
        write_picture(wide, tmp_path / "a.webp")
    assert not list(tmp_path.iterdir())


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


def test_metadata_that_cannot_be_stored_are_named(tmp_path):
    picture = Picture(smooth(), exif=b"Exif\0\0" + bytes(70000))
    with pytest.raises(InputError, match=r"a\.jpg: cannot be saved as JPEG: EXIF"):
        write_picture(picture, tmp_path / "a.jpg")
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
