"""The drawn chains: each with its findings, its hops, its figure and its first actions as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.report import figures
from pipelines.report import queries_chains as queries
from pipelines.report.contents_findings import by
from pipelines.report.drawing import Drawing, drawing
from pipelines.report.selection import Bounds
from pipelines.report.text import plural

Row = dict[str, Any]

MAX_ROWS = 40
"""Actions of a chain that are also listed, for those who cannot hover."""


@dataclass(frozen=True)
class Chain:
    """A chain that is drawn; `drawn` of its actions are points, the first of them rows."""

    row: Row
    findings: Sequence[Row]
    hops: Sequence[Row]
    rows: Sequence[Row]
    drawn: int
    figure: Drawing | None

    @property
    def id(self) -> str:
        return str(self.row["chain_id"])


def chains(engine: DuckDBEngine, bounds: Bounds) -> list[Chain]:
    """The drawn chains, those with the worst findings first."""
    engine.let("members", queries.members_sql())
    engine.let("lanes", queries.lanes_sql())
    engine.let("points", queries.points_sql(bounds))
    engine.let("chain_hops", queries.hops_sql())
    findings = by(engine.query(queries.findings_of_sql()).to_pylist(), "chain_id")
    return [_chain(engine, row, findings[row["chain_id"]]) for row in engine.query(queries.drawn_sql()).to_pylist()]


def _chain(engine: DuckDBEngine, row: Row, findings: Sequence[Row]) -> Chain:
    # Chain ids are this project's own UUIDs, never text of a log.
    where = f"WHERE chain_id = '{row['chain_id']}'"
    points = engine.query(f"SELECT * FROM points {where} ORDER BY time, action_uid")
    hops = engine.query(f"SELECT * FROM chain_hops {where} ORDER BY nth")
    label = f"{plural(row['actions'], 'action')} of {row['worker']} over time, a lane a system"
    return Chain(
        row=row,
        findings=findings,
        hops=hops.to_pylist(),
        rows=points.slice(0, MAX_ROWS).to_pylist(),
        drawn=points.num_rows,
        figure=drawing(f"chain-{row['chain_id']}", figures.chain(points, hops), label) if points.num_rows else None,
    )
