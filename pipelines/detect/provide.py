"""The tables that detectors read, made from the lake as stage (b) left it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from detectors.addresses import let_addresses
from detectors.engine import Engine
from detectors.provided import ATTRIBUTION, SOURCES
from pipelines import schema
from pipelines.formats import all_formats
from pipelines.lake.views import attributions_sql
from pipelines.settings import Source

_HORIZONS = """
    SELECT source, coalesce(max(time) FILTER (WHERE time <= ingested_at + INTERVAL 1 DAY), max(time)) AS horizon
    FROM actions GROUP BY source
"""
"""A record from the future (a broken clock) does not say that its source has told everything until then."""

_FROM_ATTRIBUTION = {"delegator": "coalesce(t.delegator, a.delegator)"}


def provide(engine: Engine, sources: Sequence[Source]) -> None:
    """`attributed`, `contested`, `addresses`, `horizons`, `sources`, `observes` and `roles`.

    The manifest tables must be there. `sources` are those that are configured.
    """
    engine.let("sources", _sources(sources))
    engine.let("attributions_now", attributions_sql())
    columns = ", ".join(
        f"{_FROM_ATTRIBUTION.get(name, f'a.{name}')} AS {name}"
        for name in schema.ACTIONS.columns
        if name == "delegator" or name not in ATTRIBUTION.names
    )
    told = ", ".join(f"t.{name}" for name in ATTRIBUTION.names if name not in {"delegator", "manifest_sha"})
    for name, which in (("attributed", "a.is_primary"), ("contested", "a.flag IS NOT NULL")):
        engine.let(
            name,
            f"""
            SELECT {columns}, {told}, v.manifest_sha
            FROM actions AS a
            JOIN attributions_now AS t ON t.action_uid = a.action_uid
            LEFT JOIN manifest_versions AS v
              ON v.worker = t.worker AND a.time >= v.valid_from AND a.time < v.valid_to
            WHERE {which}
            """,
        )
    let_addresses(engine)
    engine.let("horizons", _HORIZONS)
    engine.let(
        "roles",
        """
        SELECT worker, role FROM manifest_versions
        QUALIFY row_number() OVER (PARTITION BY worker ORDER BY valid_from DESC) = 1
        """,
    )
    engine.let("observes", _observes(sources))


def _sources(sources: Sequence[Source]) -> pa.Table:
    """The configured sources as SOURCES."""
    rows = [{"source": one.name, "format": one.format.name, "category": one.format.category} for one in sources]
    return pa.Table.from_pylist(rows, SOURCES)


def _observes(sources: Sequence[Source]) -> pa.Table:
    """What each format can show: also those that are in nobody's source any more, and those that options make."""
    known = all_formats() | {one.format.name: one.format for one in sources}
    pairs = [(name, column) for name, item in sorted(known.items()) for column in sorted(item.observes)]
    return pa.table(
        {
            "format": pa.array([name for name, _ in pairs], pa.string()),
            "column": pa.array([column for _, column in pairs], pa.string()),
        }
    )
