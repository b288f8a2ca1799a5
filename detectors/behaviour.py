"""The behaviour detector: worker-days on which a worker was unlike its own past and its peers.

Epochs are ISO weeks in event time. The windows (worker-hours) of an epoch are judged by that epoch's
model, which is trained on windows strictly before the epoch's start. A window is sealed, and only
then judged, when the greatest horizon of all sources has passed its end plus the allowed lateness:
a source that has fallen silent must not stop the others from being judged, and what it still
delivers is late evidence, which changes the data and so the result. Everything is a function of the
rows of `attributed`, `horizons`, `roles` and `verdicts`; no label, no wall clock, no row of a window
that is not sealed.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

import polars as pl
import pyarrow as pa

from detectors import calibrate, features
from detectors.behaviour_head import DETECTOR
from detectors.engine import Engine
from detectors.epoch import WEEK, Epoch, Flagged, WorkerDay, judge_epoch
from detectors.explain import points_to
from detectors.findings import DOUBTFUL, MAX_EVIDENCE, MAX_TITLE, SEVERITIES, SURE, printable
from detectors.reading import phrase

log = logging.getLogger(__name__)

NEW_WORKER_DAYS = 7
"""Days with activity below which a worker is judged mostly as its role, and its findings are low."""
PATIENCE = 5
"""Flagged days of a worker are kept out of training; after this many in eight weeks they are its new normal."""

_FINDING: dict[str, pa.DataType] = {
    "detector": pa.string(),
    "worker": pa.string(),
    "entity": pa.string(),
    "day": pa.timestamp("us"),
    "window_start": pa.timestamp("us"),
    "window_end": pa.timestamp("us"),
    "severity": pa.string(),
    "score": pa.float64(),
    "p_value": pa.float64(),
    "title": pa.string(),
    "explanation": pa.string(),
    "evidence": pa.list_(pa.string()),
    "model_id": pa.string(),
    "chain_id": pa.string(),
}
_MODEL: dict[str, pa.DataType] = {
    "model_id": pa.string(),
    "kind": pa.string(),
    "trained_from": pa.timestamp("us"),
    "trained_to": pa.timestamp("us"),
    "parameters": pa.string(),
    "sha256": pa.string(),
}
_WORKER_HOUR: dict[str, pa.DataType] = {"worker": pa.string(), "hour": pa.timestamp("us")}
FINDING_ROWS = pa.schema(_FINDING)
MODEL_ROWS = pa.schema(_MODEL)


@dataclass
class Assessment:
    """Everything that a run of the detector has to say."""

    findings: pa.Table
    models: pa.Table
    decisions: pl.DataFrame
    """One row a judged worker-day (see `epoch.DECISIONS`) with its model_id; no other table holds the quiet ones."""
    skipped: dict[str, str] = field(default_factory=dict)
    """ISO weeks (their Monday) that were not judged, and why."""


def judge(
    engine: Engine,
    lateness: timedelta = timedelta(hours=24),
    since: datetime | None = None,
    flagged_before: Collection[WorkerDay] = (),
) -> tuple[pa.Table, pa.Table]:
    """Findings of the behaviour detector and rows for `models` (see `FINDING_ROWS`, `MODEL_ROWS`).

    The engine must know the tables `attributed` (columns of `actions`, and worker, confidence, chain_id),
    `horizons` (source, horizon), `roles` (worker, role) and `verdicts` (action_uid, verdict).

    With `since`, weeks that ended by then are not judged again: give the earliest time of new or changed
    evidence, and in `flagged_before` the worker and day of the earlier findings, and the rest comes out as
    it would with everything judged.
    """
    assessment = assess(engine, lateness, since, flagged_before)
    return assessment.findings, assessment.models


def assess(
    engine: Engine,
    lateness: timedelta = timedelta(hours=24),
    since: datetime | None = None,
    flagged_before: Collection[WorkerDay] = (),
) -> Assessment:
    """As `judge`, with the decisions on quiet worker-days and the reasons why weeks were left out."""
    hours = _sealed(features.worker_hours(engine), _horizon(engine), lateness)
    weeks = sorted(hours.get_column("hour").dt.truncate("1w").unique().to_list())
    if since is not None:
        weeks = [start for start in weeks if start + WEEK > since]
    epochs: list[Epoch] = []
    skipped: dict[str, str] = {}
    hits = [(worker, day) for worker, day in flagged_before if weeks and day < weeks[0]]
    for start in weeks:
        judged = judge_epoch(hours, start, _left_out(hits, start))
        if isinstance(judged, str):
            skipped[f"{start:%Y-%m-%d}"] = judged
            log.info("behaviour: the week of %s is not judged: %s", f"{start:%Y-%m-%d}", judged)
            continue
        epochs.append(judged)
        hits += [(hit.worker, hit.day) for hit in judged.flagged]
    findings = _findings(engine, hours, epochs)
    models = pa.Table.from_pylist([_model_row(epoch) for epoch in epochs], schema=MODEL_ROWS)
    decisions = [epoch.decisions.with_columns(model_id=pl.lit(epoch.trained.model_id)) for epoch in epochs]
    return Assessment(findings, models, pl.concat(decisions) if decisions else pl.DataFrame(), skipped)


def _horizon(engine: Engine) -> datetime | None:
    """The greatest event time that any source has shown; None before the first."""
    return cast("datetime | None", engine.query("SELECT max(horizon) AS horizon FROM horizons")["horizon"][0].as_py())


def _sealed(hours: pl.DataFrame, horizon: datetime | None, lateness: timedelta) -> pl.DataFrame:
    """The worker-hours that late evidence is no longer waited for."""
    if horizon is None:
        return hours.clear()
    return hours.filter(pl.col("hour") <= horizon - lateness - timedelta(hours=1))


def _left_out(hits: list[WorkerDay], start: datetime) -> set[WorkerDay]:
    """Flagged worker-days of the last eight weeks that are not to be learned from."""
    recent = [(worker, day) for worker, day in hits if day >= start - timedelta(weeks=8)]
    often = Counter(worker for worker, _ in recent)
    return {(worker, day) for worker, day in recent if often[worker] <= PATIENCE}


def _model_row(epoch: Epoch) -> dict[str, object]:
    folds = epoch.trained.folds
    return {
        "model_id": epoch.trained.model_id,
        "kind": "isolation_forest",
        "trained_from": folds.baseline[0],
        "trained_to": folds.calibration[-1] + timedelta(days=1),
        "parameters": epoch.trained.parameters,
        "sha256": epoch.trained.sha256,
    }


def _findings(engine: Engine, hours: pl.DataFrame, epochs: list[Epoch]) -> pa.Table:
    """One row a flagged worker-day, by day and worker."""
    hits = [(epoch, hit) for epoch in epochs for hit in epoch.flagged]
    if not hits:
        return FINDING_ROWS.empty_table()
    flagged = [{"worker": hit.worker, "hour": hour} for _, hit in hits for hour in hit.hours]
    engine.let("behaviour_flagged", pa.Table.from_pylist(flagged, schema=pa.schema(_WORKER_HOUR)))
    acts = cast(pl.DataFrame, pl.from_arrow(engine.query(features.evidence_sql()))).sort("worker", "time", "action_uid")
    breaches = _breaches(engine)
    return pa.Table.from_pylist(
        [
            _finding(
                epoch,
                hit,
                acts.filter((pl.col("worker") == hit.worker) & pl.col("hour").is_in(list(hit.hours))),
                breaches.get((hit.worker, hit.day), 0),
                _days_before(hours, hit),
            )
            for epoch, hit in hits
        ],
        schema=FINDING_ROWS,
    )


def _breaches(engine: Engine) -> dict[tuple[str, datetime], int]:
    """How many actions of each flagged worker's day its manifest does not cover."""
    rows = engine.query(
        """
        SELECT a.worker, CAST(date_trunc('day', a.hour) AS TIMESTAMP) AS day, count(DISTINCT a.action_uid) AS n
        FROM behaviour_actions a JOIN verdicts v ON v.action_uid = a.action_uid
        WHERE v.verdict IN ('deny', 'out') AND a.worker IN (SELECT worker FROM behaviour_flagged)
        GROUP BY a.worker, CAST(date_trunc('day', a.hour) AS TIMESTAMP)
        """
    )
    return {(row["worker"], row["day"]): row["n"] for row in rows.to_pylist()}


