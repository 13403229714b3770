"""Upscaling picture files, one after the other."""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ignn_jax.devices import failure
from ignn_jax.errors import InputError
from ignn_jax.files import check_output, check_output_folder, identity, write_bytes
from ignn_jax.pictures import png
from ignn_jax.pictures.crops import beside_bicubic
from ignn_jax.pictures.end_size import EndSize
from ignn_jax.pictures.fit import fit_colors
from ignn_jax.pictures.formats import (
    FORMATS,
    check_lossless,
    check_size,
    check_target,
    format_of,
)
from ignn_jax.pictures.jobs import Job
from ignn_jax.pictures.picture import Picture
from ignn_jax.pictures.reader import MAX_PIXELS, read_picture
from ignn_jax.pictures.upscale import (
    Network,
    Progress,
    resize_picture,
    upscale_picture,
    view_picture,
)
from ignn_jax.pictures.writer import write_picture


class Options(NamedTuple):
    """What to do with every picture.

    Attributes:
      end_size: the size it is to have.
      quality, lossless: as in `write_picture`.
      overwrite: replace targets that exist.
      skip_existing: skip pictures whose targets exist, and those that are targets.
      strip: drop EXIF, color profile and resolution.
      max_pixels: refuse larger files.
      comparison: a PNG for crops of the result beside bicubic.
    """

    end_size: EndSize = EndSize()
    quality: int | None = None
    lossless: bool = False
    overwrite: bool = False
    skip_existing: bool = False
    strip: bool = False
    max_pixels: int = MAX_PIXELS
    comparison: Path | None = None


class Outcome(NamedTuple):
    """What became of a job.

    Attributes:
      job: the job.
      notes: for the user, what the result could not keep of the original.
      error: why it failed, or None; it names the file.
      skipped: whether the target existed and was left as it was.
    """

    job: Job
    notes: tuple[str, ...] = ()
    error: InputError | None = None
    skipped: bool = False


def upscale_files(
    network: Network,
    jobs: Sequence[Job],
    options: Options = Options(),  # noqa: B008, immutable
    *,
    progress: Callable[[Job], Progress] = lambda job: iter,
) -> Iterator[Outcome]:
    """Upscales files; a failed file fails alone.

    None of the sources is replaced, whatever the options are.

    Args:
      network: of any scale.
      jobs: what to read and to write.
      options: for every picture.
      progress: gives the progress of a job's tiles, as `upscale_picture` takes it.

    Yields:
      The outcome of each job, in their order, when it is done.
    """
    originals = {identity(job.source) for job in jobs} - {None}
    places = [os.path.realpath(job.target) for job in jobs]
    results = set(places)
    sources: dict[Any, Path] = {}  # of the targets so far, by path and by file
    for job, place in zip(jobs, places, strict=True):
        first = sources.setdefault(place, job.source)
        first = sources.get(identity(job.target), first)
        is_result = os.path.realpath(job.source) in results
        if options.skip_existing and (is_result or os.path.exists(job.target)):
            yield Outcome(job, skipped=True)
        elif first is not job.source:
            yield _failed(job, f"{job.target} is already that of {first}")
        elif identity(job.target) in originals:
            yield _failed(
                job, f"{job.target} is one of the originals; give another output"
            )
        else:
            yield _attempt(network, job, options, progress(job))
            if file := identity(job.target):
                sources.setdefault(file, job.source)


def _failed(job: Job, reason: str) -> Outcome:
    return Outcome(job, error=InputError(f"{job.source}: {reason}"))


def _attempt(
    network: Network, job: Job, options: Options, progress: Progress
) -> Outcome:
    try:
        return Outcome(job, upscale_file(network, job, options, progress=progress))
    except InputError as error:
        return Outcome(job, error=error)
    except (OSError, UnicodeError, MemoryError, RuntimeError) as error:
        return Outcome(job, error=failure(error, job.source))


def upscale_file(
    network: Network, job: Job, options: Options, *, progress: Progress = iter
) -> tuple[str, ...]:
    """Upscales one file. Whatever can be refused is refused before the network runs.

    Missing folders above the target are made.

    Returns:
      For the user, what the result could not keep of the original.

    Raises:
      InputError: the source cannot be read, the target exists or cannot be written, or
        the picture cannot be upscaled.
    """
    source, target = job
    check_target(target, overwrite=options.overwrite)
    if options.lossless:
        check_lossless(target)
    picture = read_picture(source, max_pixels=options.max_pixels)
    if options.strip:
        picture = Picture(
            picture.samples, notes=picture.notes, is_lossless=picture.is_lossless
        )
    picture = _fit_colors(picture, job)
    height, width, channels = picture.samples.shape
    size = options.end_size.of(height, width, scale=network.scale)
    check_size(target, (*size, channels), picture.samples.dtype)
    check_output_folder(target.parent, field="output")
    if target.suffix.lower() != source.suffix.lower() not in FORMATS:
        note = f"{source.suffix or 'this format'} is not written: see {target.name}"
        picture = picture._replace(notes=(*picture.notes, note))
    try:
        upscaled = upscale_picture(
            network, picture, end_size=options.end_size, progress=progress
        )
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    notes = upscaled.notes + write_picture(
        upscaled, target, quality=options.quality, lossless=options.lossless
    )
    if options.comparison:
        _compare(upscaled, resize_picture(picture, size), network, options.comparison)
    return notes


def _fit_colors(picture: Picture, job: Job) -> Picture:
    try:
        return fit_colors(picture, format_of(job.target))
    except InputError as error:
        raise InputError(f"{job.source}: {error}") from error


def check_comparison(path: Path, jobs: Sequence[Job], *, overwrite: bool) -> None:
    """Refuses, before any work is done, a comparison that could not be written.

    Raises:
      InputError: there are several pictures; or the path is one of theirs, is not a
        PNG, exists already, or cannot be written.
    """
    if len(jobs) > 1:
        raise InputError(
            f"is of one picture, not of {len(jobs)}; give one", field="comparison"
        )
    for job in jobs:
        if os.path.realpath(path) == os.path.realpath(job.target):
            raise InputError(
                f"{path}: is the picture; give another name", field="comparison"
            )
    check_output(
        path,
        field="comparison",
        suffix=".png",
        overwrite=overwrite,
        inputs=[job.source for job in jobs],
    )


def _compare(upscaled: Picture, bicubic: Picture, network: Network, path: Path) -> None:
    sheet = beside_bicubic(
        view_picture(upscaled), view_picture(bicubic), label=network.label
    )
    # The sheet is RGB, which the profile of a gray picture does not fit.
    is_color = upscaled.samples.shape[-1] >= 3
    chunks = upscaled.description.chunks if upscaled.description else ()
    buffer = io.BytesIO()
    profile = upscaled.icc_profile if is_color else None
    sheet.save(buffer, "PNG", icc_profile=profile)
    write_bytes(path, png.with_chunks(buffer.getvalue(), chunks))
