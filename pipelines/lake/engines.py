"""What a stage asks of an engine beyond its three verbs: to hand results over to the lake's writer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from detectors.engine import Engine
from pipelines import schema
from pipelines.lake.lock import LakeError
from pipelines.lake.store import Lake

ROWS_A_BATCH = 100_000


class TooLong(Exception):
    """A statement was stopped because its time was over."""


class EngineError(LakeError):
    """The engine cannot be had, or was lost in the middle; nothing of the stage is in the lake. The text says why."""


class StageEngine(Engine, Protocol):
    """An engine over a lake at one snapshot, and over the writer's connection where there is one."""

    def limited(self, seconds: float | None) -> StageEngine:
        """The same engine with the same tables, whose statements are stopped after so many seconds (null: never)."""

    def lend(self, name: str, table: pa.Table) -> None:
        """Name a big table of the driver; it is read where it lies if that can be."""

    def hand_over(self, *names: str) -> None:
        """Make results that are known by these names readable, by the same names, on the writer's connection."""

    def append(self, table: schema.Table, sql: str) -> None:
        """Append the rows of a SELECT, which gives all columns of the lake's table in order, in the writer's
        transaction.
        """


class Engines(Protocol):
    """The configured engine: what stages open, each over its own snapshot."""

    @property
    def reads_files(self) -> bool:
        """Whether it reads the lake's files itself, so that inlined rows must be flushed before a snapshot is read."""

    def over(
        self, lake: Lake, connection: duckdb.DuckDBPyConnection, snapshot: int
    ) -> AbstractContextManager[StageEngine]:
        """An engine over the lake's tables at a snapshot. `connection` is the lake's, and the writer's if it writes.

        Raises EngineError, then and by every verb, where the engine cannot be had or is lost.
        """

    def each(
        self, scratch: Path, table: pa.Table, function: Callable[[pa.Table], pa.Table], given: pa.Schema
    ) -> pa.Table:
        """Record-local work outside of any lake: `function` on batches of `table`; its results, as `given`.

        `scratch` is a folder that the engine may use for the time being.
        """
