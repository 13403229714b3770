"""The `ignn-jax` command: super-resolve pictures, evaluate weights, convert them.

Each command is a module: what it takes, and what it does. Training is
`python -m ignn_jax.main`. A mistake of the user ends in one line on stderr and
status 2; a file that failed among others, in status 1.
"""

import argparse
import os
import sys

from ignn_jax.cli import (
    compile_cache,
    convert,
    data,
    evaluate,
    explain,
    plot,
    upscale,
    weights,
)
from ignn_jax.errors import InputError

# Their heavy imports (JAX) are made when they run, so that --help and a misspelt option
# answer at once.
_COMMANDS = (upscale, evaluate, weights, convert, plot, explain, data)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "ignn-jax", description="Image super-resolution with IGNN."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in _COMMANDS:
        name = command.__name__.rpartition(".")[2]
        about = command.__doc__
        sub = commands.add_parser(name, help=about, description=about)
        command.add_arguments(sub)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs a command line; returns the exit status."""
    args = _parser().parse_args(argv)
    compile_cache.enable()
    try:
        status = args.run(args)
        sys.stdout.flush()
        return status
    except InputError as error:
        print(f"ignn-jax: {_in_words(error, args)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `ignn-jax weights | head -1` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _in_words(error: InputError, args: argparse.Namespace) -> str:
    """The error's line, with a field that is an option of the command as its flag."""
    if error.field in vars(args):
        return f"--{error.field.replace('_', '-')}: {error.reason}"
    return str(error)
