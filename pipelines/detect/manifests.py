"""Versions of manifests in the lake: the first counts from the beginning, a changed one from when a run sees it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path

import pyarrow as pa

from detectors import manifest_tables
from detectors.engine import Engine
from detectors.manifest import Manifest
from detectors.manifest_tables import Version
from pipelines import schema
from pipelines.lake.store import Writer


@dataclass(frozen=True)
class Recorded:
    """How many versions were added, and the workers whose changed one names no start, so that it counts from now on."""

    added: int
    from_now: tuple[str, ...]


def record(writer: Writer, manifests: Sequence[Manifest], base: Path, now: datetime) -> Recorded:
    """Add the versions that the lake does not have as each worker's latest.

    Files are named relative to `base` (the configuration's folder), so that a finding reads the same anywhere. A
    worker whose manifest is gone from the folder keeps its last version.
    """
    stored = writer.connection.execute(
        "SELECT worker, sha256 FROM lake.manifests ORDER BY recorded_at NULLS FIRST, effective_from NULLS FIRST, sha256"
    ).fetchall()
    latest = dict(stored)
    new = [one for one in manifests if latest.get(one.worker) != one.sha256]
    rows = [
        {
            "worker": one.worker,
            "sha256": one.sha256,
            "effective_from": _start(one, now if one.worker in latest else None),
            "file": os.path.relpath(one.file, base),
            "document": one.document,
            "lines": json.dumps(one.lines),
            "changed_by": None,
            "recorded_at": now,
        }
        for one in new
    ]
    added = writer.append(schema.MANIFESTS, pa.Table.from_pylist(rows, schema=schema.MANIFESTS.arrow))
    from_now = [one.worker for one in new if one.worker in latest and one.effective_from is None]
    return Recorded(added, tuple(sorted(from_now)))


def _start(manifest: Manifest, otherwise: datetime | None) -> datetime | None:
    """When a version comes into force: as its document says (a date is its midnight, UTC), else `otherwise`."""
    named = manifest.effective_from
    if named is None or isinstance(named, datetime):
        return named or otherwise
    return datetime.combine(named, time.min)


def provide(engine: Engine, current: Iterable[str], stored: pa.Table | None = None) -> None:
    """From the lake's `manifests` make the tables of `detectors.manifest_tables`, and `current_manifests`.

    `current` are the SHA-256 of the manifests that are in the folder now. `stored`: the rows of `manifests` where a
    transaction has added to them, which only its own connection can see.
    """
    rows = engine.query("SELECT * FROM manifests") if stored is None else stored
    versions = [
        Version(row["effective_from"], row["document"], row["file"], row["sha256"], row["lines"], row["recorded_at"])
        for row in rows.to_pylist()
    ]
    for name, table in manifest_tables.tables(versions).items():
        engine.let(name, table)
    engine.let("current_manifests", pa.table({"manifest_sha": pa.array(sorted(current), pa.string())}))
