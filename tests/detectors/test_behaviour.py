"""The behaviour detector on simulated estates: its own cases, and what must hold whatever the estate does."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from ruamel.yaml import YAML

from detectors import behaviour, features, tags
from detectors.behaviour import Assessment, assess
from detectors.epoch import judge_epoch
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine

START = datetime(2026, 1, 5)
HEAD: dict[str, Any] = YAML(typ="safe").load(Path(__file__).resolve().parents[2] / "detectors/catalogue/behaviour.yaml")
_ATTRIBUTION: dict[str, Any] = {
    "worker": pl.String,
    "strength": pl.String,
    "confidence": pl.Float64,
    "chain_id": pl.String,
    "manifest_sha": pl.String,
}
_TEXTS = pa.schema([("worker", pa.string()), ("role", pa.string())])
_VERDICTS = pa.schema([("action_uid", pa.string()), ("verdict", pa.string())])


def _attributed(columns: pl.DataFrame) -> pl.DataFrame:
    """All columns of `attributed`, null where `columns` does not say."""
    empty = pl.DataFrame(schema.ACTIONS.arrow.empty_table())
    kinds = {**empty.schema, **_ATTRIBUTION}
    return columns.select(
        (pl.col(name) if name in columns.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in kinds.items()
    )


def _names(workers: int) -> list[str]:
    return [f"worker-{i:02d}" for i in range(workers)]


def _runs(rng: np.random.Generator, workers: int, days: int) -> np.ndarray[Any, Any]:
    """Rows of worker, day and hour: one to three runs a day at its own hours; half rest at weekends."""
    rows = []
    for worker in range(workers):
        hours = rng.choice(np.arange(6, 21), size=rng.integers(1, 4), replace=False)
        weekends = rng.random() < 0.5
        for day in range(days):
            if day % 7 < 5 or weekends:
                late = rng.random(len(hours)) < 0.1
                kept = rng.random(len(hours)) > 0.05
                rows += [(worker, day, int(hour)) for hour in (hours + late)[kept]]
    return np.unique(np.array(rows), axis=0)


@cache
def _estate(seed: int, workers: int = 5, days: int = 31) -> pl.DataFrame:
    """Quiet days of an estate: proxy and cloud calls with heavy-tailed volumes, failures, backfills, new hosts."""
    rng = np.random.default_rng(seed)
    runs = _runs(rng, workers, days)
    level = rng.lognormal(np.log(15), 0.6, size=workers)[runs[:, 0]]
    noise = rng.uniform(0.1, 0.5, size=workers)[runs[:, 0]] * rng.standard_t(8, len(runs))
    backfill = np.where(rng.random(len(runs)) < 0.01, 5, 1)
    run = np.repeat(np.arange(len(runs)), np.maximum(1, rng.poisson(level * np.exp(noise) * backfill)))
    n, worker = len(run), runs[run, 0]
    proxy = rng.random(n) < 0.6
    host, operation = np.minimum(rng.geometric(0.5, n), 6), np.minimum(rng.geometric(0.35, n) - 1, 5)
    sent = rng.lognormal(np.log(3000), 1.0, n).astype(np.int64)
    operations = np.array(["GetObject", "ListObjectsV2", "PutObject", "GetSecretValue", "Query", "PutItem"])
    services = np.array(["s3", "s3", "s3", "secretsmanager", "dynamodb", "dynamodb"])
    frame = pl.DataFrame(
        {
            "i": np.arange(n),
            "w": worker,
            "offset": runs[run, 1] * 86_400 + runs[run, 2] * 3_600 + rng.integers(0, 3_600, n),
            "proxy": proxy,
            "rare": proxy & (rng.random(n) < 0.0008),
            "host": host,
            "sent": sent,
            "received": (sent * rng.lognormal(1, 1, n)).astype(np.int64),
            "api_operation": operations[operation],
            "api_service": services[operation],
            "object": (rng.pareto(1.0, n) * 20).astype(np.int64),
            "status": rng.choice(["success", "failure", "denied"], n, p=[0.98, 0.015, 0.005]),
            "run": run,
        }
    )
    name = pl.format("worker-{}", pl.col("w").cast(pl.String).str.zfill(2))
    cloud = pl.col("proxy").not_()
    return _attributed(
        frame.select(
            pl.format("{}:{}", pl.lit(seed), "i").alias("action_uid"),
            pl.lit(True).alias("is_primary"),
            name.alias("worker"),
            (pl.lit(START).cast(pl.Datetime("us")) + pl.duration(seconds="offset")).alias("time"),
            pl.when("rare")
            .then(pl.format("cdn{}.example", "i"))
            .when("proxy")
            .then(pl.format("h{}-{}.example", "host", "w"))
            .alias("dst_host"),
            pl.when("proxy").then(pl.lit("GET")).alias("http_method"),
            pl.when("proxy").then("sent").alias("bytes_out"),
            pl.when("proxy").then("received").alias("bytes_in"),
            pl.when(cloud).then("api_operation").alias("api_operation"),
            pl.when(cloud).then("api_service").alias("api_service"),
            pl.when(cloud & (pl.col("api_service") == "s3"))
            .then(pl.format("arn:aws:s3:::cases-{}/{}", "w", "object"))
            .alias("resource_uid"),
            "status",
            pl.format("aws:key/AKIA{}", "w").alias("credential_uid"),
            pl.format("chain-{}", "run").alias("chain_id"),
            pl.lit(1.0).alias("confidence"),
        )
    )


def _night(day: int, worker: str, **hour: int) -> pl.DataFrame:
    """An hour that no worker has by itself: `calls` posts to `hosts` new hosts, or reads of `secrets` secrets.

    `sent` bytes are spread over the posts; the hour is `at`, 3 unless given.
    """
    calls, hosts, secrets = hour.get("calls", 40), hour.get("hosts", 0), hour.get("secrets", 0)
    i = np.arange(calls)
    begin = START + timedelta(days=day, hours=hour.get("at", 3))
    frame = pl.DataFrame({"host": i % max(hosts, 1), "secret": i % max(secrets, 1)}).select(
        pl.format("night:{}", pl.int_range(pl.len())).alias("action_uid"),
        pl.lit(True).alias("is_primary"),
        pl.lit(worker).alias("worker"),
        (pl.lit(begin).cast(pl.Datetime("us")) + pl.duration(minutes=pl.int_range(pl.len()))).alias("time"),
        pl.lit("success").alias("status"),
        pl.lit("night-chain").alias("chain_id"),
        pl.lit(1.0).alias("confidence"),
        pl.format("drop-{}.example", pl.col("host").cast(pl.String).str.zfill(2)).alias("dst_host"),
        pl.lit("POST").alias("http_method"),
        pl.lit(hour.get("sent", 0) // calls).alias("bytes_out"),
        pl.lit("GetSecretValue").alias("api_operation"),
        pl.lit("secretsmanager").alias("api_service"),
        pl.format("arn:aws:secretsmanager:eu-west-1:111122223333:secret:s{}", "secret").alias("resource_uid"),
    )
    of_proxy, of_cloud = ["dst_host", "http_method", "bytes_out"], ["api_operation", "api_service", "resource_uid"]
    return _attributed(frame.drop(of_cloud if hosts else of_proxy))


def _engine(
    actions: pl.DataFrame, until: datetime | None, verdicts: list[dict[str, str]] | None = None, workers: int = 5
) -> DuckDBEngine:
    engine = DuckDBEngine(duckdb.connect())
    engine.let("attributed", actions.to_arrow())
    horizons = {"source": pa.array(["egress"]), "horizon": pa.array([until], pa.timestamp("us"))}
    engine.let("horizons", pa.table(horizons))
    roles = [{"worker": name, "role": f"role of {name}"} for name in _names(workers)]
    engine.let("roles", pa.Table.from_pylist(roles, schema=_TEXTS))
    engine.let("verdicts", pa.Table.from_pylist(verdicts or [], schema=_VERDICTS))
    return engine


def _assess(
    actions: pl.DataFrame,
    until: datetime | None = START + timedelta(days=31),
    since: datetime | None = START + timedelta(days=28),
    verdicts: list[dict[str, str]] | None = None,
) -> Assessment:
    """The last week of the estate judged on four weeks of past, unless `since` says otherwise."""
    return assess(_engine(actions, until, verdicts), since=since)


@cache
def _quiet() -> Assessment:
    return _assess(_estate(HEAD_SEED))


@cache
def _attacked() -> Assessment:
    return _assess(_exfiltration())


def _with_case(case: dict[str, Any]) -> tuple[pl.DataFrame, list[dict[str, str]]]:
    """The actions and verdicts of one of the head's cases."""
    day, hour = case["past_days"], dict(case.get("hour") or {})
    quiet = _estate(HEAD_SEED).filter(pl.col("time") < START + timedelta(days=day + 1))
    of_day = (pl.col("worker") == hour.get("worker", "")) & (pl.col("time") >= START + timedelta(days=day))
    if "again" in hour:
        copies = [
            quiet.filter(of_day).with_columns(pl.format("{}~{}", "action_uid", pl.lit(k)).alias("action_uid"))
            for k in range(1, hour["again"])
        ]
        return pl.concat([quiet, *copies]), []
    if hour.get("bytes_unknown"):
        return quiet.with_columns(pl.when(~of_day).then("bytes_out").alias("bytes_out")), []
    verdict = hour.pop("verdict", None)
    if not hour:
        return quiet, []
    hour["sent"] = hour.pop("bytes_out", 0)
    night = _night(day, **hour)
    return pl.concat([quiet, night]), [{"action_uid": "night:0", "verdict": verdict}] if verdict else []


