"""The engine that detectors, stitching and ingest compute on: three verbs, whatever runs behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pyarrow as pa


class Engine(Protocol):
    """Tables are known by bare names: those of the lake at one snapshot, and those made by `let` and `each`."""

    def each(self, name: str, table: str, function: Callable[[pa.Table], pa.Table], schema: pa.Schema) -> None:
        """Record-local work: call `function` on batches of `table`; its results (of `schema`) become table `name`."""

    def let(self, name: str, source: str | pa.Table) -> None:
        """Name an intermediate result, materialised: a DuckDB SELECT, or a small table from the driver."""

    def query(self, sql: str) -> pa.Table:
        """The rows of a DuckDB SELECT within the subset that both engines run."""
