"""Every attack can be played at every intensity, and does more the more blatant it is meant to be."""

from datetime import timedelta
from functools import cache

import polars as pl
import pytest

from pipelines.worlds.apis import is_data
from pipelines.worlds.attacks import scenarios
from pipelines.worlds.happenings import CALLS, ISSUINGS, REQUESTS, Happenings
from pipelines.worlds.scenario import INTENSITIES, Scenario
from tests.pipelines.worlds.stages import DAY, SIZE, frames, small, stage, suited

SESSION_LIFE = timedelta(hours=1)
LIVES_ON = {"expired-session"}
"""The one attack whose point is that its sessions have ended."""
each = pytest.mark.parametrize("scenario", scenarios(), ids=lambda one: one.name)


@cache
def played(scenario: Scenario, intensity: float) -> Happenings:
    worker = suited(scenario.suits)
    assert worker, f"nobody in a world with every kind of worker suits {scenario.name}"
    return scenario.act(stage(worker, intensity))


def own(happenings: Happenings) -> Happenings:
    """Without what the worker itself would have left."""
    return Happenings(*(rows.filter(pl.col("incident").is_null()) for rows in frames(happenings)))


def measured(scenario: Scenario, happenings: Happenings) -> int:
    rows = own(happenings)
    if scenario.measure == "events":
        return sum(one.height for one in frames(rows))
    return int(rows.requests[scenario.measure].sum())


def test_at_least_fifteen_scenarios_of_all_families():
    families = {one.family for one in scenarios()}
    assert len(scenarios()) >= 15
    assert families == {
        "scope", "credentials", "delegation", "approvals", "escalation", "persistence", "exfiltration", "model",
        "injection", "loops", "evasion", "movement",
    }  # fmt: skip


def test_names_are_unique_and_look_alikes_are_one_to_three():
    names = [one.name for one in scenarios()]
    assert len(set(names)) == len(names)
    for scenario in scenarios():
        assert 1 <= len(scenario.lookalikes) <= 3, scenario.name
        assert all(one.why_benign for one in scenario.lookalikes)


@each
def test_more_intensity_is_more_of_its_measure(scenario: Scenario):
    found = [measured(scenario, played(scenario, intensity)) for intensity in INTENSITIES]
    assert found == sorted(found)
    assert 0 < found[0] < found[-1]


@each
@pytest.mark.parametrize("intensity", [INTENSITIES[0], INTENSITIES[-1]])
def test_rows_are_valid(scenario: Scenario, intensity: float):
    happenings = played(scenario, intensity)
    starts = stage(small().workers[0], intensity).at
    ids: list[str] = []
    for rows, schema in zip(frames(happenings), (CALLS, REQUESTS, ISSUINGS), strict=True):
        assert dict(rows.schema) == dict(pl.DataFrame(schema=schema).schema.items())
        ids += rows["event"].to_list()
        assert rows["at"].null_count() == 0
        in_time = pl.col("at").is_between(starts - timedelta(hours=4), starts + timedelta(days=scenario.days))
        assert rows.filter(~in_time).is_empty()
    assert len(set(ids)) == len(ids)
    assert not own(happenings).calls["worker"].has_nulls()
    assert not own(happenings).requests.filter(pl.col("user").str.starts_with("svc-"))["worker"].has_nulls()
    assert not own(happenings).issuings["worker"].has_nulls()
    known = {worker.name for worker in small().workers}
    assert set(own(happenings).calls["worker"]) | set(own(happenings).requests["worker"].drop_nulls()) <= known
    assert (happenings.requests["bytes_out"] >= 0).all()


@each
def test_credentials_are_used_while_they_live(scenario: Scenario):
    if scenario.name in LIVES_ON:
        return
    calls = played(scenario, 1.0).calls.filter(pl.col("access_key").str.starts_with("ASIA"))
    late = calls.filter(pl.col("at") > pl.col("session_created") + SESSION_LIFE)
    assert late.is_empty(), late.select("at", "session_created", "operation")


def test_the_ended_session_is_tried_after_its_end_and_refused():
    scenario = next(one for one in scenarios() if one.name == "expired-session")
    calls = own(played(scenario, 0.1)).calls
    assert calls.height >= 1
    assert calls.filter(pl.col("at") <= pl.col("session_created") + SESSION_LIFE).is_empty()
    assert set(calls["error_code"]) == {"ExpiredToken"}


def test_thieves_come_from_networks_that_no_manifest_names():
    for name in ("replayed-session", "concurrent-use", "stolen-key", "stolen-token"):
        scenario = next(one for one in scenarios() if one.name == name)
        addresses = own(played(scenario, 0.3)).calls["address"].unique().to_list()
        assert all(address.startswith("192.0.2.") for address in addresses), (name, addresses)


def test_the_least_of_thieves_is_a_colleague_whom_only_the_proxy_tells_apart():
    people = {person.address: person.mail.partition("@")[0] for person in small().people}
    for name in ("replayed-session", "stolen-key"):
        rows = own(played(next(one for one in scenarios() if one.name == name), 0.1))
        assert set(rows.calls["address"]) <= set(small().egress)
        assert rows.requests.height
        assert all(people[client] == user for client, user in rows.requests.select("client", "user").iter_rows())
        assert rows.requests["worker"].null_count() == rows.requests.height


@each
def test_look_alikes_of_workers_stay_within_what_they_do_anyway(scenario: Scenario):
    for lookalike in scenario.lookalikes:
        worker = suited(lookalike.suits or scenario.suits)
        if worker is None:
            continue
        happenings = lookalike.act(stage(worker, 0.5))
        assert lookalike.name == "shared-machine" or sum(rows.height for rows in frames(happenings)), lookalike.name
        uses = {(use.service, use.operation) for one in small().workers for use in one.uses}
        calls = happenings.calls.filter(pl.col("worker").is_not_null() & (pl.col("service") != "sts"))
        made = set(calls.filter(pl.col("invoked_by").is_null()).select("service", "operation").iter_rows())
        assert made <= uses, lookalike.name
        hosts = {site.host for one in small().workers for site in one.sites if site.from_day <= DAY}
        visited = set(happenings.requests.filter(pl.col("worker").is_not_null())["host"])
        assert {host for host in visited if not host.endswith(".amazonaws.com")} <= hosts | {small().okta_host}
        assert set(happenings.calls["address"]) <= {*small().egress, "secretsmanager.amazonaws.com"}


def test_same_draws_give_the_same_rows():
    for scenario in scenarios()[::4]:
        again = played.__wrapped__(scenario, 0.7)
        for one, other in zip(frames(played(scenario, 0.7)), frames(again), strict=True):
            assert one.equals(other)


def test_data_events_are_those_of_the_guide():
    calls = played(next(one for one in scenarios() if one.name == "resource-creep"), 0.5).calls
    assert calls.select("service", "operation", "is_data").unique().height > 1
    assert all(is_data(s, o) == d for s, o, d in calls.select("service", "operation", "is_data").iter_rows())
    assert SIZE.workers == len(small().workers)
