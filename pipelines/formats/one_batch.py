"""The engine that formats read a batch with."""

from __future__ import annotations

import duckdb


def connect() -> duckdb.DuckDBPyConnection:
    """An empty DuckDB of one thread: one reads a batch of Arrow anyhow, and others would only wait for it."""
    return duckdb.connect(config={"threads": 1})
