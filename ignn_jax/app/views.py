"""What the page shows of large pictures: parts, pixel by pixel, and overviews.

Pictures stay on disk, and only what is shown is read.
"""

import uuid
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ignn_jax.pictures.crops import largest_differences
from ignn_jax.pictures.fit import fit_colors
from ignn_jax.pictures.formats import format_of
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.reader import read_picture
from ignn_jax.pictures.upscale import resize_picture, view_picture
from ignn_jax.pictures.writer import write_picture

# Height and width of a part: at two or three of the screen's pixels for each of the
# picture's, it fills the page.
PART = (360, 480)
_OVERVIEW = 480  # pixels of its longer side
_SIDE = 96  # of the place where two pictures differ most


class Beside(NamedTuple):
    """A result, and its original enlarged by bicubic to the same size."""

    before: Picture
    after: Picture

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        height, width, _ = self.after.samples.shape
        return height, width

    @property
    def is_whole(self) -> bool:
        """Whether one part shows all of it."""
        return all(n <= m for n, m in zip(self.size, PART, strict=True))

    def most_different(self) -> tuple[int, int]:
        """Row and column around which the two differ most."""
        before, after = (x.samples[..., :3] for x in self)
        rows, columns = next(largest_differences(before, after, side=_SIDE, count=1))
        return (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2

    def part_around(self, place: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of the part with this row and column in its middle."""
        rows, columns = (
            slice(start := min(max(at - part // 2, 0), max(n - part, 0)), start + part)
            for at, part, n in zip(place, PART, self.size, strict=True)
        )
        return rows, columns

    def save_part(
        self, part: tuple[slice, slice], folder: Path
    ) -> tuple[Path, Path, Path]:
        """Writes a part of both, and an overview in which it is outlined, as PNGs."""
        paths = []
        for picture in self:
            path = new_png(folder)
            write_picture(_on_white(picture, part), path)
            paths.append(path)
        overview = new_png(folder)
        self._overview(part).save(overview)
        return paths[0], paths[1], overview

    def place_in(self, overview: tuple[int, int]) -> tuple[int, int]:
        """Row and column of the picture, from x and y in the overview."""
        step = self._step
        return overview[1] * step, overview[0] * step

    @property
    def _step(self) -> int:
        """How many pixels one of the overview stands for."""
        return -(-max(self.size) // _OVERVIEW)

    def _overview(self, part: tuple[slice, slice]) -> Image.Image:
        step = self._step
        every = slice(None, None, step)
        image = Image.fromarray(_on_white(self.after, (every, every)).samples)
        box = [part[1].start, part[0].start, part[1].stop, part[0].stop]
        left, top, right, bottom = (n // step for n in box)
        for grown, color in ((1, "black"), (0, "white")):
            ImageDraw.Draw(image).rectangle(
                (left - grown, top - grown, right + grown, bottom + grown),
                outline=color,
                width=1 + grown,
            )
        return image


def new_png(folder: Path) -> Path:
    """A path by a new name, or the browser would show the picture that it has."""
    return folder / f"{uuid.uuid4().hex}.png"


def beside_bicubic(
    source: Path, result: Path, folder: Path, *, max_pixels: int
) -> Beside:
    """Reads a result, enlarges its original, and puts both into a folder.

    Raises:
      InputError: a file is gone.
    """
    after = read_picture(result, max_pixels=2**40)
    original = fit_colors(
        read_picture(source, max_pixels=max_pixels), format_of(result)
    )
    height, width, _ = after.samples.shape
    before = resize_picture(original, (height, width))
    return Beside(
        _on_disk(before, folder / "before.npy"), _on_disk(after, folder / "after.npy")
    )


def _on_disk(picture: Picture, path: Path) -> Picture:
    np.save(path, picture.samples)
    return picture._replace(samples=np.load(path, mmap_mode="r"))


def _on_white(picture: Picture, part: tuple[slice, slice]) -> Picture:
    """A part of a picture as the page shows it: 8-bit RGB, in its own colors."""
    samples = picture.samples[part]
    is_color = samples.shape[-1] >= 3
    return Picture(
        np.ascontiguousarray(view_picture(picture._replace(samples=samples))),
        icc_profile=picture.icc_profile if is_color else None,
        description=picture.description,
    )
