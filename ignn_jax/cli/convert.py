"""Convert weights from PyTorch's programs, and back."""

import argparse
import pathlib


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.set_defaults(run=_run)
    parser.description = (
        "Converts the weights of IGNN (sczhou/IGNN), of EDSR (sanghyun-son/"
        "EDSR-PyTorch or XPixelGroup/BasicSR) and of torchvision's VGG19. Network, "
        "sizes and scale are recognized and checked."
    )
    add = parser.add_argument
    add(
        "source",
        metavar="IN",
        help="a PyTorch checkpoint, or its tensors as safetensors or npz; with --to "
        "torch, a weights file, a workdir, or the name of weights that come with the "
        "package",
    )
    add("target", type=pathlib.Path, nargs="?", metavar="OUT")
    add("-o", "--output", type=pathlib.Path, metavar="OUT", help="the same as OUT")
    add("--scale", type=int, choices=(2, 3, 4), help="refuse a network of another one")
    add(
        "--residual-scale",
        type=float,
        metavar="FACTOR",
        help="of the residual blocks, which checkpoints do not tell; by default 0.1 "
        "for IGNN and for 256 features, otherwise 1",
    )
    add(
        "--to",
        choices=("jax", "torch"),
        default="jax",
        help="torch: back to PyTorch, as .pth or .safetensors",
    )
    add(
        "--layout",
        choices=("ignn", "edsr", "basicsr"),
        help="with --to torch: the program to write for; by default the one that the "
        "weights came from, or else sczhou/IGNN or sanghyun-son/EDSR-PyTorch",
    )


def _run(args: argparse.Namespace) -> int:
    from ignn_jax.errors import InputError
    from ignn_jax.files import check_output
    from ignn_jax.weights import convert
    from ignn_jax.weights.find import find_weights

    output = args.target or args.output
    if output is None or (args.target and args.output):
        raise InputError("give one file to write", field="output")
    for name in ("scale", "residual_scale") if args.to == "torch" else ("layout",):
        if getattr(args, name) is not None:
            raise InputError("is for the other direction", field=name)
    inputs = [find_weights(args.source) if args.to == "torch" else args.source]
    check_output(output, field="output", inputs=inputs)
    if args.to == "torch":
        described = convert.to_torch(args.source, output, layout=args.layout)
    else:
        described = convert.from_torch(
            args.source, output, scale=args.scale, residual_scale=args.residual_scale
        )
    print(f"{described}\nwrote {output}")
    return 0
