"""OTLP spans in, actions out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats.otel_genai import FORMAT
from tests.machine import shared
from tests.pipelines.formats.format_rows import (
    SAMPLES,
    damaged,
    expected,
    granted,
    of_sample,
    pieces,
    read,
    redacted,
    survives,
)

TRACE, SPAN, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "00f067aa0ba902b8"
CLIENT, SERVER = 3, 2
CALL = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "read_case", "mcp.session.id": "s1"}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-x"}


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP in JSON writes them: integers as text."""

    def told(value: Any) -> dict[str, Any]:
        if isinstance(value, list):
            return {"arrayValue": {"values": [told(each) for each in value]}}
        return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}

    return [{"key": key, "value": told(value)} for key, value in values.items()]


def span(values: dict[str, Any], kind: int = CLIENT, **changes: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": SPAN,
        "kind": kind,
        "startTimeUnixNano": "1767607200123456789",
        "endTimeUnixNano": "1767607201623456789",
        "attributes": attributes(values),
        "status": {},
        **changes,
    }


def request(*spans: dict[str, Any], **resource: Any) -> dict[str, Any]:
    """An OTLP request of one resource."""
    named = resource or {"service.name": "support-agent"}
    return {"resourceSpans": [{"resource": {"attributes": attributes(named)}, "scopeSpans": [{"spans": list(spans)}]}]}


def rows(*spans: dict[str, Any], **resource: Any) -> list[dict[str, Any]]:
    found = pieces(FORMAT, json.dumps(request(*spans, **resource)).encode())
    assert [reason for _, reason in found if reason] == []
    return read(FORMAT, [raw for raw, _ in found], "traces")


def one(values: dict[str, Any], kind: int = CLIENT, **changes: Any) -> dict[str, Any]:
    return rows(span(values, kind, **changes))[0]


def test_the_sample_gives_the_expected_actions():
    assert of_sample(FORMAT, "traces.jsonl", "traces") == expected(FORMAT, "traces.jsonl")


def test_each_span_is_a_record_with_its_own_resource():
    data = json.dumps(request(span(CHAT), span(CHAT))) + "\n" + json.dumps(request(span(CHAT), **{"service.name": "b"}))
    found = pieces(FORMAT, data.encode())
    assert [json.loads(raw)["resource"]["attributes"][0]["value"]["stringValue"] for raw, _ in found] == [
        "support-agent",
        "support-agent",
        "b",
    ]
    library = {"resourceSpans": [{"instrumentationLibrarySpans": [{"spans": [span(CHAT)]}]}]}
    (raw, reason), *_ = pieces(FORMAT, json.dumps(library).encode())
    assert (json.loads(raw)["span"]["traceId"], json.loads(raw)["resource"], reason) == (TRACE, None, None)


def test_a_model_call():
    found = one({**CHAT, "gen_ai.usage.input_tokens": 97, "gen_ai.usage.output_tokens": 52, "gen_ai.response.id": "m1"})
    assert (found["category"], found["api_service"], found["api_operation"]) == ("model", "anthropic", "invoke")
    assert (found["model"], found["tokens_in"], found["tokens_out"]) == ("claude-x", 97, 52)
    assert (found["time"], found["time_kind"]) == (datetime(2026, 1, 5, 10, 0, 0, 123456), "start")
    assert (found["duration_ms"], found["request_uid"], found["trace_uid"]) == (1500, "m1", TRACE)
    assert found["native_id"] == f"{TRACE}:{SPAN}"


def test_everything_is_asserted():
    assert {one(CHAT)["identity_strength"], one(CALL)["identity_strength"]} == {"asserted"}
    found = one({**CHAT, "enduser.id": "Alice@corp.example", "gen_ai.agent.name": "support"})
    assert (found["delegator"], found["delegator_strength"]) == ("mail:addr/alice@corp.example", "asserted")
    assert found["session_name"] == "support"


def test_who_acts():
    assert one(CHAT)["principal"] == "otel:service/traces/support-agent"
    assert (
        rows(span(CHAT), **{"service.name": "a", "service.namespace": "ns"})[0]["principal"]
        == "otel:service/traces/ns/a"
    )
    anonymous = {"service.name": "unknown_service:python"}
    assert rows(span(CHAT), **anonymous)[0]["principal"] is None
    assert rows(span({**CHAT, "gen_ai.agent.id": "7"}), **anonymous)[0]["principal"] == "otel:agent/traces/7"


def test_a_servers_span_is_its_callers_deed():
    caller = {"client.address": "::ffff:10.0.0.1", "client.port": 50412}
    client, server = rows(span(CALL), span({**CALL, **caller}, SERVER, spanId=PARENT, parentSpanId=SPAN))
    assert (server["principal"], server["src_ip"], server["src_port"]) == (None, "10.0.0.1", 50412)
    assert client["credential_uid"] == server["credential_uid"] == "mcp:session/traces/s1"
    assert client["twin_uid"] == server["twin_uid"]
    assert (client["twin_rank"], server["twin_rank"]) == (0, 1)
    assert (client["account"], server["account"]) == (None, "support-agent")


