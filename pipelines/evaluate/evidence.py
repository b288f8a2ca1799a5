"""How much of what an incident did stands in the findings on it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipelines.evaluate.share import Share


@dataclass(frozen=True)
class Evidence:
    """Events of incidents that are listed in a finding which names a worker of theirs: of all incidents, of those
    that were caught, and by scenario (of all). `mean_of_caught`: the mean of each caught incident's share, so that one
    with many events weighs no more than another."""

    of_all: Share
    of_caught: Share
    mean_of_caught: float | None
    by_scenario: dict[str, Share]


def evidence(outcomes: pl.DataFrame) -> Evidence:
    """Of a table of outcomes (`detection.outcomes`)."""
    by_scenario = outcomes.group_by("scenario").agg(pl.col("listed").sum(), pl.col("events").sum()).sort("scenario")
    caught = outcomes.filter(pl.col("caught"))
    return Evidence(
        _listed(outcomes),
        _listed(caught),
        float((caught["listed"] / caught["events"]).sum() / caught.height) if caught.height else None,
        {row["scenario"]: Share(row["listed"], row["events"]) for row in by_scenario.iter_rows(named=True)},
    )


def _listed(outcomes: pl.DataFrame) -> Share:
    return Share(int(outcomes["listed"].sum()), int(outcomes["events"].sum()))
