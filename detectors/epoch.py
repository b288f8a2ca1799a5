"""One ISO week of the behaviour detector: its model, trained on the past alone, and its decisions."""

from __future__ import annotations

import hashlib
import io
import json
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import sklearn  # type: ignore[import-untyped]

from detectors import baseline, calibrate, explain, forest
from detectors.baseline import Baseline, Matrix
from detectors.features import NAMES
from detectors.forest import Model, Scores
from detectors.reading import Readings, read

KIND = "isolation_forest"
WEEK = timedelta(days=7)

WorkerDay = tuple[str, datetime]
DECISIONS: dict[str, pl.DataType | type[pl.DataType]] = {
    "worker": pl.String,
    "day": pl.Datetime("us"),
    "hour": pl.Datetime("us"),
    "score": pl.Float64,
    "p_value": pl.Float64,
    "extrapolated": pl.Boolean,
    "flagged": pl.Boolean,
    "tests": pl.Int64,
    "calibrated_on": pl.Int64,
    "cutoff": pl.Float64,
}
"""One row a worker-day: its oddest hour, that hour's score and p, and how the day was decided."""


@dataclass(frozen=True)
class Trained:
    """An epoch's model and what it was made from."""

    model_id: str
    folds: calibrate.Folds
    parameters: str
    sha256: str
    baseline: Baseline
    model: Model
    calibration: forest.Vector
    usual_workers: int

    def p_values(self, scores: forest.Vector, tests: int) -> forest.Vector:
        """Conformal p; beyond the calibration scores an extrapolated one, where counting could never flag anyone."""
        if calibrate.resolves(len(self.calibration), tests):
            return calibrate.conformal(self.calibration, scores)
        return calibrate.extrapolated(self.calibration, scores)


@dataclass(frozen=True)
class Flagged:
    """A worker-day that was flagged: its decision, its odd hours, and the readings of the oddest one."""

    worker: str
    day: datetime
    hour: datetime
    hours: tuple[datetime, ...]
    score: float
    p_value: float
    extrapolated: bool
    tests: int
    calibrated_on: int
    parts: dict[str, float]
    told: Readings
    calls: int
    bytes_out_known: int


@dataclass(frozen=True)
class Epoch:
    """A judged week: the model, a decision for each worker-day, and the flagged ones explained."""

    start: datetime
    trained: Trained
    decisions: pl.DataFrame
    flagged: tuple[Flagged, ...]


@dataclass(frozen=True)
class Judged:
    """A week's worker-hours four times, row by row: counted, transformed, as design, and scored."""

    hours: pl.DataFrame
    rows: pl.DataFrame
    design: Matrix
    scores: Scores


def judge_epoch(hours: pl.DataFrame, start: datetime, left_out: set[WorkerDay]) -> Epoch | str:
    """Judge the worker-hours of the week from `start`; the reason as text where there is too little past.

    `hours` are sealed worker-hours (see `features.worker_hours`); those of worker-days in `left_out`
    are not learned from.
    """
    past = _without(hours.filter(pl.col("hour") < start), left_out)
    live = hours.filter((pl.col("hour") >= start) & (pl.col("hour") < start + WEEK))
    workers_on = {day: int(n) for day, n in past.group_by("day").agg(pl.col("worker").n_unique()).iter_rows()}
    folds = calibrate.folds(workers_on)
    if folds is None:
        return (
            f"{len(workers_on)} days with activity, {sum(workers_on.values())} worker-days:"
            f" fewer than the {'|'.join(map(str, calibrate.LEAST_DAYS))} days and"
            f" {calibrate.LEAST_WORKER_DAYS} calibration worker-days that a model needs"
        )
    compared = Baseline(baseline.transformed(_on(past, folds.baseline)))
    recent = pl.concat([_on(past, folds.forest + folds.calibration), live]).sort("worker", "hour")
    rows = baseline.transformed(recent)
    z = compared.deviations(rows)
    model, calibration = _train(recent, z, folds)
    usual = math.ceil(float(np.median([workers_on[day] for day in folds.calibration])))
    sha256, parameters = _matrix_sha256(past, folds), _parameters(start, folds)
    trained = Trained(
        model_id=f"{KIND}:{hashlib.sha256(f'{KIND} {parameters} {sha256}'.encode()).hexdigest()[:32]}",
        folds=folds,
        parameters=parameters,
        sha256=sha256,
        baseline=compared,
        model=model,
        calibration=calibration,
        usual_workers=usual,
    )
    return _decide(trained, recent, rows, z, start)


