"""Attribution over nine known actions: each error moves the measures by its own weight."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.evaluate.share import Share
from tests.end_to_end.small import Estate
from tests.pipelines.evaluate.worlds import CHALLENGE, changed, measured, perfect, row, squid_row, write


def test_a_perfect_run(estate: Estate, tmp_path: Path) -> None:
    found = measured(estate, write(tmp_path, perfect()))
    assert found.counts.seen == Share(9, 9)
    assert found.at("proven").precision == Share(8, 8)
    assert found.at("proven").recall == found.at("asserted").where_logged == Share(8, 8)
    assert found.at("none").precision == Share(1, 1)
    assert found.at("proven", "cloud").precision == Share(7, 7)
    assert found.at("proven", "proxy").recall == Share(1, 1)
    assert found.calibration.error == 0
    assert found.chains.purity_run == found.chains.purity_worker == found.chains.completeness == Share(8, 8)
    assert found.causes == ()


def test_one_wrong_worker(estate: Estate, tmp_path: Path) -> None:
    found = measured(estate, write(tmp_path, changed(read_2={"worker": "other", "run": "run-9"})))
    assert found.at("proven").precision == Share(7, 8)
    assert found.at("proven").recall == Share(7, 8)
    assert found.calibration.error == pytest.approx(1 / 8)
    assert found.chains.purity_run == found.chains.purity_worker == Share(7, 8)
    assert found.chains.completeness == Share(8, 8)
    (cause,) = found.causes
    assert (cause["verdict"], cause["true_worker"], cause["worker"], cause["actions"]) == ("wrong", "other", "agent", 1)
    assert cause["example"] == f"cloudtrail:{perfect()['read-2']['native_id']}"


def test_a_persons_action_given_to_a_worker_counts_against_precision_alone(estate: Estate, tmp_path: Path) -> None:
    found = measured(estate, write(tmp_path, changed(read_2={"worker": None, "run": None})))
    assert found.at("proven").precision == Share(7, 8)
    assert found.at("proven").recall == Share(7, 7)
    assert [one["verdict"] for one in found.causes] == ["person"]


def test_one_unattributed(estate: Estate, tmp_path: Path) -> None:
    truth = changed(person_1={"worker": "agent", "run": "run-1", "issued": False})
    found = measured(estate, write(tmp_path, truth))
    assert found.at("proven").precision == Share(8, 8)
    assert found.at("ambiguous").recall == Share(8, 9)
    assert found.at("asserted").where_logged == Share(8, 8), "nobody could have proved it"
    assert found.at("none").precision == Share(0, 1)
    assert found.chains.completeness == Share(8, 9)
    assert [(one["verdict"], one["issued"], one["actions"]) for one in found.causes] == [("nobody", False, 1)]


def test_one_that_never_came(estate: Estate, tmp_path: Path) -> None:
    found = measured(estate, write(tmp_path, {**perfect(), "lost-1": row("lost-1", 999)}))
    assert found.counts.seen == Share(9, 10)
    assert found.at("proven").recall == Share(8, 9)
    assert found.at("proven").precision == Share(8, 8)


def test_a_challenge_that_names_nobody_is_no_action(estate: Estate, tmp_path: Path) -> None:
    truth = {**perfect(), "challenge-1": squid_row("challenge-1", 700, CHALLENGE)}
    found = measured(estate, write(tmp_path, truth))
    assert (found.counts.seen, found.counts.unread) == (Share(9, 9), 1)
    assert found.at("proven").recall == Share(8, 8)
    assert found.causes == ()


def test_copies_count_once(estate: Estate, tmp_path: Path) -> None:
    again = row("read-1", 1, source="second", is_copy=True)
    twin = row("quiet-1", 121, native_id="ffffffff-0000-0000-0000-000000000000", is_copy=True)
    found = measured(estate, write(tmp_path, {**perfect(), "again": again, "twin": twin}))
    assert found.counts.seen == Share(9, 9)


def test_a_run_in_two_chains_is_not_complete(estate: Estate, tmp_path: Path) -> None:
    found = measured(estate, write(tmp_path, changed(web_1={"run": "run-1"})))
    assert found.chains.completeness == Share(7, 8)
    assert found.chains.purity_run == Share(8, 8)


def test_delegators(estate: Estate, tmp_path: Path) -> None:
    found = measured(estate, write(tmp_path, changed(read_1={"delegator": "mail:addr/ann@corp.example"})))
    assert found.delegators.named == Share(0, 1)
    assert found.delegators.accuracy == Share(0, 0), "none is named, so none can be right"
    assert found.delegators.invented == Share(0, 7)
    assert found.delegators.other_kind == Share(0, 0)
