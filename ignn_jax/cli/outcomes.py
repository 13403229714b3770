"""What the terminal says while pictures are upscaled."""

import functools
import pathlib
import sys
from collections.abc import Iterable
from typing import NamedTuple

from tqdm import tqdm

from ignn_jax.cli.words import one_line
from ignn_jax.errors import InputError
from ignn_jax.pictures.batch import Outcome
from ignn_jax.pictures.jobs import Job, Plan
from ignn_jax.pictures.upscale import Progress

INTERRUPTED = 130  # the exit status after Ctrl-C, as shells have it


class Report(NamedTuple):
    """Why files failed, and whether the user stopped the rest."""

    failures: list[InputError]
    is_interrupted: bool = False


def report(
    plan: Plan, outcomes: Iterable[Outcome], *, comparison: pathlib.Path | None = None
) -> Report:
    """Says what became of each file of a plan, as soon as it is known.

    Progress goes to the terminal, a line for each file written to stdout, and notes to
    stderr, as well as the numbers of files done, skipped and failed at the end, which
    may be Ctrl-C.
    """
    count, failures = len(plan.jobs), list(plan.failures)
    done = skipped = 0
    if plan.results:
        others = f" and {len(plan.results) - 1} more" * (len(plan.results) > 1)
        _say(f"left out, as results of an earlier run: {plan.results[0]}{others}")
    bar = tqdm(outcomes, total=count, unit="picture", disable=count == 1 or None)
    is_interrupted = False
    try:
        for job, notes, error, was_skipped in bar:
            if error:
                failures.append(error)
            elif was_skipped:
                skipped += 1
            else:
                done += 1
                for note in notes:
                    _say(f"{job.source}: {note}")
                tqdm.write(one_line(f"{job.source} -> {job.target}"))
                if comparison:
                    tqdm.write(one_line(f"Beside bicubic: {comparison}"))
    except KeyboardInterrupt:
        bar.close()
        is_interrupted = True
    if count + len(plan.failures) > 1 or skipped:
        _say(f"done     {done}")
        _say(f"skipped  {skipped}, which exist already")
        _say(f"failed   {len(failures)}")
    if is_interrupted:
        rest = count + len(plan.failures) - done - skipped - len(failures)
        _say(f"stopped  before {rest} of {count + len(plan.failures)}")
    return Report(failures, is_interrupted)


def _say(line: str) -> None:
    tqdm.write(one_line(line), file=sys.stderr)


def tile_bar(job: Job) -> Progress:
    """A progress bar of the tiles of a picture."""
    return functools.partial(
        tqdm, desc=job.source.name, unit="tile", leave=False, disable=None
    )
