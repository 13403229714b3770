"""Failures of Orbax, without the hundreds of lines that it prints about them."""

import contextlib
import gc
import logging
import re
import sys
import warnings


def hush() -> None:
    """Silences Orbax's threads for good: they may report a failure at any time."""
    unraisablehook = sys.unraisablehook

    def hook(unraisable):
        # This is how reads end that were under way when another one failed.
        if "Event loop is closed" not in str(unraisable.exc_value):
            unraisablehook(unraisable)

    sys.unraisablehook = hook
    logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)


@contextlib.contextmanager
def quiet():
    """A context without logs and warnings, also those of errors handled inside it."""
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
            gc.collect()  # tasks that failed complain when they are collected
    finally:
        logging.disable(logging.NOTSET)


def error_number(error: BaseException) -> int | None:
    """The number (`errno`) of the system error that made Orbax fail, if one did."""
    if isinstance(error, OSError):
        return error.errno
    # TensorStore, in C++, puts it at the end of a long message.
    code = re.search(r"os_error_code='(\d+)'|OS error (\d+)", str(error))
    return int(code[1] or code[2]) if code else None
