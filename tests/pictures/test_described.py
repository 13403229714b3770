"""Colors that a file describes other than by an ICC profile, shown as they should be.

The expected colors come from the formulas of the standards. What the result shows is
computed from its own chunks, or by Pillow from its profile.
"""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageCms, features

from ignn_jax.errors import InputError
from ignn_jax.pictures.batch import Options, upscale_file
from ignn_jax.pictures.decode import from_pillow
from ignn_jax.pictures.formats import FORMATS
from ignn_jax.pictures.jobs import Job
from ignn_jax.pictures.reader import read_picture, read_rgb
from tests.pictures.samples import (
    GRAY,
    NEAREST,
    SRGB,
    make_cmyk_profile,
    network,
    never,
)
from tests.pictures.tiffs import RGB, write_tiff

COLOR = [80, 175, 120]
WIDE = [120, 175, 140]  # its P3 lies well within sRGB
# To XYZ under D65.
TO_XYZ = {
    "sRGB": [
        [0.4124, 0.3576, 0.1805],
        [0.2126, 0.7152, 0.0722],
        [0.0193, 0.1192, 0.9505],
    ],
    "P3": [
        [0.4866, 0.2657, 0.1982],
        [0.2290, 0.6917, 0.0793],
        [0.0000, 0.0451, 1.0439],
    ],
    "Adobe RGB": [
        [0.5767, 0.1856, 0.1882],
        [0.2973, 0.6274, 0.0753],
        [0.0270, 0.0707, 0.9911],
    ],
}


def srgb_curve(values):
    return np.where(
        values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4
    )


def as_srgb(color, space="sRGB", gamma=None):
    """The color, 0 to 255, as sRGB: 0 to 255, not rounded."""
    values = np.asarray(color) / 255
    light = srgb_curve(values) if gamma is None else values**gamma
    light = light @ np.transpose(TO_XYZ[space]) @ np.linalg.inv(TO_XYZ["sRGB"]).T
    light = light.clip(0, 1)
    return 255 * np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055
    )


def chunk(kind, body):
    end = zlib.crc32(kind + body).to_bytes(4, "big")
    return len(body).to_bytes(4, "big") + kind + body + end


def png(*chunks, color=COLOR, mode="RGB"):
    """A PNG of one color with chunks."""
    buffer = io.BytesIO()
    Image.new(mode, (8, 8), tuple(color) if mode == "RGB" else color[0]).save(
        buffer, "PNG"
    )
    data = buffer.getvalue()
    return data[:33] + b"".join(chunk(*one) for one in chunks) + data[33:]


def profile_chunk(profile):
    return b"iCCP", b"a\0\0" + zlib.compress(profile)


def gamma(value):
    return b"gAMA", struct.pack(">I", value)


def chromaticities(*values):
    return b"cHRM", struct.pack(">8I", *(round(100000 * value) for value in values))


SRGB_XY = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
P3_XY = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
ADOBE_XY = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
LINEAR, USUAL, P3 = gamma(100000), gamma(45455), (b"cICP", b"\x0c\x0d\0\1")
PQ, HLG = (b"cICP", b"\x09\x10\0\1"), (b"cICP", b"\x09\x12\0\1")


def chunks_of(data):
    at, found = 8, {}
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found[data[at + 4 : at + 8]] = data[at + 8 : at + 8 + length]
        at += 12 + length
    return found


def shown(path):
    """The middle of a file as sRGB: what someone sees who honors its description."""
    picture = read_picture(path)
    samples = picture.samples[4, 4].astype(float)
    color = samples[:3] * (255 / np.iinfo(picture.samples.dtype).max)
    chunks = chunks_of(path.read_bytes()) if path.suffix == ".png" else {}
    if chunks.get(b"cICP") == P3[1]:
        return as_srgb(color, "P3")
    if picture.icc_profile:
        image = Image.fromarray(np.uint8([[np.rint(color)]]))
        source = io.BytesIO(picture.icc_profile)
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        return np.asarray(converted)[0, 0].astype(float)
    color = np.broadcast_to(color if len(samples) > 2 else color[:1], 3)
    return as_srgb(color, gamma=1) if chunks.get(b"gAMA") == LINEAR[1] else color


