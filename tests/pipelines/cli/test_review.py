"""Decisions about findings: what they write, who hears of them, how long they hold."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from detectors.findings import FOUND
from pipelines import review
from pipelines import run as work
from pipelines.detect.revise import Revised, revise
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.store import LakeError
from pipelines.settings import Settings, load
from tests.end_to_end.small import Estate, event
from tests.pipelines.cli.conftest import Type

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
ALERTS = '\nalerts: [{name: siem, type: webhook, url: "http://127.0.0.1:9/x", secret: "env:REVIEW_SECRET"}]\n'
NOW = datetime(2030, 1, 1, 12)
"""Later than the run, so that what is decided at this time is the latest."""


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """Findings of several severities, and a destination that hears of them."""
    made = Estate(tmp_path_factory.mktemp("estate"))
    made.config.write_text(made.config.read_text(encoding="utf-8") + ALERTS, encoding="utf-8")
    calls = [event("DeleteTrail", second=n, eventSource="cloudtrail.amazonaws.com", requestParameters={"name": f"t{n}"})
             for n in range(3)]  # fmt: skip
    made.put("trail", [*calls, event("ListQueues", second=9, eventSource="sqs.amazonaws.com")])
    made.run()
    return made


@pytest.fixture
def settings(estate: Estate) -> Settings:
    return load(estate.config)


def finding(estate: Estate, place: int = 0) -> dict[str, Any]:
    """One of the findings that nobody has decided on, so that no test sees another's."""
    return estate.rows(
        "SELECT * FROM findings WHERE status = 'open' AND revision = 1"
        f" AND finding_uid NOT IN (SELECT subject FROM reviews) ORDER BY severity, finding_uid LIMIT 1 OFFSET {place}"
    )[0]


def now_of(estate: Estate, uid: str) -> tuple[str, int, str | None]:
    row = estate.rows(f"SELECT status, revision, resolution FROM findings WHERE finding_uid = '{uid}'")[0]
    return row["status"], row["revision"], row["resolution"]


def told(estate: Estate, uid: str) -> list[tuple[int, str]]:
    """The alerts of a finding: their revision, and what they say became of it."""
    rows = estate.rows(f"SELECT revision, payload FROM alerts WHERE finding_uid = '{uid}' ORDER BY revision")
    said = [json.loads(row["payload"]) for row in rows]
    said = [one.get("data", one) for one in said]
    return [(row["revision"], one["status"]) for row, one in zip(rows, said, strict=True)]


def found_again(
    settings: Settings, now: datetime, change: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda row: row
) -> Revised:
    """A run's last step, with the findings as they are after `change` (null: found no more)."""
    with settings.lake.writing() as writer:
        names = ", ".join(FOUND.names)
        rows = writer.connection.execute(f"SELECT {names} FROM lake.findings").to_arrow_table().to_pylist()
        found = [row for row in map(change, rows) if row is not None]
        table = pa.Table.from_pylist(found, schema=FOUND)
        return revise(writer, DuckDBEngine(writer.connection), table, frozenset(), settings, now)


def test_ack_writes_a_review_a_revision_and_an_alert(estate: Estate, typed: Type) -> None:
    one = finding(estate)
    config = ("--config", estate.config)
    done = typed(*config, "ack", one["finding_uid"][:12], "--reason", "on it [red]", "--by", "ops", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["status"] == "acknowledged"
    assert now_of(estate, one["finding_uid"]) == ("acknowledged", 2, "on it [red]")
    reviewed = estate.rows(f"SELECT * FROM reviews WHERE subject = '{one['finding_uid']}'")
    assert [(row["decision"], row["decided_by"], row["until"]) for row in reviewed] == [("acknowledged", "ops", None)]
    assert told(estate, one["finding_uid"]) == [(1, "New"), (2, "In Progress")]
    drawn = typed(*config, "show", one["finding_uid"]).out
    assert "revision 2, acknowledged" in drawn
    assert "acknowledged by ops on " in drawn
    assert "on it [red]" in drawn
    again = typed(*config, "reopen", one["finding_uid"], "--reason", "not so")
    assert again.code == 0, again.err
    assert now_of(estate, one["finding_uid"]) == ("open", 3, None)
    assert "is open already" in typed(*config, "reopen", one["finding_uid"], "--reason", "again").err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ack", "UID", "--reason", "  "), "say why"),
        (("suppress", "UID", "--reason", "x"), "Missing option '--until'"),
        (("suppress", "UID", "--reason", "x", "--until", "2020-01-01"), "has passed"),
        (("suppress", "UID", "--reason", "x", "--until", "soon"), "is no end"),
        (("ack", "UID", "--reason", "x", "--by", " "), "must not be empty"),
    ],
)
def test_what_is_no_decision_writes_nothing(estate: Estate, typed: Type, words: tuple[str, ...], said: str) -> None:
    uid = finding(estate)["finding_uid"]
    before = estate.rows("SELECT count(*) AS n FROM reviews")
    done = typed("--config", estate.config, *(uid if word == "UID" else word for word in words))
    assert done.code == 2
    assert said in done.err
    assert estate.rows("SELECT count(*) AS n FROM reviews") == before


