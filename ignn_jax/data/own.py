"""A training set's own validation images, as DIV2K has them."""

import os
import re

from ignn_jax.data.sources import split_spec
from ignn_jax.errors import InputError

OWN = "own"

# In place of "train" in a folder's name, in any case.
_VALIDATION = ("valid", "val", "validation")


def validation_source(train: str, validation: str) -> str:
    """Where validation images come from, with "own" resolved.

    Args:
      train: the training images' spec.
      validation: their own validation images ("own"), or any other spec.

    Returns:
      `validation`, or for "own": of tfds:NAME its split "validation", and of a folder
      whose path says "train" the one whose path says "valid" in its place.

    Raises:
      InputError: no training source has validation images of its own.
    """
    if validation != OWN:
        return validation
    found = [own for part, _ in split_spec(train) if (own := _own(part))]
    if not found:
        raise InputError(
            f"{train} has no validation images of its own, such as DIV2K_valid_HR "
            "beside DIV2K_train_HR; name other images, or hold some out: split:0.1",
            field="data.validation",
        )
    return ",".join(dict.fromkeys(found))


def _own(part: str) -> str | None:
    kind, _, argument = part.partition(":")
    if kind == "tfds":
        name, *rest = argument.split(":", 2)
        version = [part for part in rest[:1] if part[:1].isdigit()]
        return ":".join(["tfds", name, *version, "validation"])
    if kind != "folder":
        return None
    for word in _VALIDATION:
        paths = [_replaced(path, word) for path in argument.split("|")]
        folders = [path for path in paths if path != "bicubic"]
        if all(path and os.path.isdir(os.path.expanduser(path)) for path in folders):
            return f"folder:{'|'.join(map(str, paths))}"
    return None


def _replaced(path: str, word: str) -> str | None:
    """The path with `word` for the last "train" in it; None if there is none."""
    if path == "bicubic":
        return path
    *_, last = [None, *re.finditer("train(ing)?", path, re.IGNORECASE)]
    if last is None:
        return None
    if last[0].isupper():
        word = word.upper()
    elif last[0][0].isupper():
        word = word.capitalize()
    return path[: last.start()] + word + path[last.end() :]
