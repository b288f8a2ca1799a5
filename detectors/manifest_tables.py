"""Versions of manifests as small Arrow tables, the form in which the engine reads them.

Patterns are LIKE patterns with `ESCAPE '\\'`. Times are naive UTC; an interval holds its start, not its end.
`scope_lines`, `identities`, `limits`, `networks` and `secret_patterns` have one entry for each distinct
`manifest_sha`, however often that version came into force.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from detectors import manifest_bounds
from detectors.glob import is_pattern, like
from detectors.located import Problem, Problems
from detectors.located_errors import complaints
from detectors.manifest_claims import Told, claims
from detectors.manifest_model import DIMENSIONS, Manifest
from detectors.manifest_values import host

BEGINNING = datetime(1900, 1, 1)
END = datetime(2200, 1, 1)
"""Stand for no bound, so that an interval is tested by two plain comparisons."""

_TEXT, _WHOLE, _TIME, _FLAG = pa.string(), pa.int64(), pa.timestamp("us"), pa.bool_()


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])


MANIFEST_VERSIONS = _schema(
    worker=_TEXT, manifest_sha=_TEXT, valid_from=_TIME, valid_to=_TIME, owner=_TEXT, mode=_TEXT, role=_TEXT,
    environment=_TEXT, live_from=_TIME, live_until=_TIME, revoked_at=_TIME, file=_TEXT,
)  # fmt: skip
"""`valid_from` to `valid_to` is when the version is in force; `live_from` to `live_until` when its worker may act.

`file` is where it was read from: what to edit where no line decided.
"""

IDENTITIES = _schema(uid=_TEXT, uid_like=_TEXT, is_pattern=_FLAG, worker=_TEXT, shared=_FLAG, manifest_sha=_TEXT)

SCOPE_LINES = _schema(
    worker=_TEXT, manifest_sha=_TEXT, kind=_TEXT, ordinal=_WHOLE, effect=_TEXT, file=_TEXT, line=_WHOLE,
    **{name: pa.list_(_TEXT) for names in DIMENSIONS.values() for name in names},
)  # fmt: skip
"""`ordinal` is the line's place in the whole scope, from 0; a dimension is null where the line does not state it."""

LIMITS = _schema(
    worker=_TEXT, manifest_sha=_TEXT, measure=_TEXT, at_most=pa.float64(), per_seconds=_WHOLE, file=_TEXT, line=_WHOLE
)
"""`at_most` in bytes, seconds or a count; `per_seconds` is null for measures without a window."""

NETWORKS = _schema(
    worker=_TEXT, manifest_sha=_TEXT, cidr=_TEXT, family=_WHOLE, low=_TEXT, high=_TEXT, low_int=_WHOLE, high_int=_WHOLE,
    file=_TEXT, line=_WHOLE,
)  # fmt: skip
"""Inclusive bounds as hexadecimal digits, 8 for IPv4 and 32 for IPv6, which compare as text within one `family`
(4 or 6); `low_int` and `high_int` are the same as whole numbers, null for IPv6."""

SECRET_PATTERNS = _schema(worker=_TEXT, manifest_sha=_TEXT, ordinal=_WHOLE, pattern=_TEXT, file=_TEXT, line=_WHOLE)


@dataclass(frozen=True)
class Version:
    """One version of a worker's manifest, as the lake keeps it; `effective_from` null is the beginning.

    `lines` is JSON of `Manifest.lines`; null where it was not kept, and then no line is named. `recorded_at` is when
    a run first saw it, null where that was not kept.
    """

    effective_from: datetime | None
    document: str
    file: str
    sha256: str
    lines: str | None = None
    recorded_at: datetime | None = None


def version_of(
    manifest: Manifest, effective_from: datetime | None = None, recorded_at: datetime | None = None
) -> Version:
    """A manifest that was just read, as a version."""
    lines = json.dumps(manifest.lines)
    return Version(effective_from, manifest.document, manifest.file, manifest.sha256, lines, recorded_at)


def tables(versions: Iterable[Version]) -> dict[str, pa.Table]:
    """All tables by name, ready for `engine.let`; raises `Problems` where a stored document cannot be read."""
    kept = list(versions)
    distinct = {version.sha256: version for version in sorted(kept, key=recording_order)}
    manifests = {sha: _manifest(version) for sha, version in sorted(distinct.items())}
    return {
        "manifest_versions": manifest_versions(kept, manifests),
        "identity_claims": identity_claims(kept, manifests),
        "identities": identities(manifests),
        "scope_lines": scope_lines(manifests),
        "limits": limits(manifests),
        "networks": networks(manifests),
        "secret_patterns": secret_patterns(manifests),
        **manifest_bounds.tables(manifests.values()),
    }


def _manifest(version: Version) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(version.document)
    except ValidationError as error:
        found = complaints(error, Manifest, json.loads(version.document))
        where = f"stored version {version.sha256[:12]}"
        raise Problems(
            Problem(version.file, 1, ".".join(map(str, one.path)), f"{where}: {one.message}") for one in found
        ) from error
    return manifest.placed(version.file, json.loads(version.lines) if version.lines else {})


def recording_order(version: Version) -> tuple[datetime, datetime, str]:
    """In which order versions came into the lake; older lakes kept only from when each was in force."""
    start = version.effective_from or BEGINNING
    return (version.recorded_at or start, start, version.sha256)