def _days_before(hours: pl.DataFrame, hit: Flagged) -> int:
    """On how many days before the flagged one the worker was active."""
    earlier = hours.filter((pl.col("worker") == hit.worker) & (pl.col("day") < hit.day))
    return earlier.get_column("day").n_unique()


def _finding(epoch: Epoch, hit: Flagged, acts: pl.DataFrame, breaches: int, days_before: int) -> dict[str, object]:
    named = [reading.feature.name for reading in hit.told.all]
    evidence = _evidence(acts, named)
    confidence = cast(float, evidence.get_column("confidence").fill_null(1.0).min())
    return {
        "detector": DETECTOR,
        "worker": hit.worker,
        "entity": _entity(acts, list(hit.told.by_surprisal), hit.worker),
        "day": hit.day,
        "window_start": hit.hours[0],
        "window_end": hit.hours[-1] + timedelta(hours=1),
        "severity": _severity(hit, breaches, days_before, confidence),
        "score": hit.score,
        "p_value": hit.p_value,
        "title": _title(hit, days_before),
        "explanation": _explanation(epoch, hit, breaches, days_before, confidence),
        "evidence": evidence.get_column("action_uid").to_list(),
        "model_id": epoch.trained.model_id,
        "chain_id": _most(evidence, "chain_id"),
    }


