"""Records in, action columns out."""

from __future__ import annotations

import io
import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats import okta
from pipelines.formats.format import Options
from tests.machine import shared
from tests.pipelines.formats.okta_events import (
    ALICE,
    CLIENT,
    GRANT,
    JSON,
    KINDS,
    ORG,
    SAMPLES,
    TOKEN,
    _told,
    event,
    granted,
    read,
)


def test_the_sample_gives_the_expected_actions_and_grants():
    events = (SAMPLES / "system_log.jsonl").read_text().splitlines()
    expected = json.loads((SAMPLES / "system_log.expected.json").read_text())
    assert _told(read(events)) == expected["actions"]
    assert _told(granted(*events)) == expected["grants"]


def test_split_gives_a_record_an_event():
    for text in (b'[{"uuid":"1"},{"uuid":"2"}]', b'{"uuid":"1"}\n{"uuid":"2"}\n'):
        pieces = [p for s in okta.split(io.BytesIO(text), True, Options()) for p in s.pieces["raw"].to_pylist()]
        assert [json.loads(piece)["uuid"] for piece in pieces] == ["1", "2"]


def test_split_opens_the_envelopes_of_hooks_and_of_eventbridge():
    hook = {"eventType": "com.okta.event_hook", "data": {"events": [event(uuid="1"), event(uuid="2")]}}
    bridge = {"detail-type": "SystemLog", "detail": event(uuid="3")}
    plain = event(uuid="4", debugContext={"debugData": {"note": '"events"'}})
    broken = '{"data":{"events":[}'
    text = "\n".join([json.dumps(hook), json.dumps(bridge), json.dumps(plain), broken])
    found = [s.pieces for s in okta.split(io.BytesIO(text.encode()), True, Options())]
    raws = [raw for table in found for raw in table["raw"].to_pylist()]
    reasons = [reason for table in found for reason in table["reason"].to_pylist()]
    assert [json.loads(raw)["uuid"] for raw in raws[:4]] == ["1", "2", "3", "4"]
    assert [reason is not None for reason in reasons] == [False, False, False, False, True]


@pytest.mark.parametrize(
    "debug",
    [
        {"debugContext": {"debugData": {"authnRequestId": "tx0"}}},
        {"debugContext": {"debugData": {"flattened": {"authnRequestId": "tx0"}}}},
        {"debugContext.debugData.authnRequestId": "tx0"},
    ],
)
def test_the_steps_of_a_sign_in_share_a_trace(debug: dict[str, Any]):
    first, later = read([event(transaction={"id": "tx0"}), event("user.authentication.sso", **debug)])
    assert (first["trace_uid"], later["trace_uid"]) == ("tx0", "tx0")
    assert (first["request_uid"], later["request_uid"]) == ("tx0", "tx1")


def test_an_event():
    row = read([event(target=[{"id": "0oa9", "type": "AppInstance"}, {"type": "Rule"}, ALICE])])[0]
    assert (row["outcome"], row["native_id"]) == ("action", "6f1c1f30-0000-11f1-8001-00000000000a")
    assert row["time"] == datetime(2026, 1, 5, 10, 0, 0, 120000)
    assert (row["time_kind"], row["time_precision"]) == ("logged", "1ms")
    assert (row["api_service"], row["api_operation"], row["account"]) == ("okta", "system.log.read", ORG)
    assert (row["principal"], row["principal_type"]) == (f"okta:user/{ORG}/00u1alice", "user")
    assert (row["credential_uid"], row["credential_type"]) == (f"okta:session/{ORG}/102session1", "session")
    assert (row["src_ip"], row["user_agent"], row["request_uid"]) == ("198.51.100.20", "Mozilla/5.0", "tx1")
    assert (row["resource_type"], row["resource_uid"]) == ("AppInstance", "0oa9")
    assert row["resources"] == ["0oa9", "00u1alice"]
    assert (row["status"], row["error"], row["identity_strength"]) == ("success", None, "proven")


@pytest.mark.parametrize(
    ("kind", "class_uid", "activity"),
    [
        ("user.session.start", 3002, "Logon"),
        ("user.session.end", 3002, "Logoff"),
        ("user.authentication.sso", 3002, "Service Ticket Request"),
        ("user.authentication.auth_via_mfa", 3002, "Logon"),
        ("user.session.impersonation.grant", 3002, "Account Switch"),
        ("user.lifecycle.create", 3001, "Create"),
        ("user.lifecycle.suspend", 3001, "Disable"),
        ("user.lifecycle.unsuspend", 3001, "Enable"),
        ("user.lifecycle.delete.initiated", 3001, "Delete"),
        (GRANT, 6003, "Create"),
        ("app.oauth2.token.revoke", 6003, "Delete"),
        ("application.lifecycle.update", 6003, "Update"),
        ("policy.evaluate_sign_on", 6003, "Read"),
        ("something.new", 6003, "Other"),
    ],
)
def test_classes(kind: str, class_uid: int, activity: str):
    row = read([event(kind)])[0]
    assert (row["class_uid"], row["activity"]) == (class_uid, activity)


