"""Records in, action columns out."""

from __future__ import annotations

import io
import json
import re
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats import squid
from pipelines.formats.format import GRANTS_OUT
from pipelines.formats.squid import SquidOptions
from tests.machine import shared
from tests.pipelines.formats.squid_lines import (
    _MODES,
    HOSTILE,
    PARTS,
    SAMPLES,
    WORKERTRAIL,
    _plain,
    native,
    one,
    read,
    table,
)


@pytest.mark.parametrize(("name", "logformat"), [("native", None), ("custom", WORKERTRAIL)])
def test_the_sample_gives_the_expected_actions(name: str, logformat: str | None):
    lines = (SAMPLES / f"{name}.log").read_text().splitlines()
    rows = read(lines, logformat=logformat, authenticated=True)
    told = [{key: _plain(value) for key, value in row.items() if value is not None} for row in rows]
    assert told == json.loads((SAMPLES / f"{name}.expected.json").read_text())


def test_split_gives_a_record_a_line():
    pieces = [p for s in squid.split(io.BytesIO(b"a\nb\nc"), True, SquidOptions()) for p in s.pieces["raw"].to_pylist()]
    assert pieces == [b"a", b"b", b"c"]


def test_a_native_line():
    row = one(native(url="https://API.Example.:8443/v1/x%2fy?q=1#f", method="POST"), authenticated=True)
    assert row["time"] == datetime(2026, 1, 5, 10, 0, 0, 120000)
    assert (row["time_kind"], row["time_precision"], row["duration_ms"]) == ("end", "1ms", 42)
    assert (row["class_uid"], row["activity"], row["http_method"]) == (4002, "Post", "POST")
    assert (row["principal"], row["principal_type"], row["identity_strength"]) == (
        "proxy:user/egress/svc",
        "user",
        "proven",
    )
    assert (row["dst_host"], row["dst_port"], row["dst_ip"]) == ("api.example", 8443, "203.0.113.10")
    assert row["url_path"] == "/v1/x%2fy"
    assert (row["status"], row["status_code"], row["error"]) == ("success", "200", None)
    assert (row["bytes_in"], row["bytes_out"]) == (1830, None)
    assert row["native_id"] is None


@pytest.mark.parametrize(
    ("line", "rank"),
    [
        (native(url="https://a.example/x"), 0),
        (native(url="http://a.example:443/x"), None),
        (native(url="a.example:443", method="CONNECT", result="TCP_TUNNEL/200"), None),
        (native(url="a.example:443", method="CONNECT", result="TCP_DENIED/403"), None),
        (native(url="a.example:443", method="CONNECT", result="NONE_NONE/200"), 1),
        (native(url="a.example:443", method="CONNECT", result="TCP_MISS/200"), 2),
    ],
)
def test_what_can_be_inside_of_what(line: str, rank: int | None):
    assert one(line)["twin_rank"] == rank


@pytest.mark.parametrize(("mode", "rank"), [("bump", 1), ("splice", None), ("none", None), ("-", 2)])
def test_the_bump_mode_says_whether_a_tunnel_was_opened(mode: str, rank: int | None):
    row = one(f"1767607200.120 TCP_MISS/200 CONNECT a.example:443 {mode}", logformat=_MODES)
    assert row["twin_rank"] == rank


@pytest.mark.parametrize(
    ("method", "url", "host", "port", "path"),
    [
        ("CONNECT", "logs.example:443", "logs.example", 443, None),
        ("CONNECT", "logs.example", "logs.example", 443, None),
        ("CONNECT", "[2001:DB8::1]:8443", "2001:db8::1", 8443, None),
        ("CONNECT", "203.0.113.5:443", "203.0.113.5", 443, None),
        ("GET", "http://a.example", "a.example", 80, "/"),
        ("GET", "https://a.example?x=http://b.example/", "a.example", 443, "/"),
        ("GET", "http://user:p%40ss@a.example/x", "a.example", 80, "/x"),
        ("GET", "http://good.example@evil.example/x", "evil.example", 80, "/x"),
        ("GET", "http://a.example/@b.example", "a.example", 80, "/@b.example"),
        ("GET", "http://bücher.example/x", "xn--bcher-kva.example", 80, "/x"),
        ("GET", "http://[::FFFF:192.0.2.7]/x", "192.0.2.7", 80, "/x"),
        ("GET", "ftp://a.example/x", "a.example", 21, "/x"),
        ("GET", "/only/a/path?x", None, None, "/only/a/path"),
        ("GET", "http://a.example:99999/x", "a.example", None, "/x"),
    ],
)
def test_where_a_request_went(method: str, url: str, host: str | None, port: int | None, path: str | None):
    row = one(native(url=url, method=method))
    assert (row["dst_host"], row["dst_port"], row["url_path"]) == (host, port, path)


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("[2001:DB8:0:0::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("010.000.000.009", "10.0.0.9"),
        ("10.0.0.999", None),
        ("-", None),
    ],
)
def test_client_addresses(client: str, address: str | None):
    assert one(native(client=client))["src_ip"] == address


