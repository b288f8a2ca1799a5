"""From a detector's rows of evidence to findings: one for each worker, entity and UTC day, worst row first.

The severity of every row is lowered before rows are compared: one step where the confidence of the
attribution is under SURE, two where it is under DOUBTFUL, never below `info`; a row without a worker
keeps its own. So a doubtful row never outshines or hides a proven one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, get_args

import pyarrow as pa

from detectors.uuid5 import FINDINGS, uuid5_sql

Severity = Literal["info", "low", "medium", "high", "critical"]
SEVERITIES: tuple[str, ...] = get_args(Severity)
"""In rising order."""

MAX_EVIDENCE = 1_000
MAX_TITLE = 300
SURE = 0.9
DOUBTFUL = 0.6

_TEXT: pa.DataType = pa.string()
_TEXTS: pa.DataType = pa.list_(pa.string())
_TIME: pa.DataType = pa.timestamp("us")
_REAL: pa.DataType = pa.float64()

FOUND = pa.schema(
    [
        ("finding_uid", _TEXT),
        ("detector", _TEXT),
        ("detector_version", _TEXT),
        ("worker", _TEXT),
        ("principal", _TEXT),
        ("entity", _TEXT),
        ("chain_id", _TEXT),
        ("window_start", _TIME),
        ("window_end", _TIME),
        ("severity", _TEXT),
        ("score", _REAL),
        ("p_value", _REAL),
        ("title", _TEXT),
        ("explanation", _TEXT),
        ("tags", _TEXTS),
        ("evidence", _TEXTS),
        ("manifest_sha", _TEXT),
        ("model_id", _TEXT),
    ]
)
"""The columns of `findings` that a detector decides."""

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\uf8ff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f\U000f0000-\U0010ffff]"
)
"""Characters that are obeyed and not seen: Unicode's categories Cc, Cf, Cs, Co, Zl and Zp, and tags as a block."""


def unfit_sql(evidence: str) -> str:
    """SQL: how many rows of a table of evidence cannot become a finding."""
    known = ", ".join(f"'{severity}'" for severity in SEVERITIES)
    return f"""
        SELECT count(*) AS unfit FROM "{evidence}"
        WHERE severity IS NULL OR severity NOT IN ({known}) OR time IS NULL OR action_uid IS NULL
    """


