"""A report in one HTML file: tables, and each image to compare under a slider.

The page needs no network: images are data URIs, style and script are part of it, and
its own security policy forbids it to load anything. Arrays are uint8 RGB [H, W, 3].
"""

import html
import importlib.resources
import math
import pathlib
import string
from collections.abc import Mapping, Sequence

import numpy as np

from ignn_jax.evaluation import published
from ignn_jax.evaluation.figures import CROP, Figure, ReportSet, make_figure
from ignn_jax.evaluation.scores import Score, mean_score
from ignn_jax.files import write_text

_TIMES, _MINUS, _NONE, _INFINITY = "\u00d7", "\u2212", "\u2013", "\u221e"

__all__ = ["Figure", "ReportSet", "make_figure", "write_report"]

# More images than these are shown by their crops alone: a set of a hundred photographs
# would make a page of a hundred megabytes.
_MAX_SLIDERS = 32

# What the slider compares: left and right of its divider.
_PAIRS = (("bicubic", "sr"), ("sr", "hr"), ("bicubic", "hr"))


def write_report(
    path: pathlib.Path,
    sets: Sequence[ReportSet],
    *,
    title: str,
    label: str,
    scale: int,
    protocol: Sequence[str],
    details: Mapping[str, str] | None = None,
) -> None:
    """Writes the report, whole or not at all.

    Args:
      path: the HTML file; replaced if it exists.
      sets: what was evaluated.
      title: of the page.
      label: what to call the network.
      scale: of the super-resolution.
      protocol: how the scores come about, in sentences.
      details: whatever else belongs to the run: weights, versions.

    Raises:
      InputError: the file cannot be written.
    """
    template = (
        importlib.resources.files("ignn_jax.evaluation") / "templates" / "report.html"
    )
    figures = [figure for part in sets for figure in part.figures]
    shown = sorted(figures, key=lambda figure: -figure.gain)[:_MAX_SLIDERS]
    with_slider = {id(figure) for figure in shown}
    page = string.Template(template.read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        summary=_summary(sets, label, scale),
        results=_results(sets, label, scale),
        protocol="".join(f"<li>{html.escape(line)}</li>" for line in protocol),
        details=_details(details or {}),
        sets="".join(_set(part, label, with_slider) for part in sets),
    )
    write_text(path, page)


def _number(value: float, digits: int, *, sign: bool = False) -> str:
    """A number as text, with a true minus sign."""
    if math.isinf(value):
        return _INFINITY if value > 0 else _MINUS + _INFINITY
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", _MINUS)


def _score(score: Score, unit: str = "") -> str:
    return f"{_number(score.psnr, 2)}{unit} / {_number(score.ssim, 4)}"


def _names(label: str) -> dict[str, str]:
    return {"bicubic": "Bicubic", "sr": label, "hr": "Original"}


def _means(part: ReportSet) -> dict[str, Score]:
    if not part.figures:
        return {}
    keys = part.figures[0].scores
    return {key: mean_score(f.scores[key] for f in part.figures) for key in keys}


def _summary(sets, label, scale):
    count = sum(len(part.figures) for part in sets)
    failed = sum(len(part.failures) for part in sets)
    words = [f"{count} image{'s' * (count != 1)} at {_TIMES}{scale}."]
    if failed:
        words.append(f"{failed} more could not be evaluated.")
    figures = [figure for part in sets for figure in part.figures]
    if figures and "sr" in figures[0].scores:
        gain = np.mean([figure.gain for figure in figures])
        words.append(
            f"{html.escape(label)} is {_number(abs(gain), 2)} dB "
            f"{'above' if gain >= 0 else 'below'} bicubic on average."
        )
    return " ".join(words)


def _results(sets, label, scale):
    """The table of means: a row per method, a column per set, published ones first."""
    sets = [part for part in sets if part.figures]
    if not sets:
        return "<p>No image was evaluated.</p>"
    quoted = [
        published.published_scores(part.name, len(part.figures), scale=scale)
        for part in sets
    ]
    means = [_means(part) for part in sets]
    names = _names(html.escape(label))
    rows = []
    for method in dict.fromkeys(method for scores in quoted for method in scores):
        cells = [scores.get(method) for scores in quoted]
        rows.append(_row(method, [_score(c) if c else _NONE for c in cells]))
    if rows:
        rows.insert(0, _group("Published", len(sets)))
        rows.append(_group("Measured here", len(sets)))
    for key in means[0]:
        rows.append(_row(names[key], [_score(m[key]) for m in means], "ours"))
    key = "sr" if "sr" in means[0] else "bicubic"
    for method in published.OURS:
        if any(method in scores for scores in quoted):
            cells = [
                _difference(m[key], scores[method]) if method in scores else _NONE
                for m, scores in zip(means, quoted, strict=True)
            ]
            name = f"{names[key]} less published {method}"
            rows.append(_row(name, cells, "difference"))
    heads = "".join(f'<th scope="col">{html.escape(part.name)}</th>' for part in sets)
    note = f"<p class=note>{html.escape(published.NOTE)}</p>" if any(quoted) else ""
    return (
        '<div class=scroll tabindex=0 role=region aria-label="Table of means"><table>'
        "<caption>Mean PSNR (dB) / SSIM</caption>"
        f'<thead><tr><th scope="col">Method</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>{note}"
    )


def _group(name, columns):
    return f"<tr class=group><th colspan={columns + 1}>{name}</th></tr>"


def _row(name, cells, kind=""):
    cells = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr class="{kind}"><th scope="row">{name}</th>{cells}</tr>'


