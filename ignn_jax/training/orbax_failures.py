"""What Orbax does when it fails: its hundreds of lines kept off the user's terminal."""

import contextlib
import gc
import logging
import re
import sys
import warnings


def hush() -> None:
    """Silences, for good, what Orbax's threads tell of a failure at any time."""
    unraisablehook = sys.unraisablehook

    def hook(unraisable):
        # Reads that were under way when another one failed end like this.
        if "Event loop is closed" not in str(unraisable.exc_value):
            unraisablehook(unraisable)

    sys.unraisablehook = hook
    logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)


@contextlib.contextmanager
def quiet():
    """Silences logs and warnings meanwhile; errors handled inside leave none behind."""
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
            gc.collect()  # tasks that failed complain when they are collected
    finally:
        logging.disable(logging.NOTSET)


def error_number(error: BaseException) -> int | None:
    """The system's error (`errno`) that made Orbax fail, if one did."""
    if isinstance(error, OSError):
        return error.errno
    # TensorStore, in C++, has it at the end of a long message.
    code = re.search(r"os_error_code='(\d+)'|OS error (\d+)", str(error))
    return int(code[1] or code[2]) if code else None
