"""Detection over one finding on two known actions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pipelines.evaluate.share import Share
from tests.end_to_end.small import Estate
from tests.pipelines.evaluate.worlds import BENIGN_ALL, INCIDENT, START, changed, measured, perfect, write

LOOKALIKE = {"lookalike": "benign-1", "name": "groups_tidied", "resembles": "policies_deleted", "worker": "agent"}
SECOND = {**INCIDENT, "incident": "incident-2", "scenario": "quiet_read", "intensity": 0.1,
          "started_at": START + timedelta(seconds=121)}  # fmt: skip


def test_a_perfect_run(estate: Estate, tmp_path: Path) -> None:
    found = measured(estate, write(tmp_path, perfect()))
    assert found.detection.recall.caught == found.detection.middle.caught == Share(1, 1)
    assert found.detection.false.false == 0
    assert found.detection.false.rate == 0
    assert found.detection.ranking.area == 1
    assert found.detection.findings_per_caught == 1
    assert found.detection.delay.median_seconds == 0
    assert found.detection.delay.within_run == Share(1, 1)
    assert found.evidence.of_all == found.evidence.of_caught == Share(2, 2)


def test_one_missed_incident(estate: Estate, tmp_path: Path) -> None:
    folder = write(tmp_path, changed(quiet_1={"incident": "incident-2"}), (INCIDENT, SECOND))
    found = measured(estate, folder)
    assert found.detection.recall.caught == Share(1, 2)
    assert found.detection.middle.caught == Share(1, 1)
    assert [(one.intensity, one.caught) for one in found.detection.by_intensity] == [
        (0.1, Share(0, 1)),
        (0.5, Share(1, 1)),
    ]
    assert {one.scenario: one.touched for one in found.detection.by_scenario} == {
        "policies_deleted": Share(1, 1),
        "quiet_read": Share(0, 1),
    }
    assert found.detection.ranking.area == 0.5, "what is never reached costs area"
    assert found.evidence.of_all == Share(2, 3)
    assert found.evidence.of_caught == Share(2, 2)
    assert found.evidence.mean_of_caught == 1
    assert [one["incident"] for one in found.outcomes if not one["caught"]] == ["incident-2"]


def test_one_false_finding(estate: Estate, tmp_path: Path) -> None:
    found = measured(estate, write(tmp_path, changed(**BENIGN_ALL), ()))
    assert found.detection.recall.caught == Share(0, 0)
    assert (found.detection.false.false, found.detection.false.rate) == (1, 100.0), "one in ten worker-days"
    (detector,) = found.detection.by_detector
    assert (detector.detector, detector.false, detector.right) == ("out_of_scope", 1, 0)
    assert detector.examples[0]["kind"] == "false"
    assert found.detection.ranking.area is None
    assert found.detection.delay.median_seconds is None
    assert found.evidence.of_all == Share(0, 0)


def test_a_finding_on_a_lookalike_is_false(estate: Estate, tmp_path: Path) -> None:
    benign = {name: {"incident": None, "lookalike": "benign-1"} for name in BENIGN_ALL}
    found = measured(estate, write(tmp_path, changed(**benign), (), (LOOKALIKE,)))
    assert (found.detection.false.false, found.detection.false.on_lookalikes) == (1, 1)
    (one,) = found.detection.lookalikes
    assert (one["name"], one["raised_on"], one["detectors"]) == ("groups_tidied", Share(1, 1), ["out_of_scope"])


def test_a_lookalike_that_nothing_minds(estate: Estate, tmp_path: Path) -> None:
    found = measured(estate, write(tmp_path, changed(quiet_1={"lookalike": "benign-1"}), (INCIDENT,), (LOOKALIKE,)))
    (one,) = found.detection.lookalikes
    assert (one["raised_on"], one["findings"], one["detectors"]) == (Share(0, 1), 0, [])


def test_a_finding_that_names_another_worker_touches_and_does_not_catch(estate: Estate, tmp_path: Path) -> None:
    truth = changed(**{name: {"worker": "other", "run": "run-9"} for name in BENIGN_ALL})
    found = measured(estate, write(tmp_path, truth, ({**INCIDENT, "worker": "other"},)))
    assert found.detection.recall.caught == Share(0, 1)
    assert found.detection.recall.touched == Share(1, 1)
    assert (found.detection.false.astray, found.detection.false.false) == (1, 1)
    assert found.evidence.of_all == Share(0, 2)


def test_time_to_detection_begins_with_the_first_event(estate: Estate, tmp_path: Path) -> None:
    early = {**INCIDENT, "started_at": START - timedelta(minutes=30)}
    found = measured(estate, write(tmp_path, changed(quiet_1={"incident": "incident-1"}), (early,)))
    assert found.detection.delay.median_seconds == 30 * 60 + 61
    assert found.detection.delay.median_runs == 2, "the run at nine saw nothing of it"
    assert found.detection.delay.within_run == Share(0, 1)
    assert found.evidence.of_all == Share(2, 3)


def test_an_incident_that_left_no_record_is_counted_apart(estate: Estate, tmp_path: Path) -> None:
    found = measured(estate, write(tmp_path, perfect(), (INCIDENT, SECOND)))
    assert found.detection.recall.caught == Share(1, 1)
    assert (found.counts.incidents, found.counts.silent_incidents) == (1, 1)
    assert found.detection.ranking.area == 1
