"""The `ignn-jax` command: upscale pictures, evaluate, explain and convert networks.

Each command is a module with its arguments and a function that runs it. Training is
another program, `python -m ignn_jax.main`. A user's mistake ends in one line on stderr
and status 2. Status 1 means that some files of several failed.
"""

import argparse
import io
import os
import sys

from ignn_jax import __version__
from ignn_jax.cli import (
    app,
    compile_cache,
    convert,
    data,
    evaluate,
    explain,
    export,
    plot,
    upscale,
    weights,
)
from ignn_jax.cli.words import in_words
from ignn_jax.errors import InputError

# They import JAX, which is slow, only when they run: --help answers at once.
_COMMANDS = (upscale, evaluate, weights, convert, export, plot, explain, data, app)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "ignn-jax", description="Image super-resolution with IGNN."
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in _COMMANDS:
        name = command.__name__.rpartition(".")[2]
        about = command.__doc__
        sub = commands.add_parser(name, help=about, description=about)
        command.add_arguments(sub)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs a command line and returns its exit status."""
    # Names of files may hold bytes, or letters, that the terminal cannot show.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    args = _parser().parse_args(argv)
    args.programs = compile_cache.enable()
    try:
        status = args.run(args)
        sys.stdout.flush()
        return status
    except InputError as error:
        print(f"ignn-jax: {in_words(error, args)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # as in `ignn-jax weights | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
