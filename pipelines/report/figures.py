"""Plotly figures from Arrow tables: pure, without a template, and every text made literal.

Colours stand on light and dark paper alike; the page gives text and grid the colours of its theme. No colour
is the only sign: bars have patterns, points have shapes. Times on an axis are UTC.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go  # type: ignore[import-untyped]
import pyarrow as pa

from pipelines.report.selection import Selection
from pipelines.report.text import literal, number, plural, shown, size, span

STRENGTHS = {
    "proven": ("#2f9e5b", ""),
    "asserted": ("#d9a514", "/"),
    "inferred": ("#8f6fd6", "x"),
    "ambiguous": ("#e0702d", "."),
    "none": ("#8a939c", "-"),
}
"""Colour and pattern, in falling order."""

SEVERITIES = {
    "critical": ("#c2304a", ""),
    "high": ("#e0702d", "/"),
    "medium": ("#d9a514", "x"),
    "low": ("#3f8ecf", "."),
    "info": ("#8a939c", "-"),
}
"""Colour and pattern, in falling order."""

BLUE = "#3f8ecf"
RED = "#c2304a"
HEAT = [[0, "rgba(63,142,207,0.12)"], [1, "rgba(63,142,207,1)"]]
"""From faint to full: an hour without calls is left blank."""

ROW = 34
"""Pixels of a lane or bar."""

CREDENTIALS = "credentials"
"""The lane on which a chain's hops stand. One that is older than the run is long stands at the edge, or it would
squeeze the run into a dot."""

SHORTEST = timedelta(minutes=1)
"""A run is taken to last so long at least when its axis is cut."""


def strengths(table: pa.Table) -> Any:
    """Stacked bars of (source, strength, actions): how strongly each source's actions are attributed."""
    rows = table.to_pylist()
    sources = sorted({row["source"] for row in rows}, reverse=True)
    figure = go.Figure(layout=layout(ROW * len(sources) + 90, barmode="stack", showlegend=True))
    for strength, (colour, pattern) in STRENGTHS.items():
        counts = {row["source"]: row["actions"] for row in rows if row["strength"] == strength}
        if counts:
            figure.add_bar(
                orientation="h",
                name=strength,
                y=[literal(source) for source in sources],
                x=[counts.get(source, 0) for source in sources],
                marker={"color": colour, "pattern": {"shape": pattern}},
                hovertext=[
                    f"{literal(source)}<br>{strength}: {plural(counts.get(source, 0), 'action')}" for source in sources
                ],
                hoverinfo="text",
            )
    figure.update_xaxes(title="actions", tickformat=",d")
    figure.update_yaxes(type="category", automargin=True)
    return figure


def findings_by_day(table: pa.Table, selection: Selection) -> Any:
    """Stacked bars of (day, severity, findings)."""
    rows = table.to_pylist()
    figure = go.Figure(layout=layout(240, barmode="stack", showlegend=True))
    for severity, (colour, pattern) in SEVERITIES.items():
        own = [row for row in rows if row["severity"] == severity]
        if own:
            figure.add_bar(
                name=severity,
                x=[row["day"].isoformat() for row in own],
                y=[row["findings"] for row in own],
                marker={"color": colour, "pattern": {"shape": pattern}},
                hovertext=[f"{row['day']}<br>{severity}: {plural(row['findings'], 'finding')}" for row in own],
                hoverinfo="text",
                width=24 * 3_600_000 * 0.8,
            )
    figure.update_yaxes(title="findings", tickformat=",d", rangemode="tozero")
    figure.update_xaxes(type="date", tickformat="%d %b")
    if selection.since is not None and selection.until is not None:
        half = timedelta(hours=12)  # a bar stands on its day's midnight
        figure.update_xaxes(range=[(selection.since - half).isoformat(), (selection.until + half).isoformat()])
    return figure


