"""Bedrock's model invocations in, action columns out."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats import secrets
from pipelines.formats.bedrock_invocation import FORMAT
from pipelines.formats.format import Options
from tests.machine import shared
from tests.pipelines.formats.cloudtrail_events import HOSTILE, WRONG_TYPES
from tests.pipelines.formats.format_rows import granted, read

SAMPLES = Path(__file__).resolve().parents[3] / "data/samples/bedrock_invocation"
SAMPLE = SAMPLES / "20260105T091400000Z_sample.json"
CONVERSE: dict[str, Any] = json.loads(SAMPLE.read_text().splitlines()[0])


def actions(*records: Any) -> list[dict[str, Any]]:
    """The rows in the order of the records; there is one for each, whatever the records are."""
    return read(FORMAT, list(records), "aws")


def changed(**changes: Any) -> dict[str, Any]:
    """CONVERSE with names (their steps parted by `__`) set to new values."""
    record = copy.deepcopy(CONVERSE)
    for name, value in changes.items():
        *steps, last = name.split("__")
        part = record
        for step in steps:
            part = part.setdefault(step, {})
        part[last] = value
    return record


def told(record: Any, *names: str) -> tuple[Any, ...]:
    (row,) = actions(record)
    assert row["outcome"] == "action", row["reason"]
    return tuple(row[name] for name in names)


def pieces(data: bytes) -> list[str]:
    return [raw.decode() for part in FORMAT.split(io.BytesIO(data), True, Options())
            for raw in part.pieces["raw"].to_pylist()]  # fmt: skip


def test_the_sample_has_its_expected_rows() -> None:
    raws = pieces(SAMPLE.read_bytes())
    rows = actions(*raws)
    kept = (str, bool, int, list)
    assert [
        {name: value if isinstance(value, kept) else str(value) for name, value in row.items()
         if value is not None and name != "record_id"}
        for row in rows
    ] == json.loads((SAMPLES / "expected.json").read_text())  # fmt: skip
    assert granted(FORMAT, raws, "aws") == []
    filled = {name for row in rows for name, value in row.items() if value is not None}
    assert filled - {"record_id", "outcome", "native_id"} == FORMAT.observes


def test_tokens_of_the_prompt_are_counted_whether_cached_or_not() -> None:
    cases: list[tuple[Any, Any, Any, int | None]] = [
        (10, None, None, 10), (10, 5, 3, 18), (0, 5, 0, 5), (None, 5, 3, None), ("12", "3", 0, 15), (-1, 0, 0, None),
        (1.0, 0, 0, 1), ([], {}, "x", None),
    ]  # fmt: skip
    for fresh, cached, written, expected in cases:
        record = changed(input={"inputTokenCount": fresh, "cacheReadInputTokenCount": cached,
                                "cacheWriteInputTokenCount": written})  # fmt: skip
        assert told(record, "tokens_in") == (expected,)
    assert told(changed(output={}), "tokens_out", "tokens_in") == (None, 2460)


@pytest.mark.parametrize(
    ("model_id", "model", "arn"),
    [
        ("anthropic.claude-v2:1", "anthropic.claude-v2:1", "eu-west-1::foundation-model/anthropic.claude-v2:1"),
        ("global.anthropic.claude-x", "global.anthropic.claude-x",
         "eu-west-1:111122223333:inference-profile/global.anthropic.claude-x"),
        ("arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.meta.llama", "us.meta.llama",
         "us-east-1:111122223333:inference-profile/us.meta.llama"),
        ("arn:aws:bedrock:us-east-1:111122223333:provisioned-model/abc",
         "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/abc",
         "us-east-1:111122223333:provisioned-model/abc"),
        (None, None, None),
    ],
)  # fmt: skip
def test_which_model(model_id: str | None, model: str | None, arn: str | None) -> None:
    full = None if arn is None else f"arn:aws:bedrock:{arn}"
    assert told(changed(modelId=model_id), "model", "resource_uid") == (model, full)


def test_who_called_and_what_the_caller_wrote_about_himself_names_nobody() -> None:
    record = changed(requestMetadata={"user": "admin", "identity": {"arn": "arn:aws:iam::111122223333:root"}})
    assert told(record, "principal", "session_name", "identity_strength", "delegator") == (
        "aws:role/arn:aws:iam::111122223333:role/triage", "triage", "proven", None,
    )  # fmt: skip
    assert told(changed(identity=None), "principal", "identity_strength") == (None, "asserted")
    assert told(changed(identity__arn="-"), "principal", "principal_type") == (None, None)


def test_what_became_of_the_call() -> None:
    cases = {None: "success", "AccessDeniedException": "denied", "ThrottlingException": "failure"}
    assert {code: told(changed(errorCode=code), "status")[0] for code in cases} == cases
    guarded = changed(output__outputBodyJson={"amazon-bedrock-guardrailAction": "INTERVENED"})
    assert told(guarded, "status", "error", "duration_ms") == ("success", "guardrail intervened", None)


def test_times() -> None:
    cases = {
        "2026-01-05T09:14:01Z": "2026-01-05 09:14:01",
        "2026-01-05T10:14:01+01:00": "2026-01-05 09:14:01",
        "2025-05-15 14:17:22.000000000": "2025-05-15 14:17:22",
    }
    assert {text: str(told(changed(timestamp=text), "time")[0]) for text in cases} == cases


def test_what_is_no_invocation_says_why() -> None:
    control = {"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose."}
    cases: list[tuple[Any, str, str]] = [
        (changed(timestamp=None), "error", 'the key "timestamp" is missing'),
        (changed(timestamp="soon"), "error", 'the key "timestamp" is no RFC 3339 time'),
        (changed(requestId=""), "error", 'the key "requestId" is missing'),
        (changed(operation={"a": 1}), "error", 'the key "operation" is missing'),
        (changed(schemaType="Other"), "error", 'the key "schemaType" is not'),
        (control, "skipped", "a control message of CloudWatch Logs"),
        ({"id": "1", "message": "text"}, "error", 'the key "message" holds no model invocation'),
        ("[]", "error", "not a JSON object"),
        ("{", "error", "not a JSON object"),
        ("", "error", "not a JSON object"),
    ]
    for row, (_, outcome, reason) in zip(actions(*(record for record, *_ in cases)), cases, strict=True):
        assert row["outcome"] == outcome
        assert row["reason"].startswith(reason)
        assert {name for name, value in row.items() if value is not None} == {"record_id", "outcome", "reason"}


def test_hostile_text_is_data() -> None:
    record = changed(modelId=HOSTILE, operation=HOSTILE, identity__arn=HOSTILE)
    assert told(record, "model", "api_operation", "principal") == (HOSTILE, HOSTILE, f"aws:principal/{HOSTILE}")


TOKEN = "IQoJb3JpZ2luX2VjEIz//////////wEaCXVzLWVhc3QtMSJHMEUC"


@pytest.mark.parametrize(
    "text",
    [
        f'{{"sessionToken": "{TOKEN}"}}',
        f"my password: {TOKEN}",
        f"export AWS_SESSION_TOKEN={TOKEN}\nls",
        f"Authorization: Bearer {TOKEN}",
        f"https://b.s3.example/k?X-Amz-Security-Token={TOKEN}&x=1",
        f"postgres://dana:{TOKEN[:19]}@db.example/x",
    ],
)
def test_secrets_in_prompts_answers_and_tools_are_replaced(text: str) -> None:
    places = [
        changed(input__inputBodyJson={"messages": [{"role": "user", "content": [{"text": text}]}]}),
        changed(input__inputBodyJson={"prompt": text}),
        changed(output__outputBodyJson=[{"delta": {"text": text}}]),
        changed(output__outputBodyJson={"content": [{"toolUse": {"input": {"password": TOKEN, "q": text}}}]}),
        changed(requestMetadata={"note": text}),
    ]
    for record in places:
        raw = json.dumps(record)
        redacted = secrets.redact(pa.array([raw]), bytes(32), FORMAT.secrets)[0].as_py()
        assert TOKEN[:19] not in redacted
        assert json.loads(redacted).keys() == record.keys()
        assert actions(redacted) == actions(raw)


def test_real_records() -> None:
    """Events that another product parsed: it wrote their times its own way."""
    cases = map(json.loads, shared("panther-analysis", "panther_tests.jsonl").read_text().splitlines())
    events = [case["event"] for case in cases if case["log_type"] == "AWS.BedrockModelInvocation"]
    assert len(events) == 4
    for row, event in zip(actions(*events), events, strict=True):
        assert row["outcome"] == "action"
        assert str(row["time"]) == event["timestamp"][:19]
        assert (row["model"], row["request_uid"]) == (event["modelId"], event["requestId"])
        assert row["session_name"] == event["identity"]["arn"].split("/")[-1]
        assert row["tokens_in"] == event["input"].get("inputTokenCount")


@given(st.sampled_from(list(CONVERSE)), st.sampled_from(WRONG_TYPES), st.integers(0, 700), st.text(max_size=4))
@settings(max_examples=30, deadline=None)
def test_no_record_crashes_or_is_lost(name: str, value: Any, at: int, put: str) -> None:
    text = json.dumps(CONVERSE)
    rows = actions(changed(**{name: value}), text[:at] + put + text[at + 1 :], CONVERSE)
    assert {row["outcome"] for row in rows} <= {"action", "error", "skipped"}
    assert rows[2]["outcome"] == "action"
