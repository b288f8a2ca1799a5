"""Fields that do not say what was said: hidden for security, left out for their size, cut."""

from __future__ import annotations

import polars as pl

from pipelines.worlds.draws import Draws
from pipelines.worlds.hard.rates import Rates

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"

LONGEST_AGENT = 1_024
"""Characters of a user agent that CloudTrail keeps."""

_SENSITIVE = (
    r'"(secretString|messageBody|password|value|queryString|webIdentityToken|receiptHandle|items|key|pk)":"[^"]*"'
)
"""Parameters whose text services hide when they hide anything."""

_KEPT = ("s3", "sts", "iam")
"""Services that never hide the parameters of their records."""


def hardened(calls: pl.DataFrame, rates: Rates, stream: Draws) -> pl.DataFrame:
    """Calls with some fields hidden, left out or cut."""
    count = calls.height
    hidden = pl.Series("hidden", stream.random(count) < rates.redacted, dtype=pl.Boolean)
    omitted = pl.Series("omitted", stream.random(count) < rates.cut, dtype=pl.Boolean)
    long = pl.Series("long", stream.random(count) < rates.long_agents, dtype=pl.Boolean)
    original = pl.Series("original", stream.integers(102_401, 900_000, count), dtype=pl.Int64)
    return (
        calls.with_columns(hidden, omitted, long, original)
        .with_columns(
            pl.when(pl.col("request").is_not_null() & pl.col("omitted") & ~pl.col("service").is_in(_KEPT[1:]))
            .then(_omitted())
            .when(pl.col("hidden") & ~pl.col("service").is_in(_KEPT))
            .then(pl.col("request").str.replace_all(_SENSITIVE, f'"${{1}}":"{HIDDEN}"'))
            .otherwise("request")
            .alias("request"),
            pl.when("long").then(_telemetry().str.slice(0, LONGEST_AGENT)).otherwise("agent").alias("agent"),
        )
        .drop("hidden", "omitted", "long", "original")
    )


def _omitted() -> pl.Expr:
    """What stands for parameters that are too large for a record."""
    return pl.concat_str(
        pl.lit('{"omitted":true,"originalSize":'), pl.col("original").cast(pl.String),
        pl.lit(',"reason":"requestParameters too large"}'),
    )  # fmt: skip


def _telemetry() -> pl.Expr:
    """A user agent with all that an SDK and its wrappers may add to it, longer than is kept."""
    words = " ".join(f"md/wrapper-{number}#build-{number * 7919 % 100_003}" for number in range(50))
    return pl.concat_str("agent", pl.lit(f" {words}"))
