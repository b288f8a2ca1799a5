"""Measures as people read them, wherever they are printed: a share beside its counts, `-` where there is none."""

from __future__ import annotations

from pipelines.evaluate.share import Share
from pipelines.report.text import span

NONE = "-"


def share(value: Share | None) -> str:
    """`95.0 % (38 of 40; 83.5 to 98.6)`: the interval is Wilson's, of 95 %."""
    if value is None or value.share is None or value.interval is None:
        return NONE
    low, high = value.interval
    return f"{percent(value.share)} % ({value.count:,} of {value.of:,}; {percent(low)} to {percent(high)})"


def percent(part: float) -> str:
    """A hundredfold with one decimal; near 100 with as many as tell it from 100, cut and never rounded up to it."""
    if not 0.9995 <= part < 1:
        return f"{100 * part:.1f}"
    return f"{int(part * 1_000_000) / 10_000:.4f}".rstrip("0")


def rate(value: float | None) -> str:
    """A rate with one decimal."""
    return NONE if value is None else f"{value:,.1f}"


def number(value: float | None) -> str:
    """A number between 0 and 1 with three decimals."""
    return NONE if value is None else f"{value:.3f}"


def seconds(value: float | None) -> str:
    """A length of time."""
    return NONE if value is None else span(value)


def mean(value: float | None) -> str:
    """A mean or median of counts."""
    return NONE if value is None else f"{value:.1f}"
