"""Convert PyTorch weights of IGNN or EDSR."""

import argparse
import pathlib

from ignn_jax.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's."""
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add("source", type=pathlib.Path, metavar="IGNN_x2.pth")
    add("-o", "--output", type=pathlib.Path, required=True)
    add("--scale", type=int, choices=(2, 3, 4), required=True)


def _run(args: argparse.Namespace) -> int:
    from ignn_jax.files import check_output
    from ignn_jax.weights.network import save_weights
    from ignn_jax.weights.torch import edsr_from_torch, ignn_from_torch, is_edsr
    from ignn_jax.weights.vgg19 import load_torch

    check_output(args.output, field="output")
    state_dict = load_torch(args.source)
    convert = edsr_from_torch if is_edsr(state_dict) else ignn_from_torch
    try:
        model, variables = convert(state_dict, scale=args.scale)
    except ValueError as error:
        raise InputError(f"{args.source}: {error}") from error
    save_weights(args.output, model, variables, source=args.source.name)
    print(f"{args.source} -> {args.output}")
    return 0