def _difference(ours, theirs):
    psnr = _number(ours.psnr - theirs.psnr, 2, sign=True)
    return f"{psnr} / {_number(ours.ssim - theirs.ssim, 4, sign=True)}"


def _details(details):
    rows = (
        f"<div><dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd></div>"
        for key, value in details.items()
    )
    return "".join(rows)


def _set(part, label, with_slider):
    """A set's section: its table, and its images by falling gain."""
    figures = sorted(part.figures, key=lambda figure: -figure.gain)
    hidden = sum(id(figure) not in with_slider for figure in figures)
    notes = [html.escape(part.lr) + "." if part.lr else ""]
    if figures and "sr" in figures[0].scores:
        notes.append("Images are sorted by their gain over bicubic.")
    if hidden:
        notes.append(f"{hidden} of smaller gain are shown by crops alone.")
    failures = "".join(f"<li>{html.escape(line)}</li>" for line in part.failures)
    if failures:
        failures = f"<div class=failures><p>Not evaluated:</p><ul>{failures}</ul></div>"
    group = html.escape(part.name)
    body = "".join(_figure(f, group, label, id(f) in with_slider) for f in figures)
    return (
        f"<section><h2>{group}</h2><p>{' '.join(filter(None, notes))}</p>"
        f"{failures}{_image_table(part, figures, label)}{body}</section>"
    )


def _image_table(part, figures, label):
    if not figures:
        return ""
    names = _names(html.escape(label))
    means = _means(part)
    heads = "".join(f'<th scope="col">{names[key]}</th>' for key in means)
    gains = "sr" in means
    rows = []
    for figure in figures:
        cells = [_score(score) for score in figure.scores.values()]
        cells += [_number(figure.gain, 2, sign=True)] * gains
        rows.append(_row(html.escape(figure.name), cells))
    cells = [_score(score) for score in means.values()]
    if gains:
        gain = np.mean([figure.gain for figure in figures])
        cells.append(_number(gain, 2, sign=True))
    rows.append(_row("Mean", cells, "ours"))
    heads += '<th scope="col">Gain</th>' * gains
    name = html.escape(part.name)
    return (
        f"<details><summary>Scores of all images</summary>"
        f'<div class=scroll tabindex=0 role=region aria-label="Scores, {name}"><table>'
        f"<caption>{name}: PSNR (dB) / SSIM</caption>"
        f'<thead><tr><th scope="col">Image</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _figure(figure, group, label, slider):
    names = _names(html.escape(label))
    name = html.escape(figure.name)
    gain = ""
    if "sr" in figure.scores:
        kind = "gain" if figure.gain >= 0 else "gain loss"
        gain = f'<span class="{kind}">{_number(figure.gain, 2, sign=True)} dB</span>'
    scores = "".join(
        f"<div><dt>{names[key]}</dt><dd>{_score(score, ' dB')}</dd></div>"
        for key, score in figure.scores.items()
    )
    crops = "".join(
        _crop(letter, crop, names, name)
        for letter, crop in zip("AB", figure.crops, strict=False)
    )
    return (
        f"<article><header><h3>{name}</h3>{gain}<dl class=scores>{scores}</dl></header>"
        f"<div class=views>{_slider(figure, group, names) if slider else ''}"
        f"<div class=side>{crops}</div></div></article>"
    )


def _slider(figure, group, names):
    name = html.escape(figure.name)
    width, height = figure.size
    pairs = [p for p in _PAIRS if set(p) <= figure.pictures.keys()]
    choices = "".join(
        f'<label><input type=radio name="{group}/{name}" value="{left} {right}"'
        f"{' checked' * (n == 0)}><span>{names[left]} | {names[right]}</span></label>"
        for n, (left, right) in enumerate(pairs)
    )
    images = "".join(
        f'<img class="{key}" src="{uri}" alt="{name}, {names[key]}" width={width} '
        f"height={height} loading=lazy decoding=async draggable=false>"
        for key, uri in figure.pictures.items()
    )
    boxes = "".join(
        f'<span class=box style="left:{left:.3f}%;top:{top:.3f}%;width:{w:.3f}%;'
        f'height:{h:.3f}%">{letter}</span>'
        for letter, (left, top, w, h) in zip(
            "AB", (crop.box for crop in figure.crops), strict=False
        )
    )
    left, right = pairs[0]
    attributes = " ".join(f'data-{key}="{names[key]}"' for key in figure.pictures)
    return (
        f"<div class=compare data-left={left} data-right={right} {attributes} "
        f'style="--w:{width}px;--ratio:{width / height:.4f}">'
        f"<fieldset{' hidden' * (len(pairs) == 1)}><legend>Compare</legend>{choices}"
        f"</fieldset><div class=stage>{images}{boxes}"
        f"<input type=range min=0 max=100 step=0.1 value=50 "
        f'aria-label="Divider, {name}: {names[left]} on its left, '
        f'{names[right]} on its right"><span class=divider aria-hidden=true></span>'
        f'<span class="tag left" aria-hidden=true>{names[left]}</span>'
        f'<span class="tag right" aria-hidden=true>{names[right]}</span></div></div>'
    )


def _crop(letter, crop, names, name):
    cells = "".join(
        f'<figure><img src="{uri}" alt="{name}, {names[key]}: '
        f'{crop.caption.lower()}" width={CROP} height={CROP} loading=lazy>'
        f"<figcaption>{names[key]}</figcaption></figure>"
        for key, uri in crop.images.items()
    )
    caption = f"<p><b>{letter}</b> {crop.caption}</p>"
    return f"<div class=crops>{caption}<div>{cells}</div></div>"
