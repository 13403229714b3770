"""Trains: python -m ignn_jax.main --config=configs/x2.py --workdir=runs/x2"""

import pathlib
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from ignn_jax.errors import InputError

_CONFIG = config_flags.DEFINE_config_file(
    "config", help_string="What to train, such as configs/x2.py.", lock_config=True
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where the run is kept; a run that is there goes on."
)


def _parse_flags(argv):
    try:
        rest = flags.FLAGS(argv)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError) as e:
        sys.exit(f"ignn_jax: {e}")
    if rest[1:]:
        sys.exit(f"ignn_jax: {rest[1]} is no flag; overrides are --config.KEY=VALUE")
    for flag in (_CONFIG, _WORKDIR):
        if flag.value is None:
            sys.exit(f"ignn_jax: --{flag.name} is missing; see --help")
    return rest


def main(_) -> None:
    from ignn_jax.train import train  # after the flags, which may be wrong

    logging.set_verbosity(logging.WARNING)  # Orbax tells a novel
    try:
        train(_CONFIG.value, pathlib.Path(_WORKDIR.value))
    except InputError as error:
        print(f"ignn_jax: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    app.run(main, flags_parser=_parse_flags)
