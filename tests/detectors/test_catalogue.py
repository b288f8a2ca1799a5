"""Every SQL detector of the catalogue passes its own test cases on the DuckDB engine, and carries enough of them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from detectors import provided, rules
from detectors.cases import Case, differences
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine

CATALOGUE = Path(__file__).resolve().parents[2] / "detectors/catalogue"
SCHEMAS = provided.schemas(schema.arrow_schemas())
DETECTORS = rules.load(CATALOGUE)
CASES = [(detector, case) for detector in DETECTORS for case in detector.cases]


@pytest.mark.parametrize(("detector", "case"), CASES, ids=[f"{one.id}: {case.name}" for one, case in CASES])
def test_case(detector: rules.Detector, case: Case) -> None:
    engine = DuckDBEngine(duckdb.connect())
    for name, table in case.tables(SCHEMAS).items():
        engine.let(name, table)
    assert differences(case.expected, rules.findings_of(engine, detector)) == []


@pytest.mark.parametrize("detector", DETECTORS, ids=[one.id for one in DETECTORS])
def test_carries_positive_and_negative_cases(detector: rules.Detector) -> None:
    positive = [case for case in detector.cases if case.expected]
    assert len(positive) >= 2
    assert len(detector.cases) - len(positive) >= 3
    assert detector.head.look_alikes


def test_a_day_of_absurd_sizes_switches_no_detector_off() -> None:
    """10,001 uploads that the log says are as large as a number can be, to a host that is new on the eighth day."""
    detector = next(one for one in DETECTORS if one.id == "first_seen_destination")
    tables = detector.cases[0].tables(SCHEMAS)
    rows = tables["attributed"].to_pylist()
    flood = [{**rows[-1], "action_uid": f"flood-{at}", "bytes_out": 2**63 - 1} for at in range(10_001)]
    tables["attributed"] = pa.Table.from_pylist(rows + flood, tables["attributed"].schema)
    engine = DuckDBEngine(duckdb.connect())
    for name, table in tables.items():
        engine.let(name, table)
    (found,) = rules.findings_of(engine, detector).to_pylist()
    assert found["title"].startswith("w1 sent 1000 TB to drop.zendesk.example")
