"""A tiny lake whose every action is known by name, and truths about it that a test writes by hand."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.evaluate import measures, tallies
from pipelines.evaluate import truth as truths
from pipelines.evaluate.measures import Measures
from pipelines.settings import load
from tests.end_to_end.small import ACCOUNT, Estate, event, squid_line

START = datetime(2026, 3, 2, 9)
SQUID = squid_line(600)
CHALLENGE = squid_line(700, user="-").replace("TCP_MISS/200", "TCP_DENIED/407")
"""A leg that asks for a name and has none: the lake keeps it as a record that is no action."""
READS = {"read-1": 1, "read-2": 2, "read-3": 3, "read-4": 4}
"""Second of each: calls within scope by the worker `agent`, proven."""
ATTACK = {"attack-1": 61, "attack-2": 62}
"""Calls out of scope by the same session: one finding of `out_of_scope`."""
BENIGN_ALL: dict[str, dict[str, Any]] = {name.replace("-", "_"): {"incident": None} for name in ATTACK}
"""For `changed`: the same calls as part of no incident."""
QUIET = {"quiet-1": 121}
"""A call within scope that no detector minds."""
PERSON = {"person-1": 181}
"""A call by a role that no manifest declares: nobody's."""


def logs(estate: Estate) -> None:
    """The records, each told once, and one of them once more in another object."""
    within = [event(second=second) for second in (*READS.values(), *QUIET.values())]
    beyond = [
        event(
            name, second=second, eventSource="iam.amazonaws.com", requestParameters={"userName": "x"},
            responseElements=None, readOnly=False,
        )
        for name, second in zip(("DeleteGroup", "DeleteGroupPolicy"), ATTACK.values(), strict=True)
    ]  # fmt: skip
    role = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/people", "principalId": "AROAPEOPLE"}
    identity = {
        "type": "AssumedRole",
        "principalId": "AROAPEOPLE:ann",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/people/ann",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIAPEOPLE1",
        "sessionContext": {"sessionIssuer": role, "attributes": {"creationDate": "2026-03-02T08:00:00Z"}},
    }
    estate.put("trail", [*within, *beyond, event(second=PERSON["person-1"], userIdentity=identity)])
    estate.put("second", within[:1])
    estate.put("egress", SQUID + CHALLENGE)


def native(second: int) -> str:
    return str(uuid.UUID(int=second + 1))


def row(name: str, second: int, **more: Any) -> dict[str, Any]:
    """A record of `agent` in CloudTrail, as truth has it; `more` replaces columns."""
    return {
        "format": "cloudtrail", "source": "trail", "file": "logs/trail/0001.log", "ordinal": 0,
        "native_id": native(second), "event": name, "at": START + timedelta(seconds=second), "system": "cloud",
        "worker": "agent", "delegator": None, "run": "run-1", "incident": None, "lookalike": None,
        "is_copy": False, "issued": True, **more,
    }  # fmt: skip


def perfect() -> dict[str, dict[str, Any]]:
    """What is true of the lake if all that it says is right: rows of `events` by their names."""
    rows = [
        *(row(name, second) for name, second in {**READS, **QUIET}.items()),
        *(row(name, second, incident="incident-1") for name, second in ATTACK.items()),
        row("person-1", PERSON["person-1"], worker=None, run=None),
        squid_row("web-1", 600, SQUID),
    ]
    return {one["event"]: one for one in rows}


def squid_row(name: str, second: int, line: str) -> dict[str, Any]:
    """A line of the proxy's log, as truth has it."""
    digest = hashlib.sha256(line.rstrip("\n").encode()).hexdigest()[:32]
    return row(name, second, format="squid", source="egress", native_id=f"{digest}#0", system="proxy", run="run-2")


INCIDENT: dict[str, Any] = {
    "incident": "incident-1", "scenario": "policies_deleted", "family": "scope", "worker": "agent", "intensity": 0.5,
    "started_at": START + timedelta(seconds=61), "ended_at": START + timedelta(seconds=62), "events": 2,
}  # fmt: skip
INCIDENTS = {
    "incident": pl.String, "scenario": pl.String, "family": pl.String, "worker": pl.String, "intensity": pl.Float64,
    "started_at": pl.Datetime("us"), "ended_at": pl.Datetime("us"), "events": pl.Int64,
}  # fmt: skip
LOOKALIKES = {
    "lookalike": pl.String, "name": pl.String, "resembles": pl.String, "worker": pl.String,
    "started_at": pl.Datetime("us"), "ended_at": pl.Datetime("us"), "events": pl.Int64,
}  # fmt: skip


def write(
    folder: Path,
    events: Mapping[str, Mapping[str, Any]],
    incidents: tuple[Mapping[str, Any], ...] = (INCIDENT,),
    lookalikes: tuple[Mapping[str, Any], ...] = (),
) -> Path:
    """A truth/ folder: one worker over ten days, these events, incidents and hard negatives."""
    folder.mkdir(parents=True, exist_ok=True)
    world = {"version": 1, "seed": 7, "workers": 1, "days": 10, "events": len(events), "first_day": "2026-03-01"}
    (folder / "world.json").write_text(json.dumps(world), encoding="utf-8")
    frame = pl.DataFrame(list(events.values()), infer_schema_length=None)
    texts = [name for name in ("worker", "delegator", "run", "incident", "lookalike") if name in frame.columns]
    frame.with_columns(pl.col(texts).cast(pl.String)).write_parquet(folder / "events.parquet")
    pl.DataFrame(list(incidents), schema=INCIDENTS).write_parquet(folder / "incidents.parquet")
    pl.DataFrame(list(lookalikes), schema=LOOKALIKES).write_parquet(folder / "lookalikes.parquet")
    pl.DataFrame(
        {"worker": ["agent"], "kind": ["batch"], "first_day": [0], "last_day": [9], "days": [10]}
    ).write_parquet(folder / "workers.parquet")
    return folder


def changed(**events: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The perfect truth with other columns in the events named (`-` in a name is written `_`)."""
    told = perfect()
    for name, columns in events.items():
        told[name.replace("_", "-")] |= columns
    return told


def measured(estate: Estate, folder: Path) -> Measures:
    """The lake held against the truth in a folder."""
    return measures.measure(tallies.tally(load(estate.config), truths.read(folder)))
