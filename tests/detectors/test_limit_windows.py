"""Detectors that count within windows, hold local hours or look for silences, against the plain definition of each."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from detectors import provided, rules
from detectors.cases import Case
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine

CATALOGUE = Path(__file__).resolve().parents[2] / "detectors/catalogue"
SCHEMAS = provided.schemas(schema.arrow_schemas())
DETECTORS = {
    name: rules.read(CATALOGUE / f"{name}.sql") for name in ("call_limits", "denied_burst", "outside_schedule")
}
BEGIN = datetime(2026, 3, 2, 22)
Row = dict[str, Any]


def _findings(detector: str, **tables: Any) -> list[Row]:
    engine = DuckDBEngine(duckdb.connect())
    for name, table in Case(name="random", expected=(), **tables).tables(SCHEMAS).items():
        engine.let(name, table)
    found: list[Row] = rules.findings_of(engine, DETECTORS[detector]).to_pylist()
    return found


def _counted(measure: str, window: list[Row]) -> int:
    """How much of a measure the actions of a window hold."""
    if measure == "destinations":
        return len({row["dst_host"] for row in window})
    return sum((row["tokens_in"] or 0) + (row["tokens_out"] or 0) for row in window)


@pytest.mark.parametrize("measure", ["destinations", "tokens"])
@pytest.mark.parametrize("seed", range(12))
def test_call_limits_is_every_window_over_the_limit(seed: int, measure: str) -> None:
    draw = random.Random(seed)
    rows = [
        {
            "action_uid": f"u{n:02}",
            "time": BEGIN + timedelta(minutes=10 * draw.randrange(0, 30)),
            "category": "proxy",
            "dst_host": draw.choice(["a", "b", "c", "d", "e", "f"]) + ".example",
            "tokens_in": draw.choice([None, 0, 1]),
            "tokens_out": draw.choice([None, 1, 2]),
        }
        for n in range(40)
    ]
    at_most, per = draw.choice([2, 3, 4]), timedelta(minutes=30)
    shown = [row for row in rows if measure == "destinations" or row["tokens_in"] or row["tokens_out"]]
    expected: dict[date, set[str]] = defaultdict(set)
    worst: dict[date, int] = defaultdict(int)
    for row in shown:
        window = [one for one in shown if row["time"] - per < one["time"] <= row["time"]]
        held = _counted(measure, window)
        if held > at_most:
            expected[row["time"].date()] |= {one["action_uid"] for one in window}
            worst[row["time"].date()] = max(worst[row["time"].date()], held)
    limit = {"measure": measure, "at_most": at_most, "per_seconds": 1800}
    found = _findings("call_limits", actions=rows, limits=[limit])
    assert {frozenset(row["evidence"]) for row in found} == {frozenset(uids) for uids in expected.values()}
    said = sorted(int(row["title"].split(" in 30 min")[0].rsplit(" ", 2)[1]) for row in found)
    assert said == sorted(worst.values())


@pytest.mark.parametrize("seed", range(12))
def test_denied_burst_is_three_times_the_worst_hour_of_earlier_days(seed: int) -> None:
    draw = random.Random(seed)
    rows = [
        {
            "action_uid": f"u{n:03}",
            "time": datetime(2026, 3, 1 + day) + timedelta(minutes=draw.randrange(0, spread)),
            "status": "denied",
            "api_service": "s",
            "api_operation": draw.choice("abcdef"),
        }
        for day, (calls, spread) in enumerate(
            [(draw.choice([0, 2, 5]), 600), (30, draw.choice([60, 200, 1440])), (40, 300)]
        )
        for n in range(100 * day, 100 * day + calls)
    ]

    def hour_of(row: Row) -> list[Row]:
        return [one for one in rows if row["time"] - timedelta(hours=1) < one["time"] <= row["time"]]

    expected = set()
    for day in {row["time"].date() for row in rows}:
        before = max((len(hour_of(row)) for row in rows if row["time"].date() < day), default=0)
        bursts = [hour_of(row) for row in rows if row["time"].date() == day]
        over = [hour for hour in bursts if len(hour) >= 10 and len(hour) > 3 * before]
        expected |= {frozenset(one["action_uid"] for hour in over for one in hour)} if over else set()
    assert {frozenset(row["evidence"]) for row in _findings("denied_burst", actions=rows)} == expected


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
def test_outside_schedule_is_what_the_zone_says_around_changes_of_clocks(zone: str) -> None:
    draw = random.Random(zone)
    changes = [
        datetime(2026, 3, 8),
        datetime(2026, 3, 29),
        datetime(2026, 4, 5),
        datetime(2026, 10, 4),
        datetime(2026, 10, 25),
    ]
    moments = [draw.choice(changes) + timedelta(seconds=draw.randrange(-90_000, 170_000)) for _ in range(400)]
    hours = [
        {"zone": zone, "day": 6, "start_minute": 90, "end_minute": 165},
        {"zone": zone, "day": 0, "start_minute": 0, "end_minute": 60},
    ]
    actions = [{"action_uid": f"u{n:03}", "time": moment} for n, moment in enumerate(moments)]

    def inside(moment: datetime) -> bool:
        local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
        minute = local.hour * 60 + local.minute
        return any(local.weekday() == one["day"] and one["start_minute"] <= minute < one["end_minute"] for one in hours)

    found = _findings("outside_schedule", actions=actions, working_hours=hours)
    expected = {action["action_uid"] for action in actions if not inside(action["time"])}
    assert {uid for row in found for uid in row["evidence"]} == expected
    assert 0 < len(expected) < len(actions)
