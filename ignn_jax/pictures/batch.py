"""Upscaling picture files: one beside its original, or folders of them.

Printing is done here alone.
"""

import functools
import glob
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
from tqdm import tqdm

from ignn_jax.data.images import files_below
from ignn_jax.errors import InputError
from ignn_jax.files import check_output, check_output_folder, write_bytes
from ignn_jax.pictures.crops import beside_bicubic
from ignn_jax.pictures.files import (
    FORMATS,
    MAX_PIXELS,
    SUFFIXES,
    Picture,
    check_size,
    check_target,
    read_picture,
    write_picture,
)
from ignn_jax.pictures.upscale import (
    EndSize,
    Network,
    Progress,
    resize_picture,
    upscale_picture,
    view_picture,
)


class Job(NamedTuple):
    """One picture to read and the path to write it to."""

    source: Path
    target: Path


class Options(NamedTuple):
    """What to do with every picture.

    Attributes:
      end_size: how large it shall become.
      quality: as in `write_picture`.
      overwrite: replace targets that exist.
      skip_existing: leave targets that exist, and their pictures.
      strip: drop EXIF, color profile and resolution.
      max_pixels: refuse files of more.
      comparison: a PNG for crops of the picture beside bicubic's.
    """

    end_size: EndSize = EndSize()
    quality: int = 95
    overwrite: bool = False
    skip_existing: bool = False
    strip: bool = False
    max_pixels: int = MAX_PIXELS
    comparison: Path | None = None


def plan_jobs(
    sources: Sequence[str | Path],
    output: Path | None = None,
    *,
    label: str,
    suffix: str | None = None,
) -> list[Job]:
    """Pairs every picture with its output; reads and makes nothing.

    A file goes to `output`, or by the same name into `output` where that is a folder or
    has no suffix, or beside itself as `photo_LABEL.png`. The pictures of a folder, its
    subfolders included, go by their names into `output`, or into `folder_LABEL` beside
    it; pictures already inside `output` are left out. Several sources need a folder.

    Args:
      sources: files, folders, and patterns such as "photos/**/*.png".
      output: a file or a folder.
      label: for the outputs' names, as `EndSize.label` gives it.
      suffix: of the outputs, as ".webp"; None for the originals', and PNG in place of
        one that is not written.

    Raises:
      InputError: a source is missing, a folder without pictures, or the output itself;
        or the output is a file where a folder is needed, or of another suffix.
    """
    paths = [path for source in sources for path in _expand(source)]
    is_folder = output and (
        output.is_dir() or len(paths) > 1 or paths[0].is_dir() or not output.suffix
    )
    if is_folder and output.exists() and not output.is_dir():
        raise InputError(f"{output}: is not a folder; several pictures need one")
    if output and not is_folder and suffix and output.suffix.lower() != suffix:
        raise InputError(f"{output}: does not end in {suffix}, as --format would have")
    jobs = []
    for path in paths:
        if path.is_dir():
            jobs += _plan_folder(path, output, label, suffix)
        elif is_folder:
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
    # Of **, which names folders beside all that is in them, the files are enough.
    if not (paths := [path for path in paths if path.is_file()] or paths):
        raise InputError(f"{source}: matches no file")
    return paths


def _plan_folder(
    folder: Path, output: Path | None, label: str, suffix: str | None
) -> list[Job]:
    resolved = folder.resolve()
    output = output or resolved.with_name(f"{resolved.name}_{label}")
    if output.resolve() == resolved:
        raise InputError(f"{output}: is the folder of the originals; name another")
    jobs = [
        Job(path, output / path.relative_to(folder).with_name(_rename(path, suffix)))
        for path in files_below(folder, SUFFIXES)
        if not path.resolve().is_relative_to(output.resolve())
    ]
    if not jobs:
        raise InputError(
            f"{folder}: holds no pictures, or none but those in {output}; looked for "
            + ", ".join(sorted(SUFFIXES))
        )
    return jobs


def _rename(path: Path, suffix: str | None) -> str:
    kept = path.suffix if path.suffix.lower() in FORMATS else ".png"
    return f"{path.stem}{suffix or kept}"


