"""The one way from a value to text in the report: log text stays text in HTML and in plotly's figures.

The templates pass every expression through `shown` (Jinja's `finalize`) and escape it for HTML; figures
pass every text through `literal`. Nothing else puts text into the page.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from datetime import date, datetime
from functools import singledispatch
from typing import Any

from markupsafe import Markup

from detectors import sizes
from detectors.findings import printable

MAX_SHOWN = 400
"""Characters of one value that are shown: a name or a path is shorter, a flood is not."""

NOTHING = "\N{EN DASH}"


@singledispatch
def shown(value: Any) -> Any:
    """A value as people read it: thousands separated, times in UTC, what cannot be seen made visible, long text cut."""
    return _visible(str(value))


@shown.register
def _(value: Markup) -> Markup:
    return value  # made by this package, from parts that went through here


@shown.register
def _(_value: None) -> str:
    return NOTHING


@shown.register
def _(value: bool) -> str:
    return "yes" if value else "no"


@shown.register
def _(value: int) -> str:
    return f"{value:,}"


@shown.register
def _(value: float) -> str:
    return number(value)


@shown.register
def _(value: datetime) -> str:
    return value.isoformat(sep=" ", timespec="seconds")


@shown.register
def _(value: date) -> str:
    return value.isoformat()


@shown.register(list)
@shown.register(tuple)
def _(value: Sequence[Any]) -> str:
    return ", ".join(str(shown(part)) for part in value)


@shown.register(dict)
def _(value: dict[str, Any]) -> str:
    return _visible(json.dumps(value, ensure_ascii=False, default=str, sort_keys=True))


def _visible(text: str) -> str:
    total = len(text)
    kept = printable(text[:MAX_SHOWN])
    return kept if total <= MAX_SHOWN else f"{kept}\N{HORIZONTAL ELLIPSIS} ({total:,} characters)"


def literal(value: Any, width: int = 120) -> str:
    """A value as text for plotly, which reads some HTML and entities in every label and hover text."""
    text = str(shown(value))
    if len(text) > width:
        text = text[: width - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return html.escape(text, quote=False)


def number(value: float) -> str:
    """A number with at most three decimals and no needless ones."""
    if not math.isfinite(value):
        return NOTHING
    return f"{value:,.0f}" if value == round(value) else f"{value:,.3f}".rstrip("0").rstrip(".")


def size(count: int | float | None) -> str:
    """Bytes in decimal units (MB is 10^6), as manifests count them and titles of findings write them."""
    return NOTHING if count is None else sizes.size(count)


def span(seconds: float | None) -> str:
    """A length of time in its two largest units."""
    if seconds is None:
        return NOTHING
    left, parts = round(seconds), []
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:2]) or "0 s"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 action`, `2,000 actions`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
