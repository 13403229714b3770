"""PNGs of 16 bits a sample, of which Pillow keeps 8.

libpng codes the pixels, through imagecodecs; it refuses whatever Pillow refuses (bad
checksums, missing data). Metadata chunks are Pillow's.
"""

from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = 33  # bytes of the signature and the first chunk, IHDR
_BIT_DEPTH = 24  # its place in the header


def is_png16(data: bytes) -> bool:
    """Whether the file is a PNG of 16 bits a sample."""
    return data.startswith(_SIGNATURE) and data[_BIT_DEPTH : _BIT_DEPTH + 1] == b"\x10"


def decode(data: bytes) -> np.ndarray:
    """The samples, uint16 [H, W, C]; a color key (tRNS) becomes an alpha channel."""
    import imagecodecs  # takes a while, and few pictures need it

    samples = imagecodecs.png_decode(data)
    return samples.reshape(*samples.shape[:2], -1)


def encode(samples: np.ndarray, **metadata: Any) -> bytes:
    """A PNG of uint16 [H, W, C]; `metadata` as Pillow's PNG encoder takes it."""
    import imagecodecs

    data = imagecodecs.png_encode(np.ascontiguousarray(samples))
    # imagecodecs writes no metadata: take the chunks of a PNG of one pixel by Pillow.
    chunks = PngImagePlugin.getchunks(Image.new("L", (1, 1)), **metadata)
    kept = (c for c in chunks if c[0] not in (b"IHDR", b"IDAT", b"IEND"))
    inserted = (
        len(body).to_bytes(4, "big") + kind + body + crc for kind, body, crc in kept
    )
    view = memoryview(data)
    return b"".join([view[:_HEADER], *inserted, view[_HEADER:]])
