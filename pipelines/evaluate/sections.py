"""The measures as titled tables of text, which the terminal and the docs page print alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.evaluate.detection import Detection, False_, Recall
from pipelines.evaluate.measures import Measures
from pipelines.evaluate.words import NONE, mean, number, rate, seconds, share
from pipelines.report.text import plural


@dataclass(frozen=True)
class Section:
    """A table: its title, a note on what the columns mean, the names of its columns, and rows of text."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sections(found: Measures) -> tuple[Section, ...]:
    """All tables that have rows, the goals first."""
    made = (
        _goals(found),
        _attribution(found),
        _calibration(found),
        _recall(
            "Recall by intensity", [*found.detection.by_intensity, found.detection.recall],
            "caught: an open finding above info holds an event of the incident and names a worker of it; touched: any"
            " finding holds one", family=False,
        ),
        _recall("Recall by scenario", found.detection.by_scenario, "all intensities together"),
        _false(found),
        _lookalikes(found),
        _missed(found),
        _causes(found),
    )  # fmt: skip
    return tuple(section for section in made if section.rows)


def _goals(found: Measures) -> Section:
    seen, detection = found.counts, found.detection
    asserted = found.at("asserted")
    delay = detection.delay
    rows = (
        ("records of the truth that are actions of the lake", share(seen.seen), NONE),
        ("records that are no actions (challenges that name nobody)", f"{seen.unread:,}", NONE),
        ("precision of proven", share(found.at("proven").precision), "at least 99.9 %"),
        ("recall at asserted or better, where the needed logs exist", share(asserted.where_logged), "at least 95 %"),
        ("expected calibration error", number(found.calibration.error), "at most 0.02"),
        ("delegator right, where one is named", share(found.delegators.accuracy), NONE),
        ("delegator by another kind of name, where one is named", share(found.delegators.other_kind), NONE),
        ("delegator named, where there is one", share(found.delegators.named), NONE),
        ("purity of chains, by run", share(found.chains.purity_run), NONE),
        ("purity of chains, by worker", share(found.chains.purity_worker), NONE),
        ("completeness of runs in one chain", share(found.chains.completeness), NONE),
        ("recall of incidents at middle intensity", share(detection.middle.caught), "at least 95 %"),
        ("recall of incidents at all intensities", share(detection.recall.caught), NONE),
        ("false findings in 1,000 worker-days", _rate(detection.false), "at most 10"),
        ("the same without those on look-alikes", _rate_elsewhere(detection), NONE),
        ("area under precision and recall", number(detection.ranking.area), NONE),
        ("median time to detection", seconds(delay.median_seconds), NONE),
        ("median number of hourly runs to detection", mean(delay.median_runs), "1"),
        ("found by the first scheduled run", share(delay.within_run), NONE),
        ("findings on an incident that was caught", mean(detection.findings_per_caught), NONE),
        ("events of incidents listed as evidence", share(found.evidence.of_all), NONE),
        ("events of caught incidents listed", share(found.evidence.of_caught), NONE),
        ("the same, each incident counting alike", number(found.evidence.mean_of_caught), NONE),
    )
    counts = (
        f"{plural(seen.worlds, 'world')}, {plural(seen.workers, 'worker')}, {plural(seen.worker_days, 'worker-day')},"
        f" {plural(seen.incidents, 'incident')} (and {seen.silent_incidents:,} that left no record),"
        f" {plural(seen.lookalikes, 'look-alike')},"
        f" {plural(seen.findings, 'open finding')}; in brackets the counts and Wilson's interval of 95 %"
    )
    return Section("Measured", counts, ("measure", "value", "goal"), rows)


def _attribution(found: Measures) -> Section:
    rows = tuple(
        (one.system, one.strength, share(one.precision), share(one.recall), share(one.where_logged))
        for one in found.by_strength
        if one.precision.of or one.recall is not None
    )
    note = (
        "precision: at this very strength (ambiguous: the true worker is among the candidates; none: truly nobody's);"
        " recall: of true worker actions, rightly attributed at this strength or better"
    )
    columns = ("system", "strength", "precision", "recall", "recall where the issuing record was delivered")
    return Section("Attribution", note, columns, rows)


