"""Convert PyTorch weights of IGNN or EDSR."""

import argparse
import pathlib


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add("source", type=pathlib.Path, metavar="IGNN_x2.pth")
    add("-o", "--output", type=pathlib.Path, required=True)
    add("--scale", type=int, choices=(2, 3, 4), required=True)


def _run(args: argparse.Namespace) -> int:
    from ignn_jax.files import check_output
    from ignn_jax.weights.network import save
    from ignn_jax.weights.torch import load_network

    check_output(args.output, field="output", inputs=[args.source])
    model, variables = load_network(args.source, scale=args.scale)
    save(args.output, model, variables, source=args.source.name)
    print(f"{args.source} -> {args.output}")
    return 0
