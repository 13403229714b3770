"""The one exception that means "the user can mend this"."""


class InputError(ValueError):
    """A bad file, option or config key: one line that names it and says what to do.

    The programs print its text without a traceback and exit with status 2.
    """
