"""Upscale pictures, or folders of them."""

import argparse
import math
import pathlib
import sys

from ignn_jax.cli.arguments import (
    add_ensemble,
    add_machine,
    add_max_pixels,
    add_weights,
    at_least,
    chosen_weights,
)
from ignn_jax.cli.words import in_words
from ignn_jax.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add(
        "images",
        nargs="+",
        metavar="PICTURE",
        help="files, folders with all below them, or quoted patterns: 'a/**/*.png'",
    )
    add(
        "-o",
        "--output",
        help="file or folder/ to write (default: beside the input, as photo_x2.png)",
    )
    add_weights(parser, also=" (default: the package's own for the scale)")
    add(
        "--scale",
        type=at_least(2),
        metavar="N",
        help="the network's scale; other --weights are refused (default: that of "
        "--weights, or the next one that reaches --outscale, or x2)",
    )
    add(
        "--comparison",
        type=pathlib.Path,
        metavar="FILE.png",
        help="for one picture: draw crops beside bicubic's, where they differ most",
    )
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument(
        "--outscale",
        type=factor,
        metavar="2.5",
        help="output size as a factor; the network's output is resized by bicubic",
    )
    sizes.add_argument(
        "--size",
        type=size,
        metavar="3840x2160",
        help="output size: as large as fits into this box, in proportion",
    )
    sizes.add_argument(
        "--width", type=at_least(1), metavar="N", help="output width in pixels"
    )
    add_ensemble(parser)
    add_machine(parser)
    add("--format", help="png, jpg, webp, ... (default: the input's)")
    losses = parser.add_mutually_exclusive_group()
    losses.add_argument(
        "--quality",
        type=quality,
        metavar="N",
        help="1 to 100, for JPEG, WebP, AVIF and HEIC (default: 95, or lossless for a "
        "lossless WebP)",
    )
    losses.add_argument(
        "--lossless",
        action="store_true",
        help="write WebP and HEIC without loss, and refuse JPEG and AVIF",
    )
    add("--strip", action="store_true", help="drop EXIF, color profile and resolution")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite", action="store_true", help="replace existing files"
    )
    existing.add_argument(
        "--skip-existing",
        action="store_true",
        help="keep existing files, to continue a batch that was stopped",
    )
    add_max_pixels(parser)


def _run(args: argparse.Namespace) -> int:
    from ignn_jax.cli.outcomes import INTERRUPTED, report, tile_bar
    from ignn_jax.inference.network import load_network
    from ignn_jax.pictures.batch import Options, check_comparison, upscale_files
    from ignn_jax.pictures.end_size import EndSize
    from ignn_jax.pictures.formats import FORMATS
    from ignn_jax.pictures.jobs import plan_jobs
    from ignn_jax.pictures.reader import MAX_PIXELS

    suffix = args.format and f".{args.format.lower()}"
    if suffix and suffix not in FORMATS:
        known = ", ".join(name.removeprefix(".") for name in FORMATS)
        raise InputError(f"{args.format}: give one of {known}", field="format")
    end_size = EndSize.given(args.outscale, args.size, args.width)
    network = load_network(
        chosen_weights(args.weights, scale=args.scale, outscale=args.outscale),
        scale=args.scale,
        tile=args.tile,
        ensemble=args.ensemble,
        device=args.device,
        dtype=args.dtype,
        programs=args.programs,
    )
    plan = plan_jobs(
        args.images, args.output, label=end_size.label(network.scale), suffix=suffix
    )
    if args.comparison:
        check_comparison(args.comparison, plan.jobs, overwrite=args.overwrite)
    options = Options(
        end_size=end_size,
        quality=args.quality,
        lossless=args.lossless,
        overwrite=args.overwrite,
        skip_existing=args.skip_existing,
        strip=args.strip,
        max_pixels=args.max_pixels or MAX_PIXELS,
        comparison=args.comparison,
    )
    outcomes = upscale_files(network, plan.jobs, options, progress=tile_bar)
    done = report(plan, outcomes, comparison=args.comparison)
    for error in done.failures:
        print(in_words(error, args), file=sys.stderr)
    if done.is_interrupted:
        return INTERRUPTED
    return 1 if done.failures else 0


def factor(text: str) -> float:
    """A positive number."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT."""
    width, _, height = text.lower().partition("x")
    return at_least(1)(width), at_least(1)(height)


def quality(text: str) -> int:
    """1 to 100."""
    number = int(text)
    if not 1 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{number} is not between 1 and 100")
    return number
