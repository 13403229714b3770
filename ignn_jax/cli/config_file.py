"""Training configs from files: Python, or the config.json of a run."""

import importlib.util
import json
import os
import pathlib
import sys
import sysconfig
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from ignn_jax.errors import InputError
from ignn_jax.training.config import complete


def define_config(**options: Any) -> flags.FlagHolder:
    """Defines --config, a file as `load_config` takes it, with --config.KEY=VALUE.

    Args:
      **options: those of `config_flags.DEFINE_config_file`.
    """
    holder = config_flags.DEFINE_config_file("config", lock_config=True, **options)
    values = options.get("flag_values", flags.FLAGS)
    values["config"].parser = _Parser()
    return holder


def read_config(arguments: Sequence[str]) -> ConfigDict:
    """The config of a command line of `ignn_jax.main`, which may have other flags too.

    Raises:
      InputError: the file or an override is wrong.
    """
    argv, values = ["", *arguments], flags.FlagValues()
    try:
        holder = define_config(flag_values=values, sys_argv=argv)
        values(argv, known_only=True)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(flag_reason(error)) from error
    return holder.value


class _Parser(flags.ArgumentParser):
    """In place of config_flags' own, whose errors are tracebacks, or none."""

    def parse(self, argument: str) -> ConfigDict:
        return load_config(argument)

    def flag_type(self) -> str:
        return "config file"


def load_config(path: str | os.PathLike[str]) -> ConfigDict:
    """The complete config of a file.

    Args:
      path: a Python file whose function `get_config()` returns the config, as those in
        `configs/` do; "FILE:ARGUMENT" calls get_config(ARGUMENT). Or a JSON file, such
        as the `config.json` in a run's workdir.

    Raises:
      InputError: there is no such file, or something in it is wrong, in one line that
        says where.
    """
    text = os.fspath(path)
    file, argument = pathlib.Path(text), []
    if not os.path.isfile(file) and ":" in text:
        name, _, rest = text.partition(":")
        file, argument = pathlib.Path(name), [rest]
    if not text:
        raise InputError("is empty; give a config file, such as configs/x2.py")
    if os.path.isdir(file):
        run = file / "config.json"
        example = run if os.path.isfile(run) else "configs/x2.py"
        raise InputError(f"{file}: is a folder; give a config file, such as {example}")
    if not os.path.isfile(file):  # False where it cannot be seen
        raise InputError(f"{file}: no such config file")
    is_json = file.suffix == ".json"
    config = _read_json(file) if is_json else _call_get_config(file, argument)
    if not isinstance(config, Mapping | ConfigDict):
        raise InputError(
            f"{file}: get_config() gives {type(config).__name__}, and not a config; "
            "does it end with `return config`?"
        )
    try:
        return complete(config)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _read_json(file: pathlib.Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: not a config in JSON: {error}") from error


def _call_get_config(file: pathlib.Path, argument: list[str]) -> Any:
    # A config imports others by their names, wherever the program is started.
    folder = file.resolve().parent
    for place in map(str, (folder.parent, folder)):
        if place not in sys.path:
            sys.path.append(place)
    try:
        spec = importlib.util.spec_from_file_location("ignn_jax_user_config", file)
        if spec is None or spec.loader is None:
            raise InputError(f"{file}: give a file of Python (.py), or of JSON (.json)")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if not callable(getattr(module, "get_config", None)):
            raise InputError(f"{file}: has no function get_config")
        return module.get_config(*argument)
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # a config is a program
        raise InputError(_in_one_line(error, file)) from error


def _in_one_line(error: BaseException, file: pathlib.Path) -> str:
    """What went wrong, with the line of the user's code at which it did."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    ours = (str(pathlib.Path(__file__).parents[1]), sysconfig.get_path("stdlib"), "<")
    place = str(file)
    for frame in traceback.extract_tb(error.__traceback__):
        name = frame.filename
        if not name.startswith(ours) and "site-packages" not in name:
            place = f"{file if file.samefile(name) else name}, line {frame.lineno}"
    kind, reason = type(error).__name__, plain_reason(error)
    line = f"{place}: {kind}" + f": {reason}" * bool(reason)
    if (
        isinstance(error, ImportError)
        and str(error.name).partition(".")[0] == "configs"
    ):
        line += "; begin from `ignn_jax.training.defaults.get_config()` instead"
    return line


def flag_reason(error: Exception) -> str:
    """What is wrong with --config or its overrides, in one line."""
    if isinstance(error.__context__, InputError):  # absl's would name the file twice
        return str(error.__context__)
    reason = plain_reason(error)
    if not isinstance(error, KeyError | AttributeError):
        return reason
    key, *suggestion = reason.split(" Did you mean")
    return "; did you mean".join([f"the config has no key {key}", *suggestion])


def plain_reason(error: BaseException) -> str:
    """An exception's own text, in one line; config_flags and ConfigDict wrap it."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    # str() of a KeyError quotes what it holds.
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    return " ".join(str(text).split())
