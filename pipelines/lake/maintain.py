"""Keeping a lake small and quick: few large files a table, no snapshot older than wanted, no file that nothing needs.

Each step is a commit of its own under the writer's lock, so a maintenance that is killed leaves a sound lake, and
a second one finds nothing to do. The rows of the tables are the same before and after. Functions: DuckLake 1.0,
"Maintenance" (ducklake_flush_inlined_data, _rewrite_data_files, _merge_adjacent_files, _expire_snapshots,
_cleanup_old_files, _delete_orphaned_files).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import duckdb

from pipelines import schema
from pipelines.lake.store import Lake, literal

GRACE = timedelta(hours=1)
"""How long a file stays at least that is not needed any more: a query that has begun may still be reading it."""

ORPHANED_AFTER = timedelta(days=1)
"""How old a file must be that no table knows: an engine writes its files before it commits them."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """Files and their bytes; delete files mark rows of data files as gone."""

    files: int
    bytes: int
    delete_files: int = 0


@dataclass(frozen=True)
class TableChange:
    """One table's live files before and after."""

    table: str
    before: Size
    after: Size


@dataclass(frozen=True)
class Maintained:
    """What a maintenance did; `folder` sizes count all files below the lake's data folder."""

    tables: tuple[TableChange, ...]
    folder_before: Size
    folder_after: Size
    snapshots_expired: int
    snapshots_kept: int
    files_deleted: int
    orphans_deleted: int
    files_waiting: int
    """Files that nothing needs and that are too young to be deleted: a later maintenance does."""


def maintain(
    lake: Lake, *, keep: timedelta, grace: timedelta = GRACE, progress: Progress = lambda _text: None
) -> Maintained:
    """Compact every table, expire the snapshots older than `keep`, and delete what has not been needed for `grace`.

    The latest snapshot always stays. What a finding rests on is frozen with it, so its snapshot may expire.
    """
    with lake.maintaining() as connection:
        folder_before, before = _folder(lake), _tables(connection)
        for name in before:
            progress(f"compacting {name}")
            _compact(connection, name)
        progress("expiring snapshots")
        expired = _expire(connection, keep)
        progress("deleting files")
        deleted = _call(connection, "ducklake_cleanup_old_files", _unneeded_for(grace))
        orphans = _call(connection, "ducklake_delete_orphaned_files", f"older_than => {_ago(ORPHANED_AFTER)}")
        after = _tables(connection)
        return Maintained(
            tables=tuple(TableChange(name, before[name], after[name]) for name in before),
            folder_before=folder_before,
            folder_after=_folder(lake),
            snapshots_expired=expired,
            snapshots_kept=_count(connection, "ducklake_snapshots('lake')"),
            files_deleted=deleted,
            orphans_deleted=orphans,
            files_waiting=_call(connection, "ducklake_cleanup_old_files", "cleanup_all => true, dry_run => true"),
        )


def _compact(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Rows kept in the catalog go to files, rows marked as gone leave theirs, and small files become large ones."""
    name = literal(table)
    _call(connection, "ducklake_flush_inlined_data", f"table_name => {name}")
    _call(connection, "ducklake_rewrite_data_files", f"{name}, delete_threshold => 0.0")
    _call(connection, "ducklake_merge_adjacent_files", name)


def _expire(connection: duckdb.DuckDBPyConnection, keep: timedelta) -> int:
    """Expire the snapshots older than `keep`, but for the latest; how many.

    They are named one by one: with a SQLite catalog `older_than` compares times as text, and takes a whole day.
    """
    old = connection.execute(
        f"""
        SELECT snapshot_id FROM ducklake_snapshots('lake')
        WHERE snapshot_time < {_ago(keep)} AND snapshot_id < (SELECT max(snapshot_id) FROM ducklake_snapshots('lake'))
        ORDER BY snapshot_id
        """
    ).fetchall()
    if not old:
        return 0
    listed = ", ".join(str(int(row[0])) for row in old)
    return _call(connection, "ducklake_expire_snapshots", f"versions => [{listed}]")


def _unneeded_for(grace: timedelta) -> str:
    """Arguments for the files that nothing has needed for at least `grace`.

    `older_than` takes the whole day that it names (see `_expire`), so the day before is named.
    """
    if not grace:
        return "cleanup_all => true"
    return f"older_than => CAST(CAST({_ago(grace)} AS DATE) - 1 AS TIMESTAMPTZ)"


def _call(connection: duckdb.DuckDBPyConnection, function: str, arguments: str) -> int:
    """Call a table function of the lake; how many rows it gave."""
    return len(connection.execute(f"CALL {function}('lake', {arguments})").fetchall())


def _ago(age: timedelta) -> str:
    """SQL: so long ago."""
    return f"now() - INTERVAL {int(age.total_seconds())} SECOND"


def _tables(connection: duckdb.DuckDBPyConnection) -> dict[str, Size]:
    """The live files of each table of the schema, by its name."""
    rows = connection.execute(
        """
        SELECT table_name, file_count, file_size_bytes + delete_file_size_bytes, delete_file_count
        FROM ducklake_table_info('lake')
        """
    ).fetchall()
    sizes = {str(name): Size(int(files), int(count), int(deletes)) for name, files, count, deletes in rows}
    return {table.name: sizes[table.name] for table in schema.TABLES if table.name in sizes}


def _count(connection: duckdb.DuckDBPyConnection, what: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {what}").fetchone()
    return int(row[0]) if row else 0


def _folder(lake: Lake) -> Size:
    """All files below the lake's data folder."""
    sizes = [file.stat().st_size for file in lake.data.rglob("*") if file.is_file()]
    return Size(len(sizes), sum(sizes))
