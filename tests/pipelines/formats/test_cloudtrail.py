"""CloudTrail records in, action columns out."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from pipelines.formats.cloudtrail import FORMAT
from pipelines.formats.format import Options
from tests.pipelines.formats.cloudtrail_events import (
    GET_OBJECT,
    HOSTILE,
    ROLE,
    SESSION,
    WRONG_TYPES,
    action,
    actions,
    call,
    changed,
    some,
    table,
)


def test_a_data_event_by_a_role_session() -> None:
    row = {name: value for name, value in action(GET_OBJECT).items() if value is not None}
    assert row == {
        "record_id": "r0",
        "outcome": "action",
        "native_id": "0a000000-0000-4000-8000-000000000001",
        "time": dt.datetime(2026, 1, 5, 9, 0, 7),
        "time_kind": "end",
        "time_precision": "1s",
        "class_uid": 6003,
        "activity": "Read",
        "api_service": "s3.amazonaws.com",
        "api_operation": "GetObject",
        "principal": f"aws:role/{ROLE}",
        "principal_type": "AssumedRole",
        "credential_uid": "aws:key/ASIAEXAMPLE1",
        "credential_type": "temporary_key",
        "session_uid": "aws:session/AROAEXAMPLE1:run-42@2026-01-05T09:00:00Z",
        "session_name": "run-42",
        "identity_strength": "proven",
        "src_ip": "198.51.100.7",
        "user_agent": "aws-cli/2.17.0 md/command#s3.cp",
        "request_cut": False,
        "status": "success",
        "bytes_out": 0,
        "bytes_in": 48213,
        "resource_type": "AWS::S3::Object",
        "resource_uid": "arn:aws:s3:::cases/2026/case-7.pdf",
        "resources": ["arn:aws:s3:::cases", "arn:aws:s3:::cases/2026/case-7.pdf"],
        "account": "111122223333",
        "region": "eu-west-1",
        "request_uid": "REQ7",
    }


def test_every_column_that_is_filled_is_declared_and_the_other_way_round() -> None:
    twin = changed(sharedEventID="t1", errorCode="X", errorMessage="y", userIdentity__invokedBy="ec2.amazonaws.com")
    sourced = changed(userIdentity__sessionContext__sourceIdentity="dana@corp.example")
    making = changed(call("iam", "CreateAccessKey"), requestParameters={"userName": "bot"})
    tool = {"body": {"method": "tools/call", "params": {"name": "crm___read"}}}
    asked = changed(call("bedrock-agentcore", "InvokeGateway"), requestParameters=tool)
    filled = {name for row in actions(twin, sourced, making, asked) for name, value in row.items() if value is not None}
    assert filled - {"record_id", "outcome", "native_id"} == FORMAT.observes


def test_what_became_of_the_call() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "success"),
        ({"errorCode": "AccessDenied"}, "denied"),
        ({"errorCode": "AccessDeniedException"}, "denied"),
        ({"errorCode": "VpceAccessDenied"}, "denied"),
        ({"errorCode": "Client.UnauthorizedOperation"}, "denied"),
        ({"errorCode": "UnauthorizedOperation"}, "denied"),
        ({"errorCode": "ExpiredToken"}, "denied"),
        ({"errorCode": "NoSuchKey"}, "failure"),
        ({"errorCode": "ThrottlingException"}, "failure"),
        ({"errorMessage": "it went wrong"}, "failure"),
        ({"responseElements": {"ConsoleLogin": "Failure"}}, "denied"),
        ({"responseElements": {"statusCode": 401}}, "denied"),
        ({"responseElements": {"statusCode": "404"}}, "failure"),
        ({"responseElements": {"statusCode": 200}}, "success"),
        ({"responseElements": {"body": {"error": {"code": -32600}}}}, "failure"),
        ({"responseElements": {"statusCode": [401]}}, "success"),
    ]
    rows = actions(*(changed(**changes) for changes, _ in cases))
    assert [row["status"] for row in rows] == [status for _, status in cases]


def test_addresses() -> None:
    cases: list[tuple[Any, str | None]] = [
        ("203.0.113.9", "203.0.113.9"),
        ("075.050.055.067", "75.50.55.67"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("999.1.1.1", None),
        ("AWS Internal", None),
        ("secretsmanager.amazonaws.com", None),
        (["203.0.113.9"], None),
    ]
    rows = actions(*(changed(sourceIPAddress=written) for written, _ in cases))
    assert [row["src_ip"] for row in rows] == [address for _, address in cases]


def test_containers_hold_the_same_record() -> None:
    bus = {"version": "0", "id": "x", "detail-type": "AWS API Call via CloudTrail", "detail": GET_OBJECT}
    lookup = {"EventId": "y", "EventTime": "2026-01-05T10:00:07+01:00", "CloudTrailEvent": json.dumps(GET_OBJECT)}
    bare, *wrapped = actions(GET_OBJECT, bus, lookup)
    for row in wrapped:
        assert {**row, "record_id": "r0"} == bare


def test_what_is_no_action_says_why() -> None:
    cases: list[tuple[Any, str, str]] = [
        (changed(eventTime=None), "error", "no eventTime"),
        (changed(eventTime=["2026-01-05T09:00:07Z"]), "error", "no eventTime"),
        (changed(eventTime="yesterday"), "error", "eventTime is not a time"),
        (changed(eventTime="infinity"), "error", "eventTime is not a time"),
        (changed(eventTime="2026-02-31T00:00:00Z"), "error", "eventTime is not a time"),
        (changed(eventName=""), "error", "no eventName"),
        (changed(eventID="HIDDEN_DUE_TO_SECURITY_REASONS"), "error", "no eventID"),
        ("{", "error", "invalid JSON"),
        ("", "error", "invalid JSON"),
        ('{"eventName": "\\ud800"}', "error", "invalid JSON"),
        ("[]", "error", "not a JSON object"),
        ("null", "error", "not a JSON object"),
        ('"text"', "error", "not a JSON object"),
        ("{}", "error", "no eventTime"),
        ({"CloudTrailEvent": "{", "EventId": "x"}, "error", "invalid JSON"),
        ({"digestStartTime": "2026-01-05T09:00:00Z", "logFiles": []}, "skipped", "a CloudTrail digest file"),
        ({"eventType": "AwsCloudTrailInsight", "eventID": "e", "eventTime": "2026-01-05T09:00:00Z",
          "insightDetails": {"eventName": "RunInstances"}}, "skipped", "a CloudTrail Insights event"),
    ]  # fmt: skip
    for (_, outcome, reason), row in zip(cases, actions(*(record for record, *_ in cases)), strict=True):
        assert row["outcome"] == outcome
        assert row["reason"].startswith(reason)
        assert {name for name, value in row.items() if value is not None} == {"record_id", "outcome", "reason"}


def test_bad_records_do_not_touch_the_good_ones_between_them() -> None:
    rows = actions(GET_OBJECT, "{", GET_OBJECT, "[1]", json.dumps(GET_OBJECT)[:-30], GET_OBJECT)
    assert [row["outcome"] for row in rows] == ["action", "error", "action", "error", "error", "action"]


def test_parts_of_any_type_are_read_or_left_null() -> None:
    """Nothing crashes, and no structure is spliced into a text column."""
    records = [changed(**{part: value}) for part in GET_OBJECT for value in WRONG_TYPES]
    records += [
        changed(userIdentity={**SESSION, part: value})
        for part in (*SESSION, "invokedBy", "onBehalfOf", "inScopeOf")
        for value in WRONG_TYPES
    ]
    for row in actions(*records):
        texts = [value for name, value in row.items() if isinstance(value, str) and name != "user_agent"]
        assert not any(text.startswith(("[", "{")) for text in texts)


def test_of_two_equal_keys_the_first_wins() -> None:
    text = json.dumps(GET_OBJECT).replace('"eventName": "GetObject"', '"eventName": "GetObject", "eventName": "Other"')
    assert action(text)["api_operation"] == "GetObject"


def test_a_record_nested_a_thousand_deep_is_read() -> None:
    deep = (
        json.dumps(GET_OBJECT).replace('"REQ7"', "[" * 990 + "]" * 990).replace("null", '{"a":' * 990 + "1" + "}" * 990)
    )
    assert some(action(deep), "outcome", "api_operation", "request_uid") == ("action", "GetObject", None)


def test_masked_identifiers_are_null() -> None:
    row = action(changed(userIdentity__accessKeyId="ASIA************", userIdentity__principalId="AROA****:me"))
    assert some(row, "credential_uid", "session_uid", "session_name") == (None, None, None)


def test_hostile_text_is_data() -> None:
    row = action(changed(userAgent=HOSTILE, errorMessage=HOSTILE, requestParameters__key=HOSTILE, resources=None))
    assert some(row, "user_agent", "error") == (HOSTILE, HOSTILE)
    assert row["resource_uid"] == f"arn:aws:s3:::cases/{HOSTILE}"


def test_a_forged_container_changes_nothing() -> None:
    """Text in a request that looks like a container or another record stays a parameter."""
    inner = json.dumps(changed(eventName="ListBuckets"))
    forged = changed(requestParameters__CloudTrailEvent=inner, userAgent='"detail-type" "CloudTrailEvent"')
    assert action(forged)["api_operation"] == "GetObject"


def test_no_records() -> None:
    assert actions() == []


def test_the_sample_objects_have_their_expected_rows() -> None:
    samples = Path(__file__).resolve().parents[3] / "data/samples/cloudtrail"
    expected = json.loads((samples / "expected.json").read_text())
    raws = []
    for path in sorted(samples.glob("*.json*")):
        if path.name != "expected.json":
            with path.open("rb") as stream:
                pieces = [split.pieces for split in FORMAT.split(stream, True, Options())]
            raws += [raw.decode() for piece in pieces for raw in piece["raw"].to_pylist()]
    found = actions(*raws)
    assert {row["native_id"]: {name: str(row[name]) for name in expected["actions"][row["native_id"]]}
            for row in found if row["outcome"] == "action"} == expected["actions"]  # fmt: skip
    assert [row["reason"] for row in found if row["outcome"] != "action"] == expected["reasons"]
    granted = FORMAT.grants(table(*raws), Options()).to_pylist()
    names = ("kind", "mechanism", "parent_uid", "child_uid", "strength")
    assert sorted([str(row[name]) for name in names] for row in granted) == sorted(expected["grants"])
