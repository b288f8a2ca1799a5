"""A source that says nothing for half a day: what happened then was never logged, and is not delivered later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import polars as pl

from pipelines.worlds.draws import draws
from pipelines.worlds.hard.rates import SILENT_HOURS
from pipelines.worlds.size import Size

_FIRST_SHARE = 0.35
"""The first share of the world's days in which no source falls silent, so that it is missed when it does."""


@dataclass(frozen=True)
class Silence:
    """A format whose logs miss what happened from `since` up to `until` (UTC)."""

    format: str
    since: datetime
    until: datetime


def silence(size: Size, formats: Sequence[str]) -> Silence:
    """The silence of the world of `size`, of one of `formats`."""
    stream = draws(size.seed, "hard", "silence")
    day = int(stream.integers(int(size.days * _FIRST_SHARE), size.days - 1))
    since = datetime.combine(size.first_day + timedelta(days=day, minutes=0), time()) + timedelta(
        minutes=int(stream.integers(0, 12 * 60))
    )
    return Silence(formats[int(stream.integers(len(formats)))], since, since + timedelta(hours=SILENT_HOURS))


def is_silenced(silent: Silence, log_format: str) -> pl.Expr:
    """Whether a row with `logged_at` of a format is lost."""
    if log_format != silent.format:
        return pl.lit(False)
    return (pl.col("logged_at") >= silent.since) & (pl.col("logged_at") < silent.until)