def manifest_versions(versions: Sequence[Version], manifests: dict[str, Manifest]) -> pa.Table:
    """One row for each stretch of time in which a version is in force.

    A worker's first version counts from the beginning, so that nothing before it goes unjudged. Each later one counts
    from its start on, and no version that was recorded before it does any more from there.
    """

    def worker(version: Version) -> str:
        return manifests[version.sha256].worker

    rows: list[dict[str, Any]] = []
    for _, group in groupby(sorted(versions, key=lambda one: (worker(one), recording_order(one))), key=worker):
        stretches: list[tuple[datetime, Version]] = []
        for version in group:
            start = version.effective_from or BEGINNING if stretches else BEGINNING
            stretches = [*(kept for kept in stretches if kept[0] < start), (start, version)]
        ends = [*(start for start, _ in stretches[1:]), END]
        rows += [
            _version_row(manifests[version.sha256], start, end)
            for (start, version), end in zip(stretches, ends, strict=True)
        ]
    return pa.Table.from_pylist(rows, MANIFEST_VERSIONS)


def identity_claims(versions: Sequence[Version], manifests: dict[str, Manifest]) -> pa.Table:
    """Which worker each declared identity belongs to, and when (CLAIMS)."""
    told = [
        Told(
            manifests[version.sha256].worker,
            {one.id: one.shared for one in manifests[version.sha256].identities},
            version.effective_from,
            version.recorded_at,
        )
        for version in sorted(versions, key=recording_order)
    ]
    return claims(told, BEGINNING, END)


def _version_row(manifest: Manifest, start: datetime, end: datetime) -> dict[str, Any]:
    return {
        **_of(manifest),
        "valid_from": start,
        "valid_to": end,
        "owner": manifest.owner,
        "mode": manifest.mode,
        "role": manifest.role,
        "environment": manifest.environment,
        "live_from": manifest.valid.live_from,
        "live_until": manifest.valid.live_until,
        "revoked_at": manifest.valid.revoked,
        "file": manifest.file,
    }


def identities(manifests: dict[str, Manifest]) -> pa.Table:
    """One row for each declared identity."""
    rows = [
        {
            **_of(one),
            "uid": each.id,
            "uid_like": like(each.id),
            "is_pattern": is_pattern(each.id),
            "shared": each.shared,
        }
        for one in manifests.values()
        for each in one.identities
    ]
    return pa.Table.from_pylist(rows, IDENTITIES)


def scope_lines(manifests: dict[str, Manifest]) -> pa.Table:
    """One row for each line of a scope."""
    rows = [
        {
            **_of(one),
            **_at(one, "scope", ordinal),
            "ordinal": ordinal,
            "kind": line.target.kind,
            "effect": line.effect,
            **{name: _patterns(name, globs) for name, globs in line.target.dimensions.items()},
        }
        for one in manifests.values()
        for ordinal, line in enumerate(one.scope)
    ]
    return pa.Table.from_pylist(rows, SCOPE_LINES)


def _patterns(dimension: str, globs: Iterable[str]) -> list[str]:
    return [like(host(glob) if dimension == "hosts" else glob) for glob in globs]


def limits(manifests: dict[str, Manifest]) -> pa.Table:
    """One row for each limit."""
    rows = [
        {
            **_of(one),
            **_at(one, "limits", ordinal),
            "measure": limit.measure,
            "at_most": float(limit.at_most),
            "per_seconds": limit.per,
        }
        for one in manifests.values()
        for ordinal, limit in enumerate(one.limits)
    ]
    return pa.Table.from_pylist(rows, LIMITS)


def networks(manifests: dict[str, Manifest]) -> pa.Table:
    """One row for each network that a worker's calls may come from."""
    rows = [
        {**_of(one), **_at(one, "networks", ordinal), **bounds(cidr)}
        for one in manifests.values()
        for ordinal, cidr in enumerate(one.networks)
    ]
    return pa.Table.from_pylist(rows, NETWORKS)


def bounds(cidr: str) -> dict[str, Any]:
    """The columns of NETWORKS that a CIDR gives."""
    network = ipaddress.ip_network(cidr)
    low, high = int(network.network_address), int(network.broadcast_address)
    digits = network.max_prefixlen // 4
    bounds = {"cidr": cidr, "family": network.version, "low": f"{low:0{digits}x}", "high": f"{high:0{digits}x}"}
    return {**bounds, "low_int": low, "high_int": high} if network.version == 4 else bounds


def secret_patterns(manifests: dict[str, Manifest]) -> pa.Table:
    """One row for each pattern of secrets that a worker may read."""
    rows = [
        {**_of(one), **_at(one, "secrets", ordinal), "ordinal": ordinal, "pattern": like(glob)}
        for one in manifests.values()
        for ordinal, glob in enumerate(one.secrets)
    ]
    return pa.Table.from_pylist(rows, SECRET_PATTERNS)


def _of(manifest: Manifest) -> dict[str, str]:
    return {"worker": manifest.worker, "manifest_sha": manifest.sha256}


def _at(manifest: Manifest, key: str, ordinal: int) -> dict[str, Any]:
    return {"file": manifest.file, "line": manifest.line(key, ordinal)}
