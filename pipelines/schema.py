"""The tables of the lake: names, columns, types and how each is stored.

Every table that the product reads or writes is declared here and nowhere else. Times are UTC
(`TIMESTAMP`, microseconds, no zone attached). Types are DuckDB's; `Table.arrow` gives the same
columns as an Arrow schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

VERSION = 3

TEXT = "VARCHAR"
TEXTS = "VARCHAR[]"
TIME = "TIMESTAMP"
COUNT = "BIGINT"
REAL = "DOUBLE"
FLAG = "BOOLEAN"

HOPS = 'STRUCT("from" VARCHAR, "to" VARCHAR, mechanism VARCHAR, evidence VARCHAR, strength VARCHAR)[]'
CANDIDATES = "STRUCT(worker VARCHAR, probability DOUBLE)[]"

_ARROW: dict[str, pa.DataType] = {
    TEXT: pa.string(),
    TEXTS: pa.list_(pa.string()),
    TIME: pa.timestamp("us"),
    COUNT: pa.int64(),
    REAL: pa.float64(),
    FLAG: pa.bool_(),
    HOPS: pa.list_(pa.struct([(name, pa.string()) for name in ("from", "to", "mechanism", "evidence", "strength")])),
    CANDIDATES: pa.list_(pa.struct([("worker", pa.string()), ("probability", pa.float64())])),
}


@dataclass(frozen=True)
class Table:
    """One table: its columns in order, and the time column whose UTC day partitions it."""

    name: str
    columns: dict[str, str]
    by_day_of: str | None = None
    provenance: frozenset[str] = field(default_factory=frozenset)
    """Columns that say where a row came from; truth 1 (order does not matter) does not speak of them."""

    @cached_property
    def arrow(self) -> pa.Schema:
        return pa.schema([(name, _ARROW[kind]) for name, kind in self.columns.items()])

    @property
    def content(self) -> tuple[str, ...]:
        return tuple(name for name in self.columns if name not in self.provenance)


OBJECTS = Table(
    "objects",
    {
        "ledger_seq": COUNT,
        "object_uid": TEXT,
        "object_sha256": TEXT,
        "source": TEXT,
        "object_uri": TEXT,
        "generation": TEXT,
        "byte_start": COUNT,
        "byte_end": COUNT,
        "bytes": COUNT,
        "pulled_at": TIME,
        "records": COUNT,
        "actions": COUNT,
        "errors": COUNT,
        "duplicates": COUNT,
        "skipped": COUNT,
        "prior_sha256": TEXT,
        "verified": FLAG,
    },
)
"""One row a file or byte range that was pulled; of a copy, whose records are kept elsewhere, `object_uid` is null."""

RECORDS = Table(
    "records",
    {
        "record_id": TEXT,
        "source": TEXT,
        "format": TEXT,
        "object_uid": TEXT,
        "object_sha256": TEXT,
        "byte_start": COUNT,
        "ordinal": COUNT,
        "content_sha256": TEXT,
        "ingested_at": TIME,
        "raw": TEXT,
        "outcome": TEXT,
        "reason": TEXT,
    },
)

ACTIONS = Table(
    "actions",
    {
        "action_uid": TEXT,
        "event_uid": TEXT,
        "deed_uid": TEXT,
        "is_primary": FLAG,
        "record_id": TEXT,
        "source": TEXT,
        "format": TEXT,
        "time": TIME,
        "time_kind": TEXT,
        "time_precision": TEXT,
        "ingested_at": TIME,
        "category": TEXT,
        "class_uid": COUNT,
        "activity": TEXT,
        "api_service": TEXT,
        "api_operation": TEXT,
        "principal": TEXT,
        "principal_type": TEXT,
        "credential_uid": TEXT,
        "credential_type": TEXT,
        "session_uid": TEXT,
        "identity_strength": TEXT,
        "session_name": TEXT,
        "delegator": TEXT,
        "delegator_strength": TEXT,
        "obtains": TEXT,
        "src_ip": TEXT,
        "src_port": COUNT,
        "user_agent": TEXT,
        "http_method": TEXT,
        "dst_host": TEXT,
        "dst_port": COUNT,
        "dst_ip": TEXT,
        "url_path": TEXT,
        "status": TEXT,
        "status_code": TEXT,
        "error": TEXT,
        "duration_ms": COUNT,
        "bytes_out": COUNT,
        "bytes_in": COUNT,
        "resource_type": TEXT,
        "resource_uid": TEXT,
        "resources": TEXTS,
        "account": TEXT,
        "region": TEXT,
        "request_uid": TEXT,
        "trace_uid": TEXT,
        "twin_uid": TEXT,
        "twin_rank": COUNT,
        "model": TEXT,
        "tool": TEXT,
        "tokens_in": COUNT,
        "tokens_out": COUNT,
        "supervised": TEXT,
        "request_cut": FLAG,
        "content_sha256": TEXT,
        "flag": TEXT,
    },
    by_day_of="time",
    provenance=frozenset({"record_id", "source", "ingested_at", "content_sha256"}),
)

GRANTS = Table(
    "grants",
    {
        "grant_uid": TEXT,
        "action_uid": TEXT,
        "kind": TEXT,
        "mechanism": TEXT,
        "parent_uid": TEXT,
        "child_uid": TEXT,
        "principal": TEXT,
        "delegator": TEXT,
        "delegator_strength": TEXT,
        "issued_at": TIME,
        "expires_at": TIME,
        "strength": TEXT,
    },
)

ACTS_AS = Table(
    "acts_as",
    {
        "credential_uid": TEXT,
        "session_uid": TEXT,
        "principal": TEXT,
        "strength": TEXT,
        "session_name": TEXT,
        "evidence": TEXT,
        "first_seen": TIME,
    },
)
"""What single records assert about themselves: this credential, in this session, acts as that principal."""

ALIASES = Table(
    "aliases",
    {"a": TEXT, "b": TEXT, "valid_from": TIME, "valid_to": TIME, "strength": TEXT, "evidence": TEXT},
)

BINDINGS = Table(
    "bindings",
    {
        "uid": TEXT,
        "valid_from": TIME,
        "valid_to": TIME,
        "worker": TEXT,
        "via_workers": TEXTS,
        "strength": TEXT,
        "confidence": REAL,
        "delegator": TEXT,
        "delegator_strength": TEXT,
        "root_uid": TEXT,
        "chain_root": TEXT,
        "chain_by_day": FLAG,
        "hops": COUNT,
        "path": HOPS,
        "candidates": CANDIDATES,
        "reason": TEXT,
        "model_id": TEXT,
    },
)

INFERRED = Table(
    "inferred",
    {
        "action_uid": TEXT,
        "worker": TEXT,
        "strength": TEXT,
        "confidence": REAL,
        "delegator": TEXT,
        "delegator_strength": TEXT,
        "chain_root": TEXT,
        "chain_by_day": FLAG,
        "path": HOPS,
        "candidates": CANDIDATES,
        "reason": TEXT,
        "model_id": TEXT,
    },
)

CHAINS = Table(
    "chains",
    {
        "chain_id": TEXT,
        "worker": TEXT,
        "root_uid": TEXT,
        "parent_chain_id": TEXT,
        "delegator": TEXT,
        "started_at": TIME,
        "ended_at": TIME,
        "actions": COUNT,
        "systems": TEXTS,
        "hops": COUNT,
        "bytes_out": COUNT,
        "strength": TEXT,
    },
)

COVERAGE = Table(
    "coverage",
    {
        "worker": TEXT,
        "source": TEXT,
        "hour": TIME,
        "expected": COUNT,
        "seen": COUNT,
        "late": COUNT,
        "missing": TEXT,
    },
)

_FINDING = {
    "finding_uid": TEXT,
    "detector": TEXT,
    "detector_version": TEXT,
    "worker": TEXT,
    "principal": TEXT,
    "entity": TEXT,
    "chain_id": TEXT,
    "window_start": TIME,
    "window_end": TIME,
    "severity": TEXT,
    "score": REAL,
    "p_value": REAL,
    "title": TEXT,
    "explanation": TEXT,
    "tags": TEXTS,
    "evidence": TEXTS,
    "snapshot_id": COUNT,
    "manifest_sha": TEXT,
    "model_id": TEXT,
    "status": TEXT,
    "resolution": TEXT,
    "revision": COUNT,
    "previous_uid": TEXT,
    "created_at": TIME,
    "revised_at": TIME,
}
_FINDING_PROVENANCE = frozenset({"snapshot_id", "revision", "created_at", "revised_at"})

FINDINGS = Table("findings", _FINDING, provenance=_FINDING_PROVENANCE)
FINDING_REVISIONS = Table("finding_revisions", _FINDING, provenance=_FINDING_PROVENANCE)

EVIDENCE = Table(
    "evidence",
    {
        "finding_uid": TEXT,
        "action_uid": TEXT,
        "record_id": TEXT,
        "object_sha256": TEXT,
        "object_uri": TEXT,
        "ordinal": COUNT,
        "action": TEXT,
        "raw": TEXT,
    },
    provenance=frozenset({"record_id", "object_sha256", "object_uri", "ordinal"}),
)
"""A finding's actions (as JSON) and their raw text, frozen: it outlives snapshots and retention."""

