"""The engine of one machine: DuckDB runs every verb in the process, on the lake's connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Timer

import duckdb
import pyarrow as pa

from pipelines import schema as tables
from pipelines.lake.engines import ROWS_A_BATCH, TooLong
from pipelines.lake.store import Lake

__all__ = ["ROWS_A_BATCH", "DuckDBEngine", "DuckDBEngines", "TooLong"]


def _ignore(_sql: str) -> None:
    """The default listener."""


@dataclass
class DuckDBEngine:
    """See `detectors.engine.Engine`. `on_sql` hears every text that `let` and `query` are given.

    With `seconds` no statement runs for longer: it is stopped, and TooLong is raised. Nor does a whole `each`: what
    the function does with one batch is its own to bound, and no further batch is begun.
    """

    connection: duckdb.DuckDBPyConnection
    on_sql: Callable[[str], None] = field(default=_ignore)
    seconds: float | None = None

    def limited(self, seconds: float | None) -> DuckDBEngine:
        """The same engine with the same tables, whose statements are stopped after so many seconds (null: never)."""
        return replace(self, seconds=seconds)

    def each(self, name: str, table: str, function: Callable[[pa.Table], pa.Table], schema: pa.Schema) -> None:
        results: list[pa.Table] = []
        with self._in_time() as over:
            for batch in self.connection.execute(f'SELECT * FROM "{table}"').to_arrow_reader(ROWS_A_BATCH):
                if over.is_set():
                    raise TooLong(self._stopped)
                results.append(function(pa.Table.from_batches([batch])))
        self.let(name, pa.concat_tables(results).select(schema.names).cast(schema) if results else schema.empty_table())

    def let(self, name: str, source: str | pa.Table) -> None:
        if isinstance(source, str):
            self.on_sql(source)
            with self._in_time():
                self.connection.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {source}')
            return
        self.connection.register("_handed_over", source)
        try:
            self.connection.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS SELECT * FROM _handed_over')
        finally:
            self.connection.unregister("_handed_over")

    def query(self, sql: str) -> pa.Table:
        self.on_sql(sql)
        with self._in_time():
            return self.connection.execute(sql).to_arrow_table()

    def lend(self, name: str, table: pa.Table) -> None:
        """What is wide is not copied."""
        self.connection.register(name, table)

    def hand_over(self, *names: str) -> None:
        """The results are temporary tables of the writer's connection already."""

    def append(self, table: tables.Table, sql: str) -> None:
        columns = ", ".join(f'"{name}"' for name in table.columns)
        self.on_sql(sql)
        self.connection.execute(f'INSERT INTO lake."{table.name}" ({columns}) {sql}')

    @property
    def _stopped(self) -> str:
        return f"stopped after {self.seconds:g} s"

    @contextmanager
    def _in_time(self) -> Iterator[Event]:
        """Interrupts what runs when the time is over, and sets the event; TooLong for what was interrupted."""
        over = Event()
        if self.seconds is None:
            yield over
            return

        def stop() -> None:
            over.set()
            self.connection.interrupt()

        timer = Timer(self.seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            yield over
        except (duckdb.InterruptException, OSError) as error:  # Arrow's readers tell of an interruption by OSError
            if not over.is_set():
                raise
            raise TooLong(self._stopped) from error
        finally:
            timer.cancel()


@dataclass(frozen=True)
class DuckDBEngines:
    """See `pipelines.lake.engines.Engines`."""

    reads_files = False

    @contextmanager
    def over(self, lake: Lake, connection: duckdb.DuckDBPyConnection, snapshot: int) -> Iterator[DuckDBEngine]:  # noqa: ARG002
        yield DuckDBEngine(connection)

    def each(
        self,
        scratch: Path,  # noqa: ARG002
        table: pa.Table,
        function: Callable[[pa.Table], pa.Table],
        given: pa.Schema,
    ) -> pa.Table:
        batches = (function(pa.Table.from_batches([batch])) for batch in table.to_batches(ROWS_A_BATCH))
        return pa.concat_tables([given.empty_table(), *batches])
