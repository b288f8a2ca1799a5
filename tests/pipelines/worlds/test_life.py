"""Benign life as a whole: equal seeds, the events that were asked for, who makes them, how each kind moves."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines.worlds import life, populate
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.kinds import kinds
from pipelines.worlds.size import Size
from tests.pipelines.worlds.living import SIZE, calls_of, estate, lived


def _frames(made: Happenings) -> list[pl.DataFrame]:
    return [made.calls, made.requests, made.issuings]


def _count(size: Size) -> int:
    everybody = populate.estate(size)
    return sum(frame.height for day in range(size.days) for frame in _frames(life.day(everybody, size, day)))


def test_the_same_seed_gives_the_same_frames() -> None:
    again = life.day(populate.estate(SIZE), SIZE, 3)
    for one, other in zip(_frames(life.day(estate(), SIZE, 3)), _frames(again), strict=True):
        assert one.height > 0
        assert one.equals(other)


def test_days_can_be_made_in_any_order() -> None:
    first = life.day(estate(), SIZE, 5)
    life.day(estate(), SIZE, 2)
    assert life.day(estate(), SIZE, 5).calls.equals(first.calls)


def test_another_seed_gives_other_events() -> None:
    other = Size(seed=8, workers=28, days=21, events=60_000)
    made = life.day(populate.estate(other), other, 3).calls
    assert set(made["event"]).isdisjoint(life.day(estate(), SIZE, 3).calls["event"])


@pytest.mark.parametrize(
    "size",
    [
        Size(seed=1, workers=5, days=14, events=3_000),
        Size(seed=2, workers=12, days=20, events=20_000),
        Size(seed=3, workers=30, days=14, events=200_000),
        Size(seed=4, workers=60, days=16, events=5_000),
    ],
    ids=["few", "small", "busy", "quiet"],
)
def test_the_events_that_were_asked_for_come_within_a_tenth(size: Size) -> None:
    assert _count(size) == pytest.approx(size.events, rel=0.1)


def test_people_make_a_realistic_part() -> None:
    whole = sum(frame.height for frame in _frames(lived()))
    people = sum(frame["worker"].null_count() for frame in _frames(lived()))
    assert 0.10 <= people / whole <= 0.25


def test_events_are_unique() -> None:
    events = pl.concat([frame["event"] for frame in _frames(lived())])
    assert events.n_unique() == len(events)


def test_there_are_ten_kinds_and_more_and_all_of_them_live() -> None:
    assert len(kinds()) >= 10
    lived_by = {worker.kind for worker in estate().workers}
    assert lived_by == {kind.name for kind in kinds()}
    active = set(lived().requests["worker"].drop_nulls())
    assert active == {worker.name for worker in estate().workers}


def test_each_kind_has_its_rhythm() -> None:
    """The nightly load runs at the same two hours, support in office hours and hardly at the weekend."""
    assert set(calls_of("etl_cron")["at"].dt.hour()) <= {1, 2, 3}
    support = calls_of("support_agent")["at"]
    assert set(support.dt.hour()) <= set(range(6, 18))
    assert (support.dt.weekday() >= 6).sum() < 0.2 * len(support)


def test_who_is_on_call_is_silent_and_then_works_in_bursts() -> None:
    """Most runs fall into a few hours."""
    on_call = next(one for one in estate().workers if one.kind == "oncall_remediator").name
    runs = lived().calls.filter(pl.col("worker") == on_call).group_by("run").agg(pl.col("at").min())
    hours = runs["at"].dt.truncate("1h").value_counts()["count"].sort(descending=True)
    assert hours[:6].sum() > 0.4 * runs.height


def test_what_a_run_does_comes_after_its_credentials() -> None:
    made = lived().calls.filter(pl.col("access_key").str.starts_with("ASIA") & pl.col("invoked_by").is_null())
    issued = lived().calls.filter(pl.col("operation").str.starts_with("AssumeRole")).select(
        pl.col("at").alias("issued_at"), pl.col("response").str.extract('"accessKeyId":"([A-Z0-9]+)"').alias("access_key"))  # fmt: skip
    used = made.join(issued.unique("access_key"), on="access_key", how="left")
    assert used.height > 1_000
    assert used["issued_at"].null_count() == 0
    late = used.filter(
        (pl.col("at") < pl.col("issued_at")) | (pl.col("at") > pl.col("issued_at") + pl.duration(hours=1))
    )
    assert late.height == 0
