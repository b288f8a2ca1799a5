"""S3 server access log lines in, action columns out."""

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
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, RECORDS_IN, Options
from pipelines.formats.s3_access import FORMAT
from tests.machine import shared

SAMPLE = next((Path(__file__).resolve().parents[3] / "data/samples/s3_access").glob("2026-*"))
LINES = SAMPLE.read_text().splitlines()
UPLOAD, DOWNLOAD, PRESIGNED, REFUSED, DELETED, EXPIRED, _ = LINES
KEY = bytes(32)


def table(*lines: str | None) -> pa.Table:
    count = len(lines)
    return pa.table(
        [[f"r{n}" for n in range(count)], ["s3"] * count, [None] * count, list(lines)], schema=RECORDS_IN
    )  # fmt: skip


def actions(*lines: str | None) -> list[dict[str, Any]]:
    """The rows in the order of the lines; there is one for each, whatever the lines are."""
    found = FORMAT.actions(table(*lines), Options())
    assert found.schema.equals(ACTIONS_OUT)
    rows = {row["record_id"]: row for row in found.to_pylist()}
    assert len(rows) == found.num_rows == len(lines)
    return [rows[f"r{n}"] for n in range(len(lines))]


def told(line: str, *names: str) -> tuple[Any, ...]:
    (row,) = actions(line)
    assert row["outcome"] == "action", row["reason"]
    return tuple(row[name] for name in names)


def test_the_sample_has_its_expected_rows() -> None:
    expected = json.loads((SAMPLE.parent / "expected.json").read_text())
    with SAMPLE.open("rb") as stream:
        raws = [
            raw.decode() for part in FORMAT.split(stream, True, Options()) for raw in part.pieces["raw"].to_pylist()
        ]
    rows = actions(*raws)
    assert [
        {name: value if isinstance(value, list | int) else str(value) for name, value in row.items()
         if value is not None and name != "record_id"}
        for row in rows
    ] == expected  # fmt: skip
    assert FORMAT.grants(table(*raws), Options()).equals(GRANTS_OUT.empty_table())
    filled = {name for row in rows for name, value in row.items() if value is not None}
    assert filled - {"record_id", "outcome", "reason", "native_id"} == FORMAT.observes


def test_what_was_uploaded_went_out_and_what_s3_sent_came_in() -> None:
    part = UPLOAD.replace("REST.PUT.OBJECT", "REST.PUT.PART")
    copied = UPLOAD.replace("REST.PUT.OBJECT", "REST.COPY.OBJECT")
    failed = UPLOAD.replace('" 200 - - ', '" 503 SlowDown 320 ')
    assert [told(line, "bytes_out", "bytes_in") for line in (UPLOAD, part, copied, failed, DOWNLOAD)] == [
        (5242880, 0), (5242880, 0), (None, 0), (None, 320), (None, 48213),
    ]  # fmt: skip


def test_names_of_operations_are_cloudtrails() -> None:
    cases = {
        "REST.GET.OBJECT": "GetObject", "REST.HEAD.OBJECT": "HeadObject", "REST.DELETE.OBJECT": "DeleteObject",
        "REST.GET.ACL": "GetObjectAcl", "REST.PUT.OBJECT_TAGGING": "PutObjectTagging", "REST.PUT.PART": "UploadPart",
        "REST.COPY.OBJECT_GET": "GetObject", "S3.TRANSITION.OBJECT": "S3.TRANSITION.OBJECT",
    }  # fmt: skip
    assert {name: told(DOWNLOAD.replace("REST.GET.OBJECT", name), "api_operation")[0] for name in cases} == cases
    bucket = DOWNLOAD.replace("2026/case+7+%28final%29.pdf", "-", 1)
    cases = {
        "REST.GET.BUCKET": "ListObjects", "REST.GET.ACL": "GetBucketAcl", "REST.PUT.BUCKETPOLICY": "PutBucketPolicy",
        "REST.DELETE.PUBLIC_ACCESS_BLOCK": "DeleteBucketPublicAccessBlock", "REST.GET.UPLOADS": "ListMultipartUploads",
    }  # fmt: skip
    assert {name: told(bucket.replace("REST.GET.OBJECT", name), "api_operation")[0] for name in cases} == cases
    assert told(bucket, "resource_uid", "resource_type") == ("arn:aws:s3:::corp-cases", "AWS::S3::Bucket")


