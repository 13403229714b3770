"""Picture files below a folder."""

import errno
import os
import re
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import BinaryIO

from ignn_jax.errors import InputError
from ignn_jax.files import reason_of
from ignn_jax.pictures.formats import FORMATS
from ignn_jax.pictures.raw import RAW_SUFFIXES

# Files that training and evaluation read from a folder.
IMAGE_SUFFIXES = (
    *(".apng", ".avif", ".bmp", ".dib", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg"),
    *(".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)

# Files that are upscaled. HEIC and the raw files of cameras are included even if they
# cannot be read: the error says what to do, while a skipped file would go unnoticed.
PICTURE_SUFFIXES = RAW_SUFFIXES.union(
    FORMATS,
    IMAGE_SUFFIXES,
    (".avifs", ".gif", ".heic", ".heics", ".heif", ".hif"),
    (".icb", ".j2c", ".jpc", ".jpf", ".jpx", ".vda", ".vst"),  # JPEG 2000 and TGA
    (".dds", ".ico", ".pcx", ".pfm", ".psd", ".qoi", ".ras", ".sgi", ".xbm", ".xpm"),
)


def files_below(
    folder: Path,
    suffixes: Collection[str],
    *,
    follow_links: bool = False,
    onerror: Callable[[OSError], object] | None = None,
) -> list[Path]:
    """Lists the files below a folder that have one of these suffixes, in any case.

    Files and folders whose names start with a dot are skipped.

    Args:
      folder: where to look.
      suffixes: in lower case.
      follow_links: whether to look into folders that are links. A folder that several
        links lead to is listed once, so links may go round in circles.
      onerror: gets the error of each folder that cannot be read; None passes over it.

    Returns:
      The paths, each starting with `folder`, sorted.
    """
    paths = []
    seen = {os.path.realpath(folder)}
    # Not `rglob`, which takes a system call for each file.
    for parent, folders, files in os.walk(
        folder, onerror=onerror, followlinks=follow_links
    ):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if follow_links:
            folders[:] = _unseen(parent, folders, seen)
        paths += [
            Path(parent, name)
            for name in files
            if not name.startswith(".")
            and os.path.splitext(name)[1].lower() in suffixes
        ]
    return sorted(paths, key=lambda path: path.parts)


def _unseen(parent: str, names: list[str], seen: set[str]) -> list[str]:
    """The folders that were not yet listed; adds them to those that were."""
    unseen = []
    # A folder comes before links to it, and so keeps its own name.
    for name in sorted(names, key=lambda n: os.path.islink(os.path.join(parent, n))):
        place = os.path.realpath(os.path.join(parent, name))
        if place not in seen:
            seen.add(place)
            unseen.append(name)
    return unseen


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """Lists the images below a folder, without opening them.

    Links to folders are followed; otherwise as `files_below`.

    Raises:
      InputError: the folder does not exist or holds no image, or a folder in it cannot
        be read.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):  # False where it cannot be seen
        raise InputError(f"{folder}: no such folder; give a folder of images")
    errors: list[OSError] = []
    paths = files_below(
        folder, IMAGE_SUFFIXES, follow_links=True, onerror=errors.append
    )
    if errors:
        raise InputError(
            f"{errors[0].filename}: cannot be read ({reason_of(errors[0])}); make it "
            "readable, or give only the folders that are"
        )
    if not paths:
        raise InputError(
            f"{folder}: no image in this folder; give one with files that end in "
            + ", ".join(IMAGE_SUFFIXES)
        )
    return paths


def open_file(path: Path) -> BinaryIO:
    """Opens a file to read its bytes.

    Raises:
      OSError: it cannot be opened, or is something else: a pipe would block.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    return path.open("rb")


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder, in no order; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            # Not entry.is_dir(), which raises for a link that leads to itself.
            return [entry.name for entry in entries if os.path.isdir(entry.path)]
    except OSError:
        return []


def find_subfolder(folder: Path, pattern: str) -> Path | None:
    """The subfolder whose name matches in any case; an exact match is preferred."""
    regex = re.compile(pattern, re.IGNORECASE)
    found = [name for name in subfolders(folder) if regex.fullmatch(name)]
    found.sort(key=lambda name: (re.fullmatch(pattern, name) is None, name))
    return folder / found[0] if found else None
