"""Variants of formats: raw files, more than 8 bits, lossless WebP, long chunks."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pillow_heif
import png
import pytest
from PIL import ExifTags, Image, PngImagePlugin, features

from ignn_jax.errors import InputError
from ignn_jax.pictures.batch import Options, upscale_file, upscale_files
from ignn_jax.pictures.folders import IMAGE_SUFFIXES, PICTURE_SUFFIXES, list_images
from ignn_jax.pictures.formats import FORMATS
from ignn_jax.pictures.jobs import Job, plan_jobs
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.raw import RAW_SUFFIXES
from ignn_jax.pictures.reader import decode_rgb, read_picture
from ignn_jax.pictures.writer import write_picture
from tests.pictures.samples import NEAREST, SRGB, network, never, noise, smooth
from tests.pictures.tiffs import BLACK_IS_ZERO, RGB, write_tiff

SENSOR, LINEAR_RAW = 32803, 34892
COLORS = smooth().astype(np.uint8)


def encode(name, image=COLORS, **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, name, **options)
    return buffer.getvalue()


def upscale(path, suffix, **options):
    """The result and its notes."""
    target = path.with_name(f"result{suffix}")
    options = Options(overwrite=True, **options)
    notes = upscale_file(NEAREST, Job(path, target), options)
    return read_picture(target), notes


# Raw files


def with_sub_file(photometric):
    """A TIFF with a preview, and with a second directory that the first points to."""
    sub = write_tiff(noise(9, 9, 1) * 1, bits=8, photometric=photometric)
    place = struct.unpack_from("<I", sub, 4)[0]
    preview = noise(8, 8, 3) * 1
    length = len(write_tiff(preview, bits=8, photometric=RGB, tags=[(330, 4, [0])]))
    tags = [(330, 4, [length + place])]
    return write_tiff(preview, bits=8, photometric=RGB, tags=tags) + sub


RAW = {
    "a sensor's samples": write_tiff(noise(8, 8, 1) * 1, bits=16, photometric=SENSOR),
    "linear samples": write_tiff(noise(8, 8, 3) * 1, bits=16, photometric=LINEAR_RAW),
    "a preview": with_sub_file(SENSOR),
    "DNG": write_tiff(
        noise(8, 8, 3) * 1, bits=8, photometric=RGB, tags=[(50706, 1, [1, 4, 0, 0])]
    ),
    "CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(99),
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(99),
    "RAF": b"FUJIFILMCCD-RAW 0201FF389501" + bytes(99),
    "RW2": b"IIU\0\x18\0\0\0" + bytes(99),
    "ORF": b"IIRO\x08\0\0\0" + bytes(99),
    "CRW": b"II\x1a\0\0\0HEAPCCDR" + bytes(99),
    "MRW": b"\0MRM" + bytes(99),
    "X3F": b"FOVb" + bytes(99),
    "IIQ": b"II*\0\x20\0\0\0IIII" + bytes(99),
}


@pytest.mark.parametrize("kind", RAW)
@pytest.mark.parametrize("name", ["a.tif", "a.jpg", "a.raw"])
def test_raw_files_are_refused_by_their_content(tmp_path, kind, name):
    (tmp_path / name).write_bytes(RAW[kind])
    for read in (read_picture, lambda path: decode_rgb(path.read_bytes(), name=path)):
        with pytest.raises(InputError, match=rf"{name}: .*camera's raw file"):
            read(tmp_path / name)


@pytest.mark.parametrize("suffix", sorted(RAW_SUFFIXES))
def test_raw_files_are_refused_by_their_names(tmp_path, suffix):
    """Whatever a reader finds in them, it is not the photograph."""
    path = tmp_path / f"a{suffix.upper()}"
    path.write_bytes(encode("TIFF"))
    job = Job(path, tmp_path / "b.png")
    with pytest.raises(InputError, match="camera's raw file"):
        upscale_file(network(never), job, Options())
    (job,) = plan_jobs([tmp_path], tmp_path / "out", label="x2").jobs
    assert job.source == path  # in a folder, too, it fails by name


def test_an_ordinary_tiff_with_a_second_directory_is_no_raw_file(tmp_path):
    (tmp_path / "a.tif").write_bytes(with_sub_file(BLACK_IS_ZERO))
    np.testing.assert_array_equal(
        read_picture(tmp_path / "a.tif").samples, noise(8, 8, 3)
    )


# Suffixes


def files_of_every_suffix():
    kinds = {".tif": "TIFF", ".tiff": "TIFF", ".jp2": "JPEG2000", ".tga": "TGA"}
    for suffix in (".ppm", ".pnm", ".pgm", ".pbm"):
        kinds[suffix] = "PPM"
    for suffix in (".j2k", ".j2c", ".jpc", ".jpf", ".jpx"):
        kinds[suffix] = "JPEG2000"
    kinds |= {".icb": "TGA", ".vda": "TGA", ".vst": "TGA"}
    kinds |= {".gif": "GIF", ".pcx": "PCX", ".sgi": "SGI", ".ico": "ICO", ".dds": "DDS"}
    return kinds | FORMATS


@pytest.mark.parametrize("suffix", sorted(files_of_every_suffix()))
def test_a_folder_holds_what_is_read_singly(tmp_path, suffix):
    path = tmp_path / "in" / f"a{suffix.upper()}"
    path.parent.mkdir()
    path.write_bytes(encode(files_of_every_suffix()[suffix]))
    jobs = plan_jobs([path.parent], tmp_path / "out", label="x2").jobs
    (outcome,) = upscale_files(NEAREST, jobs)
    assert outcome.error is None
    assert outcome.job.source == path
    is_kept = suffix in FORMATS
    expected = suffix.upper() if is_kept else ".png"
    assert [file.suffix for file in (tmp_path / "out").iterdir()] == [expected]
    assert any("is not written" in note for note in outcome.notes) == (not is_kept)
    if suffix in IMAGE_SUFFIXES:
        assert list_images(path.parent) == [path]


def test_a_jpeg_from_a_browser_stays_a_jpeg(tmp_path):
    path = tmp_path / "a.jfif"
    path.write_bytes(encode("JPEG"))
    upscale(path, ".jfif")
    assert (tmp_path / "result.jfif").read_bytes().startswith(b"\xff\xd8\xff")
    assert {".nef", ".jfif", ".heic"} <= PICTURE_SUFFIXES


# More than 8 bits


def deep_files():
    """name -> (file, samples of 16 bits that it stands for)."""
    files = {}
    for bits, channels in [(10, 3), (12, 3), (12, 1), (16, 3), (12, 2), (12, 4)]:
        samples = noise(24, 32, channels, dtype=np.uint16) >> (16 - bits)
        expected = np.rint(samples * (65535 / (2**bits - 1)))
        array = samples[..., 0] if channels == 1 else samples
        for codec in ("jp2", "j2k"):
            files[f"{bits}_{channels}.{codec}"] = (
                imagecodecs.jpeg2k_encode(
                    array, level=0, codecformat=codec, bitspersample=bits
                ),
                expected,
            )
        if bits < 16 and features.check("avif") and channels != 2:
            data = imagecodecs.avif_encode(array, level=100, bitspersample=bits)
            files[f"{bits}_{channels}.avif"] = data, expected
    return files


DEEP = deep_files()


@pytest.mark.parametrize("name", DEEP)
def test_deep_files_keep_their_depth(tmp_path, name):
    data, expected = DEEP[name]
    (tmp_path / name).write_bytes(data)
    picture = read_picture(tmp_path / name)
    assert picture.notes == ()
    assert picture.samples.dtype == np.uint16
    expected = np.broadcast_to(expected, picture.samples.shape)  # gray AVIF as color
    np.testing.assert_array_equal(picture.samples, expected)
    _, notes = upscale(tmp_path / name, ".png")
    assert not any("bits" in note for note in notes)
    _, notes = upscale(tmp_path / name, ".jpg")
    assert any("16 bits are written as 8" in note for note in notes)


@pytest.mark.parametrize("channels", [3, 4])
def test_heic_of_10_bits(tmp_path, channels):
    samples = noise(24, 32, channels, dtype=np.uint16) >> 6 << 6
    mode = "RGB;16" if channels == 3 else "RGBA;16"
    image = pillow_heif.from_bytes(mode, (32, 24), samples.tobytes())
    image.save(tmp_path / "a.heic", quality=-1, chroma=444, matrix_coefficients=0)
    expected = np.rint((samples >> 6) * (65535 / 1023))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.heic").samples, expected)


def test_what_is_read_as_8_bits_is_said(tmp_path):
    samples = noise(6, 5, 3, dtype=np.uint16)
    ppm = b"P6 5 6 65535\n" + samples.astype(">u2").tobytes()
    plain = b"P3 5 6 1000\n" + " ".join(map(str, (samples % 1000).ravel())).encode()
    planes = samples.transpose(2, 0, 1)[:, ::-1].astype(">u2").tobytes()
    sgi = struct.pack(">hbbHHHH", 474, 0, 2, 3, 5, 6, 3).ljust(512, b"\0") + planes
    for name, data in {"a.ppm": ppm, "b.ppm": plain, "c.sgi": sgi}.items():
        (tmp_path / name).write_bytes(data)
        picture = read_picture(tmp_path / name)
        assert any("read as 8 bits" in note for note in picture.notes), name
        if name != "b.ppm":
            np.testing.assert_allclose(picture.samples, samples / 257, atol=1)
    (tmp_path / "d.ppm").write_bytes(b"P6 5 6 255\n" + bytes(90))
    assert read_picture(tmp_path / "d.ppm").notes == ()
    (tmp_path / "e.pgm").write_bytes(b"P5 5 6 65535\n" + ppm[-180:-120])
    assert read_picture(tmp_path / "e.pgm").samples.dtype == np.uint16


@pytest.mark.parametrize(
    "suffix", sorted({*FORMATS} - {".png", ".apng", ".tif", ".tiff"})
)
def test_depth_that_is_lost_is_said(tmp_path, suffix):
    path = tmp_path / "a.png"
    write_picture(Picture(noise(24, 32, 3, dtype=np.uint16)), path)
    _, notes = upscale(path, suffix)
    assert ["16 bits are written as 8" in note for note in notes] == [True]


# Without loss


@pytest.mark.parametrize("channels", [3, 4])
def test_a_lossless_webp_stays_lossless(tmp_path, channels):
    samples = noise(16, 16, channels)
    path = tmp_path / "a.webp"
    path.write_bytes(encode("WEBP", samples, lossless=True, exact=True))
    assert read_picture(path).is_lossless
    result, notes = upscale(path, ".webp")
    assert notes == ()
    assert result.is_lossless
    if channels == 3:
        np.testing.assert_array_equal(result.samples, samples.repeat(2, 0).repeat(2, 1))
    assert not upscale(path, ".webp", quality=95)[0].is_lossless
    path.write_bytes(encode("WEBP", samples))
    assert not read_picture(path).is_lossless
    assert not upscale(path, ".webp")[0].is_lossless
    assert upscale(path, ".webp", lossless=True)[0].is_lossless


def test_a_lossless_animation_is_lossless(tmp_path):
    frames = [Image.fromarray(noise(16, 16, 3) ^ np.uint8(n)) for n in (0, 1)]
    for lossless in (True, False):
        frames[0].save(
            tmp_path / "a.webp",
            save_all=True,
            append_images=frames[1:],
            lossless=lossless,
        )
        assert read_picture(tmp_path / "a.webp").is_lossless == lossless


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_lossless_is_what_it_says_or_refused(tmp_path, suffix):
    path = tmp_path / "a.png"
    path.write_bytes(encode("PNG", noise(16, 16, 3)))
    if FORMATS[suffix] in ("JPEG", "AVIF"):
        job = Job(path, tmp_path / f"b{suffix}")
        with pytest.raises(InputError, match=r"b\.\w+: .*never written without loss"):
            upscale_file(network(never), job, Options(lossless=True))
        return
    result, _ = upscale(path, suffix, lossless=True)
    expected = noise(16, 16, 3).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(result.samples, expected)


# Long chunks


def long_text(kind):
    text = "x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1)
    info = PngImagePlugin.PngInfo()
    if kind == "iTXt":
        info.add_itxt("workflow", text, zip=True)
    else:
        info.add_text("workflow", text, zip=kind == "zTXt")
    return info


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt"])
@pytest.mark.parametrize("deep", [False, True])
def test_long_text(tmp_path, kind, deep):
    """A program that writes its workflow into a PNG may write megabytes."""
    path, samples = tmp_path / "a.png", noise(6, 5, 3)
    if deep:
        buffer = io.BytesIO()
        png.Writer(5, 6, greyscale=False, bitdepth=16).write(
            buffer, (samples.astype(int) * 257).reshape(6, -1)
        )
        data = buffer.getvalue()
        text = encode("PNG", samples, pnginfo=long_text(kind))[33:]
        length = int.from_bytes(text[:4], "big")
        path.write_bytes(data[:33] + text[: length + 12] + data[33:])
    else:
        path.write_bytes(encode("PNG", samples, pnginfo=long_text(kind)))
    expected = samples.astype(np.uint16) * 257 if deep else samples
    np.testing.assert_array_equal(read_picture(path).samples, expected)
    np.testing.assert_array_equal(decode_rgb(path.read_bytes(), name=path), samples)


def test_much_text(tmp_path):
    """Pillow has a limit for all chunks together, too."""
    info = PngImagePlugin.PngInfo()
    for n in range(66):
        info.add_text(f"part {n}", "x" * 2**20)
    (tmp_path / "a.png").write_bytes(encode("PNG", pnginfo=info))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").samples, COLORS)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_long_profile_goes_through_png(tmp_path, dtype):
    profile = SRGB + np.random.default_rng(0).bytes(1_300_000)
    data = encode("JPEG", icc_profile=profile)
    assert len(data) > len(profile)
    (tmp_path / "a.jpg").write_bytes(data)
    samples = COLORS.astype(dtype)
    write_picture(
        read_picture(tmp_path / "a.jpg")._replace(samples=samples), tmp_path / "b.png"
    )
    for _ in range(2):  # the program's own output is read again
        picture = read_picture(tmp_path / "b.png")
        assert picture.icc_profile == profile
        write_picture(picture, tmp_path / "b.png")


def test_a_bomb_in_a_profile_is_cut(tmp_path):
    data = encode("PNG")
    body = b"a\0\0" + zlib.compress(bytes(100 * 2**20), 9)
    chunk = b"iCCP" + body
    chunk = len(body).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    picture = read_picture(tmp_path / "a.png")
    assert len(picture.icc_profile or b"") <= 64 * 2**20


# BigTIFF


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_bigtiff_is_written_to_every_format(tmp_path, bits, suffix):
    path = tmp_path / "a.tif"
    samples = np.arange(24 * 32 * 3).reshape(24, 32, 3) % 2**bits
    tags = [(271, 2, list(b"Maker\0")), (282, 5, [300, 1]), (283, 5, [300, 1])]
    file = write_tiff(samples, bits=bits, photometric=RGB, big=True, tags=tags)
    path.write_bytes(file)
    result, _ = upscale(path, suffix)
    assert result.samples.shape == (48, 64, 3)
    with Image.open(tmp_path / f"result{suffix}") as image:
        exif = image.getexif()
        if FORMATS[suffix] != "BMP":
            assert exif[ExifTags.Base.Make] == "Maker"
    if result.exif:
        assert result.exif.removeprefix(b"Exif\0\0")[:4] in (b"II*\0", b"MM\0*")
