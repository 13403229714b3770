"""Metadata of pictures that are turned and enlarged, checked by other libraries."""

import struct

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.ExifTags import IFD, Base, Interop

from ignn_jax.pictures.batch import Options, upscale_file
from ignn_jax.pictures.end_size import EndSize
from ignn_jax.pictures.exif import Block
from ignn_jax.pictures.jobs import Job
from tests.pictures.samples import NEAREST, noise

SUBJECT_AREA, SUBJECT_LOCATION = 37396, 41492


def enlarge(source, target, **options):
    """Makes a file twice as large; returns the notes."""
    return upscale_file(NEAREST, Job(source, target), Options(**options))


def save_jpeg(path, exif, **options):
    Image.fromarray(noise(24, 32, 3)).save(path, exif=exif, **options)
    return path


def exif_of(path):
    with Image.open(path) as image:
        return image.getexif()


# EXIF


def camera_exif(orientation=1, maker_note=b"a maker's own", thumbnail=False):
    """The EXIF block of a camera, perhaps with a second directory."""
    exif = Image.Exif()
    exif.endian = "<"
    exif[Base.Orientation] = orientation
    exif[Base.XResolution], exif[Base.YResolution] = 300.0, 150.0
    exif[IFD.Exif] = {
        Base.ExifImageWidth: 32,
        Base.ExifImageHeight: 24,
        Base.FocalPlaneXResolution: 1000.5,
        Base.FocalPlaneYResolution: 500.25,
        SUBJECT_AREA: (8, 6, 4, 2),
        SUBJECT_LOCATION: (30, 20),
        Base.MakerNote: maker_note,
        IFD.Interop: {
            Interop.RelatedImageWidth: 32,
            Interop.RelatedImageHeight: 24,
        },
    }
    block = bytearray(exif.tobytes())
    if thumbnail:
        (count,) = struct.unpack_from("<H", block, 6 + 8)
        struct.pack_into("<I", block, 6 + 10 + 12 * count, len(block) - 6)
        block += struct.pack("<H", 1)  # one entry: JPEG compression
        block += struct.pack("<HHIHxxI", 259, 3, 1, 6, 0)
    return bytes(block)


def test_sizes_in_exif_are_those_of_the_result(tmp_path):
    source = save_jpeg(tmp_path / "a.jpg", camera_exif())
    assert enlarge(source, tmp_path / "b.jpg") == ()
    exif = exif_of(tmp_path / "b.jpg")
    details, interop = exif.get_ifd(IFD.Exif), exif.get_ifd(IFD.Interop)
    assert (details[Base.ExifImageWidth], details[Base.ExifImageHeight]) == (64, 48)
    assert interop[Interop.RelatedImageWidth] == 64
    assert interop[Interop.RelatedImageHeight] == 48
    assert details[Base.FocalPlaneXResolution] == 2001
    assert details[Base.FocalPlaneYResolution] == 1000.5
    assert details[SUBJECT_AREA] == (16, 12, 8, 4)
    assert details[SUBJECT_LOCATION] == (60, 40)
    # The resolution stays: the result is larger in print.
    assert (exif[Base.XResolution], exif[Base.YResolution]) == (300, 150)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_positions_turn_with_the_picture(tmp_path, orientation):
    """The subject's area is drawn into the picture, which is then turned."""
    values = np.zeros((24, 32), np.uint8)
    values[5:7, 6:10] = 255  # of center 8, 6 and sides 4, 2
    source = tmp_path / "a.png"
    Image.fromarray(values).save(source, exif=camera_exif(orientation))
    enlarge(source, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        drawn = np.argwhere(np.asarray(image))
        details = image.getexif().get_ifd(IFD.Exif)
        resolutions = [image.getexif()[tag] for tag in (282, 283)]
    top, left = drawn.min(axis=0)
    bottom, right = drawn.max(axis=0) + 1
    x, y, width, height = details[SUBJECT_AREA]
    assert (x - width / 2, x + width / 2) == (left, right)
    assert (y - height / 2, y + height / 2) == (top, bottom)
    is_swapped = orientation > 4
    assert resolutions == ([150, 300] if is_swapped else [300, 150])
    focal = [
        details[tag] for tag in (Base.FocalPlaneXResolution, Base.FocalPlaneYResolution)
    ]
    assert focal == ([1000.5, 2001] if is_swapped else [2001, 1000.5])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".heic"])
