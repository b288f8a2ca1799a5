"""CloudTrail records for tests, and what is read from them."""

from __future__ import annotations

import copy
import json
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


HOSTILE = "'); DROP TABLE actions; --\u001b[2J\u001b]0;owned\u0007<script>\u202e"
