"""The `ignn-jax` command: super-resolve pictures, evaluate weights, convert them.

Training is `python -m ignn_jax.main`. A mistake of the user ends in one line on stderr
and status 2; a file that failed among others, in status 1.
"""

import argparse
import functools
import pathlib
import sys

from ignn_jax.errors import InputError

# Heavy imports (JAX) are made by the commands that need them, so that --help and a
# misspelt option answer at once.


def _upscale(args: argparse.Namespace) -> int:
    import jax

    from ignn_jax.upscale import plan_jobs, upscale_files
    from ignn_jax.weights import load_weights

    model, variables, _ = load_weights(args.weights)
    if len(args.images) > 1 and args.output and not args.output.is_dir():
        raise InputError(
            f"{args.output}: is not a folder; several pictures need one that exists"
        )
    jobs = [
        job
        for source in args.images
        for job in plan_jobs(source, args.output, scale=model.scale)
    ]
    return upscale_files(
        functools.partial(jax.jit(model.apply), jax.device_put(variables)),
        jobs,
        scale=model.scale,
        tile=args.tile,
        quality=args.quality,
        overwrite=args.overwrite,
    )


def _evaluate(args: argparse.Namespace) -> int:
    from ignn_jax import evaluate
    from ignn_jax.data.benchmarks import find_benchmarks

    outputs = evaluate.Outputs(args.save_images, args.json, args.csv, args.report)
    outputs.check()
    setup = evaluate.load_setup(
        args.weights, scale=args.scale, tile=args.tile, ensemble=args.ensemble
    )
    benchmarks = find_benchmarks(args.data, args.sets, scale=setup.scale)
    return evaluate.evaluate_benchmarks(setup, benchmarks, outputs)


def _convert(args: argparse.Namespace) -> int:
    from ignn_jax.convert import ignn_from_torch
    from ignn_jax.outputs import check_output
    from ignn_jax.weights import load_torch, save_weights

    check_output(args.output, option="-o")
    state_dict = load_torch(args.source)
    try:
        model, variables = ignn_from_torch(state_dict, scale=args.scale)
    except ValueError as error:
        raise InputError(f"{args.source}: {error}") from error
    save_weights(args.output, model, variables, source=args.source.name)
    print(f"{args.source} -> {args.output}")
    return 0


def _quality(text: str) -> int:
    quality = int(text)
    if not 1 <= quality <= 100:
        raise argparse.ArgumentTypeError(f"{quality} is not between 1 and 100")
    return quality


def _scale(text: str) -> int:
    scale = int(text)
    if scale < 2:
        raise argparse.ArgumentTypeError(f"{scale} is less than 2")
    return scale


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} holds an empty name")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "ignn-jax", description="Image super-resolution with IGNN."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    path = pathlib.Path

    def command(name, run, description):
        sub = commands.add_parser(name, help=description, description=description)
        sub.set_defaults(run=run)
        return sub

    def add_network(sub, tile, also=""):
        sub.add_argument(
            "--weights",
            type=path,
            required=True,
            metavar="FILE_OR_DIR",
            help=f"a weights file, or the workdir of a training run{also}",
        )
        sub.add_argument(
            "--tile",
            type=int,
            default=tile,
            metavar="N",
            help="side of tiles, in input pixels; 0: no tiles (default: %(default)s)",
        )

    sub = command("upscale", _upscale, "Upscale pictures, or folders of them.")
    sub.add_argument("images", type=path, nargs="+", metavar="IMAGE_OR_DIR")
    sub.add_argument(
        "-o",
        "--output",
        type=path,
        help="file or folder to write (default: beside the input, as photo_x2.png)",
    )
    add_network(sub, tile=192)
    sub.add_argument(
        "--quality", type=_quality, default=95, help="of JPEG and WebP, 1 to 100"
    )
    sub.add_argument("--overwrite", action="store_true", help="replace existing files")

    sub = command(
        "evaluate",
        _evaluate,
        "PSNR and SSIM on Y, beside bicubic's and the published ones.",
    )
    sub.add_argument(
        "--data",
        type=path,
        required=True,
        metavar="DIR",
        help="a set of images in any of the usual layouts, or with --sets their folder",
    )
    sub.add_argument(
        "--sets", type=_names, metavar="NAMES", help="subfolders of DIR: Set5,Set14"
    )
    add_network(sub, tile=0, also=", or bicubic")
    sub.add_argument(
        "--scale", type=_scale, metavar="N", help="needed with --weights bicubic"
    )
    sub.add_argument(
        "--ensemble",
        action="store_true",
        help="average over the 8 flips and rotations (IGNN+), 8 times slower",
    )
    for option, metavar, description in (
        ("--save-images", "DIR", "write the upscaled images as DIR/SET/NAME_x2.png"),
        ("--json", "FILE", "write all scores and what they rest on"),
        ("--csv", "FILE", "the same as a table"),
        ("--report", "FILE.html", "write a page to compare the images on"),
    ):
        sub.add_argument(option, type=path, metavar=metavar, help=description)

    sub = command("convert", _convert, "Convert the reference's PyTorch weights.")
    sub.add_argument("source", type=path, metavar="IGNN_x2.pth")
    sub.add_argument("-o", "--output", type=path, required=True)
    sub.add_argument("--scale", type=int, choices=(2, 3, 4), required=True)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs a command line; returns the exit status."""
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except InputError as error:
        print(f"ignn-jax: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
