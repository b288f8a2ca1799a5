"""The truth about a world, below `truth/`; nothing but `workertrail evaluate` and tests may read it.

`world.json`: version, seed, workers, days, events (as asked for), first_day, records (written), and what makes the
logs hard: `rates` and the `silent` format. `events.parquet`: a row a written record (EVENTS). `incidents.parquet`,
`lookalikes.parquet`, `workers.parquet`: INCIDENTS, LOOKALIKES, WORKERS. Times are naive UTC.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.worlds.estate import Estate
from pipelines.worlds.hard.rates import Rates
from pipelines.worlds.hard.silence import Silence
from pipelines.worlds.plot import Placed
from pipelines.worlds.size import Size

VERSION = 1
_AT = pl.Datetime("us")

EVENTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "format": pl.String,
    "source": pl.String,
    "file": pl.String,  # relative to the world
    "ordinal": pl.Int64,  # position in the file, from 0
    "native_id": pl.String,  # eventID, uuid, or of a line 32 hex digits of its SHA-256, '#', and how many equal before
    "event": pl.String,
    "at": _AT,  # when it happened, by a clock that is right
    "system": pl.String,  # cloud, proxy, token
    "worker": pl.String,
    "delegator": pl.String,
    "run": pl.String,
    "incident": pl.String,
    "lookalike": pl.String,
    "is_copy": pl.Boolean,
    "issued": pl.Boolean,
}

INCIDENTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "incident": pl.String,
    "scenario": pl.String,
    "family": pl.String,
    "worker": pl.String,
    "intensity": pl.Float64,
    "started_at": _AT,
    "ended_at": _AT,
    "events": pl.Int64,  # written records that are no copies; 0: a silent source took all
}

LOOKALIKES: dict[str, pl.DataType | type[pl.DataType]] = {
    "lookalike": pl.String,
    "name": pl.String,
    "resembles": pl.String,  # the scenario
    "worker": pl.String,
    "started_at": _AT,
    "ended_at": _AT,
    "events": pl.Int64,
}

WORKERS: dict[str, pl.DataType | type[pl.DataType]] = {
    "worker": pl.String,
    "kind": pl.String,
    "first_day": pl.Date,
    "last_day": pl.Date,  # inclusive
    "days": pl.Int64,
}


class Truth:
    """Truth as it is written, day by day; to be closed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.records = 0
        self._counts: list[pl.DataFrame] = []
        self._schema: pa.Schema = pl.DataFrame(schema=EVENTS).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        self._events = pq.ParquetWriter(folder / "events.parquet", self._schema, compression="zstd")

    def add(self, rows: pl.DataFrame) -> None:
        """Rows of written records (EVENTS); they are sorted by time."""
        rows = rows.select(pl.col(name).cast(kind) for name, kind in EVENTS.items()).sort("at", "file", "ordinal")
        self.records += rows.height
        told = rows.filter(~pl.col("is_copy")).select(pl.coalesce("incident", "lookalike").alias("id"))
        self._counts.append(told.drop_nulls().group_by("id", maintain_order=True).len())
        self._events.write_table(rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self._schema))

    def close(self, size: Size, estate: Estate, placed: Sequence[Placed], rates: Rates, silent: Silence) -> None:
        """What is known once every day is written."""
        self._events.close()
        counts = pl.concat(self._counts).group_by("id").agg(pl.col("len").sum())
        events: dict[str, int] = dict(counts.iter_rows())
        attacks = [
            (one.id, one.scenario, one.family, one.worker, one.intensity, one.started_at, one.ended_at,
             events.get(one.id, 0))
            for one in placed if one.is_attack
        ]  # fmt: skip
        benign = [
            (one.id, one.name, one.scenario, one.worker, one.started_at, one.ended_at, events.get(one.id, 0))
            for one in placed if not one.is_attack
        ]  # fmt: skip
        self._write("incidents", pl.DataFrame(attacks, schema=INCIDENTS, orient="row"))
        self._write("lookalikes", pl.DataFrame(benign, schema=LOOKALIKES, orient="row"))
        self._write("workers", _workers(size, estate))
        world = {
            "version": VERSION,
            **asdict(size),
            "first_day": f"{size.first_day:%Y-%m-%d}",
            "records": self.records,
            "rates": asdict(rates),
            "silent": {
                "format": silent.format,
                "since": silent.since.isoformat() + "Z",
                "until": silent.until.isoformat() + "Z",
            },
        }
        (self.folder / "world.json").write_text(json.dumps(world, indent=2) + "\n", encoding="utf-8")

    def _write(self, name: str, rows: pl.DataFrame) -> None:
        pq.write_table(
            rows.to_arrow(compat_level=pl.CompatLevel.oldest()), self.folder / f"{name}.parquet", compression="zstd"
        )


def _workers(size: Size, estate: Estate) -> pl.DataFrame:
    rows = []
    for worker in estate.workers:
        last = min(size.days - 1, worker.last_day if worker.last_day is not None else size.days - 1)
        first_day, last_day = size.first_day + timedelta(worker.first_day), size.first_day + timedelta(last)
        rows.append((worker.name, worker.kind, first_day, last_day, last - worker.first_day + 1))
    return pl.DataFrame(rows, schema=WORKERS, orient="row")