REVIEWS = Table(
    "reviews",
    {
        "subject": TEXT,
        "decision": TEXT,
        "decided_by": TEXT,
        "decided_at": TIME,
        "reason": TEXT,
        "until": TIME,
    },
)

ALERTS = Table(
    "alerts",
    {
        "alert_uid": TEXT,
        "finding_uid": TEXT,
        "revision": COUNT,
        "destination": TEXT,
        "payload": TEXT,
        "created_at": TIME,
    },
)

DELIVERIES = Table(
    "deliveries",
    {
        "alert_uid": TEXT,
        "destination": TEXT,
        "attempt": COUNT,
        "attempted_at": TIME,
        "outcome": TEXT,
        "error": TEXT,
        "next_attempt_at": TIME,
    },
)
"""`outcome` is `delivered`, `failed` (a retry is due at `next_attempt_at`), `dead`, `discarded` or `requeued`."""

MANIFESTS = Table(
    "manifests",
    {
        "worker": TEXT,
        "sha256": TEXT,
        "effective_from": TIME,
        "file": TEXT,
        "document": TEXT,
        "lines": TEXT,
        "changed_by": TEXT,
        "recorded_at": TIME,
    },
    provenance=frozenset({"file", "lines", "recorded_at"}),
)
"""One row a version of a worker's manifest; `document` is canonical JSON; `effective_from` null is the beginning.

`recorded_at` is when a run first saw it: of versions in force at one time the one that was recorded last counts.
"""