def test_cameras_own_data_stay_where_they_point_to(tmp_path, suffix):
    note = b"MAKER" + bytes(range(256))
    source = save_jpeg(tmp_path / "a.jpg", camera_exif(3, note))
    assert enlarge(source, tmp_path / f"b{suffix}") == ()
    with Image.open(source) as before, Image.open(tmp_path / f"b{suffix}") as after:
        blocks = [x.info["exif"].removeprefix(b"Exif\0\0") for x in (before, after)]
    assert blocks[0].index(note) == blocks[1].index(note)
    assert exif_of(tmp_path / f"b{suffix}").get_ifd(IFD.Exif)[Base.MakerNote] == note


def test_what_a_tiff_cannot_keep_of_a_camera_is_noted(tmp_path):
    source = save_jpeg(tmp_path / "a.jpg", camera_exif(thumbnail=True))
    notes = enlarge(source, tmp_path / "b.tif")
    assert ["thumbnail" in notes[0], "MakerNote" in notes[1]] == [True, True]
    with Image.open(tmp_path / "b.tif") as image:
        details = image.getexif().get_ifd(IFD.Exif)
    assert details[Base.ExifImageWidth] == 64
    assert Base.MakerNote not in details
    notes = enlarge(tmp_path / "b.tif", tmp_path / "c.jpg")
    assert notes == ()


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_thumbnail_stays_unless_it_is_not_upright(tmp_path, orientation):
    source = save_jpeg(tmp_path / "a.jpg", camera_exif(orientation, thumbnail=True))
    notes = enlarge(source, tmp_path / "b.jpg")
    thumbnail = exif_of(tmp_path / "b.jpg").get_ifd(IFD.IFD1)
    if orientation == 1:
        assert (notes, thumbnail) == ((), {Base.Compression: 6})
    else:
        assert (["thumbnail" in note for note in notes], thumbnail) == ([True], {})


def test_a_size_beyond_16_bits(tmp_path):
    exif = Image.Exif()
    exif[IFD.Exif] = {
        Base.ExifImageWidth: 1,
        Base.ExifImageHeight: 1,
        SUBJECT_LOCATION: (34_000, 1),
    }
    Image.new("L", (35_000, 1)).save(tmp_path / "a.png", exif=exif)
    (note,) = enlarge(tmp_path / "a.png", tmp_path / "b.png")
    assert "SubjectLocation is dropped" in note
    details = exif_of(tmp_path / "b.png").get_ifd(IFD.Exif)
    assert details == {Base.ExifImageWidth: 70_000, Base.ExifImageHeight: 2}


def test_a_block_is_changed_in_place():
    """Every value of every type that Pillow writes, in both byte orders."""
    for endian in "<>":
        exif = Image.Exif()
        exif.endian = endian
        exif[256], exif[271], exif[282], exif[33550] = 7, "Maker", 0.25, (1.5, 2.5, 0.0)
        exif[IFD.Exif] = {Base.ExifImageWidth: 32}
        block = Block(exif.tobytes())
        assert block.tags() == {256, 271, 282, 33550, IFD.Exif}
        assert (block.get(256), block.get(282)) == ((7,), (0.25,))
        assert block.text(271) == "Maker"
        assert block.set(282, 1 / 3)
        assert block.set(33550, 9.0, 8.0, 7.0)
        assert block.set(Base.ExifImageWidth, 70_000, ifd=IFD.Exif)
        block.delete(271)
        assert block.set(271, 1)  # it is not there: nothing to do
        read = Image.Exif()
        read.load(block.tobytes())
        assert set(read) == {256, 282, 33550, IFD.Exif}
        assert float(read[282]) == pytest.approx(1 / 3, rel=1e-6)
        assert read[33550] == (9.0, 8.0, 7.0)
        assert read.get_ifd(IFD.Exif) == {Base.ExifImageWidth: 70_000}