def upscale(data, path, suffix, source="a.png", **options):
    """Upscales a file; returns the result's path and the notes."""
    source, target = path / source, path / f"result{suffix}"
    source.write_bytes(data)
    options = Options(overwrite=True, **options)
    return target, upscale_file(NEAREST, Job(source, target), options)


SUFFIXES = sorted(
    {".png", ".jpg", ".webp", ".bmp", ".tif", ".avif", ".heic"} & {*FORMATS}
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_linear_light(tmp_path, suffix, mode):
    """What is not carried over is converted, with 16 bits where they fit."""
    path, notes = upscale(png(LINEAR, mode=mode), tmp_path, suffix)
    expected = [152, 216, 182] if mode == "RGB" else [152] * 3
    np.testing.assert_allclose(as_srgb(COLOR, gamma=1), [152, 216, 182], atol=0.5)
    np.testing.assert_allclose(
        shown(path), expected, atol=1 if suffix != ".webp" else 3
    )
    if suffix == ".png":
        assert notes == ()
        assert chunks_of(path.read_bytes())[b"gAMA"] == LINEAR[1]
        return
    assert ["gAMA" in note and "sRGB" in note for note in notes] == [True]
    samples = read_picture(path).samples
    assert samples.dtype == (np.uint16 if suffix == ".tif" else np.uint8)
    if suffix == ".tif":
        exact = as_srgb(COLOR if mode == "RGB" else COLOR[:1] * 3, gamma=1) * 257
        np.testing.assert_allclose(samples[4, 4], exact[: samples.shape[-1]], atol=40)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_display_p3(tmp_path, suffix):
    """It becomes a profile where there is room for one, and keeps its saturation."""
    path, notes = upscale(png(P3, color=WIDE), tmp_path, suffix)
    expected = as_srgb(WIDE, "P3")
    tolerance = 4 if suffix in (".webp", ".avif") else 2
    np.testing.assert_allclose(shown(path), expected, atol=tolerance)
    assert np.abs(expected - WIDE).max() > 6  # it matters
    if suffix == ".png":
        assert notes == ()
        assert chunks_of(path.read_bytes())[b"cICP"] == P3[1]
    else:
        (note,) = notes
        assert "cICP" in note
        has_profile = read_picture(path).icc_profile is not None
        assert has_profile == (suffix != ".bmp")
        assert ("color profile" in note) == has_profile


@pytest.mark.parametrize("hdr", [PQ, HLG])
def test_high_dynamic_range_is_carried_or_refused(tmp_path, hdr):
    light = (b"cLLI", struct.pack(">2I", 10_000_000, 2_000_000))
    path, notes = upscale(png(hdr, light), tmp_path, ".png")
    assert notes == ()
    chunks = chunks_of(path.read_bytes())
    assert (chunks[b"cICP"], chunks[b"cLLI"]) == (hdr[1], light[1])
    for suffix in (".jpg", ".tif", ".webp"):
        job = Job(tmp_path / "a.png", tmp_path / f"b{suffix}")
        with pytest.raises(InputError, match=r"a\.png: .*(PQ|HLG).*write PNG"):
            upscale_file(network(never), job, Options())
    assert not list(tmp_path.glob("b*"))


PRECEDENCE = {  # chunks, space and exponent of what they mean
    "cICP": ([P3, profile_chunk(SRGB), LINEAR], "P3", None),
    "iCCP": ([profile_chunk(SRGB), (b"sRGB", b"\0"), LINEAR], "sRGB", None),
    "sRGB": ([(b"sRGB", b"\0"), LINEAR, chromaticities(*P3_XY)], "sRGB", None),
    "gAMA, cHRM": ([gamma(45455), chromaticities(*ADOBE_XY)], "Adobe RGB", 2.2),
    "gAMA": ([LINEAR], "sRGB", 1),
    "cHRM": ([chromaticities(*P3_XY)], "P3", None),
}


@pytest.mark.parametrize("name", PRECEDENCE)
def test_precedence(tmp_path, name):
    chunks, space, exponent = PRECEDENCE[name]
    path, notes = upscale(png(*chunks), tmp_path, ".tif")
    np.testing.assert_allclose(shown(path), as_srgb(COLOR, space, exponent), atol=1)
    assert len(notes) == (name not in ("iCCP", "sRGB"))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "chunks",
    [
        [USUAL],
        [USUAL, chromaticities(*SRGB_XY)],
        [chromaticities(*SRGB_XY)],
        [(b"sRGB", b"\1"), USUAL, chromaticities(*SRGB_XY)],
        [(b"cICP", b"\1\x0d\0\1")],
    ],
)
def test_srgb_in_other_words_needs_none(tmp_path, suffix, chunks):
    path, notes = upscale(png(*chunks), tmp_path, suffix)
    assert notes == ()
    np.testing.assert_allclose(shown(path), COLOR, atol=3)
    if suffix == ".png":
        kept = chunks_of(path.read_bytes())
        assert kept[chunks[0][0]] == chunks[0][1]


