"""Delivery: most records come within minutes, some late by up to hours and out of order."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines.worlds.draws import Draws
from pipelines.worlds.hard.rates import Rates

_LEAST_LATE = 15.0
"""Minutes from which on a record counts as delivered late."""

_SECONDS = 60


def delivered(rows: pl.DataFrame, rates: Rates, stream: Draws, *, by_object: bool) -> pl.DataFrame:
    """`delivered_at` and `late` of rows with `logged_at`.

    `by_object`: even prompt records take minutes, since objects are delivered now and then. Else a prompt record is
    there at once.
    """
    count = rows.height
    late = stream.random(count) < rates.late
    long = np.exp(stream.uniform(np.log(_LEAST_LATE), np.log(rates.longest_delay), count))
    prompt = stream.uniform(*rates.prompt_delay, count) if by_object else np.zeros(count)
    delay = np.where(late, long, prompt) * _SECONDS
    return rows.with_columns(
        (pl.col("logged_at") + pl.Series((delay * 1e6).astype(np.int64)).cast(pl.Duration("us"))).alias("delivered_at"),
        pl.Series("late", late),
    )
