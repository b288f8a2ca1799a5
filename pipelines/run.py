"""One run, from pull to alerts: stages (a), (b) and (c), each a transaction, each a plain function.

The command line and Dagster call these same functions. A stage whose inputs are those of its last
commit is left out, so a run over nothing new writes nothing.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

import duckdb
import pyarrow as pa

from detectors import behaviour_head
from detectors.located import Problem
from detectors.manifest import Manifest, load_manifests
from detectors.rules import Failure
from pipelines import review, schema
from pipelines.detect import commit as detect
from pipelines.detect import manifests as manifest_versions
from pipelines.detect.commit import detectors
from pipelines.detect.load import Loaded, Refused
from pipelines.detect.revise import Revised
from pipelines.formats import secrets
from pipelines.ingest import commit as ingest
from pipelines.ingest.commit import Counts
from pipelines.ingest.parse import parse
from pipelines.lake.configured import engines
from pipelines.lake.confine import Room, confine
from pipelines.lake.engines import Engines
from pipelines.lake.store import Lake, Writer, current_snapshot, flush, prepare_folders
from pipelines.pull import files
from pipelines.pull.checkpoints import Checkpoints
from pipelines.pull.files import PulledObject
from pipelines.settings import Settings, Source
from pipelines.stitch import commit as stitch

log = logging.getLogger(__name__)

RECORDS_A_COMMIT = 100_000
"""Stage (a) commits whole objects up to about so many records at a time (the design allows a million)."""

THREADS_A_COMMIT = 1
"""A batch is too small to be parted: with two threads stage (a) took 1.4 times the CPU (`benchmarks.ingest`)."""

Progress = Callable[[str], None]


def _quiet(_text: str) -> None:
    """The default progress: none."""


def utc_now() -> datetime:
    """Now, as the lake writes times: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Plan:
    """Everything that must be right before anything starts: settings, manifests, detectors.

    `refused` are users' rules that cannot run: each fails alone. `unread` are rules on logs that are not read here.
    """

    settings: Settings
    manifests: tuple[Manifest, ...]
    detectors: tuple[Loaded, ...]
    refused: tuple[Refused, ...] = ()
    unread: tuple[Problem, ...] = ()
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def lake(self) -> Lake:
        return self.settings.lake

    @cached_property
    def engines(self) -> Engines:
        """The engine that the configuration names."""
        return engines(self.settings.engine)


@dataclass(frozen=True)
class Summary:
    """What a run did. A stage that had nothing new to do has None."""

    pulled: Counts = field(default_factory=Counts)
    unreadable: tuple[str, ...] = ()
    rewritten: tuple[str, ...] = ()
    held_back: int = 0
    stitched: stitch.Stitched | None = None
    findings: Revised | None = None
    failures: tuple[Failure, ...] = ()


def plan(settings: Settings) -> Plan:
    """Read manifests and detectors. Raises `Problems` with everything that is wrong, by file and line."""
    loading = detectors(settings)
    manifests = tuple(load_manifests(settings.workers))
    return Plan(settings, manifests, loading.detectors, loading.refused, loading.unread)


def run(what: Plan, progress: Progress = _quiet) -> Summary:
    """Pull to alerts, once. Delivery is no part of it."""
    summary = ingest_all(what, progress)
    progress("stitching")
    summary = replace(summary, stitched=stitch_all(what))
    progress("detecting")
    detected = detect_all(what)
    if detected is None:
        return replace(summary, failures=tuple(one.failure for one in what.refused))
    return replace(summary, findings=detected.findings, failures=detected.failures)


