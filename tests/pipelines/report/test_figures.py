"""Figures from rows: what is drawn, and that no label can be markup."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from pipelines.report import figures
from pipelines.report.page import island
from pipelines.report.selection import Selection

NINE = datetime(2026, 3, 2, 9)
EVIL = "<img src=x onerror=alert(1)>"
DAY = Selection(datetime(2026, 3, 2), datetime(2026, 3, 3))


def point(minute: int, **more: Any) -> dict[str, Any]:
    return {
        "time": NINE + timedelta(minutes=minute), "drawn_lane": "s3.amazonaws.com", "status": "success", "cited": False,
        "operation": "GetObject", "target": "arn:aws:s3:::cases/a", "credential_uid": "aws:key/A", "principal": None,
        "bytes_out": None, "bytes_in": None, "verdict": "allow", "file": "w.yaml", "line": 9, **more,
    }  # fmt: skip


def hop(minute: int) -> dict[str, Any]:
    return {
        "time": NINE + timedelta(minutes=minute), "child": "aws:key/A", "parent": "oidc:subject/x", "mechanism": EVIL,
        "strength": "proven",
    }  # fmt: skip


def chain(points: list[dict[str, Any]], hops: list[dict[str, Any]]) -> Any:
    empty = pa.schema([("time", pa.timestamp("us"))]).empty_table()
    return figures.chain(pa.Table.from_pylist(points), pa.Table.from_pylist(hops) if hops else empty)


def test_a_chain_has_a_lane_a_system_and_its_points_say_what_happened() -> None:
    figure = chain(
        [point(0), point(1, drawn_lane="iam.amazonaws.com", cited=True), point(2, status="denied")], [hop(-1)]
    )
    assert [trace.name for trace in figure.data] == [
        "credential hop", "action", "denied or failed", "evidence of a finding",
    ]  # fmt: skip
    assert list(figure.layout.yaxis.categoryarray) == ["iam.amazonaws.com", "s3.amazonaws.com", "credentials"]
    assert figure.data[1].hovertext[0].split("<br>") == [
        "2026-03-02 09:00:00 success", "GetObject arn:aws:s3:::cases/a", "as aws:key/A", "scope: allow (w.yaml:9)",
    ]  # fmt: skip


def test_a_hop_of_long_ago_does_not_squeeze_the_run() -> None:
    figure = chain([point(0), point(10)], [hop(-60 * 24 * 30)])
    assert figure.data[0].name == "hop long before"
    assert datetime.fromisoformat(figure.data[0].x[0]) == NINE - timedelta(seconds=48)
    assert figure.data[0].hovertext[0].startswith("2026-01-31 09:00:00")


def test_log_text_in_labels_is_literal() -> None:
    figure = chain([point(0, drawn_lane=EVIL, operation=EVIL, target="{{7*7}}%{x}", verdict=None)], [hop(-1)])
    told = json.dumps(figure.to_plotly_json())
    assert "<img" not in told
    assert "&lt;img src=x onerror=alert(1)&gt;" in told
    assert "<" not in island(figure)
    assert json.loads(island(figure)) == json.loads(told)


def test_what_is_over_a_limit_is_a_trace_of_its_own() -> None:
    levels = pa.table({"bin": [NINE, NINE + timedelta(hours=1)], "held": [100.0, 4_000_000.0]})
    figure = figures.level(levels, "bytes_out", 2_000_000.0, DAY)
    assert [(trace.name, list(trace.y)) for trace in figure.data] == [("within", [100.0]), ("over", [4_000_000.0])]
    assert (list(figure.data[1].x), list(figure.data[1].customdata)) == (["2026-03-02 10:00"], ["4 MB"])
    assert figure.layout.shapes[0].y0 == 2_000_000.0
    assert figure.layout.yaxis.ticktext[-1] == "4 MB"


def test_a_limit_of_nothing_and_no_bar_can_be_drawn() -> None:
    empty = pa.schema([("bin", pa.timestamp("us")), ("held", pa.float64())]).empty_table()
    assert list(figures.level(empty, "calls", 0.0, DAY).layout.yaxis.range) == [0, 1.12]


def test_bars_have_patterns_beside_colours() -> None:
    days = pa.Table.from_pylist(
        [
            {"day": date(2026, 3, 2), "severity": "critical", "findings": 1},
            {"day": date(2026, 3, 3), "severity": "high", "findings": 2},
        ]
    )
    figure = figures.findings_by_day(days, DAY)
    assert [(trace.name, trace.x[0], trace.y[0]) for trace in figure.data] == [
        ("critical", "2026-03-02", 1),
        ("high", "2026-03-03", 2),
    ]
    assert {trace.marker.pattern.shape for trace in figure.data} == {"", "/"}


def test_an_hour_outside_the_scope_is_marked() -> None:
    hours = pa.Table.from_pylist(
        [
            {"day": date(2026, 3, 2), "hour": 9, "calls": 5, "outside": 0},
            {"day": date(2026, 3, 2), "hour": 10, "calls": 7, "outside": 2},
        ]
    )
    heat, marks = figures.worker_days(hours).data
    assert [(hour, calls[0]) for hour, calls in enumerate(heat.z) if calls[0]] == [(9, 5), (10, 7)]
    assert (list(marks.y), list(marks.hovertext)) == ([10], ["2 out of scope"])


def test_strengths_and_coverage_are_drawn_by_source() -> None:
    strengths = pa.Table.from_pylist(
        [
            {"source": "trail", "strength": "proven", "actions": 3},
            {"source": EVIL, "strength": "none", "actions": 4},
        ]
    )
    figure = figures.strengths(strengths)
    assert [(trace.name, list(trace.x)) for trace in figure.data] == [("proven", [3, 0]), ("none", [0, 4])]
    assert list(figure.data[0].y) == ["trail", "&lt;img src=x onerror=alert(1)&gt;"]
    seen = pa.Table.from_pylist([{"source": "trail", "bin": NINE, "seen": 9, "late": 1}])
    [heat] = figures.seen(seen, 3).data
    assert (list(heat.x), list(heat.y), list(heat.z), list(heat.customdata)) == (
        ["2026-03-02 09:00"],
        ["trail"],
        [9],
        [1],
    )
