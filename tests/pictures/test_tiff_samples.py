"""Every meaning that samples have in a TIFF, against arithmetic and tifffile.

The files are written by hand, so that no library decides what they may contain.
"""

import io

import numpy as np
import pytest
import tifffile

from ignn_jax.errors import InputError
from ignn_jax.pictures.reader import decode_rgb, read_picture
from tests.pictures.samples import make_cmyk_profile, noise
from tests.pictures.tiffs import (
    ASSOCIATED,
    BLACK_IS_ZERO,
    CMYK,
    DEFLATE,
    ICC_LAB,
    LAB,
    MASK,
    PACKBITS,
    PALETTE,
    RGB,
    UNASSOCIATED,
    UNSPECIFIED,
    WHITE_IS_ZERO,
    YCBCR,
    write_tiff,
)

HEIGHT, WIDTH = 5, 7
BITS = (1, 2, 3, 4, 6, 8, 10, 12, 14, 16)
STORED = [  # ways of storing the same samples
    {},
    {"order": ">"},
    {"planes": True},
    {"fill_order": 2},
    {"compression": DEFLATE},
    {"compression": PACKBITS, "order": ">", "planes": True},
    {"big": True},
    {"big": True, "compression": DEFLATE, "fill_order": 2},
]
KINDS = [  # photometric interpretation, colors, kinds of extra samples
    (WHITE_IS_ZERO, 1, []),
    (BLACK_IS_ZERO, 1, []),
    (BLACK_IS_ZERO, 1, [UNASSOCIATED]),
    (WHITE_IS_ZERO, 1, [UNASSOCIATED]),
    (BLACK_IS_ZERO, 1, [ASSOCIATED]),
    (BLACK_IS_ZERO, 1, [UNSPECIFIED]),
    (BLACK_IS_ZERO, 1, [UNSPECIFIED] * 3),
    (RGB, 3, []),
    (RGB, 3, [UNASSOCIATED]),
    (RGB, 3, [ASSOCIATED]),
    (RGB, 3, [UNSPECIFIED]),
    (RGB, 3, [UNSPECIFIED, UNASSOCIATED]),
    (PALETTE, 1, []),
    (CMYK, 4, []),
    (CMYK, 4, [UNASSOCIATED]),
]


def stored(channels, bits):
    limit = 2**bits
    return np.random.default_rng(bits).integers(0, limit, (HEIGHT, WIDTH, channels))


def palette_of(bits):
    return noise(3, 2**bits, dtype=np.uint16)


