"""What the programs of the figures share: their command line, and how they end."""

import argparse
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from experiments.programs import attempt
from ignn_jax.cli.arguments import at_least
from ignn_jax.cli.explain import pixel
from ignn_jax.data.pairs import Pair, cut_to_scale
from ignn_jax.errors import InputError
from ignn_jax.files import check_output, write_figure
from ignn_jax.models import IGNN
from ignn_jax.ops.bicubic import imresize
from ignn_jax.pictures.reader import read_rgb
from ignn_jax.weights.network import load

WEIGHTS = {"default": "tiny-x2", "metavar": "NAME_OR_PATH", "help": "of the network"}
AT = {"type": pixel, "metavar": "X,Y", "help": "a pixel of the photograph"}
SIDE = {
    "type": at_least(16),
    "default": 96,
    "metavar": "N",
    "help": "of the crops, in HR pixels (default: %(default)s)",
}


def read_photograph(path: pathlib.Path, scale: int) -> Pair:
    """A photograph as HR, and LR made of it.

    Raises:
      InputError: it cannot be read, or is too small.
    """
    hr = cut_to_scale(read_rgb(path), scale)
    if min(hr.shape[:2]) < 16 * scale:
        raise InputError(
            f"{path}: is too small; give at least {16 * scale} pixels a side"
        )
    return Pair(path.stem, imresize(hr, scale=1 / scale), hr)


def load_ignn(weights: str) -> tuple[IGNN, dict[str, Any]]:
    """Loads a network that has a graph across scales.

    Raises:
      InputError: it has none, or cannot be loaded.
    """
    model, variables = load(weights)
    if not isinstance(model, IGNN) or model.graph_scale != model.scale:
        raise InputError(
            f"{weights}: give an IGNN for x2 or x3 whose graph.kind is cross_scale",
            field="weights",
        )
    return model, variables


def run(
    draw: Callable[[argparse.Namespace], Figure],
    doc: str,
    options: Mapping[str, Any],
    argv: list[str],
) -> int:
    """Runs a program that draws a figure of a photograph; returns the exit status.

    Args:
      draw: from its arguments to its figure.
      doc: its docstring.
      options: its own, by name, with the keywords of `add_argument`.
      argv: its command line.
    """
    parser = argparse.ArgumentParser(
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("image", type=pathlib.Path, metavar="PHOTOGRAPH")
    for name, keywords in options.items():
        parser.add_argument(f"--{name}", **keywords)
    parser.add_argument(
        "-o", "--output", type=pathlib.Path, required=True, metavar="FILE.png"
    )

    def write(args):
        check_output(args.output, field="output", suffix=".png")
        write_figure(args.output, draw(args))

    return attempt(write, parser.parse_args(argv))