@pytest.mark.parametrize(
    ("result", "reason", "status", "error"),
    [
        ("SUCCESS", None, "success", None),
        ("ALLOW", "Sign-on policy evaluation resulted in AUTHENTICATED", "success", None),
        ("DENY", "policy", "denied", "policy"),
        ("FAILURE", "INVALID_CREDENTIALS", "failure", "INVALID_CREDENTIALS"),
        ("FAILURE", "access_denied", "denied", "access_denied"),
        ("FAILURE", "no_matching_scope", "denied", "no_matching_scope"),
        ("CHALLENGE", "mfa", "unknown", "mfa"),
        ("SKIPPED", None, "unknown", None),
        (None, None, "unknown", None),
    ],
)
def test_status(result: str | None, reason: str | None, status: str, error: str | None):
    row = read([event(result=result, reason=reason)])[0]
    assert (row["status"], row["error"]) == (status, error)


@pytest.mark.parametrize(
    ("actor", "principal", "kind"),
    [
        (ALICE, f"okta:user/{ORG}/00u1alice", "user"),
        (CLIENT, f"oauth:client/{ORG}#0oa1support", "client"),
        ({"id": "wlp1", "type": "WorkloadIdentityPrincipal"}, f"oauth:client/{ORG}#wlp1", "client"),
        ({"id": "wlp1", "type": "AI Agent"}, f"oauth:client/{ORG}#wlp1", "client"),
        ({"id": "system@okta.com", "type": "SystemPrincipal"}, f"okta:user/{ORG}/system@okta.com", "system"),
        ({"id": "203.0.113.5", "type": "IP address"}, None, None),
        ({"id": "unknown", "type": "User"}, None, None),
        ({"id": 17, "type": "User"}, f"okta:user/{ORG}/17", "user"),
        ({"id": {"x": 1}, "type": "User"}, None, None),
        ("alice", None, None),
    ],
)
def test_principals(actor: Any, principal: str | None, kind: str | None):
    row = read([event(actor=actor)])[0]
    assert (row["principal"], row["principal_type"]) == (principal, kind)


def test_an_api_token_is_the_credential_of_what_it_did():
    row = read([event(transaction={"id": "tx", "detail": {"requestApiTokenId": "00T1"}})])[0]
    assert (row["credential_uid"], row["credential_type"]) == (f"okta:token/{ORG}/00T1", "api_token")
    assert row["session_uid"] == f"okta:session/{ORG}/102session1"


def test_a_users_session_is_no_credential_of_the_client_that_it_opened():
    row = read([event("app.oauth2.authorize.code", actor=CLIENT)])[0]
    assert (row["credential_uid"], row["session_uid"]) == (None, None)


@pytest.mark.parametrize("session", ["unknown", "", None, ["x"]])
def test_an_unknown_session_is_none(session: Any):
    assert read([event(authenticationContext={"externalSessionId": session})])[0]["credential_uid"] is None


def test_a_claimed_name_is_asserted():
    kinds = ("user.session.start", "user.authentication.auth_via_mfa", "app.oauth2.as.token.grant")
    for kind in kinds:
        assert read([event(kind, result="FAILURE")])[0]["identity_strength"] == "asserted"
        assert read([event(kind)])[0]["identity_strength"] == "proven"
    assert read([event("policy.evaluate_sign_on", result="DENY")])[0]["identity_strength"] == "asserted"
    assert read([event("user.lifecycle.create", result="FAILURE")])[0]["identity_strength"] == "proven"


def test_obtains():
    def of(*arguments: Any, **changes: Any) -> Any:
        return read([event(*arguments, **changes)])[0]["obtains"]

    assert of(GRANT, actor=CLIENT) == of("user.session.start") == "self"
    assert of("app.oauth2.as.token.grant", actor=CLIENT, result="FAILURE") == "self"
    assert of("system.api_token.create", target=[{"id": "00T1", "type": "Token"}]) == "self"
    assert (
        of("system.api_token.create", target=[{"id": "00T1", "type": "Token"}, {"id": "00u9", "type": "User"}])
        == "other"
    )
    assert of("app.oauth2.credentials.lifecycle.create") == "other"
    other = {"id": "0oa9other", "type": "PublicClientApp"}
    made = {"id": "ocs1", "type": "OAuth2ClientSecret"}
    assert of("app.oauth2.credentials.lifecycle.create", actor=CLIENT, target=[made, other]) == "other"
    assert of("app.oauth2.credentials.lifecycle.create", actor=CLIENT, target=[made, CLIENT]) is None
    assert of("app.oauth2.client.lifecycle.create", actor=CLIENT, target=[other]) == "other"
    assert of("user.lifecycle.create") is None