HEAD_SEED = 7


@pytest.mark.parametrize("case", HEAD["tests"], ids=[case["name"] for case in HEAD["tests"]])
def test_case_of_the_head(case: dict[str, Any]) -> None:
    actions, verdicts = _with_case(case)
    day = START + timedelta(days=case["past_days"])
    found = [
        row
        for row in _assess(actions, day + timedelta(days=2, hours=1), day, verdicts).findings.to_pylist()
        if row["day"] == day
    ]
    if case["expected"] is None:
        assert found == []
        return
    assert len(found) == 1
    expected = dict(case["expected"])
    for text in expected.pop("title"):
        assert text in found[0]["title"]
    assert {name: found[0][name] for name in expected} == expected


def test_head_is_complete() -> None:
    assert HEAD["id"] == "behaviour"
    assert [tags.fault(tag) for tag in HEAD["tags"]] == [None] * len(HEAD["tags"])
    assert {"version", "title", "description", "severity", "look_alikes"} <= set(HEAD)


def _exfiltration(day: int = 29) -> pl.DataFrame:
    return pl.concat([_estate(HEAD_SEED), _night(day, "worker-02", hosts=14, sent=3_100_000_000)])


def test_a_finding_says_what_where_and_how_sure() -> None:
    row = next(row for row in _attacked().findings.to_pylist() if row["worker"] == "worker-02")
    said = json.loads(row["explanation"])
    assert (row["window_start"], row["window_end"]) == (datetime(2026, 2, 3, 3), datetime(2026, 2, 3, 4))
    assert row["chain_id"] == "night-chain"
    assert len(row["evidence"]) == 40
    assert set(row["evidence"]) == {f"night:{i}" for i in range(40)}
    leading = {reading["feature"]: reading for reading in said["features"]}
    assert leading["bytes_out"]["value"] == 3_100_000_000
    assert leading["bytes_out"]["own_median"] < 10_000_000
    assert leading["bytes_out"]["text"].startswith("bytes_out 3.1 GB, own median ")
    assert said["top_by_surprisal"][0] == "bytes_out"
    assert set(said["top_by_phi"]) <= set(leading)
    assert (said["extrapolated"], said["workers_judged"], said["q"]) == (False, 5, 0.1)
    assert row["p_value"] == pytest.approx(1 / (said["calibrated_on_worker_days"] + 1))
    assert "NaN" not in row["explanation"]


