"""Happenings in, records in their formats out: found by being there, and each as its vendor documents it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines.worlds import deeds
from pipelines.worlds.draws import draws
from pipelines.worlds.emit import emitters
from pipelines.worlds.emit.emitter import LOGGED, Emitter
from pipelines.worlds.happenings import CALLS, ISSUINGS, REQUESTS, frame
from tests.pipelines.worlds import tale

EMITTERS = {emitter.format: emitter for emitter in emitters()}
AT = datetime(2026, 3, 2, 9, 30, 15, 250_000)
STREAM = draws(1, "test")
TRUTH = deeds.truth("agent", "agent-run", tale.ANN)


def texts(emitter: Emitter, rows: pl.DataFrame, **logged: object) -> list[str]:
    """The records of happenings, in their order, as if nothing were hard about them."""
    known: dict[str, object] = {"delivered_at": None, "shard": "", "late": False, "is_copy": False, "issued": True}
    rows = rows.with_columns(
        emitter.clock.alias("logged_at"),
        *(pl.lit(value, LOGGED[name]).alias(name) for name, value in (known | logged).items()),
    )
    with duckdb.connect() as connection:
        connection.register("happened", rows.to_arrow())
        return [text for (text,) in connection.execute(f"SELECT {emitter.text} FROM happened").fetchall()]


def records(name: str, rows: pl.DataFrame, **logged: object) -> list[dict[str, Any]]:
    return [json.loads(text) for text in texts(EMITTERS[name], rows, **logged)]


def session() -> dict[str, object]:
    return {
        "identity_type": "AssumedRole", "caller_account": tale.HOME, "principal_id": "AROAA:run-1",
        "arn": f"arn:aws:sts::{tale.HOME}:assumed-role/agent/run-1", "access_key": "ASIAX", "issuer_arn": tale.ROLE.arn,
        "issuer_id": "AROAA", "session_created": datetime(2026, 3, 2, 9, 30), "source_identity": "ann@corp.example",
    }  # fmt: skip


def call(operation: str = "GetObject", **changed: object) -> pl.DataFrame:
    given: dict[str, Any] = {
        "service": "s3", "resource": "arn:aws:s3:::cases/a.json", "bytes_out": 10, "bytes_in": 4_000, **changed
    }  # fmt: skip
    service = given.pop("service")
    return deeds.calls(
        session(), [AT], service, operation, truth=TRUTH, address="203.0.113.10", agent="Boto3/1.40.2",
        region="eu-west-1", stream=STREAM, **given,
    )  # fmt: skip


def test_all_formats_are_found_and_write_different_sources() -> None:
    assert {"cloudtrail", "okta", "squid"} <= set(EMITTERS)
    assert len({emitter.folder for emitter in EMITTERS.values()}) == len(EMITTERS)


def test_a_call_of_a_role_session() -> None:
    (record,) = records("cloudtrail", call().with_columns(duration_ms=900))
    assert record["eventTime"] == "2026-03-02T09:30:16Z", "when the service had answered, to the second"
    assert record["userIdentity"] == {
        "type": "AssumedRole",
        "principalId": "AROAA:run-1",
        "arn": f"arn:aws:sts::{tale.HOME}:assumed-role/agent/run-1",
        "accountId": tale.HOME,
        "accessKeyId": "ASIAX",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role", "principalId": "AROAA", "arn": tale.ROLE.arn, "accountId": tale.HOME, "userName": "agent"
            },
            "attributes": {"creationDate": "2026-03-02T09:30:00Z", "mfaAuthenticated": "false"},
            "sourceIdentity": "ann@corp.example",
        },
    }  # fmt: skip
    assert record["requestParameters"] == {
        "bucketName": "cases", "Host": "cases.s3.eu-west-1.amazonaws.com", "key": "a.json"
    }  # fmt: skip
    assert record["responseElements"] is None
    assert record["additionalEventData"]["bytesTransferredIn"] == 10
    assert record["additionalEventData"]["bytesTransferredOut"] == 4_000
    assert [part["ARN"] for part in record["resources"]] == ["arn:aws:s3:::cases/a.json", "arn:aws:s3:::cases"]
    assert (record["readOnly"], record["managementEvent"], record["eventCategory"]) == (True, False, "Data")
    assert record["userAgent"] == "[Boto3/1.40.2]"
    assert record["tlsDetails"]["clientProvidedHostHeader"] == "cases.s3.eu-west-1.amazonaws.com"
    assert not {"errorCode", "sharedEventID", "addendum", "apiVersion"} & set(record)


def test_a_refused_call_has_its_error_and_a_late_one_says_so() -> None:
    refused = call("DeleteTrail", service="cloudtrail", resource=None, error=("AccessDenied", 'no "way" \x1b[0m'))
    (record,) = records("cloudtrail", refused, late=True)
    assert (record["errorCode"], record["errorMessage"]) == ("AccessDenied", 'no "way" \x1b[0m')
    assert record["requestParameters"] is None
    assert record["addendum"] == {"reason": "DELIVERY_DELAY"}
    assert "resources" not in record


def test_a_web_identity_and_what_it_issues_name_each_other() -> None:
    begun = tale.run(AT, 0, 1)
    told = records("cloudtrail", begun.calls.sort("at"))
    (issuing,) = [record for record in told if record["eventName"] == "AssumeRoleWithWebIdentity"]
    assert issuing["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"arn:aws:iam::{tale.HOME}:oidc-provider/{tale.AGENT.issuer}:sts.amazonaws.com:0oa1",
        "userName": "0oa1",
        "identityProvider": f"arn:aws:iam::{tale.HOME}:oidc-provider/{tale.AGENT.issuer}",
    }
    key = issuing["responseElements"]["credentials"]["accessKeyId"]
    used = [record for record in told if record["userIdentity"].get("accessKeyId") == key]
    assert used
    for record in used:
        assert record["userIdentity"]["sessionContext"]["attributes"]["creationDate"] == issuing["eventTime"]
        assert record["userIdentity"]["sessionContext"]["webIdFederationData"]["attributes"] == {}


def test_twins_share_an_id_and_tell_the_other_account_little() -> None:
    told = [record for record in records("cloudtrail", tale.run(AT, 0, 1).calls) if record.get("sharedEventID")]
    own, other = sorted(told, key=lambda record: record["recipientAccountId"])
    assert own["sharedEventID"] == other["sharedEventID"]
    assert own["eventID"] != other["eventID"]
    assert set(other["userIdentity"]) == {"type", "principalId", "accountId"}
    assert other["userIdentity"]["type"] == "AWSAccount"


def request(**changed: object) -> pl.DataFrame:
    row = {
        "event": "e", "at": AT, "elapsed_ms": 1_500, "client": "10.40.1.1", "user": "svc", "method": "CONNECT",
        "scheme": "https", "host": "api.example", "port": 443, "path": None, "status": 200, "decision": "forwarded",
        "bytes_out": 900, "bytes_in": 6_000, "mime": None, "agent": "curl/8",
    }  # fmt: skip
    return frame(REQUESTS, pl.DataFrame([row | changed], schema_overrides={"at": pl.Datetime("us")}))


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({}, "1772443816.750   1500 10.40.1.1 TCP_TUNNEL/200 6000 CONNECT api.example:443 svc HIER_DIRECT/"),
        ({"elapsed_ms": 123_456_789},
         "1772567272.039 123456789 10.40.1.1 TCP_TUNNEL/200 6000 CONNECT api.example:443 svc HIER_DIRECT/"),
        ({"method": "GET", "scheme": "http", "port": 80, "path": "/a b?token=x", "mime": "text/html"},
         "1772443816.750   1500 10.40.1.1 TCP_MISS/200 6000 GET http://api.example/a%20b svc HIER_DIRECT/"),
        ({"method": "GET", "scheme": "http", "port": 8080, "path": "/", "decision": "cached", "mime": "text/css"},
         "1772443816.750   1500 10.40.1.1 TCP_MEM_HIT/200 6000 GET http://api.example:8080/ svc HIER_NONE/- text/css 900"),
        ({"user": None, "decision": "denied", "status": 407},
         "1772443816.750   1500 10.40.1.1 TCP_DENIED/407 6000 CONNECT api.example:443 - HIER_NONE/- - 900"),
        ({"host": "192.0.2.7"}, "1772443816.750   1500 10.40.1.1 TCP_TUNNEL/200 6000 CONNECT 192.0.2.7:443 svc"
         " HIER_DIRECT/192.0.2.7 - 900 \"curl/8\""),
    ],
)  # fmt: skip
def test_a_line_of_squid_is_written_when_the_transaction_ends(changed: dict[str, object], line: str) -> None:
    (text,) = texts(EMITTERS["squid"], request(**changed))
    assert text.startswith(line)


def test_quotes_in_a_user_agent_stay_within_its_quotes() -> None:
    (text,) = texts(EMITTERS["squid"], request(agent='a "b\\'))
    assert text.endswith(' "a \\"b\\\\"')


def issuing(kind: str, **columns: object) -> dict[str, Any]:
    rows = deeds.issuings(
        [AT], kind, truth=TRUTH, stream=STREAM, **{"address": "203.0.113.10", "agent": "okta-sdk/2", **columns}
    )
    assert rows.schema == frame(ISSUINGS, rows).schema
    (record,) = records("okta", rows)
    return record


def test_a_token_on_behalf_of_a_person() -> None:
    record = issuing(
        "token_granted", client_id="0oa1", client_name="agent", user_id="00u1", user_mail="ann@corp.example",
        user_name="Ann", token_id="AT.1", grant_type="x", scopes="work.read", expires_at=AT + timedelta(hours=1),
    )  # fmt: skip
    assert record["eventType"] == "app.oauth2.as.token.grant.access_token"
    assert record["published"] == "2026-03-02T09:30:15.250Z"
    assert (record["actor"]["id"], record["actor"]["type"]) == ("0oa1", "PublicClientApp")
    assert [(target["type"], target["id"]) for target in record["target"]] == [
        ("User", "00u1"), ("access_token", "AT.1"), ("AuthorizationServer", "aus1workers")
    ]  # fmt: skip
    assert record["target"][1]["detailEntry"]["expires"] == "2026-03-02T10:30:15.250Z"
    assert record["debugContext"]["debugData"]["requestUri"] == "/oauth2/aus1workers/v1/token"


@pytest.mark.parametrize(
    ("kind", "columns", "event_type", "result", "targets"),
    [
        ("token_refused", {"client_id": "0oa1"}, "app.oauth2.as.token.grant", "FAILURE", ["AuthorizationServer"]),
        ("login", {"user_id": "00u1"}, "user.session.start", "SUCCESS", None),
        ("login_failed", {"user_id": "00u1"}, "user.session.start", "FAILURE", None),
        ("key_created", {"client_id": "0oa1", "target_id": "0oa2", "target_type": "PublicClientApp"},
         "app.oauth2.credentials.lifecycle.create", "SUCCESS", ["PublicClientApp"]),
        ("key_created", {"user_id": "00u1", "target_id": "00T1", "target_type": "Token"},
         "system.api_token.create", "SUCCESS", ["Token"]),
        ("member_added", {"client_id": "0oa1", "user_id": "00u1", "target_id": "00g1", "target_type": "UserGroup"},
         "group.user_membership.add", "SUCCESS", ["User", "UserGroup"]),
        ("system.log_stream.lifecycle.delete", {"user_id": "00u1", "target_id": "0oals"},
         "system.log_stream.lifecycle.delete", "SUCCESS", ["AppInstance"]),
    ],
)  # fmt: skip
def test_kinds_of_okta_events(
    kind: str, columns: dict[str, object], event_type: str, result: str, targets: list[str] | None
) -> None:
    record = issuing(kind, **columns)
    assert (record["eventType"], record["outcome"]["result"]) == (event_type, result)
    assert (record["target"] and [target["type"] for target in record["target"]]) == targets


def test_no_emitter_imports_a_parser() -> None:
    for emitter in EMITTERS.values():
        module = __import__(f"pipelines.worlds.emit.{emitter.format}", fromlist=["EMITTER"])
        with open(module.__file__, encoding="utf-8") as file:
            assert "pipelines.formats" not in file.read()


def test_frames_without_rows_have_no_texts() -> None:
    assert texts(EMITTERS["cloudtrail"], pl.DataFrame(schema=CALLS)) == []
