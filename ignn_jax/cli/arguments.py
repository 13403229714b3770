"""Arguments that several commands share."""

import argparse
import pathlib
import sys
from collections.abc import Callable


def add_weights(
    parser: argparse.ArgumentParser,
    also: str,
    *,
    required: bool = False,
    several: bool = False,
) -> None:
    """Adds --weights; its description ends with `also`."""
    parser.add_argument(
        "--weights",
        type=pathlib.Path,
        required=required,
        nargs="+" if several else None,
        metavar="NAME_OR_PATH",
        help="weights that come with the package (see the command weights), a "
        f"weights file, or the workdir of a training run{also}",
    )


def chosen_weights(
    weights: pathlib.Path | None,
    *,
    scale: int | None = None,
    outscale: float | None = None,
) -> str:
    """The weights given, or else the package's own, which are named on stderr."""
    if weights:
        return str(weights)
    from ignn_jax.weights.find import default_weights

    name = default_weights(scale, outscale=outscale)
    print(f"Weights: {name} (--weights takes others)", file=sys.stderr)
    return name


def add_ensemble(parser: argparse.ArgumentParser) -> None:
    """Adds --ensemble."""
    parser.add_argument(
        "--ensemble",
        action="store_true",
        help="average over the 8 flips and rotations (IGNN+), 8 times slower",
    )


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Adds --tile, --device and --dtype: how a network is run."""
    parser.add_argument(
        "--tile",
        type=tile,
        default="auto",
        metavar="auto|whole|N",
        help="side of tiles, in input pixels (default: auto)",
    )
    parser.add_argument(
        "--device", choices=("cpu", "gpu", "tpu"), help="device to run on"
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16"),
        help="dtype of the convolutions (default: that of the weights)",
    )


def add_max_pixels(parser: argparse.ArgumentParser) -> None:
    """Adds --max-pixels."""
    parser.add_argument(
        "--max-pixels",
        type=at_least(1),
        metavar="N",
        help="refuse larger inputs (default: 250 million)",
    )


def tile(text: str) -> int | str | None:
    """auto, whole (None) or a number."""
    if text == "auto":
        return text
    return None if text == "whole" else int(text)


def at_least(least: int) -> Callable[[str], int]:
    """The type of an argument that is an integer of at least `least`."""

    def integer(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is less than {least}")
        return number

    return integer