@pytest.mark.parametrize(
    ("result", "status", "code", "error"),
    [
        ("TCP_MISS/200", "success", "200", None),
        ("TCP_MEM_HIT/304", "success", "304", None),
        ("TCP_DENIED/403", "denied", "403", "TCP_DENIED"),
        ("TCP_DENIED/302", "denied", "302", "TCP_DENIED"),
        ("TCP_DENIED_REPLY/200", "denied", "200", "TCP_DENIED_REPLY"),
        ("TCP_MISS/401", "denied", "401", "TCP_MISS"),
        ("TCP_MISS/504", "failure", "504", "TCP_MISS"),
        ("TCP_MISS_ABORTED/200", "failure", "200", "TCP_MISS_ABORTED"),
        ("NONE_NONE/000", "failure", None, "NONE_NONE"),
    ],
)
def test_status(result: str, status: str, code: str | None, error: str | None):
    row = one(native(result=result))
    assert (row["status"], row["status_code"], row["error"]) == (status, code, error)


def test_challenges_and_interim_lines_are_skipped():
    rows = read(
        [
            native(user="-", result="TCP_DENIED/407"),
            native(url="error:transaction-end-before-headers", method="-", user="-", result="NONE_NONE/000"),
            # A server's own 407 is traffic, and must not hide it.
            native(user="-", result="TCP_MISS/407"),
        ]
    )
    assert [row["outcome"] for row in rows] == ["skipped", "skipped", "action"]
    assert rows[0]["reason"] == "the challenge before authentication, without a name"
    assert rows[0]["time"] is None
    assert rows[1]["reason"] == "an interim line: no request came of it"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("", "the line is blank"),
        ("secret-word", "it does not begin with a Unix time"),
        ("1767607200.120 secret-word", "it has 2 words"),
        ("1767607200.120 " + "s" * 9000, "it has 9015 characters, so Squid may have cut it off"),
        (native().replace("1767607200.120", "99999999999999.120"), "no time between 1970 and 9999"),
    ],
)
def test_a_line_that_does_not_match_says_what_was_expected(line: str, hint: str):
    row = one(line)
    assert row["outcome"] == "error"
    assert hint in row["reason"]
    assert "secret-word" not in row["reason"]
    assert row["time"] is None


def test_only_a_code_for_uploads_gives_bytes_out():
    both = one("1767607200.120 500 30 http://a.example/", logformat="%ts.%03tu %>st %<st %ru")
    assert (both["bytes_out"], both["bytes_in"]) == (500, 30)
    total = one("1767607200.120 530 30 http://a.example/", logformat="%ts.%03tu %st %<st %ru")
    assert (total["bytes_out"], total["bytes_in"]) == (500, 30)
    assert one("1767607200.120 30 http://a.example/", logformat="%ts.%03tu %<st %ru")["bytes_out"] is None
    assert one("1767607200.120 - http://a.example/", logformat="%ts.%03tu %>st %ru")["bytes_out"] is None


@pytest.mark.parametrize(
    ("logformat", "text", "time", "kind", "precision"),
    [
        ("%ts.%03tu %ru", "1767607200.005 x:1", datetime(2026, 1, 5, 10, 0, 0, 5000), "end", "1ms"),
        ("%ts %ru", "1767607200 x:1", datetime(2026, 1, 5, 10), "end", "1s"),
        ("%ts %06.6tu %ru", "1767607200 000042 x:1", datetime(2026, 1, 5, 10, 0, 0, 42), "end", "1ms"),
        ("%tS %ru", "1767607200.250 x:1", datetime(2026, 1, 5, 10, 0, 0, 250000), "start", "1ms"),
        ("%tS %ts %ru", "1767607100.250 1767607200 x:1", datetime(2026, 1, 5, 10), "end", "1s"),
        ("[%tl] %ru", "[05/Jan/2026:11:00:00 +0100] x:1", datetime(2026, 1, 5, 10), "end", "1s"),
        ("%tg %ru", "05/Jan/2026:10:00:00 x:1", datetime(2026, 1, 5, 10), "end", "1s"),
        ("%{%F %T%z}tl %ru", "2026-01-05 11:00:00+0100 x:1", datetime(2026, 1, 5, 10), "end", "1s"),
    ],
)
def test_time_codes(logformat: str, text: str, time: datetime, kind: str, precision: str):
    row = one(text, logformat=logformat)
    assert (row["time"], row["time_kind"], row["time_precision"]) == (time, kind, precision)


def test_headers_of_a_custom_line():
    row = one(
        r'1767607200.120 https://s3.example/b "cli \"x\" \\n"'
        ' "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01" R7',
        logformat='%ts.%03tu %ru "%{User-Agent}>h" "%{traceparent}>h" %{x-amzn-RequestId}<h',
    )
    assert row["user_agent"] == r'cli "x" \n'
    assert row["trace_uid"] == "trace:id/4bf92f3577b34da6a3ce929d0e0e4736"
    assert row["request_uid"] == "R7"