def findings_sql(evidence: str, detector: str, columns: Collection[str]) -> str:
    """SQL: the findings in a table of evidence that has the optional `columns`; `explanation` is still the worst row's.

    `evidence` holds the action_uids behind four digits that keep them in order of time.
    """

    def optional(name: str, otherwise: str) -> str:
        return f"coalesce({name}, {otherwise})" if name in columns else otherwise

    ranks = " ".join(f"WHEN '{severity}' THEN {rank}" for rank, severity in enumerate(SEVERITIES))
    names = " ".join(f"WHEN {rank} THEN '{severity}'" for rank, severity in enumerate(SEVERITIES))
    uid = uuid5_sql(FINDINGS, f"('{detector}|' || of_worker || '|' || entity || '|' || CAST(day AS VARCHAR))")
    return f"""
WITH rows_of_evidence AS (  -- the detector's rows with the key of their finding
    SELECT
        coalesce(worker, '') AS of_worker, coalesce(entity, principal, '') AS entity,
        CAST({optional("day", "time")} AS DATE) AS day,
        worker, principal, action_uid, time, chain_id, confidence, title, explanation, manifest_sha, severity AS stated,
        {optional("window_start", "time")} AS window_start, {optional("window_end", "time")} AS window_end,
        {optional("score", "CAST(NULL AS DOUBLE)")} AS score, {optional("p_value", "CAST(NULL AS DOUBLE)")} AS p_value,
        CASE severity {ranks} END AS stated_rank,
        CASE WHEN worker IS NULL OR confidence IS NULL OR confidence >= {SURE} THEN 0
             WHEN confidence >= {DOUBTFUL} THEN 1 ELSE 2 END AS steps
    FROM "{evidence}"
),
ranked AS (  -- the same, the worst row of each finding in place 1
    SELECT *, row_number() OVER (
        PARTITION BY of_worker, entity, day
        ORDER BY greatest(stated_rank - steps, 0) DESC, time, action_uid, stated_rank DESC, title
    ) AS place
    FROM rows_of_evidence
),
spans AS (  -- each finding's stretch of time and number of actions
    SELECT of_worker, entity, day, min(window_start) AS window_start, max(window_end) AS window_end,
        count(DISTINCT action_uid) AS evidence_count
    FROM ranked GROUP BY of_worker, entity, day
),
actions AS (  -- each finding's actions, every one once
    SELECT of_worker, entity, day, action_uid, min(time) AS time, min(place) AS place
    FROM ranked GROUP BY of_worker, entity, day, action_uid
),
worst AS (  -- the worst of them, as many as a finding keeps
    SELECT * FROM (
        SELECT *, row_number() OVER (PARTITION BY of_worker, entity, day ORDER BY place) AS nth FROM actions
    ) AS counted WHERE nth <= {MAX_EVIDENCE}
),
in_order AS (  -- those in order of time
    SELECT of_worker, entity, day, action_uid,
        row_number() OVER (PARTITION BY of_worker, entity, day ORDER BY time, action_uid) AS nth
    FROM worst
),
lists AS (  -- one sorted list a finding
    SELECT of_worker, entity, day,
        array_sort(list(lpad(CAST(nth AS VARCHAR), 4, '0') || action_uid)) AS evidence
    FROM in_order GROUP BY of_worker, entity, day
)
SELECT
    {uid} AS finding_uid, r.worker, r.principal, entity, r.chain_id, s.window_start, s.window_end,
    CASE greatest(r.stated_rank - r.steps, 0) {names} END AS severity, r.score, r.p_value, r.title, r.explanation,
    r.stated, r.steps, r.confidence, s.evidence_count, l.evidence, r.manifest_sha
FROM ranked AS r
JOIN spans AS s USING (of_worker, entity, day)
JOIN lists AS l USING (of_worker, entity, day)
WHERE r.place = 1
"""


@dataclass(frozen=True)
class Stamp:
    """What all findings of a detector have in common; `title` stands in where a row has none, a part being null."""

    detector: str
    version: str
    title: str
    tags: tuple[str, ...]


def shaped(rows: pa.Table, stamp: Stamp) -> pa.Table:
    """The rows of `findings_sql` as FOUND, explanations as JSON text, titles free of control characters."""
    found = [_finding(row, stamp) for row in rows.to_pylist()]
    found.sort(key=lambda row: (row["window_start"], row["finding_uid"]))
    return pa.Table.from_pylist(found, schema=FOUND)


def _finding(row: dict[str, Any], stamp: Stamp) -> dict[str, Any]:
    return {
        **{name: _plain(row.get(name)) if name in {"score", "p_value"} else row.get(name) for name in FOUND.names},
        "detector": stamp.detector,
        "detector_version": stamp.version,
        "title": printable(row["title"] or stamp.title)[:MAX_TITLE],
        "explanation": _explanation(row),
        "tags": list(stamp.tags),
        "evidence": [uid[4:] for uid in row["evidence"]],
    }


def _explanation(row: dict[str, Any]) -> str:
    """The worst row's explanation, with how much evidence there is and what lowered the severity."""
    given = row["explanation"]
    parts: dict[str, Any] = json.loads(given) if isinstance(given, str) else dict(given or {})
    parts["evidence_count"] = row["evidence_count"]
    parts["confidence"] = row["confidence"]
    if row["steps"]:
        under = SURE if row["steps"] == 1 else DOUBTFUL
        step = "one step" if row["steps"] == 1 else "two steps"
        parts["severity_lowered"] = (
            f"from {row['stated']} by {step} (never below info): the confidence of the attribution,"
            f" {row['confidence']:.2f}, is under {under}"
        )
    return json.dumps(_plain(parts), ensure_ascii=False, sort_keys=True)


def _plain(value: Any) -> Any:
    """JSON's own types: times as RFC 3339 in UTC, no NaN, no nulls in objects."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def printable(text: str) -> str:
    """Log text without what a terminal or a reader's eye would obey: characters that are obeyed and not seen."""
    return _UNPRINTABLE.sub("\ufffd", text)
