"""CloudTrail records in, grants out: which credential gave rise to which, and which ended."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pyarrow as pa

from pipelines.formats.cloudtrail import FORMAT
from pipelines.formats.format import GRANTS_OUT, RECORDS_IN, Options

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/agents/deploy"
BOT = f"arn:aws:iam::{ACCOUNT}:user/bot"
NOW = "2026-01-05T09:00:00Z"
CI = {
    "type": "IAMUser",
    "principalId": "AIDACI",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/ops/ci",
    "accountId": ACCOUNT,
    "accessKeyId": "AKIACI",
    "userName": "ci",
}
CREDENTIALS = {"accessKeyId": "ASIACHILD", "expiration": "Jan 5, 2026, 1:09:30 PM", "sessionToken": "opaque"}
ASSUMED = {"credentials": CREDENTIALS, "assumedRoleUser": {"assumedRoleId": "AROADEPLOY:run-42"}}
SESSION = "aws:session/AROADEPLOY:run-42@2026-01-05T09:00:00Z"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example/t1"


def record(service: str, operation: str, identity: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """A successful call at NOW; `request`, `response` and `extra` are its parameters, answer and additional data."""
    long_names = {"request": "requestParameters", "response": "responseElements", "extra": "additionalEventData"}
    return {
        "eventTime": NOW,
        "eventSource": f"{service}.amazonaws.com",
        "eventName": operation,
        "eventID": "0b000000-0000-4000-8000-000000000001",
        "awsRegion": "eu-west-1",
        "recipientAccountId": ACCOUNT,
        "userIdentity": identity,
        **{long_names.get(name, name): value for name, value in parts.items()},
    }


def grants(*records: dict[str, Any]) -> list[dict[str, Any]]:
    ids = [f"r{n}" for n in range(len(records))]
    raw = [json.dumps(each) for each in records]
    found = FORMAT.grants(pa.table([ids, ["trail"] * len(raw), [None] * len(raw), raw], schema=RECORDS_IN), Options())
    assert found.schema.equals(GRANTS_OUT)
    return sorted(found.to_pylist(), key=lambda row: (row["record_id"], row["child_uid"]))


def hops(*records: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(parent, child, strength) of each grant."""
    return [(row["parent_uid"], row["child_uid"], row["strength"]) for row in grants(*records)]


def assume_role(identity: dict[str, Any] = CI, **parts: Any) -> dict[str, Any]:
    given = {"request": {"roleArn": ROLE, "roleSessionName": "run-42"}, "response": ASSUMED, **parts}
    return record("sts", "AssumeRole", identity, **given)


def test_a_key_takes_on_a_role() -> None:
    common = {
        "record_id": "r0",
        "kind": "issue",
        "mechanism": "AssumeRole",
        "parent_uid": "aws:key/AKIACI",
        "principal": f"aws:role/{ROLE}",
        "delegator": None,
        "delegator_strength": None,
        "issued_at": dt.datetime(2026, 1, 5, 9, 0, 0),
        "expires_at": dt.datetime(2026, 1, 5, 13, 9, 30),
        "strength": "proven",
    }
    assert grants(assume_role()) == [
        {**common, "child_uid": "aws:key/ASIACHILD"},
        {**common, "child_uid": SESSION},
    ]


def test_the_issued_session_is_what_later_records_call_it() -> None:
    later = record(
        "s3",
        "GetObject",
        {
            "type": "AssumedRole",
            "principalId": "AROADEPLOY:run-42",
            "accessKeyId": "ASIACHILD",
            "sessionContext": {"sessionIssuer": {"arn": ROLE}, "attributes": {"creationDate": NOW}},
        },
    )
    raw = pa.table([["r0"], ["trail"], [None], [json.dumps(later)]], schema=RECORDS_IN)
    row = FORMAT.actions(raw, Options()).to_pylist()[0]
    issued = grants(assume_role())
    assert [row["credential_uid"], row["session_uid"]] == [grant["child_uid"] for grant in issued]
    assert row["principal"] == issued[0]["principal"]


def test_expiry_in_every_spelling() -> None:
    spellings = [
        "Jan 5, 2026, 1:09:30 PM",
        "Jan 5, 2026, 1:09:30\u202fPM",
        "Jan 5, 2026 1:09:30 PM",
        "2026-01-05T13:09:30Z",
        "2026-01-05T14:09:30+01:00",
        "20260105T130930Z",
    ]
    records = [
        assume_role(response={"credentials": {"accessKeyId": "ASIACHILD", "expiration": text}}) for text in spellings
    ]
    assert [row["expires_at"] for row in grants(*records)] == [dt.datetime(2026, 1, 5, 13, 9, 30)] * len(spellings)


