"""What a report speaks of: a stretch of event time, one worker or all, and how many of each thing at most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import duckdb

BEGINNING = datetime(1900, 1, 1)
END = datetime(2200, 1, 1)
"""Stand for no bound (DuckDB's own extremes do not fit into Python's datetime)."""

MAX_BINS = 400
"""Points on a time axis at most: more cannot be told apart on a figure some 900 pixels wide."""

STEPS_HOURS = (1, 3, 6, 12, 24)
"""Lengths of a bin that divide a day, so that a bin never crosses midnight."""

STEP_WEEK_HOURS = 168


@dataclass(frozen=True)
class Bounds:
    """How many of each thing a report shows, so that a large lake gives a file of a few MB; the rest is counted."""

    findings: int = 250
    evidence: int = 12
    """Rows of evidence a finding."""
    workers: int = 30
    chains: int = 25
    """Chains with findings that are drawn."""
    other_chains: int = 5
    """Chains without findings that are drawn, the latest."""
    points: int = 150
    """Actions drawn a chain."""
    rows: int = 15
    """Rows of the small tables: what was out of scope, undeclared, unattributed, or missing."""
    days: int = 92
    """Days of a worker's calls by hour: a quarter."""


@dataclass(frozen=True)
class Selection:
    """Event time from `since` up to but without `until`, naive UTC, null for no bound; a worker, null for all."""

    since: datetime | None = None
    until: datetime | None = None
    worker: str | None = None

    def within(self, column: str) -> str:
        """SQL: whether a column of times lies within the period."""
        return f"({column} >= {_literal(self.since or BEGINNING)} AND {column} < {_literal(self.until or END)})"

    def touches(self, start: str, end: str) -> str:
        """SQL: whether an interval, its end included, has a part in the period."""
        return f"({end} >= {_literal(self.since or BEGINNING)} AND {start} < {_literal(self.until or END)})"

    def begun(self, start: str) -> str:
        """SQL: whether something that begins at `start` does so before the period ends."""
        return f"({start} < {_literal(self.until or END)})"

    def of(self, column: str) -> str:
        """SQL: whether a column names the worker; the name itself stands in the table `asked`."""
        return "TRUE" if self.worker is None else f"({column} IN (SELECT worker FROM asked))"

    def over(self, first: datetime | None, last: datetime | None) -> Selection:
        """The same with its open ends closed by the first and last action, where there is any."""
        after = None if last is None else last + timedelta(microseconds=1)
        return replace(self, since=self.since or first, until=self.until or after)

    @property
    def step_hours(self) -> int:
        """The shortest bin that cuts the period into at most MAX_BINS."""
        if self.since is None or self.until is None:
            return STEPS_HOURS[0]
        hours = (self.until - self.since).total_seconds() / 3600
        return next((step for step in STEPS_HOURS if hours / step <= MAX_BINS), STEP_WEEK_HOURS)

    def bin(self, column: str) -> str:
        """SQL: the beginning of the bin that a time lies in (weeks begin on Mondays)."""
        if self.step_hours == STEP_WEEK_HOURS:
            return f"CAST(date_trunc('week', {column}) AS TIMESTAMP)"
        if self.step_hours == 24:
            return f"CAST(date_trunc('day', {column}) AS TIMESTAMP)"
        past = f"hour({column}) % {self.step_hours}"
        return f"(CAST(date_trunc('hour', {column}) AS TIMESTAMP) - ({past}) * INTERVAL 1 HOUR)"


def period_of(connection: duckdb.DuckDBPyConnection, selection: Selection) -> Selection:
    """The selection with its open ends closed by the lake's first and last action within it."""
    row = connection.execute(f"SELECT min(time), max(time) FROM actions WHERE {selection.within('time')}").fetchone()
    first, last = row if row else (None, None)
    return selection.over(first, last)


def _literal(time: datetime) -> str:
    return f"TIMESTAMP '{time.isoformat(sep=' ', timespec='microseconds')}'"
