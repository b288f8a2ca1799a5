"""LiteLLM rows in, actions and grants out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats.litellm import FORMAT
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

KEY, OTHER = "a" * 64, "b" * 64


def row(**changes: Any) -> dict[str, Any]:
    """A spend log row."""
    return {
        "request_id": "r1",
        "call_type": "acompletion",
        "api_key": KEY,
        "startTime": "2026-01-05 10:00:00.120000",
        "endTime": "2026-01-05 10:00:01.620000",
        "model": "claude-sonnet-4-5",
        "user": "support-platform",
        "team_id": "team-support",
        "custom_llm_provider": "anthropic",
        "metadata": "{}",
        "status": "success",
        **changes,
    }


def audit(action: str = "created", **changes: Any) -> dict[str, Any]:
    """An audit log row of a virtual key."""
    return {
        "id": "a1",
        "updated_at": "2026-01-05T09:00:00Z",
        "changed_by": "carol",
        "changed_by_api_key": KEY,
        "action": action,
        "table_name": "LiteLLM_VerificationToken",
        "object_id": OTHER,
        "updated_values": "{}",
        **changes,
    }


def one(**changes: Any) -> dict[str, Any]:
    return read(FORMAT, [row(**changes)], "gw")[0]


def test_the_sample_gives_the_expected_actions_and_grants():
    assert of_sample(FORMAT, "spend_logs.jsonl", "gw") == expected(FORMAT, "spend_logs.jsonl")


def test_rows_come_as_lines_as_an_array_and_in_what_the_api_wraps_them_in():
    for text in ('{"request_id":"1"}\n', '[{"request_id":"1"}]', '{"data":[{"request_id":"1"}],"total":1}',
                 '{"audit_logs":[{"request_id":"1"}]}'):  # fmt: skip
        assert pieces(FORMAT, text.encode()) == [('{"request_id":"1"}', None)]


def test_times_without_a_zone_are_utc_and_are_when_a_call_began():
    found = one()
    assert (found["time"], found["time_kind"]) == (datetime(2026, 1, 5, 10, 0, 0, 120000), "start")
    assert found["duration_ms"] == 1500
    zoned = one(startTime="2026-01-05T12:00:00+02:00")
    epoch = one(startTime=1767607200.25, endTime=1767607200)
    assert (zoned["time"], epoch["time"]) == (datetime(2026, 1, 5, 10), datetime(2026, 1, 5, 10, 0, 0, 250000))
    assert epoch["duration_ms"] is None


@pytest.mark.parametrize("nothing", ["", "None", "null", None, "-"])
def test_words_that_mean_null_are_null(nothing: str | None):
    found = one(user=nothing, team_id=nothing, end_user=nothing, api_key=nothing, session_id=nothing)
    assert {found[name] for name in ("principal", "delegator", "credential_uid", "trace_uid", "account")} == {None}
    assert found["identity_strength"] == "asserted"


def test_a_log_without_sizes_says_so():
    assert not {"bytes_out", "bytes_in", "src_port"} & FORMAT.observes
    assert (one()["bytes_out"], one()["tokens_in"]) == (None, None)


@pytest.mark.parametrize(
    ("call_type", "operation", "category"),
    [
        ("acompletion", "invoke", "model"),
        ("anthropic_messages", "invoke", "model"),
        ("aembedding", "embed", "model"),
        ("call_mcp_tool", "tools/call", "tool"),
        ("something_new", "something_new", "model"),
    ],
)
def test_operations(call_type: str, operation: str, category: str):
    found = one(call_type=call_type)
    assert (found["api_operation"], found["category"]) == (operation, category)


def test_what_the_caller_says_of_users_is_asserted_or_left_out():
    found = one(end_user="Bob@Corp.example", session_id="9f-1", request_tags='["admin"]')
    assert (found["delegator"], found["delegator_strength"]) == ("mail:addr/bob@corp.example", "asserted")
    assert (found["identity_strength"], found["session_uid"]) == ("proven", None)
    assert one(call_type="pass_through_endpoint", team_id="", user="admin")["principal"] is None


def test_a_key_in_clear_is_no_identifier():
    assert one(api_key="sk-live-0123456789abcdefghij")["credential_uid"] is None


def test_a_refused_key_shows_nobody():
    failed = {"status": "failure", "metadata": json.dumps({"error_information": {"error_code": "401"}})}
    assert (one(**failed)["status"], one(**failed)["identity_strength"]) == ("denied", "asserted")
    limited = {"status": "failure", "metadata": json.dumps({"error_information": {"error_code": "429"}})}
    assert (one(**limited)["status"], one(**limited)["identity_strength"]) == ("denied", "proven")
    assert one(status="failure")["status"] == "failure"
    assert one(status=None)["status"] == "unknown"


@pytest.mark.parametrize(
    ("base", "host", "port"),
    [
        ("https://API.openai.com/v1", "api.openai.com", None),
        ("https://[2001:DB8::7]:8443/x", "2001:db8::7", 8443),
        ("https://user:pw@h.example:99999/x", "h.example", None),
        ("nonsense", None, None),
    ],
)
def test_the_provider_as_destination(base: str, host: str | None, port: int | None):
    assert (one(api_base=base)["dst_host"], one(api_base=base)["dst_port"]) == (host, port)


def test_a_key_that_made_a_key():
    (made,) = granted(FORMAT, [audit()], "gw")
    assert (made["parent_uid"], made["child_uid"]) == (f"litellm:key/{KEY}", f"litellm:key/{OTHER}")
    assert (made["kind"], made["strength"], made["delegator_strength"]) == ("issue", "proven", "asserted")
    other = audit(updated_values='{"user_id":"dave","expires":"2026-02-01T00:00:00Z"}')
    (made,) = granted(FORMAT, [other], "gw")
    assert (made["strength"], made["expires_at"]) == ("asserted", datetime(2026, 2, 1))
    assert read(FORMAT, [other], "gw")[0]["obtains"] == "other"


@pytest.mark.parametrize("action", ["deleted", "blocked"])
def test_a_key_that_ended(action: str):
    (ended,) = granted(FORMAT, [audit(action)], "gw")
    assert (ended["kind"], ended["child_uid"], ended["strength"]) == ("revoke", f"litellm:key/{OTHER}", "proven")


def test_what_changes_no_key_grants_nothing():
    rows = [audit("updated"), audit(object_id="not a hash"), audit(table_name="LiteLLM_TeamTable"), row()]
    assert granted(FORMAT, rows, "gw") == []


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"a":' * 2000, "not a JSON object"),
        (row(request_id=None), 'the keys "request_id" and "id"'),
        (row(startTime=None), 'the key "startTime" is missing'),
        (row(startTime="soon"), 'the key "startTime" is no time'),
        (row(call_type=""), 'the key "call_type"'),
        (audit(updated_at="then"), 'the key "updated_at" is no time'),
        (audit(id=""), 'the key "id"'),
    ],
)
def test_errors_name_the_key(record: Any, reason: str):
    (found,) = read(FORMAT, [record], "gw")
    assert (found["outcome"], found["reason"].startswith(reason)) == ("error", True)
    assert granted(FORMAT, [record], "gw") == []


def test_hostile_text_stays_inert():
    hostile = "'); DROP TABLE records; -- \x1b[2J <script> \u202e"
    found = one(model=hostile, user=hostile, end_user=hostile)
    assert (found["model"], found["principal"]) == (hostile, f"litellm:user/gw/{hostile}")


@pytest.mark.parametrize(
    "record",
    [
        row(api_key="9Zk_PLANTED-secret"),
        row(metadata=json.dumps({"user_api_key": "9Zk_PLANTED-secret"}).replace("user_api_key", "api_key")),
        row(proxy_server_request=json.dumps({"headers": {"x-litellm-api-key": "9Zk_PLANTED-secret"}})),
        row(proxy_server_request=json.dumps({"headers": {"authorization": "Bearer 9Zk_PLANTED-secret"}})),
        row(messages=json.dumps([{"content": "use sk-9Zk_PLANTED-secret-0123456789"}])),
        row(proxy_server_request=json.dumps({"api_key": "0123456789abcdef0123456789abcdef"})),
        row(metadata={"litellm_params": {"aws_session_token": "9Zk_PLANTED-secret"}}),
        row(api_base="https://b.example/?api-key=9Zk_PLANTED-secret"),
    ],
)
def test_secrets_are_replaced(record: dict[str, Any]):
    stored = redacted(FORMAT, json.dumps(record))
    assert "PLANTED" not in stored
    assert "0123456789abcdef0123456789abcdef" not in stored
    assert read(FORMAT, [stored], "gw")[0]["outcome"] == "action"


def test_names_of_keys_stay():
    for record in (row(), row(api_key="litellm_proxy_master_key"), audit()):
        assert redacted(FORMAT, json.dumps(record)) == json.dumps(record)


def test_a_real_row_and_real_access_lines():
    data = shared("litellm", "spend_logs_payload.json").read_bytes()
    (found,) = read(FORMAT, [raw for raw, _ in pieces(FORMAT, data)], "gw")
    assert (found["outcome"], found["model"], found["tokens_in"], found["tokens_out"]) == ("action", "gpt-4o", 10, 20)
    assert (found["principal"], found["credential_uid"]) == (None, None)
    lines = shared("crowdsec-hub", "litellm-logs", "litellm-logs.log").read_bytes()
    assert [reason is not None for _, reason in pieces(FORMAT, lines)] == [True] * 6


SAMPLE = (SAMPLES / "litellm" / "spend_logs.jsonl").read_bytes()


@settings(max_examples=20, deadline=None)
@given(damaged(SAMPLE) | st.binary(max_size=60))
def test_whatever_comes_no_record_is_lost(data: bytes):
    survives(FORMAT, data, "gw")