# GeoTIFF


KEYS = (1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1)


def save_geotiff(path, tags, *, is_point=False, dtype=np.uint8, **options):
    codes = [(code, 12, len(values), values, True) for code, values in tags.items()]
    keys = (*KEYS, 1 + is_point)
    codes.append((34735, 3, len(keys), keys, True))
    values = noise(24, 32, 3, dtype=dtype)
    tifffile.imwrite(
        path, values, photometric="rgb", extratags=codes, metadata=None, **options
    )
    return path


def tags_of(path):
    with tifffile.TiffFile(path) as file:
        return {tag.code: tag.value for tag in file.pages[0].tags}


def corners(tags, width, height, *, is_point):
    """Where the outermost corners of the pixels are on the ground."""
    shift = 0.5 if is_point else 0
    edges = [(x - shift, y - shift) for x in (0, width) for y in (0, height)]
    if 34264 in tags:
        matrix = np.reshape(tags[34264], (4, 4))
        return [tuple(matrix[:2] @ (x, y, 0, 1)) for x, y in edges]
    x0, y0, _, east, north, _ = tags[33922][:6]
    right, down, _ = tags[33550]
    return [(east + (x - x0) * right, north - (y - y0) * down) for x, y in edges]


@pytest.mark.parametrize("is_point", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "tags",
    [
        {33550: (10.0, 20.0, 0.0), 33922: (0.0, 0.0, 0.0, 5e5, 4.6e6, 7.0)},
        {33550: (10.0, 20.0, 0.0), 33922: (3.5, 2.0, 0.0, 5e5, 4.6e6, 7.0)},
        {34264: (*(9.0, 2.0, 0.0, 5e5, 3.0, -8.0, 0.0, 4.6e6), *np.eye(4).flat[8:])},
    ],
)
def test_a_geotiff_covers_the_same_ground(tmp_path, tags, is_point, dtype):
    source = save_geotiff(tmp_path / "a.tif", tags, is_point=is_point, dtype=dtype)
    target = tmp_path / "b.tif"
    assert enlarge(source, target, end_size=EndSize(width=48)) == ()
    np.testing.assert_allclose(
        corners(tags_of(target), 48, 36, is_point=is_point),
        corners(tags, 32, 24, is_point=is_point),
    )
    assert tags_of(target)[34735] == (*KEYS, 1 + is_point)


def test_ground_control_points_and_polynomials(tmp_path):
    points = (0.0, 0.0, 0.0, 5.0, 6.0, 7.0, 32.0, 24.0, 0.0, 8.0, 9.0, 1.0)
    rpc = np.arange(92.0)
    source = save_geotiff(tmp_path / "a.tif", {33922: points, 50844: tuple(rpc)})
    enlarge(source, tmp_path / "b.tif")
    tags = tags_of(tmp_path / "b.tif")
    assert tags[33922] == (*points[:6], 64.0, 48.0, *points[8:])
    rpc[2:4] = (2 + 0.5) * 2 - 0.5, (3 + 0.5) * 2 - 0.5  # of centers of pixels
    rpc[7:9] *= 2
    np.testing.assert_allclose(tags[50844], rpc)


def test_a_georeference_that_cannot_be_kept_is_noted(tmp_path):
    tags = {33550: (10.0, 10.0, 0.0), 33922: (0.0, 0.0, 0.0, 5.0, 6.0, 0.0)}
    source = save_geotiff(tmp_path / "a.tif", tags)
    (note,) = enlarge(source, tmp_path / "b.png")
    assert note == "its georeference is dropped (PNG holds none)"
    assert 33550 not in exif_of(tmp_path / "b.png")
    turned = [(274, 3, 1, 6, True)]
    tifffile.imwrite(
        tmp_path / "c.tif",
        noise(24, 32),
        metadata=None,
        extratags=[*turned, (33550, 12, 3, (1.0, 1.0, 0.0), True)],
    )
    (note,) = enlarge(tmp_path / "c.tif", tmp_path / "d.tif")
    assert note == "its georeference is dropped (it is not upright)"
    assert 33550 not in tags_of(tmp_path / "d.tif")


# Descriptions of instruments


