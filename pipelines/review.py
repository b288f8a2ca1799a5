"""Decisions of people about findings: acknowledged, suppressed, opened again; with a reason, and an end.

A decision is a row of `reviews` and a new revision of the finding, in one transaction, so that whoever hears of
findings hears of it too. It holds until its end by the wall clock, and for every later revision of the finding
that is no more severe than what was decided on; a more severe one is open. A finding that is resolved and comes
back is as it was decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from pipelines import schema
from pipelines.detect import reviews
from pipelines.detect.revise import publish
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.store import LakeError, Writer
from pipelines.settings import Settings

Decision = Literal["acknowledged", "suppressed", "reopened"]


class NoSuchFinding(LakeError):
    """No finding, or more than one, is meant by a uid."""


@dataclass(frozen=True)
class Decided:
    """What a decision did: the finding's whole uid, its status and revision now, and the alerts that tell of it."""

    finding_uid: str
    title: str
    status: str
    revision: int
    alerts: int


def decide(
    settings: Settings, uid: str, decision: Decision, *, by: str, reason: str, until: datetime | None, now: datetime
) -> Decided:
    """Decide about the finding whose uid begins with `uid`. Times are naive UTC; `until` null is for good.

    Raises NoSuchFinding where there is none or more than one, LakeError where there is nothing to decide about it.
    """
    if not reason.strip() or not by.strip():
        raise LakeError("a decision needs a reason, and somebody who decides")
    if until is not None and until <= now:
        raise LakeError(f"a decision cannot end in the past ({until.isoformat()}Z)")
    with settings.lake.writing() as writer:
        finding = _one(writer, uid)
        if finding["status"] == "resolved":
            raise LakeError(f"finding {finding['finding_uid']} is resolved: there is nothing to decide")
        if decision == "reopened" and finding["status"] == "open":
            raise LakeError(f"finding {finding['finding_uid']} is open already")
        row = {
            "subject": finding["finding_uid"],
            "decision": decision,
            "decided_by": by,
            "decided_at": now,
            "reason": reason,
            "until": until,
        }
        writer.append(schema.REVIEWS, pa.Table.from_pylist([row], schema=schema.REVIEWS.arrow))
        status = "open" if decision == "reopened" else decision
        changed = {"finding_uid": finding["finding_uid"], "status": status, "resolution": None}
        if status != "open":
            changed["resolution"] = reason
        alerts = _write(writer, settings, [changed], now)
    return Decided(finding["finding_uid"], finding["title"], status, finding["revision"] + 1, alerts)


def reopen_passed(settings: Settings, now: datetime) -> int:
    """Open the findings whose decision has come to its end by `now` (naive UTC); how many there were."""
    if not settings.lake.exists:
        return 0
    at = f"TIMESTAMP '{now.isoformat()}'"
    with settings.lake.reading() as connection:
        if not connection.execute(f"SELECT 1 FROM ({reviews.passed_sql(at)}) LIMIT 1").fetchall():
            return 0
    with settings.lake.writing() as writer:
        passed = writer.connection.execute(reviews.passed_sql(at)).to_arrow_table().to_pylist()
        changed = [{"finding_uid": row["finding_uid"], "status": "open", "resolution": None} for row in passed]
        _write(writer, settings, changed, now)
    return len(passed)


def _one(writer: Writer, uid: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = (
        writer.connection.execute(
            "SELECT finding_uid, title, status, revision FROM lake.findings WHERE starts_with(finding_uid, ?)"
            " ORDER BY finding_uid LIMIT 2",
            [uid],
        )
        .to_arrow_table()
        .to_pylist()
    )
    if not uid or not rows:
        raise NoSuchFinding(f"no finding {uid!r}")
    if len(rows) > 1:
        raise NoSuchFinding(f"more than one finding begins with {uid!r}: write more of it")
    return rows[0]


_CHANGED = pa.schema([("finding_uid", pa.string()), ("status", pa.string()), ("resolution", pa.string())])


def _write(writer: Writer, settings: Settings, changed: list[dict[str, Any]], now: datetime) -> int:
    """Write a new revision of each finding, with its status and resolution; how many alerts tell of it."""
    if not changed:
        return 0
    engine = DuckDBEngine(writer.connection)
    engine.let("changed", pa.Table.from_pylist(changed, schema=_CHANGED))
    at = f"TIMESTAMP '{now.isoformat()}'"
    new = {"status": "c.status", "resolution": "c.resolution", "revision": "f.revision + 1", "revised_at": at}
    columns = ", ".join(f"{new.get(name, f'f.{name}')} AS {name}" for name in schema.FINDINGS.columns)
    engine.let("touched", f"SELECT {columns} FROM findings AS f JOIN changed AS c ON c.finding_uid = f.finding_uid")
    return publish(writer, engine, settings, now)
