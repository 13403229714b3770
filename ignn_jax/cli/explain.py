"""Draw a patch of an image and its neighbors in the graph."""

import argparse
import pathlib

from ignn_jax.cli.arguments import add_weights, chosen_weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add("image", type=pathlib.Path, metavar="IMAGE")
    add(
        "--at",
        type=pixel,
        required=True,
        metavar="X,Y",
        help="a pixel, counted from 0,0; the nearest patch is drawn",
    )
    add_weights(parser, also=" (default: the package's own for x2)")
    add(
        "-o",
        "--output",
        type=pathlib.Path,
        metavar="FILE.png",
        help="(default: beside the image, as photo_explained_X_Y.png)",
    )
    add("--overwrite", action="store_true", help="replace an existing file")


def _run(args: argparse.Namespace) -> int:
    from ignn_jax.inspection.explain import explain_file

    x, y = args.at
    output = args.output or args.image.with_name(
        f"{args.image.stem}_explained_{x}_{y}.png"
    )
    weights = chosen_weights(args.weights)
    words = explain_file(args.image, args.at, weights, output, overwrite=args.overwrite)
    print(words, output, sep="\n")
    return 0


def pixel(text: str) -> tuple[int, int]:
    """X,Y."""
    x, _, y = text.partition(",")
    return int(x), int(y)
