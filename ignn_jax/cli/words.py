"""The library's messages in the words of the command line.

The library knows arguments and config keys, not flags.
"""

import argparse
import re

from ignn_jax.errors import InputError

# (what the library says, an option, what to say where the command has this option).
_HINTS = (
    ("allow overwriting", "skip_existing", "add --overwrite or --skip-existing"),
    ("allow overwriting", "overwrite", "add --overwrite"),
    ("allow more pixels", "max_pixels", "raise the limit (--max-pixels N)"),
    ("try a smaller tile", "tile", "try a smaller --tile"),
    ("give your own weights", "weights", "give your own weights (--weights)"),
    ("convert them to torch", "to", "add --to torch"),
    ("set the output scale", "outscale", "set the output scale (--outscale N)"),
)


# What would break a line in two or command the terminal, when a file's name or contents
# hold it: Unicode's controls and its separators of lines.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(text: str) -> str:
    """The text with its control characters as escapes, such as \\n."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def in_words(error: InputError, args: argparse.Namespace) -> str:
    """The line to print for an error, with the command's flags for fields and hints."""
    options = vars(args)
    reason = error.reason
    for phrase, option, words in _HINTS:
        if option in options:
            reason = reason.replace(phrase, words)
    if error.field is not None:
        # The option for the config key data.cache is --cache.
        name = error.field.rpartition(".")[2]
        field = f"--{name.replace('_', '-')}" if name in options else error.field
        reason = f"{field}: {reason}"
    return one_line(reason)
