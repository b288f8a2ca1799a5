"""agentgateway's lines in, actions and grants out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats.agentgateway import FORMAT
from tests.pipelines.formats.format_rows import SAMPLES, damaged, expected, granted, of_sample, read, redacted, survives

HEAD = "2026-01-05T10:00:03.120345Z\tinfo\trequest gateway=default/edge route=crm src.addr=10.0.0.1:50412"
HTTP = "http.method=POST http.host=mcp.corp.example:8443 http.path=/mcp http.version=HTTP/1.1 http.status=200"
MCP = "protocol=mcp mcp.method.name=tools/call mcp.target=crm mcp.resource.type=tool gen_ai.tool.name=read_case"
ISSUER = "https://sso.corp.example/realms/agents"
WORKLOAD = "spiffe://corp.example/ns/agents/sa/support"


def entry(**changes: Any) -> dict[str, Any]:
    """A line in JSON; keys have `_` for `.`."""
    return {
        "level": "info",
        "time": "2026-01-05T10:00:03.120345Z",
        "scope": "request",
        "src.addr": "10.0.0.1:50412",
        "http.method": "POST",
        "http.host": "mcp.corp.example",
        "http.path": "/mcp",
        "http.status": 200,
        "duration": "40ms",
        **changes,
    }


def mcp(method: str = "tools/call", **changes: Any) -> dict[str, Any]:
    more = {"protocol": "mcp", "mcp.method.name": method, "mcp.target": "crm", "mcp.session.id": "s1"}
    return entry(**more, **changes)


def one(record: Any, **options: Any) -> dict[str, Any]:
    return read(FORMAT, [record], "edge", **options)[0]


@pytest.mark.parametrize("file", ["request.jsonl", "text.log"])
def test_the_samples_give_the_expected_actions_and_grants(file: str):
    assert of_sample(FORMAT, file, "edge") == expected(FORMAT, file)


def test_text_and_json_tell_the_same():
    text = one(f"{HEAD} {HTTP} {MCP} mcp.session.id=s1 duration=40ms")
    told = mcp(**{"gen_ai.tool.name": "read_case", "mcp.resource.type": "tool", "http.host": "mcp.corp.example:8443"})
    assert one(told) == text


def test_a_line_is_written_when_a_request_is_done():
    found = one(entry())
    assert (found["time"], found["time_kind"]) == (datetime(2026, 1, 5, 10, 0, 3, 120345), "end")
    assert found["duration_ms"] == 40
    assert not {"bytes_out", "bytes_in"} & FORMAT.observes


def test_kinds_of_requests():
    tool = one(mcp(**{"gen_ai.tool.name": "read_case"}))
    assert (tool["category"], tool["api_service"], tool["api_operation"]) == ("tool", "mcp", "tools/call")
    assert (tool["account"], tool["tool"], tool["model"]) == ("crm", "read_case", None)
    model = one(entry(**{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic",
                         "gen_ai.request.model": "claude-x", "gen_ai.usage.input_tokens": 9}))  # fmt: skip
    assert (model["category"], model["api_service"], model["model"], model["tokens_in"]) == (
        "model",
        "anthropic",
        "claude-x",
        9,
    )
    web = one(entry(protocol="http", endpoint="[2001:DB8::7]:443"))
    assert (web["category"], web["dst_host"], web["dst_ip"]) == ("proxy", "mcp.corp.example", "2001:db8::7")
    agent = one(entry(**{"a2a.method": "message/send"}))
    assert (agent["category"], agent["api_service"], agent["tool"]) == ("tool", "a2a", None)
    listing = one(mcp("tools/list", **{"mcp.resource.type": "tool"}))
    assert (listing["api_operation"], listing["tool"]) == ("tools/list", None)


def test_older_names_are_read():
    old = entry(
        **{"llm.provider": "openai", "llm.request.model": "", "llm.response.model": "gpt-x", "llm.request.tokens": 8}
    )
    assert (one(old)["model"], one(old)["tokens_in"]) == ("gpt-x", 8)
    assert one(entry(**{"mcp.method": "tools/call", "mcp.resource.name": "echo"}))["tool"] == "echo"


def test_a_workload_acts_for_the_subject_of_its_token():
    found = one(mcp(**{"src.identity": WORKLOAD, "jwt.sub": "alice"}), issuer=ISSUER)
    assert (found["principal"], found["identity_strength"]) == (f"spiffe:id/{WORKLOAD}", "proven")
    assert (found["delegator"], found["delegator_strength"]) == (
        "oidc:subject/sso.corp.example/realms/agents#alice",
        "proven",
    )
    alone = one(mcp(**{"jwt.sub": "agent-7"}))
    assert (alone["principal"], alone["delegator"]) == ("oidc:subject/edge#agent-7", None)


def test_a_session_stands_for_somebody_only_where_nobody_is_known():
    assert one(mcp())["credential_uid"] == "mcp:session/edge/s1"
    assert one(mcp(**{"jwt.sub": "thief"}))["credential_uid"] is None
    (opened,) = granted(FORMAT, [mcp("initialize", **{"jwt.sub": "agent-7"})], "edge")
    assert (opened["parent_uid"], opened["child_uid"]) == ("oidc:subject/edge#agent-7", "mcp:session/edge/s1")
    assert opened["strength"] == "proven"
    assert granted(FORMAT, [mcp("initialize"), mcp(**{"jwt.sub": "a"})], "edge") == []
    assert granted(FORMAT, [mcp("initialize", **{"jwt.sub": "a", "http.status": 401})], "edge") == []


def test_what_a_caller_writes_into_a_line_names_nobody():
    forged = f"{HEAD} {HTTP} {MCP} jwt.sub=admin src.identity={WORKLOAD} http.status=500 duration=1ms"
    found = one(forged)
    assert (found["principal"], found["status"], found["tool"]) == (None, "success", "read_case")
    real = f"{HEAD} {HTTP} jwt.sub=agent-7 {MCP} jwt.sub=admin duration=1ms"
    assert (one(real)["principal"], one(real)["identity_strength"]) == ("oidc:subject/edge#agent-7", "asserted")
    assert (
        granted(FORMAT, [real.replace("tools/call", "initialize") + " mcp.session.id=s1"], "edge")[0]["strength"]
        == "asserted"
    )


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "success"),
        ({"http.status": 403}, "denied"),
        ({"http.status": 429}, "denied"),
        ({"http.status": 404}, "failure"),
        ({"reason": "UpstreamFailure"}, "failure"),
        ({"http.status": 500, "reason": "JwtAuth"}, "denied"),
        ({"http.status": None}, "unknown"),
    ],
)
def test_status(changes: dict[str, Any], status: str):
    assert one(entry(**changes))["status"] == status


def test_quoted_errors():
    found = one(f'{HEAD} {HTTP} protocol=mcp error="mcp: Unknown tool: x duration=9ms" reason=MCP duration=5ms')
    assert (found["error"], found["duration_ms"], found["status"]) == (
        "mcp: Unknown tool: x duration=9ms",
        5,
        "failure",
    )


@pytest.mark.parametrize(
    ("peer", "ip", "port"),
    [
        ("10.0.0.1:50412", "10.0.0.1", 50412),
        ("[::1]:59011", "::1", 59011),
        ("[::ffff:10.0.0.1]:1", "10.0.0.1", 1),
        ("10.0.0.1:99999", "10.0.0.1", None),
        ("unix", None, None),
        ("-", None, None),
    ],
)
def test_addresses(peer: str, ip: str | None, port: int | None):
    assert (one(entry(**{"src.addr": peer}))["src_ip"], one(entry(**{"src.addr": peer}))["src_port"]) == (ip, port)


@pytest.mark.parametrize(
    ("record", "outcome", "reason"),
    [
        (
            "2026-01-05T10:00:05Z\tinfo\tstate_manager\tLoaded config",
            "skipped",
            "a line of the gateway that tells of no",
        ),
        (entry(scope="config"), "skipped", "a line of the gateway that tells of no request"),
        ("info\trequest gateway=x", "error", "the line is no request with a time"),
        ("", "error", "the line is no request with a time"),
        ("{", "error", "the line is no request with a time"),
        ("{}", "error", 'the key "scope"'),
        (entry(time=None), "error", 'the key "time" is missing'),
        (entry(time="soon"), "error", 'the key "time" is no RFC 3339 time'),
        ({"scope": "request", "time": "2026-01-05T10:00:03Z"}, "error", 'the keys "src.addr"'),
    ],
)
def test_what_is_no_request_has_a_reason(record: Any, outcome: str, reason: str):
    found = one(record)
    assert (found["outcome"], found["reason"].startswith(reason)) == (outcome, True)


def test_hostile_text_stays_inert():
    hostile = "'); DROP TABLE records; -- \x1b[2J <script> \u202e"
    assert one(mcp(**{"gen_ai.tool.name": hostile, "mcp.resource.type": "tool"}))["tool"] == hostile


@pytest.mark.parametrize(
    "record",
    [
        entry(**{"http.path": "/v1?api-key=9Zk_PLANTED&x=1"}),
        entry(**{"http.path": "/sse?sessionId=9Zk_PLANTED"}),
        entry(error="upstream said: Authorization: Bearer 9Zk_PLANTED"),
        f"{HEAD} http.method=GET http.path=/v1?token=9Zk_PLANTED http.status=200 duration=1ms",
    ],
)
def test_secrets_are_replaced(record: Any):
    stored = redacted(FORMAT, record if isinstance(record, str) else json.dumps(record))
    assert "PLANTED" not in stored
    assert one(stored)["outcome"] == "action"


SAMPLE = (SAMPLES / "agentgateway" / "request.jsonl").read_bytes()
TEXT = (SAMPLES / "agentgateway" / "text.log").read_bytes()


@settings(max_examples=20, deadline=None)
@given(damaged(SAMPLE) | damaged(TEXT) | st.binary(max_size=60))
def test_whatever_comes_no_record_is_lost(data: bytes):
    survives(FORMAT, data, "edge")