def ingest_all(what: Plan, progress: Progress = _quiet, sources: Sequence[str] | None = None) -> Summary:
    """Stage (a): pull what is new from every source (or the named ones), and commit it in batches of whole objects."""
    lake, summary = what.lake, Summary()
    prepare_folders(lake)
    lake.bring_up_to_date()  # what was pulled already is read before anything is written
    spool = lake.spool / what.run_id
    key = secrets.lake_key(lake.key_file)
    chosen = [one for one in what.settings.sources if sources is None or one.name in sources]
    try:
        for batch in _batches(_pulled(what, chosen, key)):
            counts = _commit_batch(what, batch)
            failed = tuple(f"{item.object_uri}: {item.error}" for item in batch if item.error)
            summary = replace(
                summary,
                pulled=summary.pulled + counts,
                unreadable=summary.unreadable + failed,
                rewritten=summary.rewritten + tuple(item.object_uri for item in batch if item.rewritten),
                held_back=summary.held_back + sum(item.held_back for item in batch),
            )
            progress(f"{summary.pulled.records:,} records of {summary.pulled.objects:,} objects")
    finally:
        shutil.rmtree(spool, ignore_errors=True)
    return summary


def forget(what: Plan, source: str) -> int:
    """Forget how far a source's files were read, so that the next pull reads all of them anew; how many they were.

    What the lake holds already is known again by its hash, record by record where a file has grown.
    """
    with what.lake.writing() as writer:
        row = writer.connection.execute("DELETE FROM lake.checkpoints WHERE source = ?", [source]).fetchone()
    return int(row[0]) if row else 0


def checkpoints(lake: Lake) -> Checkpoints:
    """How far each file was read, as of the last commit."""
    return Checkpoints.of(_checkpoints(lake))


def _pulled(what: Plan, sources: Sequence[Source], key: bytes) -> Iterator[PulledObject]:
    known = checkpoints(what.lake)
    for source in sources:
        yield from files.pull(source, known, what.lake.spool / what.run_id, key=key, now=utc_now())


def _checkpoints(lake: Lake) -> pa.Table:
    if not lake.exists:
        return schema.CHECKPOINTS.arrow.empty_table()
    with lake.reading() as connection:
        return connection.execute("SELECT * FROM checkpoints").to_arrow_table()


def _batches(objects: Iterator[PulledObject]) -> Iterator[list[PulledObject]]:
    batch: list[PulledObject] = []
    records = 0
    for item in objects:
        batch.append(item)
        records += item.records
        if records >= RECORDS_A_COMMIT:
            yield batch
            batch, records = [], 0
    if batch:
        yield batch


def _commit_batch(what: Plan, batch: Sequence[PulledObject]) -> Counts:
    readable = [item for item in batch if item.error is None]
    parsed = parse(what.engines, what.lake.spool / what.run_id, what.settings.sources, readable)
    with (
        what.lake.writing(threads=THREADS_A_COMMIT, flushed=what.engines.reads_files) as writer,
        what.engines.over(what.lake, writer.connection, writer.input_snapshot) as engine,
    ):
        counts = ingest.commit(writer, engine, parsed, run_id=what.run_id, now=utc_now())
    for item in readable:
        if item.spool_file is not None:
            item.spool_file.unlink(missing_ok=True)
    return counts


def stitch_all(what: Plan) -> stitch.Stitched | None:
    """Stage (b): manifest versions, bindings and chains; None where nothing that they rest on has changed."""
    with what.lake.writing(flushed=what.engines.reads_files) as writer:
        inputs = _digest(_ledger_end(writer), *sorted(one.sha256 for one in what.manifests))
        if _last_inputs(writer.connection, "b") == inputs:
            return None
        added = manifest_versions.record(writer, what.manifests, what.settings.file.parent, utc_now())
        stored = writer.connection.execute("SELECT * FROM lake.manifests").to_arrow_table()
        with what.engines.over(what.lake, writer.connection, writer.input_snapshot) as engine:
            manifest_versions.provide(engine, [one.sha256 for one in what.manifests], stored)
            stitched = stitch.commit(writer, engine, run_id=what.run_id, now=utc_now(), inputs_sha256=inputs)
        return replace(stitched, from_now=added.from_now)


