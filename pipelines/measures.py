"""What the lake holds, counted: the figures that a run shows beside each table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipelines.lake.store import Lake, current_snapshot
from pipelines.settings import Source

FRESH_WITHIN = timedelta(hours=25)
"""A source is fresh while its newest event is younger: the slowest sources write once a day, an hour is for the way."""

RECORD_OUTCOMES = ("records", "actions", "errors", "duplicates", "skipped")


@dataclass(frozen=True)
class SourceState:
    """One source as the lake has it. Times are naive UTC; `horizon` is the event time that it has come to.

    A record that claims a time after it was pulled moves the horizon to when it was pulled: a log from the
    future must not make a silent source look alive.
    """

    objects: int = 0
    records: int = 0
    actions: int = 0
    errors: int = 0
    duplicates: int = 0
    skipped: int = 0
    horizon: datetime | None = None
    pulled_at: datetime | None = None
    snapshot: int | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Whether the newest event is younger than FRESH_WITHIN; a source that has brought nothing is not."""
        return self.horizon is not None and now - self.horizon < FRESH_WITHIN


def of_source(lake: Lake, source: Source) -> SourceState:
    """The totals of a source's objects, its horizon, and when its last object was pulled."""
    if not lake.exists:
        return SourceState()
    with lake.reading() as connection:
        sums = ", ".join(f"CAST(coalesce(sum({name}), 0) AS BIGINT) AS {name}" for name in RECORD_OUTCOMES)
        row = connection.execute(
            f"""
            SELECT count(*) AS objects, {sums}, max(pulled_at) AS pulled_at,
                   (SELECT max(least(time, ingested_at)) FROM actions WHERE source = $source) AS horizon
            FROM objects WHERE source = $source
            """,
            {"source": source.name},
        ).to_arrow_table()
        return SourceState(**row.to_pylist()[0], snapshot=current_snapshot(connection))


@dataclass(frozen=True)
class Rows:
    """How many rows a table has, and how many of each kind (of a column that is named where it is asked for)."""

    total: int = 0
    by: Mapping[str, int] = field(default_factory=dict)
    snapshot: int | None = None


def rows(lake: Lake, table: str, by: str, where: str = "true") -> Rows:
    """The rows of a table or view, counted by a column. The names are the code's own, never a log's."""
    if not lake.exists:
        return Rows()
    with lake.reading() as connection:
        counted = connection.execute(
            f'SELECT coalesce("{by}", \'none\'), count(*) FROM "{table}" WHERE {where} GROUP BY ALL ORDER BY ALL'
        ).fetchall()
        return Rows(sum(count for _, count in counted), dict(counted), current_snapshot(connection))
