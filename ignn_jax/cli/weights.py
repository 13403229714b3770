"""List the weights that come with the package, or describe or verify a weights file."""

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
    parser.add_argument(
        "--verify",
        action="store_true",
        help="check their checksum, and the names, shapes and values of their tensors; "
        "by default of all that come with the package",
    )


def _run(args: argparse.Namespace) -> int:
    from ignn_jax.weights.find import pretrained
    from ignn_jax.weights.table import describe_pretrained, describe_weights

    if args.verify:
        from ignn_jax.weights.network import verify

        for weights in [args.weights] if args.weights else pretrained():
            print(verify(weights))
    else:
        print(describe_weights(args.weights) if args.weights else describe_pretrained())
    return 0
