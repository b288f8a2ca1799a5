"""Who is attacked when: after the warm-up, one at a time, all scenarios and intensities alike, from the seed alone."""

import itertools
from collections import Counter
from datetime import datetime, time, timedelta
from functools import cache

import polars as pl
import pytest

from pipelines.worlds import populate
from pipelines.worlds.attacks import scenarios
from pipelines.worlds.plot import INCIDENTS_A_WORKER, WARM_UP, Placed, incidents_of, plot
from pipelines.worlds.scenario import INTENSITIES
from pipelines.worlds.size import Size
from tests.pipelines.worlds.stages import frames

LARGE = Size(seed=7, workers=130, days=30, events=130 * 30 * 12)
SMALL = Size(seed=2, workers=12, days=20, events=20_000)


@cache
def placed(size: Size) -> tuple[Placed, ...]:
    return tuple(plot(populate.estate(size), size))


def of(size: Size, *, attacks: bool) -> list[Placed]:
    return [one for one in placed(size) if one.is_attack == attacks]


def labels(one: Placed) -> pl.DataFrame:
    return pl.concat(rows.select("event", "at", "worker", "incident", "lookalike") for rows in frames(one.happenings))


def test_every_scenario_is_played_in_a_large_world():
    assert {one.scenario for one in of(LARGE, attacks=True)} == {one.name for one in scenarios()}


def test_attacks_stay_the_exception():
    assert len(of(LARGE, attacks=True)) == incidents_of(LARGE) <= INCIDENTS_A_WORKER * LARGE.workers
    assert len(of(SMALL, attacks=True)) == incidents_of(SMALL) == 3


def test_a_world_of_one_worker_has_one_attack_at_most():
    tiny = Size(seed=1, workers=1, days=20, events=2_000)
    assert len([one for one in plot(populate.estate(tiny), tiny) if one.is_attack]) <= 1


def test_all_intensities_come_alike_often():
    counts = Counter(one.intensity for one in of(LARGE, attacks=True))
    assert set(counts) == set(INTENSITIES)
    assert max(counts.values()) - min(counts.values()) <= 2


def test_nothing_happens_in_the_warm_up_or_after_the_end():
    begins = datetime.combine(LARGE.first_day, time())
    for one in placed(LARGE):
        assert one.started_at >= begins + timedelta(days=int(LARGE.days * WARM_UP) - 1, hours=20)
        assert one.ended_at < begins + timedelta(days=LARGE.days)


def test_one_at_a_time_on_a_worker():
    spans: dict[str, list[tuple[datetime, datetime]]] = {}
    for one in placed(LARGE):
        spans.setdefault(one.worker, []).append((one.started_at, one.ended_at))
    for worker, times in spans.items():
        times.sort()
        assert all(before[1] < after[0] for before, after in itertools.pairwise(times)), worker


def test_labels_are_on_rows_and_times_are_theirs():
    for one in placed(LARGE):
        rows = labels(one)
        mine = rows.filter(pl.col("incident" if one.is_attack else "lookalike") == one.id)
        assert mine.height > 0, one.name
        assert (mine["at"].min(), mine["at"].max()) == (one.started_at, one.ended_at)
        assert set(rows["incident"].drop_nulls()) <= {one.id}
        assert set(rows["lookalike"].drop_nulls()) <= {one.id}
        assert (rows["lookalike"].null_count() == rows.height) == one.is_attack
        for frame in frames(one.happenings):
            assert frame["at"].is_sorted()


def test_what_the_worker_would_have_left_anyway_has_no_label():
    assert any(labels(one)["incident"].has_nulls() for one in of(LARGE, attacks=True))


def test_ids_of_all_rows_are_unique():
    events = pl.concat(labels(one) for one in placed(LARGE))["event"]
    assert events.n_unique() == len(events)
    names = [one.id for one in placed(LARGE)]
    assert len(set(names)) == len(names)


def test_look_alikes_are_those_of_the_attacks():
    known = {(scenario.name, one.name) for scenario in scenarios() for one in scenario.lookalikes}
    benign = of(LARGE, attacks=False)
    assert len(benign) >= len(of(LARGE, attacks=True))
    assert {(one.scenario, one.name) for one in benign} <= known


def test_the_same_seed_is_the_same_plot():
    again = plot(populate.estate(SMALL), SMALL)
    assert [(one.id, one.name, one.worker, one.intensity, one.started_at) for one in again] == [
        (one.id, one.name, one.worker, one.intensity, one.started_at) for one in placed(SMALL)
    ]
    for one, other in zip(again, placed(SMALL), strict=True):
        assert all(a.equals(b) for a, b in zip(frames(one.happenings), frames(other.happenings), strict=True))


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_another_seed_is_another_plot(seed: int):
    other = Size(seed, SMALL.workers, SMALL.days, SMALL.events)
    assert [one.scenario for one in plot(populate.estate(other), other)] != [one.scenario for one in placed(SMALL)]
