"""The library's messages as the command line prints them."""

import argparse

import pytest

from ignn_jax.cli.words import in_words
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
