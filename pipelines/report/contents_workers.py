"""A worker's page: its manifest, declared against used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from detectors.manifest_model import DIMENSIONS
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.report import figures
from pipelines.report import queries_limits as limits
from pipelines.report import queries_workers as queries
from pipelines.report.contents_findings import by
from pipelines.report.drawing import Drawing, drawing
from pipelines.report.selection import Bounds, Selection
from pipelines.report.text import shown, span

Row = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A line of a manifest's scope (or of its secrets) and how often it decided."""

    effect: str
    text: str
    place: str
    actions: int
    tried: int
    last_at: datetime | None


@dataclass(frozen=True)
class Limit:
    """A limit, the fullest that it was, and its course; without a figure where nothing was measured."""

    measure: str
    at_most: str
    per: str
    place: str
    fullest: str | None
    fullest_at: datetime | None
    over: int
    figure: Drawing | None
    drawable: bool


@dataclass(frozen=True)
class Worker:
    """Everything on one worker's page."""

    head: Row
    facts: Sequence[tuple[str, Any]]
    verdicts: dict[str, Row]
    lines: Sequence[Line]
    beyond: Sequence[Row]
    declared: Sequence[Row]
    undeclared: Sequence[Row]
    limits: Sequence[Limit]
    days: Drawing | None
    chains: Sequence[Row]
    earlier: Row | None

    @property
    def name(self) -> str:
        return str(self.head["worker"])


@dataclass(frozen=True)
class _Tables:
    """Rows of all chosen workers by worker."""

    used: dict[Any, list[Row]]
    verdicts: dict[Any, list[Row]]
    beyond: dict[Any, list[Row]]
    declared: dict[Any, list[Row]]
    undeclared: dict[Any, list[Row]]
    limits: dict[Any, list[Row]]
    chains: dict[Any, list[Row]]
    earlier: dict[Any, list[Row]]
    levels: pa.Table
    hours: pa.Table


def workers(engine: DuckDBEngine, selection: Selection, bounds: Bounds) -> list[Worker]:
    """The chosen workers, those with the worst findings first."""
    engine.let("all_identities_latest", queries.identities_sql())
    engine.let("used_names", queries.used_names_sql())
    engine.let("shown_limits", limits.limits_sql())
    engine.let("amounts", limits.amounts_sql())
    engine.let("summed_levels", limits.summed_levels_sql(selection))
    engine.let("things", limits.things_sql())
    engine.let("distinct_levels", limits.distinct_levels_sql(selection))
    engine.let("credential_levels", limits.credential_levels_sql(selection))

    def rows(sql: str) -> dict[Any, list[Row]]:
        return by(engine.query(sql).to_pylist(), "worker")

    tables = _Tables(
        used=rows(queries.lines_used_sql()),
        verdicts=rows(queries.verdicts_sql()),
        beyond=rows(queries.beyond_sql(bounds)),
        declared=rows(queries.declared_sql()),
        undeclared=rows(queries.undeclared_sql(bounds)),
        limits=rows(limits.limits_sql()),
        chains=rows(queries.chains_of_sql(bounds)),
        earlier=rows(queries.versions_sql()),
        levels=engine.query(limits.levels_sql()),
        hours=engine.query(queries.hours_sql(bounds)),
    )
    heads = engine.query(queries.heads_sql()).to_pylist()
    return [_worker(head, tables, selection, place) for place, head in enumerate(heads)]


def _worker(head: Row, tables: _Tables, selection: Selection, place: int) -> Worker:
    name = head["worker"]
    document = json.loads(head["document"] or "{}")
    hours = tables.hours.filter(pc.equal(tables.hours["worker"], name))
    levels = tables.levels.filter(pc.equal(tables.levels["worker"], name))
    earlier = tables.earlier[name]
    return Worker(
        head=head,
        facts=_facts(document),
        verdicts={row["verdict"]: row for row in tables.verdicts[name]},
        lines=_lines(head, document, tables.used[name]),
        beyond=tables.beyond[name],
        declared=tables.declared[name],
        undeclared=tables.undeclared[name],
        limits=_limits(tables.limits[name], levels, selection, place),
        days=drawing(f"hours-{place}", figures.worker_days(hours), f"Calls of {name} by day and hour")
        if hours.num_rows
        else None,
        chains=tables.chains[name],
        earlier=earlier[0] if earlier else None,
    )


