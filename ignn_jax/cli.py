"""The `ignn-jax` command: super-resolve pictures, evaluate weights, convert them.

Training is `python -m ignn_jax.main`. A mistake of the user ends in one line on stderr
and status 2; a file that failed among others, in status 1.
"""

import argparse
import math
import pathlib
import sys

from ignn_jax import compile_cache
from ignn_jax.errors import InputError

# Heavy imports (JAX) are made by the commands that need them, so that --help and a
# misspelt option answer at once.


def _upscale(args: argparse.Namespace) -> int:
    from ignn_jax.inference.files import FORMATS, MAX_PIXELS
    from ignn_jax.inference.pictures import EndSize, load_network
    from ignn_jax.upscaling import Options, check_comparison, plan_jobs, upscale_files

    suffix = args.format and f".{args.format.lower()}"
    if suffix and suffix not in FORMATS:
        known = ", ".join(name.removeprefix(".") for name in FORMATS)
        raise InputError(f"--format {args.format}: give one of {known}")
    end_size = EndSize.given(args.outscale, args.size, args.width)
    network = load_network(
        _chosen(args.weights, scale=args.scale),
        scale=args.scale,
        tile=args.tile,
        ensemble=args.ensemble,
        device=args.device,
        dtype=args.dtype,
    )
    jobs = plan_jobs(
        args.images, args.output, label=end_size.label(network.scale), suffix=suffix
    )
    if args.comparison:
        check_comparison(args.comparison, jobs, overwrite=args.overwrite)
    options = Options(
        end_size=end_size,
        quality=args.quality,
        overwrite=args.overwrite,
        skip_existing=args.skip_existing,
        strip=args.strip,
        max_pixels=args.max_pixels or MAX_PIXELS,
        comparison=args.comparison,
    )
    return upscale_files(network, jobs, options)


def _chosen(weights: pathlib.Path | None, *, scale: int | None = None) -> str:
    """The weights that are named, or else those of the package, which it says."""
    if weights:
        return str(weights)
    from ignn_jax.weights_file import default_weights

    name = default_weights(scale)
    print(f"Weights: {name} (--weights takes others)", file=sys.stderr)
    return name


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
    from ignn_jax.convert import edsr_from_torch, ignn_from_torch, is_edsr
    from ignn_jax.foreign_weights import load_torch
    from ignn_jax.outputs import check_output
    from ignn_jax.weights import save_weights

    check_output(args.output, option="-o")
    state_dict = load_torch(args.source)
    convert = edsr_from_torch if is_edsr(state_dict) else ignn_from_torch
    try:
        model, variables = convert(state_dict, scale=args.scale)
    except ValueError as error:
        raise InputError(f"{args.source}: {error}") from error
    save_weights(args.output, model, variables, source=args.source.name)
    print(f"{args.source} -> {args.output}")
    return 0


def _inspect(args: argparse.Namespace) -> int:
    from ignn_jax.data.inspection import contact_sheet, describe
    from ignn_jax.data.pairs import drop_small
    from ignn_jax.data.training import load_set, load_train_and_validation
    from ignn_jax.outputs import check_output

    if args.output:
        check_output(args.output, option="-o")
    if args.validation:
        images, validation = load_train_and_validation(
            args.source,
            args.validation,
            scale=args.scale,
            lr_patch=args.lr_patch,
            cache=args.cache,
        )
        print(f"Validation: {describe(validation)}\nTraining: ", end="")
    else:
        images = load_set(args.source, scale=args.scale, cache=args.cache)
        images = drop_small(images, args.lr_patch * args.scale)
    print(describe(images))
    if args.output:
        contact_sheet(
            images.pairs,
            lr_patch=args.lr_patch,
            scale=args.scale,
            seed=args.seed,
            channel_shuffle=args.channel_shuffle,
        ).save(args.output)
        print(f"The first crops of seed {args.seed}: {args.output}")
    return 0


def _plot(args: argparse.Namespace) -> int:
    from ignn_jax.outputs import check_output
    from ignn_jax.plot import plot

    check_output(args.output, option="-o")
    plot(args.runs, args.output)
    print(args.output)
    return 0


def _explain(args: argparse.Namespace) -> int:
    from ignn_jax.explain import explain_file

    explain_file(
        args.image,
        args.at,
        _chosen(args.weights),
        args.output,
        overwrite=args.overwrite,
    )
    return 0


def _weights(args: argparse.Namespace) -> int:
    from ignn_jax.weights_table import describe_pretrained, describe_weights

    print(describe_weights(args.weights) if args.weights else describe_pretrained())
    return 0


def _tile(text: str) -> int | str | None:
    if text == "auto":
        return text
    return None if text == "whole" else int(text)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _factor(text: str) -> float:
    factor = float(text)
    if not 0 < factor < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return factor


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    return _positive(width), _positive(height)


