"""Sets of images in the layouts in which they are published.

A set is a folder. Its layout is recognized by the names in it, in any case:

    image_SRF_2/img_001_SRF_2_HR.png    image_SRF_2/img_001_SRF_2_LR.png
    img_001_HR.png                      img_001_LR.png, or img_001_LR2.png
    HR/x2/img_001.png                   LR/x2/img_001.png
    HR/img_001.png                      LR_bicubic/X2/img_001x2.png
    HR/img_001.png                      LR/img_001.png
    GTmod12/img_001.png                 LRbicx2/img_001.png
    trainH/img_001.png                  trainL/img_001.png
    DIV2K_train_HR/0001.png             DIV2K_train_LR_bicubic/X2/0001x2.png
    DIV2K_train_HR_sub/0001_s001.png    DIV2K_train_LR_bicubic/X2_sub/0001_s001.png
    DIV2K_train_HR_sub/0001_s001.png    DIV2K_train_LR_bicubic_sub/x2/0001x2_s001.png
    img_001.png

The folder of the HR images may be given instead: LR images are then looked for beside
it. An LR image has the name of its HR image, perhaps with the scale after it. Where a
set has no LR images for the scale, they are made of the HR images.

What looks like LR images, but is in no known layout, is refused (`mistaken.py`).
Otherwise it would be taken for HR images, or made anew. `HR|LR` names two folders,
whatever their layout, and `HR|bicubic` has LR images made, whatever there is.

To add a layout, add it to `_LAYOUTS`, and new names of files to `matching.py`.
"""

import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ignn_jax.data.matching import Found, match, match_side_by_side, name_all
from ignn_jax.data.mistaken import SCALE, refuse_lr, refuse_unused
from ignn_jax.errors import InputError
from ignn_jax.pictures.folders import find_subfolder, list_images, subfolders


class _Layout(NamedTuple):
    """Names of folders, as regular expressions.

    Attributes:
      hr: the folder of HR images.
      start: what names of folders beside it begin with that hold LR images.
      lr: from that folder's parent to the LR images; the first that exists is taken.
    """

    hr: str
    start: str
    lr: tuple[str, ...]


_LAYOUTS = (
    _Layout(
        r"(?P<set>.*_)?HR(?P<sub>_sub)?",
        r"{set}LR([^a-z]|bic|x\d|$)",
        (
            "{set}LR_bicubic{sub}/x{scale}",
            "{set}LR_bicubic/x{scale}{sub}",
            "{set}LR_bicubic_x{scale}{sub}",
            "{set}LR{sub}/x{scale}",
            "{set}LR/x{scale}{sub}",
            "{set}LR(bic|_)?x{scale}{sub}",
            "{set}LR_bicubic{sub}",
            "{set}LR{sub}",
        ),
    ),
    _Layout(r"GTmod({scale}|12)", "LRbic", ("LRbicx{scale}",)),
    _Layout(
        r"(?P<set>(train|test|valid?)_?)H", "{set}L$", ("{set}L/x{scale}", "{set}L")
    ),
)


def find_pairs(folder: str | os.PathLike[str], *, scale: int) -> Found:
    """Finds the images of one set, whatever its layout is.

    Args:
      folder: the set, or its HR images; or `HR|LR`, or `HR|bicubic`.
      scale: the scale of the LR images.

    Raises:
      InputError: there are no images, only images for other scales, only LR images,
        several sets, or LR images in a layout that is not known.
    """
    root, apart = split_apart(folder)
    if not os.path.isdir(root):
        raise InputError(f"{root}: no such folder; give a folder of images")
    if apart:
        return _find_apart(root, apart, scale)
    nested = find_subfolder(root, f"image_SRF_{scale}") or root
    if pairs := match_side_by_side(list_images(nested), nested, scale=scale):
        return pairs
    _refuse_other_scales(root, r"image_SRF_\d", scale)
    hr = _find_hr(root, scale)
    lr = hr and _find_lr(hr, scale)
    hr = _for_scale(hr, scale) if hr else root
    paths = list_images(hr)
    refuse_lr(hr, paths)
    if lr is None:
        refuse_unused(hr, paths, scale)
    return _match(hr, paths, lr, scale)


def split_apart(folder: str | os.PathLike[str]) -> tuple[pathlib.Path, str]:
    """The absolute path of HR in `HR|LR`, and LR as it is; or the folder's, and ""."""
    hr, _, lr = str(folder).partition("|")
    if os.path.isdir(folder):  # "|" is a part of its name
        hr, lr = str(folder), ""
    return _absolute(hr), lr