def test_a_realm_is_written_as_an_issuer():
    (row,) = granted(event(GRANT, actor=CLIENT, target=[TOKEN]), realm="https://corp.okta.example/")
    assert row["child_uid"] == f"oauth:token/{ORG}#AT.1"


@pytest.mark.parametrize(
    ("published", "time"),
    [
        ("2026-01-05T10:00:00Z", datetime(2026, 1, 5, 10)),
        ("2026-01-05T12:00:00.5+02:00", datetime(2026, 1, 5, 10, 0, 0, 500000)),
        ("2026-01-05 10:00:00.120", datetime(2026, 1, 5, 10, 0, 0, 120000)),
        (1767607200120, datetime(2026, 1, 5, 10, 0, 0, 120000)),
        ("1767607200", datetime(2026, 1, 5, 10)),
    ],
)
def test_times(published: Any, time: datetime):
    assert read([event(published=published)])[0]["time"] == time


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("", "not a JSON object"),
        ('{"a":' * 2000, "not a JSON object"),
        (event(uuid=None), 'the key "uuid"'),
        (event(published=None), 'the key "published" is missing'),
        (event(published="soon"), 'the key "published" is no RFC 3339 time'),
        (event(published="2026-02-30T10:00:00Z"), 'the key "published" is no RFC 3339 time'),
        (event(""), 'the key "eventType"'),
        ({"data": {"events": [event()]}}, 'the key "uuid"'),
    ],
)
def test_errors_name_the_key(record: Any, reason: str):
    row = read([record])[0]
    assert row["outcome"] == "error"
    assert row["reason"].startswith(reason)
    assert {value for key, value in row.items() if key not in {"outcome", "reason", "record_id"}} == {None}
    assert granted(record) == []


def test_keys_in_lower_case_are_read():
    lowered = {key.lower(): value for key, value in event(GRANT, actor=CLIENT, target=[TOKEN]).items()}
    assert read([lowered])[0]["api_operation"] == GRANT
    assert len(granted(lowered)) == 1


def test_hostile_text_stays_inert():
    hostile = "'); DROP TABLE records; -- \x1b[2J <script> \u202e"
    row = read([event(hostile, actor={"id": hostile, "type": "User"}, target=[{"id": hostile, "type": hostile}])])[0]
    assert row["api_operation"] == hostile
    assert row["principal"] == f"okta:user/{ORG}/{hostile}"
    assert row["resources"] == [hostile]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('{"detailEntry":{"clientSecret":"s3cr3t"}}', "s3cr3t"),
        ('{"url":"/login/token/redirect?stateToken=02.id.abc"}', "02.id.abc"),
        ('{"note":"Authorization: SSWS 00abcdefghijklmnopqrstuvwxyz"}', "00abcdefghijklmnopqrstuvwxyz"),
        ('{"passCode": "123456"}', "123456"),
    ],
)
def test_secrets_are_found(text: str, secret: str):
    assert secret in {match for rule in okta.FORMAT.secrets for match in re.findall(rule.pattern, text)}


def test_secrets_leave_token_ids_alone():
    text = json.dumps(event(GRANT, actor=CLIENT, target=[TOKEN]))
    assert not any(re.search(rule.pattern, text) for rule in okta.FORMAT.secrets)


def test_real_events():
    file = shared("panther-analysis", "panther_tests.jsonl")
    cases = [json.loads(line) for line in file.read_text().splitlines()]
    events = [case["event"] for case in cases if case["log_type"] == "Okta.SystemLog"]
    rows = read(events)
    for seen, row in zip(events, rows, strict=True):
        complete = all(key in seen for key in ("uuid", "published")) and ("eventType" in seen or "eventtype" in seen)
        assert row["outcome"] == ("action" if complete else "error")
        if complete:
            assert row["native_id"] == seen["uuid"]
            assert row["api_operation"] == (seen.get("eventType") or seen["eventtype"])
            assert row["time"].isoformat(sep=" ") in (seen["published"] + "000").replace("T", " ").replace("Z", "000")
    assert sum(row["outcome"] == "action" for row in rows) == 33
    assert all(row["child_uid"].startswith("okta:session/") for row in granted(*events))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(KINDS, st.dictionaries(st.sampled_from(sorted(event())), JSON, max_size=4)), max_size=15))
def test_any_value_under_any_key_is_one_row(changes: list[tuple[str, dict[str, Any]]]):
    events = [{**event(kind), **change} for kind, change in changes]
    for row in read(events):
        assert (row["reason"] is None) == (row["outcome"] == "action")
    actions = {row["record_id"] for row in _told(read(events)) if row["outcome"] == "action"}
    assert {row["record_id"] for row in granted(*events)} <= actions


@settings(max_examples=20, deadline=None)
@given(st.lists(JSON.map(json.dumps) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=15))
def test_any_record_is_one_row(records: list[str]):
    for row in read(records):
        assert row["outcome"] == "error"
        assert row["reason"]
    assert granted(*records) == []
