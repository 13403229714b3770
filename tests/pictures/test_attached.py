"""XMP, texts, comments and IPTC: kept where a format can, else noted."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, IptcImagePlugin, PngImagePlugin
from PIL.ExifTags import Base

from ignn_jax.pictures.batch import Options, upscale_file
from ignn_jax.pictures.formats import FORMATS
from ignn_jax.pictures.found import of_pillow
from ignn_jax.pictures.jobs import Job
from ignn_jax.pictures.reader import read_picture
from tests.pictures.samples import NEAREST, noise

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
    b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description %b>%b'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
PARAMETERS = "a cat\nSteps: 20, Seed: 1"
IPTC = b"\x1c\x02\x78\x00\x07caption"  # 2:120


def enlarge(source, target, **options):
    """Makes a file twice as large; returns the notes."""
    return upscale_file(NEAREST, Job(source, target), Options(**options))


def save(path, **options):
    Image.fromarray(noise(24, 32, 3)).save(path, **options)
    return path


def info_of(path):
    with Image.open(path) as image:
        image.load()
        return image.info


def chunks(path):
    """The kind and body of each chunk of a PNG."""
    data, at = path.read_bytes(), 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def insert(path, *segments):
    """Inserts segments (marker, body) into a JPEG, behind its first one."""
    data = path.read_bytes()
    at = 4 + int.from_bytes(data[4:6], "big")
    added = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
        for marker, body in segments
    )
    path.write_bytes(data[:at] + added + data[at:])
    return path


def insert_chunks(path, *chunks):
    """Inserts chunks (kind, body) into a PNG, behind its first one."""
    data, added = path.read_bytes(), b""
    for kind, body in chunks:
        checksum = zlib.crc32(kind + body)
        added += (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)
        )
    path.write_bytes(data[:33] + added + data[33:])
    return path


def resource(number, data):
    return (
        struct.pack(">4sHHI", b"8BIM", number, 0, len(data))
        + data
        + b"\0" * (len(data) % 2)
    )


# XMP


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_xmp(tmp_path, suffix):
    packet = XMP % (b'dc:format="image/jpeg" dc:source="me"', b"")
    notes = enlarge(save(tmp_path / "a.jpg", xmp=packet), tmp_path / f"b{suffix}")
    if FORMATS[suffix] == "BMP":
        assert notes == ("its XMP data are dropped (BMP holds none)",)
        return
    assert notes == ()
    kept = info_of(tmp_path / f"b{suffix}")["xmp"]
    mime = Image.MIME[FORMATS[suffix]].encode()
    assert kept == packet.replace(b"image/jpeg", mime)
    assert enlarge(tmp_path / f"b{suffix}", tmp_path / "c.jpg") == ()
    assert info_of(tmp_path / "c.jpg")["xmp"] == packet


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_xmp_of_tiffs_of_any_depth(tmp_path, dtype):
    packet = XMP % (b'dc:source="me"', b"")
    Image.fromarray(noise(24, 32, dtype=dtype)).save(
        tmp_path / "a.tif", tiffinfo={700: packet}
    )
    assert enlarge(tmp_path / "a.tif", tmp_path / "b.tif") == ()
    assert info_of(tmp_path / "b.tif")["xmp"] == packet


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'tiff:ImageWidth="9"', b'tiff:ImageWidth="64"'),
        (b"<tiff:ImageLength>9</tiff:ImageLength>", b"<tiff:ImageLength>48<"),
        (b"exif:PixelXDimension = '32'", b"exif:PixelXDimension = '64'"),
        (b"<exif:PixelYDimension> 9 </exif:PixelYDimension>", b"PixelYDimension> 48<"),
        (b'exif:FocalPlaneXResolution="3001/10"', b'XResolution="6002/10"'),
        (b'GPano:FullPanoWidthPixels="32"', b'GPano:FullPanoWidthPixels="64"'),
        (b'GPano:CroppedAreaTopPixels="7"', b'GPano:CroppedAreaTopPixels="14"'),
        (b'GPano:CroppedAreaImageHeightPixels="7.5"', b'ImageHeightPixels="15"'),
        (b'GPano:InitialViewHeadingDegrees="7"', b'HeadingDegrees="7"'),
        (b'stDim:w="32" stDim:h="24"', b'stDim:w="64" stDim:h="48"'),
        (b'stArea:w="0.5"', b'stArea:w="0.5"'),
        (b'tiff:XResolution="300/1"', b'tiff:XResolution="300/1"'),
    ],
)
def test_sizes_in_xmp_are_those_of_the_result(tmp_path, before, after):
    source = save(tmp_path / "a.jpg", xmp=XMP % (b"", before))
    assert enlarge(source, tmp_path / "b.jpg") == ()
    packet = info_of(tmp_path / "b.jpg")["xmp"]
    assert after in packet


def test_the_orientation_in_xmp_is_applied(tmp_path):
    source = save(tmp_path / "a.jpg", xmp=XMP % (b'tiff:Orientation="6"', b""))
    assert enlarge(source, tmp_path / "b.jpg") == ()
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.size == (48, 64)
        assert image.info["xmp"] == XMP % (b'tiff:Orientation="1"', b"")
    regions = b'tiff:Orientation="6" GPano:CroppedAreaTopPixels="7"'
    save(source, xmp=XMP % (regions, b""))
    (note,) = enlarge(source, tmp_path / "b.jpg", overwrite=True)
    assert note == "its XMP data are dropped (they are not upright)"


@pytest.mark.parametrize(
    ("attribute", "what"),
    [
        (b' xmpNote:HasExtendedXMP="00"', "extended XMP data"),
        (b' GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"', "motion photo"),
        (b' hdrgm:Version="1.0"', "gain map"),
    ],
)
def test_xmp_does_not_point_to_what_is_lost(tmp_path, attribute, what):
    directory = (
        b"<Container:Directory><rdf:Seq><rdf:li/></rdf:Seq></Container:Directory>"
    )
    source = save(tmp_path / "a.jpg", xmp=XMP % (b'a:b="c"' + attribute, directory))
    (note,) = enlarge(source, tmp_path / "b.jpg")
    assert note == f"its {what} is dropped"
    assert info_of(tmp_path / "b.jpg")["xmp"] == XMP % (b'a:b="c"', b"")


def test_xmp_that_cannot_be_kept(tmp_path):
    save(tmp_path / "a.png", xmp=XMP % (b"", b"x" * 70000))
    source = tmp_path / "a.webp"
    save(source, xmp=XMP % (b"", b"x" * 70000))
    (note,) = enlarge(source, tmp_path / "b.jpg")
    assert note == "its XMP data are dropped (too long for JPEG)"
    save(source, xmp=(XMP % (b"", b"")).decode().encode("utf-16"))
    (note,) = enlarge(source, tmp_path / "c.jpg")
    assert note == "its XMP data are dropped (they are not in UTF-8)"


# Texts and comments


def text_png(path, image=None):
    """A PNG with texts of each kind, one of them twice, and an XMP packet."""
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", PARAMETERS)
    info.add_text("Author", "me", zip=True)
    info.add_itxt("Title", "\u00dcn\u00ef \u732b", lang="de", tkey="Titel")
    info.add_text("Author", "you")
    image = Image.fromarray(noise(24, 32, 3)) if image is None else image
    image.save(path, pnginfo=info)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_texts_of_a_png_stay_as_they_are(tmp_path, dtype):
    image = Image.fromarray(noise(24, 32, dtype=dtype))
    source = text_png(tmp_path / "a.png", image)
    assert enlarge(source, tmp_path / "b.png") == ()
    kinds = (b"tEXt", b"zTXt", b"iTXt")
    texts = [[c for c in chunks(tmp_path / f"{x}.png") if c[0] in kinds] for x in "ab"]
    assert texts[0] == texts[1]
    assert len(texts[0]) == 4
    assert info_of(tmp_path / "b.png")["parameters"] == PARAMETERS


@pytest.mark.parametrize("suffix", [s for s, name in FORMATS.items() if name != "PNG"])
def test_texts_that_are_lost_are_named(tmp_path, suffix):
    (note,) = enlarge(text_png(tmp_path / "a.png"), tmp_path / f"b{suffix}")
    assert note.startswith("its text (parameters, Author, Title) is dropped (")


def test_comments(tmp_path):
    source = save(tmp_path / "a.jpg", comment=b"caf\xc3\xa9")
    insert(source, (0xFE, b"first"))
    assert enlarge(source, tmp_path / "b.jpg") == ()
    with Image.open(tmp_path / "b.jpg") as image:
        comments = [body for kind, body in image.applist if kind == "COM"]
    assert comments == [b"first", b"caf\xc3\xa9"]
    assert enlarge(source, tmp_path / "b.png") == ()
    texts = [body for kind, body in chunks(tmp_path / "b.png") if kind == b"tEXt"]
    assert texts == [b"Comment\0first", b"Comment\0caf\xe9"]
    (note,) = enlarge(source, tmp_path / "b.webp")
    assert note == "its comment is dropped (WEBP holds none)"


def test_the_comment_of_a_gif(tmp_path):
    source = save(tmp_path / "a.gif", comment="\u732b".encode())
    enlarge(source, tmp_path / "b.png")
    assert info_of(tmp_path / "b.png")["Comment"] == "\u732b"
    enlarge(source, tmp_path / "b.jpg")
    assert info_of(tmp_path / "b.jpg")["comment"] == "\u732b".encode()


# IPTC


def captions(path):
    with Image.open(path) as image:
        return IptcImagePlugin.getiptcinfo(image)


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_iptc(tmp_path, suffix):
    path_of_points = resource(0x07D0, bytes(26))
    data = b"Photoshop 3.0\0" + resource(0x0404, IPTC) + path_of_points
    source = insert(save(tmp_path / "a.jpg"), (0xED, data))
    notes = enlarge(source, tmp_path / f"b{suffix}")
    if FORMATS[suffix] not in ("JPEG", "PNG", "TIFF"):
        assert ["its IPTC data are dropped" in note for note in notes] == [True]
        return
    assert notes == ()
    if FORMATS[suffix] != "PNG":  # where Pillow does not look for them
        assert captions(tmp_path / f"b{suffix}") == {(2, 120): b"caption"}
    assert enlarge(tmp_path / f"b{suffix}", tmp_path / "c.jpg") == ()
    assert captions(tmp_path / "c.jpg") == {(2, 120): b"caption"}
    assert path_of_points in (tmp_path / "c.jpg").read_bytes()


def test_iptc_of_a_tiff_without_photoshop(tmp_path):
    Image.fromarray(noise(24, 32)).save(tmp_path / "a.tif", tiffinfo={33723: IPTC})
    assert enlarge(tmp_path / "a.tif", tmp_path / "b.jpg") == ()
    assert captions(tmp_path / "b.jpg") == {(2, 120): b"caption"}


def test_what_photoshop_says_about_other_pixels_is_dropped(tmp_path):
    thumbnail, guides = resource(0x040C, b"old pixels"), resource(0x0408, b"guides")
    data = b"Photoshop 3.0\0" + thumbnail + resource(0x0404, IPTC) + guides
    source = insert(save(tmp_path / "a.jpg"), (0xED, data))
    (note,) = enlarge(source, tmp_path / "b.jpg")
    assert note == "its Photoshop data are dropped, but for IPTC, if any"
    assert captions(tmp_path / "b.jpg") == {(2, 120): b"caption"}
    assert b"old pixels" not in (tmp_path / "b.jpg").read_bytes()


def test_profiles_that_imagemagick_writes_as_text(tmp_path):
    exif = Image.Exif()
    exif[Base.Orientation], exif[Base.Make] = 6, "Maker"
    info = PngImagePlugin.PngInfo()
    for name, data in (("exif", exif.tobytes()), ("iptc", resource(0x0404, IPTC))):
        words = f"\n{name}\n{len(data):8}\n{data.hex()}\n"
        info.add_text(f"Raw profile type {name}", words, zip=name == "iptc")
    source = save(tmp_path / "a.png", pnginfo=info)
    assert enlarge(source, tmp_path / "b.jpg") == ()
    assert captions(tmp_path / "b.jpg") == {(2, 120): b"caption"}
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.size == (48, 64)
        assert dict(image.getexif()) == {Base.Orientation: 1, Base.Make: "Maker"}


# Others


@pytest.mark.parametrize("aspect", [(4, 3), (3, 4)])
def test_pixels_that_are_not_square(tmp_path, aspect):
    """Resolutions without a unit, from each format to each."""
    pair = struct.pack(">II", *aspect) + b"\0"
    source = insert_chunks(save(tmp_path / "0.png"), (b"pHYs", pair))
    for n, suffix in enumerate((".png", ".jpg", ".tif", ".jpg", ".tif", ".png"), 1):
        target = tmp_path / f"{n}{suffix}"
        assert enlarge(source, target) == ()
        source = target
        found = read_picture(target)
        assert found.dpi is None
        assert found.attached.aspect == aspect
    assert (b"pHYs", pair) in chunks(source)
    assert info_of(tmp_path / "2.jpg")["jfif_unit"] == 0
    assert info_of(tmp_path / "2.jpg")["jfif_density"] == aspect
    (note,) = enlarge(source, tmp_path / "c.webp")
    assert note == "its pixel aspect ratio is dropped (WEBP holds none)"


def test_what_else_a_file_holds_is_named(tmp_path):
    source = save(tmp_path / "a.jpg", dpi=(300, 300))
    insert(
        source,
        (0xEB, b"JP\0\0"),
        (0xE3, b"Meta\0"),
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0x"),
    )
    assert enlarge(source, tmp_path / "b.jpg") == (
        "its content credentials (C2PA) is dropped",
        "its extended XMP data is dropped",
        "its segment APP3 is dropped",
    )
    source = save(tmp_path / "a.png")
    insert_chunks(source, (b"oFFs", bytes(9)), (b"bKGD", bytes(6)))
    assert enlarge(source, tmp_path / "b.png") == (
        "its chunk bKGD is dropped",
        "its chunk oFFs is dropped",
    )


def test_auxiliary_images_are_named():
    image = Image.new("L", (4, 4))
    image.info |= {
        "depth_images": [None],
        "aux": {"urn:com:apple:photo:2020:aux:hdrgainmap": [2]},
    }
    notes = of_pillow(image).notes
    assert notes == ("its depth map is dropped", "its hdrgainmap is dropped")


def test_stripping_keeps_nothing_and_says_nothing(tmp_path):
    source = save(tmp_path / "a.jpg", xmp=XMP % (b"", b""), comment=b"words")
    insert(source, (0xE3, b"Meta\0"))
    assert enlarge(source, tmp_path / "b.jpg", strip=True) == ()
    info = info_of(tmp_path / "b.jpg")
    assert {"xmp", "comment", "photoshop"}.isdisjoint(info)


def test_damaged_metadata_cost_only_themselves(tmp_path):
    source = text_png(tmp_path / "a.png")
    insert_chunks(source, (b"tEXt", b"Raw profile type iptc\0no hex"))
    (note,) = enlarge(source, tmp_path / "b.png")
    assert note == "some of its metadata are damaged and left out"
    with Image.open(tmp_path / "b.png") as image:
        assert image.size == (64, 48)
