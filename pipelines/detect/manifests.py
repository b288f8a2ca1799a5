"""Versions of manifests in the lake: the first counts from the beginning, a changed one from when a run sees it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import datetime, time
from pathlib import Path

import pyarrow as pa

from detectors import manifest_tables
from detectors.engine import Engine
from detectors.manifest import Manifest
from detectors.manifest_tables import Version
from pipelines import schema
from pipelines.lake.store import Writer


def record(writer: Writer, manifests: Sequence[Manifest], base: Path, now: datetime) -> int:
    """Add the versions that the lake does not have as each worker's latest; how many.

    Files are named relative to `base` (the configuration's folder), so that a finding reads the same anywhere.
    """
    stored = writer.connection.execute(
        "SELECT worker, sha256, effective_from FROM lake.manifests ORDER BY worker, effective_from NULLS FIRST"
    ).fetchall()
    latest = {worker: sha for worker, sha, _ in stored}
    rows = [
        {
            "worker": one.worker,
            "sha256": one.sha256,
            "effective_from": _start(one, now if one.worker in latest else None),
            "file": os.path.relpath(one.file, base),
            "document": one.document,
            "lines": json.dumps(one.lines),
            "changed_by": None,
        }
        for one in manifests
        if latest.get(one.worker) != one.sha256
    ]
    return writer.append(schema.MANIFESTS, pa.Table.from_pylist(rows, schema=schema.MANIFESTS.arrow))


def _start(manifest: Manifest, otherwise: datetime | None) -> datetime | None:
    """When a version comes into force: as its document says (a date is its midnight, UTC), else `otherwise`."""
    named = manifest.effective_from
    if named is None or isinstance(named, datetime):
        return named or otherwise
    return datetime.combine(named, time.min)


def provide(engine: Engine, current: Iterable[str]) -> None:
    """From the lake's `manifests` make the manifest tables of `detectors.manifest_tables`, and `current_manifests`."""
    versions = [
        Version(row["effective_from"], row["document"], row["file"], row["sha256"], row["lines"])
        for row in engine.query("SELECT * FROM manifests").to_pylist()
    ]
    for name, table in manifest_tables.tables(versions).items():
        engine.let(name, table)
    engine.let("current_manifests", pa.table({"manifest_sha": pa.array(sorted(current), pa.string())}))


def owners(engine: Engine) -> None:
    """Reduce `identities` to what binds: those of the manifests in the folder, and older ones that nobody else took."""
    engine.let("all_identities", "SELECT * FROM identities")
    engine.let(
        "identities",
        """
        SELECT DISTINCT uid, uid_like, is_pattern, worker, shared FROM all_identities
        WHERE manifest_sha IN (SELECT manifest_sha FROM current_manifests)
           OR uid NOT IN (SELECT uid FROM all_identities
                          WHERE manifest_sha IN (SELECT manifest_sha FROM current_manifests))
        """,
    )
