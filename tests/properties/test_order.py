"""Truth 1: any split of the same objects into runs, in any order, with any repeats, ends in the same content."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import event, given
from hypothesis import strategies as st

from pipelines import schema
from tests.properties.bounds import examples
from tests.properties.estates import AGENT_LATER, OF_STAGE_A, differences, estate, followed
from tests.properties.records import Key, call, squid_line
from tests.properties.schedules import Arrival, Schedule, at_once, late_last, schedules
from tests.properties.worlds import END, ISSUE, LogFile, World, apart, worlds, written


@examples(15)
@given(st.data(), worlds())
def test_records_become_the_same_actions_and_grants_however_they_come(data: st.DataObject, world: World) -> None:
    schedule = data.draw(schedules(world))
    event(f"{schedule.runs} runs")
    one, other = (
        followed(replace(plan, only_pulled=frozenset(range(plan.runs))), OF_STAGE_A)
        for plan in (at_once(world), schedule)
    )
    assert differences(one, other) == {}


@examples(6)
@given(st.data(), worlds())
def test_whole_runs_end_in_the_same(data: st.DataObject, world: World) -> None:
    assert differences(followed(at_once(world)), followed(data.draw(schedules(world)))) == {}


@examples(4)
@given(st.sampled_from([ISSUE, END]), worlds())
def test_what_issues_or_ends_a_credential_may_come_last(about: str, world: World) -> None:
    split = apart(world, about)
    assert differences(followed(at_once(split)), followed(late_last(split))) == {}


@examples(4)
@given(st.data(), worlds())
def test_a_manifest_that_changes_on_the_way_judges_by_event_time(data: st.DataObject, world: World) -> None:
    schedule = data.draw(schedules(world, most=3))
    changed_before = data.draw(st.integers(0, schedule.runs - 1))
    with estate() as one, estate() as other:
        for made in (one, other):
            made.run()
        one.declare(agent=AGENT_LATER)
        one.follow(at_once(world))
        for run in range(schedule.runs):
            other.before(schedule, run)
            if run == changed_before:
                other.declare(agent=AGENT_LATER)
            other.run()
        assert differences(one.contents(), other.contents()) == {}
        assert len(other.rows("SELECT * FROM manifests WHERE worker = 'agent'")) == 2


def test_without_anything_new_a_run_writes_nothing() -> None:
    with estate() as one:
        one.put("trail", "1.log", written("trail", [json.dumps(LATE)], "container"))
        one.run()
        before = {table.name: one.rows(f"SELECT * FROM {table.name}") for table in schema.TABLES}
        one.run()
        assert {table.name: one.rows(f"SELECT * FROM {table.name}") for table in schema.TABLES} == before


LATE = call(Key("ASIALATE", "role", "agent", session_name="late"), "s3", "GetObject", 1600)
"""A call of a session of the agent that nothing else tells of."""

LATE_NAMES = "('aws:key/ASIALATE', 'aws:session/AROAAGENT:late@2026-03-02T09:00:00Z', 'aws:role/arn:aws:iam::111122223333:role/agent')"
OF_OTHERS = {
    "bindings": f"SELECT * FROM bindings WHERE uid NOT IN {LATE_NAMES}",
    "chains": "SELECT * FROM chains WHERE root_uid NOT LIKE '%LATE' AND root_uid NOT LIKE '%late@%'",
    "findings": "SELECT * FROM findings WHERE worker IS DISTINCT FROM 'agent'",
    "alerts": "SELECT * FROM alerts WHERE finding_uid IN"
    " (SELECT finding_uid FROM findings WHERE worker IS DISTINCT FROM 'agent')",
}


@examples(4)
@given(worlds())
def test_a_late_record_of_one_worker_rewrites_nothing_of_the_others(world: World) -> None:
    with estate() as one:
        one.follow(at_once(world))
        before = {name: sorted(map(repr, one.rows(sql))) for name, sql in OF_OTHERS.items()}
        one.put("trail", "late.log", written("trail", [json.dumps(LATE)], "container"))
        summary = one.run()
        assert {name: sorted(map(repr, one.rows(sql))) for name, sql in OF_OTHERS.items()} == before
        assert summary.stitched is not None
        # The role is new where nobody took it on before.
        assert 2 <= summary.stitched.bindings.added <= 3
        assert summary.stitched.bindings.removed == 0
        assert summary.stitched.chains.added == 1
        assert summary.stitched.chains.removed == 0


ODD_LINE = (
    b"1772442009.120 120 10.40.1.11 TCP_MISS/200 1 GET http://a.example/"
    + b"\xff" * 60
    + b" svc-agent HIER_DIRECT/- - 0\n"
)


def test_a_line_of_odd_bytes_is_read_alike_in_a_part_of_a_file_and_in_the_whole() -> None:
    plain = "".join(f"{squid_line(second, 'svc-agent', 'GET', 'http://a.example/')}\n" for second in range(20)).encode()
    file = LogFile("egress", "1.log", plain + ODD_LINE, 21, growing=True)
    whole = at_once(World((), (file,)))
    parts = Schedule(2, (Arrival(0, file, len(plain)), Arrival(1, file, len(file.content))))
    assert differences(followed(whole, OF_STAGE_A), followed(parts, OF_STAGE_A)) == {}
