"""Which incidents of a world were caught: findings held against the truth. Only the demo's summary reads this."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

SEVERITIES = ("info", "low", "medium", "high", "critical")


@dataclass(frozen=True)
class Outcome:
    """One incident and what became of it: caught where a finding above `info` rests on one of its events."""

    id: str
    scenario: str
    worker: str
    description: str
    expected: str
    caught: bool
    detectors: tuple[str, ...]
    severity: str | None
    titles: tuple[str, ...]
    finding_uids: tuple[str, ...]


@dataclass(frozen=True)
class Score:
    """All incidents, and the findings that rest on no event of any."""

    outcomes: tuple[Outcome, ...]
    false: tuple[str, ...]


def score(truth: Path, findings: pa.Table) -> Score:
    """Hold open findings (schema.FINDINGS) against `truth/incidents.json`."""
    incidents = json.loads((truth / "incidents.json").read_text(encoding="utf-8"))
    rows = [(row, {native_id(uid) for uid in row["evidence"]}) for row in findings.to_pylist()]
    outcomes, explained = [], set()
    for incident in incidents:
        events = {event[:32] if len(event) == 64 else event for event in incident["events"]}
        hits = [row for row, evidence in rows if evidence & events]
        explained |= {row["finding_uid"] for row in hits}
        telling = [row for row in hits if row["severity"] != "info"]
        telling.sort(key=lambda row: (-SEVERITIES.index(row["severity"]), row["window_start"], row["finding_uid"]))
        outcomes.append(
            Outcome(
                id=incident["id"],
                scenario=incident["scenario"],
                worker=incident["worker"],
                description=incident["description"],
                expected=incident["detector"],
                caught=any(row["detector"] == incident["detector"] for row in telling),
                detectors=tuple(dict.fromkeys(row["detector"] for row in telling)),
                severity=telling[0]["severity"] if telling else None,
                titles=tuple(row["title"] for row in telling),
                finding_uids=tuple(row["finding_uid"] for row in telling),
            )
        )
    false = tuple(row["title"] for row, _ in rows if row["finding_uid"] not in explained)
    return Score(tuple(outcomes), false)


def native_id(action_uid: str) -> str:
    """The source's own id in an action uid; of a line without one, the first 32 digits of its SHA-256."""
    plain = action_uid.rsplit("~", 1)[0]
    return plain.rsplit(":", 1)[1].split("#", 1)[0]
