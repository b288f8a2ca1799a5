"""The engine that formats read a batch with."""

from __future__ import annotations

from functools import cache

import duckdb


def connect() -> duckdb.DuckDBPyConnection:
    """An empty DuckDB of one thread: one reads a batch of Arrow anyhow, and others would only wait for it.

    A list of words (`x IN ('a', 'b', ...)`) stays a comparison: DuckDB makes a join of each longer one, and dozens of
    those take a quarter of a second however small the batch.
    """
    return duckdb.connect(config={"threads": 1, "disabled_optimizers": "in_clause"})


@cache
def zones() -> tuple[str, ...]:
    """The names of the time zones that `timezone(name, timestamp)` knows; any other name would be an error."""
    with connect() as connection:
        return tuple(str(name) for (name,) in connection.execute("SELECT name FROM pg_timezone_names()").fetchall())