def _calibration(found: Measures) -> Section:
    rows = tuple(
        (f"{one.low:.2f} to {one.high:.2f}", number(one.confidence), share(one.right)) for one in found.calibration.bins
    )
    return Section("Confidence against truth", "of the actions to which a worker was given",
                   ("confidence", "mean", "right"), rows)  # fmt: skip


def _recall(title: str, rows: Sequence[Recall], note: str, *, family: bool = True) -> Section:
    names = tuple(
        (one.family or NONE, one.scenario or NONE) if family
        else (("all" if one.intensity is None else f"{one.intensity:g}"),)
        for one in rows
    )  # fmt: skip
    shares = ((share(one.caught), share(one.touched)) for one in rows)
    columns = (*(("family", "scenario") if family else ("intensity",)), "caught", "touched")
    return Section(title, note, columns, tuple((*name, *both) for name, both in zip(names, shares, strict=True)))


def _false(found: Measures) -> Section:
    each = sorted(found.detection.by_detector, key=lambda one: (-one.false, -one.findings, one.detector or ""))
    rows = tuple(
        (one.detector or "all", f"{one.findings:,}", f"{one.right:,}", f"{one.false:,}", f"{one.on_lookalikes:,}",
         f"{one.astray:,}", f"{one.outages:,}", f"{one.info:,}", rate(one.rate))
        for one in (found.detection.false, *each)
    )  # fmt: skip
    note = (
        "findings above info; right: on an incident, naming a worker of it; false: on no incident, or naming another"
        " worker; astray: on an incident, naming another worker or nobody; on outages: a source was truly silent;"
        " rate: false in 1,000 worker-days"
    )
    columns = ("detector", "findings", "right", "false", "on look-alikes", "astray", "on outages", "info beside",
               "rate")  # fmt: skip
    return Section("Findings by detector", note, columns, rows)


def _lookalikes(found: Measures) -> Section:
    rows = tuple(
        (one["name"], one["resembles"], share(one["raised_on"]), f"{one['findings']:,}",
         ", ".join(one["detectors"]) or NONE)
        for one in found.detection.lookalikes
    )  # fmt: skip
    return Section("Look-alikes", "benign, and like an attack: every finding on one is false",
                   ("look-alike", "resembles", "raised on", "findings", "detectors"), rows)  # fmt: skip


def _missed(found: Measures) -> Section:
    rows = tuple(
        (str(one["seed"]), one["incident"], one["scenario"], f"{one['intensity']:g}", one["worker"] or NONE,
         f"{one['events']:,}", "touched" if one["touched"] else NONE)
        for one in found.outcomes
        if not one["caught"]
    )  # fmt: skip
    return Section("Incidents that were missed", "touched: some finding holds an event, but is info or names another",
                   ("seed", "incident", "scenario", "intensity", "worker", "events", "touched"), rows)  # fmt: skip


def _causes(found: Measures) -> Section:
    rows = tuple(
        (_WORDS[one["verdict"]], one["system"], one["strength"], one["true_worker"] or NONE, one["worker"] or NONE,
         one["reason"] or NONE, f"{one['actions']:,}", str(one["seed"]), one["example"] or NONE)
        for one in sorted(found.causes, key=_of_cause)
    )  # fmt: skip
    columns = ("error", "system", "strength", "truly", "said", "reason", "actions", "seed", "example")
    return Section("Errors of attribution", "the most frequent", columns, rows[:MOST_CAUSES])


MOST_CAUSES = 40
"""Errors of attribution that are printed; JSON has more."""

_WORDS = {"wrong": "another worker", "person": "no worker's", "nobody": "unattributed", "absent": "not in the lake"}


def _of_cause(cause: dict[str, Any]) -> tuple[int, int, str]:
    return list(_WORDS).index(cause["verdict"]), -cause["actions"], str(cause["example"])


def _rate_elsewhere(detection: Detection) -> str:
    others = detection.false.false - detection.false.on_lookalikes
    return f"{rate(others / detection.worker_days * 1000)} ({others:,} findings)" if detection.worker_days else NONE


def _rate(false: False_) -> str:
    return NONE if false.rate is None else f"{rate(false.rate)} ({false.false:,} findings)"
