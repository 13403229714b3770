"""Which picture of many is written where."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ignn_jax.errors import InputError
from ignn_jax.pictures.folders import PICTURE_SUFFIXES, files_below
from ignn_jax.pictures.formats import FORMATS


class Job(NamedTuple):
    """One picture to read and the path to write it to."""

    source: Path
    target: Path


def plan_jobs(
    sources: Sequence[str | Path],
    output: Path | None = None,
    *,
    label: str,
    suffix: str | None = None,
) -> list[Job]:
    """Pairs every picture with its output; reads and writes nothing.

    A file goes to `output`; or into `output`, under its own name, if that is a folder
    or has no suffix; or beside itself as `photo_LABEL.png`. The pictures in and below a
    folder go into `output`, or into `folder_LABEL` beside the folder, under the same
    names. Pictures already inside `output` are left out. Several sources need a folder.

    Args:
      sources: files, folders, and patterns such as "photos/**/*.png".
      output: a file or a folder.
      label: for the names of outputs, as `EndSize.label` returns it.
      suffix: of the outputs, such as ".webp"; None for the suffix of each source, or
        PNG if that format cannot be written.

    Raises:
      InputError: a source is missing, is a folder without pictures, or is the output
        itself; or the output is a file where a folder is needed, or has another suffix.
    """
    paths = [path for source in sources for path in _expand(source)]
    is_folder = output and (
        output.is_dir() or len(paths) > 1 or paths[0].is_dir() or not output.suffix
    )
    if output and is_folder and output.exists() and not output.is_dir():
        raise InputError(
            f"{output}: is not a folder; several pictures need one", field="output"
        )
    if output and not is_folder and suffix and output.suffix.lower() != suffix:
        raise InputError(
            f"{output}: does not end in {suffix}; give one or the other", field="format"
        )
    jobs = []
    for path in paths:
        if path.is_dir():
            jobs += _plan_folder(path, output, label, suffix)
        elif output and is_folder:
            jobs.append(Job(path, output / _rename(path, suffix)))
        else:
            name = _rename(path.with_stem(f"{path.stem}_{label}"), suffix)
            jobs.append(Job(path, output or path.with_name(name)))
    return jobs


def _expand(source: str | Path) -> list[Path]:
    path = Path(source)
    if path.exists():
        return [path]
    if not glob.has_magic(str(source)):
        raise InputError(f"{path}: no such file or folder")
    paths = [Path(name) for name in sorted(glob.glob(str(source), recursive=True))]
    # ** also matches the folders of the files that it matches.
    if not (paths := [path for path in paths if path.is_file()] or paths):
        raise InputError(f"{source}: matches no file")
    return paths


def _plan_folder(
    folder: Path, output: Path | None, label: str, suffix: str | None
) -> list[Job]:
    resolved = folder.resolve()
    output = output or resolved.with_name(f"{resolved.name}_{label}")
    if output.resolve() == resolved:
        raise InputError(
            f"{output}: is the folder of the originals; name another", field="output"
        )
    jobs = [
        Job(path, output / path.relative_to(folder).with_name(_rename(path, suffix)))
        for path in files_below(folder, PICTURE_SUFFIXES)
        if not path.resolve().is_relative_to(output.resolve())
    ]
    if not jobs:
        raise InputError(
            f"{folder}: holds no pictures, or only those in {output}; looked for "
            + ", ".join(sorted(PICTURE_SUFFIXES))
        )
    return jobs


def _rename(path: Path, suffix: str | None) -> str:
    kept = path.suffix if path.suffix.lower() in FORMATS else ".png"
    return f"{path.stem}{suffix or kept}"
