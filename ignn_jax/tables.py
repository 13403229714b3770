"""Tables as text: aligned for a terminal, or Markdown. The first row is the head."""

from collections.abc import Iterable, Sequence

Rows = Iterable[Sequence[object]]


def text_table(rows: Rows, *, align: str = "<") -> str:
    """Columns two spaces apart, each as wide as its widest cell.

    Args:
      rows: cells, as `str` writes them; the same number in every row.
      align: "<" or ">" for each column from the first one on; the last of these holds
        for the columns that remain.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    align = align.ljust(len(widths), align[-1])
    lines = (
        "  ".join(f"{c:{a}{w}}" for c, a, w in zip(row, align, widths, strict=True))
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def markdown_table(rows: Rows) -> str:
    """A Markdown table; "|" in a cell is escaped."""
    head, *body = ([str(cell).replace("|", "\\|") for cell in row] for row in rows)
    lines = (f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))
    return "\n".join(lines)
