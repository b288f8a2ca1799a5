"""What makes logs hard: rows in, rows that are late, twice, lost, skewed, hidden or cut out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl

from pipelines.worlds.draws import draws
from pipelines.worlds.emit import emitters
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.hard import copies, fields, unissued
from pipelines.worlds.hard.clocks import sharded, skewed
from pipelines.worlds.hard.late import delivered
from pipelines.worlds.hard.rates import SILENT_HOURS, Rates
from pipelines.worlds.hard.silence import silence
from pipelines.worlds.logged import Logging
from tests.pipelines.worlds import tale

RATES = Rates.of(3)
CALLS = Happenings.all_of(tale.day(number) for number in range(4)).calls.sort("at", "event")


def _logged(rows: pl.DataFrame = CALLS) -> pl.DataFrame:
    return rows.with_columns(
        pl.col("at").alias("logged_at"), pl.col("at").alias("delivered_at"), pl.lit("").alias("shard"),
        pl.lit(False).alias("is_copy"), pl.lit(True).alias("issued"),
    )  # fmt: skip


def test_each_seed_has_rates_of_its_own_and_keeps_them() -> None:
    assert Rates.of(3) == RATES
    assert len({Rates.of(seed).late for seed in range(20)}) == 20
    assert {Rates.of(seed).skew > 0 for seed in range(20)} == {True, False}


def test_most_are_delivered_within_minutes_and_some_late_by_hours() -> None:
    rates = replace(RATES, late=0.2, longest_delay=300)
    rows = delivered(_logged(), rates, draws(1), by_object=True)
    delay = (rows["delivered_at"] - rows["logged_at"]).dt.total_seconds() / 60
    assert 0.1 < rows["late"].mean() < 0.3  # type: ignore[operator]
    assert delay.filter(~rows["late"]).max() <= rates.prompt_delay[1]  # type: ignore[operator]
    assert delay.filter(rows["late"]).min() >= 15  # type: ignore[operator]
    assert 200 < delay.max() <= 300  # type: ignore[operator]
    assert not rows.sort("logged_at")["delivered_at"].is_sorted(), "out of order"


def test_what_is_read_line_by_line_is_there_at_once_unless_it_is_late() -> None:
    rows = delivered(_logged(), replace(RATES, late=0.0), draws(1), by_object=False)
    assert (rows["delivered_at"] == rows["logged_at"]).all()


def test_of_twins_the_other_accounts_record_is_the_copy() -> None:
    twins = copies.twins(_logged()).filter(pl.col("shared_id").is_not_null())
    assert twins.height > 0
    assert set(twins.filter("is_copy")["account"]) == {tale.ABROAD}
    assert set(twins.filter(~pl.col("is_copy"))["account"]) == {tale.HOME}
    alone = copies.twins(_logged().filter(pl.col("account") == tale.ABROAD))
    assert not alone["is_copy"].any(), "a record whose twin is in no trail of ours is no copy"


def test_a_second_trail_tells_of_management_events_again() -> None:
    rows = delivered(_logged(), RATES, draws(1), by_object=True)
    again = copies.second_trail(rows, tale.HOME, "audit", RATES, draws(2))
    told = rows.filter(pl.col("account") == tale.HOME, ~pl.col("is_data"))
    assert again["event"].to_list() == told["event"].to_list()
    assert again["is_copy"].all()
    assert again["late"].equals(told["late"]), "the text must be the same"


def test_repeated_rows_come_later() -> None:
    rows = delivered(_logged(), RATES, draws(1), by_object=True)
    again = copies.repeated(rows, replace(RATES, repeated=0.3), draws(2), within_minutes=60).join(
        rows.select("event", first="delivered_at"), on="event"
    )
    assert 0 < again.height < rows.height
    assert (again["delivered_at"] >= again["first"]).all()
    assert again["is_copy"].all()


def test_lost_issuances_leave_what_hangs_on_them_unproven() -> None:
    first = CALLS.filter(pl.col("operation") == "AssumeRoleWithWebIdentity").head(1)
    state = unissued.Unissued()
    state.lose(first)
    marked = state.mark(CALLS)
    run = marked.filter(pl.col("run") == first["run"][0], pl.col("event") != first["event"][0])
    # The session's own calls, and those of the role that was taken on with it; the other account's twin has no key.
    assert run.filter(pl.col("identity_type") != "AWSAccount")["issued"].not_().all()
    assert "GetSecretValue" in run.filter(~pl.col("issued"))["operation"].to_list()
    others = marked.filter(pl.col("run") != first["run"][0])
    assert others["issued"].all()
    assert not state.mark(run)["issued"].all(), "also of a later day"


def test_only_issuances_are_lost_and_twins_are_lost_together() -> None:
    lost = CALLS.filter(unissued.chosen(CALLS, 0.5, draws(5)))
    assert 0 < lost.height < CALLS.filter(unissued.ISSUES).height
    assert set(lost["service"]) == {"sts"}
    shared = CALLS.filter(pl.col("shared_id").is_in(lost["shared_id"].drop_nulls().implode()))
    assert set(shared["event"]) <= set(lost["event"])


def test_one_proxy_is_off_by_some_seconds() -> None:
    requests = tale.day(0).requests.with_columns(pl.col("at").alias("logged_at"))
    rows = skewed(sharded(requests, ("egress-1", "egress-2")), "egress-2", -4.5)
    off = rows.group_by("shard").agg((pl.col("logged_at") - pl.col("at")).unique())
    assert dict(off.iter_rows()) == {"egress-1": [timedelta(0)], "egress-2": [timedelta(seconds=-4.5)]}
    assert rows.group_by("client").agg(pl.col("shard").n_unique())["shard"].max() == 1


def test_fields_are_hidden_left_out_and_cut() -> None:
    rates = replace(RATES, redacted=1.0, cut=0.0, long_agents=0.0)
    secrets = CALLS.filter(pl.col("service") == "secretsmanager").with_columns(
        request=pl.lit('{"secretString":"hunter2","name":"x"}')
    )
    hidden = fields.hardened(secrets, rates, draws(1))["request"][0]
    assert json.loads(hidden) == {"secretString": fields.HIDDEN, "name": "x"}
    rates = replace(RATES, redacted=0.0, cut=1.0, long_agents=1.0)
    cut = fields.hardened(CALLS, rates, draws(1))
    told = json.loads(cut.filter(pl.col("service") == "s3")["request"][0])
    assert (told["omitted"], told["reason"]) == (True, "requestParameters too large")
    assert cut["agent"].str.len_chars().unique().to_list() == [fields.LONGEST_AGENT]
    assert cut.filter(pl.col("service") == "sts")["request"].equals(CALLS.filter(pl.col("service") == "sts")["request"])


def test_a_source_is_silent_for_half_a_day_and_what_it_would_have_issued_is_unproven() -> None:
    log = Logging(tale.ESTATE, tale.SIZE, ("cloudtrail",))
    silent = silence(tale.SIZE, ("cloudtrail",))
    assert silent == log.silent
    assert silent.until - silent.since == timedelta(hours=SILENT_HOURS)
    cloudtrail = next(emitter for emitter in emitters() if emitter.format == "cloudtrail")
    rows = pl.concat(log.rows(cloudtrail, tale.day(day), day) for day in range(tale.SIZE.days))
    assert rows.filter(pl.col("logged_at").is_between(silent.since, silent.until, closed="left")).is_empty()
    assert rows.filter(pl.col("logged_at") >= silent.until).height > 0
    assert rows.height < sum(tale.day(day).calls.height for day in range(tale.SIZE.days)) * 1.4


def test_the_same_day_is_logged_the_same_way() -> None:
    def logged() -> list[pl.DataFrame]:
        log = Logging(tale.ESTATE, tale.SIZE, tuple(emitter.format for emitter in emitters()))
        return [log.rows(emitter, tale.day(0), 0) for emitter in emitters()]

    assert all(first.equals(second) for first, second in zip(logged(), logged(), strict=True))
    assert isinstance(logged()[0]["delivered_at"][0], datetime)