def detect_all(what: Plan) -> detect.Detected | None:
    """Stage (c): findings, evidence and the outbox; None where nothing that they rest on has changed.

    Judging reads one snapshot and holds no lock; what it found is written only if that snapshot's
    bindings are still the latest, else it is judged anew. What people decided and has come to its end is
    opened first.
    """
    review.reopen_passed(what.settings, utc_now())
    while True:
        with what.lake.reading() as connection:
            inputs = _detection_inputs(what, connection)
            if _last_inputs(connection, "c") == inputs:
                return None
            snapshot = current_snapshot(connection)
        if what.engines.reads_files:
            snapshot = _flushed(what.lake)
        with what.lake.reading(snapshot) as connection:
            limits = what.settings.detectors
            confine(connection, what.lake, Room(limits.memory, limits.spill))
            current = [one.sha256 for one in what.manifests]
            with what.engines.over(what.lake, connection, snapshot) as engine:
                judged = detect.judge(engine, what.detectors, what.settings.sources, current, limits.seconds)
        refused = tuple(one.failure for one in what.refused)
        with what.lake.writing() as writer:
            if _detection_inputs(what, writer.connection) == inputs:
                # Findings name the snapshot that was judged; another run may have added records since.
                return detect.commit(
                    replace(writer, input_snapshot=snapshot),
                    replace(judged, failures=(*judged.failures, *refused)),
                    what.settings,
                    what.detectors,
                    run_id=what.run_id,
                    now=utc_now(),
                    inputs_sha256=_judged_by_all(inputs, judged.failures),
                )


def _flushed(lake: Lake) -> int:
    """The latest snapshot, all of whose rows are in files."""
    with lake.maintaining() as connection:
        flush(connection)
        return current_snapshot(connection)


def _judged_by_all(inputs: str, failures: Sequence[Failure]) -> str:
    """The inputs as the stage notes them: where a detector failed, the next run judges again."""
    return _digest(inputs, *sorted(failure.detector for failure in failures)) if failures else inputs


def _detection_inputs(what: Plan, connection: duckdb.DuckDBPyConnection) -> str:
    """A digest of all that findings rest on: stage (b), detectors, and where alerts go."""
    return _digest(
        _last_inputs(connection, "b") or "",
        *sorted(f"{one.id} {one.version}" for one in what.detectors),
        *sorted(f"refused {one.detector}" for one in what.refused),
        behaviour_head.head().version,
        *sorted(f"{one.name} {one.format.name}" for one in what.settings.sources),
        *sorted(one.model_dump_json() for one in what.settings.alerts),
    )


def _ledger_end(writer: Writer) -> str:
    row = writer.connection.execute(
        "SELECT ledger_seq, object_sha256, prior_sha256 FROM lake.objects ORDER BY ledger_seq DESC LIMIT 1"
    ).fetchone()
    return " ".join(str(part) for part in row) if row else ""


def _last_inputs(connection: duckdb.DuckDBPyConnection, stage: str) -> str | None:
    row = connection.execute(
        "SELECT inputs_sha256 FROM lake.stages WHERE stage = ? ORDER BY input_snapshot DESC, committed_at DESC LIMIT 1",
        [stage],
    ).fetchone()
    return str(row[0]) if row else None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def unaccounted(lake: Lake, source: str | None = None) -> list[str]:
    """The objects of the ledger whose records are not actions + errors + duplicates + skipped (truth 2).

    Of every source, or of the named one.
    """
    if not lake.exists:
        return []
    with lake.reading() as connection:
        rows = connection.execute(
            """
            WITH kept AS (
                SELECT object_uid, count(*) AS records FROM records GROUP BY object_uid
            )
            SELECT o.object_uri FROM objects AS o LEFT JOIN kept AS k ON k.object_uid = o.object_uid
            WHERE o.source = coalesce(?, o.source)
              AND (o.records <> o.actions + o.errors + o.duplicates + o.skipped
                   OR o.records <> coalesce(k.records, 0))
            ORDER BY o.ledger_seq
            """,
            [source],
        ).fetchall()
    return [str(row[0]) for row in rows]
