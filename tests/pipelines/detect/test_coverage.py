"""Coverage by hour: what was seen, and what came after its source had told of later things."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from detectors import provided
from detectors.cases import Case
from pipelines import schema
from pipelines.detect import coverage
from pipelines.lake.dialect import spark
from pipelines.lake.duckdb_engine import DuckDBEngine

SCHEMAS = provided.schemas(schema.arrow_schemas())
NOON = datetime(2026, 3, 2, 12)


def action(happened: datetime, ingested: datetime, source: str = "trail", **more: Any) -> dict[str, Any]:
    return {"time": happened, "ingested_at": ingested, "source": source, **more}


def late(*actions: dict[str, Any], heard: list[str] | None = None) -> list[tuple[str, datetime, int, int]]:
    """Source, hour, seen and late of each row, by source and hour."""
    engine = DuckDBEngine(duckdb.connect(), (heard if heard is not None else []).append)
    for name, table in Case(name="coverage", actions=actions, expected=()).tables(SCHEMAS).items():
        engine.let(name, table)
    engine.let("current_manifests", pa.table({"manifest_sha": pa.array([], pa.string())}))
    found = coverage.rows(engine).to_pylist()
    return sorted((row["source"], row["hour"], row["seen"], row["late"]) for row in found if row["hour"])


def days(count: int) -> timedelta:
    return timedelta(days=count)


def test_a_backfill_that_comes_in_order_is_not_late() -> None:
    old = NOON - days(90)
    assert late(
        action(old, NOON),
        action(old + days(40), NOON),  # of the same batch: nothing was told before it
        action(old + days(41), NOON + days(1)),
    ) == [("trail", old, 1, 0), ("trail", old + days(40), 1, 0), ("trail", old + days(41), 1, 0)]


def test_what_comes_more_than_a_day_behind_what_was_told_is_late() -> None:
    assert late(
        action(NOON, NOON),
        action(NOON - timedelta(hours=24), NOON + timedelta(hours=1)),
        action(NOON - timedelta(hours=25), NOON + timedelta(hours=1)),
        action(NOON - timedelta(hours=25), NOON + timedelta(hours=1), source="proxy"),
        action(NOON - timedelta(hours=25), NOON + timedelta(hours=1), worker=None),
    ) == [
        ("proxy", NOON - timedelta(hours=25), 1, 0),
        ("trail", NOON - timedelta(hours=25), 1, 1),
        ("trail", NOON - timedelta(hours=24), 1, 0),
        ("trail", NOON, 1, 0),
    ]


def test_others_actions_tell_too_and_a_time_to_come_tells_no_more_than_now() -> None:
    assert late(
        action(datetime(2099, 1, 1), NOON, worker=None),
        action(NOON - timedelta(hours=2), NOON + timedelta(hours=1)),
        action(NOON - days(2), NOON + timedelta(hours=2)),
    ) == [("trail", NOON - days(2), 1, 1), ("trail", NOON - timedelta(hours=2), 1, 0)]


def test_its_statements_run_on_spark_too() -> None:
    heard: list[str] = []
    late(action(NOON, NOON), heard=heard)
    assert any("told_before" in sql for sql in heard)
    for sql in heard:
        spark(sql)
