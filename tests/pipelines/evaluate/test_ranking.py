"""The area under precision and recall, worked out by hand."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines.evaluate.ranking import Point, ranking
from pipelines.evaluate.tallies import Tallies

NONE = pl.DataFrame()


def tallies(
    findings: list[tuple[str, int, float, float | None, str]], hits: list[tuple[str, str]], incidents: int
) -> Tallies:
    """Findings of (uid, severity, confidence, p-value, kind), which findings are on which incident, and how many
    incidents there are."""
    columns = ["finding_uid", "severity_rank", "confidence", "p_value", "kind"]
    return Tallies(
        actions=NONE,
        chains=NONE,
        causes=NONE,
        findings=pl.DataFrame(findings, schema=columns, orient="row", infer_schema_length=None).with_columns(world=pl.lit(0)),
        hits=pl.DataFrame(hits, schema=["finding_uid", "incident"], orient="row").with_columns(world=pl.lit(0)),
        incidents=pl.DataFrame({"incident": [f"i{place}" for place in range(incidents)], "events": [1] * incidents}),
        lookalikes=NONE,
        worker_days=NONE,
    )  # fmt: skip


def test_severity_then_confidence_then_p_value() -> None:
    findings = [
        ("a", 4, 1.0, None, "right"),
        ("b", 3, 1.0, 0.001, "false"),
        ("c", 3, 1.0, None, "right"),
        ("d", 3, 0.5, 0.001, "false"),
        ("e", 0, 1.0, None, "right"),
    ]
    found = ranking(tallies(findings, [("a", "i0"), ("c", "i1"), ("e", "i2")], 4))
    assert [point.findings for point in found.curve] == [1, 2, 3, 4, 5]
    assert [point.recall for point in found.curve] == [0.25, 0.25, 0.5, 0.5, 0.75]
    # Reached at precisions of 1, 2 in 3 and 3 in 5; one of four incidents is never reached.
    assert found.area == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)


def test_findings_that_rank_alike_are_one_step() -> None:
    findings = [("a", 3, 1.0, None, "right"), ("b", 3, 1.0, None, "false")]
    found = ranking(tallies(findings, [("a", "i0")], 1))
    assert found.curve == (Point(2, 0.5, 1.0),)
    assert found.area == 0.5


def test_a_second_finding_on_an_incident_gains_no_recall() -> None:
    findings = [("a", 4, 1.0, None, "right"), ("b", 3, 1.0, None, "right")]
    found = ranking(tallies(findings, [("a", "i0"), ("b", "i0")], 2))
    assert found.area == 0.5
    assert [point.recall for point in found.curve] == [0.5, 0.5]
