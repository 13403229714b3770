"""EXIF: the orientation that is applied, and the block that is kept."""

from typing import Any

import numpy as np
from PIL import ExifTags, Image

# By EXIF orientation: whether to swap rows and columns, then the step along each.
TURNS = {
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}

# Units of TIFF's resolution.
NO_UNIT, INCHES, CENTIMETERS = 1, 2, 3

# EXIF shares its tag numbers with TIFF. These tags describe how the original file
# stores its samples (sizes, strips, tiles, color tables), or are written separately.
LAYOUT_TAGS = frozenset(
    (
        *range(254, 267),
        *(273, *range(277, 282), 284, *range(288, 294)),
        *(317, *range(320, 348), *range(512, 533)),
        *(301, 318, 319),  # colors, for which there is a profile, or sRGB
        *(700, 33723, 34377, 34675),  # XMP, IPTC, Photoshop, color profile
    )
)


def upright(samples: np.ndarray, orientation: Any) -> np.ndarray:
    """Samples [H, W, C] turned as their EXIF orientation asks; a view."""
    swap, rows, columns = TURNS.get(orientation, (False, 1, 1))
    return (samples.swapaxes(0, 1) if swap else samples)[::rows, ::columns]


def kept_exif(exif: Image.Exif) -> bytes | None:
    """The EXIF block without orientation and thumbnail, or None if it is empty.

    Changes `exif`.
    """
    for tag in LAYOUT_TAGS.intersection(exif):
        del exif[tag]
    if ExifTags.Base.Orientation in exif:
        exif[ExifTags.Base.Orientation] = 1
    exif.bigtiff = False  # an EXIF block never is, even of a BigTIFF
    return exif.tobytes() if len(exif) else None


def valid_dpi(x: Any, y: Any) -> tuple[float, float] | None:
    """A resolution, or None if it is not one: a TIFF without any reads as 1 x 1."""
    x, y = float(x), float(y)
    return (x, y) if 1 < x < 65536 and 1 < y < 65536 else None
