"""Stage (a): one transaction that adds a batch of whole objects, with all that was read from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import schema
from pipelines.ingest import deeds, identify
from pipelines.ingest.parse import Parsed
from pipelines.ingest.places import Place, unknown
from pipelines.lake.engines import StageEngine
from pipelines.lake.store import Writer
from pipelines.pull import custody
from pipelines.pull.checkpoints import Checkpoint
from pipelines.pull.files import PulledObject


@dataclass(frozen=True)
class Counts:
    """What became of the records of a batch: records = actions + errors + duplicates + skipped."""

    objects: int = 0
    records: int = 0
    actions: int = 0
    errors: int = 0
    duplicates: int = 0
    skipped: int = 0
    grants: int = 0
    known_objects: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(mine + theirs for mine, theirs in zip(self._tuple(), other._tuple(), strict=True)))

    def _tuple(self) -> tuple[int, ...]:
        return (
            self.objects, self.records, self.actions, self.errors, self.duplicates, self.skipped, self.grants,
            self.known_objects,
        )  # fmt: skip


def commit(writer: Writer, engine: StageEngine, parsed: Parsed, *, run_id: str, now: datetime) -> Counts:
    """Add a parsed batch to the lake, within the writer's transaction; objects that it has already are left out."""
    places = unknown(writer, parsed.objects)
    fresh = {index: place for index, place in places.items() if not place.is_copy}
    known = len(parsed.objects) - len(fresh)
    checkpoints = [item.checkpoint for item in parsed.objects if item.checkpoint is not None]
    if not fresh:
        _save_objects(writer, parsed.objects, places, {}, now)
        _save_checkpoints(writer, checkpoints)
        return Counts(known_objects=known)
    _register(engine, parsed, places, now)
    identify.identify(engine)
    deeds.settle(engine)
    grants = identify.new_grants(engine)
    deeds.acting(engine)
    identify.moved_grants(engine)
    counts = _counts_by_object(engine)
    _write(writer, engine, grants)
    _save_objects(writer, parsed.objects, places, counts, now)
    _save_checkpoints(writer, checkpoints)
    stage_row(writer, run_id, "a", now, _digest(parsed.objects[index].uid for index in fresh))
    total = Counts(known_objects=known, objects=len(fresh), grants=grants.num_rows)
    for row in counts.values():
        total += Counts(0, row["records"], row["actions"], row["errors"], row["duplicates"], row["skipped"])
    return total


def _digest(uids: Iterable[str]) -> str:
    return hashlib.sha256("".join(sorted(uids)).encode()).hexdigest()


def stage_row(writer: Writer, run_id: str, stage: str, now: datetime, inputs_sha256: str) -> None:
    """Note a stage's commit, in its own transaction."""
    writer.connection.execute(
        "INSERT INTO lake.stages VALUES (?, ?, ?, ?, ?)", [run_id, stage, writer.input_snapshot, now, inputs_sha256]
    )


def _register(engine: StageEngine, parsed: Parsed, places: Mapping[int, Place], now: datetime) -> None:
    """Hand the batch to the engine: batch_objects, batch_clock, and of the objects that are new batch_records (with
    what their formats made of them), batch_raw, batch_actions and batch_grants.

    What is wide is not copied: the engine reads batch_raw and batch_actions where they lie.
    """
    chosen = [(index, parsed.objects[index], place) for index, place in places.items()]
    engine.let(
        "batch_objects",
        pa.table(
            {
                "object_index": pa.array([index for index, _, _ in chosen], pa.int64()),
                "object_uid": pa.array([item.uid for _, item, _ in chosen], pa.string()),
                "object_sha256": pa.array([item.object_sha256 for _, item, _ in chosen], pa.string()),
                "source": pa.array([item.source for _, item, _ in chosen], pa.string()),
                "object_uri": pa.array([item.object_uri for _, item, _ in chosen], pa.string()),
                "generation": pa.array([place.generation for _, _, place in chosen], pa.string()),
                "byte_start": pa.array([item.byte_start for _, item, _ in chosen], pa.int64()),
                "byte_end": pa.array([item.byte_end for _, item, _ in chosen], pa.int64()),
                "is_copy": pa.array([place.is_copy for _, _, place in chosen], pa.bool_()),
            }
        ),
    )
    engine.let("batch_clock", pa.table({"ingested_at": pa.array([now], pa.timestamp("us"))}))
    fresh = _of_new_objects(parsed, {index for index, _, place in chosen if not place.is_copy})
    engine.lend("batch_raw", fresh.records)
    engine.lend("batch_actions", fresh.actions)
    engine.let(
        "batch_records",
        """
        SELECT r.record_id, r.source, r.realm, r.format, r.object_index, r.object_uid, r.object_sha256, r.byte_start,
               r.ordinal, r.content_sha256, r.reason, a.outcome AS told_outcome, a.reason AS told_reason, a.native_id,
               a.id_scope
        FROM batch_raw AS r LEFT JOIN batch_actions AS a ON a.record_id = r.record_id
        """,
    )
    engine.let("batch_grants", fresh.grants)


