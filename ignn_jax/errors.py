"""The one exception that means "the user can fix this"."""


class InputError(ValueError):
    """A bad file, option or config key: one line that names it and says what to do.

    The programs print it without a traceback and exit with status 2.

    Attributes:
      field: the argument or config key at fault, by its name in Python ("outscale",
        "train.batch_size"), or None where the message already names a file. A program
        may print another word for it, such as its flag.
      reason: the line without the field.
    """

    def __init__(self, reason: str, *, field: str | None = None):
        super().__init__(reason)
        self.reason = reason
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason
