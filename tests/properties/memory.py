"""A lake in memory: the same tables, transactions and statements without DuckLake's files and catalog.

A whole run over it takes a tenth of the time, so that properties can be tried over many worlds. Its
snapshots are whole copies, made where a test asks for them; what needs a process that dies is tested on a real lake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import duckdb
import pyarrow as pa

from pipelines import schema
from pipelines.lake import views
from pipelines.lake.store import Lake, Writer, current_snapshot, prepare_folders


def quiet(_statement: str) -> None:
    """Nobody listens."""


def empty_database() -> duckdb.DuckDBPyConnection:
    """The lake's tables and views, empty, in a database of their own called `lake`."""
    connection = duckdb.connect(config={"preserve_insertion_order": "false"})
    connection.execute("ATTACH ':memory:' AS lake; SET TimeZone = 'UTC'; USE lake.main")
    for table in schema.TABLES:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in table.columns.items())
        connection.execute(f'CREATE TABLE lake."{table.name}" ({columns})')
    for name, sql in views.VIEWS.items():
        connection.execute(f'CREATE VIEW lake."{name}" AS {sql}')
    # A snapshot's number, as DuckLake tells it: here one is made by each stage.
    connection.execute(
        "CREATE MACRO ducklake_current_snapshot(_catalog) AS TABLE SELECT count(*) AS id FROM lake.stages"
    )
    return connection


@dataclass
class Overheard:
    """A connection whose every statement is told to `hear` before it runs; `hear` may raise in its place."""

    connection: duckdb.DuckDBPyConnection
    hear: Callable[[str], None]

    def execute(self, query: Any, *parameters: Any) -> duckdb.DuckDBPyConnection:
        self.hear(str(query))
        return self.connection.execute(query, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def tables_of(connection: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """The rows of every table that has any."""
    held = {
        table.name: connection.execute(f'SELECT * FROM lake."{table.name}"').to_arrow_table() for table in schema.TABLES
    }
    return {name: rows for name, rows in held.items() if rows.num_rows}


def copy_of(tables: dict[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """A database of its own with these rows."""
    connection = empty_database()
    for name, rows in tables.items():
        connection.register("_rows", rows)
        connection.execute(f'INSERT INTO lake."{name}" SELECT * FROM _rows')
        connection.unregister("_rows")
    return connection


@dataclass(frozen=True)
class MemoryLake(Lake):
    """Has the interface of `Lake`. `hear` is told every statement of every reader and writer.

    A reader of a snapshot gets a database of its own, since it may confine it. With `keeps` it is the snapshot
    that was asked for (its number is that of the stages then), else the latest.
    """

    database: duckdb.DuckDBPyConnection
    hear: Callable[[str], None] = quiet
    keeps: bool = False
    kept: dict[int, dict[str, pa.Table]] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        return True

    def bring_up_to_date(self) -> None:
        """It is always of the present version."""

    @contextmanager
    def writing(self, threads: int | None = None, *, flushed: bool = False) -> Iterator[Writer]:  # noqa: ARG002
        prepare_folders(self)
        with self._session() as connection:
            connection.execute("BEGIN")
            # Closing a session rolls back what was not committed.
            yield Writer(connection, current_snapshot(connection))
            connection.execute("COMMIT")
        if self.keeps:
            self.kept[current_snapshot(self.database)] = tables_of(self.database)

    @contextmanager
    def reading(self, snapshot: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        if snapshot is None:
            with self._session() as connection:
                yield connection
            return
        held = copy_of(self.kept[snapshot] if self.keeps else tables_of(self.database))
        try:
            yield self._overheard(held)
        finally:
            held.close()

    @contextmanager
    def _session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        session = self.database.cursor()
        session.execute("USE lake.main")
        try:
            yield self._overheard(session)
        finally:
            session.close()

    def _overheard(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        return cast(duckdb.DuckDBPyConnection, Overheard(connection, self.hear))