def test_who_called() -> None:
    role = "arn:aws:sts::111122223333:assumed-role/triage/triage"
    cases: dict[str, tuple[str | None, str | None, str | None, str]] = {
        role: ("aws:role/arn:aws:iam::111122223333:role/triage", "AssumedRole", "triage", "proven"),
        "arn:aws-cn:sts::1234567:assumed-role/r/a/b@c": ("aws:role/arn:aws-cn:iam::1234567:role/r", "AssumedRole",
                                                         "a/b@c", "proven"),
        "arn:aws:iam::111122223333:user/ops/dana": ("aws:user/arn:aws:iam::111122223333:user/ops/dana", "IAMUser", None,
                                                    "proven"),
        "arn:aws:iam::111122223333:root": ("aws:user/arn:aws:iam::111122223333:root", "Root", None, "proven"),
        "arn:aws:sts::111122223333:federated-user/bot": (
            "aws:principal/arn:aws:sts::111122223333:federated-user/bot", "FederatedUser", None, "proven"),
        "svc:delivery.logs.amazonaws.com": ("aws:service/delivery.logs.amazonaws.com", "AWSService", None, "proven"),
        "c0ffee00": ("aws:principal/c0ffee00", "AWSAccount", None, "proven"),
        "-": (None, None, None, "asserted"),
    }  # fmt: skip
    names = ("principal", "principal_type", "session_name", "identity_strength")
    assert {caller: told(DOWNLOAD.replace(role, caller), *names) for caller in cases} == cases


@pytest.mark.parametrize("code", ["403 SignatureDoesNotMatch", "403 InvalidAccessKeyId", "400 ExpiredToken", "401 -"])
def test_a_caller_whose_authentication_failed_is_only_claimed(code: str) -> None:
    assert told(PRESIGNED.replace('" 200 -', f'" {code}'), "identity_strength") == ("asserted",)
    assert told(PRESIGNED.replace('" 200 -', '" 403 AccessDenied'), "identity_strength", "status") == (
        "proven", "denied",
    )  # fmt: skip


def test_the_key_of_a_presigned_url() -> None:
    signed = "X-Amz-Credential=AKIAEXAMPLESHARE0001%2F"
    old = PRESIGNED.replace("X-Amz-Algorithm=AWS4-HMAC-SHA256&" + signed, "AWSAccessKeyId=ASIAEXAMPLESHARE0002&x=")
    by_header = PRESIGNED.replace("QueryString", "AuthHeader")
    two = PRESIGNED.replace(signed, f"{signed}x&X-Amz-Credentia%6C=AKIAEXAMPLEOTHER0001%2F")
    assert [told(line, "credential_uid", "credential_type") for line in (PRESIGNED, old, by_header, two)] == [
        ("aws:key/AKIAEXAMPLESHARE0001", "access_key"),
        ("aws:key/ASIAEXAMPLESHARE0002", "temporary_key"),
        (None, None),  # a name in a query that S3 did not authenticate by
        (None, None),
    ]


def test_quotes_of_the_caller_shift_nothing() -> None:
    forged = '" 200 - 1 1 1 1 "-" "x" - H SigV4 C QueryString h TLSv1.3'
    agent = REFUSED.replace('curl "8" 7.88.1', f"a{forged}")
    uri = REFUSED.replace("GET /2026/case-8.pdf HTTP", f"GET /{forged} HTTP")
    for line in (agent, uri):
        # Two readings: what the service itself wrote in front stands, the rest is unknown.
        assert told(line, "principal", "api_operation", "request_uid") == (None, "GetObject", "S3REQSAMPLE00004")
        assert told(line, "status", "status_code", "bytes_in", "duration_ms", "user_agent", "credential_uid") == (
            "unknown", None, None, None, None, None,
        )  # fmt: skip
    assert told(REFUSED, "status", "user_agent") == ("denied", 'curl "8" 7.88.1')
    split_agent = REFUSED.replace('curl "8" 7.88.1', 'a" "b')
    assert told(split_agent, "status", "user_agent") == ("denied", None)


def test_times_and_addresses() -> None:
    offset = DOWNLOAD.replace("+0000", "-0130")
    assert [str(time) for (time,) in (told(DOWNLOAD, "time"), told(offset, "time"))] == [
        "2026-01-05 09:11:10", "2026-01-05 10:41:10",
    ]  # fmt: skip
    assert told(DOWNLOAD, "time_kind", "time_precision", "src_ip") == ("start", "1s", "2001:db8:40::17")
    assert told(EXPIRED, "src_ip") == (None,)


def test_keys_are_decoded_once() -> None:
    for written, key in {"a%2Fb": "a/b", "a%2520b": "a%20b", "%E2%82%AC": "€", "%FF": "%FF", "a%": "a%"}.items():
        line = DOWNLOAD.replace("2026/case+7+%28final%29.pdf", written, 1)
        assert told(line, "resource_uid") == (f"arn:aws:s3:::corp-cases/{key}",)


def test_fields_that_are_added_later_and_lines_from_before_they_were() -> None:
    assert told(DOWNLOAD + " something new", "status", "user_agent") == told(DOWNLOAD, "status", "user_agent")
    assert told(DOWNLOAD.split(" - aGVs")[0] + " -", "status", "bytes_in") == ("success", 48213)


def test_one_line_twice_is_one_event_and_two_deletes_of_a_request_are_two() -> None:
    first, again, other = actions(DELETED, DELETED, DELETED.replace("old-1", "old-2"))
    assert first["native_id"] == again["native_id"] != other["native_id"]
    assert first["request_uid"] == other["request_uid"]