def test_a_model_names_what_it_was_trained_on() -> None:
    (row,) = _attacked().models.to_pylist()
    parameters = json.loads(row["parameters"])
    assert row["kind"] == "isolation_forest"
    assert parameters["epoch"] == "2026-W06"
    assert (row["trained_from"], row["trained_to"]) == (START, datetime(2026, 2, 2))
    assert [fold[2] >= least for fold, least in zip(parameters["folds"].values(), (7, 4, 4), strict=True)] == [True] * 3
    assert len(row["sha256"]) == 64


def test_order_of_arrival_changes_nothing() -> None:
    one, other = _attacked(), _assess(_exfiltration().sample(fraction=1, shuffle=True, seed=3))
    assert one.findings.num_rows >= 1
    assert one.findings.equals(other.findings)
    assert one.models.equals(other.models)
    assert one.decisions.equals(other.decisions)


def test_a_changed_past_gives_another_model() -> None:
    dropped = _estate(HEAD_SEED).slice(1)
    assert _assess(dropped).models["model_id"] != _quiet().models["model_id"]


def test_later_days_do_not_change_earlier_ones() -> None:
    quiet, attacked = (one.decisions.filter(pl.col("day").dt.day() == 2) for one in (_quiet(), _attacked()))
    assert quiet.height == 5
    assert quiet.equals(attacked)
    assert _quiet().models.equals(_attacked().models)
    other_workers = pl.col("worker") != "worker-02"
    scores = [one.decisions.filter(other_workers).select("worker", "day", "score") for one in (_quiet(), _attacked())]
    assert scores[0].equals(scores[1])


def test_weeks_judged_before_need_not_be_judged_again() -> None:
    both = _assess(_exfiltration(), since=None)
    week = START + timedelta(days=28)
    earlier = [(row["worker"], row["day"]) for row in both.findings.to_pylist() if row["day"] < week]
    rest = assess(_engine(_exfiltration(), START + timedelta(days=31)), since=week, flagged_before=earlier)
    assert both.models.num_rows == 2
    assert both.models.slice(1).equals(rest.models)
    assert both.decisions.filter(pl.col("day") >= week).equals(rest.decisions)
    assert [row for row in both.findings.to_pylist() if row["day"] >= week] == rest.findings.to_pylist()