def _pixel(text: str) -> tuple[int, int]:
    x, _, y = text.partition(",")
    return int(x), int(y)


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

    def add_weights(sub, also, required=False):
        sub.add_argument(
            "--weights",
            type=path,
            required=required,
            metavar="NAME_OR_PATH",
            help="weights that come with the package (see the command weights), a "
            f"weights file, or the workdir of a training run{also}",
        )

    def add_ensemble(sub):
        sub.add_argument(
            "--ensemble",
            action="store_true",
            help="average over the 8 flips and rotations (IGNN+), 8 times slower",
        )

    sub = command("upscale", _upscale, "Upscale pictures, or folders of them.")
    sub.add_argument(
        "images",
        nargs="+",
        metavar="PICTURE",
        help="files, folders (with all below them) and quoted patterns: 'a/**/*.png'",
    )
    sub.add_argument(
        "-o",
        "--output",
        type=path,
        help="file or folder to write (default: beside the input, as photo_x2.png)",
    )
    add_weights(sub, also=" (default: the package's own of the scale)")
    sub.add_argument(
        "--scale",
        type=_scale,
        metavar="N",
        help="of the weights (default: x2, or that of --weights, which is refused if "
        "it is another)",
    )
    sub.add_argument(
        "--comparison",
        type=path,
        metavar="FILE.png",
        help="of one picture, draw crops beside bicubic's, where they differ most",
    )
    sizes = sub.add_mutually_exclusive_group()
    sizes.add_argument(
        "--outscale",
        type=_factor,
        metavar="2.5",
        help="end size by a factor, from the network's scale on by bicubic",
    )
    sizes.add_argument(
        "--size",
        type=_size,
        metavar="3840x2160",
        help="end size, as large as fits into this box in proportion",
    )
    sizes.add_argument(
        "--width", type=_positive, metavar="N", help="end size by its width"
    )
    sub.add_argument(
        "--tile",
        type=_tile,
        default="auto",
        metavar="auto|whole|N",
        help="side of tiles, in input pixels (default: auto)",
    )
    add_ensemble(sub)
    sub.add_argument("--device", choices=("cpu", "gpu", "tpu"), help="where to run")
    sub.add_argument(
        "--dtype",
        choices=("float32", "bfloat16"),
        help="of the convolutions (default: the weights' own)",
    )
    sub.add_argument("--format", help="png, jpg, webp, ... (default: the input's)")
    sub.add_argument(
        "--quality",
        type=_quality,
        default=95,
        metavar="N",
        help="of JPEG, WebP, AVIF and HEIC, 1 to 100 (default: %(default)s)",
    )
    sub.add_argument(
        "--strip", action="store_true", help="drop EXIF, color profile and resolution"
    )
    existing = sub.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite", action="store_true", help="replace existing files"
    )
    existing.add_argument(
        "--skip-existing",
        action="store_true",
        help="leave existing files: go on with a batch where it was stopped",
    )
    sub.add_argument(
        "--max-pixels",
        type=_positive,
        metavar="N",
        help="refuse larger inputs (default: 250 million)",
    )

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
    add_weights(sub, also=", or bicubic", required=True)
    sub.add_argument(
        "--tile",
        type=int,
        default=0,
        metavar="N",
        help="side of tiles, in input pixels; 0: no tiles (default: %(default)s)",
    )
    sub.add_argument(
        "--scale", type=_scale, metavar="N", help="needed with --weights bicubic"
    )
    add_ensemble(sub)
    for option, metavar, description in (
        ("--save-images", "DIR", "write the upscaled images as DIR/SET/NAME_x2.png"),
        ("--json", "FILE", "write all scores and what they rest on"),
        ("--csv", "FILE", "the same as a table"),
        ("--report", "FILE.html", "write a page to compare the images on"),
    ):
        sub.add_argument(option, type=path, metavar=metavar, help=description)

    description = "List the weights that come with the package, or describe some."
    sub = command("weights", _weights, description)
    sub.add_argument(
        "weights",
        type=path,
        nargs="?",
        metavar="NAME_OR_PATH",
        help="print all that their file says about itself",
    )

    sub = command("convert", _convert, "Convert PyTorch weights of IGNN or EDSR.")
    sub.add_argument("source", type=path, metavar="IGNN_x2.pth")
    sub.add_argument("-o", "--output", type=path, required=True)
    sub.add_argument("--scale", type=int, choices=(2, 3, 4), required=True)

    sub = command("plot", _plot, "Draw the curves of training runs into one PNG.")
    sub.add_argument("runs", type=path, nargs="+", metavar="RUN", help="a workdir")
    sub.add_argument("-o", "--output", type=path, required=True, metavar="FILE.png")

    sub = command(
        "explain", _explain, "Draw a patch of an image and its neighbors in the graph."
    )
    sub.add_argument("image", type=path, metavar="IMAGE")
    sub.add_argument(
        "--at",
        type=_pixel,
        required=True,
        metavar="X,Y",
        help="a pixel of the image, from 0,0; the nearest patch is taken",
    )
    add_weights(sub, also=" (default: the package's own for x2)")
    sub.add_argument(
        "-o",
        "--output",
        type=path,
        metavar="FILE.png",
        help="(default: beside the image, as photo_explained_X_Y.png)",
    )
    sub.add_argument(
        "--overwrite", action="store_true", help="replace an existing file"
    )

    sub = command("data", None, "Look at training images.")
    actions = sub.add_subparsers(metavar="ACTION", required=True)
    description = "Say what a source holds and what is left out; draw sample crops."
    sub = actions.add_parser("inspect", help=description, description=description)
    sub.set_defaults(run=_inspect)
    sub.add_argument("source", metavar="SOURCE", help="as data.train: folder:PATH")
    sub.add_argument(
        "-o",
        "--output",
        type=path,
        metavar="SHEET.png",
        help="write the first crops of a training, LR enlarged beside HR",
    )
    sub.add_argument("--scale", type=_scale, default=2, metavar="N")
    sub.add_argument("--lr-patch", type=_positive, default=60, metavar="N")
    sub.add_argument("--seed", type=int, default=0, metavar="N")
    sub.add_argument("--channel-shuffle", action="store_true")
    sub.add_argument(
        "--validation",
        metavar="SOURCE",
        help="as data.validation; its images are taken out (default: none are)",
    )
    sub.add_argument(
        "--cache", default="", metavar="DIR", help="of decoded images, as data.cache"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs a command line; returns the exit status."""
    args = _parser().parse_args(argv)
    compile_cache.enable()
    try:
        return args.run(args)
    except InputError as error:
        print(f"ignn-jax: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
