"""Where images come from: a spec of the config becomes a list of files, not yet read.

A spec is one or more sources, separated by commas, each with a weight if it likes:

    photos                         the photographs that scikit-image carries
    folder:PATH                    image files, in any layout of `data.benchmarks`
    tfds:div2k/bicubic_x2          a dataset of tensorflow-datasets; `:SPLIT` may follow
    folder:A*2,folder:B            A's images are drawn twice as often as B's
"""

import functools
import pathlib
import re
from collections.abc import Callable
from typing import NamedTuple

import skimage

from ignn_jax.data.layouts import find_benchmark
from ignn_jax.errors import InputError

# Only natural color photographs: not the microscope's, the telescope's or the eye
# clinic's pictures. And only the left one of the stereo pair of a motorcycle: the right
# one shows the same scene, and would give away a validation image to the training set.
_PHOTOS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "motorcycle_left.png",
    "rocket.jpg",
)
# A comma within a path is none between sources.
_SEPARATOR = re.compile(r",(?=photos(?:$|[*,])|folder:|tfds:)")
_MAX_WEIGHT = 1000


class SourceImage(NamedTuple):
    """An image that can be read.

    Attributes:
      name: unique in its spec.
      read: gives the bytes of the HR file, and those of the LR file or None where LR
        is to be made; raises OSError.
      weight: how often it is drawn, in parts of the sum.
    """

    name: str
    read: Callable[[], tuple[bytes, bytes | None]]
    weight: int = 1


class Source(NamedTuple):
    """What a spec names.

    Attributes:
      images: at least one.
      left_out: (name, reason) of every file that lacks its counterpart.
    """

    images: list[SourceImage]
    left_out: list[tuple[str, str]] = []  # noqa: RUF012  (never changed)


def find_images(spec: str, *, scale: int) -> Source:
    """Lists the images that a spec names. A dataset of TFDS is prepared if it is not.

    Args:
      spec: as of the module's docstring.
      scale: for which LR images are looked for.

    Returns:
      The images in the order of the sources and of their names. Where there are several
      sources, names begin with theirs.

    Raises:
      InputError: a source is of no known kind or is given twice, its weight is not one,
        or it is missing, empty, or for another scale.
    """
    found: dict[str, Source] = {}
    for part in _SEPARATOR.split(spec):
        part, weight = _split_weight(part)
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
    )


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
        return Source(
            [
                SourceImage(name, functools.partial(_read_files, folder / name, None))
                for name in _PHOTOS
            ]
        )
    if kind == "folder" and argument:
        return _folder(pathlib.Path(argument).expanduser(), scale)
    if kind == "tfds" and argument:
        # TFDS is slow to import, and most runs do without.
        from ignn_jax.data.tfds import open_dataset

        return Source(
            [
                SourceImage(name, read)
                for name, read in open_dataset(argument, scale=scale)
            ]
        )
    raise InputError(
        f"unknown image source '{part}': give photos or folder:PATH or "
        "tfds:div2k/bicubic_x2, or several with commas between them"
    )


def _folder(folder: pathlib.Path, scale: int) -> Source:
    benchmark = find_benchmark(folder, scale=scale)

    def relative(path: str | pathlib.Path) -> str:
        return pathlib.Path(path).relative_to(folder).as_posix()

    unpaired = (line.rsplit(": ", 1) for line in benchmark.unpaired)
    return Source(
        [
            SourceImage(
                relative(files.hr), functools.partial(_read_files, files.hr, files.lr)
            )
            for files in benchmark.pairs
        ],
        [(relative(path), reason) for path, reason in unpaired],
    )


def _read_files(
    hr: pathlib.Path, lr: pathlib.Path | None
) -> tuple[bytes, bytes | None]:
    return hr.read_bytes(), lr.read_bytes() if lr else None
