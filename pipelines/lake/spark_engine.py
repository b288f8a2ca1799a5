"""The engine of many machines: Spark runs every verb, over the lake's own Parquet files at one snapshot."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from pipelines import schema as tables
from pipelines.lake import dialect, spark_files, spark_session
from pipelines.lake.engines import EngineError, TooLong
from pipelines.lake.spark_files import LakeFiles
from pipelines.lake.spark_session import Spark
from pipelines.lake.spark_steps import steps
from pipelines.lake.store import Lake, literal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

ROWS_A_GROUP = 10_000
"""Rows of a row group of what the driver hands to Spark: groups are what executors share."""

_TABLES = {table.name: table for table in tables.TABLES}


def _ignore(_sql: str) -> None:
    """The default listener."""


@dataclass
class SparkEngine:
    """See `pipelines.lake.engines.StageEngine`. `on_sql` hears every text that `let` and `query` are given.

    A result is kept in the executors' memory and on their disks (twice where there are several), so that the loss of
    one does not end the stage.
    """

    lake: Lake
    files: LakeFiles
    scratch: Path
    is_local: bool
    on_sql: Callable[[str], None] = field(default=_ignore)
    seconds: float | None = None
    made: set[str] = field(default_factory=set)

    def limited(self, seconds: float | None) -> SparkEngine:
        return replace(self, seconds=seconds)

    def each(self, name: str, table: str, function: Callable[[pa.Table], pa.Table], schema: pa.Schema) -> None:
        self._provide(table)
        with self._in_time():
            self._keep(name, _mapped(self.files.session.table(f"`{table}`"), function, schema))

    def let(self, name: str, source: str | pa.Table) -> None:
        if not isinstance(source, str):
            self.lend(name, source)
            return
        self.on_sql(source)
        with self._in_time():
            self._keep(name, self._run(source))

    def query(self, sql: str) -> pa.Table:
        self.on_sql(sql)
        with self._in_time():
            return _nullable(self._run(sql).toArrow())

    def lend(self, name: str, table: pa.Table) -> None:
        file = self.scratch / f"{uuid.uuid4()}.parquet"
        self._name(name, _lent(self.files.session, table, file))

    def hand_over(self, *names: str) -> None:
        for name in names:
            written = spark_files.write(self.files.session.table(f"`{name}`"), self.scratch / str(uuid.uuid4()))
            listed = ", ".join(literal(str(file)) for file in written)
            self.files.connection.execute(
                f'CREATE OR REPLACE TEMP VIEW "{name}" AS SELECT * FROM read_parquet([{listed}])'
            )

    def append(self, table: tables.Table, sql: str) -> None:
        self.on_sql(sql)
        with self._in_time():
            frame = self._run(sql).to(_spark_schema(table.arrow))
            spark_files.register(self.lake, self.files.connection, table, frame, self.scratch / str(uuid.uuid4()))

    def _run(self, sql: str) -> DataFrame:
        for name, rendered, read in _rendered(sql):
            for table in read:
                self._provide(table)
            frame = self.files.session.sql(rendered)
            if name is None:
                return frame
            self._keep(name, frame)
        raise AssertionError

    def _provide(self, name: str) -> None:
        """Name a table of the lake when a text first asks for it; what was made here comes first."""
        if name not in self.made and name in _TABLES:
            self._name(name, self.files.frame(_TABLES[name]))

    def _keep(self, name: str, frame: DataFrame) -> None:
        """Compute it now, and cut it off from how it was made: a walk's rounds would grow the plan without end."""
        from pyspark import StorageLevel  # noqa: PLC0415

        level = StorageLevel.MEMORY_AND_DISK if self.is_local else StorageLevel.MEMORY_AND_DISK_2
        self._name(name, frame.localCheckpoint(eager=True, storageLevel=level))

    def _name(self, name: str, frame: DataFrame) -> None:
        frame.createOrReplaceTempView(f"`{name}`")
        self.made.add(name)

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Cancels what runs when the time is over: TooLong. EngineError where Spark itself is gone."""
        over, done, context = Event(), Event(), self.files.session.sparkContext

        def stop() -> None:
            over.set()
            # A job may not have begun yet, and a text of several steps has several.
            while not done.wait(_CANCEL_SECONDS):
                context.cancelAllJobs()

        timer = None if self.seconds is None else Timer(self.seconds, stop)
        if timer is not None:
            timer.daemon = True
            timer.start()
        stopped = f"stopped after {self.seconds} s"
        try:
            yield
        except (TooLong, EngineError):
            raise
        except Exception as error:
            if over.is_set():
                raise TooLong(stopped) from error
            if spark_session.is_lost(self.files.session):
                raise EngineError(_LOST) from error
            raise
        else:
            if over.is_set():
                raise TooLong(stopped)
        finally:
            done.set()
            if timer is not None:
                timer.cancel()


_CANCEL_SECONDS = 0.2
"""How often what runs is told to stop, once its time is over."""

_LOST = "Spark was lost while a stage ran; nothing of that stage is in the lake, and the next run does it again"


@dataclass(frozen=True)
class SparkEngines:
    """See `pipelines.lake.engines.Engines`."""

    how: Spark

    reads_files = True

    @contextmanager
    def over(self, lake: Lake, connection: duckdb.DuckDBPyConnection, snapshot: int) -> Iterator[SparkEngine]:
        session = spark_session.session(self.how)
        scratch = lake.spool / f"spark-{uuid.uuid4()}"
        scratch.mkdir(parents=True, mode=0o700)
        try:
            yield SparkEngine(lake, LakeFiles(session, connection, snapshot), scratch, self.how.is_local)
            # A detector's failure is its own; that all fail since Spark is gone must not be committed.
            if spark_session.is_lost(session):
                raise EngineError(_LOST)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def each(
        self, scratch: Path, table: pa.Table, function: Callable[[pa.Table], pa.Table], given: pa.Schema
    ) -> pa.Table:
        session = spark_session.session(self.how)
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = scratch / f"{uuid.uuid4()}.parquet"
        try:
            return _nullable(_mapped(_lent(session, table, file), function, given).toArrow()).cast(given)
        except Exception as error:
            if spark_session.is_lost(session):
                raise EngineError(_LOST) from error
            raise
        finally:
            file.unlink(missing_ok=True)


_STEP = "step of "
"""How the names of intermediate results begin: no text can name a table so by chance."""


class _Rendered(NamedTuple):
    """A step in Spark SQL, its name (null: the last), and the bare names that it reads."""

    name: str | None
    sql: str
    reads: frozenset[str]


@lru_cache(maxsize=1_000)
def _rendered(sql: str) -> tuple[_Rendered, ...]:
    """The steps of a text. Raises NotPortable."""
    tree = dialect.portable(sql)
    if any(table.args.get("db") or not isinstance(table.this, exp.Identifier) for table in tree.find_all(exp.Table)):
        msg = "reads something other than a named table"
        raise dialect.NotPortable(msg)
    found = steps(tree, _STEP)
    reads = [frozenset(table.name for table in step.query.find_all(exp.Table)) for step in found]
    return tuple(
        _Rendered(step.name, dialect.render(step.query), read) for step, read in zip(found, reads, strict=True)
    )


def _mapped(frame: DataFrame, function: Callable[[pa.Table], pa.Table], schema: pa.Schema) -> DataFrame:
    """The function over the frame's batches, in the executors; DuckDB or polars may run within."""

    def batches(given: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in given:
            table = function(pa.Table.from_batches([batch]))
            yield from table.select(schema.names).cast(schema).to_batches()

    return frame.mapInArrow(batches, _spark_schema(schema))


def _spark_schema(schema: pa.Schema) -> StructType:
    from pyspark.sql.pandas.types import from_arrow_schema  # noqa: PLC0415

    return from_arrow_schema(schema)


def _lent(session: SparkSession, table: pa.Table, file: Path) -> DataFrame:
    """A table of the driver, by way of a file that the executors can read."""
    plain = spark_files.plain(table)
    pq.write_table(plain, file, row_group_size=ROWS_A_GROUP, compression="zstd")
    return session.read.schema(_spark_schema(plain.schema)).parquet(spark_files.escaped(str(file)))


def _nullable(table: pa.Table) -> pa.Table:
    """Spark says of some columns that they are never null, DuckDB of none."""
    return table.cast(pa.schema([field.with_nullable(True) for field in table.schema]))
