"""What notebooks read, example by example."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines import reading
from pipelines.settings import Settings, load
from tests.end_to_end.small import Estate

FOUND = pl.DataFrame(
    {
        "finding_uid": ["1", "2", "3", "4"],
        "severity": ["critical", "high", "low", "high"],
        "worker": ["a", "b", "a", "-"],
        "detector": ["x", "x", "y", "y"],
        "status": ["open", "open", "acknowledged", "resolved"],
    }
)


@pytest.fixture
def settings(estate: Estate) -> Settings:
    return load(estate.config)


@pytest.mark.parametrize(
    ("wanted", "uids"),
    [
        ({}, "123"),
        ({"resolved": True}, "1234"),
        ({"at_least": "high"}, "12"),
        ({"at_least": "high", "resolved": True, "detector": "y"}, "4"),
        ({"worker": "a"}, "13"),
        ({"worker": "a", "detector": "x"}, "1"),
        ({"worker": "nobody"}, ""),
    ],
)
def test_findings_are_chosen(wanted: dict[str, str], uids: str) -> None:
    assert "".join(reading.chosen(FOUND, **wanted)["finding_uid"]) == uids  # type: ignore[arg-type]


def test_the_worst_findings_come_first(settings: Settings) -> None:
    severities = reading.findings(settings)["severity"].to_list()
    assert severities == sorted(severities, key=reading.SEVERITIES.index)
    assert severities[0] == "critical"


def test_a_finding_leads_to_its_records_in_its_own_order(settings: Settings, estate: Estate) -> None:
    (row,) = estate.rows("SELECT finding_uid, evidence FROM findings WHERE entity LIKE '%role/cleaner'")
    followed = reading.follow(settings, row["finding_uid"])
    assert followed.evidence["action_uid"].to_list() == row["evidence"]
    assert '"eventName":"AssumeRole"' in followed.evidence["raw"][0].replace(" ", "")
    assert followed.evidence["object_uri"][0].startswith("file:///")
    assert len(followed.evidence["object_sha256"][0]) == 64
    assert "who, hop by hop" in followed.lines()
    assert followed.attribution is not None
    assert followed.attribution["worker"] == "agent"


def test_a_finding_that_is_not_there(settings: Settings) -> None:
    with pytest.raises(KeyError, match="nothing"):
        reading.follow(settings, "nothing")


def test_a_worker_that_did_nothing_has_empty_days(settings: Settings) -> None:
    assert reading.workers(settings) == ["agent"]
    days = reading.days(settings, "nobody")
    assert [frame.height for frame in (days.hours, days.destinations, days.lines, days.beyond)] == [0, 0, 0, 0]


def test_days_by_the_hour(settings: Settings) -> None:
    hours = reading.days(settings, "agent").hours
    by_source = {source: part["calls"].sum() for (source,), part in hours.group_by("source")}
    assert by_source == {"trail": 28, "egress": 11}
    assert hours.filter(pl.col("source") == "trail")["bytes_out"].null_count() == 1


@pytest.mark.parametrize("sql", ["DELETE FROM actions", "SELECT 1; SELECT 2", "SELECT * FROM read_text('/etc/passwd')"])
def test_a_query_that_does_more_than_read_the_lake_is_refused(settings: Settings, sql: str) -> None:
    with pytest.raises(reading.RefusedError):
        reading.query(settings, sql)
