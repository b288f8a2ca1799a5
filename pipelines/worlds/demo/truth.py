"""The truth about a world, which nothing but its tests and the measuring of results may read.

`events.parquet`: one row a written record: format, file (relative to the world), ordinal (position in
the file, from 0), native_id (CloudTrail eventID, Okta uuid, SHA-256 of a Squid line), time (UTC),
worker (null: a person or a service), delegator, run, incident. `incidents.json`: the attacks.
`lookalikes.json`: what looks like an attack and is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.worlds.demo.clock import date_of
from pipelines.worlds.demo.events import Json, Label

_COLUMNS: dict[str, pa.DataType] = {
    "format": pa.string(),
    "file": pa.string(),
    "ordinal": pa.int64(),
    "native_id": pa.string(),
    "time": pa.timestamp("us"),
    "worker": pa.string(),
    "delegator": pa.string(),
    "run": pa.string(),
    "incident": pa.string(),
}
SCHEMA = pa.schema(_COLUMNS)


@dataclass(frozen=True, slots=True)
class Written:
    """Where one event was written."""

    format: str
    file: str
    ordinal: int
    native_id: str
    at: int
    label: Label


@dataclass(frozen=True)
class Plan:
    """What an attack is meant to be, before it is known which events it left."""

    id: str
    scenario: str
    worker: str
    detector: str
    entity: str
    description: str
    workers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lookalike:
    """Something benign that a careless detector takes for an attack; times are ISO 8601, UTC."""

    id: str
    worker: str | None
    resembles: str
    started_at: str
    ended_at: str
    description: str


@dataclass(frozen=True)
class Incident:
    """One attack: `events` are the native ids of its records, `workers` all whose authority was used."""

    id: str
    scenario: str
    worker: str
    workers: tuple[str, ...]
    detector: str
    entity: str
    description: str
    started_at: str
    ended_at: str
    events: tuple[str, ...]


def _iso(at: int) -> str:
    return f"{date_of(at):%Y-%m-%dT%H:%M:%S}.{at % 1_000:03}Z"


def incidents_of(plans: Iterable[Plan], written: list[Written]) -> tuple[Incident, ...]:
    """The plans with the events that bear their id, in time order; an attack without events is an error."""
    found = []
    for plan in plans:
        rows = sorted(
            (row for row in written if row.label.incident == plan.id), key=lambda row: (row.at, row.native_id)
        )
        if not rows:
            msg = f"the attack {plan.id} left no event"
            raise ValueError(msg)
        found.append(
            Incident(
                id=plan.id,
                scenario=plan.scenario,
                worker=plan.worker,
                workers=plan.workers or (plan.worker,),
                detector=plan.detector,
                entity=plan.entity,
                description=plan.description,
                started_at=_iso(rows[0].at),
                ended_at=_iso(rows[-1].at),
                events=tuple(dict.fromkeys(row.native_id for row in rows)),
            )
        )
    return tuple(found)


def write(folder: Path, written: list[Written], incidents: Iterable[Incident], lookalikes: Iterable[Lookalike]) -> None:
    """Write the three files of truth below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = sorted(written, key=lambda row: (row.at, row.file, row.ordinal))
    columns = {
        "format": [row.format for row in rows],
        "file": [row.file for row in rows],
        "ordinal": [row.ordinal for row in rows],
        "native_id": [row.native_id for row in rows],
        "time": [row.at * 1_000 for row in rows],
        "worker": [row.label.worker for row in rows],
        "delegator": [row.label.delegator for row in rows],
        "run": [row.label.run for row in rows],
        "incident": [row.label.incident for row in rows],
    }
    pq.write_table(pa.table(columns, schema=SCHEMA), folder / "events.parquet", compression="zstd")
    _write_json(folder / "incidents.json", [asdict(incident) for incident in incidents])
    _write_json(folder / "lookalikes.json", [asdict(lookalike) for lookalike in lookalikes])


def _write_json(path: Path, rows: list[Json]) -> None:
    path.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
