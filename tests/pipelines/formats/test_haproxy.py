"""HAProxy: records in, action columns out."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats.haproxy import FORMAT, HaproxyOptions
from pipelines.formats.secrets import redact
from tests.machine import shared
from tests.pipelines.formats.proxy_lines import HOSTILE, SAMPLES, mutated, one, read, sample, survives


def line(
    *, client: str = "10.0.0.1:5000", times: str = "0/0/1/4/5", status: str = "200", size: str = "310",
    cookies: str = "- -", state: str = "----", captured: str = "", request: str = "GET /x HTTP/1.1",
) -> str:  # fmt: skip
    """A line of `option httplog`."""
    return (
        f"{client} [05/Jan/2026:11:00:10.100] web~ api/api1 {times} {status} {size} {cookies} {state} 1/1/0/0/0 0/0"
        f' {captured}"{request}"'
    )


def test_the_sample_gives_the_expected_actions():
    told, expected = sample("haproxy", "http.log")
    assert told == expected


@pytest.mark.parametrize(
    ("zone", "time"),
    [
        ("UTC", "2026-01-05 11:00:10.100000"),
        ("Europe/Berlin", "2026-01-05 10:00:10.100000"),
        ("America/New_York", "2026-01-05 16:00:10.100000"),
    ],
)
def test_local_time_has_no_zone_of_its_own(zone: str, time: str):
    row = one("haproxy", line(), timezone=zone)
    assert (str(row["time"]), row["time_kind"]) == (time, "start")


def test_of_a_repeated_hour_the_later_is_taken():
    text = line().replace("05/Jan/2026:11", "25/Oct/2026:02")
    assert str(one("haproxy", text, timezone="Europe/Berlin")["time"]) == "2026-10-25 01:00:10.100000"


def test_a_time_with_its_zone_needs_none():
    log_format = "%ci:%cp [%T] %B %{+Q}r"
    row = one("haproxy", '10.0.0.1:5000 [05/Jan/2026:11:00:10 +0100] 310 "GET /x HTTP/1.1"', log_format=log_format)
    assert (str(row["time"]), row["time_precision"]) == ("2026-01-05 10:00:10", "1s")


def test_only_a_code_for_uploads_gives_bytes_out():
    plain = one("haproxy", line())
    assert (plain["bytes_out"], plain["bytes_in"]) == (None, 310)
    both = one("haproxy", '[05/Jan/2026:11:00:10.100] 500 310 "GET /x HTTP/1.1"', log_format="[%tr] %U %B %{+Q}r")
    assert (both["bytes_out"], both["bytes_in"]) == (500, 310)


def test_counts_that_were_not_final_are_not_taken():
    row = one("haproxy", line(times="0/0/1/8/+9", size="+310"))
    assert (row["duration_ms"], row["bytes_in"], row["outcome"]) == (None, None, "action")


@pytest.mark.parametrize(
    ("client", "ip", "port"),
    [
        ("10.0.0.1:5000", "10.0.0.1", 5000),
        ("2001:db8::1:5000", "2001:db8::1", 5000),
        ("::ffff:10.0.0.1:5000", "10.0.0.1", 5000),
        ("unix:1", None, 1),
    ],
)
def test_client_addresses(client: str, ip: str | None, port: int):
    row = one("haproxy", line(client=client))
    assert (row["src_ip"], row["src_port"]) == (ip, port)


@pytest.mark.parametrize(
    ("state", "status", "expected"),
    [
        ("----", "200", "success"),
        ("LR--", "302", "success"),
        ("PR--", "403", "denied"),
        ("PR--", "429", "denied"),
        ("PR--", "400", "failure"),
        ("----", "403", "denied"),
        ("SC--", "503", "failure"),
        ("CD--", "200", "failure"),
        ("sD--", "200", "failure"),
        ("--NN", "200", "success"),
        ("CR--", "-1", "failure"),
    ],
)
def test_status(state: str, status: str, expected: str):
    assert one("haproxy", line(state=state, status=status))["status"] == expected


def test_captured_headers_are_told_apart_and_decoded():
    names = ["user-agent", "Host"]
    row = one("haproxy", line(captured="{x #7Cy #22#23|a.example:81} {text/html} "), captures=names)
    assert (row["user_agent"], row["dst_host"], row["dst_port"]) == ('x |y "#', "a.example", 81)
    assert one("haproxy", line(captured="{|} "), captures=names)["user_agent"] is None
    assert one("haproxy", line(captured="{x|a.example} "))["dst_host"] is None


def test_a_request_that_syslog_cut_off_is_read():
    row = one("haproxy", line(request="GET /very/long")[:-1])
    assert (row["outcome"], row["http_method"], row["url_path"]) == ("action", "GET", "/very/long")


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /[1]: 6.6.6.6:6 [05/Jan/2026:11:00:10.100] web~ evil/e 0/0/1/4/5 200 1 HTTP/1.1",
        "GET /x#22 200 9 - - ---- 1/1/0/0/0 0/0 #22 HTTP/1.1",
    ],
)
def test_a_request_forges_no_other_line(request_line: str):
    row = one("haproxy", line(request=request_line))
    assert (row["src_ip"], row["bytes_in"], row["status_code"]) == ("10.0.0.1", 310, "200")


LAYOUT = '%ci [%tr] "%[req.hdr(user-agent)]" %[ssl_c_der,sha2(256),hex] %B %{+Q}r'


def test_a_certificate_is_proven_where_nothing_could_be_forged():
    digest = "AB" * 32
    good = f'10.0.0.1 [05/Jan/2026:11:00:10.100] "cli" {digest} 310 "GET /x HTTP/1.1"'
    odd = f'10.0.0.1 [05/Jan/2026:11:00:10.100] "c"li" {digest} 310 "GET /x HTTP/1.1"'
    rows = read("haproxy", [good, odd], log_format=LAYOUT, authenticated=True)
    assert [(row["credential_uid"], row["identity_strength"]) for row in rows] == [
        (f"x509:cert/{digest.lower()}", "proven"),
        (f"x509:cert/{digest.lower()}", "asserted"),
    ]
    assert [row["user_agent"] for row in rows] == ["cli", 'c"li']


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"log_format": "%ci %{+Q}r"}, "says no time"),
        ({"log_format": "[%tr] %ci"}, "neither a request nor a server"),
        ({"log_format": "[%tr] %{+Q}r %zz"}, "position 14: no log-format alias"),
        ({"log_format": "[%tr] %{+Q}r %[req.hdr(authorization)]"}, "writes secrets"),
        ({"captures": ["Cookie"]}, "writes secrets"),
        ({"timezone": "Mars/Base"}, "no time zone"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], problem: str):
    with pytest.raises(ValueError, match=problem):
        HaproxyOptions.model_validate(options)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (line(cookies="SESSION=abc123 -"), "abc123"),
        (line(cookies="- SESSION=abc123"), "abc123"),
        (line(cookies="A=abc123 B=def456"), "def456"),
        (line(captured="{Bearer tok3n} "), "tok3n"),
        (line(request="GET /x?access_token=abc123&y=2 HTTP/1.1"), "abc123"),
        (line(request="GET http://bob:hunter2@a.example/ HTTP/1.1"), "hunter2"),
    ],
)
def test_secrets_are_replaced(text: str, secret: str):
    kept = redact(pa.array([text]), b"k" * 32, FORMAT.secrets, spaced=FORMAT.spaced)[0].as_py()
    assert secret not in kept
    row = one("haproxy", kept)
    assert (row["outcome"], row["bytes_in"], row["status"]) == ("action", 310, "success")


@pytest.mark.parametrize(
    ("record", "reason"), [("", "the line is blank"), ("secret-word", "no line of the log-format")]
)
def test_what_is_no_record_has_a_reason(record: str, reason: str):
    row = one("haproxy", record)
    assert row["outcome"] == "error"
    assert reason in row["reason"]
    assert "secret-word" not in row["reason"]


def test_the_real_logs():
    rows = read("haproxy", shared("crowdsec-hub/haproxy-logs/haproxy-logs.log").read_text().splitlines())
    assert [row["outcome"] for row in rows] == ["action", "action", "skipped", "skipped", "skipped"]
    told = [(row["http_method"], row["url_path"], row["status_code"], row["src_ip"], row["bytes_in"]) for row in rows]
    assert told[:2] == [
        ("GET", "/xxx/xxx", "200", "117.136.40.129", 739),
        ("GET", "/", "200", "22.118.26.10", 20602),
    ]


RECORDS = (SAMPLES / "haproxy/http.log").read_text().splitlines()


@settings(max_examples=12, deadline=None)
@given(st.lists(mutated(RECORDS) | HOSTILE, min_size=10, max_size=40))
def test_any_text_is_one_row(records: list[str]):
    survives("haproxy", records, captures=["host", "user-agent"])