def _without(hours: pl.DataFrame, left_out: set[WorkerDay]) -> pl.DataFrame:
    return hours.join(_worker_days(left_out), on=["worker", "day"], how="anti")


def _worker_days(days: set[WorkerDay]) -> pl.DataFrame:
    empty = pl.DataFrame(schema=[("worker", pl.String), ("day", pl.Datetime("us"))])
    return pl.DataFrame(sorted(days), schema=empty.schema, orient="row")


def _on(hours: pl.DataFrame, days: tuple[datetime, ...]) -> pl.DataFrame:
    return hours.filter(pl.col("day").is_in(pl.Series(days, dtype=pl.Datetime("us")).implode()))


def _train(recent: pl.DataFrame, z: Matrix, folds: calibrate.Folds) -> tuple[Model, forest.Vector]:
    """The forest fold's model, and the largest score of each worker-day of the calibration fold."""
    design = baseline.design(z, _starts(recent, set()))
    model = Model.fit(design[_rows_on(recent, folds.forest)])
    held_out = _rows_on(recent, folds.calibration)
    scored = recent.filter(pl.Series(held_out)).select(
        "worker", "day", pl.Series("score", model.score(design[held_out]).score)
    )
    days = scored.group_by("worker", "day").agg(pl.col("score").max())
    return model, np.sort(days.get_column("score").to_numpy())


def _rows_on(hours: pl.DataFrame, days: tuple[datetime, ...]) -> npt.NDArray[np.bool_]:
    days_of_fold = pl.Series(days, dtype=pl.Datetime("us")).implode()
    return hours.select(pl.col("day").is_in(days_of_fold)).to_series().to_numpy()


def _starts(hours: pl.DataFrame, flagged: set[WorkerDay]) -> npt.NDArray[np.bool_]:
    """Where running sums begin anew: a worker's first row, and its first one after a flagged day."""
    worker, day = pl.col("worker"), pl.col("day")
    marks = _worker_days(flagged).with_columns(mark=True)
    marked = hours.select("worker", "day").join(marks, on=["worker", "day"], how="left", maintain_order="left")
    new_worker = (worker != worker.shift(1)).fill_null(True)
    after_flag = pl.col("mark").shift(1).fill_null(False) & (day != day.shift(1))
    return marked.select(starts=new_worker | after_flag).to_series().to_numpy()


def _parameters(start: datetime, folds: calibrate.Folds) -> str:
    """JSON text of what the model was made with, besides the rows themselves."""
    year, week, _ = start.isocalendar()
    spans = {"baseline": folds.baseline, "forest": folds.forest, "calibration": folds.calibration}
    return json.dumps(
        {
            "epoch": f"{year}-W{week:02d}",
            "features": NAMES,
            "folds": {name: [f"{d[0]:%Y-%m-%d}", f"{d[-1]:%Y-%m-%d}", len(d)] for name, d in spans.items()},
            "peers": baseline.ROWS_OF_PEERS,
            "q": calibrate.Q,
            "scikit-learn": sklearn.__version__,
            **forest.PARAMETERS,
        },
        sort_keys=True,
    )


def _matrix_sha256(past: pl.DataFrame, folds: calibrate.Folds) -> str:
    """SHA-256 of the whole-number rows that were learned from, as CSV, sorted by worker and hour."""
    rows = _on(past, folds.baseline + folds.forest + folds.calibration).sort("worker", "hour")
    text = io.BytesIO()
    rows.select(sorted(rows.columns)).with_columns(pl.col("hour", "day").dt.epoch("us")).write_csv(text)
    return hashlib.sha256(text.getvalue()).hexdigest()