def meaning(samples, bits, photometric, colors, extra):
    """What the samples stand for, from 0 to 1, as float64."""
    limit = 2**bits - 1
    values, others = samples[..., :colors] / limit, samples[..., colors:] / limit
    alpha = [n for n, kind in enumerate(extra) if kind != UNSPECIFIED]
    alpha = others[..., alpha[:1]]
    if ASSOCIATED in extra:
        values = np.clip(values / np.maximum(alpha, 1 / limit), 0, 1)
    if photometric == WHITE_IS_ZERO:
        values = 1 - values
    if photometric == CMYK:
        values = (1 - values[..., :3]) * (1 - values[..., 3:])
    if photometric == PALETTE:
        values = palette_of(bits).T[samples[..., 0]] / 65535
    return np.dstack([values, alpha])


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_unsigned(tmp_path, bits, kind):
    photometric, colors, extra = kind
    samples = stored(colors + len(extra), bits)
    expected = meaning(samples, bits, photometric, colors, extra)
    limit = 255 if bits <= 8 and photometric != PALETTE else 65535
    tolerance = 1.5 if photometric == CMYK else 0.5  # inks are rounded twice
    for options in STORED:
        file = write_tiff(
            samples,
            bits=bits,
            photometric=photometric,
            extra=extra,
            palette=palette_of(bits).ravel() if photometric == PALETTE else None,
            **options,
        )
        (tmp_path / "a.tif").write_bytes(file)
        picture = read_picture(tmp_path / "a.tif")
        assert np.iinfo(picture.samples.dtype).max == limit
        np.testing.assert_allclose(
            picture.samples,
            expected * limit,
            atol=tolerance + 0.01,
            err_msg=str(options),
        )
        dropped = extra.count(UNSPECIFIED)
        assert any("extra channel" in note for note in picture.notes) == (dropped > 0)
        assert any("CMYK" in note for note in picture.notes) == (photometric == CMYK)
        raw = tifffile.imread(io.BytesIO(file))
        if options.get("planes") and raw.ndim == 3:
            raw = np.moveaxis(raw, 0, -1)
        np.testing.assert_array_equal(raw.reshape(samples.shape), samples)
        # The reader for training, `evaluate` and `explain` sees the same.
        rgb, view = decode_rgb(file, name="a.tif"), picture.samples
        view = view[..., :-1] if view.shape[-1] in (2, 4) else view
        if limit == 65535:
            view = view >> 8 if view.shape[-1] == 3 else np.rint(view / 257)
        np.testing.assert_array_equal(rgb, np.broadcast_to(view, rgb.shape))


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u4", "u8"])
@pytest.mark.parametrize("photometric", [BLACK_IS_ZERO, RGB])
@pytest.mark.parametrize("order", "<>")
def test_other_integers_are_read_as_far_as_they_fit_into_16_bits(
    tmp_path, dtype, photometric, order
):
    dtype = np.dtype(dtype)
    limit = min(np.iinfo(dtype).max, 65535)
    values = noise(HEIGHT, WIDTH, photometric * 2 - 1, dtype=np.uint16).astype(
        np.uint64
    )
    values %= limit + 1
    options = {
        "bits": 8 * dtype.itemsize,
        "photometric": photometric,
        "order": order,
        "sample_format": 2 if dtype.kind == "i" else 1,
    }
    path = tmp_path / "a.tif"
    path.write_bytes(write_tiff(values, **options))
    assert tifffile.imread(path).dtype == dtype
    np.testing.assert_array_equal(read_picture(path).samples, values)
    beyond = values.astype(dtype.str.replace("i", "u"))
    beyond[0, 0, 0] = np.iinfo(beyond.dtype).max if dtype.kind == "i" else limit + 1
    path.write_bytes(write_tiff(beyond, **options))
    words = "negative" if dtype.kind == "i" else "beyond 16 bits"
    with pytest.raises(InputError, match=rf"a\.tif: .*{words}"):
        read_picture(path)
    with pytest.raises(InputError, match=rf"a\.tif: .*{words}"):
        decode_rgb(path.read_bytes(), name="a.tif")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("colors", [1, 3])
def test_floats_have_no_range_but_for_training(tmp_path, dtype, colors):
    values = noise(HEIGHT, WIDTH, colors + 1) / 255
    values[0, 0] = 1
    bits = 8 * np.dtype(dtype).itemsize
    file = write_tiff(
        values.astype(dtype).view(f"u{bits // 8}"),
        bits=bits,
        photometric=RGB if colors == 3 else BLACK_IS_ZERO,
        sample_format=3,
        extra=[UNASSOCIATED],
    )
    (tmp_path / "a.tif").write_bytes(file)
    with pytest.raises(InputError, match=r"a\.tif: .*float.*8 or 16"):
        read_picture(tmp_path / "a.tif")
    expected = np.broadcast_to(values[..., :colors] * 255, (HEIGHT, WIDTH, 3))
    rgb = decode_rgb(file, name="a.tif")
    np.testing.assert_allclose(rgb, expected, atol=0.6 if dtype == "f2" else 0.51)


