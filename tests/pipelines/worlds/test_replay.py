"""A world handed out in steps ends as the world that was written at once; the pipeline may run in between."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines import run as work
from pipelines.settings import load
from pipelines.worlds import replay
from pipelines.worlds.write import write
from tests.pipelines.worlds import tale


def _day(number: int, hour: int = 0) -> datetime:
    return datetime.combine(tale.SIZE.first_day + timedelta(days=number), time(hour))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tale.SIZE, tale.story(), tmp_path_factory.mktemp("whole") / "out").out


@pytest.fixture
def held(tmp_path: Path) -> Path:
    return write(tale.SIZE, tale.story(), tmp_path / "out", replay=True).out


def test_nothing_is_there_before_it_is_delivered(held: Path) -> None:
    assert tale.files(held / "logs") == {}
    assert replay.deliver(held, _day(0)) == 0
    assert replay.deliver(held, _day(3, 12)) > 0
    rows = pl.read_parquet(held / replay.SCHEDULE)
    assert {f"logs/{name}" for name in tale.files(held / "logs")} == set(
        rows.filter(pl.col("delivered_at") <= _day(3, 12))["file"]
    )


def test_steps_of_any_length_end_in_the_whole_world(whole: Path, held: Path) -> None:
    for number in (1, 2, 5, 6, 9):
        replay.deliver(held, _day(number, number))
        replay.deliver(held, _day(number, number))
    replay.deliver(held)
    assert replay.deliver(held) == 0
    assert tale.files(held / "logs") == tale.files(whole / "logs")
    assert tale.files(held / "truth") == tale.files(whole / "truth")


def test_the_schedule_is_late_out_of_order_and_repeats(held: Path) -> None:
    rows = pl.read_parquet(held / replay.SCHEDULE)
    assert rows["delivered_at"].is_sorted()
    assert rows["repeat"].any()
    first = rows.filter(~pl.col("repeat"))
    assert first.select("file", "byte_start").is_unique().all()
    grown = first.filter(pl.col("file").str.ends_with(".log")).sort("file", "byte_start")
    assert (grown["byte_start"] == grown.select(pl.col("byte_end").shift(fill_value=0).over("file")).to_series()).all()
    assert grown.select((pl.col("delivered_at").diff().over("file").dt.total_seconds() >= 0).all()).item()
    objects = first.filter(pl.col("file").str.ends_with(".gz"))
    named = objects.select(pl.col("file").str.extract(r"_(\d{8}T\d{4}Z)_")).to_series()
    assert named.len() > 20


def test_runs_in_between_find_the_same_as_one_run_at_the_end(whole: Path, held: Path) -> None:
    for until in (_day(8, 7), None):
        replay.deliver(held, until)
        work.run(work.plan(load(held / "workertrail.yaml")))
    work.run(work.plan(load(whole / "workertrail.yaml")))
    found = []
    for world in (whole, held):
        with load(world / "workertrail.yaml").lake.reading() as lake:
            found.append(
                [
                    set(lake.execute(sql).fetchall())
                    for sql in (
                        "SELECT action_uid, deed_uid, is_primary FROM actions",
                        "SELECT action_uid, worker, strength, delegator FROM attributions",
                        "SELECT finding_uid, severity FROM findings WHERE status <> 'resolved'",
                    )
                ]
            )
    assert found[0] == found[1]


def test_a_world_that_was_not_held_back_is_refused(whole: Path) -> None:
    with pytest.raises(replay.NoReplay, match="--replay"):
        replay.deliver(whole)
