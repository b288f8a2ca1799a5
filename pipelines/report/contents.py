"""Everything that the page shows, gathered from an engine that reads one snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.report import figures, queries_overview
from pipelines.report.contents_chains import Chain, chains
from pipelines.report.contents_findings import Finding, findings
from pipelines.report.contents_workers import Worker, workers
from pipelines.report.drawing import Drawing, drawing
from pipelines.report.prepare import prepare
from pipelines.report.queries_findings import counted_sql
from pipelines.report.selection import Bounds, Selection
from pipelines.report.text import plural
from pipelines.settings import Source

Row = dict[str, Any]


@dataclass(frozen=True)
class Origin:
    """What makes the report repeatable."""

    snapshot: int
    made_at: datetime
    version: str
    again: str
    """The command that makes the same report."""


@dataclass(frozen=True)
class Overview:
    """The first section."""

    sources: Sequence[Row]
    strengths: Sequence[Row]
    strengths_figure: Drawing | None
    days: Sequence[Row]
    days_figure: Drawing | None
    severities: dict[str, int]
    unattributed: Sequence[Row]
    faults: Sequence[Row]
    stages: Sequence[Row]


@dataclass(frozen=True)
class Coverage:
    """The section on what was seen and what cannot be."""

    covered: Sequence[Row]
    figure: Drawing | None
    missing: Sequence[Row]
    step_hours: int


@dataclass(frozen=True)
class Contents:
    """The page's parts."""

    origin: Origin
    selection: Selection
    bounds: Bounds
    overview: Overview
    findings: Sequence[Finding]
    found: int
    detectors: Sequence[str]
    chains: Sequence[Chain]
    chains_found: int
    workers: Sequence[Worker]
    workers_found: int
    coverage: Coverage


def gather(
    engine: DuckDBEngine, sources: Sequence[Source], selection: Selection, bounds: Bounds, origin: Origin
) -> Contents:
    """Run every query of the report; `selection` has both ends, unless the lake holds nothing in it."""
    prepare(engine, sources, selection, bounds)
    counted = engine.query(counted_sql()).to_pylist()
    return Contents(
        origin=origin,
        selection=selection,
        bounds=bounds,
        overview=_overview(engine, selection, bounds, counted),
        findings=findings(engine, bounds),
        found=sum(row["findings"] for row in counted),
        detectors=sorted({row["detector"] for row in counted if row["told"]}),
        chains=chains(engine, bounds),
        chains_found=_count(engine, "chains_ranked"),
        workers=workers(engine, selection, bounds),
        workers_found=_count(engine, "workers_ranked"),
        coverage=_coverage(engine, selection, bounds),
    )


def _overview(engine: DuckDBEngine, selection: Selection, bounds: Bounds, counted: Iterable[Row]) -> Overview:
    strengths = engine.query(queries_overview.strengths_sql())
    days = engine.query(queries_overview.findings_by_day_sql())
    severities = dict.fromkeys(figures.SEVERITIES, 0)
    for row in counted:
        severities[row["severity"]] = severities.get(row["severity"], 0) + row["findings"]
    found = sum(severities.values())
    return Overview(
        sources=engine.query(queries_overview.sources_sql()).to_pylist(),
        strengths=strengths.to_pylist(),
        strengths_figure=drawing("strengths", figures.strengths(strengths), "How strongly each source is attributed")
        if strengths.num_rows
        else None,
        days=days.to_pylist(),
        days_figure=drawing(
            "days",
            figures.findings_by_day(days, selection),
            f"{plural(found, 'finding')} by day and severity",
        )
        if days.num_rows
        else None,
        severities=severities,
        unattributed=engine.query(queries_overview.unattributed_sql(bounds)).to_pylist(),
        faults=engine.query(queries_overview.faults_sql(bounds)).to_pylist(),
        stages=engine.query(queries_overview.stages_sql()).to_pylist(),
    )


def _coverage(engine: DuckDBEngine, selection: Selection, bounds: Bounds) -> Coverage:
    seen = engine.query(queries_overview.seen_sql(selection))
    return Coverage(
        covered=engine.query(queries_overview.covered_sql(selection)).to_pylist(),
        figure=drawing("seen", figures.seen(seen, selection.step_hours), "Actions of workers seen by source and time")
        if seen.num_rows
        else None,
        missing=engine.query(queries_overview.missing_sql(selection, bounds)).to_pylist(),
        step_hours=selection.step_hours,
    )


def _count(engine: DuckDBEngine, table: str) -> int:
    return int(engine.query(f"SELECT count(*) AS rows FROM {table}").column("rows")[0].as_py())
