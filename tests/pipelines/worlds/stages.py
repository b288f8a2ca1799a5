"""Stages for plays: a small estate with a worker of every kind, and the middle of a day in it."""

from collections.abc import Callable, Iterable
from datetime import datetime, time, timedelta
from functools import cache

import polars as pl

from pipelines.worlds import populate
from pipelines.worlds.draws import draws
from pipelines.worlds.estate import Estate, Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.scenario import Stage
from pipelines.worlds.size import Size

SIZE = Size(seed=5, workers=16, days=30, events=30_000)
DAY = 20


@cache
def small() -> Estate:
    """The estate of SIZE."""
    return populate.estate(SIZE)


def suited(suits: Callable[[Worker], bool]) -> Worker | None:
    """The first worker that lives throughout and suits."""
    return next((one for one in small().workers if one.last_day is None and one.first_day == 0 and suits(one)), None)


def stage(worker: Worker, intensity: float, name: str = "test") -> Stage:
    """Ten o'clock on the day."""
    at = datetime.combine(SIZE.first_day + timedelta(days=DAY), time(10))
    return Stage(small(), worker, at, DAY, SIZE.days, intensity, small().scale, draws(SIZE.seed, name))


def frames(happenings: Happenings) -> Iterable[pl.DataFrame]:
    """The three kinds of rows."""
    return happenings.calls, happenings.requests, happenings.issuings