def check_comparison(path: Path, jobs: Sequence[Job], *, overwrite: bool) -> None:
    """Refuses, before any work is done, a comparison that could not be written.

    Raises:
      InputError: there are several pictures; or the path is theirs, is no PNG, exists
        already, or cannot be written.
    """
    if len(jobs) > 1:
        raise InputError(f"--comparison: of one picture, not of {len(jobs)}; give one")
    if path.suffix.lower() != ".png":
        raise InputError(f"--comparison {path}: give a name that ends in .png")
    if path.resolve() in (file.resolve() for file in jobs[0]):
        raise InputError(f"--comparison {path}: is the picture; give another name")
    check_output(path, field="comparison")
    if path.exists() and not overwrite:
        raise InputError(
            f"--comparison {path}: exists already; name another, or add --overwrite"
        )


def upscale_file(
    network: Network, job: Job, options: Options, *, progress: Progress = iter
) -> tuple[str, ...]:
    """Upscales one file; refuses what it can refuse before the network runs.

    Missing folders above the target are made.

    Returns:
      For the user, what the result could not keep of the original.

    Raises:
      InputError: the source cannot be read or the target cannot be written, or exists,
        or the picture cannot be upscaled.
    """
    source, target = job
    check_target(target, overwrite=options.overwrite)
    picture = read_picture(source, max_pixels=options.max_pixels)
    height, width, channels = picture.samples.shape
    size = options.end_size.of(height, width, scale=network.scale)
    check_size(target, (*size, channels), picture.samples.dtype)
    check_output_folder(target.parent, field="output")
    if options.strip:
        picture = picture._replace(icc_profile=None, exif=None, dpi=None)
    if target.suffix.lower() != source.suffix.lower() not in FORMATS:
        note = f"{source.suffix or 'this format'} is not written: see {target.name}"
        picture = picture._replace(notes=(*picture.notes, note))
    try:
        upscaled = upscale_picture(
            network,
            picture,
            end_size=options.end_size,
            progress=progress,
        )
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    notes = upscaled.notes + write_picture(upscaled, target, quality=options.quality)
    if options.comparison:
        _compare(upscaled, resize_picture(picture, size), network, options.comparison)
    return notes


def _compare(upscaled: Picture, bicubic: Picture, network: Network, path: Path) -> None:
    sheet = beside_bicubic(
        view_picture(upscaled), view_picture(bicubic), label=network.label
    )
    is_color = upscaled.samples.shape[-1] >= 3  # as the sheet; a gray's would not do
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", icc_profile=upscaled.icc_profile if is_color else None)
    write_bytes(path, buffer.getvalue())


def upscale_files(
    network: Network,
    jobs: Sequence[Job],
    options: Options = Options(),  # noqa: B008
) -> int:
    """Upscales files, one after the other; a failed one fails only itself.

    Progress goes to the terminal, a line for each file written to stdout, and to stderr
    what could not be kept and, at the end, how many were done, skipped and failed, and
    why.

    Returns:
      The exit status: 0, or 1 if a file failed.
    """
    done, skipped, failures = 0, 0, []
    targets: dict[Path, Path] = {}
    for job in tqdm(jobs, unit="picture", disable=len(jobs) == 1 or None):
        first = targets.setdefault(job.target.resolve(), job.source)
        if first is not job.source:
            failures.append(f"{job.source}: {job.target} is already that of {first}")
            continue
        if options.skip_existing and job.target.exists():
            skipped += 1
            continue
        tile_bar = functools.partial(
            tqdm, desc=job.source.name, unit="tile", leave=False, disable=None
        )
        try:
            notes = upscale_file(network, job, options, progress=tile_bar)
        except InputError as error:
            failures.append(str(error))
        except (MemoryError, jax.errors.JaxRuntimeError) as error:
            # Mostly out of memory, where the next picture may be a smaller one.
            reason = (str(error) or "out of memory").splitlines()[0]
            failures.append(f"{job.source}: {reason}; try a smaller --tile")
        else:
            done += 1
            for note in notes:
                tqdm.write(f"{job.source}: {note}", file=sys.stderr)
            tqdm.write(f"{job.source} -> {job.target}")
            if options.comparison:
                tqdm.write(f"Beside bicubic: {options.comparison}")
    if len(jobs) > 1 or skipped:
        print(f"done     {done}", file=sys.stderr)
        print(f"skipped  {skipped}, which exist already", file=sys.stderr)
        print(f"failed   {len(failures)}", file=sys.stderr)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0
