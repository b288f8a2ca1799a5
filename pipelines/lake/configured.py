"""Which engine the configuration names: the one place that knows them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.lake.duckdb_engine import DuckDBEngines
from pipelines.lake.engines import Engines


@dataclass(frozen=True)
class EngineChoice:
    """`name` is duckdb or spark; `master` and `conf` are Spark's."""

    name: str = "duckdb"
    master: str = "local[*]"
    conf: Mapping[str, str] = field(default_factory=dict)


def engines(choice: EngineChoice) -> Engines:
    """The engine of this name."""
    if choice.name == "duckdb":
        return DuckDBEngines()
    from pipelines.lake.spark_engine import SparkEngines  # noqa: PLC0415  # most runs do without it
    from pipelines.lake.spark_session import Spark  # noqa: PLC0415

    return SparkEngines(Spark(choice.master, choice.conf))