def test_the_combined_format_is_anchored_at_its_end():
    line = (
        '10.0.0.1 - jane doe [05/Jan/2026:11:00:00 +0100] "GET http://a.example/x HTTP/1.1" 200 30 "-"'
        ' "x" TCP_DENIED:HIER_NONE "y" TCP_MISS:HIER_DIRECT'
    )
    row = one(line, logformat="combined")
    assert (row["principal"], row["status"]) == ("proxy:user/egress/jane doe", "success")
    assert row["user_agent"].endswith('"y')


def test_a_parent_cache_is_not_the_destination():
    assert one(native(tail="FIRSTUP_PARENT/192.0.2.3 text/html"))["dst_ip"] is None
    assert one(native(tail="DIRECT/www.a.example text/html"))["dst_ip"] is None


def test_a_proxy_proves_no_grants():
    assert squid.grants(table([native()]), SquidOptions()).schema == GRANTS_OUT
    assert squid.grants(table([native()]), SquidOptions()).num_rows == 0


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET http://bob:hunter2@a.example/ -", "hunter2"),
        ("GET http://bob:hunt@er2@a.example/ -", "hunt@er2"),
        ("GET https://ghp_abcdef@a.example/ -", "ghp_abcdef"),
        ("GET https://a.example/?x=1&access_token=abc123&y=2 -", "abc123"),
        ("GET https://a.example/?X-Amz-Signature=0f0f -", "0f0f"),
        ("GET https://a.example/?X-Amz-Security-Token=IQo%2F -", "IQo%2F"),
        ("GET https://a.example/%3Fapi_key%3Dqwerty -", "qwerty"),
        ("GET https://a.example/?code=4/P7 -", "4/P7"),
        (r"[Authorization: Basic Ym9iOmh1bnRlcjI=\r\n]", "Ym9iOmh1bnRlcjI="),
        (r"[Cookie: sid=1; b=2\r\nX: y]", "sid=1; b=2"),
    ],
)
def test_secrets_are_found(text: str, secret: str):
    found = {match for rule in squid.FORMAT.secrets for match in re.findall(rule.pattern, text)}
    assert secret in found


@pytest.mark.parametrize(
    "line",
    [
        native(url="https://a.example/?X-Amz-Credential=AKIAEXAMPLE/20260105&page=2"),
        native(url="http://a.example/cookie:", user="svc-finance"),
        native(url="http://a.example/[x-api-key:", user="svc-finance"),
        native(url="http://a.example/authorization:", user="bearer svc-finance"),
        native(user="basic"),
    ],
)
def test_secrets_leave_names_and_hierarchy_alone(line: str):
    assert not any(re.search(rule.pattern, line) for rule in squid.FORMAT.secrets)


def test_real_native_lines():
    rows = read(shared("squid", "native_lines.log").read_text().splitlines())
    assert [row["outcome"] for row in rows] == ["action"] * 4
    assert rows[0]["dst_host"] == "logs.ap-southeast-2.amazonaws.com"
    assert rows[0]["duration_ms"] == 16867
    assert rows[1]["principal"] == "proxy:user/egress/public-user"
    assert [row["status"] for row in rows] == ["success", "success", "failure", "failure"]


def test_a_real_custom_log():
    lines = shared("gh-aw-firewall/access.log").read_text().splitlines()
    layout = '%ts.%03tu %>a:%>p %{Host}>h %<a:%<p %rv %rm %>Hs %Ss:%Sh %ru "%{User-Agent}>h"'
    rows = read(lines, logformat=layout)
    audited = [json.loads(line) for line in shared("gh-aw-firewall/audit.jsonl").read_text().splitlines()]
    for row, entry in zip(rows, audited, strict=True):
        assert f"{row['dst_host']}:{row['dst_port']}" == entry["host"]
        assert (row["http_method"], row["status_code"]) == (entry["method"], str(entry["status"]))
        assert row["src_ip"] == entry["client"]
        assert row["user_agent"].startswith("curl/")
    assert [row["status"] for row in rows] == ["success", "success", "denied"]


@settings(max_examples=15, deadline=None)
@given(st.lists(HOSTILE | st.lists(PARTS | HOSTILE, max_size=12).map(" ".join), min_size=1, max_size=40))
def test_any_text_is_one_row(lines: list[str]):
    for logformat in (None, WORKERTRAIL, "combined"):
        for row in read(lines, logformat=logformat):
            assert row["outcome"] in {"action", "error", "skipped"}
            assert (row["reason"] is None) == (row["outcome"] == "action")


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE, HOSTILE), min_size=1, max_size=20))
def test_hostile_fields_of_a_native_line_are_inert(fields: list[tuple[str, str, str, str]]):
    read([native(url=url, user=user, client=client, tail=tail) for url, user, client, tail in fields])
