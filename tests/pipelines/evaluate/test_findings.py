"""What a finding rests on, on tables written by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipelines import schema
from pipelines.evaluate import findings
from pipelines.evaluate import truth as truths
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.settings import load
from tests.end_to_end.small import Estate
from tests.pipelines.evaluate.worlds import INCIDENT, START, perfect, write

HOUR = timedelta(hours=1)


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with duckdb.connect() as connection:
        yield DuckDBEngine(connection)


def finding(uid: str, **more: Any) -> dict[str, Any]:
    """An open finding of an hour on `agent`; `more` replaces columns."""
    return {
        "finding_uid": uid, "detector": "d", "worker": "agent", "entity": "e", "severity": "high", "status": "open",
        "window_start": START, "window_end": START + HOUR, "evidence": [], "explanation": '{"confidence": 0.9}', **more,
    }  # fmt: skip


def judged(engine: DuckDBEngine, folder: Path, estate: Estate, rows: list[dict[str, Any]]) -> dict[str, str]:
    """The kind of each finding, the actions' uids being the events' names."""
    write(folder, perfect())
    world = json.loads((folder / "world.json").read_text())
    world["silent"] = {"format": "okta", "since": f"{START.isoformat()}Z", "until": f"{(START + HOUR).isoformat()}Z"}
    (folder / "world.json").write_text(json.dumps(world), encoding="utf-8")
    columns = ("event", "worker", "incident", "lookalike", "at")
    events = [{name: one[name] for name in columns} | {"action_uid": one["event"]} for one in perfect().values()]
    events += [{**events[0], "event": "tidied-1", "action_uid": "tidied-1", "lookalike": "benign-1"}]
    texts = [(name, pa.string()) for name in ("event", "worker", "incident", "lookalike", "action_uid")]
    met = pa.Table.from_pylist(events, schema=pa.schema([*texts, ("at", pa.timestamp("us"))]))
    for name in ("met", "true_events"):
        engine.let(name, met)
    engine.let("findings", pa.Table.from_pylist(rows, schema=schema.FINDINGS.arrow))
    findings.judge(engine, truths.read(folder), load(estate.config).sources)
    return {row["finding_uid"]: row["kind"] for row in engine.query("SELECT * FROM kinds").to_pylist()}


def test_kinds(engine: DuckDBEngine, tmp_path: Path, estate: Estate) -> None:
    rows = [
        finding("right", evidence=["read-1", "attack-1"]),
        finding("another worker", evidence=["attack-1"], worker="other"),
        finding("nobody", evidence=["attack-1"], worker=None),
        finding("hard negative", evidence=["tidied-1", "read-1"]),
        finding("nothing", evidence=["read-1"]),
        finding("unknown evidence", evidence=["no such action"]),
        finding("resolved", evidence=["attack-1"], status="resolved"),
    ]
    assert judged(engine, tmp_path, estate, rows) == {
        "right": "right",
        "another worker": "astray",
        "nobody": "astray",
        "hard negative": "lookalike",
        "nothing": "false",
        "unknown evidence": "false",
    }


def test_a_source_that_was_truly_silent(engine: DuckDBEngine, tmp_path: Path, estate: Estate) -> None:
    later = {"window_start": START + 2 * HOUR, "window_end": START + 3 * HOUR}
    rows = [
        finding("silent", worker=None, entity="okta", evidence=["read-1"]),
        finding("later", worker=None, entity="okta", **later),
        finding("another source", worker=None, entity="trail"),
        finding("of a worker", entity="okta"),
    ]
    assert judged(engine, tmp_path, estate, rows) == {
        "silent": "outage",
        "later": "false",
        "another source": "false",
        "of a worker": "false",
    }


def test_a_window_that_outlasts_its_evidence_is_raised_at_its_end(
    engine: DuckDBEngine, tmp_path: Path, estate: Estate
) -> None:
    rows = [
        finding("window", evidence=["attack-1", "attack-2"]),
        finding("act", evidence=["read-1", "attack-2"], window_end=START + timedelta(seconds=62)),
    ]
    judged(engine, tmp_path, estate, rows)
    engine.let("actions", 'SELECT action_uid, "at" AS time FROM met')
    told = {row["finding_uid"]: row for row in findings.hits(engine).to_dicts()}
    assert {uid: row["incident"] for uid, row in told.items()} == dict.fromkeys(("window", "act"), INCIDENT["incident"])
    assert told["window"]["raised_at"] == START + HOUR
    assert told["act"]["raised_at"] == datetime(2026, 3, 2, 9, 1, 2)
