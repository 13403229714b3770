"""A report in one HTML file: tables, and each image to compare under a slider.

The page needs no network: images are data URIs, style and script are part of it, and
its own security policy forbids it to load anything. The page is a template that Jinja2
fills, escaping what it fills in; this module prepares the numbers.
"""

import itertools
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ignn_jax.evaluation import published
from ignn_jax.evaluation.figures import CROP, network_keys
from ignn_jax.evaluation.results import SetResult, mean_gain, networks_of
from ignn_jax.evaluation.scores import BICUBIC, Score
from ignn_jax.files import write_text

_MINUS, _NONE, _INFINITY = "\u2212", "\u2013", "\u221e"

# Only this many images have a slider (fewer with several networks), the others only
# crops: a page with a hundred photographs would take a hundred megabytes.
_MAX_SLIDERS = 32


class _Row(NamedTuple):
    """A row of the table of means: its CSS class, its head and a cell per set."""

    kind: str
    head: str
    cells: list[str]


def write_report(
    path: pathlib.Path,
    sets: Sequence[SetResult],
    *,
    title: str,
    scale: int,
    protocol: Sequence[str],
    details: Mapping[str, str] | None = None,
) -> None:
    """Writes the report, whole or not at all.

    Args:
      path: the HTML file; replaced if it exists.
      sets: the results, with the figures of their images.
      title: of the page.
      scale: of the super-resolution.
      protocol: how the scores come about, in sentences.
      details: whatever else belongs to the run: weights, versions.

    Raises:
      InputError: the file cannot be written.
    """
    import jinja2  # only for this

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ignn_jax.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "score": _score,
        "mean_gain": mean_gain,
    }
    page = environment.get_template("report.html").render(
        title=title,
        scale=scale,
        protocol=protocol,
        details=details or {},
        side=CROP,
        **_content(sets, scale),
    )
    write_text(path, page)


def _content(sets: Sequence[SetResult], scale: int) -> dict[str, Any]:
    networks = networks_of(sets)
    methods = {BICUBIC: "Bicubic"} | {network: network for network in networks}
    keys = network_keys(len(networks))
    images = [(part.name, image) for part in sets for image in part.images]
    best = sorted(images, key=lambda item: -item[1].gain)
    best = best[: max(3 * _MAX_SLIDERS // (2 + max(len(networks), 1)), 1)]
    with_slider: dict[str, set[str]] = {part.name: set() for part in sets}
    for name, image in best:
        with_slider[name].add(image.name)
    scored = [part for part in sets if part.images]
    quoted = [
        published.published_scores(part.name, len(part.images), scale=scale)
        for part in scored
    ]
    return {
        "sets": sets,
        "scored": scored,
        "count": len(images),
        "failed": sum(len(part.failures) for part in sets),
        "networks": networks,
        "gains": {
            network: mean_gain((image for _, image in images), network)
            for network in networks
        },
        "methods": methods,
        # The CSS classes of the images in the figures, from the lowest to the topmost.
        "names": {
            "bicubic": "Bicubic",
            **dict(zip(keys, networks, strict=True)),
            "hr": "Original",
        },
        "pairs": _pairs(keys),
        "means": _means_table(scored, quoted, methods),
        "note": published.published_note(scale=scale) if any(quoted) else "",
        "with_slider": with_slider,
    }


def _pairs(keys: Sequence[str]) -> list[tuple[str, str]]:
    """What a slider can compare; the picture on its right lies on top."""
    return [
        *(("bicubic", key) for key in keys),
        *itertools.pairwise(keys),
        *((key, "hr") for key in keys),
        ("bicubic", "hr"),
    ]


def _means_table(
    sets: Sequence[SetResult],
    quoted: Sequence[Mapping[str, Score]],
    methods: Mapping[str, str],
) -> list[_Row]:
    """A row for each method, published ones first, and the differences to the paper."""
    if not sets:
        return []
    means = [part.means for part in sets]
    rows = [
        _Row("", method, [_score(s[method]) if method in s else _NONE for s in quoted])
        for method in dict.fromkeys(method for scores in quoted for method in scores)
    ]
    if rows:
        rows = [_Row("group", "Published", []), *rows]
        rows.append(_Row("group", "Measured here", []))
    rows += [
        _Row("ours", name, [_score(scores[method]) for scores in means])
        for method, name in methods.items()
    ]
    ours = {m: name for m, name in methods.items() if m != BICUBIC} or methods
    for paper in published.OURS:
        if not any(paper in scores for scores in quoted):
            continue
        for method, name in ours.items():
            cells = [
                _difference(mean[method], theirs[paper]) if paper in theirs else _NONE
                for mean, theirs in zip(means, quoted, strict=True)
            ]
            rows.append(_Row("difference", f"{name} minus published {paper}", cells))
    return rows


def _number(value: float, digits: int, *, sign: bool = False) -> str:
    """A number as text, with a true minus sign."""
    if math.isinf(value):
        return _INFINITY if value > 0 else _MINUS + _INFINITY
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", _MINUS)


def _score(score: Score, unit: str = "") -> str:
    return f"{_number(score.psnr, 2)}{unit} / {_number(score.ssim, 4)}"


def _difference(ours: Score, theirs: Score) -> str:
    psnr = _number(ours.psnr - theirs.psnr, 2, sign=True)
    return f"{psnr} / {_number(ours.ssim - theirs.ssim, 4, sign=True)}"
