"""Log text made inert for pages that give text a meaning: a notebook's tables and a figure's labels."""

from __future__ import annotations

import html
import json
import re

import polars as pl

from detectors.findings import printable

LONGEST_LABEL = 60

_CALLS_OUT = re.compile(
    r"(https?(?=://)|data(?=:\w+/)|javascript(?=:)|text/(?:html|markdown)(?=:)):",
    re.IGNORECASE,
)
"""Where a page would see a link, a picture, or text of another kind."""


def defanged(text: str) -> str:
    """Text whose addresses no page turns into a link or fetches as a picture: `https[:]//a.example/x.png`."""
    return _CALLS_OUT.sub(r"\1[:]", printable(text))


def shown(text: str) -> str:
    """Text as it is, line by line, without what a reader's eye would obey; for places that escape markup themselves."""
    return "\n".join(map(printable, text.split("\n")))


def cells(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame whose texts are defanged: marimo shows a cell that is a picture's address as that picture.

    Lists and structs become JSON text, which is defanged too.
    """
    return frame.with_columns(_inert(frame[name]) for name, kind in frame.schema.items() if _holds_text(kind))


def _holds_text(kind: pl.DataType) -> bool:
    return kind == pl.String or kind.is_nested()


def _inert(column: pl.Series) -> pl.Series:
    if column.dtype.is_nested():
        texts = [None if value is None else json.dumps(value, default=str) for value in column.to_list()]
        column = pl.Series(column.name, texts, pl.String)
    return column.map_elements(defanged, return_dtype=pl.String)


def label(text: str) -> str:
    """Text for a figure: plotly reads tags in labels and legends, so they are escaped; long text is cut."""
    shown = defanged(text)
    if len(shown) > LONGEST_LABEL:
        shown = shown[: LONGEST_LABEL - 1] + "…"
    return html.escape(shown, quote=False)
