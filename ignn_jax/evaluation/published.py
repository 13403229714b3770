"""The scores that the paper's tables print, from `published.toml`."""

import functools
import importlib.resources
import re
import tomllib
from typing import Any

from ignn_jax.evaluation.scores import Score

# The paper's names for its own network, without and with self-ensemble.
OURS = ("IGNN", "IGNN+")

_ALIASES = {"b100": "BSD100", "bsds100": "BSD100"}


def published_set(name: str, images: int) -> str | None:
    """Table 1's name for a set; None for a set that it does not have.

    Args:
      name: of the set's folder; case and punctuation do not matter.
      images: how many images it holds. Scores on only a part of a set do not compare.
    """
    plain = re.sub(r"[\W_]", "", name.lower())
    for known, count in _content()["sets"].items():
        if _ALIASES.get(plain, plain).lower() == known.lower() and count == images:
            return known
    return None


def published_scores(name: str, images: int, *, scale: int) -> dict[str, Score]:
    """The scores on a set in Table 1 by method, the paper's own network last.

    Args:
      name, images: as `published_set` takes them.
      scale: of the super-resolution.

    Returns:
      The scores; empty for a set or a scale that Table 1 does not have.
    """
    known = published_set(name, images)
    return {
        method: Score(*rows[f"x{scale}"][known])
        for method, rows in _content()["table1"].items()
        if known in rows.get(f"x{scale}", {})
    }


def published_table(number: int) -> dict[str, Score]:
    """The scores in one of Tables 2 to 6 by variant: of Urban100, at x2.

    Args:
      number: of the table.
    """
    return {
        variant: Score(*cell) for variant, cell in _content()[f"table{number}"].items()
    }


def published_note(*, scale: int) -> str:
    """The sentences that stand below every table with scores of Table 1."""
    sentences = ["Published scores are those of the paper's Table 1, as printed."]
    sentences += [
        f"A misprint among them: {cell['method']}'s {cell['score']} on {cell['set']}, "
        f"{cell['printed']}, is {cell['elsewhere']} elsewhere."
        for cell in _content()["misprints"]
        if cell["scale"] == scale
    ]
    return " ".join(sentences)


@functools.cache
def _content() -> dict[str, Any]:
    resource = importlib.resources.files("ignn_jax.evaluation") / "published.toml"
    return tomllib.loads(resource.read_text(encoding="utf-8"))