def _of_new_objects(parsed: Parsed, fresh: set[int]) -> Parsed:
    """What was read from some of the batch's objects."""
    if len(fresh) == len(parsed.objects):
        return parsed
    records = parsed.records.filter(pc.is_in(parsed.records["object_index"], pa.array(sorted(fresh), pa.int64())))
    ids = records["record_id"].combine_chunks()
    actions, grants = (table.filter(pc.is_in(table["record_id"], ids)) for table in (parsed.actions, parsed.grants))
    return replace(parsed, records=records, actions=actions, grants=grants)


def _counts_by_object(engine: StageEngine) -> dict[int, dict[str, int]]:
    found = engine.query(
        """
        SELECT r.object_index,
               count(*) AS records,
               count(*) FILTER (WHERE f.outcome = 'action') AS actions,
               count(*) FILTER (WHERE f.outcome = 'error') AS errors,
               count(*) FILTER (WHERE f.outcome = 'duplicate') AS duplicates,
               count(*) FILTER (WHERE f.outcome = 'skipped') AS skipped
        FROM batch_records AS r JOIN fates AS f ON f.record_id = r.record_id
        GROUP BY r.object_index
        """
    )
    return {row["object_index"]: row for row in found.to_pylist()}


def _write(writer: Writer, engine: StageEngine, grants: pa.Table) -> None:
    """Append what is new, and mend the few stored rows that it changes."""
    renames = _has_rows(engine, "renamed")
    if renames:
        # What is told of who acts as whom may rest on the uid that is moved: it is gathered anew.
        deeds.acting_anew(engine)
    told = {name: f"{'n' if name in identify.NEW_ACTIONS else 'a'}.{name}" for name in schema.ACTIONS.columns}
    told["is_primary"] = "n.is_primary AND coalesce(p.is_primary, true)"
    engine.append(
        schema.ACTIONS,
        f"""
        SELECT {", ".join(f"{expression} AS {name}" for name, expression in told.items())}
        FROM batch_actions AS a
        JOIN new_actions AS n ON n.record_id = a.record_id
        LEFT JOIN primaries AS p ON p.action_uid = n.action_uid
        """,
    )
    engine.append(
        schema.RECORDS,
        """
        SELECT r.record_id, r.source, r.format, r.object_uid, r.object_sha256, r.byte_start, r.ordinal,
               r.content_sha256, c.ingested_at, t.raw, f.outcome, f.reason
        FROM batch_raw AS t
        JOIN batch_records AS r ON r.record_id = t.record_id
        JOIN fates AS f ON f.record_id = t.record_id
        CROSS JOIN batch_clock AS c
        """,
    )
    engine.hand_over("acting", "moved_grants", "new_uids", "primaries", "renamed")
    _move_stored_grants(writer)
    writer.append(schema.GRANTS, grants)
    if renames:
        _rename_stored(writer)
    _flip_stored_primaries(writer)
    _replace_acts_as(writer)


def _has_rows(engine: StageEngine, table: str) -> bool:
    return bool(engine.query(f"SELECT count(*) AS n FROM {table}")["n"][0].as_py())


def _flip_stored_primaries(writer: Writer) -> None:
    connection = writer.connection
    changed = "SELECT action_uid FROM primaries EXCEPT SELECT action_uid FROM new_uids"
    row = connection.execute(f"SELECT count(*) FROM ({changed})").fetchone()
    if row and row[0]:
        connection.execute(
            f"""
            UPDATE lake.actions SET is_primary = p.is_primary FROM primaries AS p
            WHERE p.action_uid = lake.actions.action_uid AND p.action_uid IN ({changed})
            """
        )


