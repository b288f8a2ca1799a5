"""Truth 7: from its snapshot, detector versions, manifest and model a finding comes out the same.

From frozen evidence alone, when the snapshot has expired, nothing of the product judges yet; that the evidence is
whole is shown in `test_followed_down`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from detectors.findings import FOUND
from pipelines import run as work
from pipelines.detect import commit as detect
from pipelines.lake.duckdb_engine import DuckDBEngine
from tests.properties.bounds import examples
from tests.properties.estates import AGENT_LATER, Estate, estate
from tests.properties.records import Key, call, squid_line
from tests.properties.schedules import schedules
from tests.properties.worlds import World, worlds, written

Found = dict[str, dict[str, Any]]


def judged_again(made: Estate, snapshot: int, current: Sequence[str]) -> Found:
    """What the detectors say of a snapshot, by finding_uid; `current` are the manifests that lay in the folder."""
    plan = made.plan()
    with made.lake.reading(snapshot) as connection:
        found = detect.judge(DuckDBEngine(connection), plan.detectors, plan.settings.sources, current).found
    return {row["finding_uid"]: row for row in found.to_pylist()}


def assert_repeated(made: Estate, manifests_at: Mapping[int, Sequence[str]]) -> None:
    """Every finding that stands, and every earlier revision of it, comes out of its snapshot again."""
    again: dict[int, Found] = {}
    told = made.rows("SELECT * FROM findings UNION ALL SELECT * FROM finding_revisions")
    for finding in told:
        snapshot = finding["snapshot_id"]
        if snapshot not in again:
            again[snapshot] = judged_again(made, snapshot, manifests_at[snapshot])
        if finding["status"] == "resolved":
            assert finding["finding_uid"] not in again[snapshot]
        else:
            repeated = again[snapshot][finding["finding_uid"]]
            assert repeated == {name: finding[name] for name in FOUND.names}


@examples(4)
@given(st.data(), worlds())
def test_every_finding_comes_out_of_its_snapshot_again(data: st.DataObject, world: World) -> None:
    schedule = data.draw(schedules(world, most=3))
    changed_before = data.draw(st.integers(0, schedule.runs))
    manifests_at: dict[int, list[str]] = {}
    with estate(snapshots=True) as one:
        for run in range(schedule.runs):
            one.before(schedule, run)
            if run == changed_before:
                one.declare(agent=AGENT_LATER)
            one.run()
            for row in one.rows("SELECT input_snapshot FROM stages WHERE stage = 'c'"):
                manifests_at.setdefault(row["input_snapshot"], [manifest.sha256 for manifest in one.plan().manifests])
        event("findings" if one.rows("SELECT 1 FROM findings LIMIT 1") else "no finding")
        assert_repeated(one, manifests_at)


def test_a_finding_names_the_snapshot_that_was_judged_though_records_came_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a real lake: another run pulls while this one judges."""
    agent = Key("ASIA1", "role", "agent")
    real = detect.judge

    def judge(*given: Any) -> detect.Judged:
        found = real(*given)
        one.put("egress", "2.log", squid_line(9, "svc-agent", "GET", "http://far.invalid/2").encode())
        work.ingest_all(one.plan())
        return found

    with estate(real=True) as one:
        one.put("egress", "1.log", squid_line(1, "svc-agent", "GET", "http://far.invalid/1").encode())
        one.put("trail", "1.log", written("trail", [json.dumps(call(agent, "cloudtrail", "StopLogging", 2))], "lines"))
        monkeypatch.setattr(detect, "judge", judge)
        one.run()
        monkeypatch.undo()
        assert len(one.rows("SELECT * FROM actions")) == 3
        found = one.rows("SELECT snapshot_id, len(evidence) AS n FROM findings")
        assert found
        current = [manifest.sha256 for manifest in one.plan().manifests]
        assert_repeated(one, {row["snapshot_id"]: current for row in found})
