"""Rows as logged become files: texts by the column, cut into objects or appended to files that grow."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from datetime import timedelta
from pathlib import Path
from typing import cast

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from isal import igzip

from pipelines.worlds.draws import Draws, base62
from pipelines.worlds.emit.emitter import Emitter

BATCH = 50_000
"""Records whose texts are in memory at once (some 1.5 kB each)."""

_AT_ONCE = 10_000
"""Records whose texts one thread makes at once."""
_GZIP_LEVEL = 1
_FULL_OBJECT = 200
"""Records that an object should hold, where the world is large enough."""

WINDOWS_A_DAY = (288, 144, 72, 48, 24, 12, 8)
"""Into how many windows of delivery a day may be cut: CloudTrail delivers about every five minutes."""

DELIVERIES: dict[str, pl.DataType | type[pl.DataType]] = {
    "delivered_at": pl.Datetime("us"),
    "file": pl.String,  # relative to the world
    "byte_start": pl.Int64,
    "byte_end": pl.Int64,
}


def window_of(calls_a_day: float, places: int) -> timedelta:
    """How long objects are gathered, where `places` (accounts and regions) each have objects of their own."""
    fits = [count for count in WINDOWS_A_DAY if calls_a_day / places / count >= _FULL_OBJECT]
    return timedelta(days=1) / (fits[0] if fits else WINDOWS_A_DAY[-1])


class Files:
    """Writes the files of one format below the folder `logs`, objects `window` by `window`."""

    def __init__(self, emitter: Emitter, logs: Path, window: timedelta, pool: Executor) -> None:
        self.emitter, self.logs, self.window, self.pool = emitter, logs, window, pool
        self._folders: set[Path] = set()
        self._connection = duckdb.connect()
        # One thread a query: several do not keep the order of rows that come from Arrow.
        self._connection.execute("SET threads = 1")

    def close(self) -> None:
        self._connection.close()

    def write(self, rows: pl.DataFrame, stream: Draws) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Write the records; no later call may write to the same files.

        Gives the rows with `file` (relative to the world), `ordinal` and `native_id`, and DELIVERIES.
        """
        if rows.is_empty():
            nothing = [pl.lit("").alias("file"), pl.lit(0).alias("ordinal"), pl.lit("").alias("native_id")]
            return rows.with_columns(nothing), pl.DataFrame(schema=DELIVERIES)
        ordered = self._objects(rows, stream) if self.emitter.layout == "objects" else self._lines(rows)
        ordered = ordered.with_columns(pl.int_range(pl.len()).over("file").alias("ordinal"))
        told = [self._write(batch) for batch in self._batches(ordered)]
        named = ordered.with_columns(pl.concat(ids for ids, _ in told).alias("native_id"))
        if self.emitter.native_id is None:
            before = pl.int_range(pl.len()).over("file", "native_id").cast(pl.String)
            named = named.with_columns(pl.concat_str("native_id", pl.lit("#"), before).alias("native_id"))
        return named, pl.concat(sent for _, sent in told)

    def _objects(self, rows: pl.DataFrame, stream: Draws) -> pl.DataFrame:
        """Rows with the `file` of their object, ordered by object and in no order within."""
        parts = [*self.emitter.parts, "slot"]
        slotted = rows.with_columns(pl.col("delivered_at").dt.truncate(self.window).alias("slot"))
        objects = slotted.group_by(parts).agg(pl.col("delivered_at").max()).sort(parts)
        objects = objects.with_columns(base62(stream, 16, objects.height).alias("token"))
        objects = objects.with_columns(self._file())
        return (
            slotted.drop("delivered_at")
            .join(objects.select(*parts, "file", "delivered_at"), on=parts, how="left")
            .drop("slot")
            .sort("file", "event", "is_copy")
        )

    def _lines(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with their `file`, in the order of its lines."""
        return rows.with_columns(self._file()).sort("file", "delivered_at", "event", "is_copy")

    def _file(self) -> pl.Expr:
        return pl.concat_str(pl.lit(f"{self.emitter.folder}/"), self.emitter.file).alias("file")

    def _batches(self, placed: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """The rows in parts of about BATCH, no object in two of them."""
        starts = placed["ordinal"].to_numpy() == 0
        whole = np.flatnonzero(starts) if self.emitter.layout == "objects" else np.arange(0, placed.height, BATCH)
        start = 0
        while start < placed.height:
            later = whole[whole >= start + BATCH]
            end = int(later[0]) if len(later) else placed.height
            yield placed.slice(start, end - start)
            start = end

    def _write(self, batch: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
        """Write the texts of a batch: their native ids, and DELIVERIES (a row an object, or a row an hour's lines)."""
        ids, offsets, data = self._texts(batch)
        cut = self._cuts(batch)
        first = batch.select("file", "delivered_at")[cut]
        files = first["file"].to_list()
        ends = np.append(offsets[cut[1:]], offsets[batch.height]).tolist()
        parts = [data[start:end] for start, end in zip(offsets[cut].tolist(), ends, strict=True)]
        put = self._whole if self.emitter.layout == "objects" else self._appended
        ranges = put(files, parts)
        return ids, first.with_columns(
            pl.Series("byte_start", [start for start, _ in ranges], pl.Int64),
            pl.Series("byte_end", [end for _, end in ranges], pl.Int64),
        ).select(DELIVERIES.keys())

    def _texts(self, batch: pl.DataFrame) -> tuple[pl.Series, npt.NDArray[np.int64], memoryview]:
        """Native ids, and all texts as one run of bytes with where each begins; what parts them is part of them."""
        parts = [batch.slice(start, _AT_ONCE) for start in range(0, batch.height, _AT_ONCE)]
        table = pa.concat_tables(self.pool.map(self._rendered, parts))
        texts = table["told"].cast(pa.large_string()).combine_chunks()
        if texts.null_count or not pl.Series(pl.from_arrow(table["event"])).equals(batch["event"]):
            raise ValueError(f"{self.emitter.format}: a record has no text, or stands in another's place")
        # The two buffers of text that is not null: where each begins, and the bytes.
        offsets, data = (memoryview(cast("bytes", buffer)) for buffer in texts.buffers()[1:])
        ids = pl.Series("native_id", pl.from_arrow(table["native_id"]))
        return ids, np.frombuffer(offsets, np.int64)[: len(texts) + 1], data

    def _rendered(self, part: pl.DataFrame) -> pa.Table:
        """The columns `told`, `native_id` and `event` of rows, in their order."""
        native = self.emitter.native_id or "substr(sha256(told), 1, 32)"
        parted = "',' || told" if self.emitter.layout == "objects" else "told || chr(10)"
        with self._connection.cursor() as connection:
            connection.register("happened", part.to_arrow())
            return connection.execute(
                f"""SELECT {parted} AS told, {native} AS native_id, event
                    FROM (SELECT *, {self.emitter.text} AS told FROM happened)"""
            ).to_arrow_table()

    def _cuts(self, batch: pl.DataFrame) -> npt.NDArray[np.int64]:
        """Where in the batch begins what is delivered as one: an object, or the lines of one hour."""
        changed = pl.col("file") != pl.col("file").shift()
        if self.emitter.layout == "lines":
            hour = pl.col("delivered_at").dt.truncate("1h")
            changed = changed | (hour != hour.shift())
        return np.flatnonzero(batch.select(changed.fill_null(True)).to_series().to_numpy())

    def _whole(self, files: list[str], parts: list[memoryview]) -> list[tuple[int, int]]:
        """Write objects; each part begins with a comma."""

        def packed(part: memoryview) -> bytes:
            return igzip.compress(self.emitter.head + bytes(part[1:]) + self.emitter.tail, _GZIP_LEVEL, mtime=0)

        ranges = []
        for file, content in zip(files, self.pool.map(packed, parts), strict=True):
            self._place(file).write_bytes(content)
            ranges.append((0, len(content)))
        return ranges

    def _appended(self, files: list[str], parts: list[memoryview]) -> list[tuple[int, int]]:
        """Append lines to files."""
        ranges = []
        for file, part in zip(files, parts, strict=True):
            with self._place(file).open("ab") as opened:
                start = opened.tell()
                opened.write(part)
            ranges.append((start, start + len(part)))
        return ranges

    def _place(self, file: str) -> Path:
        """Where a file of the world is written, its folder made."""
        place = self.logs / file
        if place.parent not in self._folders:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(place.parent)
        return place
