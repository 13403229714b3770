"""Which picture of many is written where."""

import glob
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ignn_jax.errors import InputError
from ignn_jax.files import reason_of
from ignn_jax.pictures.folders import PICTURE_SUFFIXES, files_below
from ignn_jax.pictures.formats import FORMATS


class Job(NamedTuple):
    """One picture to read and the path to write it to."""

    source: Path
    target: Path


class Plan(NamedTuple):
    """What to do with all sources.

    Attributes:
      jobs: the pictures to upscale.
      failures: why parts of the sources cannot be used; each names its path.
      results: pictures that are left out because an earlier run wrote them.
    """

    jobs: list[Job]
    failures: list[InputError]
    results: list[Path]


class _Found(NamedTuple):
    """A picture, the folder in which it was found, and whether it was named itself."""

    path: Path
    folder: Path | None = None
    is_named: bool = True


def plan_jobs(
    sources: Sequence[str | Path],
    output: str | Path | None = None,
    *,
    label: str,
    suffix: str | None = None,
) -> Plan:
    """Pairs every picture with its output; reads and writes nothing.

    A file goes to `output`; or into `output`, under its own name, if that is a folder,
    ends in a slash or has no suffix; or beside itself as `photo_LABEL.png`. The
    pictures in and below a folder go into `output`, or into `folder_LABEL` beside the
    folder, under the same names. Each of several folders goes into a folder of its own
    name in `output`. Several sources need a folder.

    Folders and patterns also find what an earlier run wrote: pictures in `output`, and
    without `output`, those that other pictures are written to. They are left out.

    Args:
      sources: files, folders, and patterns such as "photos/**/*.png".
      output: a file or a folder.
      label: for the names of outputs, as `EndSize.label` returns it.
      suffix: of the outputs, such as ".webp"; None for the suffix of each source, or
        PNG if that format cannot be written.

    Raises:
      InputError: the only source is missing, is a folder without pictures, or is the
        output itself; or the output is a file where a folder is needed, or has another
        suffix.
    """
    if str(output) in ("", "-"):
        raise InputError(
            "name a file or a folder; pictures are not written to stdout",
            field="output",
        )
    found: dict[str, _Found] = {}  # by place, so that each is there once
    plan = Plan([], [], [])
    for source in sources:
        try:
            pictures = _find(source, plan.failures)
            if output is not None:
                pictures, earlier = _split(pictures, Path(output))
                plan.results.extend(earlier)
        except InputError as error:
            if len(sources) == 1:
                raise
            plan.failures.append(error)
            continue
        for one in pictures:
            found.setdefault(_place(one.path), one)
    if output is None:
        _plan_beside(list(found.values()), label, suffix, plan)
    else:
        is_one = len(sources) == 1 and [one.folder for one in found.values()] == [None]
        _plan_output(list(found.values()), output, is_one, suffix, plan)
    return plan


def _plan_beside(
    pictures: list[_Found], label: str, suffix: str | None, plan: Plan
) -> None:
    def target(one: _Found) -> Path:
        if one.folder is None:
            path = one.path.with_stem(f"{one.path.stem}_{label}")
        else:
            folder = Path(os.path.realpath(one.folder))
            folder = folder.with_name(f"{folder.name}_{label}")
            path = folder / one.path.relative_to(one.folder)
        return path.with_name(_rename(path, suffix))

    jobs = [Job(one.path, target(one)) for one in pictures]
    targets = {_place(job.target) for job in jobs}
    for one, job in zip(pictures, jobs, strict=True):
        if not one.is_named and _place(one.path) in targets:
            plan.results.append(one.path)
        else:
            plan.jobs.append(job)