def srgb_of_lab(lab):
    """L, a, b under D50 as sRGB from 0 to 1, by the formulas of the standards."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    xyz *= [0.9642, 1, 0.8249]
    linear = (
        xyz
        @ np.linalg.inv(
            [
                [0.4360747, 0.3850649, 0.1430804],
                [0.2225045, 0.7168786, 0.0606169],
                [0.0139322, 0.0971045, 0.7141733],
            ]
        ).T
    )
    linear = linear.clip(0, 1)
    return np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [LAB, ICC_LAB])
def test_lab(tmp_path, bits, photometric):
    lab = np.float64([[[50, 0, 0], [30, 20, -30], [80, -10, 40], [100, 0, 0]]])
    unit = 1 if bits == 8 else 256
    white = 2**bits - 1 if bits == 8 or photometric == LAB else 0xFF00
    samples = np.rint(lab * [white / 100, unit, unit]).astype(int)
    lab = samples / [white / 100, unit, unit]
    if photometric == LAB:
        samples %= 2**bits
    else:
        samples += [0, 128 * unit, 128 * unit]
    file = write_tiff(samples, bits=bits, photometric=photometric)
    (tmp_path / "a.tif").write_bytes(file)
    picture = read_picture(tmp_path / "a.tif")
    assert picture.samples.dtype == f"u{bits // 8}"
    assert "LAB" in picture.notes[0]
    expected = srgb_of_lab(lab) * (2**bits - 1)
    np.testing.assert_allclose(picture.samples, expected, atol=1 if bits == 8 else 120)
    rgb = decode_rgb(file, name="a.tif")
    np.testing.assert_allclose(rgb, expected / (2**bits - 1) * 255, atol=1.5)


def test_cmyk_of_16_bits_goes_through_its_profile(tmp_path):
    """The profile's gray inks: L = 100% - 31% (C + M + Y), or 0 under black."""
    inks = np.array([[[0, 0, 0, 0], [1, 0, 0, 0], [0.5, 0, 0, 0], [0, 0, 0, 1]]])
    profile = make_cmyk_profile()
    file = write_tiff(
        np.rint(inks * 65535).astype(int),
        bits=16,
        photometric=CMYK,
        tags=[(34675, 7, list(profile))],
    )
    (tmp_path / "a.tif").write_bytes(file)
    picture = read_picture(tmp_path / "a.tif")
    assert picture.icc_profile is None
    assert picture.samples.dtype == np.uint16
    lightness = np.float64([100, 68.6, 84.3, 0])
    expected = srgb_of_lab(lightness[:, None] * [1, 0, 0]) * 65535
    np.testing.assert_allclose(picture.samples[0], expected, atol=300)
    assert picture.samples[0, 2, 1] % 257  # it is not made of 8 bits


