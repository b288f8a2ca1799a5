"""Records as AWS, Squid and Okta write them, of a small cast of workers, people and strangers.

CloudTrail: record contents and userIdentity element of the CloudTrail user guide. Squid: the native
format with the bytes that the client sent at the end. Okta: LogEvent of the System Log API reference.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
ORG = "corp.okta.example"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LOGFORMAT = "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %un %Sh/%<a %mt %>st"

Record = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """An access key of a role's session, of a user, or of a user's temporary session."""

    id: str
    kind: str
    """`role`, `user` or `token`."""
    owner: str
    """The role's or user's name."""
    session_name: str = "run"
    made_at: int = 0
    """In seconds after START; for a session also its creation date."""


def instant(second: int) -> str:
    return f"{START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%SZ}"


def _us_instant(second: int) -> str:
    return f"{START + timedelta(seconds=second):%b %d, %Y, %I:%M:%S %p}"


def event_id(*parts: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


def role_arn(role: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{role}"


def user_arn(user: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{user}"


def principal_id(key: Key) -> str:
    if key.kind == "role":
        return f"AROA{key.owner.upper()}:{key.session_name}"
    return f"AIDA{key.owner.upper()}"


def identity(key: Key) -> Record:
    """The `userIdentity` of a call that was signed with the key."""
    session: Record = {"attributes": {"creationDate": instant(key.made_at), "mfaAuthenticated": "false"}}
    told: Record = {"principalId": principal_id(key), "accountId": ACCOUNT, "accessKeyId": key.id}
    if key.kind == "role":
        issuer = {
            "type": "Role",
            "principalId": f"AROA{key.owner.upper()}",
            "arn": role_arn(key.owner),
            "accountId": ACCOUNT,
            "userName": key.owner,
        }
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{key.owner}/{key.session_name}"
        return {"type": "AssumedRole", **told, "arn": arn, "sessionContext": {"sessionIssuer": issuer, **session}}
    told = {"type": "IAMUser", **told, "arn": user_arn(key.owner), "userName": key.owner}
    return {**told, "sessionContext": session} if key.kind == "token" else told


def call(key: Key, service: str, name: str, second: int, **more: Any) -> Record:
    """A CloudTrail record; `more` replaces its keys."""
    return {
        "eventVersion": "1.11",
        "userIdentity": identity(key),
        "eventTime": instant(second),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.10",
        "userAgent": "Boto3/1.40",
        "requestParameters": None,
        "responseElements": None,
        "requestID": event_id("request", key.id, name, second),
        "eventID": event_id(key.id, name, second),
        "readOnly": name.startswith(("Get", "List", "Describe")),
        "eventType": "AwsApiCall",
        "managementEvent": service != "s3",
        "recipientAccountId": ACCOUNT,
        **more,
    }


def issuing(parent: Key, child: Key) -> Record:
    """The record that says that `parent` got, or made, `child`."""
    credentials = {
        "accessKeyId": child.id,
        "sessionToken": "FAKESESSIONTOKENOFTHEPROPERTYTESTS",
        "expiration": _us_instant(child.made_at + 3600),
    }
    if child.kind == "role":
        arn = role_arn(child.owner)
        return call(
            parent, "sts", "AssumeRole", child.made_at,
            requestParameters={"roleArn": arn, "roleSessionName": child.session_name, "durationSeconds": 3600},
            responseElements={
                "credentials": credentials,
                "assumedRoleUser": {
                    "assumedRoleId": principal_id(child),
                    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{child.owner}/{child.session_name}",
                },
            },
            resources=[{"ARN": arn, "accountId": ACCOUNT, "type": "AWS::IAM::Role"}],
        )  # fmt: skip
    if child.kind == "token":
        return call(
            parent, "sts", "GetSessionToken", child.made_at,
            requestParameters={"durationSeconds": 3600}, responseElements={"credentials": credentials},
        )  # fmt: skip
    made = {"accessKeyId": child.id, "status": "Active", "userName": child.owner}
    return call(
        parent, "iam", "CreateAccessKey", child.made_at,
        requestParameters={"userName": child.owner}, responseElements={"accessKey": made},
    )  # fmt: skip


def ending(by: Key, ended: Key, second: int, *, delete: bool) -> Record:
    """A user's key is deleted, or made inactive."""
    asked = {"userName": ended.owner, "accessKeyId": ended.id}
    if delete:
        return call(by, "iam", "DeleteAccessKey", second, requestParameters=asked)
    return call(by, "iam", "UpdateAccessKey", second, requestParameters={**asked, "status": "Inactive"})


def owners_copy(record: Record) -> Record:
    """The copy of a cross-account call that the owner of the role or bucket gets: the caller is an account."""
    caller = record["userIdentity"]
    return {
        **record,
        "userIdentity": {"type": "AWSAccount", "principalId": caller["principalId"], "accountId": ACCOUNT},
        "eventID": event_id("owner", record["eventID"]),
        "recipientAccountId": OTHER_ACCOUNT,
    }


def squid_line(second: int, user: str, method: str, url: str, *, status: int = 200, sent: int = 400) -> str:
    """A line of the access log, without its end."""
    at = int((START + timedelta(seconds=second)).timestamp())
    took = 5000 if method == "CONNECT" else 120
    how = "TCP_DENIED" if status in {403, 407} else {"CONNECT": "NONE_NONE"}.get(method, "TCP_MISS")
    return f"{at}.120 {took:6} 10.40.1.11 {how}/{status} 1823 {method} {url} {user} HIER_DIRECT/203.0.113.10 text/html {sent}"


def okta_event(
    number: int, kind: str, second: int, actor: Record, *targets: Record, session: str = "unknown"
) -> Record:
    """A System Log event."""
    return {
        "uuid": event_id("okta", number),
        "published": f"{START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S}.120Z",
        "eventType": kind,
        "severity": "INFO",
        "actor": actor,
        "client": {"ipAddress": "198.51.100.20", "userAgent": {"rawUserAgent": "Mozilla/5.0"}},
        "outcome": {"result": "SUCCESS", "reason": None},
        "target": list(targets),
        "transaction": {"type": "WEB", "id": f"tx{number}", "detail": {}},
        "authenticationContext": {"externalSessionId": session},
        "version": "0",
    }


def okta_user(name: str) -> Record:
    return {"id": f"00u1{name}", "type": "User", "alternateId": f"{name}@corp.example", "displayName": name}


def okta_client(name: str) -> Record:
    return {"id": f"0oa1{name}", "type": "PublicClientApp", "alternateId": f"0oa1{name}", "displayName": name}


def okta_token(name: str) -> Record:
    return {"id": f"AT.{name}", "type": "access_token", "detailEntry": {"expires": "2026-03-02T10:00:00.000Z"}}
