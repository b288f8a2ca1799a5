"""The test cases that a detector carries: small tables written compactly, and the findings they must give.

A case leaves out what does not matter to it: every column that it does not name has the default below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from detectors import addresses, manifest_bounds, manifest_tables
from detectors.glob import is_pattern, like
from detectors.manifest_model import DIMENSIONS

Row = dict[str, Any]

_FIRST_TIME = datetime(2026, 3, 2, 10)
_ACTION: Row = {
    "is_primary": True,
    "format": "case",
    "source": "case",
    "time_kind": "start",
    "time_precision": "us",
    "category": "cloud",
    "principal": "aws:role/arn:aws:iam::111122223333:role/w1",
    "status": "success",
    "worker": "w1",
    "strength": "proven",
    "chain_id": "chain-1",
    "manifest_sha": "sha-1",
}
_OF_WORKER: Row = {"worker": "w1", "manifest_sha": "sha-1"}
_ENTRY: Row = {**_OF_WORKER, "ordinal": 0, "file": "w1.yaml", "line": 1}
_DEFAULTS: dict[str, Row] = {
    "grants": {"kind": "issue", "mechanism": "case", "strength": "proven"},
    "bindings": {"worker": "w1", "strength": "proven", "confidence": 1.0},
    "verdicts": {"tried": False, "unseen": []},
    "approval_needs": {
        "ordinal": 0,
        "kind": "api",
        "approvers": ["mail:addr/*"],
        "within_seconds": 86_400,
        "file": "w1.yaml",
        "line": 1,
        "unseen": [],
        "tried": False,
    },
    "manifest_versions": _OF_WORKER,
    "identities": {**_OF_WORKER, "shared": False},
    "scope_lines": {**_OF_WORKER, "kind": "api", "effect": "allow", "file": "w1.yaml", "line": 1},
    "limits": {**_OF_WORKER, "file": "w1.yaml", "line": 1},
    "networks": {**_OF_WORKER, "file": "w1.yaml", "line": 1},
    "secret_patterns": {**_OF_WORKER, "ordinal": 0, "file": "w1.yaml", "line": 1},
    "instantiators": _ENTRY,
    "delegators": _ENTRY,
    "may_start": _ENTRY,
    "provenance": _OF_WORKER,
    "approval_lines": {**_ENTRY, "kind": "api", "within_seconds": 86_400},
    "working_hours": {**_ENTRY, "zone": "UTC", "start_minute": 0, "end_minute": 1440},
    "zone_offsets": {},
    "chains": {"worker": "w1", "strength": "proven"},
    "horizons": {},
    "sources": {"format": "case", "category": "cloud"},
}
_PATTERNS = frozenset({"pattern", "approvers", *(name for names in DIMENSIONS.values() for name in names)})
"""Columns that a case writes as globs and tables hold as LIKE patterns."""


class Expected(BaseModel):
    """A finding that must come out: `title` and `explanation` hold texts that must stand in it, in any place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    worker: str | None
    entity: str
    severity: str
    title: tuple[str, ...] = ()
    explanation: tuple[str, ...] = ()
    evidence: tuple[str, ...] | None = None
    day: date | None = None


class Case(BaseModel):
    """One case: rows of provided tables (`actions` are those of `attributed`) and all findings that they give.

    The offsets of the time zones that `working_hours` name, and the `addresses` of the actions, are filled in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    actions: tuple[Row, ...] = ()
    grants: tuple[Row, ...] = ()
    bindings: tuple[Row, ...] = ()
    verdicts: tuple[Row, ...] = ()
    approval_needs: tuple[Row, ...] = ()
    manifest_versions: tuple[Row, ...] = ()
    identities: tuple[Row, ...] = ()
    scope_lines: tuple[Row, ...] = ()
    limits: tuple[Row, ...] = ()
    networks: tuple[Row, ...] = ()
    secret_patterns: tuple[Row, ...] = ()
    instantiators: tuple[Row, ...] = ()
    delegators: tuple[Row, ...] = ()
    may_start: tuple[Row, ...] = ()
    provenance: tuple[Row, ...] = ()
    approval_lines: tuple[Row, ...] = ()
    working_hours: tuple[Row, ...] = ()
    zone_offsets: tuple[Row, ...] = ()
    chains: tuple[Row, ...] = ()
    contested: tuple[Row, ...] = ()
    horizons: tuple[Row, ...] = ()
    sources: tuple[Row, ...] = ()
    expected: tuple[Expected, ...]

    def tables(self, schemas: Mapping[str, pa.Schema]) -> dict[str, pa.Table]:
        """Every table of `schemas` with this case's rows; raises ValueError for a row that does not fit."""
        rows: dict[str, list[Row]] = {name: [] for name in schemas}
        rows["attributed"] = [_action("a", ordinal, row) for ordinal, row in enumerate(self.actions, start=1)]
        rows["contested"] = [_action("c", ordinal, row) for ordinal, row in enumerate(self.contested, start=1)]
        for name, defaults in _DEFAULTS.items():
            complete = _COMPLETED.get(name, dict)
            rows[name] = [complete({**defaults, **row}) for row in getattr(self, name)]
        zones = sorted({row["zone"] for row in rows["working_hours"]})
        texts = sorted({row["src_ip"] for row in rows["attributed"] if row.get("src_ip") is not None})
        rows["addresses"] = list(addresses.rows(texts))
        rows["zone_offsets"] += [row for zone in zones for row in manifest_bounds.offsets(zone)]
        return {name: _table(name, rows[name], schema) for name, schema in schemas.items()}


