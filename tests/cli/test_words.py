"""The library's messages as the command line prints them."""

import argparse

import pytest

from ignn_jax.cli.words import in_words, one_line
from ignn_jax.errors import InputError


@pytest.mark.parametrize(
    ("options", "reason", "field", "line"),
    [
        ([], "a.png: not a picture", None, "a.png: not a picture"),
        (["lr_patch"], "too large", "lr_patch", "--lr-patch: too large"),
        (["cache"], "a: is a file", "data.cache", "--cache: a: is a file"),
        ([], "give at least 1", "train.steps", "train.steps: give at least 1"),
        ([], "exists; or allow overwriting", None, "exists; or allow overwriting"),
        (
            ["overwrite"],
            "exists; or allow overwriting",
            None,
            "exists; or add --overwrite",
        ),
        (
            ["overwrite", "skip_existing"],
            "exists; or allow overwriting",
            None,
            "exists; or add --overwrite or --skip-existing",
        ),
    ],
)
def test_fields_and_hints_are_worded_as_options(options, reason, field, line):
    args = argparse.Namespace(**dict.fromkeys(options))
    assert in_words(InputError(reason, field=field), args) == line


def test_what_a_file_says_of_itself_stays_on_one_line():
    args = argparse.Namespace()
    error = InputError("a\nb.png: damaged", field="x\x1b[2J")
    assert in_words(error, args) == r"x\x1b[2J: a\nb.png: damaged"
    assert in_words(InputError("a\r\u2028b"), args) == r"a\r\u2028b"
    plain = "Größe, 图, C:\\new, 😀: \udcff"  # as is, a byte of no encoding too
    assert one_line(plain) == plain