def _rename_stored(writer: Writer) -> None:
    """Where the uid of a stored action goes to a copy of lesser content, move it aside."""
    writer.connection.execute(
        """
        UPDATE lake.actions SET action_uid = r.new_uid, flag = r.flag,
                                is_primary = r.flag IS NULL AND lake.actions.is_primary
        FROM renamed AS r WHERE r.record_id = lake.actions.record_id
        """
    )


def _move_stored_grants(writer: Writer) -> None:
    """The grants of a stored action that loses its uid go with it, before those of the winner come."""
    connection = writer.connection
    row = connection.execute("SELECT count(*) FROM moved_grants").fetchone()
    if row and row[0]:
        connection.execute(
            """
            UPDATE lake.grants SET action_uid = m.new_uid, grant_uid = m.new_grant_uid
            FROM moved_grants AS m WHERE m.old_uid = lake.grants.grant_uid
            """
        )


def _replace_acts_as(writer: Writer) -> None:
    """Bring `acts_as` to `acting`, touching only the rows that differ."""
    connection = writer.connection
    columns = ", ".join(schema.ACTS_AS.columns)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE acting_gone AS
        SELECT {columns} FROM lake.acts_as EXCEPT SELECT {columns} FROM acting
        """
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE acting_new AS
        SELECT {columns} FROM acting EXCEPT SELECT {columns} FROM lake.acts_as
        """
    )
    row = connection.execute("SELECT count(*) FROM acting_gone").fetchone()
    if row and row[0]:
        connection.execute(
            """
            DELETE FROM lake.acts_as USING acting_gone AS g
            WHERE lake.acts_as.credential_uid IS NOT DISTINCT FROM g.credential_uid
              AND lake.acts_as.session_uid IS NOT DISTINCT FROM g.session_uid
              AND lake.acts_as.principal IS NOT DISTINCT FROM g.principal
              AND lake.acts_as.strength = g.strength AND lake.acts_as.evidence = g.evidence
            """
        )
    connection.execute(f"INSERT INTO lake.acts_as ({columns}) SELECT {columns} FROM acting_new")


def _save_objects(
    writer: Writer,
    objects: Sequence[PulledObject],
    places: Mapping[int, Place],
    counts: Mapping[int, Mapping[str, int]],
    now: datetime,
) -> None:
    """Extend the custody ledger by the batch's objects; a copy has no records of its own."""
    last = writer.connection.execute(
        f"SELECT {', '.join(schema.OBJECTS.columns)} FROM lake.objects ORDER BY ledger_seq DESC LIMIT 1"
    ).to_arrow_table()
    prior, first = custody.FIRST, 0
    if last.num_rows:
        row = last.to_pylist()[0]
        prior, first = custody.entry_sha256(row, row["prior_sha256"]), row["ledger_seq"] + 1
    rows = []
    for index, place in places.items():
        item, of = objects[index], counts.get(index, {})
        rows.append(
            {
                "object_uid": None if place.is_copy else item.uid, "object_sha256": item.object_sha256,
                "source": item.source, "object_uri": item.object_uri,
                "generation": place.generation, "byte_start": item.byte_start, "byte_end": item.byte_end,
                "bytes": item.bytes, "pulled_at": now, "records": of.get("records", 0),
                "actions": of.get("actions", 0), "errors": of.get("errors", 0),
                "duplicates": of.get("duplicates", 0), "skipped": of.get("skipped", 0), "verified": None,
            }
        )  # fmt: skip
    chained = custody.extend(rows, prior, first)
    writer.append(schema.OBJECTS, pa.Table.from_pylist(chained, schema=schema.OBJECTS.arrow))


def _save_checkpoints(writer: Writer, checkpoints: Sequence[Checkpoint]) -> None:
    """Replace the checkpoints of the files that were read; the last of a file counts."""
    latest = {(item.source, item.object_uri): item.row() for item in checkpoints}
    if not latest:
        return
    table = pa.Table.from_pylist(list(latest.values()), schema=schema.CHECKPOINTS.arrow)
    writer.connection.register("_checkpoints", table)
    writer.connection.execute(
        "DELETE FROM lake.checkpoints USING _checkpoints AS c"
        " WHERE lake.checkpoints.source = c.source AND lake.checkpoints.object_uri = c.object_uri"
    )
    writer.connection.unregister("_checkpoints")
    writer.append(schema.CHECKPOINTS, table)
