"""Auth0 events in, actions and grants out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats.auth0 import FORMAT
from tests.machine import shared
from tests.pipelines.formats.format_rows import (
    SAMPLES,
    damaged,
    expected,
    granted,
    of_sample,
    pieces,
    read,
    redacted,
    survives,
)

TENANT = "corp.eu.auth0.example"
CLIENT, ALICE = f"oauth:client/{TENANT}#c1", f"oidc:subject/{TENANT}#auth0|alice"


def event(kind: str = "seccft", **changes: Any) -> dict[str, Any]:
    """An event as the API gives it."""
    return {
        "log_id": "9001",
        "date": "2026-01-05T10:00:00.120Z",
        "type": kind,
        "client_id": "c1",
        "user_id": "",
        "ip": "10.0.0.1",
        "details": {"access_token_jti": "j1"},
        **changes,
    }


def managed(method: str, path: str, code: int = 200, **changes: Any) -> dict[str, Any]:
    """A call of the Management API."""
    token = {"user": {"user_id": "auth0|carol"}, "credentials": {"jti": "t1"}}
    details = {"request": {"method": method, "path": path, "auth": token}, "response": {"statusCode": code}}
    return event("sapi", user_id="auth0|carol", details=details, **changes)


def one(*arguments: Any, **changes: Any) -> dict[str, Any]:
    return read(FORMAT, [event(*arguments, **changes)], TENANT)[0]


def test_the_sample_gives_the_expected_actions_and_grants():
    assert of_sample(FORMAT, "tenant_log.jsonl", TENANT) == expected(FORMAT, "tenant_log.jsonl")


def test_envelopes():
    plain = event()
    wrapped = [
        plain,
        {"log_id": "9001", "data": plain},
        {"detail-type": "x", "detail": {"log_id": "9001", "data": plain}},
    ]
    found = read(FORMAT, wrapped, f"https://{TENANT}/")
    assert {row["native_id"] for row in found} == {"9001"}
    assert {row["principal"] for row in found} == {CLIENT}


def test_a_token_for_a_client():
    found = one()
    assert (found["principal"], found["identity_strength"], found["obtains"]) == (CLIENT, "proven", "self")
    assert (found["delegator"], found["credential_uid"], found["status"]) == (None, None, "success")
    (given_,) = granted(FORMAT, [event()], TENANT)
    assert (given_["parent_uid"], given_["child_uid"]) == (CLIENT, f"oauth:token/{TENANT}#j1")
    assert (given_["strength"], given_["mechanism"], given_["delegator"]) == ("proven", "seccft", None)


def test_a_token_for_a_user_by_an_agent():
    exchange = event("success_on_behalf_of_token_exchange", agent_id="agt", user_id="auth0|alice")
    (given_,) = granted(FORMAT, [exchange], TENANT)
    assert (given_["parent_uid"], given_["delegator"]) == (f"auth0:agent/{TENANT}/agt", ALICE)
    assert given_["delegator_strength"] == "proven"


def test_an_exchange_without_a_tokens_id_grants_nothing():
    assert granted(FORMAT, [event(details={})], TENANT) == []
    assert one(details={})["outcome"] == "action"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("s", "success"),
        ("sertft", "success"),
        ("idjag_exchange_succeeded", "success"),
        ("mgmt_api_read", "success"),
        ("gd_auth_succeed", "success"),
        ("f", "failure"),
        ("feccft", "failure"),
        ("idjag_exchange_failed", "failure"),
        ("failed_on_behalf_of_token_exchange", "failure"),
        ("gd_auth_rejected", "denied"),
        ("limit_wc", "denied"),
        ("pwd_leak", "denied"),
        ("api_limit", "denied"),
        ("fco", "denied"),
        ("sys_os_update_start", "unknown"),
        ("w", "unknown"),
        ("depnote", "unknown"),
    ],
)
def test_status_by_type(kind: str, status: str):
    assert one(kind)["status"] == status


def test_a_claimed_name_is_asserted():
    assert one("feccft")["identity_strength"] == one("fp", user_id="auth0|alice")["identity_strength"] == "asserted"
    assert granted(FORMAT, [event("feccft"), event("fp", user_id="auth0|alice")], TENANT) == []


def test_a_session_is_its_users_and_not_the_clients():
    login = one("s", user_id="auth0|alice", details={"session_id": "s1"})
    assert login["credential_uid"] == login["session_uid"] == f"oidc:session/{TENANT}#s1"
    assert login["principal"] == ALICE
    token = one("seacft", user_id="auth0|alice", details={"session_id": "s1"})
    assert (token["principal"], token["delegator"], token["session_uid"]) == (CLIENT, ALICE, None)


def test_a_session_begins_and_ends():
    events = [event(kind, user_id="auth0|alice", details={"session_id": "s1"}) for kind in ("s", "slo")]
    began, ended = granted(FORMAT, events, TENANT)
    assert (began["kind"], began["parent_uid"], ended["kind"]) == ("issue", ALICE, "revoke")
    assert began["child_uid"] == ended["child_uid"] == f"oidc:session/{TENANT}#s1"


def test_the_management_api_by_its_token():
    found = read(FORMAT, [managed("post", "/api/v2/clients", 201)], TENANT)[0]
    assert (found["credential_uid"], found["credential_type"]) == (f"oauth:token/{TENANT}#t1", "token")
    assert (found["principal"], found["obtains"]) == (f"oidc:subject/{TENANT}#auth0|carol", "other")
    assert (found["http_method"], found["url_path"], found["activity"]) == ("POST", "/api/v2/clients", "Create")
    assert read(FORMAT, [managed("get", "/x", 403)], TENANT)[0]["status"] == "denied"
    (ended,) = granted(FORMAT, [managed("delete", "/api/v2/clients/c8")], TENANT)
    assert (ended["kind"], ended["child_uid"]) == ("revoke", f"oauth:client/{TENANT}#c8")
    assert granted(FORMAT, [managed("delete", "/api/v2/clients/c8/credentials/x")], TENANT) == []


def test_the_address_that_no_header_sets_comes_first():
    assert one(client_ip="2001:DB8::0013", ip="203.0.113.1")["src_ip"] == "2001:db8::13"


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("2026-01-05T10:00:00.120Z", datetime(2026, 1, 5, 10, 0, 0, 120000)),
        ("2026-01-05 10:00:00.149000000", datetime(2026, 1, 5, 10, 0, 0, 149000)),
        ("2026-01-05T12:00:00+02:00", datetime(2026, 1, 5, 10)),
    ],
)
def test_times_without_a_zone_are_utc(date: str, time: datetime):
    assert (one(date=date)["time"], one(date=date)["time_kind"]) == (time, "logged")


@pytest.mark.parametrize("nothing", ["", None, "null"])
def test_words_that_mean_null_are_null(nothing: str | None):
    found = one("seacft", client_id=nothing, user_id=nothing, audience=nothing)
    assert (found["principal"], found["delegator"], found["resource_uid"]) == (None, None, None)
    assert found["identity_strength"] == "asserted"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{}", 'the key "log_id"'),
        ({"data": 5}, 'the key "log_id"'),
        (event(""), 'the key "type"'),
        (event(date=None), 'the key "date" is missing'),
        (event(date="soon"), 'the key "date" is no ISO 8601 time'),
    ],
)
def test_errors_name_the_key(record: Any, reason: str):
    (found,) = read(FORMAT, [record], TENANT)
    assert (found["outcome"], found["reason"].startswith(reason)) == ("error", True)


def test_hostile_text_stays_inert():
    hostile = "'); DROP TABLE records; -- \x1b[2J <script> \u202e"
    assert one(client_id=hostile, audience=hostile)["principal"] == f"oauth:client/{TENANT}#{hostile}"


@pytest.mark.parametrize(
    "details",
    [
        {"request": {"body": {"client_secret": "9Zk_PLANTED"}}},
        {"response": {"body": {"client_secret": "9Zk_PLANTED"}}},
        {"request": {"body": {"password": "9Zk_PLANTED"}}},
        {"body": {"refresh_token": "9Zk_PLANTED"}},
        {"query": {"code": "9Zk_PLANTED", "state": "9Zk_PLANTED"}},
        {"ticket": "https://t.example/u/reset?ticket=9Zk_PLANTED#"},
        {"request": {"body": {"id_token": "9Zk_PLANTED"}}},
    ],
)
def test_secrets_are_replaced(details: dict[str, Any]):
    stored = redacted(FORMAT, json.dumps(event(details=details)))
    assert "PLANTED" not in stored
    assert read(FORMAT, [stored], TENANT)[0]["outcome"] == "action"


def test_ids_of_tokens_and_sessions_stay():
    text = json.dumps(event(details={"access_token_jti": "j1", "session_id": "s1"}))
    assert redacted(FORMAT, text) == text


def test_real_events():
    lines = shared("panther-analysis", "panther_tests.jsonl").read_text().splitlines()
    events = [case["event"] for case in map(json.loads, lines) if case["log_type"] == "Auth0.Events"]
    found = read(FORMAT, events, TENANT)
    assert [row["outcome"] for row in found] == ["action"] * 23
    assert [row["native_id"] for row in found] == [seen["log_id"] for seen in events]
    assert sum((row["credential_uid"] or "").startswith("oauth:token/") for row in found) == 18


def test_split_gives_a_record_an_event():
    for text in (b'[{"log_id":"1"},{"log_id":"2"}]', b'{"log_id":"1"}\n{"log_id":"2"}\n'):
        assert [json.loads(raw)["log_id"] for raw, _ in pieces(FORMAT, text)] == ["1", "2"]


SAMPLE = (SAMPLES / "auth0" / "tenant_log.jsonl").read_bytes()


@settings(max_examples=20, deadline=None)
@given(damaged(SAMPLE) | st.binary(max_size=60))
def test_whatever_comes_no_record_is_lost(data: bytes):
    survives(FORMAT, data, TENANT)
