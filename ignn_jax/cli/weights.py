"""List the weights that come with the package, or describe a weights file."""

import argparse
import pathlib


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.set_defaults(run=_run)
    parser.add_argument(
        "weights",
        type=pathlib.Path,
        nargs="?",
        metavar="NAME_OR_PATH",
        help="describe these weights in full",
    )


def _run(args: argparse.Namespace) -> int:
    from ignn_jax.weights.table import describe_pretrained, describe_weights

    print(describe_weights(args.weights) if args.weights else describe_pretrained())
    return 0
