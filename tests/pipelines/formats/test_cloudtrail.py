"""CloudTrail records in, action columns out."""

from __future__ import annotations

import copy
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.formats.cloudtrail import FORMAT
from pipelines.formats.format import ACTIONS_OUT, RECORDS_IN, Options

ROLE = "arn:aws:iam::111122223333:role/agents/case-reader"
USER = "arn:aws:iam::111122223333:user/ops/dana"

SESSION = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLE1:run-42",
    "arn": "arn:aws:sts::111122223333:assumed-role/case-reader/run-42",
    "accountId": "111122223333",
    "accessKeyId": "ASIAEXAMPLE1",
    "sessionContext": {
        "sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLE1", "arn": ROLE, "accountId": "111122223333"},
        "webIdFederationData": {},
        "attributes": {"creationDate": "2026-01-05T09:00:00Z", "mfaAuthenticated": "false"},
    },
}
DANA = {
    "type": "IAMUser",
    "principalId": "AIDAEXAMPLE1",
    "arn": USER,
    "accountId": "111122223333",
    "accessKeyId": "AKIAEXAMPLE1",
    "userName": "dana",
}
GET_OBJECT = {
    "eventVersion": "1.11",
    "userIdentity": SESSION,
    "eventTime": "2026-01-05T09:00:07Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "GetObject",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "198.51.100.7",
    "userAgent": "[aws-cli/2.17.0 md/command#s3.cp]",
    "requestParameters": {"bucketName": "cases", "key": "2026/case-7.pdf", "Host": "cases.s3.eu-west-1.amazonaws.com"},
    "responseElements": None,
    "additionalEventData": {"bytesTransferredIn": 0, "bytesTransferredOut": 48213.0},
    "requestID": "REQ7",
    "eventID": "0a000000-0000-4000-8000-000000000001",
    "readOnly": True,
    "resources": [
        {"accountId": "111122223333", "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::cases"},
        {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::cases/2026/case-7.pdf"},
    ],
    "eventType": "AwsApiCall",
    "recipientAccountId": "111122223333",
}


def changed(base: dict[str, Any] = GET_OBJECT, **changes: Any) -> dict[str, Any]:
    """`base` with dotted names (written with `__`) set to new values; None takes a value away."""
    record = copy.deepcopy(base)
    for name, value in changes.items():
        at, *rest = name.split("__")
        part = record
        for step in rest:
            part, at = part.setdefault(at, {}), step
        part[at] = value
    return record


def call(service: str, operation: str, **changes: Any) -> dict[str, Any]:
    """A management call by SESSION with neither resources nor parameters of its own."""
    bare = changed(resources=None, requestParameters=None, additionalEventData=None)
    return changed(bare, eventSource=f"{service}.amazonaws.com", eventName=operation, **changes)


def table(*records: Any) -> pa.Table:
    raw = [each if isinstance(each, str) else json.dumps(each) for each in records]
    ids = [f"r{n}" for n in range(len(raw))]
    return pa.table([ids, ["trail"] * len(raw), [None] * len(raw), raw], schema=RECORDS_IN)


def actions(*records: Any) -> list[dict[str, Any]]:
    """The rows in the order of the records; there is one for each, whatever the records are."""
    found = FORMAT.actions(table(*records), Options())
    assert found.schema.equals(ACTIONS_OUT)
    rows = {row["record_id"]: row for row in found.to_pylist()}
    assert len(rows) == found.num_rows == len(records)
    return [rows[f"r{n}"] for n in range(len(records))]


def action(record: Any) -> dict[str, Any]:
    return actions(record)[0]


def some(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


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
    filled = {name for row in actions(twin, sourced, making) for name, value in row.items() if value is not None}
    assert filled - {"record_id", "outcome", "native_id"} == FORMAT.observes


def test_who_acted() -> None:
    cases: list[tuple[dict[str, Any], str | None, str | None, str | None]] = [
        (DANA, f"aws:user/{USER}", "aws:key/AKIAEXAMPLE1", "access_key"),
        (
            {"type": "Root", "principalId": "111122223333", "accountId": "111122223333", "accessKeyId": "ASIAROOT"},
            "aws:user/arn:aws:iam::111122223333:root",
            "aws:key/ASIAROOT",
            "temporary_key",
        ),
        (
            {
                "type": "FederatedUser",
                "principalId": "111122223333:bot",
                "accessKeyId": "ASIAFED",
                "sessionContext": {"sessionIssuer": {"type": "IAMUser", "arn": USER}},
            },
            f"aws:user/{USER}",
            "aws:key/ASIAFED",
            "temporary_key",
        ),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "aws:service/ec2.amazonaws.com", None, None),
        ({"accountId": "111122223333", "invokedBy": "eks.amazonaws.com"}, "aws:service/eks.amazonaws.com", None, None),
        ({"type": "AWSAccount", "principalId": "AIDAOTHER", "accountId": "444455556666"},
         "aws:principal/AIDAOTHER", None, None),
        ({"type": "AWSAccount", "principalId": "", "accountId": "444455556666"},
         "aws:principal/444455556666", None, None),
        (
            {
                "type": "WebIdentityUser",
                "principalId": "arn:aws:iam::111122223333:oidc-provider/idp.example/t1:sts.amazonaws.com:repo:corp/a",
                "userName": "repo:corp/agents:ref:refs/heads/main",
                "identityProvider": "arn:aws:iam::111122223333:oidc-provider/idp.example/t1",
            },
            "oidc:subject/idp.example/t1#repo:corp/agents:ref:refs/heads/main",
            None,
            None,
        ),
        (
            {"type": "WebIdentityUser", "userName": "u1", "identityProvider": "https://accounts.idp.example/"},
            "oidc:subject/accounts.idp.example#u1",
            None,
            None,
        ),
        ({"type": "SAMLUser", "principalId": "nq=:dana@corp.example", "userName": "dana@corp.example"},
         "aws:principal/nq=:dana@corp.example", None, None),
        (
            {"type": "IdentityCenterUser", "credentialId": "AAAAcred1", "onBehalfOf": {"userId": "U1"}},
            "aws:principal/U1",
            "aws:key/AAAAcred1",
            "bearer_token",
        ),
        ({"type": "IdentityCenterUser", "principalId": "P1"}, "aws:principal/P1", None, None),
        # Without its issuer a role session has lost the role's path: no role is made up for it.
        (
            {"type": "AssumedRole", "principalId": "AROAX:s", "arn": "arn:aws:sts::111122223333:assumed-role/r/s"},
            "aws:principal/AROAX",
            None,
            None,
        ),
        ({"type": "AssumedRole", "principalId": "AROAX:s", "sessionContext": {"sessionIssuer": {}}},
         "aws:principal/AROAX", None, None),
        ({}, None, None, None),
    ]  # fmt: skip
    rows = actions(*(changed(userIdentity=identity) for identity, *_ in cases))
    names = ("principal", "credential_uid", "credential_type")
    assert [some(row, *names) for row in rows] == [(p, credential, kind) for _, p, credential, kind in cases]


def test_a_saml_caller_presents_the_assertion() -> None:
    saml = changed(
        call("sts", "AssumeRoleWithSAML"),
        userIdentity={"type": "SAMLUser", "principalId": "nq=:dana", "userName": "dana"},
        requestParameters={"sAMLAssertionID": "_4bed", "roleArn": ROLE},
    )
    row = action(saml)
    assert some(row, "credential_uid", "credential_type") == ("saml:assertion/_4bed", "saml_assertion")


def test_a_session_is_named_the_same_however_its_start_is_written() -> None:
    spellings = ("2026-01-05T09:00:00Z", "20260105T090000Z", "2026-01-05T10:00:00+01:00", "2026-01-05 09:00:00")
    rows = actions(*(changed(userIdentity__sessionContext__attributes__creationDate=text) for text in spellings))
    assert {row["session_uid"] for row in rows} == {"aws:session/AROAEXAMPLE1:run-42@2026-01-05T09:00:00Z"}


def test_for_whom() -> None:
    behalf, mail, name = actions(
        changed(userIdentity__onBehalfOf={"userId": "U1"}),
        changed(userIdentity__sessionContext__sourceIdentity="Dana@Corp.example"),
        changed(userIdentity__sessionContext__sourceIdentity="case-bot"),
    )
    assert behalf["delegator"] == "aws:principal/U1"
    assert mail["delegator"] == "mail:addr/dana@corp.example"
    assert name["delegator"] is None


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


def test_a_failed_sign_in_proves_no_identity() -> None:
    row = action(
        call(
            "signin",
            "ConsoleLogin",
            userIdentity={"type": "IAMUser", "accountId": "111122223333", "principalId": "AIDAX", "accessKeyId": ""},
            eventType="AwsConsoleSignIn",
            errorMessage="Failed authentication",
            responseElements={"ConsoleLogin": "Failure"},
        )
    )
    names = ("class_uid", "activity", "status", "identity_strength", "supervised", "obtains", "credential_uid", "error")
    assert some(row, *names) == (3002, "Logon", "denied", "asserted", "attended", "self", None, "Failed authentication")


def test_an_identity_that_was_only_claimed() -> None:
    claims: list[dict[str, Any]] = [
        {"userIdentity__userName": "HIDDEN_DUE_TO_SECURITY_REASONS"},
        {"userIdentity__type": "Unknown"},
        {"userIdentity": {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}},
        {"userIdentity": {"type": "WebIdentityUser", "userName": "u"}, "errorCode": "AccessDenied"},
        {"errorCode": "InvalidClientTokenId"},
    ]
    assert {row["identity_strength"] for row in actions(*(changed(**claim) for claim in claims))} == {"asserted"}


def test_a_refused_but_authenticated_caller_is_proven() -> None:
    assert action(changed(errorCode="AccessDenied"))["identity_strength"] == "proven"


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


def test_a_resource_is_named_by_its_arn() -> None:
    cases: list[tuple[str, str, dict[str, Any], list[str] | None]] = [
        ("s3", "PutObject", {"bucketName": "b", "key": "a b/[x].txt"}, ["s3:::b/a b/[x].txt", "s3:::b"]),
        ("s3", "ListObjects", {"bucketName": "b"}, ["s3:::b"]),
        ("sts", "AssumeRole", {"roleArn": ROLE}, [ROLE[8:]]),
        ("iam", "AttachRolePolicy", {"roleName": "r", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
         ["iam::111122223333:role/r", "iam::aws:policy/ReadOnlyAccess"]),
        ("iam", "DeleteUser", {"userName": "bot"}, ["iam::111122223333:user/bot"]),
        ("dynamodb", "GetItem", {"tableName": "t"}, ["dynamodb:eu-west-1:111122223333:table/t"]),
        ("dynamodb", "GetItem", {"tableName": "arn:aws:dynamodb:eu-west-1:444455556666:table/t"},
         ["dynamodb:eu-west-1:444455556666:table/t"]),
        ("lambda", "Invoke", {"functionName": "f"}, ["lambda:eu-west-1:111122223333:function:f"]),
        ("lambda", "Invoke", {"functionName": "111122223333:function:f"}, ["lambda:eu-west-1:111122223333:function:f"]),
        ("secretsmanager", "GetSecretValue", {"secretId": "prod/db"},
         ["secretsmanager:eu-west-1:111122223333:secret:prod/db"]),
        ("kms", "Decrypt", {"keyId": "alias/k"}, ["kms:eu-west-1:111122223333:alias/k"]),
        ("kms", "Decrypt", {"keyId": "0f-1"}, ["kms:eu-west-1:111122223333:key/0f-1"]),
        ("sqs", "SendMessage", {"queueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/q"},
         ["sqs:eu-west-1:111122223333:q"]),
        ("sns", "Publish", {"topicArn": "arn:aws:sns:eu-west-1:111122223333:t"}, ["sns:eu-west-1:111122223333:t"]),
        ("ec2", "TerminateInstances", {"instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]}},
         ["ec2:eu-west-1:111122223333:instance/i-1", "ec2:eu-west-1:111122223333:instance/i-2"]),
        ("ec2", "DeleteSnapshot", {"snapshotId": "snap-1"}, ["ec2:eu-west-1:111122223333:snapshot/snap-1"]),
        ("ssm", "GetParameter", {"name": "/prod/db"}, ["ssm:eu-west-1:111122223333:parameter/prod/db"]),
        ("ssm", "GetParameters", {"names": ["/a", "b"]},
         ["ssm:eu-west-1:111122223333:parameter/a", "ssm:eu-west-1:111122223333:parameter/b"]),
        ("ssm", "StartSession", {"target": "i-1"}, ["ec2:eu-west-1:111122223333:instance/i-1"]),
        ("cloudtrail", "StopLogging", {"name": "main"}, ["cloudtrail:eu-west-1:111122223333:trail/main"]),
        ("logs", "DeleteLogGroup", {"logGroupName": "/app"}, ["logs:eu-west-1:111122223333:log-group:/app"]),
        ("rds", "DeleteDBInstance", {"dBInstanceIdentifier": "d"}, ["rds:eu-west-1:111122223333:db:d"]),
        ("health", "DescribeEvents", {"name": "x"}, None),
        ("ssm", "GetParameters", {"names": "not a list", "name": ["not a text"]}, None),
        ("dynamodb", "GetItem", {"tableName": ["a"]}, None),
        ("dynamodb", "GetItem", {"tableName": "HIDDEN_DUE_TO_SECURITY_REASONS"}, None),
    ]  # fmt: skip
    rows = actions(*(call(service, name, requestParameters=parameters) for service, name, parameters, _ in cases))
    expected = [tails and [f"arn:aws:{tail}" for tail in tails] for *_, tails in cases]
    assert [row["resources"] for row in rows] == expected
    assert [row["resource_uid"] for row in rows] == [arns and arns[0] for arns in expected]


def test_a_bare_name_without_account_or_region_names_nothing() -> None:
    nowhere = call("dynamodb", "GetItem", requestParameters={"tableName": "t"}, awsRegion=None)
    no_account = call("dynamodb", "GetItem", requestParameters={"tableName": "t"}, recipientAccountId=None,
                      userIdentity={"type": "AWSService", "invokedBy": "x.amazonaws.com"})  # fmt: skip
    assert [row["resources"] for row in actions(nowhere, no_account)] == [None, None]


def test_an_object_may_be_called_like_a_mask() -> None:
    """A key is the caller's to choose: one that looks like a redaction must not hide the object."""
    row = action(
        call("s3", "PutObject", requestParameters={"bucketName": "b", "key": "HIDDEN_DUE_TO_SECURITY_REASONS"})
    )
    assert row["resource_uid"] == "arn:aws:s3:::b/HIDDEN_DUE_TO_SECURITY_REASONS"


def test_a_copy_is_about_the_object_that_it_writes() -> None:
    copied = changed(
        eventName="CopyObject",
        requestParameters={"bucketName": "out", "key": "stolen", "x-amz-copy-source": "cases/a"},
        resources=[
            {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::cases/a"},
            {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::out/stolen"},
        ],
    )
    assert action(copied)["resource_uid"] == "arn:aws:s3:::out/stolen"


def test_a_refused_role_is_read_from_the_message() -> None:
    refused = call(
        "sts",
        "AssumeRole",
        errorCode="AccessDenied",
        errorMessage=f"User: {SESSION['arn']} is not authorized to perform: sts:AssumeRole on resource: {ROLE}",
    )
    row = action(refused)
    names = ("status", "resource_type", "resource_uid", "resources", "obtains")
    assert some(row, *names) == ("denied", "AWS::IAM::Role", ROLE, [ROLE], "self")


def test_who_obtains_a_credential() -> None:
    cases: list[tuple[dict[str, Any], str, str, dict[str, Any] | None, str | None]] = [
        (SESSION, "sts", "AssumeRole", None, "self"),
        (SESSION, "sts", "GetCallerIdentity", None, None),
        (SESSION, "s3express", "CreateSession", None, "self"),
        (SESSION, "sso-oauth", "CreateTokenWithIAM", None, "self"),
        (DANA, "iam", "CreateAccessKey", {"userName": "bot"}, "other"),
        (SESSION, "iam", "CreateLoginProfile", {"userName": "dana"}, "other"),
        (DANA, "iam", "CreateAccessKey", {"userName": "Dana"}, None),
        (DANA, "iam", "CreateAccessKey", None, None),
    ]
    rows = actions(
        *(
            call(service, name, userIdentity=caller, requestParameters=given)
            for caller, service, name, given, _ in cases
        )
    )
    assert [row["obtains"] for row in rows] == [obtains for *_, obtains in cases]


def test_twins_are_ranked_by_what_they_know_of_the_caller() -> None:
    caller, owner = actions(
        call("sts", "AssumeRole", sharedEventID="t1", userIdentity=DANA, eventID="e1"),
        call("sts", "AssumeRole", sharedEventID="t1", eventID="e2",
             userIdentity={"type": "AWSAccount", "principalId": "AIDAEXAMPLE1", "accountId": "111122223333"}),
    )  # fmt: skip
    assert some(caller, "twin_uid", "twin_rank") == ("cloudtrail:shared:t1", 0)
    assert some(owner, "twin_uid", "twin_rank") == ("cloudtrail:shared:t1", 1)


def test_attended_and_unattended() -> None:
    rows = actions(
        changed(sessionCredentialFromConsole="true"),
        changed(userIdentity__invokedBy="autoscaling.amazonaws.com"),
        changed(userIdentity__invokedBy="signin.amazonaws.com"),
    )
    assert [row["supervised"] for row in rows] == ["attended", "unattended", None]


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


WRONG_TYPES: list[Any] = [
    [],
    {},
    [[]],
    ["x"],
    {"a": {}},
    0,
    -1.5,
    1e300,
    True,
    "",
    "***",
    "\u0000",
    "\ud83d\ude00",
    "'",
]


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


HOSTILE = "'); DROP TABLE actions; --\u001b[2J\u001b]0;owned\u0007<script>\u202e"


def test_hostile_text_is_data() -> None:
    row = action(changed(userAgent=HOSTILE, errorMessage=HOSTILE, requestParameters__key=HOSTILE, resources=None))
    assert some(row, "user_agent", "error") == (HOSTILE, HOSTILE)
    assert row["resource_uid"] == f"arn:aws:s3:::cases/{HOSTILE}"


def test_a_session_named_like_a_worker_is_only_a_session_name() -> None:
    """Whoever may assume a role may call his session what he likes."""
    posing = changed(
        userIdentity__principalId="AROAOTHER:case-reader",
        userIdentity__arn="arn:aws:sts::111122223333:assumed-role/other/case-reader",
        userIdentity__sessionContext__sessionIssuer__arn="arn:aws:iam::111122223333:role/other",
    )
    row = action(posing)
    assert some(row, "principal", "session_name") == ("aws:role/arn:aws:iam::111122223333:role/other", "case-reader")


def test_a_forged_container_changes_nothing() -> None:
    """Text in a request that looks like a container or another record stays a parameter."""
    inner = json.dumps(changed(eventName="ListBuckets"))
    forged = changed(requestParameters__CloudTrailEvent=inner, userAgent='"detail-type" "CloudTrailEvent"')
    assert action(forged)["api_operation"] == "GetObject"


def test_a_forged_principal_id_names_no_role() -> None:
    row = action(changed(userIdentity={"type": "AssumedRole", "principalId": f"{ROLE}:x"}))
    assert row["principal"] == "aws:principal/arn"


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
