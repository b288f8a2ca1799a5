"""Point 6 of the manifest's semantics: credentials for oneself and for others, roles taken on, secrets."""

from typing import Any

import pytest

from tests.detectors.scope_examples import ROLE, Example, allow, api, check, deny, judged, named, takes_on

IS_ME = {"identities": [f"aws:role/{ROLE}me"]}
EXAMPLES = [
    Example(api("sts.amazonaws.com", "GetSessionToken", obtains="self"), [], None),
    Example({"format": "okta", "category": "token", "api_service": "okta", "obtains": "self"}, [], None),
    Example(api("iam.amazonaws.com", "CreateAccessKey", obtains="other"), [], "out"),
    Example(takes_on(f"{ROLE}me"), [], "allow", None, resource=f"{ROLE}me", rest=IS_ME),
    Example(takes_on(f"{ROLE}me"), [deny(service="sts.amazonaws.com")], "allow", None, rest=IS_ME),
    Example(takes_on(f"{ROLE}other"), [], "out", None, resource=f"{ROLE}other"),
    Example(takes_on(f"{ROLE}other"), [allow(service="sts.amazonaws.com", operations=["AssumeRole"])], "out"),
    Example(takes_on(f"{ROLE}other"), [allow(resources=[f"{ROLE}o*"])], "allow", 100),
    Example(takes_on(f"{ROLE}other"), [allow(service="iam.amazonaws.com", resources=[f"{ROLE}*"])], "out"),
    Example(
        takes_on(f"{ROLE}other"),
        [deny(service="sts.amazonaws.com"), allow(service="sts.amazonaws.com", resources=["*"])],
        "deny",
        100,
    ),
    Example(
        takes_on(f"{ROLE}team-7"), [], "allow", None, rest={"identities": [f"aws:role/{ROLE}team-*"]}
    ),
    # secrets that the manifest names
    Example(
        api("secretsmanager.amazonaws.com", "GetSecretValue", "arn:aws:secretsmanager:r:1:secret:prod/db-AbCdEf"),
        [],
        "allow",
        200,
        rest={"secrets": ["prod/db"]},
    ),
    Example(
        api("secretsmanager.amazonaws.com", "GetSecretValue", "arn:aws:secretsmanager:r:1:secret:prod/dbx-AbCdEf"),
        [],
        "out",
        rest={"secrets": ["prod/db"]},
    ),
    Example(
        api("secretsmanager.amazonaws.com", "DeleteSecret", "arn:aws:secretsmanager:r:1:secret:prod/db-AbCdEf"),
        [],
        "out",
        rest={"secrets": ["prod/db"]},
    ),
    Example(
        api("secretsmanager.amazonaws.com", "GetSecretValue", "prod/db"),
        [deny(service="secretsmanager.amazonaws.com")],
        "deny",
        100,
        rest={"secrets": ["*"]},
    ),
    Example(api("secretsmanager.amazonaws.com", "GetSecretValue", "x"), [allow(service="secrets*")], "allow", 100),
    Example(
        api("ssm.amazonaws.com", "GetParameters", "arn:aws:ssm:r:1:parameter/app/a", "arn:aws:ssm:r:1:parameter/b"),
        [],
        "allow",
        200,
        rest={"secrets": ["/app/*", "b"]},
    ),
    Example(
        api("ssm.amazonaws.com", "GetParameters", "arn:aws:ssm:r:1:parameter/app/a", "arn:aws:ssm:r:1:parameter/c"),
        [],
        "out",
        resource="arn:aws:ssm:r:1:parameter/c",
        rest={"secrets": ["/app/*", "b"]},
    ),
    Example(
        {"format": "vault", "category": "token", "api_service": "vault", "api_operation": "read",
         "account": "v", "resource_uid": "kv/data/support/x"},
        [],
        "allow",
        201,
        rest={"secrets": ["kv/data/other", "kv/data/support/*"]},
    ),
    # "judged by instantiators, delegators, hops and token_lifetime, not by scope": whatever the scope says
    Example(api("sts.amazonaws.com", "GetSessionToken", obtains="self"), [deny(service="*")], None),
    Example(api("sts.amazonaws.com", "AssumeRoleWithWebIdentity", obtains="self"), [deny(service="*")], None),
    Example({"format": "okta", "category": "token", "api_service": "okta", "obtains": "self"}, [deny(service="*")], None),
    # "making one for another principal is an ordinary action"
    Example(api("iam.amazonaws.com", "CreateAccessKey", obtains="other"), [allow(service="iam.amazonaws.com")], "allow", 100),
    Example(api("iam.amazonaws.com", "CreateAccessKey", obtains="other"), [deny(service="iam.amazonaws.com")], "deny", 100),
    # a role is covered by an identity of the very worker, and only by its whole name
    Example(takes_on(f"{ROLE}me"), [], "out", rest={"identities": [f"aws:role/{ROLE}m"]}),
    Example(takes_on(f"{ROLE}me"), [], "out", rest={"identities": [f"aws:user/{ROLE}me"]}),
    # one that is listed beside it does not matter
    Example(takes_on(f"{ROLE}me", resources=["arn:aws:s3:::x"]), [], "allow", None, rest=IS_ME),
    # an attempt is judged like a success
    Example(takes_on(f"{ROLE}other", status="denied"), [], "out", resource=f"{ROLE}other"),
    # other dimensions of the allow line hold for roles too
    Example(takes_on(f"{ROLE}other"), [allow(resources=[f"{ROLE}*"], accounts=["999988887777"])], "out"),
    Example(takes_on(f"{ROLE}other"), [allow(resources=[f"{ROLE}*"], operations=["AssumeRoleWithSAML"])], "out"),
]  # fmt: skip


@pytest.fixture(scope="module")
def verdicts() -> list[dict[str, Any] | None]:
    return judged(EXAMPLES)


@pytest.mark.parametrize("at", range(len(EXAMPLES)), ids=[named(one) for one in EXAMPLES])
def test_verdict(at: int, verdicts: list[dict[str, Any] | None]) -> None:
    check(EXAMPLES[at], verdicts[at])