def _plan_output(
    pictures: list[_Found],
    output: str | Path,
    is_one: bool,
    suffix: str | None,
    plan: Plan,
) -> None:
    path = Path(output)
    is_slashed = str(output).endswith(("/", os.sep))
    if is_one and path.suffix and not is_slashed and not os.path.isdir(path):
        if suffix and path.suffix.lower() != suffix:
            raise InputError(
                f"{path}: does not end in {suffix}; give one or the other",
                field="format",
            )
        plan.jobs.append(Job(pictures[0].path, path))
        return
    if os.path.lexists(path) and not os.path.isdir(path):
        raise InputError(
            f"{path}: is not a folder; several pictures need one", field="output"
        )
    folders = list({one.folder: None for one in pictures if one.folder})
    others = [f for f in folders if os.path.realpath(f) != os.path.realpath(path)]
    if folders and not others:
        raise InputError(
            f"{path}: is the folder of the originals; name another", field="output"
        )
    names = _own_names(others)
    for one in pictures:
        if one.folder is None:
            target = path / one.path.name
        else:
            target = path / names.get(one.folder, "") / one.path.relative_to(one.folder)
        plan.jobs.append(Job(one.path, target.with_name(_rename(target, suffix))))


def _find(source: str | Path, failures: list[InputError]) -> list[_Found]:
    """The pictures of one source; adds what cannot be read of it to the failures."""
    paths, is_pattern = _expand(source)
    found: list[_Found] = []
    errors: list[OSError] = []
    for path in paths:
        if os.path.isdir(path):
            below = files_below(path, PICTURE_SUFFIXES, onerror=errors.append)
            found += [_Found(picture, path, is_named=False) for picture in below]
        else:
            found.append(_Found(path, is_named=not is_pattern))
    failures += [
        InputError(f"{error.filename}: cannot be read: {reason_of(error)}")
        for error in errors
    ]
    if not found and not errors:
        raise InputError(
            f"{source}: holds no pictures; their names end in .png, .jpg, .webp, .tif "
            "or the like"
        )
    return found


def _expand(source: str | Path) -> tuple[list[Path], bool]:
    """The paths that a source stands for, and whether it is a pattern."""
    if not str(source):  # as of a variable that is not set; Path takes it for "."
        raise InputError("an empty name; give a picture or a folder")
    path = Path(source)
    try:
        path.stat()
        return [path], False
    except OSError as error:
        if path.is_symlink():
            raise InputError(f"{path}: cannot be read: {reason_of(error)}") from error
        if not glob.has_magic(str(source)):
            what = reason_of(error)
            if isinstance(error, FileNotFoundError):
                what = "no such file or folder"
            raise InputError(f"{path}: {what}") from error
    paths = [Path(name) for name in sorted(glob.glob(str(source), recursive=True))]
    # ** also matches the folders of the files that it matches.
    if not (paths := [path for path in paths if not os.path.isdir(path)] or paths):
        raise InputError(f"{source}: matches no file")
    return paths, True


def _split(found: list[_Found], output: Path) -> tuple[list[_Found], list[Path]]:
    """What to upscale of a source, and what an earlier run has put into `output`.

    If everything is in there, then it is the folder of the originals.
    """
    place = os.path.realpath(output)
    is_inside = [
        not one.is_named and Path(_place(one.path)).is_relative_to(place)
        for one in found
    ]
    if all(is_inside):
        return found, []
    outside = [one for one, inside in zip(found, is_inside, strict=True) if not inside]
    inside = [one.path for one, inside in zip(found, is_inside, strict=True) if inside]
    return outside, inside


def _own_names(folders: Sequence[Path]) -> dict[Path | None, str]:
    """The folders' names in the output; none for only one folder.

    Folders of the same name get as much of their paths as they do not share.
    """
    if len(folders) < 2:
        return {}
    places = [os.path.realpath(folder) for folder in folders]
    names = [os.path.basename(place) for place in places]
    if max(Counter(map(str.casefold, names)).values()) > 1:
        common = os.path.commonpath(places)
        names = [os.path.relpath(place, common) for place in places]
    return dict(zip(folders, names, strict=True))


def _place(path: str | Path) -> str:
    """The absolute path; a link is a place of its own, which may lead nowhere."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(folder), name)


def _rename(path: Path, suffix: str | None) -> str:
    kept = path.suffix if path.suffix.lower() in FORMATS else ".png"
    return f"{path.stem}{suffix or kept}"
