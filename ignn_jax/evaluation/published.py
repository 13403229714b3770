"""Published scores of the methods in the paper's Table 1, from `published.toml`."""

import functools
import importlib.resources
import re
import tomllib
from typing import Any

from ignn_jax.evaluation.scores import Score

# The paper's names for its own network, without and with self-ensemble.
OURS = ("IGNN", "IGNN+")

# To stand below every table that shows these numbers.
NOTE = (
    "Published scores are quoted from the sources that published.toml names for each "
    "row. IGNN+ and some cells are missing, because no source for them was found or "
    "the sources contradict each other."
)

_ALIASES = {"b100": "BSD100", "bsds100": "BSD100"}


def published_set(name: str, images: int) -> str | None:
    """The papers' name for a set; None for a set that they do not report.

    Args:
      name: of the set's folder; case and punctuation do not matter.
      images: how many images it holds. Scores on only a part of a set do not compare.
    """
    plain = re.sub(r"[\W_]", "", name.lower())
    for known, count in _table()["sets"].items():
        if _ALIASES.get(plain, plain).lower() == known.lower() and count == images:
            return known
    return None


def published_scores(name: str, images: int, *, scale: int) -> dict[str, Score]:
    """The published scores on a set by method, the paper's own network last.

    Args:
      name, images: as `published_set` takes them.
      scale: of the super-resolution.

    Returns:
      The scores; empty for a set that the papers do not report.
    """
    known = published_set(name, images)
    return {
        method: Score(*rows[f"x{scale}"][known])
        for method, rows in _table()["methods"].items()
        if known in rows.get(f"x{scale}", {})
    }


@functools.cache
def _table() -> dict[str, Any]:
    resource = importlib.resources.files("ignn_jax.evaluation") / "published.toml"
    return tomllib.loads(resource.read_text(encoding="utf-8"))
