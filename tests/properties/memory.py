"""A lake in memory: the same tables, transactions and statements without DuckLake's files and catalog.

A whole run over it takes a tenth of the time, so that properties can be tried over many worlds. Its
snapshots are whole copies, made where a test asks for them; what needs a process that dies is tested on a real lake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import duckdb

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
    connection.execute("CREATE MACRO ducklake_current_snapshot(_catalog) AS TABLE SELECT count(*) AS id FROM lake.stages")
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


@dataclass(frozen=True)
class MemoryLake(Lake):
    """Has the interface of `Lake`. `hear` is told every statement of every reader and writer.

    With `keeps` a reader may ask for the snapshot that a stage left; a snapshot's number is that of its stages.
    """

    database: duckdb.DuckDBPyConnection
    hear: Callable[[str], None] = quiet
    keeps: bool = False

    @property
    def exists(self) -> bool:
        return True

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        prepare_folders(self)
        with self._session() as connection:
            connection.execute("BEGIN")
            # Closing a session rolls back what was not committed.
            yield Writer(connection, current_snapshot(connection))
            connection.execute("COMMIT")
        if self.keeps:
            self._keep()

    def _keep(self) -> None:
        name = f"snapshot_{current_snapshot(self.database)}"
        if not self.database.execute("FROM duckdb_databases() WHERE database_name = ?", [name]).fetchall():
            self.database.execute(f"ATTACH ':memory:' AS {name}; COPY FROM DATABASE lake TO {name}")

    @contextmanager
    def reading(self, snapshot: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._session("lake" if snapshot is None or not self.keeps else f"snapshot_{snapshot}") as connection:
            yield connection

    @contextmanager
    def _session(self, name: str = "lake") -> Iterator[duckdb.DuckDBPyConnection]:
        session = self.database.cursor()
        session.execute(f"USE {name}.main")
        try:
            yield cast(duckdb.DuckDBPyConnection, Overheard(session, self.hear))
        finally:
            session.close()
