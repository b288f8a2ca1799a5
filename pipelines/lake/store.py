"""The store: DuckLake with its catalog, one writer at a time, readers that cannot write."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from filelock import FileLock, Timeout

from pipelines import schema
from pipelines.lake import extensions, migrations
from pipelines.lake.lock import LakeError, held

__all__ = ["Lake", "LakeError", "Writer", "current_snapshot", "flush", "literal", "prepare_folders"]


@dataclass(frozen=True)
class Lake:
    """Where a lake is: its SQLite catalog and the folder of its data files."""

    catalog: Path
    data: Path

    @property
    def exists(self) -> bool:
        return self.catalog.exists()

    @property
    def key_file(self) -> Path:
        return self.catalog.parent / "hmac.key"

    @property
    def spool(self) -> Path:
        return self.catalog.parent / "spool"

    @property
    def delivery_lock_file(self) -> Path:
        return self.catalog.parent / "delivery.lock"

    @contextmanager
    def writing(self, threads: int | None = None, *, flushed: bool = False) -> Iterator[Writer]:
        """The one writer: takes the lock, then opens its connection; commits at the end, or rolls all back.

        `threads` bounds how many the engine works with (null: one a core); `flushed`: inlined rows are written to
        files first, for an engine that reads them.
        Raises LakeError where the lock is not had within ten minutes or the catalog cannot be opened.
        """
        with self.maintaining() as connection:
            if threads is not None:
                connection.execute(f"SET threads = {int(threads)}")
            if flushed:
                flush(connection)
            connection.execute("BEGIN")
            writer = Writer(connection, current_snapshot(connection))
            yield writer
            connection.execute("COMMIT")

    @contextmanager
    def maintaining(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The writer's connection and lock without a transaction: each statement commits by itself.

        Raises LakeError as `writing` does.
        """
        prepare_folders(self)
        with held(self.catalog.parent / "writer.lock"):
            connection = self._attach(read_only=False)
            try:
                migrations.migrate(connection)
                yield connection
            finally:
                connection.close()

    @contextmanager
    def reading(self, snapshot: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that cannot write, at the latest or at a given snapshot.

        Raises LakeError where there is no lake yet, no such snapshot, or where the lake is of another schema
        version; a given snapshot may be of an older one, and shows the tables of its time.
        """
        if not self.exists:
            msg = f"there is no lake at {self.catalog} yet: `workertrail run` makes it"
            raise LakeError(msg)
        self._recover()
        connection = self._attach(read_only=True, snapshot=snapshot)
        try:
            if snapshot is None:
                migrations.check(connection)
            yield connection
        finally:
            connection.close()

    def bring_up_to_date(self) -> None:
        """Migrate a lake that an older WorkerTrail wrote; takes the lock only where there is something to do.

        Raises LakeError as `writing` does, and for a lake of a newer WorkerTrail.
        """
        if not self.exists:
            return
        self._recover()
        with closing(self._attach(read_only=True)) as connection:
            have = migrations.version(connection)
        if have != schema.VERSION:
            with self.maintaining():
                pass

    def _recover(self) -> None:
        """Let SQLite roll back what a killed writer left in its journal: a reader is not allowed to.

        While a writer is at work the journal is its own, and readers see what was committed before.
        """
        if not self.catalog.with_name(self.catalog.name + "-journal").exists():
            return
        lock = FileLock(self.catalog.parent / "writer.lock", timeout=0, mode=0o600)
        try:
            with lock, closing(sqlite3.connect(self.catalog)) as catalog:
                catalog.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except Timeout:
            return

    def _attach(self, *, read_only: bool, snapshot: int | None = None) -> duckdb.DuckDBPyConnection:
        options = [f"DATA_PATH {literal(str(self.data) + os.sep)}"]
        if read_only:
            options.append("READ_ONLY")
        if snapshot is not None:
            options.append(f"SNAPSHOT_VERSION {int(snapshot)}")
        connection = extensions.connect()
        try:
            connection.execute(
                f"ATTACH {literal(f'ducklake:sqlite:{self.catalog}')} AS lake ({', '.join(options)}); USE lake.main"
            )
        except duckdb.Error as error:
            connection.close()
            msg = f"cannot open the lake at {self.catalog}: {error}"
            raise LakeError(msg) from error
        return connection


@dataclass(frozen=True)
class Writer:
    """An open transaction: its connection, and the snapshot that it reads."""

    connection: duckdb.DuckDBPyConnection
    input_snapshot: int

    def append(self, table: schema.Table, rows: pa.Table) -> int:
        """Append rows (columns by name; absent ones are null); how many."""
        if rows.num_rows == 0:
            return 0
        names = [name for name in table.columns if name in rows.column_names]
        self.connection.register("_rows", rows)
        try:
            columns = ", ".join(f'"{name}"' for name in names)
            self.connection.execute(f'INSERT INTO lake."{table.name}" ({columns}) SELECT {columns} FROM _rows')
        finally:
            self.connection.unregister("_rows")
        return rows.num_rows


def prepare_folders(lake: Lake) -> None:
    """Create the lake's folders for their owner alone; every file made from here on is the owner's too."""
    os.umask(0o077)
    for folder in (lake.catalog.parent, lake.data):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def flush(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the rows and deletions that the catalog itself holds to files; snapshots read as before."""
    connection.execute("CALL ducklake_flush_inlined_data('lake')").fetchall()


def current_snapshot(connection: duckdb.DuckDBPyConnection) -> int:
    """The id of the newest committed snapshot; inside a transaction, of the one that it reads."""
    row = connection.execute("SELECT id FROM ducklake_current_snapshot('lake')").fetchone()
    return int(row[0]) if row else 0


def literal(text: str) -> str:
    """A SQL text literal, for the places where DuckDB takes no parameter."""
    if re.search(r"[\x00]", text):
        msg = "a path cannot hold a NUL character"
        raise LakeError(msg)
    return "'" + text.replace("'", "''") + "'"
