"""CloudTrail records in: what was acted on."""

from __future__ import annotations

from typing import Any

from tests.pipelines.formats.cloudtrail_events import ROLE, SESSION, action, actions, call, changed, some


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


def test_a_record_may_leave_out_what_was_asked_for() -> None:
    """What is too large is replaced, and of calls that failed the request is often not written."""
    too_large = {"omitted": True, "originalSize": 803_129, "reason": "requestParameters too large"}
    throttled = {"errorCode": "ThrottlingException", "errorMessage": "Rate exceeded"}
    cut = [
        action(call("ecs", "DescribeServices", requestParameters=request, **more))["request_cut"]
        for request, more in (
            ({"bucketName": "cases"}, {}), (None, {}), (None, throttled), ({"name": "x"}, throttled), (too_large, {}),
        )
    ]  # fmt: skip
    assert cut == [False, False, True, False, True]
