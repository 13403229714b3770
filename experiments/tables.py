"""What a table compares, and its results: JSON, Markdown and a chart."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from experiments.sweep import Row, Variant
from ignn_jax.evaluation.published import published_scores, published_table
from ignn_jax.evaluation.scores import Score, mean_score
from ignn_jax.files import write_figure, write_text
from ignn_jax.tables import markdown_table

# The set of the paper's Tables 2 to 6.
_ABLATIONS = "Urban100"


class Table(NamedTuple):
    """A table.

    Attributes:
      name: of its program, and of the files with its results.
      title: what is compared.
      variants: the rows.
      reference: the label of the row that differences are taken from.
      number: in the paper; None if it is not there.
      scales: those to train at by default.
      sets: the benchmark sets by default; differences are those on the last one.
    """

    name: str
    title: str
    variants: Sequence[Variant]
    reference: str
    number: int | None = None
    scales: Sequence[int] = (2,)
    sets: Sequence[str] = (_ABLATIONS,)


def write(
    table: Table,
    found: Mapping[int, Sequence[Row]],
    circumstances: Mapping[str, Any],
    folder: pathlib.Path,
) -> str:
    """Writes `NAME.json`, `NAME.md` and `NAME.png` into a folder.

    Args:
      table: what was compared.
      found: the rows by scale.
      circumstances: how the results came about.
      folder: one that exists.

    Returns:
      The results in Markdown.

    Raises:
      InputError: a file cannot be written.
    """
    scales = {scale: [row._asdict() for row in rows] for scale, rows in found.items()}
    results = {"title": table.title, **circumstances, "scales": scales}
    text = "\n\n".join(
        [
            table.title,
            *(format_rows(table, scale, rows) for scale, rows in found.items()),
            ", ".join(f"{key}: {value}" for key, value in circumstances.items()),
        ]
    )
    write_text(folder / f"{table.name}.json", json.dumps(results, indent=1) + "\n")
    write_text(folder / f"{table.name}.md", text + "\n")
    write_figure(folder / f"{table.name}.png", draw(table, found))
    return text


def format_rows(table: Table, scale: int, rows: Sequence[Row]) -> str:
    """The table at a scale, in Markdown, with the paper's values.

    PSNR is the mean over the seeds, with their standard deviation, and so is the
    difference on the last set: each seed's from the reference with the same seed.
    """
    sets = list(rows[0].scores)
    reference = _reference(table, rows)
    paper = _paper(table)
    head = [f"x{scale}", "parameters", *sets, f"\u0394 {sets[-1]}"]
    lines = [head + [f"paper, {_ABLATIONS}", "paper's \u0394"] * bool(paper)]
    for row in rows:
        cells = [_format_scores(row.scores[name]) for name in sets]
        delta = "" if row is reference else _format_delta(gains(row, reference))
        line = [row.label, f"{row.parameters:,}", *cells, delta]
        if paper:
            line += _paper_cells(paper, row.label, table.reference)
        lines.append(line)
    if table.number == 1:
        lines += _paper_rows(rows, scale)
    return markdown_table(lines)


def gains(row: Row, reference: Row) -> list[float]:
    """How many dB a variant has over another on the last set, by seed."""
    name = list(row.scores)[-1]
    pairs = zip(row.scores[name], reference.scores[name], strict=True)
    return [_mean(ours).psnr - _mean(theirs).psnr for ours, theirs in pairs]


def draw(table: Table, found: Mapping[int, Sequence[Row]]) -> Figure:
    """Draws the differences, with the paper's beside them."""
    figure = Figure(figsize=(7, 3.2 * len(found)), dpi=120, layout="constrained")
    panels = figure.subplots(len(found), squeeze=False)[:, 0]
    for panel, (scale, rows) in zip(panels, found.items(), strict=True):
        reference, name = _reference(table, rows), list(rows[0].scores)[-1]
        paper = _paper(table)
        for n, row in enumerate(rows):
            values = gains(row, reference)
            spread = np.std(values, ddof=1) if len(values) > 1 else None
            panel.errorbar(np.mean(values), n, xerr=spread, fmt="o", color="C0")
            if row.label in paper and table.reference in paper:
                theirs = paper[row.label].psnr - paper[table.reference].psnr
                panel.plot(theirs, n, marker="D", color="C1", fillstyle="none")
        panel.plot([], "o", color="C0", label=f"here, {name}")
        if paper:
            panel.plot(
                *([], "D"), color="C1", fillstyle="none", label=f"paper, {_ABLATIONS}"
            )
        panel.set_yticks(range(len(rows)), [row.label for row in rows])
        panel.invert_yaxis()
        panel.axvline(0, color="gray", linewidth=0.8)
        panel.set_xlabel(f"PSNR minus that of {table.reference} (dB), x{scale}")
        panel.grid(axis="x", alpha=0.3)
        panel.legend()
    figure.suptitle(table.title)
    return figure


def _reference(table: Table, rows: Sequence[Row]) -> Row:
    return next(row for row in rows if row.label == table.reference)


def _paper(table: Table) -> dict[str, Score]:
    """The paper's scores by variant, of Tables 2 to 6."""
    return published_table(table.number) if table.number and table.number > 1 else {}


def _mean(scores: Mapping[str, Score]) -> Score:
    """The mean over the images of a set."""
    return mean_score(scores.values())


def _mean_of(seeds: Sequence[Mapping[str, Score]]) -> Score:
    """The mean over seeds and images."""
    return mean_score(map(_mean, seeds))


def _format_scores(seeds: Sequence[Mapping[str, Score]]) -> str:
    psnr, ssim = _mean_of(seeds)
    values = [_mean(scores).psnr for scores in seeds]
    spread = f" \u00b1 {np.std(values, ddof=1):.2f}" if values[1:] else ""
    return f"{psnr:.2f}{spread} / {ssim:.4f}"


def _format_delta(values: Sequence[float]) -> str:
    spread = f" \u00b1 {np.std(values, ddof=1):.3f}" if values[1:] else ""
    return f"{np.mean(values):+.3f}{spread}"


def _paper_cells(paper: Mapping[str, Score], label: str, reference: str) -> list[str]:
    if label not in paper:
        return ["", ""]
    delta = paper[label].psnr - paper[reference].psnr
    score = f"{paper[label].psnr:.2f} / {paper[label].ssim:.4f}"
    return [score, "" if label == reference else f"{delta:+.2f}"]


def _paper_rows(rows: Sequence[Row], scale: int) -> list[list[str]]:
    """Table 1's methods on the same sets, and our rows' distance from the paper's."""
    published = {
        name: published_scores(name, len(seeds[0]), scale=scale)
        for name, seeds in rows[0].scores.items()
    }
    methods = dict.fromkeys(method for part in published.values() for method in part)
    lines = []
    for method in methods:
        scores = [part.get(method) for part in published.values()]
        cells = [f"{s.psnr:.2f} / {s.ssim:.4f}" if s else "" for s in scores]
        lines.append([f"{method} (paper)", "", *cells, ""])
    for row in rows:
        cells = [
            f"{_mean_of(row.scores[name]).psnr - part[row.label].psnr:+.2f}"
            if row.label in part
            else ""
            for name, part in published.items()
        ]
        lines.append([f"{row.label} minus the paper's", "", *cells, ""])
    return lines if methods else []