def _find_apart(hr: pathlib.Path, apart: str, scale: int) -> Found:
    """The pairs of two folders, one of which may be inside the other."""
    hr = _for_scale(hr, scale)
    if apart == "bicubic":
        return _match(hr, list_images(hr), None, scale)
    lr = _absolute(apart)
    if not os.path.isdir(lr):
        raise InputError(f"{lr}: no such folder; give the folder of the LR images")
    lr = _for_scale(lr, scale)
    paths = list_images(hr)
    if lr != hr and lr not in hr.parents:
        paths = [path for path in paths if lr not in path.parents]
    return _match(hr, paths, lr, scale)


def _absolute(folder: str) -> pathlib.Path:
    # Links are kept, or names would change.
    return pathlib.Path(os.path.abspath(os.path.expanduser(folder)))


def _match(
    hr: pathlib.Path,
    paths: Sequence[pathlib.Path],
    lr: pathlib.Path | None,
    scale: int,
) -> Found:
    if lr is None:
        return Found(list(name_all(paths, hr)))
    return match(paths, list_images(lr), hr_folder=hr, lr_folder=lr, scale=scale)


def _find_hr(folder: pathlib.Path, scale: int) -> pathlib.Path | None:
    """The HR folder inside a folder, or this folder itself, or its parent if it is x2.

    None if the folder is one of images like any other.
    """
    inside = [n for n in subfolders(folder) if list(_layouts_of(folder / n, scale))]
    if any(_is_hr(folder / name, scale) for name in inside):
        if len(inside) > 1:
            names = ", ".join(sorted(inside))
            raise InputError(f"{folder}: holds {names}; give the path of one of them")
        return folder / inside[0]
    if folder.name.lower() == f"x{scale}" and _is_hr(folder.parent, scale):
        return folder.parent
    return folder if _is_hr(folder, scale) else None


def _is_hr(folder: pathlib.Path, scale: int) -> bool:
    """Whether a folder holds HR images, by its name and what is beside it."""
    # Without LR images beside it, "_HR" may be a part of any album's name.
    return folder.name.lower() == "hr" or bool(_lr_beside(folder, scale))


def _lr_beside(hr: pathlib.Path, scale: int) -> list[str]:
    """The names of the folders beside an HR folder that seem to hold LR images."""
    for layout, names in _layouts_of(hr, scale):
        beside = subfolders(hr.parent)
        start = layout.start.format(**names)
        if found := [n for n in beside if re.match(start, n, re.IGNORECASE)]:
            return found
    return []


def _layouts_of(
    hr: pathlib.Path, scale: int
) -> Iterator[tuple[_Layout, dict[str, str]]]:
    """The layouts that an HR folder may belong to, and what to fill in."""
    for layout in _LAYOUTS:
        pattern = layout.hr.replace("{scale}", str(scale))
        if found := re.fullmatch(pattern, hr.name, re.IGNORECASE):
            groups = {"set": "", "sub": "", **found.groupdict("")}
            names = {name: re.escape(text) for name, text in groups.items()}
            yield layout, {**names, "scale": str(scale)}


def _find_lr(hr: pathlib.Path, scale: int) -> pathlib.Path | None:
    """The LR images beside an HR folder, or None if there are none for the scale."""
    for layout, names in _layouts_of(hr, scale):
        for path in layout.lr:
            found: pathlib.Path | None = hr.parent
            for name in path.format(**names).split("/"):
                found = found and find_subfolder(found, name)
            if found and not find_subfolder(found, SCALE.pattern):
                return found
    for name in _lr_beside(hr, scale):
        if _may_serve(hr.parent / name, scale):
            raise InputError(
                f"{hr}: the LR images in {name}, beside it, may not have been made by "
                f"bicubic interpolation; give {hr}|{hr.parent / name} to use them, or "
                f"{hr}|bicubic to have LR made"
            )
    return None


def _may_serve(lr: pathlib.Path, scale: int) -> bool:
    """Whether there may be LR images for a scale in a folder."""
    names = [name for name in subfolders(lr) if SCALE.fullmatch(name)]
    scales = [name[1] for name in names] or re.findall(r"x(\d)", lr.name.lower())
    return not scales or str(scale) in scales


def _for_scale(folder: pathlib.Path, scale: int) -> pathlib.Path:
    """The images for a scale in a folder that may have them for several."""
    if found := find_subfolder(folder, f"x{scale}(_sub)?"):
        return found
    _refuse_other_scales(folder, r"x\d(_sub)?", scale)
    return folder


def _refuse_other_scales(folder: pathlib.Path, pattern: str, scale: int) -> None:
    """Refuses a folder that has subfolders for scales, but not for this one."""
    regex = re.compile(pattern, re.IGNORECASE)
    found = sorted(name for name in subfolders(folder) if regex.fullmatch(name))
    if found:
        raise InputError(
            f"{folder}: holds {', '.join(found)}, none for x{scale}; "
            "set the scale to one of these"
        )