def test_windows_that_are_not_sealed_are_neither_judged_nor_learned_from() -> None:
    until = START + timedelta(days=30, hours=10)
    live = _assess(_exfiltration(), until)
    sealed = _assess(_exfiltration().filter(pl.col("time") < until - timedelta(hours=24)), until)
    assert live.decisions.height > 5
    assert live.decisions.get_column("hour").max() <= until - timedelta(hours=25)
    assert live.decisions.equals(sealed.decisions)
    assert live.models.equals(sealed.models)


def test_an_hour_is_sealed_when_the_lateness_after_its_end_has_passed() -> None:
    hours = pl.DataFrame({"hour": [datetime(2026, 2, 3, 3)]})
    lateness = timedelta(hours=24)
    assert behaviour._sealed(hours, datetime(2026, 2, 4, 4), lateness).height == 1
    assert behaviour._sealed(hours, datetime(2026, 2, 4, 3, 59, 59), lateness).height == 0
    assert behaviour._sealed(hours, None, lateness).height == 0


def test_severity_steps() -> None:
    def severity(extrapolated: bool, breaches: int, days: int, confidence: float) -> str:
        hit: Any = SimpleNamespace(extrapolated=extrapolated)
        return behaviour._severity(hit, breaches, days, confidence)

    assert severity(False, 0, 20, 1.0) == "medium"
    assert severity(False, 3, 20, 1.0) == "high"
    assert severity(True, 0, 20, 1.0) == severity(False, 0, 6, 1.0) == severity(False, 0, 20, 0.89) == "low"
    assert severity(True, 1, 20, 1.0) == "medium"
    assert severity(False, 0, 20, 0.5) == severity(True, 0, 20, 0.5) == "info"


def test_unknown_columns_give_no_nan_and_no_finding() -> None:
    unknown = {"bytes_out": pl.Int64, "bytes_in": pl.Int64, "status": pl.String, "chain_id": pl.String}
    bare = _estate(HEAD_SEED).with_columns(pl.lit(None, kind).alias(name) for name, kind in unknown.items())
    result = _assess(bare)
    assert result.decisions.height > 5
    for column in ("score", "p_value"):
        assert result.decisions.get_column(column).is_finite().all()
    for row in result.findings.to_pylist():
        assert row["chain_id"] is None
        assert "bytes_out" not in row["title"]


def test_a_worker_with_one_day_is_judged_low() -> None:
    night = _night(29, "worker-99", hosts=14, sent=3_100_000_000)
    rows = [row for row in _assess(pl.concat([_estate(HEAD_SEED), night])).findings.to_pylist() if row["day"].day == 3]
    assert [(row["worker"], row["severity"]) for row in rows] == [("worker-99", "low")]
    assert "unlike its peers" in rows[0]["title"]


def test_nothing_to_judge() -> None:
    empty = _estate(HEAD_SEED).clear()
    nobody = _estate(HEAD_SEED).with_columns(pl.lit(None, pl.String).alias("worker"))
    for actions, until in ((empty, None), (empty, START), (nobody, START + timedelta(days=31))):
        findings, models = behaviour.judge(_engine(actions, until))
        assert (findings.num_rows, models.num_rows) == (0, 0)
        assert (findings.schema, models.schema) == (behaviour.FINDING_ROWS, behaviour.MODEL_ROWS)


def test_too_little_past_is_said() -> None:
    skipped = _assess(_estate(HEAD_SEED), START + timedelta(days=14), None).skipped
    assert list(skipped) == ["2026-01-05", "2026-01-12"]
    assert "7 days with activity" in skipped["2026-01-12"]


def test_a_change_that_stays_becomes_the_new_normal() -> None:
    hits = [("w", START + timedelta(days=i)) for i in range(5)]
    week = START + timedelta(days=7)
    assert behaviour._left_out(hits, week) == set(hits)
    assert behaviour._left_out([*hits, ("w", START + timedelta(days=5))], week) == set()
    assert behaviour._left_out(hits, START + timedelta(weeks=12)) == set()


def test_quiet_estates_are_seldom_flagged() -> None:
    """Ten estates, one week each, judged on four weeks of past: about q of the days may be flagged."""
    days = flagged = 0
    for seed in range(500, 510):
        engine = _engine(_estate(seed, days=35), None)
        epoch = judge_epoch(features.worker_hours(engine), START + timedelta(days=28), set())
        assert not isinstance(epoch, str)
        by_day = epoch.decisions.group_by("day").agg(pl.col("flagged").any())
        days += by_day.height
        flagged += int(by_day.get_column("flagged").sum())
    assert days > 60
    assert flagged <= 0.2 * days