def test_a_suppression_holds_for_later_revisions_unless_they_are_more_severe(
    estate: Estate, settings: Settings
) -> None:
    uid, at = finding(estate)["finding_uid"], NOW

    def with_(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda row: {**row, **changes} if row["finding_uid"] == uid else row

    found_again(settings, at - timedelta(hours=1), with_(severity="medium"))
    until = at + timedelta(days=7)
    review.decide(settings, uid, "suppressed", by="ops", reason="a drill", until=until, now=at)
    heard = told(estate, uid)
    assert heard[-1] == (3, "Suppressed")
    found_again(settings, at + timedelta(hours=1), with_(title="another title", severity="low"))
    assert now_of(estate, uid) == ("suppressed", 4, "a drill")
    assert told(estate, uid) == heard, "what becomes of a suppressed finding is not told"
    found_again(settings, at + timedelta(hours=2), lambda row: None if row["finding_uid"] == uid else row)
    assert now_of(estate, uid)[0] == "resolved"
    found_again(settings, at + timedelta(hours=3), with_(severity="medium"))
    assert now_of(estate, uid)[0] == "suppressed", "it came back, and the decision holds"
    found_again(settings, at + timedelta(hours=4), with_(severity="high"))
    assert now_of(estate, uid)[::2] == ("open", None)
    assert told(estate, uid)[-1][1] == "New"


def test_a_decision_that_ends_opens_the_finding_once(estate: Estate, settings: Settings) -> None:
    uid = finding(estate)["finding_uid"]
    end = NOW + timedelta(days=1)
    review.decide(settings, uid, "acknowledged", by="ops", reason="by tomorrow", until=end, now=NOW)
    assert review.reopen_passed(settings, end - timedelta(microseconds=1)) == 0
    assert now_of(estate, uid)[0] == "acknowledged"
    assert review.reopen_passed(settings, end) == 1
    assert now_of(estate, uid) == ("open", 3, None)
    assert told(estate, uid)[-1] == (3, "New")
    assert review.reopen_passed(settings, end) == 0


def test_a_run_opens_what_has_come_to_its_end(
    estate: Estate, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = finding(estate)["finding_uid"]
    review.decide(settings, uid, "suppressed", by="ops", reason="x", until=NOW + timedelta(days=1), now=NOW)
    monkeypatch.setattr(work, "utc_now", lambda: NOW + timedelta(days=2))
    work.detect_all(work.plan(settings))
    assert now_of(estate, uid)[0] == "open"


def test_what_is_resolved_cannot_be_decided(estate: Estate, settings: Settings) -> None:
    uid = finding(estate)["finding_uid"]
    found_again(settings, NOW, lambda row: None if row["finding_uid"] == uid else row)
    with pytest.raises(LakeError, match="is resolved"):
        review.decide(settings, uid, "acknowledged", by="ops", reason="x", until=None, now=NOW)


def test_a_run_that_could_not_deliver_says_so(estate: Estate, typed: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEW_SECRET", SECRET)
    (Path(estate.root) / "logs" / "egress" / "broken.log").write_bytes(b"\xff\xfe not a line of squid\n" * 2)
    done = typed("--config", estate.config, "run")
    assert done.code == 1
    assert "error    egress: " in done.out
    waiting = next(line for line in done.out.splitlines() if line.startswith("waiting  siem: "))
    assert "Connection refused" in waiting
    assert "tried again from 20" in waiting
    assert "warning: " in done.out
    assert "source second: no file matches" in done.out
    monkeypatch.delenv("REVIEW_SECRET")
    shown = json.loads(typed("--config", estate.config, "run", "--json").out)
    assert shown["undelivered"][0]["destination"] == "siem"
    assert shown["undelivered"][0]["alerts"] >= 1