DETECTOR_VERSIONS = Table(
    "detector_versions", {"detector": TEXT, "version": TEXT, "first_used_at": TIME, "document": TEXT}
)

MODELS = Table(
    "models",
    {
        "model_id": TEXT,
        "kind": TEXT,
        "trained_from": TIME,
        "trained_to": TIME,
        "input_snapshot": COUNT,
        "parameters": TEXT,
        "sha256": TEXT,
    },
    provenance=frozenset({"input_snapshot"}),
)

STAGES = Table(
    "stages",
    {"run_id": TEXT, "stage": TEXT, "input_snapshot": COUNT, "committed_at": TIME, "inputs_sha256": TEXT},
)

CHECKPOINTS = Table(
    "checkpoints",
    {
        "source": TEXT,
        "object_uri": TEXT,
        "bytes": COUNT,
        "modified_at": TIME,
        "spent": COUNT,
        "head_bytes": COUNT,
        "head_sha256": TEXT,
        "checked_at": TIME,
    },
)

SCHEMA_VERSION = Table("schema_version", {"version": COUNT, "applied_at": TIME})

TABLES: tuple[Table, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Table))


def arrow_schemas() -> dict[str, pa.Schema]:
    """Every table's columns as an Arrow schema, by the table's name."""
    return {table.name: table.arrow for table in TABLES}