def _severity(hit: Flagged, breaches: int, days_before: int, confidence: float) -> str:
    """Medium, low where the p-value is extrapolated or the worker is new; a breach on that day is one step up.

    One step down where some of the evidence is attributed with a confidence under 0.9, two where under 0.6.
    """
    weak = hit.extrapolated or days_before < NEW_WORKER_DAYS
    step = SEVERITIES.index("low" if weak else "medium") + (1 if breaches else 0)
    return SEVERITIES[max(step - (confidence < SURE) - (confidence < DOUBTFUL), 0)]


def _title(hit: Flagged, days_before: int) -> str:
    told = [reading for reading in hit.told.all if reading.feature.name in hit.told.by_surprisal][:2]
    what = ", ".join(phrase(reading.feature, reading.amount, hit.hour) for reading in told)
    compared = "its peers" if days_before < NEW_WORKER_DAYS else "its past"
    return printable(f"{hit.worker} behaved unlike {compared}: {what or 'an unusual mix of calls'}")[:MAX_TITLE]


def _explanation(epoch: Epoch, hit: Flagged, breaches: int, days_before: int, confidence: float) -> str:
    """JSON text: the readings, and everything that says how far the claim reaches."""
    return json.dumps(
        {
            "window": f"{hit.hour:%Y-%m-%dT%H:%M:%SZ}",
            "features": [reading.document() for reading in hit.told.all],
            "top_by_surprisal": hit.told.by_surprisal,
            "top_by_phi": hit.told.by_phi,
            "score_parts": hit.parts,
            "p_value": hit.p_value,
            "extrapolated": hit.extrapolated,
            "calibrated_on_worker_days": hit.calibrated_on,
            "workers_judged": hit.tests,
            "q": calibrate.Q,
            "means": "on a day on which nothing is wrong, some worker is flagged with a probability of about q",
            "days_of_history": days_before,
            "actions_out_of_scope_that_day": breaches,
            "confidence": confidence,
            "calls": hit.calls,
            "calls_with_known_bytes_out": hit.bytes_out_known,
            "epoch": f"{epoch.start:%G-W%V}",
        },
        sort_keys=True,
    )


def _evidence(acts: pl.DataFrame, named: list[str]) -> pl.DataFrame:
    """The actions that make up the named features, those that carry most of them first in the cut; by time.

    Where the features are unusual for being so low, no action carries any, and all actions are the evidence.
    """
    flags = sorted({features.BY_NAME[name].carried_by for name in named} - {"acts"})
    telling = acts.with_columns(carried=pl.sum_horizontal(pl.col(flag).cast(pl.Int32) for flag in flags or ["acts"]))
    return (
        telling.filter((pl.col("carried") > 0) | (pl.col("carried").max() == 0))
        .with_columns(pl.col("bytes_out").fill_null(-1))
        .sort("carried", "bytes_out", "time", "action_uid", descending=[True, True, False, False])
        .head(MAX_EVIDENCE)
        .sort("time", "action_uid")
    )


def _entity(acts: pl.DataFrame, named: list[str], worker: str) -> str:
    """The host or resource that tells most where the leading features speak of one, else credential, else worker."""
    columns = {"destination": ["dst_host", "container"], "resource": ["container", "dst_host"], "credential": []}
    for column in [*columns[points_to(named)], "credential_uid"]:
        found = _most_telling(acts, column)
        if found is not None:
            return found
    return f"worker:id/{worker}"


def _most_telling(acts: pl.DataFrame, column: str) -> str | None:
    """The value of `column` first seen in these windows, else with most bytes sent, else most calls, else least."""
    new = {"dst_host": "new_destination", "container": "new_resource"}.get(column, "acts")
    rows = (
        acts.filter(pl.col(column).is_not_null())
        .group_by(column)
        .agg(pl.col(new).any().alias("new"), pl.col("bytes_out").sum().alias("sent"), pl.len().alias("n"))
        .sort("new", "sent", "n", column, descending=[True, True, True, False])
    )
    return None if rows.is_empty() else str(rows.get_column(column)[0])


def _most(evidence: pl.DataFrame, column: str) -> str | None:
    """The commonest value, the least among equals; None where there is none."""
    counted = evidence.filter(pl.col(column).is_not_null()).group_by(column).agg(pl.len().alias("n"))
    ordered = counted.sort("n", column, descending=[True, False])
    return None if ordered.is_empty() else str(ordered.get_column(column)[0])
