"""SQL that an analyst typed: it reads the lake's tables, and nothing else."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from pipelines.lake.confine import confine
from pipelines.lake.store import Lake, LakeError


def read_only(lake: Lake, sql: str, snapshot: int | None = None) -> pa.Table:
    """The rows of one statement over the lake, attached READ_ONLY, with files and settings out of reach.

    Raises LakeError with the database's words where the statement is refused.
    """
    if snapshot is not None:
        _must_exist(lake, snapshot)
    with lake.reading(snapshot) as connection:
        try:
            statements = connection.extract_statements(sql)
        except duckdb.Error as error:
            raise LakeError(str(error)) from error
        if not statements:
            msg = "the query is empty: write one SELECT"
            raise LakeError(msg)
        # EXPLAIN ANALYZE executes what it explains, so EXPLAIN is left out too.
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            msg = "one SELECT is run at a time, and nothing that writes"
            raise LakeError(msg)
        confine(connection, lake)
        try:
            return connection.execute(sql).to_arrow_table()
        except duckdb.Error as error:
            raise LakeError(str(error)) from error


def _must_exist(lake: Lake, snapshot: int) -> None:
    """Raise LakeError, with the snapshots that there are, where this is none."""
    with lake.reading() as connection:
        there = {
            int(row[0]) for row in connection.execute("SELECT snapshot_id FROM ducklake_snapshots('lake')").fetchall()
        }
    if snapshot in there:
        return
    kept = f"{min(there)} to {max(there)}" if len(there) > 1 else str(max(there))
    if snapshot > max(there):
        msg = f"there is no snapshot {snapshot} yet; there are {kept}"
    else:
        msg = f"snapshot {snapshot} has expired; there are {kept}"
    raise LakeError(msg)