def test_16_bits_keep_their_chunks(tmp_path):
    samples = np.full((8, 8, 3), np.uint16(COLOR) * 257)
    data = imagecodecs.png_encode(samples)
    data = data[:33] + chunk(*LINEAR) + data[33:]
    path, notes = upscale(data, tmp_path, ".png")
    assert notes == ()
    np.testing.assert_array_equal(read_picture(path).samples[4, 4], samples[0, 0])
    np.testing.assert_allclose(shown(path), [152, 216, 182], atol=0.6)


@pytest.mark.parametrize(
    "chunks",
    [
        [gamma(0)],
        [(b"gAMA", b"\0")],
        [USUAL, (b"cHRM", b"\0" * 9)],
        [(b"cICP", b"\1")],
        [(b"iCCP", b"a\0\0rubbish")],
        [(b"iCCP", b"")],
    ],
)
def test_damaged_chunks_say_nothing(tmp_path, chunks):
    path, _ = upscale(png(*chunks), tmp_path, ".jpg")
    np.testing.assert_allclose(shown(path), COLOR, atol=2)


def test_nonsense_is_dropped_with_a_word(tmp_path):
    chunks = [LINEAR, chromaticities(0.3127, 0, 0, 0, 0, 0, 0, 0)]
    path, notes = upscale(png(*chunks), tmp_path, ".jpg")
    assert "makes no sense" in notes[0]
    np.testing.assert_allclose(shown(path), COLOR, atol=2)


@pytest.mark.parametrize("cicp", [b"\x0c\x63\0\1", b"\x63\x0d\0\1", b"\x0c\x0d\0\0"])
def test_unknown_code_points_are_refused_by_name(tmp_path, cicp):
    with pytest.raises(InputError, match="cICP"):
        upscale(png((b"cICP", cicp)), tmp_path, ".jpg")


def test_training_ignores_descriptions(tmp_path):
    """As it ignores profiles: published scores are those of the stored samples."""
    (tmp_path / "a.png").write_bytes(png(LINEAR))
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png")[0, 0], COLOR)


# Other formats


def heif(transfer, primaries, **options):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), tuple(WIDE)).save(
        buffer,
        "HEIF",
        quality=-1,
        chroma=444,
        color_primaries=primaries,
        transfer_characteristics=transfer,
        **options,
    )
    return buffer.getvalue()