def _decide(trained: Trained, recent: pl.DataFrame, rows: pl.DataFrame, z: Matrix, start: datetime) -> Epoch:
    """Decide day by day: a flagged day ends the worker's running sums, which later days are judged without.

    Days depend on earlier ones only, so at the latest the eighth round repeats the seventh.
    """
    is_live = recent.select(pl.col("hour") >= start).to_series().to_numpy()
    live = recent.filter(pl.Series(is_live))
    flagged: set[WorkerDay] = set()
    while True:
        design = baseline.design(z, _starts(recent, flagged))[is_live]
        scores = trained.model.score(design)
        decisions = _decisions(trained, live, scores)
        now = set(decisions.filter("flagged").select("worker", "day").iter_rows())
        if now == flagged:
            break
        flagged = now
    judged = Judged(live, rows.filter(pl.Series(is_live)), design, scores)
    return Epoch(start, trained, decisions, _explain(trained, judged, decisions))


def _decisions(trained: Trained, live: pl.DataFrame, scores: Scores) -> pl.DataFrame:
    """Benjamini-Hochberg on each day, over its workers (or a usual day's number, where that is larger)."""
    scored = live.select("worker", "day", "hour", pl.Series("score", scores.score))
    oddest = scored.sort("worker", "day", "score", "hour", descending=[False, False, True, False])
    days = oddest.unique(["worker", "day"], keep="first", maintain_order=True).sort("day", "worker")
    decided = []
    for _, day in sorted(days.partition_by("day", as_dict=True).items()):
        values = day.get_column("score").to_numpy()
        tests = max(day.height, trained.usual_workers)
        counted, p = calibrate.conformal(trained.calibration, values), trained.p_values(values, tests)
        by_counting = calibrate.cutoff(counted, tests)
        cutoff = calibrate.cutoff(p, tests)
        decided.append(
            day.with_columns(
                pl.Series("p_value", p),
                pl.Series("extrapolated", (p < counted) & (counted > by_counting)),
                pl.Series("flagged", p <= cutoff),
                tests=pl.lit(tests, pl.Int64),
                calibrated_on=pl.lit(len(trained.calibration), pl.Int64),
                cutoff=pl.lit(cutoff, pl.Float64),
            )
        )
    return pl.concat(decided) if decided else pl.DataFrame(schema=DECISIONS)


def _explain(trained: Trained, judged: Judged, decisions: pl.DataFrame) -> tuple[Flagged, ...]:
    """The flagged worker-days, by day and worker, with the readings of their oddest hours."""
    numbered = judged.hours.with_row_index("row").with_columns(pl.Series("score", judged.scores.score))
    hits = decisions.filter("flagged").join(numbered.select("worker", "hour", "row"), on=["worker", "hour"], how="left")
    hits = hits.sort("day", "worker")
    if hits.is_empty():
        return ()
    at = hits.get_column("row").to_numpy()
    surprisals = explain.by_feature(judged.scores.surprisals[at], "max")
    phi = explain.attribution(trained.model, judged.design[at], judged.scores.surprisals[at])
    flagged = []
    for i, hit in enumerate(hits.iter_rows(named=True)):
        row = int(at[i])
        raw = judged.hours.row(row, named=True)
        flagged.append(
            Flagged(
                worker=hit["worker"],
                day=hit["day"],
                hour=hit["hour"],
                hours=_odd_hours(trained, numbered, hit),
                score=hit["score"],
                p_value=hit["p_value"],
                extrapolated=hit["extrapolated"],
                tests=hit["tests"],
                calibrated_on=hit["calibrated_on"],
                parts={name: round(float(values[row]), 6) for name, values in sorted(judged.scores.parts.items())},
                told=read(trained.baseline, judged.rows[row], raw, surprisals[i], phi[i]),
                calls=raw["calls"],
                bytes_out_known=raw["bytes_out_known"],
            )
        )
    return tuple(flagged)


def _odd_hours(trained: Trained, numbered: pl.DataFrame, hit: dict[str, Any]) -> tuple[datetime, ...]:
    """The hours of a flagged day that would have been enough to flag it by themselves."""
    hours = numbered.filter((pl.col("worker") == hit["worker"]) & (pl.col("day") == hit["day"]))
    p = trained.p_values(hours.get_column("score").to_numpy(), hit["tests"])
    return tuple(hours.filter(pl.Series(p <= hit["cutoff"])).get_column("hour").sort().to_list())
