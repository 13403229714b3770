"""Where images come from: a spec becomes a list of files that are not yet read.

A spec is one source or several, separated by commas. Each may have a weight:

    photos                         the photographs that scikit-image carries
    folder:PATH                    image files in any layout of `data.layouts`
    folder:HR|LR                   HR and LR images of these folders
    folder:HR|bicubic              LR images made of these HR images
    tfds:div2k/bicubic_x2          a dataset of tensorflow-datasets; `:SPLIT` may follow
    folder:A*2,folder:B            A's images are drawn twice as often as B's
"""

import os
import pathlib
import re
from typing import BinaryIO, NamedTuple, Protocol

import skimage

from ignn_jax.data.layouts import find_pairs, split_apart
from ignn_jax.errors import InputError
from ignn_jax.pictures.folders import open_file

# Natural color photographs only, no pictures of microscopes or telescopes. Of the
# stereo pair of a motorcycle only the left one: with the same scene in the training
# set, the validation would tell nothing.
_PHOTOS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "motorcycle_left.png",
    "rocket.jpg",
)
# Paths may contain commas too.
_SEPARATOR = re.compile(r",(?=photos(?:$|[*,])|folder:|tfds:)")
_MAX_WEIGHT = 1000
_MADE = "LR made by MATLAB's bicubic"


class Encoded(Protocol):
    """An image file, or what a dataset holds in place of one."""

    def key(self) -> str:
        """A text that is another one if the contents are; raises OSError."""

    def open(self) -> BinaryIO:
        """Opens it to read its bytes; raises OSError."""


class ImageFile(NamedTuple):
    """An image file, known by its path, its size and the time of its last change."""

    path: pathlib.Path

    def key(self) -> str:
        status = self.path.stat()
        return f"{os.path.abspath(self.path)} {status.st_size} {status.st_mtime_ns}"

    def open(self) -> BinaryIO:
        return open_file(self.path)


class SourceImage(NamedTuple):
    """An image that was found.

    Attributes:
      name: unique in its spec.
      hr: its HR file.
      lr: its LR file, or None where LR is made from HR.
      weight: how often it is drawn, relative to the others.
    """

    name: str
    hr: Encoded
    lr: Encoded | None = None
    weight: int = 1


class Source(NamedTuple):
    """What a spec names.

    Attributes:
      images: at least one image.
      left_out: (name, reason) of every HR file without an LR file, or the reverse.
      lr: where the LR images of each source come from, in words; and the HR images if
        they are all in a folder below that of the source.
    """

    images: list[SourceImage]
    left_out: list[tuple[str, str]] = []  # noqa: RUF012  (never changed)
    lr: list[str] = []  # noqa: RUF012


def find_images(spec: str, *, scale: int) -> Source:
    """Lists the images that a spec names; prepares a TFDS dataset on its first use.

    Args:
      spec: as in the module's docstring.
      scale: LR images for this scale are used if there are any.

    Returns:
      The images, sorted by source and then by name. Where there are several sources,
      each name begins with that of its source.

    Raises:
      InputError: the kind of a source is not known, its weight is not valid, it is
        given twice, or it is missing, empty or for another scale.
    """
    found: dict[str, Source] = {}
    for part, weight in split_spec(spec):
        if part in found:
            raise InputError(f"{part} is given twice; give it a weight: {part}*2")
        source = _find_source(part, scale)
        images = [image._replace(weight=weight) for image in source.images]
        found[part] = source._replace(images=images)
    if len(found) == 1:
        return found[part]
    return Source(
        [
            image._replace(name=f"{part}/{image.name}")
            for part, source in found.items()
            for image in source.images
        ],
        [
            (f"{part}/{name}", reason)
            for part, source in found.items()
            for name, reason in source.left_out
        ],
        [f"{part}: {line}" for part, source in found.items() for line in source.lr],
    )


def split_spec(spec: str) -> list[tuple[str, int]]:
    """The sources in a spec, each with its weight.

    Raises:
      InputError: a weight is not valid.
    """
    return [_split_weight(part) for part in _SEPARATOR.split(spec)]


def _split_weight(part: str) -> tuple[str, int]:
    name, star, weight = part.rpartition("*")
    if not star:
        return part, 1
    if not re.fullmatch(r"\d+", weight) or not 1 <= int(weight) <= _MAX_WEIGHT:
        raise InputError(
            f"{part}: the weight after * must be a whole number from 1 to {_MAX_WEIGHT}"
        )
    return name, int(weight)


def _find_source(part: str, scale: int) -> Source:
    kind, _, argument = part.partition(":")
    if part == "photos":
        folder = pathlib.Path(skimage.__file__).parent / "data"
        photos = [SourceImage(name, ImageFile(folder / name)) for name in _PHOTOS]
        return Source(photos, lr=[_MADE])
    if kind == "folder" and argument:
        return _folder(argument, scale)
    if kind == "tfds" and argument:
        # TFDS is slow to import, and most runs do not need it.
        from ignn_jax.data.tfds import open_dataset

        examples = open_dataset(argument, scale=scale)
        images = [
            SourceImage(f"{n:05d}", *example) for n, example in enumerate(examples)
        ]
        given = bool(images) and images[0].lr is not None
        return Source(images, lr=["LR from the dataset" if given else _MADE])
    raise InputError(
        f"unknown image source '{part}': give photos or folder:PATH or "
        "tfds:div2k/bicubic_x2, or several with commas between them"
    )


def _folder(argument: str, scale: int) -> Source:
    found = find_pairs(argument, scale=scale)
    root, _ = split_apart(argument)

    def relative(path: pathlib.Path) -> str:
        # LR images may be elsewhere.
        return (path.relative_to(root) if root in path.parents else path).as_posix()

    # Whatever else is in the folder is not used: a user sees it here.
    place = os.path.commonpath([files.hr.parent for files in found.pairs] or [root])
    hr = f"HR from {place}, " if place != str(root) else ""
    return Source(
        [
            SourceImage(
                relative(files.hr),
                ImageFile(files.hr),
                ImageFile(files.lr) if files.lr else None,
            )
            for files in found.pairs
        ],
        [(relative(path), reason) for path, reason in found.unpaired],
        [hr + (f"LR from {found.lr}" if found.lr else _MADE)],
    )
