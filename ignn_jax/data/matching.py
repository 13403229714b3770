"""HR and LR files of one image, found by their names."""

import pathlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ignn_jax.errors import InputError

# {name} is the name of the HR image, with and without an "_HR", "_x2" or "_HR_x2", and
# {part} the number of a sub-image, as in "_s001", or nothing.
_LR_NAMES = (
    "{name}{part}",
    "{name}x{scale}{part}",
    "{name}_x{scale}{part}",
    "{name}_LR_x{scale}{part}",
    "{name}_LRBI_x{scale}{part}",
    "{name}_LR{part}",
)


class PairFiles(NamedTuple):
    """The files of an image.

    Attributes:
      name: unique in its set.
      hr: the HR file.
      lr: the LR file, or None where LR is to be made.
    """

    name: str
    hr: pathlib.Path
    lr: pathlib.Path | None = None


class Found(NamedTuple):
    """The images of a set.

    Attributes:
      pairs: the files of each image.
      unpaired: (file, reason) of each HR file without an LR file, and of the reverse.
      lr: the folder of the LR images; None where they are to be made.
    """

    pairs: list[PairFiles]
    unpaired: list[tuple[pathlib.Path, str]] = []  # noqa: RUF012  (never changed)
    lr: pathlib.Path | None = None


def match(
    hr: Sequence[pathlib.Path],
    lr: Iterable[pathlib.Path],
    *,
    hr_folder: pathlib.Path,
    lr_folder: pathlib.Path,
    scale: int,
) -> Found:
    """Finds the LR file of each HR file in another folder."""
    lr_files = {_stem(path, lr_folder): path for path in lr}
    matched, missing = [], []
    for pair in name_all(hr, hr_folder):
        names = _lr_names(_stem(pair.hr, hr_folder), scale)
        found = next((name for name in names if name in lr_files), None)
        if found is None:
            missing.append(pair.hr)
        else:
            matched.append(pair._replace(lr=lr_files.pop(found)))
    return Found(matched, _unpaired(missing, lr_files.values()), lr_folder)


def match_side_by_side(
    paths: Iterable[pathlib.Path], folder: pathlib.Path, *, scale: int
) -> Found | None:
    """Finds `NAME_HR` and `NAME_LR` in one folder; None if there are no such pairs.

    Raises:
      InputError: there are other images among them. In `image_SRF_2`, and where names
        end in `_SRF_2_HR`, the others are results of other methods, and are not used.
    """
    # In a folder of another name, "_HR" alone may be a part of a photograph's name.
    is_named = folder.name.lower() == f"image_srf_{scale}"
    pattern = re.compile(
        rf"(.+?)(_SRF_{scale})?_(?:(HR)|LR_?(?:x?{scale})?)", re.IGNORECASE
    )
    hr: dict[str, pathlib.Path] = {}
    lr: dict[str, pathlib.Path] = {}
    others, is_tagged = [], is_named
    for path in paths:
        found = pattern.fullmatch(path.stem) if path.parent == folder else None
        if found:
            (hr if found[3] else lr)[found[1]] = path
            is_tagged = is_tagged or bool(found[2])
        else:
            others.append(path)
    if not (hr if is_tagged else hr.keys() & lr.keys()):
        return None
    if others and not is_tagged:
        raise InputError(
            f"{folder}: {others[0].name} is among pairs such as {next(iter(hr))}_HR "
            "and _LR; move the other images to another folder"
        )
    return Found(
        [PairFiles(name, hr[name], lr[name]) for name in hr if name in lr],
        _unpaired(
            (hr[name] for name in hr if name not in lr),
            (lr[name] for name in lr if name not in hr),
        ),
        folder,
    )


def name_all(
    paths: Sequence[pathlib.Path], folder: pathlib.Path
) -> Iterator[PairFiles]:
    """Names each image by its stem, or by as much of its path as makes it unique."""
    relative = [path.relative_to(folder) for path in paths]
    longer_and_longer = [
        [path.stem for path in relative],
        [path.with_suffix("").as_posix() for path in relative],
        [path.as_posix() for path in relative],
    ]
    counts = [Counter(names) for names in longer_and_longer]
    for path, *names in zip(paths, *longer_and_longer, strict=True):
        unique = (n for n, c in zip(names, counts, strict=True) if c[n] == 1)
        yield PairFiles(next(unique), path)


def _lr_names(name: str, scale: int) -> Iterator[str]:
    """What the LR file of an HR file may be called, in lower case."""
    bare = re.sub(rf"(_hr)?(_?x{scale})?$", "", name)
    whole, part = re.fullmatch(r"(.*?)(_s\d+)?", name).groups("")  # type: ignore
    for base, rest in ((name, ""), (bare, ""), (whole, part)):
        for template in _LR_NAMES:
            yield template.format(name=base, part=rest, scale=scale).lower()


def _stem(path: pathlib.Path, folder: pathlib.Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix().lower()


def _unpaired(
    hr: Iterable[pathlib.Path], lr: Iterable[pathlib.Path]
) -> list[tuple[pathlib.Path, str]]:
    return [
        *((path, "its LR image is missing") for path in hr),
        *((path, "its HR image is missing") for path in lr),
    ]