def test_a_session_takes_on_another_role() -> None:
    chained = {"type": "AssumedRole", "principalId": "AROAA:a", "accessKeyId": "ASIAPARENT"}
    assert hops(assume_role(chained))[0] == ("aws:key/ASIAPARENT", "aws:key/ASIACHILD", "proven")


def test_a_service_linked_role_without_a_key_is_known_by_its_session() -> None:
    linked = {
        "type": "AssumedRole",
        "principalId": "AROASLR:asg",
        "invokedBy": "autoscaling.amazonaws.com",
        "sessionContext": {"attributes": {"creationDate": "2026-01-05T08:00:00Z"}},
    }
    assert hops(assume_role(linked))[0][0] == "aws:session/AROASLR:asg@2026-01-05T08:00:00Z"


def test_a_service_takes_on_a_role_for_an_instance() -> None:
    ec2 = assume_role(
        {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
        request={"roleArn": ROLE, "roleSessionName": "i-05c3"},
        response={"credentials": CREDENTIALS},
    )
    assert hops(ec2) == [("aws:service/ec2.amazonaws.com", "aws:key/ASIACHILD", "proven")]


def test_web_identity_and_kubernetes_service_account() -> None:
    subjects = ["repo:corp/agents:ref:refs/heads/main", "system:serviceaccount:support:triage"]
    records = [
        record(
            "sts",
            "AssumeRoleWithWebIdentity",
            {"type": "WebIdentityUser", "userName": subject, "identityProvider": PROVIDER},
            request={"roleArn": ROLE, "roleSessionName": "case-reader"},
            response={**ASSUMED, "provider": PROVIDER, "subjectFromWebIdentityToken": subject},
        )
        for subject in subjects
    ]
    assert hops(*records) == [
        (f"oidc:subject/idp.example/t1#{subject}", child, "proven")
        for subject in subjects
        for child in ("aws:key/ASIACHILD", SESSION)
    ]


def test_saml() -> None:
    identity = {"type": "SAMLUser", "principalId": "nq=:dana", "userName": "dana"}
    with_id = {"sAMLAssertionID": "_4bed", "roleArn": ROLE}
    named, nameless = (
        record("sts", "AssumeRoleWithSAML", identity, request=request, response=ASSUMED)
        for request in (with_id, {"roleArn": ROLE})
    )
    assert hops(named)[0] == ("saml:assertion/_4bed", "aws:key/ASIACHILD", "proven")
    assert hops(nameless)[0] == ("aws:principal/nq=:dana", "aws:key/ASIACHILD", "proven")


def test_session_and_federation_tokens_stay_with_their_user() -> None:
    federated = record(
        "sts",
        "GetFederationToken",
        CI,
        request={"name": "bot"},
        response={"credentials": CREDENTIALS, "federatedUser": {"federatedUserId": f"{ACCOUNT}:bot"}},
    )
    session = record("sts", "GetSessionToken", CI, response={"credentials": CREDENTIALS})
    assert hops(federated, session) == [
        ("aws:key/AKIACI", "aws:key/ASIACHILD", "proven"),
        ("aws:key/AKIACI", f"aws:session/{ACCOUNT}:bot@{NOW}", "proven"),
        ("aws:key/AKIACI", "aws:key/ASIACHILD", "proven"),
        ("aws:key/AKIACI", f"aws:session/AIDACI@{NOW}", "proven"),
    ]
    assert {row["principal"] for row in grants(federated, session)} == {f"aws:user/{CI['arn']}"}


def test_root_of_a_member_account() -> None:
    for target in ("444455556666", "arn:aws:iam::444455556666:root"):
        root = record(
            "sts", "AssumeRoot", CI, request={"targetPrincipal": target}, response={"credentials": CREDENTIALS}
        )
        key, session = grants(root)
        assert key["principal"] == session["principal"] == "aws:user/arn:aws:iam::444455556666:root"
        assert session["child_uid"] == f"aws:session/444455556666@{NOW}"


def make_key(identity: dict[str, Any], request: dict[str, Any] | None, owner: str) -> dict[str, Any]:
    response = {"accessKey": {"accessKeyId": "AKIANEW", "userName": owner, "createDate": "Jan 5, 2026 9:00:00 AM"}}
    return record("iam", "CreateAccessKey", identity, request=request, response=response)


def test_a_key_for_oneself_is_proven_and_for_another_asserted() -> None:
    own, implied, other = grants(
        make_key(CI, {"userName": "ci"}, "ci"), make_key(CI, None, "ci"), make_key(CI, {"userName": "bot"}, "bot")
    )
    for row in (own, implied):
        assert (row["strength"], row["principal"]) == ("proven", f"aws:user/{CI['arn']}")
    assert (other["strength"], other["principal"]) == ("asserted", f"aws:user/{BOT}")
    assert {row["parent_uid"] for row in (own, implied, other)} == {"aws:key/AKIACI"}


def test_a_role_session_called_like_a_user_makes_no_key_of_its_own() -> None:
    posing = {"type": "AssumedRole", "principalId": "AROAX:bot", "accessKeyId": "ASIAX", "userName": "bot"}
    assert [row["strength"] for row in grants(make_key(posing, {"userName": "bot"}, "bot"))] == ["asserted"]


def test_s3_express() -> None:
    express = record("s3express", "CreateSession", CI, response={"credentials": CREDENTIALS})
    assert hops(express) == [("aws:key/AKIACI", "aws:key/ASIACHILD", "proven")]


POD_TAGS = [
    {"key": "eks-cluster-name", "value": "prod/eu"},
    {"key": "kubernetes-namespace", "value": "support"},
    {"key": "kubernetes-service-account", "value": "triage"},
]


def test_a_pod_is_its_service_account() -> None:
    pods = {"type": "AWSService", "invokedBy": "pods.eks.amazonaws.com"}
    request = {"roleArn": ROLE, "roleSessionName": "eks-prod-triage", "tags": POD_TAGS}
    incomplete = {**request, "tags": POD_TAGS[:2]}
    assert hops(assume_role(pods, request=request))[0] == (
        "k8s:sa/prod%2Feu/support/triage",
        "aws:key/ASIACHILD",
        "proven",
    )
    assert hops(assume_role(pods, request=incomplete))[0][0] == "aws:service/pods.eks.amazonaws.com"


def test_anyone_may_send_a_pods_tags_but_only_eks_is_believed() -> None:
    request = {"roleArn": ROLE, "roleSessionName": "eks-prod-triage", "tags": POD_TAGS}
    forged = [
        assume_role(CI, request=request),
        assume_role({**CI, "invokedBy": "pods.eks.amazonaws.com"}, request=request),
        assume_role({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, request=request),
    ]
    assert not [hop for hop in hops(*forged) if hop[0].startswith("k8s:")]


def test_a_token_for_a_person() -> None:
    token = record(
        "sso-oauth",
        "CreateTokenWithIAM",
        {"type": "AssumedRole", "principalId": "AROAAPP:f", "accessKeyId": "ASIAAPP"},
        extra={"identitystore:UserId": "U1", "identitycenter:CredentialId": "AAAAcred1"},
        response={"expiresIn": 3600},
    )
    assert [
        {name: row[name] for name in ("parent_uid", "child_uid", "principal", "delegator")} for row in grants(token)
    ] == [
        {
            "parent_uid": "aws:key/ASIAAPP",
            "child_uid": "aws:key/AAAAcred1",
            "principal": "aws:principal/U1",
            "delegator": "aws:principal/U1",
        }
    ]
    assert grants(token)[0]["expires_at"] == dt.datetime(2026, 1, 5, 10, 0, 0)


def test_one_record_tells_which_function_holds_the_key() -> None:
    function = "arn:aws:lambda:eu-west-1:111122223333:function:triage"
    identity = {
        "type": "AssumedRole",
        "principalId": "AROAL:triage",
        "accessKeyId": "ASIAL",
        "sessionContext": {"sessionIssuer": {"arn": ROLE}, "attributes": {"creationDate": "2026-01-05T08:00:00Z"}},
        "inScopeOf": {"issuerType": "AWS::Lambda::Function", "credentialsIssuedTo": function},
    }
    (row,) = grants(record("ec2", "DescribeInstances", identity, errorCode="Client.UnauthorizedOperation"))
    assert row == {
        "record_id": "r0",
        "kind": "issue",
        "mechanism": "inScopeOf",
        "parent_uid": f"aws:function/{function}",
        "child_uid": "aws:key/ASIAL",
        "principal": f"aws:role/{ROLE}",
        "delegator": None,
        "delegator_strength": None,
        "issued_at": dt.datetime(2026, 1, 5, 8, 0, 0),
        "expires_at": None,
        "strength": "proven",
    }


def test_the_delegator_is_carried() -> None:
    behalf = {**CI, "onBehalfOf": {"userId": "U1"}, "sessionContext": {"sourceIdentity": "eve@corp.example"}}
    first = {"roleArn": ROLE, "sourceIdentity": "Dana@corp.example"}
    later = {**CI, "sessionContext": {"sourceIdentity": "dana@corp.example"}}
    rows = grants(
        assume_role(behalf),
        assume_role(request=first),
        assume_role(later, request={"roleArn": ROLE, "sourceIdentity": "eve@corp.example"}),
        assume_role(request={"roleArn": ROLE, "sourceIdentity": "case-bot"}),
    )
    assert [row["delegator_strength"] for row in rows[::2]] == ["proven", "asserted", "asserted", None]
    assert [row["delegator"] for row in rows[::2]] == [
        "aws:principal/U1",
        "mail:addr/dana@corp.example",
        "mail:addr/dana@corp.example",
        None,
    ]


def test_both_copies_of_a_cross_account_call_are_told() -> None:
    caller = assume_role(sharedEventID="t1")
    owner = assume_role({"type": "AWSAccount", "principalId": "AIDACI", "accountId": ACCOUNT}, sharedEventID="t1")
    account = assume_role({"type": "AWSAccount", "accountId": ACCOUNT}, sharedEventID="t1")
    assert hops(caller, owner, account)[::2] == [
        ("aws:key/AKIACI", "aws:key/ASIACHILD", "proven"),
        ("aws:principal/AIDACI", "aws:key/ASIACHILD", "proven"),
        (f"aws:principal/{ACCOUNT}", "aws:key/ASIACHILD", "asserted"),
    ]


def test_what_ends_a_credential() -> None:
    calls: list[tuple[str, dict[str, Any], tuple[str, str, str]]] = [
        ("DeleteAccessKey", {"userName": "bot", "accessKeyId": "AKIAOLD"},
         ("revoke", "DeleteAccessKey", "aws:key/AKIAOLD")),
        ("UpdateAccessKey", {"accessKeyId": "AKIAOLD", "status": "Inactive"},
         ("revoke", "UpdateAccessKey", "aws:key/AKIAOLD")),
        ("UpdateAccessKey", {"accessKeyId": "AKIAOLD", "status": "Active"},
         ("issue", "UpdateAccessKey", "aws:key/AKIAOLD")),
        ("DeleteUser", {"userName": "bot"}, ("revoke", "DeleteUser", f"aws:user/{BOT}")),
        ("DeleteLoginProfile", {"userName": "bot"}, ("revoke", "DeleteLoginProfile", f"aws:user/{BOT}")),
        ("DeleteRole", {"roleName": "r"}, ("revoke", "DeleteRole", f"aws:role/arn:aws:iam::{ACCOUNT}:role/r")),
        ("PutRolePolicy", {"roleName": "r", "policyName": "AWSRevokeOlderSessions"},
         ("revoke", "AWSRevokeOlderSessions", f"aws:role/arn:aws:iam::{ACCOUNT}:role/r")),
    ]  # fmt: skip
    rows = grants(*(record("iam", name, CI, request=request) for name, request, _ in calls))
    assert [(row["kind"], row["mechanism"], row["child_uid"]) for row in rows] == [expected for *_, expected in calls]
    assert {row["parent_uid"] for row in rows} == {None}
    assert {row["issued_at"] for row in rows} == {dt.datetime(2026, 1, 5, 9, 0, 0)}


def test_what_grants_nothing() -> None:
    nothing = [
        assume_role(errorCode="AccessDenied"),
        assume_role(response=None),
        assume_role(response={"credentials": {"accessKeyId": "HIDDEN_DUE_TO_SECURITY_REASONS"}}),
        assume_role(response={"credentials": {"accessKeyId": ["ASIACHILD"]}}),
        assume_role(eventTime=None),
        assume_role(eventID=None),
        assume_role({**CI, "accessKeyId": "ASIACHILD"}, response={"credentials": CREDENTIALS}),
        record(
            "iam", "PutRolePolicy", CI, request={"roleName": "r", "policyName": "other", "x": "AWSRevokeOlderSessions"}
        ),
        record("iam", "DeleteAccessKey", CI, request={"accessKeyId": "AKIAOLD"}, errorCode="NoSuchEntityException"),
        record("evil", "AssumeRole", CI, response=ASSUMED),
        record("s3", "PutObject", CI, request={"key": json.dumps(assume_role())}),
        {"note": "AssumeRole"},
    ]
    assert grants(*nothing) == []


def test_a_password_is_no_credential_that_later_records_name() -> None:
    names = ("CreateLoginProfile", "UpdateLoginProfile")
    requests = ({"userName": "bot", "passwordResetRequired": False}, {"userName": "ci"})
    made = [
        record("iam", name, CI, request=request, response={"loginProfile": request})
        for name in names
        for request in requests
    ]
    assert grants(*made) == []


def test_no_records() -> None:
    assert grants() == []