def avif(transfer, primaries):
    buffer = io.BytesIO()
    image = Image.new("RGB", (16, 16), tuple(WIDE))
    image.save(buffer, "AVIF", quality=100, subsampling="4:4:4")
    data = bytearray(buffer.getvalue())
    at = data.index(b"colrnclx") + 8
    data[at : at + 4] = struct.pack(">2H", primaries, transfer)
    return bytes(data)


@pytest.mark.parametrize(("name", "make"), [("a.heic", heif), ("a.avif", avif)])
def test_nclx(tmp_path, name, make):
    if name == "a.avif" and not features.check("avif"):
        pytest.skip("Pillow lacks AVIF")
    path, notes = upscale(make(13, 12), tmp_path, ".png", name)
    np.testing.assert_allclose(shown(path), as_srgb(WIDE, "P3"), atol=3)
    assert chunks_of(path.read_bytes())[b"cICP"] == P3[1]
    path, notes = upscale(make(13, 12), tmp_path, ".jpg", name)
    np.testing.assert_allclose(shown(path), as_srgb(WIDE, "P3"), atol=4)
    assert "nclx" in notes[0]
    path, notes = upscale(make(13, 1), tmp_path, ".jpg", name)
    assert notes == ()
    with pytest.raises(InputError, match="nclx: PQ"):
        upscale(make(16, 9), tmp_path, ".jpg", name)


def test_hdr_of_10_bits_becomes_a_png_of_16(tmp_path):
    samples = np.full((16, 16, 3), [100, 700, 1023], np.uint16) << 6
    image = pillow_heif.from_bytes("RGB;16", (16, 16), samples.tobytes())
    image.save(
        tmp_path / "a.heic",
        quality=-1,
        chroma=444,
        color_primaries=9,
        transfer_characteristics=16,
        matrix_coefficients=0,
    )
    data = (tmp_path / "a.heic").read_bytes()
    path, notes = upscale(data, tmp_path, ".png", "a.heic")
    assert notes == ()
    assert chunks_of(path.read_bytes())[b"cICP"] == PQ[1]
    expected = np.rint(np.float64([100, 700, 1023]) * (65535 / 1023))
    np.testing.assert_array_equal(read_picture(path).samples[4, 4], expected)


@pytest.mark.parametrize(
    ("suffix", "index"),
    [
        *[(suffix, True) for suffix in (".jpg", ".png", ".webp")],
        *[(suffix, False) for suffix in (".jpg", ".png", ".webp", ".tif")],
    ],
)
def test_adobe_rgb_by_exif(tmp_path, suffix, index):
    """Cameras say it in the interoperability index only."""
    exif, details = Image.Exif(), {ExifTags.Base.ColorSpace: 65535 if index else 2}
    if index:
        details[ExifTags.IFD.Interop] = {1: "R03"}
    exif[ExifTags.IFD.Exif] = details
    source = tmp_path / f"a{suffix}"
    Image.new("RGB", (16, 16), tuple(COLOR)).save(
        source, exif=exif.tobytes(), quality=100
    )
    path, notes = upscale(source.read_bytes(), tmp_path, ".png", source.name)
    np.testing.assert_allclose(
        shown(path), as_srgb(COLOR, "Adobe RGB", 563 / 256), atol=4
    )
    assert "Adobe RGB" in notes[0]
    assert read_picture(path).exif


def test_gray_of_adobe_rgb_is_gray(tmp_path):
    """For gray, only the exponent counts, and 2.2 is the usual one."""
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ColorSpace: 2}
    data = save(tmp_path / "a.jpg", "L", None, exif=exif.tobytes(), quality=100)
    path, notes = upscale(data, tmp_path, ".jpg", "a.jpg")
    assert notes == ()
    np.testing.assert_allclose(shown(path), COLOR[0], atol=1)


TRANSFER = np.rint(np.linspace(0, 1, 256) * 65535).astype(int).tolist()


