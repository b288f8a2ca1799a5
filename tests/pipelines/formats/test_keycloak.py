"""Keycloak events and lines in, actions out."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.formats.keycloak import FORMAT
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

SERVER, ISSUER = "sso.corp.example", "sso.corp.example/realms/agents"
CLIENT, ALICE = f"oauth:client/{ISSUER}#support", f"oidc:subject/{ISSUER}#u1"
PREFIX = "2026-01-05 10:00:00,120 WARN  [org.keycloak.events] (executor-thread-1) "
LOGIN = 'type="LOGIN", realmId="r", realmName="agents", clientId="c", userId="u1", sessionId="s1", ipAddress="10.0.0.1"'


def event(kind: str = "CLIENT_LOGIN", **changes: Any) -> dict[str, Any]:
    """An event as the store and the admin API give it; `details` may be among the changes."""
    return {
        "id": "e1",
        "time": 1767607200120,
        "type": kind,
        "realmId": "agents",
        "clientId": "support",
        "userId": "u1",
        "sessionId": "s1",
        "ipAddress": "10.0.0.1",
        "details": {},
        **changes,
    }


def admin(operation: str = "DELETE", kind: str = "USER", path: str = "users/u9", **changes: Any) -> dict[str, Any]:
    """An admin event: an administrator of the master realm in the realm `agents`."""
    by = {"realmId": "master", "clientId": "console", "userId": "carol", "ipAddress": "10.0.0.2"}
    return {
        "id": "a1",
        "time": 1767607200120,
        "realmId": "agents",
        "authDetails": by,
        "operationType": operation,
        "resourceType": kind,
        "resourcePath": path,
        **changes,
    }


def one(record: Any, realm: str = SERVER, **options: Any) -> dict[str, Any]:
    return read(FORMAT, [record], realm, **options)[0]


@pytest.mark.parametrize("file", ["events.json", "server.log"])
def test_the_samples_give_the_expected_actions_and_grants(file: str):
    assert of_sample(FORMAT, file, SERVER) == expected(FORMAT, file)


def test_json_and_lines_are_told_apart():
    assert [json.loads(raw) for raw, _ in pieces(FORMAT, b'[{"id":"1"},\n {"id":"2"}]')] == [{"id": "1"}, {"id": "2"}]
    assert pieces(FORMAT, b'\xef\xbb\xbf{"id":"1"}\n{"id":"2"}\n') == [('{"id":"1"}', None), ('{"id":"2"}', None)]
    assert pieces(FORMAT, b"one\ntwo", at_rest=False) == [("one", None)]
    assert pieces(FORMAT, b"x" * 5000 + b"\ny\n") == [("x" * 5000, None), ("y", None)]


def test_a_client_by_the_assertion_of_a_cluster():
    details = {"client_assertion_id": "j1", "client_assertion_issuer": "https://k8s.example/", "token_id": "t1"}
    found = one(event(details=details))
    assert (found["principal"], found["delegator"]) == (CLIENT, None)
    assert (found["credential_uid"], found["credential_type"]) == ("oauth:token/k8s.example#j1", "assertion")
    assert (found["identity_strength"], found["obtains"], found["native_id"]) == ("proven", "self", "e1")
    own = {**details, "client_assertion_issuer": "support"}
    assert one(event(details=own))["credential_uid"] is None


def test_whom_a_client_acts_for():
    found = one(event("CODE_TO_TOKEN"))
    assert (found["principal"], found["delegator"], found["delegator_strength"]) == (CLIENT, ALICE, "proven")
    assert found["session_uid"] is None
    login = one(event("LOGIN"))
    assert (login["principal"], login["session_uid"]) == (ALICE, f"oidc:session/{ISSUER}#s1")


def test_an_administrator_belongs_to_another_realm():
    found = one(admin())
    assert found["principal"] == f"oidc:subject/{SERVER}/realms/master#carol"
    assert (found["api_operation"], found["resource_uid"], found["account"]) == ("DELETE USER", "users/u9", "agents")
    assert found["src_ip"] == "10.0.0.2"
    secret = admin("ACTION", "CLIENT", "clients/6c/client-secret")
    assert one(secret)["obtains"] == "other"


def test_a_source_of_one_realm_is_named_by_its_issuer():
    assert one(event(realmId="0b1c-uuid"), f"https://{ISSUER}")["principal"] == CLIENT
    assert one(event(realmId="0b1c-uuid", realmName="agents"))["principal"] == CLIENT


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        ("LOGIN", None, "success"),
        ("LOGIN_ERROR", "user_not_found", "failure"),
        ("LOGIN_ERROR", "invalid_user_credentials", "denied"),
        ("TOKEN_EXCHANGE_ERROR", "not_allowed", "denied"),
        ("CODE_TO_TOKEN_ERROR", "invalid_code", "failure"),
    ],
)
def test_status_and_claimed_names(kind: str, error: str | None, status: str):
    found = one(event(kind, error=error))
    assert (found["status"], found["error"]) == (status, error)
    assert found["identity_strength"] == ("proven" if error is None else "asserted")


@pytest.mark.parametrize("nothing", [None, "null", ""])
def test_words_that_mean_null_are_null(nothing: str | None):
    found = one(event("LOGIN_ERROR", userId=nothing, sessionId=nothing, ipAddress=nothing))
    assert (found["principal"], found["session_uid"], found["src_ip"]) == (None, None, None)
    assert one(PREFIX + LOGIN.replace('"u1"', '"null"'))["principal"] is None


def test_addresses():
    assert one(event(ipAddress="[FE80::1%eth0]"))["src_ip"] == "fe80::1"
    assert one(event(ipAddress="0:0:0:0:0:ffff:10.0.0.1"))["src_ip"] == "10.0.0.1"


def test_local_time_without_a_zone():
    assert one(PREFIX + LOGIN)["time"] == datetime(2026, 1, 5, 10, 0, 0, 120000)
    assert one(PREFIX + LOGIN, timezone="Europe/Berlin")["time"] == datetime(2026, 1, 5, 9, 0, 0, 120000)
    summer = PREFIX.replace("-01-05", "-07-05") + LOGIN
    assert one(summer, timezone="Europe/Berlin")["time"] == datetime(2026, 7, 5, 8, 0, 0, 120000)
    zoned = PREFIX.replace(",120", ".12+01:00") + LOGIN
    assert one(zoned, timezone="America/New_York")["time"] == datetime(2026, 1, 5, 9, 0, 0, 120000)
    assert one(event(), timezone="Europe/Berlin")["time"] == datetime(2026, 1, 5, 10, 0, 0, 120000)
    with pytest.raises(ValidationError, match="no time zone"):
        FORMAT.options.model_validate({"timezone": "Mars/Olympus"})


def test_quoted_lines_prove_where_the_source_says_that_its_server_quotes():
    assert one(PREFIX + LOGIN, quoted=True)["identity_strength"] == "proven"
    assert one(PREFIX + LOGIN)["identity_strength"] == "asserted"
    bare = LOGIN.replace('"', "")
    assert (one(PREFIX + bare, quoted=True)["principal"], one(PREFIX + bare, quoted=True)["identity_strength"]) == (
        ALICE,
        "asserted",
    )


def test_escaped_quotes_are_part_of_a_value():
    line = PREFIX + LOGIN.replace('"c"', r'"c\", userId=\"admin"')
    assert one(line, quoted=True)["principal"] == ALICE
    assert one(event("LOGIN", clientId='c", userId="admin'))["principal"] == ALICE


@pytest.mark.parametrize("client", [r'"x\"', r'"x\", username=\"y"z"', '"x'])
def test_a_value_that_breaks_the_quoting_proves_nothing(client: str):
    line = PREFIX + LOGIN.replace('"c"', client)
    assert one(line, quoted=True)["identity_strength"] == "asserted"
    (issued,) = granted(FORMAT, [line], SERVER, quoted=True) or [{"strength": "asserted"}]
    assert issued["strength"] == "asserted"


def test_what_comes_first_in_an_unquoted_line_counts():
    line = PREFIX + LOGIN.replace('"', "") + ", username=x, userId=admin, sessionId=s9"
    assert (one(line)["principal"], one(line)["session_uid"]) == (ALICE, f"oidc:session/{ISSUER}#s1")


def test_other_loggers_cannot_tell_of_events():
    for line in (
        f"2026-01-05 10:00:00,120 WARN  [org.acme.app] (main) bad header: {LOGIN}",
        f"2026-01-05 10:00:00,120 WARN  [org.acme.app] (main) x=[org.keycloak.events] (t) {LOGIN}",
        "2026-01-05 10:00:00,120 INFO  [org.keycloak.quarkus] (main) started",
    ):
        assert one(line, quoted=True)["outcome"] == "skipped"


def test_console_logs_in_json_hold_the_same_lines():
    console = {"timestamp": "2026-01-05T11:00:00.12+01:00", "loggerName": "org.keycloak.events", "message": LOGIN}
    found = one(console)
    assert (found["principal"], found["time"]) == (ALICE, datetime(2026, 1, 5, 10, 0, 0, 120000))
    assert found["identity_strength"] == "proven"
    assert one({**console, "loggerName": "org.acme"})["outcome"] == "skipped"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{}", 'the keys "type" and "operationType"'),
        (event(time=None), 'the key "time" is missing'),
        (event(time="soon"), "the time is none"),
        ("10:00:00,120 WARN  [org.keycloak.events] (t) " + LOGIN, "the line has a time of day without a date"),
        ("yesterday [org.keycloak.events] (t) " + LOGIN, "the line begins with no date and time"),
        (PREFIX.replace("-01-05", "-02-30") + LOGIN, "the time is none"),
    ],
)
def test_errors_have_reasons(record: Any, reason: str):
    found = one(record)
    assert (found["outcome"], found["reason"].startswith(reason)) == ("error", True)
    assert granted(FORMAT, [record], SERVER) == []


def test_hostile_text_stays_inert():
    hostile = "'); DROP TABLE records; -- \x1b[2J <script> \u202e"
    assert one(event("LOGIN", userId=hostile))["principal"] == f"oidc:subject/{ISSUER}#{hostile}"


@pytest.mark.parametrize(
    "record",
    [
        admin("CREATE", "CLIENT", "clients/6c", representation=json.dumps({"clientId": "x", "secret": "9Zk_PLANTED"})),
        admin("ACTION", "USER", "users/u1", representation=json.dumps({"type": "password", "value": "9Zk_PLANTED"})),
        admin("UPDATE", "COMPONENT", "c", representation=json.dumps({"config": {"bindCredential": ["9Zk_PLANTED"]}})),
        event(details={"redirect_uri": "https://a.example/cb?code=9Zk_PLANTED&state=9Zk_PLANTED"}),
        PREFIX + LOGIN + ', redirect_uri="https://a.example/cb?code=9Zk_PLANTED"',
        PREFIX + LOGIN + ", requestUri=/x?session_code=9Zk_PLANTED&y, cookies=[KEYCLOAK_IDENTITY=9Zk_PLANTED;Path=/]",
    ],
)
def test_secrets_are_replaced(record: Any):
    stored = redacted(FORMAT, record if isinstance(record, str) else json.dumps(record))
    assert "PLANTED" not in stored
    assert one(stored)["outcome"] == "action"


def test_ids_of_tokens_and_sessions_stay():
    for text in (json.dumps(event(details={"token_id": "t1", "code_id": "s1"})), PREFIX + LOGIN):
        assert redacted(FORMAT, text) == text


def test_real_lines_as_another_parser_reads_them():
    folder = shared("crowdsec-hub", "keycloak-logs")
    lines = (folder / "keycloak-logs.log").read_bytes()
    found = read(FORMAT, [raw for raw, _ in pieces(FORMAT, lines)], SERVER)
    claim = r'^results\["s01-parse"\].*\[(\d+)\]\.Evt\.Meta\["(error|log_type|source_ip)"\] == "([^"]*)"$'
    theirs = re.findall(claim, (folder / "parser.assert").read_text(), re.MULTILINE)
    columns = {"error": "error", "log_type": "api_operation", "source_ip": "src_ip"}
    assert len(theirs) == 21
    assert [(n, name, value) for n, name, value in theirs if found[int(n)][columns[name]] != value] == []
    assert [row["principal"] is None for row in found] == [True, True, False, False, True, True, True]


SAMPLE = (SAMPLES / "keycloak" / "events.json").read_bytes()
LINES = (SAMPLES / "keycloak" / "server.log").read_bytes()


@settings(max_examples=20, deadline=None)
@given(damaged(SAMPLE) | damaged(LINES) | st.binary(max_size=60))
def test_whatever_comes_no_record_is_lost(data: bytes):
    survives(FORMAT, data, SERVER, quoted=True)
