"""Which images are held out for validation, and that they stay held out.

Images are chosen by their names, not by their positions, which change as soon as one is
added. A run keeps a mark of each validation image, by which the image is known again
under another name, or with other contents under the same name.
"""

import hashlib
import pathlib
import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ignn_jax.data.pairs import Pair, PairSet
from ignn_jax.errors import InputError

# Rows of an image that its mark is made of: to read all pixels would take minutes.
_ROWS = 8


class Mark(NamedTuple):
    """By which an image is known again.

    Attributes:
      name: in its set.
      pixels: a digest of its size and some of its rows.
    """

    name: str
    pixels: str


def mark(pair: Pair) -> Mark:
    """The mark of an image; equal images have equal `pixels`."""
    rows = np.linspace(0, len(pair.hr) - 1, _ROWS).astype(int)
    content = np.ascontiguousarray(pair.hr[rows]).tobytes()
    digest = hashlib.sha256(f"{pair.hr.shape}".encode() + content)
    return Mark(pair.name, digest.hexdigest()[:16])


def hold_out(images: PairSet, fraction: float) -> tuple[PairSet, PairSet]:
    """Splits off a part, chosen by the images' names.

    Sub-images of one image, such as `0001_s001` and `0001_s002`, overlap, and so stay
    together.

    Args:
      images: at least two images.
      fraction: the part to hold out, in (0, 1), of which each side gets at least one
        image.

    Returns:
      The rest, with the `left_out` of `images`, and the part that is held out.

    Raises:
      InputError: there is only one image.
    """
    groups: dict[bytes, list[int]] = {}
    for n, pair in enumerate(images):
        groups.setdefault(_rank(pair.name), []).append(n)
    if len(groups) < 2:
        what = "image" if len(images) == 1 else "image, in parts,"
        raise InputError(
            f"one {what} cannot be split into training and validation; add images, or "
            "give another source for the validation",
            field="data.validation",
        )
    wanted = min(max(round(len(images) * fraction), 1), len(images) - 1)
    chosen: set[int] = set()
    for key in sorted(groups)[:-1]:
        if len(chosen) >= wanted:
            break
        chosen.update(groups[key])
    return split(images, chosen)


def _rank(name: str) -> bytes:
    """A number that is as good as random, and the same for parts of one image."""
    whole = re.sub(r"_s\d+$", "", pathlib.PurePath(name).stem)
    return hashlib.sha256(f"split{whole}".encode("utf-8", "surrogateescape")).digest()


def hold_out_evenly(images: PairSet, fraction: float) -> tuple[PairSet, PairSet]:
    """The split of earlier versions, by position, for runs that were begun with it."""
    total = len(images)
    count = min(max(round(total * fraction), 1), total - 1)
    return split(images, {(2 * i + 1) * total // (2 * count) for i in range(count)})


def split(images: PairSet, chosen: Iterable[int]) -> tuple[PairSet, PairSet]:
    """The images with other numbers, and those with these, in their order."""
    chosen = set(chosen)
    rest = [pair for n, pair in enumerate(images) if n not in chosen]
    return (
        PairSet(rest, images.left_out, images.lr),
        PairSet((images[n] for n in sorted(chosen)), lr=images.lr),
    )


def find_marked(
    images: Sequence[Pair], marks: Collection[Mark], *, by_name: bool = False
) -> list[int]:
    """The numbers of the images that have one of these marks.

    An image is known by its pixels, whatever it is called now.

    Args:
      images: where to look.
      marks: of images, perhaps of another set.
      by_name: the marks are of this set, so that an image that has the name of a mark
        whose pixels are nowhere is the one of that mark, changed.
    """
    if not marks:
        return []
    ours = [mark(image) for image in images]
    there = {own.pixels for own in ours}
    pixels = {known.pixels for known in marks}
    names = {known.name for known in marks if by_name and known.pixels not in there}
    return [
        n for n, own in enumerate(ours) if own.pixels in pixels or own.name in names
    ]
