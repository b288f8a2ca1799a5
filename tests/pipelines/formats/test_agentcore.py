"""Lines of an AgentCore gateway's log in, action columns out."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats import secrets
from pipelines.formats.agentcore import FORMAT
from pipelines.formats.format import Options
from tests.pipelines.formats.cloudtrail_events import WRONG_TYPES
from tests.pipelines.formats.format_rows import granted, read

SAMPLES = Path(__file__).resolve().parents[3] / "data/samples/agentcore"
SAMPLE = SAMPLES / "gateway.jsonl"
LINES: list[dict[str, Any]] = [json.loads(line) for line in SAMPLE.read_text().splitlines()[:-1]]
STARTED, RECEIVED, EXECUTED, ANSWERED, LISTED, REFUSED = LINES


def actions(*records: Any) -> list[dict[str, Any]]:
    """The rows in the order of the records; there is one for each, whatever the records are."""
    return read(FORMAT, list(records), "aws")


def logged(log: Any, failed: Any = False, **more: Any) -> dict[str, Any]:
    return {**EXECUTED, "body": {"log": log, "isError": failed, "id": "1", **more}}


def test_the_sample_has_its_expected_rows() -> None:
    with SAMPLE.open("rb") as stream:
        raws = [
            raw.decode() for part in FORMAT.split(stream, True, Options()) for raw in part.pieces["raw"].to_pylist()
        ]
    rows = actions(*raws)
    kept = (str, bool, int, list)
    assert [
        {name: value if isinstance(value, kept) else str(value) for name, value in row.items()
         if value is not None and name != "record_id"}
        for row in rows
    ] == json.loads((SAMPLES / "expected.json").read_text())  # fmt: skip
    assert granted(FORMAT, raws, "aws") == []
    filled = {name for row in rows for name, value in row.items() if value is not None}
    assert filled - {"record_id", "outcome", "reason"} == FORMAT.observes


def test_a_tool_leads_its_deed() -> None:
    failed = logged("Tool crm___read_case timed out", failed=True)
    tool, error = actions(EXECUTED, failed)
    assert (tool["tool"], tool["account"], tool["api_operation"]) == (
        "crm___read_case", "support-tools-q1w2e3", "tools/call",
    )  # fmt: skip
    assert tool["twin_uid"] == error["twin_uid"]
    assert (tool["twin_rank"], error["twin_rank"]) == (0, 1)
    assert (tool["status"], error["status"], error["tool"]) == ("unknown", "failure", None)


def test_what_callers_write_into_bodies_is_not_read() -> None:
    forged = "{id=1, jsonrpc=2.0, method=tools/list}, Executing tool admin___drop from target X"
    started = logged("Started processing request with requestId: 1", requestBody=forged)
    named = logged("Executing tool a b from target X")
    for row in actions(started, named):
        assert (row["outcome"], row["tool"]) == ("skipped", None)


def test_nobody_is_named_and_so_nobody_is_proven() -> None:
    for row in actions(EXECUTED, LISTED, REFUSED):
        assert (row["principal"], row["credential_uid"], row["identity_strength"]) == (None, None, "asserted")


def test_what_is_no_action_says_why() -> None:
    cases: list[tuple[Any, str, str]] = [
        (STARTED, "skipped", "an interim line"),
        (RECEIVED, "skipped", "an interim line"),
        (ANSWERED, "skipped", "an interim line"),
        ({"message": "CWL CONTROL MESSAGE: Checking health"}, "skipped", "a control message"),
        ({**EXECUTED, "event_timestamp": None}, "error", 'the key "event_timestamp" is missing'),
        ({**EXECUTED, "event_timestamp": "soon"}, "error", 'the key "event_timestamp" is no time'),
        ({**EXECUTED, "body": "text"}, "error", 'the key "body.log" is missing'),
        ({**EXECUTED, "resource_arn": "arn:aws:s3:::b"}, "error", 'the key "resource_arn" names no gateway'),
        ("[]", "error", "not a JSON object"),
        ("{", "error", "not a JSON object"),
    ]
    for row, (_, outcome, reason) in zip(actions(*(record for record, *_ in cases)), cases, strict=True):
        assert row["outcome"] == outcome
        assert row["reason"].startswith(reason)


@pytest.mark.parametrize(
    "body",
    [
        "{params={arguments={password=hunter22-x, case=7}}}",
        "{params={arguments={q=1, api_key=hunter22-x}}}",
        '{params={arguments={"access_token": "hunter22-x"}}}',
        "{result={content=[{text=see https://x.example/?sig=hunter22-x}]}}",
        "{headers={Authorization=Bearer hunter22-x}}",
    ],
)
def test_secrets_in_arguments_and_answers_are_replaced(body: str) -> None:
    record = logged("Executing tool t from target T", requestBody=body, responseBody=body)
    raw = json.dumps(record)
    redacted = secrets.redact(pa.array([raw]), bytes(32), FORMAT.secrets)[0].as_py()
    assert "hunter22-x" not in redacted
    assert actions(redacted) == actions(raw)


@given(st.sampled_from([*EXECUTED, "message"]), st.sampled_from(WRONG_TYPES), st.integers(0, 400), st.text(max_size=4))
@settings(max_examples=30, deadline=None)
def test_no_record_crashes_or_is_lost(name: str, value: Any, at: int, put: str) -> None:
    text = json.dumps(EXECUTED)
    records = [{**EXECUTED, name: value}, logged(value, value), text[:at] + put + text[at + 1 :], EXECUTED]
    rows = actions(*records)
    assert {row["outcome"] for row in rows} <= {"action", "error", "skipped"}
    assert rows[-1]["outcome"] == "action"
    split = [raw for part in FORMAT.split(io.BytesIO("\n".join(map(json.dumps, records)).encode()), True, Options())
             for raw in part.pieces["raw"].to_pylist()]  # fmt: skip
    assert len(split) == len(records)
