"""Export a network as a program that runs without this package."""

import argparse
import pathlib
import re

from ignn_jax.cli.arguments import add_weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.set_defaults(run=_run)
    add_weights(parser, "", required=True)
    add = parser.add_argument
    add("-o", "--output", type=pathlib.Path, required=True, metavar="FILE")
    add(
        "--format",
        choices=("stablehlo", "onnx"),
        help="stablehlo, for jax.export, or onnx (needs the extra [onnx]); by default "
        "onnx if FILE ends in .onnx",
    )
    add(
        "--shape",
        type=_shape,
        metavar="HEIGHTxWIDTH",
        help="of the images that go in, as 256x256; by default, for stablehlo, any",
    )


def _shape(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*)[xX]([1-9]\d*)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a shape such as 256x256")
    return int(match[1]), int(match[2])


def _run(args: argparse.Namespace) -> int:
    from ignn_jax.errors import InputError
    from ignn_jax.files import check_output, write_bytes
    from ignn_jax.inference.export import export_onnx, export_stablehlo, least_side
    from ignn_jax.weights.find import find_weights
    from ignn_jax.weights.network import load

    inputs = [find_weights(args.weights)]
    check_output(args.output, field="output", inputs=inputs)
    is_onnx = args.format == "onnx" or (
        args.format is None and args.output.suffix.lower() == ".onnx"
    )
    if is_onnx and args.shape is None:
        raise InputError("an ONNX file has one shape: give it", field="shape")
    model, variables = load(args.weights)
    if is_onnx:
        program = export_onnx(model, variables, shape=args.shape)
        size = "1, 3, {}, {}".format(*args.shape)
        images = f"float32 [{size}] in [0, 1]"
    else:
        program = export_stablehlo(model, variables, shape=args.shape)
        size = "{}, {}".format(*args.shape or ("H", "W"))
        images = f"float32 [B, {size}, 3] in [0, 255]"
        if args.shape is None:
            images += f", H and W at least {least_side(model)}"
    write_bytes(args.output, program)
    print(f"{args.output}: x{model.scale}, takes RGB, {images}")
    return 0
