"""CloudTrail's containers: the same record out of each, byte for byte."""

from __future__ import annotations

import base64
import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats import aws_containers, secrets
from pipelines.formats.cloudtrail import FORMAT
from pipelines.formats.format import Options
from tests.pipelines.formats.cloudtrail_events import GET_OBJECT, actions, changed

SECOND = changed(eventID="0a000000-0000-4000-8000-000000000002", eventName="PutObject")
TEXTS = [json.dumps(each, separators=(",", ":")) for each in (GET_OBJECT, SECOND)]


def pieces(text: bytes | str, at_rest: bool = True) -> list[tuple[str, str | None]]:
    stream = io.BytesIO(text.encode() if isinstance(text, str) else text)
    return [
        (raw.decode(errors="replace"), reason)
        for part in FORMAT.split(stream, at_rest, Options())
        for raw, reason in zip(part.pieces["raw"].to_pylist(), part.pieces["reason"].to_pylist(), strict=True)
    ]


def raws(text: bytes | str) -> list[str]:
    found = pieces(text)
    assert not any(reason for _, reason in found)
    return [raw for raw, _ in found]


def packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


def subscription(*messages: str, kind: str = "DATA_MESSAGE") -> str:
    events = [{"id": f"3{n}", "timestamp": 1767603607000 + n, "message": each} for n, each in enumerate(messages)]
    return json.dumps({
        "messageType": kind, "owner": "111122223333", "logGroup": "trail", "logStream": "111122223333_CloudTrail",
        "subscriptionFilters": ["all"], "logEvents": events,
    })  # fmt: skip


def lookup(text: str) -> dict[str, Any]:
    record = json.loads(text)
    return {
        "EventId": record["eventID"], "EventName": record["eventName"], "EventTime": "2026-01-05T10:00:07+01:00",
        "AccessKeyId": "ASIAEXAMPLE1", "Username": "run-42", "Resources": [], "CloudTrailEvent": text,
    }  # fmt: skip


def bus(text: str) -> str:
    head = '{"version":"0","id":"e1","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","detail":'
    return f"{head}{text}}}"


PACKED = packed(subscription(*TEXTS))


@pytest.mark.parametrize(
    "container",
    [
        '{"Records":[' + ",".join(TEXTS) + "]}",  # an object of a trail, and of an organisation's
        "\n".join(TEXTS),
        "[" + ",".join(TEXTS) + "]",
        "\n".join(map(bus, TEXTS)),  # EventBridge
        "[" + ",".join(map(bus, TEXTS)) + "]",
        json.dumps({"Events": [lookup(text) for text in TEXTS]}),  # LookupEvents, a page as its client prints it
        json.dumps({"Events": [lookup(text) for text in TEXTS], "NextToken": "AAEAAW"}, indent=4),
        "\n".join(json.dumps(lookup(text)) for text in TEXTS),
        subscription(*TEXTS),  # a CloudWatch Logs subscription, unpacked
        "".join(subscription(text) for text in TEXTS),  # as Firehose joins them
        "\n".join(subscription(text) for text in TEXTS),
        json.dumps({"awslogs": {"data": PACKED}}),  # the same, packed: to a Lambda function,
        PACKED,  # bare,
        packed(subscription(TEXTS[0])) + "\n" + packed(subscription(TEXTS[1])) + "\n",  # a line each,
        json.dumps({"Records": [{"kinesis": {"data": PACKED}, "eventSource": "aws:kinesis"}]}),  # by Kinesis to Lambda,
        json.dumps({"Records": [{"SequenceNumber": "1", "Data": PACKED, "PartitionKey": "p"}]}),  # from GetRecords
        packed("".join(TEXTS)),
    ],
)
def test_the_same_records_out_of_every_container(container: str) -> None:
    assert raws(container) == TEXTS


def test_a_record_that_came_by_three_ways_is_three_equal_actions() -> None:
    ways = [
        raws(TEXTS[0]),
        raws(bus(TEXTS[0])),
        raws(json.dumps({"awslogs": {"data": packed(subscription(TEXTS[0]))}})),
    ]
    first, *others = (actions(*way)[0] for way in ways)
    assert first["native_id"] == GET_OBJECT["eventID"]
    assert others == [first, first]


def test_a_control_message_is_skipped() -> None:
    said = "CWL CONTROL MESSAGE: Checking health of destination Firehose."
    (row,) = actions(*raws(subscription(said, kind="CONTROL_MESSAGE")))
    assert (row["outcome"], row["reason"]) == ("skipped", "a control message of CloudWatch Logs, not an event")


def test_a_message_of_another_log_is_an_error_and_loses_none_beside_it() -> None:
    rows = actions(*raws(subscription(TEXTS[0], "GET /health 200", TEXTS[1])))
    assert [row["outcome"] for row in rows] == ["action", "error", "action"]


