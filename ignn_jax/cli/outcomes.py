"""What the terminal says while pictures are upscaled."""

import functools
import pathlib
import sys
from collections.abc import Iterable

from tqdm import tqdm

from ignn_jax.errors import InputError
from ignn_jax.pictures.batch import Outcome
from ignn_jax.pictures.jobs import Job
from ignn_jax.pictures.upscale import Progress


def report(
    outcomes: Iterable[Outcome], *, count: int, comparison: pathlib.Path | None = None
) -> list[InputError]:
    """Says what became of each of `count` files, as soon as it is known.

    Progress goes to the terminal, a line for each file written to stdout, and notes to
    stderr, as well as the numbers of files done, skipped and failed at the end.

    Returns:
      Why files failed.
    """
    done, skipped, failures = 0, 0, []
    bar = tqdm(outcomes, total=count, unit="picture", disable=count == 1 or None)
    for job, notes, error, was_skipped in bar:
        if error:
            failures.append(error)
        elif was_skipped:
            skipped += 1
        else:
            done += 1
            for note in notes:
                tqdm.write(f"{job.source}: {note}", file=sys.stderr)
            tqdm.write(f"{job.source} -> {job.target}")
            if comparison:
                tqdm.write(f"Beside bicubic: {comparison}")
    if count > 1 or skipped:
        print(f"done     {done}", file=sys.stderr)
        print(f"skipped  {skipped}, which exist already", file=sys.stderr)
        print(f"failed   {len(failures)}", file=sys.stderr)
    return failures


def tile_bar(job: Job) -> Progress:
    """A progress bar of the tiles of a picture."""
    return functools.partial(
        tqdm, desc=job.source.name, unit="tile", leave=False, disable=None
    )