def test_a_client_that_tells_of_another_tool_hides_nothing():
    lying = {**CALL, "gen_ai.tool.name": "harmless"}
    client, server = rows(span(lying), span(CALL, SERVER, spanId=PARENT, parentSpanId=SPAN))
    assert client["twin_uid"] != server["twin_uid"]


def test_an_agents_span_counts_no_tokens_again():
    found = one({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 97})
    assert (found["api_operation"], found["tokens_in"], found["model"], found["tool"]) == (
        "invoke_agent",
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("changes", "more", "status"),
    [
        ({}, {}, "success"),
        ({"status": {"code": 2, "message": "no"}}, {}, "failure"),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, {}, "failure"),
        ({}, {"error.type": "tool_error"}, "failure"),
        ({}, {"error.type": "403"}, "denied"),
    ],
)
def test_status(changes: dict[str, Any], more: dict[str, Any], status: str):
    assert one({**CALL, **more}, **changes)["status"] == status


@pytest.mark.parametrize("nothing", ["", "unknown", "null"])
def test_words_that_mean_null_are_null(nothing: str):
    found = one({**CALL, "mcp.session.id": nothing, "enduser.id": nothing, "server.address": nothing})
    assert (found["credential_uid"], found["delegator"], found["dst_host"]) == (None, None, None)


def test_of_an_attribute_that_is_written_twice_the_first_counts():
    twice = span(CALL)
    twice["attributes"] += attributes({"gen_ai.tool.name": "other"})
    assert rows(twice)[0]["tool"] == "read_case"


def test_other_signals_and_other_spans_are_skipped():
    data = b'{"resourceMetrics":[{"scopeMetrics":[]}]}\n{"resourceLogs":[]}\n'
    found = read(FORMAT, [raw for raw, _ in pieces(FORMAT, data)], "traces")
    assert [row["outcome"] for row in found] == ["skipped", "skipped"]
    assert one({"http.request.method": "GET"})["outcome"] == "skipped"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"traceId": ""}, 'the key "traceId"'),
        ({"spanId": None}, 'the key "spanId"'),
        ({"startTimeUnixNano": None}, 'the key "startTimeUnixNano" is missing'),
        ({"startTimeUnixNano": "soon"}, 'the key "startTimeUnixNano" is no time'),
        ({"startTimeUnixNano": "0"}, 'the key "startTimeUnixNano" is no time'),
    ],
)
def test_errors_name_the_key(changes: dict[str, Any], reason: str):
    found = one(CHAT, **changes)
    assert (found["outcome"], found["reason"].startswith(reason)) == ("error", True)


@pytest.mark.parametrize("record", ["{", "[]", "{}", '{"a":' * 2000, '{"resourceSpans":5}'])
def test_what_is_no_span_is_an_error(record: str):
    assert read(FORMAT, [record], "traces")[0]["outcome"] == "error"


@pytest.mark.parametrize(
    "planted",
    [
        {"http.request.header.authorization": ["9Zk PLANTED"]},
        {"http.request.header.x-api-key": ["9Zk_PLANTED"]},
        {"db.password": "9Zk_PLANTED"},
        {"gen_ai.tool.call.arguments": '{"api_key":"9Zk_PLANTED","path":"/x"}'},
        {"gen_ai.input.messages": '[{"content":"Authorization: Bearer 9Zk_PLANTED"}]'},
        {"url.full": "https://b.example/?X-Amz-Signature=9Zk_PLANTED&x=1"},
    ],
)
def test_secrets_are_replaced(planted: dict[str, Any]):
    for raw, _ in pieces(FORMAT, json.dumps(request(span({**CALL, **planted}))).encode()):
        stored = redacted(FORMAT, raw)
        assert "PLANTED" not in stored
        assert read(FORMAT, [stored], "traces")[0]["tool"] == "read_case"


def test_names_and_ids_stay():
    raw = pieces(FORMAT, json.dumps(request(span(CALL))).encode())[0][0]
    assert redacted(FORMAT, raw) == raw


def test_real_attributes_of_other_peoples_spans():
    files = sorted(shared("openinference").glob("*.json"))
    found = rows(*(span(json.loads(file.read_text()), spanId=f"{n:016x}") for n, file in enumerate(files)))
    assert [(row["outcome"], row["category"], row["model"], row["tool"], row["tokens_in"]) for row in found] == [
        ("action", "model", "gpt-4-0613", None, 97),
        ("action", "model", "gpt-4-0613", None, 97),
        ("action", "model", "gpt-4", None, 97),
        ("action", "model", "gpt-4", None, 97),
        ("action", "tool", None, "get_weather", None),
    ]


SAMPLE = (SAMPLES / "otel_genai" / "traces.jsonl").read_bytes()


@settings(max_examples=20, deadline=None)
@given(damaged(SAMPLE) | st.binary(max_size=60))
def test_whatever_comes_no_record_is_lost(data: bytes):
    survives(FORMAT, data, "traces")
    assert granted(FORMAT, ["{}"], "traces") == []
