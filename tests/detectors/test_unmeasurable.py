from __future__ import annotations

from typing import Any

import duckdb

from detectors import provided
from detectors.cases import Case
from detectors.unmeasurable import unmeasurable
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine

SCHEMAS = provided.schemas(schema.arrow_schemas())
LIMIT = {"measure": "bytes_out", "at_most": 1000, "per_seconds": 3600, "line": 9}


def _rows(**tables: Any) -> list[dict[str, Any]]:
    engine = DuckDBEngine(duckdb.connect())
    for name, table in Case(name="unmeasurable", expected=(), **tables).tables(SCHEMAS).items():
        engine.let(name, table)
    rows: list[dict[str, Any]] = unmeasurable(engine).to_pylist()
    return rows


def test_a_category_without_any_size_is_told_once_and_names_the_limit() -> None:
    actions = [
        {"category": "proxy", "format": "squid"},
        {"category": "proxy", "format": "envoy"},
        {"category": "cloud", "bytes_out": 5},
    ]
    (row,) = _rows(limits=[LIMIT], actions=actions)
    assert row["worker"] == "w1"
    assert row["missing"] == (
        "bytes_out (w1.yaml:9) cannot be measured: no proxy action says how many bytes were sent"
        " (formats: envoy, squid)"
    )


def test_one_known_size_is_enough_even_zero() -> None:
    assert _rows(limits=[LIMIT], actions=[{"category": "proxy"}, {"category": "proxy", "bytes_out": 0}]) == []


def test_no_action_of_the_category_leaves_nothing_to_measure() -> None:
    assert _rows(limits=[LIMIT], actions=[{"category": "token"}]) == []


def test_only_limits_on_bytes_count() -> None:
    assert _rows(limits=[{**LIMIT, "measure": "calls"}], actions=[{"category": "proxy"}]) == []
