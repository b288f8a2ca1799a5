"""Truth 3: a run that breaks anywhere leaves whole stages, and the next one goes on as if nothing had been."""

from __future__ import annotations

import signal
import subprocess
import sys

import duckdb
from hypothesis import event, given
from hypothesis import strategies as st

from pipelines import run as work
from tests.machine import ROOT
from tests.properties.bounds import examples
from tests.properties.estates import Estate, differences, estate
from tests.properties.schedules import at_once
from tests.properties.worlds import World, worlds


class Killed(BaseException):
    """The end of a process, as far as nobody may catch it."""


class Breaks:
    """Raises `error` in place of statement number `at`."""

    def __init__(self, at: int, error: BaseException) -> None:
        self.left, self.error = at, error

    def __call__(self, _statement: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error


class Counts:
    """Counts statements."""

    def __init__(self) -> None:
        self.heard = 0

    def __call__(self, _statement: str) -> None:
        self.heard += 1


def assert_whole_stages(made: Estate) -> None:
    """Nothing of a stage is there without the rest of it."""
    assert work.unaccounted(made.lake) == []
    lost = """
        SELECT record_id FROM records WHERE outcome = 'action' AND record_id NOT IN (SELECT record_id FROM actions)
        UNION ALL SELECT action_uid FROM grants WHERE action_uid NOT IN (SELECT action_uid FROM actions)
        UNION ALL SELECT finding_uid FROM alerts WHERE finding_uid NOT IN (SELECT finding_uid FROM evidence)
        UNION ALL SELECT finding_uid FROM findings WHERE finding_uid NOT IN (SELECT finding_uid FROM evidence)
    """
    assert made.rows(lost) == []
    stages = {row["stage"] for row in made.rows("SELECT DISTINCT stage FROM stages")}
    has = made.rows(
        "SELECT (SELECT count(*) FROM objects) AS a, (SELECT count(*) FROM bindings) AS b,"
        " (SELECT count(*) FROM findings) AS c"
    )[0]
    assert {stage for stage, rows in has.items() if rows} <= stages


@examples(7)
@given(st.data(), worlds())
def test_a_run_that_is_killed_at_any_statement_is_made_good_by_the_next(data: st.DataObject, world: World) -> None:
    with estate() as whole, estate() as broken:
        counts = Counts()
        whole.hearing(counts).follow(at_once(world))
        broken.before(at_once(world), 0)
        for at in data.draw(st.lists(st.integers(1, counts.heard), min_size=1, max_size=3)):
            try:
                broken.hearing(Breaks(at, Killed())).run()
                event("the run had less to do")
            except Killed:
                event("killed")
            assert_whole_stages(broken)
        broken.run()
        assert differences(whole.contents(), broken.contents()) == {}


@examples(7)
@given(st.data(), worlds())
def test_a_statement_that_fails_once_is_made_good_by_the_next_run(data: st.DataObject, world: World) -> None:
    """The database is out of memory, say. A detector that failed alone judges again."""
    with estate() as whole, estate() as broken:
        counts = Counts()
        whole.hearing(counts).follow(at_once(world))
        broken.before(at_once(world), 0)
        at = data.draw(st.integers(1, counts.heard))
        try:
            summary = broken.hearing(Breaks(at, duckdb.OutOfMemoryException("once"))).run()
            event("a detector failed alone" if summary.failures else "nothing of it was seen")
        except duckdb.OutOfMemoryException:
            event("the run failed")
        assert_whole_stages(broken)
        broken.run()
        assert differences(whole.contents(), broken.contents()) == {}


KILLER = """
import os, signal, sys
from pathlib import Path
from pipelines import run as work
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.settings import load

config, left = Path(sys.argv[1]), int(sys.argv[2])
real = DuckDBEngine.let

def let(self, name, source):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, name, source)

DuckDBEngine.let = let
work.run(work.plan(load(config)))
"""


@examples(1)
@given(worlds(), st.floats(0, 1))
def test_a_process_that_is_killed_leaves_a_lake_that_goes_on(world: World, when: float) -> None:
    """On a real lake; it also shows that the lake in memory ends as a real one does."""
    with estate() as whole, estate(real=True) as broken:
        lets: list[str] = []
        whole.hearing(lambda sql: lets.append(sql) if "TEMP TABLE" in sql else None).follow(at_once(world))
        broken.before(at_once(world), 0)
        at = str(1 + int(when * len(lets) * 0.9))
        command = [sys.executable, "-c", KILLER, str(broken.settings.file), at]
        killed = subprocess.run(command, cwd=ROOT, check=False)
        assert killed.returncode == -signal.SIGKILL
        broken.run()
        assert work.unaccounted(broken.lake) == []
        assert differences(whole.contents(), broken.contents()) == {}


def test_a_failure_that_stays_is_told_by_every_run() -> None:
    with estate() as one:
        one.put("egress", "1.log", b"x\n")

        def hear(statement: str) -> None:
            if "evidence_of_out_of_scope" in statement:
                raise duckdb.OutOfMemoryException("always")

        failing = one.hearing(hear)
        for _ in range(2):
            assert [failure.detector for failure in failing.run().failures] == ["out_of_scope"]
        assert one.run().failures == ()
        assert one.run().findings is None
