"""How the programs end."""

import argparse
import sys
from collections.abc import Callable

from ignn_jax.cli.words import in_words
from ignn_jax.errors import InputError


def attempt(
    work: Callable[[argparse.Namespace], None],
    args: argparse.Namespace,
    *,
    name: str | None = None,
) -> int:
    """Does the work; returns the exit status. A user's mistake is one line.

    Args:
      work: from the arguments.
      args: the arguments.
      name: what the line begins with.
    """
    try:
        work(args)
    except InputError as error:
        line = in_words(error, args)
        print(f"{name}: {line}" if name else line, file=sys.stderr)
        return 2
    return 0
