"""Findings in the order in which an analyst would read them: what precision costs in recall."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipelines.evaluate.tallies import Tallies

WORST = 1e9
"""Stands for a p-value that a finding does not have: it comes behind those of its severity and confidence that have."""


@dataclass(frozen=True)
class Point:
    """After so many findings: the share of them that is right, and the share of incidents that one of them is on."""

    findings: int
    precision: float
    recall: float


@dataclass(frozen=True)
class Ranking:
    """`area` is the average precision: the sum of precision times gained recall over the curve's steps; null without
    incidents. Recall ends below 1 where incidents are missed, so that they cost area."""

    area: float | None
    curve: tuple[Point, ...]


def ranking(tallies: Tallies) -> Ranking:
    """Open findings of every severity ranked by severity (critical first), then the confidence of the attribution
    (falling), then the p-value (rising, without one last); findings that are equal in all three are one step.

    A finding is right where it rests on an event of an incident and names a worker of it; an incident is reached by
    the first such finding. Incidents without a record do not count, nor do findings that a source was silent which was.
    """
    total = int((tallies.incidents["events"] > 0).sum())
    if not total:
        return Ranking(None, ())
    keys = ["severity_rank", "confidence", "p_value"]
    findings = tallies.findings.filter(pl.col("kind") != "outage").with_columns(pl.col("p_value").fill_null(WORST))
    steps = (
        findings.group_by(keys)
        .agg(n=pl.len(), right=(pl.col("kind") == "right").sum())
        .sort(keys, descending=[True, True, False])
        .with_row_index("step")
    )
    reached = (
        tallies.hits.join(findings, on=["world", "finding_uid"])
        .join(steps.select("step", *keys), on=keys)
        .group_by("world", "incident")
        .agg(pl.col("step").min())
        .group_by("step")
        .agg(reached=pl.len())
    )
    curve = (
        steps.join(reached, on="step", how="left")
        .sort("step")
        .with_columns(pl.col("reached").fill_null(0))
        .select(
            findings=pl.col("n").cum_sum(),
            precision=pl.col("right").cum_sum() / pl.col("n").cum_sum(),
            gain=pl.col("reached") / total,
            recall=pl.col("reached").cum_sum() / total,
        )
    )
    area = float((curve["precision"] * curve["gain"]).sum())
    return Ranking(area, tuple(Point(*row) for row in curve.select("findings", "precision", "recall").iter_rows()))
