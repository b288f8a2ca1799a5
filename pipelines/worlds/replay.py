"""A world handed out as time goes on: late, out of order, and some of it twice.

The logs lie below `held/` and come to `logs/` step by step. `deliveries.parquet` is the schedule (DELIVERIES and
`repeat`): an object comes whole, a file that grows by ranges of bytes, each behind the last.
"""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.worlds.deliver import DELIVERIES
from pipelines.worlds.draws import Draws
from pipelines.worlds.hard.rates import Rates

HELD = "held"
SCHEDULE = "deliveries.parquet"
_CURSOR = "delivered"
_LATE_HOURS = (0.5, 14.0)
_REPEAT_HOURS = (0.1, 20.0)


class NoReplay(Exception):
    """The folder holds no world that was written to be replayed."""


def schedule(sent: pl.DataFrame, rates: Rates, stream: Draws) -> pl.DataFrame:
    """The schedule of DELIVERIES in the order in which they come, with `repeat` for what comes once more.

    Some ranges of growing files come hours late, and all that stands behind them in the file with them.
    """
    rows = sent.sort("file", "byte_start")
    grows = pl.len().over("file") > 1
    hours = stream.uniform(*_LATE_HOURS, rows.height) * (stream.random(rows.height) < rates.late_ranges)
    delay = pl.Series((hours * 3_600e6).astype(np.int64)).cast(pl.Duration("us"))
    rows = rows.with_columns(
        pl.when(grows).then(pl.col("delivered_at") + delay).otherwise("delivered_at").alias("delivered_at")
    ).with_columns(pl.col("delivered_at").cum_max().over("file"), pl.lit(False).alias("repeat"))
    again = rows.filter(pl.Series(stream.random(rows.height) < rates.repeated_objects, dtype=pl.Boolean))
    hours = stream.uniform(*_REPEAT_HOURS, again.height)
    later = pl.Series((hours * 3_600e6).astype(np.int64)).cast(pl.Duration("us"))
    again = again.with_columns(pl.col("delivered_at") + later, pl.lit(True).alias("repeat"))
    return pl.concat([rows, again]).sort("delivered_at", "file", "byte_start", "repeat")


def ends_at(world: Path) -> datetime:
    """When the last delivery of a world comes (UTC). Raises NoReplay."""
    last = _schedule(world)["delivered_at"].max()
    if not isinstance(last, datetime):
        raise NoReplay(f"{world / SCHEDULE} holds no delivery")
    return last


def deliver(world: Path, until: datetime | None = None) -> int:
    """Hand out what is delivered by `until` (UTC; all where None) and was not yet; how many deliveries that were.

    Raises NoReplay where `world` is none that can be replayed.
    """
    rows = _schedule(world)
    cursor = world / HELD / _CURSOR
    done = int(cursor.read_text(encoding="ascii")) if cursor.exists() else 0
    due = rows.height if until is None else rows.filter(pl.col("delivered_at") <= until).height
    for file, start, end in rows.slice(done, max(due - done, 0)).select("file", "byte_start", "byte_end").iter_rows():
        _hand_out(world / HELD / file, world / file, start, end)
    cursor.write_text(str(max(due, done)), encoding="ascii")
    return max(due - done, 0)


def _schedule(world: Path) -> pl.DataFrame:
    place = world / SCHEDULE
    if not place.is_file():
        raise NoReplay(f"{world} has no {SCHEDULE}: write the world with --replay")
    return pl.read_parquet(place)


def _hand_out(held: Path, place: Path, start: int, end: int) -> None:
    """Put a range of a held file in its place: a whole file at once, as object stores do, a range behind the last."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if start == 0 and end == held.stat().st_size:
        if not place.exists() or place.stat().st_size <= end:
            unfinished = place.with_name(f".{place.name}.part")
            shutil.copyfile(held, unfinished)
            unfinished.replace(place)
        return
    with held.open("rb") as source, os.fdopen(os.open(place, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as target:
        source.seek(start)
        target.seek(start)
        target.write(source.read(end - start))


__all__ = ["DELIVERIES", "HELD", "SCHEDULE", "NoReplay", "deliver", "ends_at", "schedule"]
