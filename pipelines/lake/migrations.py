"""The lake's schema version, and the steps that bring an older lake to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import duckdb

from pipelines import schema
from pipelines.lake import views
from pipelines.lake.lock import LakeError


class SchemaError(LakeError):
    """The lake was written by a newer WorkerTrail, or by an older one and has not been migrated yet."""


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    """Version 1: every table of the schema."""
    for table in schema.TABLES:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in table.columns.items())
        connection.execute(f'CREATE TABLE lake."{table.name}" ({columns})')
        if table.by_day_of:
            time = table.by_day_of
            connection.execute(
                f'ALTER TABLE lake."{table.name}" SET PARTITIONED BY (year("{time}"), month("{time}"), day("{time}"))'
            )


def _views(connection: duckdb.DuckDBPyConnection) -> None:
    for name, sql in views.VIEWS.items():
        connection.execute(f'CREATE OR REPLACE VIEW lake."{name}" AS {sql}')


def _add_column(connection: duckdb.DuckDBPyConnection, table: str, column: str, kind: str) -> None:
    """A lake that was made by the current schema has the column already."""
    known = connection.execute(
        "SELECT 1 FROM information_schema.columns WHERE table_catalog = 'lake' AND table_name = ? AND column_name = ?",
        [table, column],
    ).fetchone()
    if not known:
        connection.execute(f'ALTER TABLE lake."{table}" ADD COLUMN "{column}" {kind}')


def _own_names(connection: duckdb.DuckDBPyConnection) -> None:
    """Version 2: objects have names, versions of manifests an hour of recording, delegators a strength of their own.

    The strength of older rows' delegators is not known: they count as asserted.
    """
    for table, column, kind in (
        ("objects", "object_uid", schema.TEXT),
        ("records", "object_uid", schema.TEXT),
        ("manifests", "recorded_at", schema.TIME),
        ("actions", "delegator_strength", schema.TEXT),
        ("grants", "delegator_strength", schema.TEXT),
    ):
        _add_column(connection, table, column, kind)
    connection.execute(
        """
        UPDATE lake.objects SET object_uid = substr(sha256(
            source || '|' || object_uri || '|' || CAST(byte_start AS VARCHAR) || '|' || object_sha256), 1, 32)
        WHERE object_uid IS NULL AND records > 0
        """
    )
    connection.execute(
        """
        UPDATE lake.records SET object_uid = o.object_uid FROM (
            SELECT source, object_sha256, byte_start, min(object_uid) AS object_uid FROM lake.objects
            GROUP BY source, object_sha256, byte_start
        ) AS o
        WHERE records.object_uid IS NULL AND o.source = records.source AND o.object_sha256 = records.object_sha256
          AND o.byte_start = records.byte_start
        """
    )


def _cheaper_files(connection: duckdb.DuckDBPyConnection) -> None:
    """Version 3: zstd, which halves files against snappy in less time; records unpartitioned, since a commit's all
    have one ingested_at, and parting them copies every text once more. Actions say where a request was left out.
    """
    connection.execute("ALTER TABLE lake.records RESET PARTITIONED BY")
    _add_column(connection, "actions", "request_cut", schema.FLAG)
    for option, value in (("parquet_compression", "zstd"), ("parquet_compression_level", "1")):
        connection.execute(f"CALL lake.set_option('{option}', '{value}')")


STEPS: tuple[Callable[[duckdb.DuckDBPyConnection], None], ...] = (_create, _own_names, _cheaper_files)
"""STEPS[n] brings a lake of version n to version n + 1; the views are made anew with the last one."""


def version(connection: duckdb.DuckDBPyConnection) -> int:
    """The lake's schema version; 0 for an empty lake."""
    try:
        row = connection.execute("SELECT max(version) FROM lake.schema_version").fetchone()
    except duckdb.CatalogException:
        return 0
    return int(row[0]) if row and row[0] is not None else 0


def migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the lake to schema.VERSION, one transaction a step. Raises SchemaError for a lake from the future."""
    have = version(connection)
    _must_not_be_newer(have)
    for step in range(have, schema.VERSION):
        connection.execute("BEGIN")
        STEPS[step](connection)
        if step + 1 == schema.VERSION:
            _views(connection)
        connection.execute(
            "INSERT INTO lake.schema_version VALUES (?, ?)", [step + 1, datetime.now(UTC).replace(tzinfo=None)]
        )
        connection.execute("COMMIT")


def check(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise SchemaError where the lake's version is not the one whose tables and views the code reads."""
    have = version(connection)
    _must_not_be_newer(have)
    if have < schema.VERSION:
        msg = (
            f"the lake has schema version {have}, this WorkerTrail reads {schema.VERSION}:"
            " `workertrail run` brings it up to date"
        )
        raise SchemaError(msg)


def _must_not_be_newer(have: int) -> None:
    if have > schema.VERSION:
        msg = f"the lake has schema version {have}, this WorkerTrail knows {schema.VERSION}: install a newer one"
        raise SchemaError(msg)
