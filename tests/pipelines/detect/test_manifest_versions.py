"""An action is judged by the manifest in force at its time, and an identity is whose it was then: through the pipeline.

Actions happen on 2 March 2026, at 09:00 and some seconds.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from detectors import rules
from detectors.manifest import load_manifests
from pipelines import run as work
from pipelines.detect import manifests
from pipelines.detect.commit import CATALOGUE
from pipelines.lake.store import Lake
from pipelines.settings import load
from tests.end_to_end.small import MANIFEST, Estate, event, squid_line

STRICT = MANIFEST.replace("s3.amazonaws.com", "sqs.amazonaws.com")
"""A manifest by which the worker may not read objects."""


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


DETECTORS = (rules.read(CATALOGUE / "out_of_scope.sql"),)


def run(estate: Estate) -> work.Summary:
    """Pull to findings, with the one detector that these tests look at."""
    settings = load(estate.config)
    return work.run(work.Plan(settings, tuple(load_manifests(settings.workers)), DETECTORS))


def write(estate: Estate, text: str, worker: str = "agent", since: str | None = None) -> Path:
    """The manifest of `worker`, with its `effective_from`."""
    file = estate.root / "workers" / f"{worker}.yaml"
    named = text.replace("worker: agent", f"worker: {worker}")
    file.write_text(named + (f"effective_from: {since}\n" if since else ""), encoding="utf-8")
    return file


def reads(estate: Estate, *seconds: int) -> None:
    """Objects that the worker read at these seconds."""
    estate.put("trail", [event(second=second, requestID=f"R{second}") for second in seconds])


def outside(estate: Estate) -> list[str]:
    """The open findings of reads out of scope: which requests they are, by the file that has no line."""
    rows = estate.rows(
        """
        SELECT e.action, f.explanation FROM findings AS f JOIN evidence AS e ON e.finding_uid = f.finding_uid
        WHERE f.detector = 'out_of_scope' AND f.status <> 'resolved' AND list_contains(f.evidence, e.action_uid)
        """
    )
    for row in rows:
        assert json.loads(row["explanation"])["expected"] == "no line of workers/agent.yaml matches"
    return sorted(json.loads(row["action"])["request_uid"] for row in rows)


def versions(estate: Estate) -> int:
    return len(estate.rows("SELECT * FROM manifests"))


def test_the_first_version_counts_from_the_beginning(estate: Estate) -> None:
    write(estate, STRICT)
    reads(estate, 1)
    run(estate)
    assert outside(estate) == ["R1"]


def test_a_changed_one_counts_from_when_a_run_first_sees_it(estate: Estate) -> None:
    reads(estate, 1)
    run(estate)
    write(estate, STRICT)
    reads(estate, 2)
    run(estate)
    assert (versions(estate), outside(estate)) == (2, [])


def test_or_from_when_it_says_and_judges_only_what_came_after(estate: Estate) -> None:
    reads(estate, 1, 20)
    run(estate)
    assert outside(estate) == []
    write(estate, STRICT, since="2026-03-02T09:00:10Z")
    run(estate)
    assert outside(estate) == ["R20"]


def test_late_records_of_before_the_change_are_judged_by_what_was_in_force_then(estate: Estate) -> None:
    reads(estate, 20)
    run(estate)
    write(estate, STRICT, since="2026-03-02T09:00:10Z")
    run(estate)
    reads(estate, 1, 21)
    run(estate)
    assert outside(estate) == ["R20", "R21"]


def test_two_versions_in_one_run_of_records_of_both_times(estate: Estate) -> None:
    run(estate)
    write(estate, STRICT, since="2026-03-02T09:00:10Z")
    reads(estate, 1, 20)
    run(estate)
    assert outside(estate) == ["R20"]


def test_the_last_word_counts_for_the_time_that_it_speaks_of(estate: Estate) -> None:
    reads(estate, 1, 20)
    write(estate, STRICT)
    run(estate)
    assert outside(estate) == ["R1", "R20"]
    write(estate, MANIFEST, since="2026-03-02T09:00:30Z")
    run(estate)
    assert outside(estate) == ["R1", "R20"]
    write(estate, MANIFEST, since="2026-03-02T09:00:10Z")
    run(estate)
    assert outside(estate) == ["R1"]
    before = versions(estate)
    reads(estate, 3, 40)
    run(estate)
    assert (versions(estate), outside(estate)) == (before, ["R1", "R3"])


def test_back_to_an_older_document(estate: Estate) -> None:
    write(estate, MANIFEST, since="2026-01-01")
    reads(estate, 1)
    run(estate)
    write(estate, STRICT, since="2026-03-02")
    run(estate)
    assert outside(estate) == ["R1"]
    write(estate, MANIFEST, since="2026-01-01")
    run(estate)
    assert (versions(estate), outside(estate)) == (3, [])


def test_order_of_runs_does_not_matter_at_equal_manifests(tmp_path: Path) -> None:
    found = []
    for name, batches in (("one", [(1, 20)]), ("two", [(1,), (20,)]), ("three", [(20,), (1,)])):
        estate = Estate(tmp_path / name)
        run(estate)
        write(estate, STRICT, since="2026-03-02T09:00:10Z")
        for batch in batches:
            reads(estate, *batch)
            run(estate)
        found.append(
            (outside(estate), estate.rows("SELECT uid, worker, valid_from, valid_to FROM bindings ORDER BY uid"))
        )
    assert found[0] == found[1] == found[2]


def test_a_manifest_that_is_taken_away_stays_in_force_and_coverage_says_so(estate: Estate) -> None:
    reads(estate, 1)
    run(estate)
    write(estate, STRICT.replace("role/agent", "role/other").replace("svc-agent", "svc-other"), "other")
    (estate.root / "workers" / "agent.yaml").unlink()
    estate.put("trail", [event("DeleteQueue", second=2, eventSource="sqs.amazonaws.com", requestID="R2")])
    run(estate)
    assert {row["worker"] for row in estate.rows("SELECT worker FROM attributions")} == {"agent"}
    assert outside(estate) == ["R2"]
    (said,) = estate.rows("SELECT worker, missing FROM coverage WHERE missing IS NOT NULL")
    assert said["worker"] == "agent"
    assert said["missing"].startswith("the manifest (workers/agent.yaml) is no longer in the folder")


OTHER = """
worker: other
owner: team@corp.example
identities: [{identity}]
scope: []
"""


def by_second(estate: Estate) -> list[tuple[int, str | None]]:
    """Who did what was done at each second."""
    rows = estate.rows(
        "SELECT a.time, t.worker FROM actions AS a JOIN attributions AS t ON t.action_uid = a.action_uid ORDER BY time"
    )
    return [(row["time"].minute * 60 + row["time"].second, row["worker"]) for row in rows]


def bounds(estate: Estate) -> list[tuple[Any, ...]]:
    rows = estate.rows("SELECT DISTINCT valid_from, valid_to, worker FROM bindings ORDER BY worker, valid_from")
    return [tuple(row.values()) for row in rows]


def test_an_identity_that_moves_takes_only_what_is_done_from_then_on(estate: Estate) -> None:
    reads(estate, 1, 20)
    run(estate)
    assert by_second(estate) == [(1, "agent"), (20, "agent")]
    role = "aws:role/arn:aws:iam::111122223333:role/agent"
    moved = datetime(2026, 3, 2, 9, 0, 10)
    write(estate, MANIFEST.replace(f"  - {role}\n", ""), since="2026-03-02T09:00:10Z")
    write(estate, OTHER.format(identity=role), "other", since="2026-03-02T09:00:10Z")
    run(estate)
    assert by_second(estate) == [(1, "agent"), (20, "other")]
    assert bounds(estate) == [(None, moved, "agent"), (moved, None, "other")]
    chains = estate.rows("SELECT chain_id, worker, actions FROM chains ORDER BY worker")
    assert [(row["worker"], row["actions"]) for row in chains] == [("agent", 1), ("other", 1)]
    assert len({row["chain_id"] for row in chains}) == 2
    again = run(estate)
    assert again.stitched is None


def test_what_no_move_touches_keeps_one_unbounded_binding(estate: Estate) -> None:
    reads(estate, 1)
    estate.put("egress", squid_line(5))
    run(estate)
    role = "aws:role/arn:aws:iam::111122223333:role/agent"
    write(estate, MANIFEST.replace(f"  - {role}\n", ""), since="2026-03-02T09:00:10Z")
    write(estate, OTHER.format(identity=role), "other", since="2026-03-02T09:00:10Z")
    run(estate)
    rows = estate.rows("SELECT valid_from, valid_to, worker FROM bindings WHERE uid LIKE 'proxy:user/%'")
    assert [tuple(row.values()) for row in rows] == [(None, None, "agent")]


def test_a_renamed_worker_has_its_identities_from_when_a_run_first_sees_its_new_name(estate: Estate) -> None:
    reads(estate, 1)
    run(estate)
    (estate.root / "workers" / "agent.yaml").unlink()
    write(estate, MANIFEST, "renamed")
    reads(estate, 2)
    run(estate)
    assert by_second(estate) == [(1, "agent"), (2, "agent")]
    (last,) = estate.rows("SELECT recorded_at FROM manifests WHERE worker = 'renamed'")
    assert (last["recorded_at"], None, "renamed") in bounds(estate)


def test_a_version_is_recorded_once(tmp_path: Path) -> None:
    folder = tmp_path / "workers"
    folder.mkdir()
    (folder / "agent.yaml").write_text(MANIFEST + "effective_from: 2026-01-01\n", encoding="utf-8")
    read = load_manifests(folder)
    lake = Lake(tmp_path / "lake" / "catalog.sqlite", tmp_path / "lake" / "files")
    added = []
    for day in (1, 2, 3):
        with lake.writing() as writer:
            added.append(manifests.record(writer, read, tmp_path, datetime(2026, 3, day)).added)
    assert added == [1, 0, 0]
