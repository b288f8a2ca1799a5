"""A small world's benign life, made once for all tests that look at it."""

from __future__ import annotations

from functools import cache

import polars as pl

from pipelines.worlds import life, populate
from pipelines.worlds.estate import Estate
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.size import Size

SIZE = Size(seed=7, workers=28, days=21, events=60_000)


@cache
def estate() -> Estate:
    return populate.estate(SIZE)


@cache
def lived() -> Happenings:
    """All days, each row with the `day` that it was made for left out."""
    return Happenings.all_of(life.day(estate(), SIZE, day) for day in range(SIZE.days))


def calls_of(kind: str) -> pl.DataFrame:
    """The calls of all workers of a kind."""
    return lived().calls.filter(pl.col("worker").is_in([one.name for one in estate().workers if one.kind == kind]))


def days_of(frame: pl.DataFrame) -> pl.Series:
    """On which day of the world each row is, from 0."""
    return (frame["at"].dt.date() - SIZE.first_day).dt.total_days()
