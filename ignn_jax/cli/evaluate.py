"""PSNR and SSIM on Y, beside bicubic's and the published ones."""

import argparse
import functools
import pathlib
import sys

from ignn_jax.cli.arguments import add_ensemble, add_weights, at_least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add(
        "--data",
        type=pathlib.Path,
        required=True,
        metavar="DIR",
        help="a set of images in any of the usual layouts, or with --sets their folder",
    )
    add("--sets", type=names, metavar="NAMES", help="subfolders of DIR: Set5,Set14")
    add_weights(
        parser,
        also=", or bicubic; several are evaluated beside each other",
        required=True,
        several=True,
    )
    add(
        "--tile",
        type=int,
        default=0,
        metavar="N",
        help="side of tiles, in input pixels; 0: no tiles (default: %(default)s)",
    )
    add("--scale", type=at_least(2), metavar="N", help="needed with --weights bicubic")
    add_ensemble(parser)
    graph = parser.add_argument_group(
        "another graph",
        "The same network, without training again; several values are evaluated beside "
        "each other.",
    )
    for option, kind, metavar, description in (
        ("--neighbors", at_least(1), "K", "neighbors of a patch"),
        ("--window", at_least(0), "D", "side of the searched square; 0: whole image"),
        ("--embedding", str, "NAME", "vgg19, backbone or rgb, if the weights fit"),
    ):
        graph.add_argument(
            option, type=kind, nargs="+", default=(), metavar=metavar, help=description
        )
    for option, metavar, description in (
        ("--save-images", "DIR", "write the upscaled images as DIR/SET/NAME_x2.png"),
        ("--json", "FILE", "write all scores and what they rest on"),
        ("--csv", "FILE", "the same as a table"),
        ("--report", "FILE.html", "write a page to compare the images on"),
    ):
        add(option, type=pathlib.Path, metavar=metavar, help=description)


def _run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ignn_jax.data.benchmarks import find_benchmarks
    from ignn_jax.evaluation import formats
    from ignn_jax.evaluation.benchmark import Outputs, evaluate_benchmarks
    from ignn_jax.evaluation.setup import load_setup
    from ignn_jax.evaluation.variants import all_variants
    from ignn_jax.files import check_output_folder

    outputs = Outputs(args.json, args.csv, args.report)
    outputs.check()
    if args.save_images:
        check_output_folder(args.save_images, field="save_images")
    setup = load_setup(
        args.weights,
        scale=args.scale,
        tile=args.tile,
        ensemble=args.ensemble,
        variants=all_variants(
            neighbors=args.neighbors, window=args.window, embedding=args.embedding
        ),
    )
    benchmarks = find_benchmarks(args.data, args.sets, scale=setup.scale)
    for note in setup.notes:
        print(note)
    sets = evaluate_benchmarks(
        setup,
        benchmarks,
        outputs,
        images=args.save_images,
        progress=functools.partial(tqdm, unit="image", leave=False, disable=None),
        tell=lambda part: print(f"\n{formats.format_set(part, scale=setup.scale)}"),
    )
    failures = formats.format_failures(sets)
    if failures:
        print(failures, file=sys.stderr)
    return 1 if failures else 0


def names(text: str) -> list[str]:
    """Comma-separated, none empty."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} holds an empty name")
    return found
