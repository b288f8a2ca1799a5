"""Records that are told more than once: twins in two accounts, a second trail, and deliveries that repeat."""

from __future__ import annotations

import polars as pl

from pipelines.worlds.draws import Draws
from pipelines.worlds.hard.late import delivered
from pipelines.worlds.hard.rates import Rates


def twins(calls: pl.DataFrame) -> pl.DataFrame:
    """`is_copy` of calls that both accounts have a record of: the caller's is the original."""
    both = pl.col("shared_id").is_not_null() & (pl.len().over("shared_id") > 1)
    foreign = pl.col("account") != pl.col("caller_account")
    return calls.with_columns((both & foreign).fill_null(False).alias("is_copy"))


def second_trail(calls: pl.DataFrame, account: str, shard: str, rates: Rates, stream: Draws) -> pl.DataFrame:
    """The management events of one account once more, for another trail: the same text in other objects."""
    again = calls.filter((pl.col("account") == account) & ~pl.col("is_data"))
    late = again["late"]
    again = again.with_columns(pl.lit(shard).alias("shard"), pl.lit(True).alias("is_copy"))
    # The text says whether a record came late, and is the same wherever it is written.
    return delivered(again, rates, stream, by_object=True).with_columns(late)


def repeated(rows: pl.DataFrame, rates: Rates, stream: Draws, *, within_minutes: float) -> pl.DataFrame:
    """Some rows once more, as they are delivered again up to so many minutes later."""
    again = rows.filter(pl.Series(stream.random(rows.height) < rates.repeated, dtype=pl.Boolean))
    later = pl.Series((stream.uniform(0, within_minutes * 60e6, again.height)).astype("int64")).cast(pl.Duration("us"))
    return again.with_columns((pl.col("delivered_at") + later).alias("delivered_at"), pl.lit(True).alias("is_copy"))
