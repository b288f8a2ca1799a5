"""Clocks that are wrong: one of several machines that write a log is some seconds off."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def sharded(rows: pl.DataFrame, shards: Sequence[str]) -> pl.DataFrame:
    """`shard` of requests: each client goes through one proxy, by the last number of its address."""
    last = pl.col("client").str.extract(r"(\d+)\D*$").cast(pl.Int64, strict=False).fill_null(0)
    names = pl.Series(list(shards), dtype=pl.String)
    return rows.with_columns(last.mod(len(shards)).replace_strict(range(len(shards)), names).alias("shard"))


def skewed(rows: pl.DataFrame, shard: str, seconds: float) -> pl.DataFrame:
    """`logged_at` as one machine writes it whose clock is ahead by so many seconds (behind where less than 0)."""
    off = pl.duration(milliseconds=round(seconds * 1_000))
    return rows.with_columns(
        pl.when(pl.col("shard") == shard).then(pl.col("logged_at") + off).otherwise("logged_at").alias("logged_at")
    )