def described(description):
    return {"description": description, "metadata": None}


@pytest.mark.parametrize(
    ("options", "whose"),
    [
        ({"ome": True}, "OME-XML"),
        (
            {"imagej": True, "resolution": (5, 5), "metadata": {"unit": "um"}},
            "ImageJ's",
        ),
        ({}, "tifffile's"),
        ({"metadata": {"axes": "YX", "note": "mine"}}, "tifffile's"),
        (described("shape=(24, 32)"), "tifffile's"),
        (described("<MetaData>\n<prop/></MetaData>"), "MetaMorph's"),
        (described("SI.hChannels.channelSave = 1"), "ScanImage's"),
        (described("Aperio Image Library v11\n24x32|MPP = 0.5"), "Aperio's"),
        (described("SIMPLE  =  T\nNAXIS1 = 32\nEND"), "a FITS header"),
        (described('<?xml version="1.0"?>\n<scn xmlns="a"></scn>'), "Leica's"),
    ],
)
def test_descriptions_that_give_sizes_are_dropped(tmp_path, options, whose):
    source, target = tmp_path / "a.tif", tmp_path / "b.tif"
    tifffile.imwrite(source, noise(24, 32, dtype=np.uint16), **options)
    notes = enlarge(source, target)
    assert f"its description, {whose}, is dropped" in notes[0]
    tags = tags_of(target)
    assert 270 not in tags
    with tifffile.TiffFile(target) as file:
        flags = [f for f in ("ome", "imagej", "shaped") if getattr(file, f"is_{f}")]
    assert flags == []
    if whose == "ImageJ's":  # its pixels per micrometer
        assert "its resolution is dropped" in notes[1]
        assert 282 not in tags


def test_tags_of_instruments_are_dropped(tmp_path):
    tags = [
        (33628, 4, 3, (1, 2, 3), True),
        (51123, 2, 3, "{}", True),
        (65000, 2, 2, "x", True),
    ]
    tifffile.imwrite(tmp_path / "a.tif", noise(24, 32), metadata=None, extratags=tags)
    notes = enlarge(tmp_path / "a.tif", tmp_path / "b.tif")
    assert ["MetaMorph" in notes[0], "Micro-Manager" in notes[1]] == [True, True]
    kept = tags_of(tmp_path / "b.tif")
    assert 33628 not in kept
    assert 51123 not in kept
    assert kept[65000] == "x"  # nobody knows what it means


def test_other_descriptions_stay(tmp_path):
    words = "A cat on ImageJ=1 paper, SIMPLE and in good shape=(round)"
    tifffile.imwrite(
        tmp_path / "a.tif", noise(24, 32), description=words, metadata=None
    )
    assert enlarge(tmp_path / "a.tif", tmp_path / "b.tif") == ()
    assert tags_of(tmp_path / "b.tif")[270] == words


def test_parts_of_a_tiff_that_are_lost_are_noted(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(noise(24, 32), subifds=1, metadata=None)
        file.write(noise(12, 16), metadata=None)
    (note,) = enlarge(tmp_path / "a.tif", tmp_path / "b.tif")
    assert note == "its sub-images are dropped"
    layers = [(37724, 7, 5, b"Adobe", True)]
    tifffile.imwrite(tmp_path / "a.tif", noise(24, 32), metadata=None, extratags=layers)
    (note,) = enlarge(tmp_path / "a.tif", tmp_path / "b.tif", overwrite=True)
    assert note == "its Photoshop layers are dropped"
    assert 37724 not in tags_of(tmp_path / "b.tif")


def test_damaged_blocks_cost_only_themselves(tmp_path):
    """Blocks with a byte or two changed: the picture is written whatever they say."""
    rng, good = np.random.default_rng(0), camera_exif(6, thumbnail=True)
    for _ in range(60):
        block = bytearray(good)
        for at in rng.integers(6, len(block), rng.integers(1, 4)):
            block[at] = rng.integers(256)
        source = save_jpeg(tmp_path / "a.jpg", bytes(block))
        for suffix in (".jpg", ".tif"):
            enlarge(source, tmp_path / f"b{suffix}", overwrite=True)
