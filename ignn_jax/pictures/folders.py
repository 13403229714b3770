"""Picture files below a folder."""

import os
from collections.abc import Collection
from pathlib import Path

from ignn_jax.errors import InputError
from ignn_jax.pictures.formats import FORMATS

# Files that training and evaluation read from a folder.
IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

# Files that are upscaled. HEIC is included even if it cannot be read here: its error
# says what to install, while a skipped file would go unnoticed.
PICTURE_SUFFIXES = frozenset({*FORMATS, ".gif", ".avif", ".heic", ".heif"})


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Lists the files below a folder that have one of these suffixes, in any case.

    Files and folders whose names start with a dot are skipped, and links to folders are
    not followed.

    Returns:
      The paths, each starting with `folder`, sorted.
    """
    paths = []
    # Not `rglob`, which takes a system call for each file.
    for parent, folders, files in os.walk(folder):
        folders[:] = (name for name in folders if not name.startswith("."))
        paths += [
            Path(parent, name)
            for name in files
            if not name.startswith(".")
            and os.path.splitext(name)[1].lower() in suffixes
        ]
    return sorted(paths, key=lambda path: path.parts)


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """Lists the images below a folder, as `files_below` does, without opening them.

    Raises:
      InputError: the folder does not exist or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a folder of images")
    paths = files_below(folder, IMAGE_SUFFIXES)
    if not paths:
        raise InputError(
            f"{folder}: no image in this folder; give one with files that end in "
            + ", ".join(IMAGE_SUFFIXES)
        )
    return paths