def worker_days(table: pa.Table) -> Any:
    """A heat map of (day, hour, calls, outside): when a worker works."""
    rows = table.to_pylist()
    days = sorted({row["day"] for row in rows})
    calls = {(row["day"], row["hour"]): row["calls"] for row in rows}
    figure = go.Figure(layout=layout(300))
    figure.add_heatmap(
        x=[day.isoformat() for day in days],
        y=list(range(24)),
        z=[[calls.get((day, hour)) for day in days] for hour in range(24)],
        colorscale=HEAT,
        zmin=0,
        xgap=1,
        ygap=1,
        hovertemplate="%{x|%Y-%m-%d} %{y}:00<br>%{z:,d} calls<extra></extra>",
        hoverongaps=False,
        colorbar={"title": {"text": "calls"}, "thickness": 12},
    )
    _mark_outside(figure, [row for row in rows if row["outside"]])
    figure.update_xaxes(type="date", tickformat="%d %b")
    figure.update_yaxes(title="hour (UTC)", range=[23.5, -0.5], tickvals=[0, 6, 12, 18, 23], zeroline=False)
    return figure


def _mark_outside(figure: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        figure.add_scatter(
            mode="markers",
            x=[row["day"].isoformat() for row in rows],
            y=[row["hour"] for row in rows],
            marker={"symbol": "diamond", "size": 7, "color": RED},
            name="out of scope",
            showlegend=False,
            hovertext=[f"{row['outside']:,} out of scope" for row in rows],
            hoverinfo="text",
        )


def level(table: pa.Table, measure: str, at_most: float, selection: Selection) -> Any:
    """Bars of (bin, held): the fullest window of each bin; the limit is the dashed line, and what is over it red."""
    rows = table.to_pylist()
    figure = go.Figure(layout=layout(210, barmode="overlay"))
    for name, colour, pattern, above in (("within", BLUE, "", False), ("over", RED, "/", True)):
        own = [row for row in rows if (row["held"] > at_most) is above]
        if own:
            figure.add_bar(
                name=name,
                x=[_minute(row["bin"]) for row in own],
                y=[row["held"] for row in own],
                customdata=[amount(measure, row["held"]) for row in own],
                width=selection.step_hours * 3_600_000,
                offset=0,
                marker={"color": colour, "pattern": {"shape": pattern}},
                hovertemplate=f"%{{x|%Y-%m-%d %H:%M}}<br>%{{customdata}} ({name} the limit)<extra></extra>",
            )
    most = max([at_most, *(row["held"] for row in rows)]) or 1.0
    figure.add_hline(y=at_most, line={"dash": "dash", "color": RED, "width": 1.5})
    ticks = [most * part / 4 for part in range(5)]
    figure.update_yaxes(range=[0, most * 1.12], tickvals=ticks, ticktext=[amount(measure, tick) for tick in ticks])
    figure.update_xaxes(type="date")
    if selection.since is not None and selection.until is not None:
        figure.update_xaxes(range=[selection.since.isoformat(), selection.until.isoformat()])
    return figure


def amount(measure: str, value: float | None) -> str:
    """A measure's value with its unit."""
    if value is None:
        return number(float("nan"))
    if measure.startswith("bytes"):
        return size(value)
    return span(value) if measure == "token_lifetime" else number(value)


def chain(points: pa.Table, hops: pa.Table) -> Any:
    """A chain over time: lanes are systems, the first is where credentials came from; the shape tells what happened."""
    rows = points.to_pylist()
    lanes = sorted({row["drawn_lane"] for row in rows}, key=lambda lane: _first(rows, lane))
    start, end = min(row["time"] for row in rows), max(row["time"] for row in rows)
    reach = max(end - start, SHORTEST)
    placed = [hop for hop in hops.to_pylist() if hop["time"] is not None]
    named = [*([CREDENTIALS] if placed else []), *(literal(lane, 40) for lane in lanes)]
    figure = go.Figure(layout=layout(ROW * len(named) + 110, showlegend=True, hovermode="closest"))
    near = [hop for hop in placed if hop["time"] >= start - reach]
    far = [hop for hop in placed if hop["time"] < start - reach]
    _hops(figure, "credential hop", "diamond", near, [hop["time"] for hop in near])
    _hops(figure, "hop long before", "triangle-left", far, [start - reach * 0.08] * len(far))
    for name, symbol, colour, filled, condition in _MARKS:
        own = [row for row in rows if condition(row)]
        if own:
            figure.add_scatter(
                mode="markers",
                name=name,
                x=[row["time"].isoformat() for row in own],
                y=[literal(row["drawn_lane"], 40) for row in own],
                marker={"symbol": symbol, "size": filled, "color": colour, "opacity": 0.85},
                hovertext=[_action_text(row) for row in own],
                hoverinfo="text",
            )
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=named[::-1],
        automargin=True,
        range=[-0.6, len(named) - 0.4],
    )
    figure.update_xaxes(type="date", title="time (UTC)")
    return figure