@pytest.mark.parametrize("count", [1, 3])
def test_tags_of_a_tiff(tmp_path, count):
    def rationals(values):
        return [n for value in values for n in (round(value * 10000), 10000)]

    tags = [
        (301, 3, TRANSFER * count),
        (318, 5, rationals(SRGB_XY[:2])),
        (319, 5, rationals(SRGB_XY[2:])),
    ]
    samples = np.full((8, 8, 3), COLOR)
    file = write_tiff(samples, bits=8, photometric=RGB, tags=tags)
    path, notes = upscale(file, tmp_path, ".tif", "a.tif")
    np.testing.assert_allclose(shown(path), [152, 216, 182], atol=1)
    assert "TIFF tags" in notes[0]
    again, notes = upscale(path.read_bytes(), tmp_path, ".png", "b.tif")
    assert not any("TIFF tags" in note for note in notes)  # it is converted once
    np.testing.assert_allclose(shown(again), [152, 216, 182], atol=1)
    tags = [(318, 5, rationals(P3_XY[:2])), (319, 5, rationals(P3_XY[2:]))]
    file = write_tiff(samples, bits=8, photometric=RGB, tags=tags)
    path, notes = upscale(file, tmp_path, ".tif", "a.tif")
    np.testing.assert_allclose(shown(path), as_srgb(COLOR, "P3"), atol=1)


def jp2(color_space):
    data = bytearray(
        imagecodecs.jpeg2k_encode(
            np.full((16, 16, 3), COLOR, np.uint8), level=0, codecformat="jp2"
        )
    )
    at = data.index(b"colr") + 4
    assert data[at] == 1
    data[at + 3 : at + 7] = color_space.to_bytes(4, "big")
    return bytes(data)


def test_color_spaces_of_jpeg_2000(tmp_path):
    path, notes = upscale(jp2(16), tmp_path, ".png", "a.jp2")
    np.testing.assert_allclose(shown(path), COLOR, atol=1)
    assert len(notes) == 1  # it is written as PNG
    path, notes = upscale(jp2(21), tmp_path, ".png", "a.jp2")
    assert "ROMM" in notes[0]
    profile = ImageCms.ImageCmsProfile(io.BytesIO(read_picture(path).icc_profile))
    assert profile.profile.red_primary[1][0] == pytest.approx(0.7347, abs=0.001)
    with pytest.raises(InputError, match=r"color space 14 of JPEG 2000"):
        upscale(jp2(14), tmp_path, ".png", "a.jp2")


def bmp(size, kind, rest):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), tuple(COLOR)).save(buffer, "BMP")
    data = buffer.getvalue()
    header = struct.pack("<I", size) + data[18:54] + struct.pack("<3I", 0, 0, 0)
    header += bytes(4) + kind + rest
    header = header.ljust(size, b"\0")
    pixels = data[54:]
    start = struct.pack("<I", 14 + size)
    return data[:10] + start + header + pixels, len(header) + len(pixels)


def test_bmp(tmp_path):
    profile = imagecodecs.cms_profile("adobergb")
    _, place = bmp(124, b"DEBM", b"")
    rest = bytes(36 + 12 + 4) + struct.pack("<2I", place, len(profile))
    data, _ = bmp(124, b"DEBM", rest)
    path, _ = upscale(data + profile, tmp_path, ".png", "a.bmp")
    assert read_picture(path).icc_profile == profile
    xyz = np.float64(TO_XYZ["P3"]).T  # of red, green and blue
    numbers = np.rint(xyz * 2**30).astype(int).ravel().tolist() + [2**16] * 3
    data, _ = bmp(108, bytes(4), struct.pack("<12I", *numbers))
    path, notes = upscale(data, tmp_path, ".png", "a.bmp")
    assert "BMP" in notes[0]
    np.testing.assert_allclose(shown(path), as_srgb(COLOR, "P3", 1), atol=1)


# Profiles that do not fit


