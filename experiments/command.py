"""The command line of the tables, and the presets that they train by."""

import argparse
import functools
import pathlib
from collections.abc import Sequence

import jax
from absl import flags, logging
from ml_collections import ConfigDict, config_flags

from configs import light_x2, light_x3, light_x4, tiny_x2, x2, x3, x4
from experiments import runs, tables
from experiments.programs import attempt
from experiments.sweep import compare
from experiments.tables import Table
from ignn_jax.cli.config_file import plain_reason
from ignn_jax.errors import InputError
from ignn_jax.files import check_output_folder
from ignn_jax.machine import describe_machine
from ignn_jax.models.factory import model_settings
from ignn_jax.weights.network import load


def _tiny(scale: int) -> ConfigDict:
    config = tiny_x2.get_config()
    config.scale = scale
    config.train.steps = 1000
    config.optimizer.learning_rate = 5e-4
    config.optimizer.clip = 5.0
    config.data.validation = "split:0.01"  # the benchmarks are what counts
    return config


# By name, the config of a scale.
PRESETS = {
    "paper": lambda scale: (x2, x3, x4)[scale - 2].get_config(),
    "light": lambda scale: (light_x2, light_x3, light_x4)[scale - 2].get_config(),
    "tiny": _tiny,
}


def run(table: Table, description: str, argv: Sequence[str]) -> int:
    """Runs a table's program; returns the exit status.

    Args:
      table: what is compared.
      description: the program's docstring.
      argv: the command line.
    """
    args = _parse(table, description, argv)
    work = functools.partial(_make, table, argv)
    return attempt(work, args, name=table.name)


def _make(table: Table, argv: Sequence[str], args: argparse.Namespace) -> None:
    """Compares the variants, and writes and prints the table."""
    logging.set_verbosity(logging.WARNING)  # Orbax is verbose
    for name in ("seeds", "every", "jobs"):
        if getattr(args, name) < 1:
            raise InputError("give at least 1", field=name)
    check_output_folder(args.workdir, field="workdir")
    configs = [_config(args, scale) for scale in args.scale]
    found = {config.scale: compare(table.variants, config, args) for config in configs}
    circumstances = {
        "command": runs.public(["python", "-m", f"experiments.{table.name}", *argv]),
        "commit": runs.commit(),
        **describe_machine("jax", "flax", "numpy"),
        "device": jax.devices()[0].device_kind,
    }
    print(tables.write(table, found, circumstances, args.workdir))


def _config(args: argparse.Namespace, scale: int) -> ConfigDict:
    """The preset's config with the command line's changes, or that of the weights."""
    config = PRESETS[args.preset](scale)
    if args.steps is not None:
        config.train.steps = args.steps
    if args.train:
        config.data.train = args.train
    config.eval.every = config.train.steps  # only the result matters
    config.eval.tile = 0  # whole images, as in the paper
    if not args.retrain:
        settings = model_settings(load(args.weights)[0])
        if (own := settings.pop("scale")) != scale:
            raise InputError(
                f"{args.weights} is a network for x{own}, not x{scale}", field="scale"
            )
        config.model.update(settings)
    if config.model.graph.embedding == "auto":
        config.model.graph.embedding = "vgg19" if args.preset == "paper" else "backbone"
    return _override(config, args.overrides)


def _override(config: ConfigDict, overrides: Sequence[str]) -> ConfigDict:
    """Changes the keys that `--config.KEY=VALUE` flags name."""
    argv, values = ["", *overrides], flags.FlagValues()
    try:
        config_flags.DEFINE_config_dict(
            "config", config, flag_values=values, sys_argv=argv
        )
        values(argv)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(plain_reason(error)) from error
    return config


def _parse(table: Table, description: str, argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments.{table.name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--preset", choices=PRESETS, default="tiny", help="default: %(default)s")
    add("--benchmarks", metavar="DIR", required=True, help="folder of the sets")
    add(
        "--sets",
        metavar="NAMES",
        type=lambda text: text.split(","),
        default=table.sets,
        help=f"default: {','.join(table.sets)}",
    )
    add(
        "--every", metavar="N", type=int, default=1, help="only every Nth image of each"
    )
    add(
        "--workdir",
        metavar="DIR",
        type=pathlib.Path,
        help="runs and results; the same one for all tables, so that they share runs "
        "(default: runs/PRESET)",
    )
    add("--train", metavar="SOURCE", help="training images, as data.train")
    add("--steps", metavar="N", type=int, help="of each training")
    add("--seeds", metavar="N", type=int, default=1, help="default: %(default)s")
    add(
        "--scale",
        metavar="S",
        type=int,
        nargs="+",
        choices=(2, 3, 4),
        default=table.scales,
        help=f"default: {' '.join(map(str, table.scales))}",
    )
    add("--backbone", metavar="WEIGHTS", help="a trained EDSR, instead of training one")
    add("--vgg19", metavar="FILE", help="VGG19's weights, for its embedding")
    add("--jobs", metavar="N", type=int, default=1, help="trainings at once")
    add(
        "--retrain",
        choices=("true", "false"),
        default="true",
        help="false: evaluate --weights at the variants' k and d, without training",
    )
    add("--weights", default="tiny-x2", help="with --retrain=false (default: tiny-x2)")
    add(
        "overrides", nargs="*", metavar="-- --config.KEY=VALUE", help="for all variants"
    )
    args = parser.parse_args(argv)
    args.retrain = args.retrain == "true"
    args.workdir = args.workdir or pathlib.Path("runs", args.preset)
    return args
