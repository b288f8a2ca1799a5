"""Decisions and pull-request reviews in, approval actions out; and that they cover an act that needs one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import approvals as judging
from detectors.manifest_model import Manifest
from pipelines.formats import approvals, github_reviews
from pipelines.formats.approvals import ApprovalsOptions
from pipelines.formats.github_reviews import ReviewOptions
from pipelines.lake.duckdb_engine import DuckDBEngine
from tests.detectors.scope_examples import api, run
from tests.pipelines.formats.samples import FOLDER, expected, records, sample, table, told

SAMPLES = ("approvals/decisions.jsonl", "github_reviews/webhooks.jsonl", "github_reviews/reviews.json")
DECISION = {
    "decided_at": "2026-03-02T09:50:00Z",
    "decision": "granted",
    "approver": "boss@corp.example",
    "worker": "w1",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_give_the_expected_actions(name: str):
    one = sample(FOLDER / name)
    assert told(one, records(one)) == expected(one)


def decided(*, authenticated: bool = True, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = approvals.actions(
        table([json.dumps(DECISION | more)]), ApprovalsOptions(authenticated=authenticated)
    ).to_pylist()[0]
    return found


@pytest.mark.parametrize(
    ("approver", "principal"),
    [
        ("Boss@Corp.example", "mail:addr/boss@corp.example"),
        ("okta:user/corp.okta.example/00u1", "okta:user/corp.okta.example/00u1"),
        ("duty officer", "approvals:user/corp/duty officer"),
    ],
)
def test_who_decided(approver: str, principal: str):
    assert decided(approver=approver)["principal"] == principal


@pytest.mark.parametrize(
    ("decision", "status"),
    [
        ("granted", "success"),
        ("APPROVED", "success"),
        ("rejected", "denied"),
        ("withdrawn", "denied"),
        ("maybe", "unknown"),
    ],
)
def test_only_a_plain_yes_grants(decision: str, status: str):
    assert decided(decision=decision)["status"] == status


@pytest.mark.parametrize("key", sorted(DECISION))
@pytest.mark.parametrize("value", [None, "", {"x": 1}])
def test_what_is_missing_is_named(key: str, value: Any):
    found = decided(**{key: value})
    assert (found["outcome"], found["reason"]) == ("error", f'the key "{key}" is missing or has no text')


def test_a_name_that_nobody_checked_is_asserted():
    assert decided(authenticated=False)["identity_strength"] == "asserted"


def reviewed(given_options: ReviewOptions | None = None, **more: Any) -> dict[str, Any]:
    event = json.loads(records(sample(FOLDER / "github_reviews" / "webhooks.jsonl"))[0])
    found: dict[str, Any] = github_reviews.actions(
        table([json.dumps(event | more)]), given_options or ReviewOptions()
    ).to_pylist()[0]
    return found


def test_a_review_is_bound_to_its_commit_only_where_the_source_says_so():
    assert reviewed()["request_uid"] is None
    assert reviewed(ReviewOptions(bind="commit"))["request_uid"] == "54bb654c9e6025347f57900a4a5c2313a96b8035"


def test_what_it_approves_is_the_sources_word():
    found = reviewed(ReviewOptions(worker="it's", service="cloudformation.amazonaws.com", operation="ExecuteChangeSet"))
    assert (found["session_name"], found["api_service"], found["api_operation"]) == (
        "it's", "cloudformation.amazonaws.com", "ExecuteChangeSet",
    )  # fmt: skip


def test_a_user_who_calls_himself_a_bot_is_none():
    user = {"login": "release-agent[bot]", "id": 7, "type": "User"}
    review = {"id": 1, "user": user, "state": "approved", "submitted_at": "2026-01-05T09:40:00Z"}
    assert reviewed(review=review)["principal"] == "github:user/7"


def test_a_review_without_a_time_is_an_error():
    found = reviewed(review={"id": 1, "state": "approved"})
    assert found["reason"] == 'the key "submitted_at" of the review is missing or no RFC 3339 time'


MANIFEST = {
    "worker": "w1",
    "owner": "team@corp.example",
    "identities": ["github:app/release-agent"],
    "scope": [],
    "approvals": [
        {"for": {"service": "github"}, "from": ["github:user/9001", "mail:addr/*@corp.example"], "within": "1h"}
    ],
}


@pytest.mark.parametrize(
    ("given", "closest"),
    [
        (reviewed(), None),
        (reviewed(sender=None, action="dismissed"), "none"),
        (decided(service="github", operation="pull_request.merge", resource="corp/agents", decided_at="2026-01-05T09:45:00Z"), None),
        (decided(service="github", operation="pull_request.merge", resource="corp/agents", decided_at="2026-01-05T09:45:00Z", authenticated=False),
         "is by a name that nobody checked"),
        (decided(service="github", operation="pull_request.merge", resource="corp/other", decided_at="2026-01-05T09:45:00Z"), "none"),
    ],
)  # fmt: skip
def test_an_act_is_covered(given: dict[str, Any], closest: str | None):
    manifest = Manifest.model_validate(MANIFEST).placed("w1.yaml", {"approvals": [9]})
    act = {"time": datetime(2026, 1, 5, 10)} | api("github", "pull_request.merge", "corp/agents", worker="w1")
    approval = {key: given[key] for key in ("time", "principal", "session_name", "api_service", "api_operation",
                                            "resource_uid", "request_uid", "identity_strength", "status")}  # fmt: skip
    approval |= {"action_uid": "p0", "format": "approvals", "category": "approval", "worker": None}
    engine = DuckDBEngine(duckdb.connect())
    run([act | {"action_uid": "a0"}, approval], [manifest], engine)
    judging.judge(engine)
    (need,) = engine.query("SELECT * FROM approval_needs").to_pylist()
    if closest is None:
        assert need["approval_uid"] == "p0"
    else:
        assert need["approval_uid"] is None
        assert (need["closest"] or "none").endswith(closest)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_no_record_crashes_or_is_lost(name: str, data: st.DataObject):
    one = sample(FOLDER / name)
    raw = data.draw(st.sampled_from(records(one)))
    at = data.draw(st.integers(0, len(raw)))
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    keys = data.draw(
        st.dictionaries(st.sampled_from(["review", "id", "state", "decided_at", "approver", "user"]), text, max_size=3)
    )
    raws = [raw, raw[:at] + data.draw(text) + raw[at:], json.dumps(json.loads(raw) | keys)]
    found = one.format.actions(table(raws), one.options)
    assert sorted(found["record_id"].to_pylist()) == ["0", "1", "2"]
    assert all((reason is None) == (outcome == "action") for outcome, reason in zip(found["outcome"].to_pylist(), found["reason"].to_pylist(), strict=True))  # fmt: skip
