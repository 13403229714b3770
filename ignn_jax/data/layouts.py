"""Sets of images in the layouts in which they are published.

A set is a folder. Its layout is recognized by the names in it, in any case:

    image_SRF_2/img_001_SRF_2_HR.png    image_SRF_2/img_001_SRF_2_LR.png
    HR/x2/img_001.png                   LR/x2/img_001.png
    HR/img_001.png                      LR_bicubic/X2/img_001x2.png
    GTmod12/img_001.png                 LRbicx2/img_001.png
    DIV2K_train_HR/0001.png             DIV2K_train_LR_bicubic/X2/0001x2.png
    img_001.png

An LR image has the name of its HR image, perhaps with the scale after it. Where a set
has no LR images for the scale, they are made of the HR images. To add a layout, add its
folders to `_HR_FOLDERS` and `_LR_FOLDERS`, and the names in them to `_LR_NAMES`.
"""

import os
import pathlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ignn_jax.errors import InputError
from ignn_jax.pictures.folders import list_images

# The first that exists is taken. Regular expressions.
_HR_FOLDERS = (r"HR", r"GTmod\d+")
# {set} is what precedes "HR" in the name of the HR folder, such as "DIV2K_train_".
_LR_FOLDERS = ("{set}LR_bicubic/x{scale}", "{set}LR/x{scale}", "LRbicx{scale}")
# {name} is the name of the HR image, with and without an "_HR", "_x2" or "_HR_x2".
_LR_NAMES = (
    "{name}",
    "{name}x{scale}",
    "{name}_x{scale}",
    "{name}_LR_x{scale}",
    "{name}_LRBI_x{scale}",
    "{name}_LR",
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
    """

    pairs: list[PairFiles]
    unpaired: list[tuple[pathlib.Path, str]]


def find_pairs(folder: pathlib.Path, *, scale: int) -> Found:
    """Finds the images of one set, whatever its layout is.

    Args:
      folder: the set.
      scale: the scale of the LR images.

    Raises:
      InputError: there are no images, only images for other scales, only LR images, or
        several sets.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a folder of images")
    nested = find_subfolder(folder, f"image_SRF_{scale}")
    paths = list_images(nested or folder)
    if side_by_side := _pair_side_by_side(paths, nested or folder, scale):
        return side_by_side
    _refuse_other_scales(folder, r"image_SRF_\d", scale)
    hr = _find_hr_folder(folder)
    if hr is None:
        if lonely := find_subfolder(folder, r"(.+_)?LR(_bicubic)?"):
            raise InputError(f"{lonely}: there is no folder HR beside it")
        return Found(_named(paths, folder), [])
    lr = _find_lr_folder(folder, hr, scale)
    hr_for_scale = find_subfolder(hr, f"x{scale}")
    if hr_for_scale is None:
        _refuse_other_scales(hr, r"x\d", scale)
    hr = hr_for_scale or hr
    pairs = _named(list_images(hr), hr)
    return _match(pairs, hr, lr, scale) if lr else Found(pairs, [])


def _pair_side_by_side(
    paths: Iterable[pathlib.Path], folder: pathlib.Path, scale: int
) -> Found | None:
    """`NAME_SRF_2_HR` and `NAME_SRF_2_LR` in one folder; None if there are none."""
    # In a folder of another name, "_HR" alone may be a part of a photograph's name.
    is_named = folder.name.lower() == f"image_srf_{scale}"
    tag = f"(?:_SRF_{scale})?" if is_named else f"_SRF_{scale}"
    pattern = re.compile(rf"(.+?){tag}_(HR|LR)", re.IGNORECASE)
    sides: dict[str, dict[str, pathlib.Path]] = {"HR": {}, "LR": {}}
    for path in paths:
        match = pattern.fullmatch(path.stem)
        if match and path.parent == folder:
            sides[match[2].upper()][match[1]] = path
    hr, lr = sides["HR"], sides["LR"]
    if not hr:
        return None
    return Found(
        [PairFiles(name, hr[name], lr[name]) for name in hr if name in lr],
        _unpaired(
            (hr[name] for name in hr if name not in lr),
            (lr[name] for name in lr if name not in hr),
        ),
    )


def _find_hr_folder(folder: pathlib.Path) -> pathlib.Path | None:
    for pattern in _HR_FOLDERS:
        if found := find_subfolder(folder, pattern):
            return found
    # DIV2K_train_HR, if there is a DIV2K_train_LR_bicubic, or any other LR, beside it.
    # Otherwise "_HR" may be a part of any album's name.
    names = subfolders(folder)
    sets = sorted(name for name in names if name.lower().endswith("_hr"))
    starts = tuple(name[: -len("HR")].lower() + "lr" for name in sets)
    if not any(name.lower().startswith(starts) for name in names):
        return None
    if len(sets) > 1:
        raise InputError(
            f"{folder}: holds {', '.join(sets)}; give the path of one of them"
        )
    return folder / sets[0]


def _find_lr_folder(
    folder: pathlib.Path, hr: pathlib.Path, scale: int
) -> pathlib.Path | None:
    prefix = hr.name[: -len("HR")] if hr.name.lower().endswith("hr") else ""
    for path in _LR_FOLDERS:
        found: pathlib.Path | None = folder
        for name in path.format(set=prefix, scale=scale).split("/"):
            found = found and find_subfolder(found, re.escape(name))
        if found:
            return found
    return None


def _match(
    pairs: Iterable[PairFiles], hr: pathlib.Path, lr: pathlib.Path, scale: int
) -> Found:
    """Finds the LR image of each HR image, by its name."""
    lr_files = {_stem(path, lr): path for path in list_images(lr)}
    matched, missing = [], []
    for pair in pairs:
        name = _stem(pair.hr, hr)
        bare = re.sub(rf"(_hr)?(_?x{scale})?$", "", name)
        options = (
            template.format(name=base, scale=scale).lower()
            for base in (name, bare)
            for template in _LR_NAMES
        )
        found = next((option for option in options if option in lr_files), None)
        if found is None:
            missing.append(pair.hr)
        else:
            matched.append(pair._replace(lr=lr_files.pop(found)))
    return Found(matched, _unpaired(missing, lr_files.values()))


def _stem(path: pathlib.Path, folder: pathlib.Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix().lower()


def _unpaired(
    hr: Iterable[pathlib.Path], lr: Iterable[pathlib.Path]
) -> list[tuple[pathlib.Path, str]]:
    return [
        *((path, "its LR image is missing") for path in hr),
        *((path, "its HR image is missing") for path in lr),
    ]


def _named(paths: Sequence[pathlib.Path], folder: pathlib.Path) -> list[PairFiles]:
    """Names each image by its stem, or by as much of its path as makes it unique."""
    relative = [path.relative_to(folder) for path in paths]
    longer_and_longer = [
        [path.stem for path in relative],
        [path.with_suffix("").as_posix() for path in relative],
        [path.as_posix() for path in relative],
    ]
    counts = [Counter(names) for names in longer_and_longer]
    return [
        PairFiles(
            next(n for n, c in zip(names, counts, strict=True) if c[n] == 1), path
        )
        for path, *names in zip(paths, *longer_and_longer, strict=True)
    ]


def subfolders(folder: pathlib.Path) -> list[str]:
    """The names of the folders in a folder, in no order."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_dir()]


def find_subfolder(folder: pathlib.Path, pattern: str) -> pathlib.Path | None:
    """The subfolder whose name matches in any case; an exact match is preferred."""
    regex = re.compile(pattern, re.IGNORECASE)
    found = [name for name in subfolders(folder) if regex.fullmatch(name)]
    found.sort(key=lambda name: (re.fullmatch(pattern, name) is None, name))
    return folder / found[0] if found else None


def _refuse_other_scales(folder: pathlib.Path, pattern: str, scale: int) -> None:
    """Refuses a folder that has subfolders for scales, but not for this one."""
    regex = re.compile(pattern, re.IGNORECASE)
    found = sorted(name for name in subfolders(folder) if regex.fullmatch(name))
    if found:
        raise InputError(
            f"{folder}: holds {', '.join(found)}, none for x{scale}; "
            "set the scale to one of these"
        )
