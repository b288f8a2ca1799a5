"""Which incidents were caught, how soon, and how many findings were about nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.evaluate.ranking import Ranking, ranking
from pipelines.evaluate.share import Share
from pipelines.evaluate.tallies import Tallies

MIDDLE = 0.5
"""The intensity at which recall is held against its goal."""

RUN_HOURS = 1
"""Scheduled runs are hourly."""

EXAMPLES = 3
"""False findings of each detector that are told."""


@dataclass(frozen=True)
class Recall:
    """Incidents caught, and touched by any finding at all; `scenario` or `intensity` is null where all are meant."""

    scenario: str | None
    family: str | None
    intensity: float | None
    caught: Share
    touched: Share


@dataclass(frozen=True)
class Delay:
    """From an incident's first event to its first finding, in event time: of the incidents that were caught.

    `within_run`: those that the first scheduled run after their first event could find, all being delivered by then.
    """

    median_seconds: float | None
    p90_seconds: float | None
    median_runs: float | None
    within_run: Share


@dataclass(frozen=True)
class False_:
    """A detector's findings above info (`detector` null: all), and how many rest on no incident.

    `on_lookalikes` of the false ones rest on a hard negative; `astray` rest on an incident and name another worker
    (these are false as well) or nobody (these are not); `outages` say that a source was silent, and it was; `info`
    findings are counted apart. `rate` is false findings a
    thousand worker-days.
    """

    detector: str | None
    findings: int
    right: int
    false: int
    on_lookalikes: int
    astray: int
    outages: int
    info: int
    rate: float | None
    examples: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Detection:
    """All measures of detection; `worker_days` is the base of rates."""

    recall: Recall
    middle: Recall
    by_scenario: tuple[Recall, ...]
    by_family: tuple[Recall, ...]
    by_intensity: tuple[Recall, ...]
    cells: tuple[Recall, ...]
    delay: Delay
    findings_per_caught: float | None
    worker_days: int
    false: False_
    by_detector: tuple[False_, ...]
    lookalikes: tuple[dict[str, Any], ...]
    ranking: Ranking


def detection(tallies: Tallies) -> Detection:
    """The measures of one world or of many."""
    told = outcomes(tallies)
    days = int(tallies.worker_days["days"].sum())
    detectors = tallies.findings["detector"].unique().sort()
    caught = told.filter(pl.col("caught"))
    return Detection(
        recall=_recall(told),
        middle=_recall(told.filter(pl.col("intensity") == MIDDLE), intensity=MIDDLE),
        by_scenario=_recalls(told, "scenario", "family"),
        by_family=_recalls(told, "family"),
        by_intensity=_recalls(told, "intensity"),
        cells=_recalls(told, "scenario", "family", "intensity"),
        delay=_delay(caught),
        findings_per_caught=float(caught["findings"].sum() / caught.height) if caught.height else None,
        worker_days=days,
        false=_false(tallies.findings, days),
        by_detector=tuple(_false(tallies.findings.filter(pl.col("detector") == one), days, one) for one in detectors),
        lookalikes=_lookalikes(tallies.lookalikes),
        ranking=ranking(tallies),
    )


def outcomes(tallies: Tallies) -> pl.DataFrame:
    """One row an incident: what `findings.incidents` says of it, and caught, findings (above info, that name a worker
    of it), detectors (theirs), raised_at, delay (seconds), runs.

    It is caught where an open finding above `info` holds one of its events and names a worker of it. An incident of
    which no record was written (its source was silent) is left out: no log could show it.
    """
    above = tallies.hits.join(
        tallies.findings.select("world", "finding_uid", "detector", "severity_rank"), on=["world", "finding_uid"]
    ).filter(pl.col("severity_rank") > 0)
    by_incident = above.group_by("world", "incident").agg(
        findings=pl.len(),
        detectors=pl.col("detector").unique().sort().str.join(", "),
        raised_at=pl.col("raised_at").min(),
    )
    started = pl.col("started_at")
    hour = f"{RUN_HOURS}h"
    return (
        tallies.incidents.join(by_incident, on=["world", "incident"], how="left")
        .with_columns(
            caught=pl.col("findings").is_not_null(),
            findings=pl.col("findings").fill_null(0),
            # A clock that is ahead tells of an event before it happens.
            raised_at=pl.max_horizontal("raised_at", pl.when(pl.col("raised_at").is_not_null()).then(started)),
        )
        .with_columns(
            delay=(pl.col("raised_at") - started).dt.total_microseconds() / 1e6,
            runs=(pl.col("raised_at").dt.truncate(hour) - started.dt.truncate(hour)).dt.total_hours() // RUN_HOURS + 1,
        )
        .filter(pl.col("events") > 0)
        .sort("world", "started_at", "incident")
    )


def _recalls(told: pl.DataFrame, *by: str) -> tuple[Recall, ...]:
    return tuple(
        _recall(part, **dict(zip(by, key, strict=True)))
        for key, part in sorted(told.partition_by(by, as_dict=True).items())
    )


def _recall(
    told: pl.DataFrame, scenario: str | None = None, family: str | None = None, intensity: float | None = None
) -> Recall:
    return Recall(
        scenario,
        family,
        intensity,
        Share(int(told["caught"].sum()), told.height),
        Share(int(told["touched"].sum()), told.height),
    )


def _delay(caught: pl.DataFrame) -> Delay:
    def at(column: str, quantile: float) -> float | None:
        found = caught[column].quantile(quantile, "linear") if caught.height else None
        return None if found is None else float(found)

    return Delay(
        at("delay", 0.5), at("delay", 0.9), at("runs", 0.5), Share(int((caught["runs"] <= 1).sum()), caught.height)
    )


def _false(found: pl.DataFrame, days: int, detector: str | None = None) -> False_:
    above = found.filter(pl.col("severity_rank") > 0)
    wrong = above.filter(
        pl.col("kind").is_in(["false", "lookalike"]) | ((pl.col("kind") == "astray") & pl.col("worker").is_not_null())
    )
    shown = wrong.sort("severity_rank", "finding_uid", descending=[True, False]).head(EXAMPLES if detector else 0)
    return False_(
        detector=detector,
        findings=above.height,
        right=_of(above, "right"),
        false=wrong.height,
        on_lookalikes=_of(above, "lookalike"),
        astray=_of(above, "astray"),
        outages=_of(above, "outage"),
        info=found.height - above.height,
        rate=wrong.height / days * 1000 if days else None,
        examples=tuple(
            shown.select("seed", "finding_uid", "severity", "kind", "worker", "title", "example").to_dicts()
        ),
    )


def _of(found: pl.DataFrame, kind: str) -> int:
    return found.filter(pl.col("kind") == kind).height


def _lookalikes(each: pl.DataFrame) -> tuple[dict[str, Any], ...]:
    """By name: how many hard negatives there were, on how many of them a finding above info rests, and of whom."""
    named = each.group_by("name", "resembles").agg(
        of=pl.len(),
        count=(pl.col("findings") > 0).sum(),
        findings=pl.col("findings").sum(),
        detectors=pl.col("detectors").str.split(", ").explode(),
    )
    return tuple(
        {
            "name": row["name"],
            "resembles": row["resembles"],
            "findings": row["findings"],
            "raised_on": Share(row["count"], row["of"]),
            "detectors": sorted({one for one in row["detectors"] if one}),
        }
        for row in named.sort("name", "resembles").iter_rows(named=True)
    )
