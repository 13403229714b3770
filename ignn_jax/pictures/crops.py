"""Crops of images side by side, where they differ most.

Images are uint8 [H, W, 3].
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageDraw, ImageFont

SIDE = 96  # pixels of a crop
_ZOOM = 3
_MARGIN, _CAPTION = 8, 24

_CROPS = 3  # of a picture that has no original
_CELL = 16  # pixels between the places that are tried


def beside_bicubic(sr: np.ndarray, bicubic: np.ndarray, *, label: str) -> Image.Image:
    """Crops where two versions of an image without an original differ most.

    Args:
      sr: the image upscaled by the network.
      bicubic: the image upscaled by bicubic, of the same size.
      label: name of the network.
    """
    places = list(largest_differences(sr, bicubic, side=SIDE, count=_CROPS))
    return draw_sheet(
        [
            [(f"{name} at {x.start},{y.start}", image[y, x]) for y, x in places]
            for name, image in (("bicubic", bicubic), (label, sr))
        ]
    )


def draw_sheet(rows: Sequence[Sequence[tuple[str, np.ndarray]]]) -> Image.Image:
    """Rows of (caption, crop), magnified, on white; crops are at most SIDE wide."""
    side = SIDE * _ZOOM
    step = side + _CAPTION + _MARGIN
    size = (len(rows[0]) * (side + _MARGIN) + _MARGIN, len(rows) * step + _MARGIN)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for n, row in enumerate(rows):
        for m, (caption, crop) in enumerate(row):
            left, top = _MARGIN + m * (side + _MARGIN), _MARGIN + n * step
            draw.text((left, top), caption, fill="black", font=font)
            image = Image.fromarray(crop)
            image = image.resize(
                (image.width * _ZOOM, image.height * _ZOOM), Image.Resampling.NEAREST
            )
            sheet.paste(image, (left, top + _CAPTION))
    return sheet


def largest_differences(
    a: np.ndarray, b: np.ndarray, *, side: int, count: int
) -> Iterator[tuple[slice, slice]]:
    """The squares where two images differ most, in order; no two overlap.

    It works in blocks of rows and on a grid of places, since copies of a large picture
    would fill the memory.

    Args:
      a, b: images of the same size.
      side: of the squares, in pixels, cut to the image; a multiple of 16.
      count: the largest number of squares; there is always at least one.
    """
    height, width, _ = a.shape
    columns = np.arange(0, width, _CELL)
    grid = np.stack(
        [
            np.add.reduceat(
                np.square(a[rows].astype(np.int64) - b[rows]).sum(axis=(0, 2)), columns
            )
            for rows in (slice(n, n + _CELL) for n in range(0, height, _CELL))
        ]
    )
    cells = side // _CELL
    window = tuple(min(cells, n) for n in grid.shape)
    sums = sliding_window_view(grid, window).sum(axis=(2, 3))
    for n in range(count):
        row, column = (int(n) for n in np.unravel_index(sums.argmax(), sums.shape))
        if n > 0 and sums[row, column] <= 0:
            return
        top = max(min(row * _CELL, height - side), 0)
        left = max(min(column * _CELL, width - side), 0)
        yield slice(top, min(top + side, height)), slice(left, min(left + side, width))
        # Squares at the far edges are moved inwards by less than a cell.
        reach = cells + 1
        sums[
            max(row - cells, 0) : row + reach, max(column - cells, 0) : column + reach
        ] = -1
