"""The measures on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from detectors.findings import printable
from pipelines.evaluate.measures import Measures
from pipelines.evaluate.sections import Section, sections


def lines(found: Measures) -> Iterator[RenderableType]:
    """Each table with its title and what its columns mean."""
    for section in sections(found):
        yield Text(section.title, style="bold")
        yield Text(section.note, style="dim")
        yield _table(section)
        yield Text()


def _table(section: Section) -> Table:
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for name in section.columns:
        shown.add_column(Text(name), overflow="fold")
    for row in section.rows:
        shown.add_row(*(Text(printable(value)) for value in row))
    return shown
