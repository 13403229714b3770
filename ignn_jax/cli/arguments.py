"""What several commands take."""

import argparse
import pathlib
import sys


def add_weights(
    parser: argparse.ArgumentParser, also: str, *, required: bool = False
) -> None:
    """Adds --weights; `also` ends its description."""
    parser.add_argument(
        "--weights",
        type=pathlib.Path,
        required=required,
        metavar="NAME_OR_PATH",
        help="weights that come with the package (see the command weights), a "
        f"weights file, or the workdir of a training run{also}",
    )


def chosen_weights(weights: pathlib.Path | None, *, scale: int | None = None) -> str:
    """The weights that are named, or else those of the package, which it says."""
    if weights:
        return str(weights)
    from ignn_jax.weights.file import default_weights

    name = default_weights(scale)
    print(f"Weights: {name} (--weights takes others)", file=sys.stderr)
    return name


def add_ensemble(parser: argparse.ArgumentParser) -> None:
    """Adds --ensemble."""
    parser.add_argument(
        "--ensemble",
        action="store_true",
        help="average over the 8 flips and rotations (IGNN+), 8 times slower",
    )


def positive(text: str) -> int:
    """An integer of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def scale(text: str) -> int:
    """An integer of at least 2; what networks there are is known elsewhere."""
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError(f"{number} is less than 2")
    return number
