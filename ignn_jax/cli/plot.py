"""Draw the curves of training runs into one PNG."""

import argparse
import pathlib


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.set_defaults(run=_run)
    add, path = parser.add_argument, pathlib.Path
    add("runs", type=path, nargs="+", metavar="RUN", help="a workdir")
    add("-o", "--output", type=path, required=True, metavar="FILE.png")


def _run(args: argparse.Namespace) -> int:
    from ignn_jax.training.curves import plot

    plot(args.runs, args.output)
    print(args.output)
    return 0
