"""TIFF files of any layout, written by hand from the specification (TIFF 6.0)."""

import struct
import zlib

import numpy as np

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, LAB, ICC_LAB = (
    *(0, 1, 2, 3, 4, 5),
    *(6, 8, 9),
)
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = 0, 1, 2
DEFLATE, PACKBITS = 8, 32773
_SHORT, _LONG = 3, 4
_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "I", 7: "B", 12: "d", 16: "Q"}
_REVERSED = bytes(int(f"{n:08b}"[::-1], 2) for n in range(256))


def write_tiff(
    samples,
    *,
    bits,
    photometric,
    order="<",
    sample_format=None,
    planes=False,
    fill_order=1,
    extra=None,
    palette=None,
    compression=1,
    rows=4,
    big=False,
    tags=(),
):
    """A TIFF of [H, W, C] samples: integers below 2**bits, whatever they stand for.

    Args:
      tags: (tag, type, values) of more tags.
    """
    height, width, channels = samples.shape
    parts = np.split(samples, channels, axis=-1) if planes else [samples]
    strips = [
        _strip(part[top : top + rows], bits, order, compression, fill_order)
        for part in parts
        for top in range(0, height, rows)
    ]
    entries = {
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [bits] * channels),
        259: (_SHORT, [compression]),
        262: (_SHORT, [photometric]),
        277: (_SHORT, [channels]),
        278: (_LONG, [rows]),
        279: (_LONG, [len(strip) for strip in strips]),
        284: (_SHORT, [2 if planes else 1]),
        **({266: (_SHORT, [fill_order])} if fill_order != 1 else {}),
        **({339: (_SHORT, [sample_format] * channels)} if sample_format else {}),
        **({338: (_SHORT, extra)} if extra else {}),
        **({320: (_SHORT, palette)} if palette is not None else {}),
        **{tag: (kind, values) for tag, kind, values in tags},
    }
    offsets, at = [], 16
    for strip in strips:
        offsets.append(at)
        at += len(strip) + len(strip) % 2
    entries[273] = (_LONG, offsets)
    body = b"".join(strip + bytes(len(strip) % 2) for strip in strips)
    return _file(entries, body, order, big)


def _strip(samples, bits, order, compression, fill_order):
    data = b"".join(_packed(row.ravel(), bits, order) for row in samples)
    if compression == DEFLATE:
        data = zlib.compress(data)
    elif compression == PACKBITS:
        data = b"".join(b"\0" + data[n : n + 1] for n in range(len(data)))
    return data.translate(_REVERSED) if fill_order == 2 else data


def _packed(row, bits, order):
    if bits in (8, 16, 32, 64):
        return row.astype(f"{order}u{bits // 8}").tobytes()
    places = np.arange(bits)[::-1]
    return np.packbits((row[:, None].astype(np.int64) >> places & 1).ravel()).tobytes()


def _file(entries, body, order, big):
    """Header, strips from byte 16, then the directory and what it points to."""
    offset, count, inline = ("Q", "Q", 8) if big else ("I", "H", 4)
    start = 16 + len(body)
    entry = struct.calcsize(f"{order}HH2{offset}")
    after = start + struct.calcsize(order + count) + entry * len(entries) + inline
    directory, values = struct.pack(order + count, len(entries)), b""
    for tag, (kind, items) in sorted(entries.items()):
        data = struct.pack(f"{order}{len(items)}{_CODES[kind]}", *items)
        length = len(items) // (2 if kind == 5 else 1)
        if len(data) > inline:
            place = struct.pack(order + offset, after + len(values))
            values += data + bytes(len(data) % 2)
        else:
            place = data.ljust(inline, b"\0")
        directory += struct.pack(f"{order}HH{offset}", tag, kind, length) + place
    directory += bytes(inline)
    mark = b"II" if order == "<" else b"MM"
    if big:
        header = mark + struct.pack(f"{order}HHHQ", 43, 8, 0, start)
    else:
        header = (mark + struct.pack(f"{order}HI", 42, start)).ljust(16, b"\0")
    return header + body + directory + values