@pytest.mark.parametrize(
    "damaged",
    [
        PACKED[:-40],
        PACKED.replace(PACKED[60:70], "!!!!!!!!!!"),
        "H4sIAAAA",
        base64.b64encode(b"\x1f\x8b\x08" * 9).decode(),
    ],
)
def test_a_damaged_batch_is_kept_with_a_reason(damaged: str) -> None:
    ((raw, reason),) = pieces(json.dumps({"awslogs": {"data": damaged}}))
    assert raw == json.dumps({"awslogs": {"data": damaged}})[:64]  # what is packed holds secrets that nobody can find
    assert reason == "a packed batch that is no base64 of gzip, or is cut off"


def test_a_batch_that_expands_without_bound_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_containers, "MAX_EXPANDED", 1 << 20)
    ((_, reason),) = pieces(json.dumps({"awslogs": {"data": packed(" " * (3 << 20))}}))
    assert reason == "a packed batch that expands beyond 1 MiB"


def test_batches_that_expand_without_bound_together_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_containers, "MAX_TOGETHER", 2 << 20)
    monkeypatch.setattr(aws_containers, "CHUNK", 1 << 20)
    batch = packed("".join(TEXTS) + " " * 900_000)
    found = pieces("\n".join([batch] * 4))
    assert [raw for raw, reason in found if reason is None] == TEXTS * 2
    assert [reason for _, reason in found if reason] == [
        "a packed batch that expands beyond 2 MiB with those before it"
    ] * 2


def test_a_batch_within_a_batch_is_not_opened() -> None:
    inner = json.dumps({"awslogs": {"data": packed(subscription(TEXTS[0]))}})
    assert pieces(packed(inner)) == [(inner[:64], "a packed batch within a packed batch")]


def test_what_a_caller_wrote_into_a_record_is_never_opened() -> None:
    forged = [
        changed(requestParameters={"CloudTrailEvent": TEXTS[1], "message": TEXTS[1]}),
        changed(userAgent=f'"detail-type" {PACKED}', message=TEXTS[1], data=PACKED, awslogs={"data": PACKED}),
        changed(requestParameters={"Records": [json.loads(TEXTS[1])], "Events": [1], "logEvents": [{"message": "x"}]}),
    ]
    texts = [json.dumps({"eventName": "GetObject", **each}) for each in forged]
    assert raws("\n".join(texts)) == texts
    assert [row["api_operation"] for row in actions(*texts)] == ["GetObject"] * 3


def test_secrets_are_found_in_every_container() -> None:
    token = "IQoJb3JpZ2luX2VjEIz//////////wEaCXVzLWVhc3QtMSJHMEUC+abc="
    record = json.dumps(changed(responseElements={"credentials": {"accessKeyId": "ASIAX", "sessionToken": token}}))
    batch = packed(subscription(record))
    containers = [
        record, bus(record), subscription(record), batch, json.dumps({"awslogs": {"data": batch}}),
        json.dumps({"Events": [lookup(record)]}),
        json.dumps(lookup(record)).replace("CloudTrailEvent", "cloudtrailevent"),  # one that cannot be opened
    ]  # fmt: skip
    for container in containers:
        (raw,) = raws(container)
        assert token in raw.replace("\\", "")
        redacted = secrets.redact(pa.array([raw]), bytes(32), FORMAT.secrets)[0].as_py()
        assert token not in redacted.replace("\\", "")
        json.loads(redacted)


def test_a_growing_file_is_opened_as_it_grows() -> None:
    text = f"{bus(TEXTS[0])}\n{bus(TEXTS[1])}\n".encode()
    half = text[: len(text) - 60]
    parts = list(FORMAT.split(io.BytesIO(half), False, Options()))
    spent = parts[-1].spent
    assert spent == text.index(b"\n") + 1
    assert [raw.decode() for part in parts for raw in part.pieces["raw"].to_pylist()] == TEXTS[:1]
    assert raws(text[spent:]) == TEXTS[1:]


@given(
    st.recursive(
        st.sampled_from([PACKED, TEXTS[0], "H4sI", "", None, 1, "\ud800"]),
        lambda inner: st.dictionaries(
            st.sampled_from(
                ["Records", "Events", "logEvents", "message", "detail", "detail-type", "CloudTrailEvent", "awslogs",
                 "kinesis", "data", "Data", "eventName"]
            ),
            inner | st.lists(inner, max_size=2),
            max_size=3,
        ),
        max_leaves=8,
    )
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_no_container_crashes_and_each_piece_has_an_outcome(value: Any) -> None:
    found = pieces(json.dumps(value))
    good = [raw for raw, reason in found if reason is None]
    assert all(row["outcome"] in {"action", "error", "skipped"} for row in actions(*good))
    if isinstance(value, dict) and not {"Records", "Events", "logEvents", "awslogs", "kinesis", "data", "Data"} & set(
        value
    ):
        assert len(found) == 1