def save(path, mode, profile, **options):
    color = tuple(COLOR) if mode == "RGB" else COLOR[0]
    Image.new(mode, (8, 8), color).save(path, icc_profile=profile, **options)
    return path.read_bytes()


def test_a_gray_profile_in_a_color_file(tmp_path):
    """WebP, AVIF and HEIC store gray as color."""
    linear = imagecodecs.cms_profile("gray", gamma=1.0)
    data = save(tmp_path / "a.png", "L", linear)
    path, notes = upscale(data, tmp_path, ".webp")
    assert "color profile" in notes[0]
    assert read_picture(path).icc_profile is None
    np.testing.assert_allclose(shown(path), 152, atol=2)
    path, notes = upscale(data, tmp_path, ".jpg")
    assert (notes, read_picture(path).icc_profile) == ((), linear)


def test_a_color_profile_in_a_gray_file(tmp_path):
    data = save(tmp_path / "a.jpg", "L", SRGB)
    path, notes = upscale(data, tmp_path, ".png", "a.jpg")
    assert "as good as sRGB, is dropped" in notes[0]
    assert read_picture(path).icc_profile is None
    assert read_picture(path).samples.dtype == np.uint8
    linear = imagecodecs.cms_profile("rgb", gamma=1.0, **PRIMARIES)
    data = save(tmp_path / "a.jpg", "L", linear)
    path, notes = upscale(data, tmp_path, ".png", "a.jpg")
    assert "becomes sRGB" in notes[0]
    np.testing.assert_allclose(shown(path), 152, atol=2)


PRIMARIES = {
    "whitepoint": [0.3127, 0.329, 1],
    "primaries": [0.64, 0.33, 1, 0.3, 0.6, 1, 0.15, 0.06, 1],
}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_profiles_of_no_use_are_dropped_with_a_word(tmp_path, suffix):
    for profile, words in [
        (make_cmyk_profile(), "CMYK does not fit RGB"),
        (GRAY, "GRAY does not fit RGB"),
        (b"no profile" * 30, "damaged"),
        (SRGB[:16] + b"R\nB " + SRGB[20:], "damaged"),
    ]:
        data = save(tmp_path / "a.jpg", "RGB", profile, quality=100)
        path, notes = upscale(data, tmp_path, suffix, "a.jpg")
        assert [words in note for note in notes] == [True]
        assert read_picture(path).icc_profile is None
        np.testing.assert_allclose(shown(path), COLOR, atol=3)


def test_a_bmp_takes_over_the_colors_of_a_profile(tmp_path):
    linear = imagecodecs.cms_profile("rgb", gamma=1.0, **PRIMARIES)
    data = save(tmp_path / "a.png", "RGB", linear)
    path, notes = upscale(data, tmp_path, ".bmp")
    assert "becomes sRGB" in notes[0]
    np.testing.assert_allclose(shown(path), [152, 216, 182], atol=1)


def test_pillow_images_get_a_profile(tmp_path):
    for chunks, expected in [
        ([LINEAR], [152, 216, 182]),
        ([gamma(45455), chromaticities(*ADOBE_XY)], as_srgb(COLOR, "Adobe RGB", 2.2)),
        ([USUAL], COLOR),
    ]:
        with Image.open(io.BytesIO(png(*chunks))) as image:
            picture = from_pillow(image)
        assert (picture.icc_profile is None) == (expected is COLOR)
        image = Image.fromarray(picture.samples)
        image.save(tmp_path / "b.png", icc_profile=picture.icc_profile)
        np.testing.assert_allclose(shown(tmp_path / "b.png"), expected, atol=1)


def test_stripped_files_describe_nothing(tmp_path):
    path, notes = upscale(png(LINEAR), tmp_path, ".png", strip=True)
    assert notes == ()
    assert not {b"gAMA", b"iCCP"} & chunks_of(path.read_bytes()).keys()
