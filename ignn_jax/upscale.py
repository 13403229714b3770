"""Upscaling picture files: one beside its original, or folders of them.

The network is a function `apply(lr)` of float32 [1, h, w, 3] in [0, 255] that returns
[1, scale * h, scale * w, 3]; it is jitted by the caller. Printing is done here alone.
"""

import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.ndimage
from tqdm import tqdm

from ignn_jax.data.images import list_images
from ignn_jax.errors import InputError
from ignn_jax.inference.files import (
    FORMATS,
    Picture,
    check_target,
    read_picture,
    write_picture,
)
from ignn_jax.inference.tiles import check_tile, upscale_tiled
from ignn_jax.ops.bicubic import imresize


class Job(NamedTuple):
    """One picture to read and the path to write it to."""

    source: Path
    target: Path


def plan_jobs(source: Path, output: Path | None = None, *, scale: int) -> list[Job]:
    """Pairs every picture with its output; reads and makes nothing.

    A file goes to `output`, or by the same name into `output` where that is a folder,
    or beside itself as `photo_x2.png` (PNG in place of a format that is not written).
    The pictures of a folder, its subfolders included, go by their names into `output`,
    or into `folder_x2` beside it; pictures already inside `output` are left out.

    Raises:
      InputError: the source is missing, a folder without pictures, or the output
        itself.
    """
    if source.is_dir():
        return _plan_folder(source, output, scale)
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    suffix = source.suffix if source.suffix.lower() in FORMATS else ".png"
    if output is None:
        output = source.with_name(f"{source.stem}_x{scale}{suffix}")
    elif output.is_dir():
        output = output / f"{source.stem}{suffix}"
    return [Job(source, output)]


def _plan_folder(folder: Path, output: Path | None, scale: int) -> list[Job]:
    resolved = folder.resolve()
    if output is None:
        output = resolved.with_name(f"{resolved.name}_x{scale}")
    if output.resolve() == resolved:
        raise InputError(f"{output}: is the folder of the originals; name another")
    jobs = [
        Job(path, output / path.relative_to(folder))
        for path in list_images(folder)
        if not path.resolve().is_relative_to(output.resolve())
    ]
    if not jobs:
        raise InputError(f"{folder}: no pictures but those in {output}")
    return jobs


def upscale_picture(
    apply: Callable[[Any], Any],
    picture: Picture,
    *,
    scale: int,
    tile: int | None = None,
    overlap: int = 16,
    progress: Callable[[Sequence], Iterable] = iter,
) -> Picture:
    """Upscales a picture; what is not pixels stays as it was.

    Colors go through the network, alpha through bicubic interpolation. Invisible pixels
    hold arbitrary colors, often black, which the network would smear over the border of
    what is visible: they take the nearest visible color first.

    Args:
      apply: the network, as above.
      picture: of [H, W] pixels.
      scale: of the network.
      tile: side of the tiles in pixels, None or 0 for the whole picture at once.
      overlap: as in `upscale_tiled`.
      progress: as in `upscale_tiled`.

    Returns:
      The picture of [scale * H, scale * W] pixels, neither clipped nor rounded.

    Raises:
      InputError: as `check_tile`, or the result is not finite.
    """
    pixels, alpha = picture.pixels, picture.alpha
    if alpha is not None:
        pixels = _bleed(pixels, alpha)
        alpha = imresize(alpha, scale=scale)
    pixels = upscale_tiled(
        apply, pixels, scale=scale, tile=tile, overlap=overlap, progress=progress
    )
    if not np.isfinite(pixels).all():
        raise InputError("the network returned values that are not finite numbers")
    return picture._replace(pixels=pixels, alpha=alpha)


def _bleed(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Gives invisible pixels the color of the nearest that is visible, if any is."""
    invisible = alpha == 0
    if invisible.all() or not invisible.any():
        return pixels
    nearest = scipy.ndimage.distance_transform_edt(
        invisible, return_distances=False, return_indices=True
    )
    return pixels[tuple(nearest)]


def upscale_file(
    apply: Callable[[Any], Any],
    source: Path,
    target: Path,
    *,
    scale: int,
    tile: int | None = None,
    overlap: int = 16,
    quality: int = 95,
    overwrite: bool = False,
    progress: Callable[[Sequence], Iterable] = iter,
) -> tuple[str, ...]:
    """Upscales one file; refuses what it can refuse before the network runs.

    Missing folders above the target are made. The options are those of
    `upscale_picture` and `write_picture`; `overwrite` replaces an existing target.

    Returns:
      For the user, what the result could not keep of the original.

    Raises:
      InputError: the source cannot be read or the target cannot be written, or exists,
        or the picture cannot be upscaled.
    """
    check_target(target, overwrite=overwrite)
    picture = read_picture(source)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{target.parent}: cannot be made a folder: {error.strerror}"
        ) from error
    try:
        picture = upscale_picture(
            apply, picture, scale=scale, tile=tile, overlap=overlap, progress=progress
        )
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    return picture.notes + write_picture(picture, target, quality=quality)


def upscale_files(
    apply: Callable[[Any], Any],
    jobs: Sequence[Job],
    *,
    scale: int,
    tile: int | None = None,
    overlap: int = 16,
    quality: int = 95,
    overwrite: bool = False,
) -> int:
    """Upscales files, one after the other; a failed one fails only itself.

    Progress goes to the terminal, a line for each file written to stdout, and to
    stderr what could not be kept and, at the end, each failure with its reason. The
    options are those of `upscale_file`.

    Returns:
      The exit status: 0, or 1 if a file failed.

    Raises:
      InputError: as `check_tile`, before any file.
    """
    check_tile(tile, overlap)
    failures = []
    for job in tqdm(jobs, unit="picture", disable=len(jobs) == 1 or None):
        tile_bar = functools.partial(
            tqdm, desc=job.source.name, unit="tile", leave=False, disable=None
        )
        try:
            notes = upscale_file(
                apply,
                *job,
                scale=scale,
                tile=tile,
                overlap=overlap,
                quality=quality,
                overwrite=overwrite,
                progress=tile_bar,
            )
        except InputError as error:
            failures.append(str(error))
        except (MemoryError, jax.errors.JaxRuntimeError) as error:
            # Mostly out of memory, where the next picture may be a smaller one.
            reason = (str(error) or "out of memory").splitlines()[0]
            failures.append(f"{job.source}: {reason}; try a smaller --tile")
        else:
            for note in notes:
                tqdm.write(f"{job.source}: {note}", file=sys.stderr)
            tqdm.write(f"{job.source} -> {job.target}")
    if failures:
        print(f"{len(failures)} of {len(jobs)} failed:", file=sys.stderr)
        print(*failures, sep="\n", file=sys.stderr)
    return 1 if failures else 0
