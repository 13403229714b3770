"""Look at training images."""

import argparse
import pathlib

from ignn_jax.cli.arguments import at_least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of its one action, inspect."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    about = "Say what a source holds and what is left out; draw sample crops."
    parser = actions.add_parser("inspect", help=about, description=about)
    parser.set_defaults(run=_inspect)
    add = parser.add_argument
    add("source", metavar="SOURCE", help="as data.train: folder:PATH")
    add(
        "-o",
        "--output",
        type=pathlib.Path,
        metavar="SHEET.png",
        help="draw the first crops of a training, LR enlarged beside HR",
    )
    add("--scale", type=at_least(2), default=2, metavar="N")
    add("--lr-patch", type=at_least(1), default=60, metavar="N")
    add("--seed", type=int, default=0, metavar="N")
    add("--channel-shuffle", action="store_true")
    add(
        "--validation",
        metavar="SOURCE",
        help="as data.validation; its images are not trained on (default: none)",
    )
    add("--cache", default="", metavar="DIR", help="for decoded images, as data.cache")


def _inspect(args: argparse.Namespace) -> int:
    from ignn_jax.data.inspection import describe, write_contact_sheet
    from ignn_jax.data.own import validation_source
    from ignn_jax.data.sets import drop_small, load_set, load_sets
    from ignn_jax.data.sources import ImageFile, find_images, split_spec
    from ignn_jax.files import check_output

    if args.output:
        specs = [args.source]
        if args.validation:
            specs.append(validation_source(args.source, args.validation))
        inputs = [
            file.path
            for spec in specs
            for part, _ in split_spec(spec)
            if args.output.exists() and part.startswith("folder:")
            for image in find_images(part, scale=args.scale).images
            for file in (image.hr, image.lr)
            if isinstance(file, ImageFile)
        ]
        check_output(args.output, field="output", suffix=".png", inputs=inputs)
    if args.validation:
        images, validation = load_sets(
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
        write_contact_sheet(
            args.output,
            images,
            lr_patch=args.lr_patch,
            scale=args.scale,
            seed=args.seed,
            channel_shuffle=args.channel_shuffle,
        )
        print(f"The first crops of seed {args.seed}: {args.output}")
    return 0
