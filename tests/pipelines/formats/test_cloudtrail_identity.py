"""CloudTrail records in: who acted, with what, for whom, and how sure that is."""

from __future__ import annotations

from typing import Any

from tests.pipelines.formats.cloudtrail_events import DANA, ROLE, SESSION, USER, action, actions, call, changed, some


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


def test_a_session_named_like_a_worker_is_only_a_session_name() -> None:
    """Whoever may assume a role may call his session what he likes."""
    posing = changed(
        userIdentity__principalId="AROAOTHER:case-reader",
        userIdentity__arn="arn:aws:sts::111122223333:assumed-role/other/case-reader",
        userIdentity__sessionContext__sessionIssuer__arn="arn:aws:iam::111122223333:role/other",
    )
    row = action(posing)
    assert some(row, "principal", "session_name") == ("aws:role/arn:aws:iam::111122223333:role/other", "case-reader")


def test_a_forged_principal_id_names_no_role() -> None:
    row = action(changed(userIdentity={"type": "AssumedRole", "principalId": f"{ROLE}:x"}))
    assert row["principal"] == "aws:principal/arn"