def test_what_is_no_line_of_this_log_says_so() -> None:
    cases = {
        "": "it is blank",
        None: "it is blank",
        "x": "its fields are not those of the format",
        DOWNLOAD[:150]: "its fields are not those of the format",
        '{"bucket_name":"b"}': "it is JSON",
        DOWNLOAD.replace("05/Jan/2026", "05/Foo/2026"): "no time between 1970 and 9999",
        DOWNLOAD.replace("05/Jan/2026", "05/Jan/0001"): "no time between 1970 and 9999",
    }
    for row, reason in zip(actions(*cases), cases.values(), strict=True):
        assert row["outcome"] == "error"
        assert reason in row["reason"]
        assert {name for name, value in row.items() if value is not None} == {"record_id", "outcome", "reason"}


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (PRESIGNED, "00000000000000000000000000000000000000000000000000000000000000aa"),
        (PRESIGNED.replace("X-Amz-Date=", "X-Amz-Security-Token=IQoJb3JpZ2luX2VjE%2F%2FtokenTOKEN&X-Amz-Date="),
         "IQoJb3JpZ2luX2VjE%2F%2FtokenTOKEN"),
        (PRESIGNED.replace("X-Amz-Signature", "Signature"), "00000000000000000000000000000000000000000000000000000000000000aa"),
        (PRESIGNED.replace("/case/8", "/case/8?access_token=s3cr3t-t0ken-value"), "s3cr3t-t0ken-value"),
        (PRESIGNED.replace("portal.corp", "dana:hunter22@portal.corp"), "hunter22"),
        (DOWNLOAD.replace("Boto3/1.40.1", "Bearer abcdefgh12345678ijkl"), "abcdefgh12345678ijkl"),
        (DOWNLOAD.replace("Boto3/1.40.1", "ghp_abcdefghijklmnopqrst012345"), "ghp_abcdefghijklmnopqrst012345"),
    ],
)  # fmt: skip
def test_secrets_are_replaced_and_the_line_stays_a_line(line: str, secret: str) -> None:
    redacted = secrets.redact(pa.array([line]), KEY, FORMAT.secrets, spaced=FORMAT.spaced)[0].as_py()
    if "Bearer" not in line:  # what a space parts is not looked for in lines of fields
        assert secret not in redacted
        assert "hmac:" in redacted
    names = ("principal", "credential_uid", "status", "bytes_in", "resource_uid", "request_uid")
    assert told(redacted, *names) == told(line, *names)


def test_real_events_of_this_log() -> None:
    """Lines made of the fields of events that another product parsed."""
    names = {"bucketowner": 0, "bucket": 1, "remoteip": 3, "requester": 4, "requestid": 5, "operation": 6, "key": 7}
    lines, events = [], []
    for text in shared("panther-analysis", "panther_tests.jsonl").read_text().splitlines():
        case = json.loads(text)
        if case["log_type"] == "AWS.S3ServerAccess" and "time" in case["event"]:
            event = case["event"]
            fields = ["-"] * 8
            for name, place in names.items():
                fields[place] = event.get(name, "-")
            day, clock = event["time"][:19].split(" ")
            year, month, date = day.split("-")
            fields[2] = f"[{date}/{['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun'][int(month) - 1]}/{year}:{clock} +0000]"
            numbers = " ".join(
                str(event.get(name, "-"))
                for name in ("httpstatus", "errorcode", "bytessent", "objectsize", "totaltime", "turnaroundtime")
            )
            lines.append(
                f'{" ".join(fields)} "{event.get("requesturi", "-")}" {numbers} "-" "{event.get("useragent", "-")}" -'
            )
            events.append(event)
    assert len(lines) == 7
    for row, event in zip(actions(*lines), events, strict=True):
        assert row["outcome"] == "action"
        assert row["time"].isoformat(" ") == event["time"][:19]
        assert row["src_ip"] == event.get("remoteip")
        assert (
            row["status"] == {200: "success", 403: "denied", 500: "failure", None: "unknown"}[event.get("httpstatus")]
        )
        if event.get("errorcode") == "SignatureDoesNotMatch":
            assert row["identity_strength"] == "asserted"


@given(
    st.sampled_from(LINES),
    st.integers(0, 700),
    st.text(st.characters(exclude_characters="\0"), max_size=6),
    st.integers(0, 30),
)
@settings(max_examples=30, deadline=None)
def test_no_line_crashes_or_is_lost(line: str, at: int, put: str, cut: int) -> None:
    at %= len(line)
    mutated = line[:at] + put + line[at + cut :]
    assert {row["outcome"] for row in actions(mutated, line)} <= {"action", "error"}
    data = mutated.encode(errors="replace")
    split = [raw for part in FORMAT.split(io.BytesIO(data), True, Options()) for raw in part.pieces["raw"].to_pylist()]
    assert len(split) == sum(bool(each.strip()) for each in data.split(b"\n"))