def _hops(figure: Any, name: str, symbol: str, hops: list[dict[str, Any]], times: list[datetime]) -> None:
    if hops:
        figure.add_scatter(
            mode="markers",
            name=name,
            x=[time.isoformat() for time in times],
            y=[CREDENTIALS] * len(hops),
            marker={"symbol": symbol, "size": 10, "color": "#8f6fd6"},
            hovertext=[_hop_text(hop) for hop in hops],
            hoverinfo="text",
        )


def _succeeded(row: dict[str, Any]) -> bool:
    return row["status"] not in {"denied", "failure"}


_MARKS: tuple[tuple[str, str, str, int, Any], ...] = (
    ("action", "circle", BLUE, 8, lambda row: not row["cited"] and _succeeded(row)),
    ("denied or failed", "x", "#8a939c", 8, lambda row: not row["cited"] and not _succeeded(row)),
    ("evidence of a finding", "triangle-up", RED, 12, lambda row: row["cited"] and _succeeded(row)),
    ("evidence, denied or failed", "x", RED, 11, lambda row: row["cited"] and not _succeeded(row)),
)


def _first(rows: list[dict[str, Any]], lane: str) -> tuple[datetime, str]:
    return min(row["time"] for row in rows if row["drawn_lane"] == lane), lane


def _action_text(row: dict[str, Any]) -> str:
    sizes = [f"{size(row[name])} {way}" for name, way in (("bytes_out", "out"), ("bytes_in", "in")) if row[name]]
    parts = [
        f"{shown(row['time'])} {literal(row['status'])}",
        f"{literal(row['operation'])} {literal(row['target'])}",
        f"as {literal(row['credential_uid'] or row['principal'])}",
        ", ".join(sizes),
        f"scope: {literal(row['verdict'])} {place(row['file'], row['line'])}".rstrip() if row["verdict"] else "",
    ]
    return "<br>".join(part for part in parts if part)


def place(file: str | None, line: int | None) -> str:
    """`(file:line)`, or nothing where no line decided."""
    return f"({literal(file)}:{line})" if file and line is not None else ""


def _hop_text(hop: dict[str, Any]) -> str:
    return "<br>".join(
        (
            f"{shown(hop['time'])} {literal(hop['mechanism'])} ({literal(hop['strength'])})",
            f"{literal(hop['child'])}",
            f"from {literal(hop['parent'])}",
        )
    )


def seen(table: pa.Table, step_hours: int) -> Any:
    """A heat map of (source, bin, seen, late): hours in which a source told something of a worker."""
    rows = table.to_pylist()
    sources = sorted({row["source"] for row in rows}, reverse=True)
    figure = go.Figure(layout=layout(ROW * len(sources) + 90))
    figure.add_heatmap(
        x=[_minute(row["bin"]) for row in rows],
        y=[literal(row["source"]) for row in rows],
        z=[row["seen"] for row in rows],
        customdata=[row["late"] for row in rows],
        colorscale=HEAT,
        zmin=0,
        ygap=3,
        hovertemplate=f"%{{y}}<br>%{{x|%Y-%m-%d %H:%M}} and {span(step_hours * 3600)}<br>"
        "%{z:,d} seen, %{customdata:,d} of them late<extra></extra>",
        colorbar={"title": {"text": "actions"}, "thickness": 12},
    )
    figure.update_xaxes(type="date")
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=[literal(source) for source in sources], automargin=True
    )
    return figure


def _minute(time: datetime) -> str:
    """A bin's beginning, as short as plotly reads it: there are many."""
    return time.isoformat(sep=" ", timespec="minutes")


def layout(height: int, **more: Any) -> dict[str, Any]:
    """What all figures have in common: a height in pixels, and the page's paper and ink."""
    return {
        "template": None,
        "height": height,
        "margin": {"l": 64, "r": 16, "t": 16, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 12},
        "showlegend": False,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        "hoverlabel": {"align": "left", "namelength": -1},
        **more,
    }
