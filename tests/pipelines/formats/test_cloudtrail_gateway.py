"""Calls to a Bedrock AgentCore gateway, as CloudTrail tells of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipelines.formats.cloudtrail_events import SESSION, WRONG_TYPES, action, actions, call, changed, some

GATEWAY = "arn:aws:bedrock-agentcore:eu-west-1:111122223333:gateway/support-tools-1a2b3c"
ISSUER = "https://login.corp.example/realms/agents"


def invoked(claims: dict[str, Any] | None, tool: str = "crm___read_case", **changes: Any) -> dict[str, Any]:
    """A call of a tool with a token of these claims."""
    record = call(
        "bedrock-agentcore",
        "InvokeGateway",
        userIdentity={"type": "AWSAccount", "principalId": "", "accountId": "anonymous"},
        requestParameters={"body": {"id": 1, "jsonrpc": "2.0", "method": "tools/call",
                                    "params": {"name": tool, "arguments": "REDACTED"}}},
        responseElements={"statusCode": 200, "body": {"jsonrpc": "2.0", "id": 1,
                                                      "result": {"isError": False, "content": "REDACTED"}}},
        resources=[{"accountId": "111122223333", "type": "AWS::BedrockAgentCore::Gateway", "ARN": GATEWAY}],
        additionalEventData={"targetId": "T1", "jwt": {"type": "JWS", "claims": claims}, "downstreamRequestIds": ["D1"]},
    )  # fmt: skip
    return changed(record, **changes)


def test_a_client_that_acts_for_a_person() -> None:
    claims = {"iss": ISSUER, "sub": "u-17", "jti": "j-1", "client_id": "support-agent", "exp": 1767607207}
    row = action(invoked(claims))
    assert some(row, "principal", "principal_type", "identity_strength") == (
        "oauth:client/login.corp.example/realms/agents#support-agent", "client", "proven",
    )  # fmt: skip
    assert some(row, "credential_uid", "credential_type") == (
        "oauth:token/login.corp.example/realms/agents#j-1", "oauth_token",
    )  # fmt: skip
    assert some(row, "delegator", "delegator_strength") == (
        "oidc:subject/login.corp.example/realms/agents#u-17", "proven",
    )  # fmt: skip
    assert some(row, "tool", "resource_uid", "status", "obtains") == ("crm___read_case", GATEWAY, "success", None)


@pytest.mark.parametrize(
    ("claims", "principal", "delegator"),
    [
        ({"sub": "agent-1"}, "oidc:subject/login.corp.example/realms/agents#agent-1", None),
        ({"sub": "a1", "client_id": "a1"}, "oauth:client/login.corp.example/realms/agents#a1", None),
        ({"sub": "dana@corp.example", "azp": "a1"}, "oauth:client/login.corp.example/realms/agents#a1",
         "mail:addr/dana@corp.example"),
        # Okta's clients are the org's, its tokens the authorisation server's.
        ({"iss": "https://corp.okta.example/oauth2/aus1", "sub": "0oa1", "cid": "0oa1", "jti": "AT.1"},
         "oauth:client/corp.okta.example#0oa1", None),
        ({"sub": "team&amp;agents&#39; &lt;bot&gt;"},
         "oidc:subject/login.corp.example/realms/agents#team&agents' <bot>", None),
        ({"sub": "REDACTED", "client_id": "a1"}, "oauth:client/login.corp.example/realms/agents#a1", None),
    ],
)  # fmt: skip
def test_whom_the_claims_name(claims: dict[str, Any], principal: str, delegator: str | None) -> None:
    assert some(action(invoked({"iss": ISSUER, **claims})), "principal", "delegator") == (principal, delegator)


def test_a_refused_token_names_nobody() -> None:
    refused = {"statusCode": 401, "body": {"error": {"code": -32001, "message": "Invalid Bearer token"}}}
    bare = invoked(None, responseElements=refused)
    forged = invoked({"iss": ISSUER, "sub": "admin", "jti": "j"}, responseElements=refused)
    for row in actions(bare, forged):
        assert some(row, "principal", "credential_uid", "identity_strength", "status") == (
            "aws:principal/anonymous", None, "asserted", "denied",
        )  # fmt: skip


def test_a_tool_that_failed_and_calls_that_are_no_tool_calls() -> None:
    failed = invoked({"iss": ISSUER, "sub": "a"})
    failed["responseElements"]["body"]["result"]["isError"] = True
    listed = invoked({"iss": ISSUER, "sub": "a"})
    listed["requestParameters"]["body"]["method"] = "tools/list"
    assert [some(row, "status", "tool") for row in actions(failed, listed)] == [
        ("failure", "crm___read_case"),
        ("success", None),
    ]


def test_a_gateway_with_aws_authentication_keeps_the_session() -> None:
    row = action(invoked({"iss": ISSUER, "sub": "x", "jti": "j"}, userIdentity=SESSION))
    assert some(row, "credential_uid", "principal_type", "tool") == (
        "aws:key/ASIAEXAMPLE1", "AssumedRole", "crm___read_case",
    )  # fmt: skip


def test_claims_of_any_other_service_are_not_read() -> None:
    claims = {"iss": ISSUER, "sub": "admin", "jti": "j"}
    row = action(invoked(claims, eventSource="s3.amazonaws.com"))
    assert some(row, "principal", "credential_uid", "tool") == ("aws:principal/anonymous", None, None)


def test_a_worker_that_fetches_its_tokens_obtains_them_for_itself() -> None:
    names = ["GetWorkloadAccessToken", "GetWorkloadAccessTokenForJWT", "GetWorkloadAccessTokenForUserId",
             "GetResourceOauth2Token", "GetResourceApiKey", "CreateWorkloadIdentity"]  # fmt: skip
    rows = actions(*(call("bedrock-agentcore", name) for name in names))
    assert [row["obtains"] for row in rows] == ["self"] * 4 + [None] * 2


def test_claims_of_any_type_are_read_or_left_out() -> None:
    records = [invoked({"iss": ISSUER, "sub": "a", "jti": "j", name: value})
               for name in ("iss", "sub", "jti", "client_id") for value in WRONG_TYPES]  # fmt: skip
    records += [invoked(value) for value in WRONG_TYPES]
    assert {row["outcome"] for row in actions(*records)} == {"action"}


@given(st.integers(0, 2000), st.text(max_size=4), st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_no_mutated_record_crashes_or_is_lost(at: int, put: str, cut: int) -> None:
    text = json.dumps(invoked({"iss": ISSUER, "sub": "u-17", "jti": "j-1", "client_id": "support-agent"}))
    at %= len(text)
    mutated, whole = actions(text[:at] + put + text[at + cut :], text)
    assert mutated["outcome"] in {"action", "error", "skipped"}
    assert whole["principal"] == "oauth:client/login.corp.example/realms/agents#support-agent"