REFUSED = {
    "transparency mask": {"photometric": MASK, "bits": 1},
    "photometric interpretation 10": {"photometric": 10, "bits": 8},
    "photometric interpretation 32844": {"photometric": 32844, "bits": 16},
    "photometric interpretation 5": {
        "photometric": CMYK,
        "bits": 8,
        "tags": [(332, 3, [2])],
    },
    "photometric interpretation 2": {"photometric": RGB, "bits": 8},  # 1 channel
    "sample format 5": {"photometric": 1, "bits": 32, "sample_format": 5},
    "sample format 4": {"photometric": 1, "bits": 16, "sample_format": 4},
    "sample format 3": {"photometric": 1, "bits": 8, "sample_format": 3},
    "(20 bits": {"photometric": 1, "bits": 20},
    "(8, 16 bits": {"photometric": 2, "bits": 8, "tags": [(258, 3, [8, 16, 8])]},
    "YCbCr colors are not of 8 bits": {"photometric": YCBCR, "bits": 16},
    "1 to 16 bits": {"photometric": 0, "bits": 32},
    "big-endian BigTIFF": {"photometric": 1, "bits": 8, "big": True, "order": ">"},
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_not_known_is_refused_by_name(tmp_path, words):
    options = REFUSED[words]
    channels = {CMYK: 4, RGB: 3, YCBCR: 3, 10: 3}.get(options["photometric"], 1)
    if words == "photometric interpretation 2":
        channels = 1
    file = write_tiff(np.ones((HEIGHT, WIDTH, channels), int), **options)
    (tmp_path / "a.tif").write_bytes(file)
    for read in (read_picture, lambda path: decode_rgb(file, name=path)):
        with pytest.raises(InputError) as error:
            read(tmp_path / "a.tif")
        assert words in str(error.value)


def upright(stored, orientation):
    """What a viewer does for an orientation, from the standard's table."""
    return {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.swapaxes(0, 1),
        6: np.rot90(stored, -1),
        7: np.rot90(stored, 2).swapaxes(0, 1),
        8: np.rot90(stored, 1),
    }[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", [(WHITE_IS_ZERO, 4), (RGB, 8), (RGB, 12), (CMYK, 16)])
def test_orientation(tmp_path, orientation, kind):
    photometric, bits = kind
    samples = stored({RGB: 3, CMYK: 4}.get(photometric, 1), bits)
    pictures = []
    for turn in (1, orientation):
        file = write_tiff(
            samples,
            bits=bits,
            photometric=photometric,
            tags=[(274, 3, [turn])],
        )
        (tmp_path / "a.tif").write_bytes(file)
        pictures.append(read_picture(tmp_path / "a.tif").samples)
    stored_as, turned = pictures
    np.testing.assert_array_equal(turned, upright(stored_as, orientation))


def test_palettes_of_8_and_of_16_bits(tmp_path):
    """Old programs fill 8 bits of the 16, at either end."""
    indices, colors = stored(1, 4), noise(3, 16)
    for unit in (1, 256, 257):
        file = write_tiff(
            indices,
            bits=4,
            photometric=PALETTE,
            palette=(colors * np.uint16(unit)).ravel(),
        )
        (tmp_path / "a.tif").write_bytes(file)
        samples = read_picture(tmp_path / "a.tif").samples
        assert samples.dtype == np.uint8
        np.testing.assert_array_equal(samples, colors.T[indices[..., 0]])


def rgb_of_ycbcr(y, cb, cr):
    """ITU-R BT.601, with full range."""
    blue, red = cb - 128.0, cr - 128.0
    green = -0.344136 * blue - 0.714136 * red
    return np.dstack([y + 1.402 * red, y + green, y + 1.772 * blue]).clip(0, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("range_", ["full", "video"])
def test_ycbcr(tmp_path, orientation, range_):
    y, cb, cr = 60 + noise(3, 8, 6) // 2
    tags = [(530, 3, [1, 1]), (274, 3, [orientation])]
    expected = rgb_of_ycbcr(y, cb, cr)
    if range_ == "video":
        tags.append((532, 5, [16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1]))
        cb, cr = (128 + (c - 128.0) * (127 / 112) for c in (cb, cr))
        expected = rgb_of_ycbcr((y - 16.0) * (255 / 219), cb, cr)
        y, cb, cr = 60 + noise(3, 8, 6) // 2
    file = write_tiff(np.dstack([y, cb, cr]), bits=8, photometric=YCBCR, tags=tags)
    (tmp_path / "a.tif").write_bytes(file)
    expected = upright(expected, orientation)
    read = read_picture(tmp_path / "a.tif").samples
    # libtiff computes video levels in integers.
    tolerance = 1 if range_ == "full" else 3
    np.testing.assert_allclose(read, expected, atol=tolerance)
    np.testing.assert_array_equal(decode_rgb(file, name="a.tif"), read)


def test_ycbcr_of_half_the_colors(tmp_path):
    """Four pixels of brightness share a color; Pillow takes them for something else."""
    y = 60 + np.arange(64).reshape(8, 8) * 2
    blocks = y.reshape(4, 2, 4, 2).transpose(0, 2, 1, 3).reshape(16, 4)
    units = np.hstack([blocks, np.full((16, 1), 100), np.full((16, 1), 160)])
    whole = write_tiff(
        np.zeros((8, 8, 3), int),
        bits=8,
        photometric=YCBCR,
        rows=8,
        tags=[(530, 3, [2, 2])],
    )
    length = (8 * 8 * 3).to_bytes(4, "little")
    file = whole.replace(length, (16 * 6).to_bytes(4, "little"), 1)
    file = file[:16] + units.astype(np.uint8).tobytes() + file[16 + 16 * 6 :]
    expected = rgb_of_ycbcr(y, np.full((8, 8), 100), np.full((8, 8), 160))
    np.testing.assert_allclose(decode_rgb(file, name="a.tif"), expected, atol=1)
