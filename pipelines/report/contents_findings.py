"""The findings as an analyst reads them: the answers in the order of the questions."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from detectors.tags import fault, label
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.report import queries_findings as queries
from pipelines.report.selection import Bounds

Row = dict[str, Any]

_ANSWERED = {
    "seen",
    "expected",
    "severity_lowered",
    "attribution",
    "confidence",
    "evidence_count",
    "features",
    "verdict",
}
"""Keys of an explanation that have a place of their own on the page."""


@dataclass(frozen=True)
class Tag:
    """A framework's tag and the name that people know it by."""

    tag: str
    name: str


@dataclass(frozen=True)
class Finding:
    """A finding with what its explanation, its first action's attribution and its evidence say."""

    row: Row
    seen: str | None
    expected: str | None
    lowered: str | None
    features: Sequence[str]
    details: Sequence[tuple[str, Any]]
    tags: Sequence[Tag]
    evidence: Sequence[Row]
    left: Sequence[Row]
    sums: Row | None

    @property
    def uid(self) -> str:
        return str(self.row["finding_uid"])

    @property
    def evidence_total(self) -> int:
        return int(self.evidence[0]["of"]) if self.evidence else 0


def findings(engine: DuckDBEngine, bounds: Bounds) -> list[Finding]:
    """The chosen findings, the worst first."""
    engine.let("frozen", queries.frozen_sql())
    evidence = by(engine.query(queries.evidence_sql(bounds)).to_pylist(), "finding_uid")
    left = by(engine.query(queries.left_sql()).to_pylist(), "finding_uid")
    sums = by(engine.query(queries.sums_sql()).to_pylist(), "finding_uid")
    rows = engine.query(queries.told_sql()).to_pylist()
    return [
        _finding(row, evidence[row["finding_uid"]], left[row["finding_uid"]], sums[row["finding_uid"]]) for row in rows
    ]


def _finding(row: Row, evidence: Sequence[Row], left: Sequence[Row], sums: Sequence[Row]) -> Finding:
    parts = json.loads(row["explanation"] or "{}")
    features = parts.get("features")
    return Finding(
        row=row,
        seen=parts.get("seen"),
        expected=parts.get("expected"),
        lowered=parts.get("severity_lowered"),
        features=[one["text"] for one in features if isinstance(one, dict) and "text" in one]
        if isinstance(features, list)
        else [],
        details=[(key.replace("_", " "), value) for key, value in sorted(parts.items()) if _tells(key, value)],
        tags=[Tag(tag, tag if fault(tag) else label(tag)) for tag in row["tags"] or []],
        evidence=evidence,
        left=left,
        sums=sums[0] if sums else None,
    )


def _tells(key: str, value: Any) -> bool:
    return key not in _ANSWERED and value not in (None, [], {}, False, "")


def by(rows: Iterable[Row], key: str) -> dict[Any, list[Row]]:
    """Rows gathered by one column; no rows for what is not there."""
    gathered: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        gathered[row[key]].append(row)
    return gathered