_FACTS = (
    "owner", "purpose", "role", "mode", "environment", "delegators", "instantiators", "may_start", "networks",
    "schedule", "provenance", "valid",
)  # fmt: skip


def _facts(document: Row) -> list[tuple[str, Any]]:
    if not document:
        return []
    known = {"mode": "own", **document}
    return [(key.replace("_", " "), plainly(known[key])) for key in _FACTS if known.get(key) not in (None, [], {})]


def plainly(value: Any) -> Any:
    """A part of a manifest in words."""
    if isinstance(value, dict):
        return " \N{MIDDLE DOT} ".join(
            f"{key.replace('_', ' ')} {plainly(inner)}" for key, inner in value.items() if inner
        )
    if isinstance(value, list):
        return ", ".join(str(plainly(one)) for one in value)
    return value


def _lines(head: Row, document: Row, used: Sequence[Row]) -> list[Line]:
    places = json.loads(head["lines"] or "{}")
    scope = [
        (effect, plainly(_in_order(target)), _at(places, "scope", position))
        for position, entry in enumerate(document.get("scope", []))
        for effect, target in entry.items()
    ]
    secrets = [
        ("allow", f"secrets {glob}", _at(places, "secrets", position))
        for position, glob in enumerate(document.get("secrets", []))
    ]
    return [_line(head["file"], effect, text, line, used) for effect, text, line in [*scope, *secrets]]


def _in_order(target: Row) -> Row:
    """A target's dimensions in the design's order: canonical JSON has them by name."""
    return {name: target[name] for names in DIMENSIONS.values() for name in names if name in target}


def _at(places: Row, key: str, position: int) -> int | None:
    lines = places.get(key, [])
    return lines[position] if position < len(lines) else None


def _line(file: str | None, effect: str, text: str, line: int | None, used: Sequence[Row]) -> Line:
    own = [row for row in used if row["line"] == line and row["verdict"] == effect]
    return Line(
        effect=effect,
        text=text,
        place=f"{file}:{line}" if line is not None else str(file),
        actions=sum(row["actions"] for row in own),
        tried=sum(row["tried"] for row in own),
        last_at=max((row["last_at"] for row in own), default=None),
    )


def _limits(rows: Sequence[Row], levels: pa.Table, selection: Selection, place: int) -> list[Limit]:
    return [_limit(row, levels, selection, f"limit-{place}-{position}") for position, row in enumerate(rows)]


def _limit(row: Row, levels: pa.Table, selection: Selection, name: str) -> Limit:
    measure, at_most, per = row["measure"], row["at_most"], row["per_seconds"]
    own = levels.filter(pc.equal(levels["measure"], measure))
    own = own.filter(pc.is_null(own["per_seconds"]) if per is None else pc.equal(own["per_seconds"], per))
    course = own.to_pylist()
    fullest = max(course, key=lambda one: one["held"], default=None)
    most = figures.amount(measure, at_most)
    window = f"in {span(per)}" if per else ""
    label = f"{measure} {window} against the limit of {most}"
    if fullest:
        label += f"; the most was {figures.amount(measure, fullest['held'])} at {shown(fullest['bin'])} UTC"
    return Limit(
        measure=measure,
        at_most=most,
        per=window,
        place=f"{row['file']}:{row['line']}",
        fullest=figures.amount(measure, fullest["held"]) if fullest else None,
        fullest_at=fullest["bin"] if fullest else None,
        over=sum(one["held"] > at_most for one in course),
        figure=drawing(name, figures.level(own, measure, at_most, selection), label) if course else None,
        drawable=measure in limits.MEASURED,
    )
