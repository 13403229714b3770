"""Trains: python -m ignn_jax.main --config=configs/x2.py --workdir=runs/x2"""

import errno
import os
import pathlib
import sys

from absl import app, flags, logging

from ignn_jax.cli import compile_cache
from ignn_jax.cli.config_file import define_config, flag_reason
from ignn_jax.cli.words import one_line
from ignn_jax.errors import InputError

_CONFIG = define_config(
    help_string="What to train: configs/x2.py, or config.json of another run."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where the run is kept; a run that is there goes on."
)
_ALLOW_CHANGES = flags.DEFINE_bool(
    "allow_changes", False, "Go on with a run although the config has changed."
)
_PROFILE = flags.DEFINE_bool(
    "profile", False, "Write a trace of a few steps to WORKDIR/profile."
)
_PLAN = flags.DEFINE_bool(
    "plan", False, "Say what a step costs on the devices at hand, and do not train."
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of process 0, where a run has several processes."
)
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "How many there are.")
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "Which one this is, from 0.")


def _parse_flags(argv):
    try:
        rest = flags.FLAGS(argv)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as e:
        _refuse(flag_reason(e))
    if rest[1:]:
        _refuse(f"{rest[1]} is not a flag; overrides are --config.KEY=VALUE")
    needed = (_CONFIG,) if _PLAN.value else (_CONFIG, _WORKDIR)
    for flag in needed:
        if not flag.value:
            _refuse(f"--{flag.name} is missing; see --help")
    return rest


def _refuse(message):
    print("ignn_jax:", one_line(" ".join(message.split())), file=sys.stderr)
    sys.exit(2)


def _in_words(error: InputError) -> str:
    """The error's line, with flags for the arguments that the library speaks of."""
    line = f"--{error}" if error.field and error.field in flags.FLAGS else str(error)
    return line.replace("set allow_changes", "add --allow_changes")


def main(_) -> None:
    has_cache = compile_cache.enable() is not None
    # After the flags, which may be wrong.
    import jax

    from ignn_jax.devices import check_devices, is_out_of_memory
    from ignn_jax.training import parallel
    from ignn_jax.training.plan import describe_plan, make_plan
    from ignn_jax.training.run import train

    logging.set_verbosity(logging.WARNING)  # Orbax is verbose
    try:
        parallel.initialize(_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
        check_devices()
        if has_cache and jax.process_count() > 1:
            # GPUs wait for one another while they compile: they would wait forever for
            # one that found its program in a cache which the others do not see.
            jax.config.update("jax_compilation_cache_dir", None)
        if jax.process_index() > 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # one process prints
        if _PLAN.value:
            print(describe_plan(make_plan(_CONFIG.value), _CONFIG.value))
            return
        assert _WORKDIR.value  # see _parse_flags
        state = train(
            _CONFIG.value,
            pathlib.Path(_WORKDIR.value),
            allow_changes=_ALLOW_CHANGES.value,
            profile=_PROFILE.value,
        )
        if state.step == _CONFIG.value.train.steps:
            command = f"ignn-jax upscale PHOTO --weights {_WORKDIR.value}"
            print(f"Upscale a picture: {command}")
    except InputError as error:
        _refuse(_in_words(error))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _refuse(f"{_WORKDIR.value}: {error.strerror}; free some, and run it again")
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        _refuse(
            "out of memory; lower train.batch_size or data.lr_patch, take a smaller "
            "eval.tile, or raise train.accumulate"
        )


if __name__ == "__main__":
    try:
        app.run(main, flags_parser=_parse_flags)
    except KeyboardInterrupt:  # before the first step or after the last one
        sys.exit(130)