def _action(prefix: str, ordinal: int, row: Row) -> Row:
    """An action with its defaults: `a1`, `a2`, ... a minute apart; an unattributed one has no strength."""
    uid = f"{prefix}{ordinal}"
    own = {"action_uid": uid, "deed_uid": uid, "record_id": uid, "time": _FIRST_TIME + timedelta(minutes=ordinal)}
    attributed = row.get("worker", "w1") is not None
    bound: Row = {"confidence": 1.0} if attributed else {"strength": "none", "chain_id": None, "manifest_sha": None}
    filled = {**_ACTION, **own, **bound, **row}
    return {"ingested_at": filled["time"], **filled}


def _patterned(row: Row) -> Row:
    """Globs become the patterns that their table holds."""
    return {key: _likes(value) if key in _PATTERNS else value for key, value in row.items()}


def _likes(globs: Any) -> Any:
    return [like(glob) for glob in globs] if isinstance(globs, list) else like(globs)


def _network(row: Row) -> Row:
    """A network with its bounds."""
    return {**row, **manifest_tables.bounds(row["cidr"])}


def _identity(row: Row) -> Row:
    """An identity with its pattern."""
    return {**row, "uid_like": like(row["uid"]), "is_pattern": is_pattern(row["uid"])}


def _need(row: Row) -> Row:
    """What needs an approval, with the patterns of those who may give it."""
    return {**row, "approvers": _likes(row["approvers"])}


_COMPLETED: dict[str, Callable[[Row], Row]] = {
    "approval_needs": _need,
    "networks": _network,
    "identities": _identity,
    **dict.fromkeys(("scope_lines", "secret_patterns", "instantiators", "delegators", "approval_lines"), _patterned),
}


def _table(name: str, rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    unknown = {key for row in rows for key in row} - set(schema.names)
    if unknown:
        msg = f"{name} has no column {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    try:
        return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        msg = f"a row of {name} has a value of the wrong type: {error}"
        raise ValueError(msg) from error


def differences(expected: Sequence[Expected], findings: pa.Table) -> list[str]:
    """In words: what the findings lack, what they have too much, and what is in them otherwise than expected."""
    found = {(row["worker"], row["entity"], row["severity"]): row for row in findings.to_pylist()}
    seen = Counter((row["worker"], row["entity"], row["severity"]) for row in findings.to_pylist())
    wanted = Counter((one.worker, one.entity, one.severity) for one in expected)
    said = [f"missing: {key}" for key in (wanted - seen).elements()]
    said += [f"not expected: {key} {found[key]['title']}" for key in (seen - wanted).elements()]
    for one in expected:
        candidates = [row for row in findings.to_pylist() if _key(row) == (one.worker, one.entity, one.severity)]
        wrongs = [_wrongs(one, row) for row in candidates]
        if wrongs and all(wrongs):
            said += wrongs[0]
    return said


def _key(row: Row) -> tuple[str | None, str, str]:
    return row["worker"], row["entity"], row["severity"]


def _wrongs(one: Expected, row: Row) -> list[str]:
    """How a finding of the right worker, entity and severity differs from the expected one."""
    said = [f"{part!r} is not in the title {row['title']!r}" for part in one.title if part not in row["title"]]
    said += [f"{part!r} is not in {row['explanation']}" for part in one.explanation if part not in row["explanation"]]
    if one.evidence is not None and tuple(row["evidence"]) != one.evidence:
        said.append(f"evidence is {row['evidence']}, not {list(one.evidence)}")
    if one.day is not None and row["window_end"].date() != one.day:
        said.append(f"the day is {row['window_end'].date()}, not {one.day}")
    return said
