"""The lake's Parquet files: read by Spark as of one snapshot, and written for DuckLake to register."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from pipelines import schema
from pipelines.lake.engines import EngineError
from pipelines.lake.store import Lake, literal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SNAPSHOT = "_ducklake_internal_snapshot_id"
"""In files that DuckLake merged or flushed: the snapshot that a row came with."""

DAY = "_day"


@dataclass(frozen=True)
class _File:
    """A data file, and the file that names its deleted rows."""

    path: str
    deletes: str | None


@dataclass(frozen=True)
class LakeFiles:
    """The tables of a lake at a snapshot. Inlined rows must have been flushed."""

    session: SparkSession
    connection: duckdb.DuckDBPyConnection
    snapshot: int

    def frame(self, table: schema.Table) -> DataFrame:
        """A table's rows. Columns that a file is too old to have are null."""
        from pyspark.sql.pandas.types import from_arrow_schema  # noqa: PLC0415
        from pyspark.sql.types import LongType, StructType  # noqa: PLC0415

        wanted = from_arrow_schema(table.arrow)
        files = self._files(table.name)
        if not files:
            return self.session.createDataFrame([], wanted)
        reading = StructType([*wanted.fields]).add(_SNAPSHOT, LongType())
        whole = [file.path for file in files if file.deletes is None]
        parts = [self._read(whole, reading)] if whole else []
        if len(whole) < len(files):
            parts.append(self._without_deleted([file for file in files if file.deletes is not None], reading))
        frame = parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1])
        frame = frame.where(f"{_SNAPSHOT} IS NULL OR {_SNAPSHOT} <= {self.snapshot}")
        return frame.select(*(f"`{name}`" for name in table.columns))

    def _files(self, table: str) -> list[_File]:
        rows = self.connection.execute(
            f"SELECT data_file, delete_file, data_file_encryption_key IS NOT NULL FROM ducklake_list_files("
            f"'lake', {literal(table)}, snapshot_version => {self.snapshot})"
        ).fetchall()
        if any(row[2] for row in rows):
            msg = "engine: spark cannot read a lake whose files are encrypted"
            raise EngineError(msg)
        return [_File(str(row[0]), None if row[1] is None else str(row[1])) for row in rows]

    def _read(self, paths: Sequence[str], columns: object) -> DataFrame:
        return self.session.read.schema(columns).parquet(*map(escaped, paths))  # type: ignore[arg-type]

    def _without_deleted(self, files: Sequence[_File], columns: object) -> DataFrame:
        """The rows of files that no delete file names, by the file's name (unique in a lake) and the row's place."""
        from pyspark.sql import functions as f  # noqa: PLC0415

        deletes = [file.deletes for file in files if file.deletes is not None]
        gone = self._read(deletes, f"file_path STRING, pos BIGINT, {_SNAPSHOT} BIGINT")
        gone = gone.where(f"{_SNAPSHOT} IS NULL OR {_SNAPSHOT} <= {self.snapshot}").select(
            f.substring_index("file_path", "/", -1).alias("_gone_file"), f.col("pos").alias("_gone_row")
        )
        rows = self._read([file.path for file in files], columns).select(
            "*", f.col("_metadata.file_name").alias("_file"), f.col("_metadata.row_index").alias("_row")
        )
        met = (f.col("_file") == f.col("_gone_file")) & (f.col("_row") == f.col("_gone_row"))
        return rows.join(gone, met, "left_anti").drop("_file", "_row")


def escaped(path: str) -> str:
    """A path whose signs Hadoop would take for a glob."""
    return re.sub(r"([\[\]{}*?\\])", r"\\\1", path)


def write(frame: DataFrame, folder: Path) -> list[Path]:
    """Write a frame to Parquet files in a new folder; those that hold rows."""
    frame.write.parquet(str(folder))
    return sorted(folder.rglob("*.parquet"))


def register(
    lake: Lake, connection: duckdb.DuckDBPyConnection, table: schema.Table, frame: DataFrame, folder: Path
) -> None:
    """Write a frame into the lake's data folder and register each file once, within the connection's transaction.

    Until the transaction commits, the files are orphans that `workertrail maintain` takes away. A table that is
    parted by days gets files of one day each.
    """
    writing = frame
    if table.by_day_of is not None:
        writing = frame.selectExpr("*", f"CAST(`{table.by_day_of}` AS DATE) AS {DAY}").repartition(DAY)
        writing.write.partitionBy(DAY).parquet(str(folder))
        written = sorted(folder.rglob("*.parquet"))
    else:
        written = write(frame, folder)
    for file in written:
        if not _rows(connection, file):
            continue
        home = lake.data / "main" / table.name / _day_folder(file)
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = home / f"spark-{uuid.uuid4()}.parquet"
        shutil.move(file, kept)
        kept.chmod(0o600)
        connection.execute(f"CALL ducklake_add_data_files('lake', {literal(table.name)}, {literal(str(kept))})")


def _day_folder(file: Path) -> Path:
    """The folder of a file's day, named as DuckLake names it: it reads the partition from there and nowhere else."""
    prefix = f"{DAY}="
    if not file.parent.name.startswith(prefix):
        return Path()
    day = date.fromisoformat(file.parent.name.removeprefix(prefix))
    return Path(f"year={day.year}", f"month={day.month}", f"day={day.day}")


def _rows(connection: duckdb.DuckDBPyConnection, file: Path) -> int:
    row = connection.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata({literal(str(file))})").fetchone()
    return int(row[0]) if row else 0


def plain(table: pa.Table) -> pa.Table:
    """The table in types that Spark has: text of one width, signed numbers, times in microseconds."""
    return table.cast(pa.schema([pa.field(field.name, _plain(field.type)) for field in table.schema]))


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_unsigned_integer(kind):
        return pa.int64()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    if isinstance(kind, pa.ListType | pa.LargeListType):
        return pa.list_(_plain(kind.value_type))
    return pa.struct([(field.name, _plain(field.type)) for field in kind]) if isinstance(kind, pa.StructType) else kind
