"""The table of every metric, made from what the program's records declare."""

from discordianai.metric import Series
from discordianai.operations.metrics import PREFIX, declared

PLACE = "<!-- every metric -->"


def put_in(markdown: str) -> str:
    """The page with the table, where it has a place for it."""
    return markdown.replace(PLACE, table()) if PLACE in markdown else markdown


def table() -> str:
    """In Markdown, by name."""
    rows = sorted(declared(), key=lambda series: series.metric.name)
    head = ["| metric | kind | labels | what it tells |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *map(_row, rows)])


def _row(series: Series) -> str:
    labels = ", ".join(f"`{label}`" for label in series.labels)
    cells = (f"`{PREFIX}{series.metric.name}`", series.kind, labels, series.metric.help)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
