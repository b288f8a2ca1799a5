"""nginx: records in, action columns out."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats.nginx import FORMAT, NginxOptions
from pipelines.formats.secrets import redact
from tests.pipelines.formats.proxy_lines import HOSTILE, SAMPLES, mutated, one, read, sample, survives
from tests.pipelines.formats.test_nginx_real import CUSTOM


def line(
    *, client: str = "10.0.0.1", user: str = "svc", request: str = "GET /x HTTP/1.1", status: str = "200",
    agent: str = "cli/1",
) -> str:  # fmt: skip
    """A line of the combined format."""
    return f'{client} - {user} [05/Jan/2026:11:00:00 +0100] "{request}" {status} 30 "-" "{agent}"'


@pytest.mark.parametrize("file", ["combined.log", "custom.log"])
def test_the_sample_gives_the_expected_actions(file: str):
    told, expected = sample("nginx", file)
    assert told == expected


def test_the_time_is_the_end_in_the_zone_that_it_names():
    row = one("nginx", line())
    assert (str(row["time"]), row["time_kind"], row["time_precision"]) == ("2026-01-05 10:00:00", "end", "1s")


@pytest.mark.parametrize(
    ("variable", "text", "time", "precision"),
    [
        ("$msec", "1767607200.120", "2026-01-05 10:00:00.120000", "1ms"),
        ("[$time_local]", "[05/Jan/2026:05:00:00 -0500]", "2026-01-05 10:00:00", "1s"),
        ("$time_iso8601", "2026-01-05T11:00:00+01:00", "2026-01-05 10:00:00", "1s"),
    ],
)
def test_times(variable: str, text: str, time: str, precision: str):
    row = one("nginx", f'{text} "GET /x HTTP/1.1"', log_format=f'{variable} "$request"')
    assert (str(row["time"]), row["time_precision"]) == (time, precision)


def test_only_the_request_length_gives_bytes_out():
    assert one("nginx", line())["bytes_out"] is None
    sizes = one(
        "nginx",
        '1.5 "GET /x HTTP/1.1" 500 310 300',
        log_format='$msec "$request" $request_length $bytes_sent $body_bytes_sent',
    )
    assert (sizes["bytes_out"], sizes["bytes_in"]) == (500, 310)


def test_a_name_is_proven_only_where_it_is_checked_and_accepted():
    strengths = [
        one("nginx", line(), authenticated=True),
        one("nginx", line()),
        one("nginx", line(status="401"), authenticated=True),
    ]
    assert [row["identity_strength"] for row in strengths] == ["proven", "asserted", "asserted"]
    assert {row["principal"] for row in strengths} == {"proxy:user/egress/svc"}


@pytest.mark.parametrize(
    ("request_line", "method", "host", "port", "path"),
    [
        ("GET /x?q HTTP/1.1", "GET", None, None, "/x"),
        ("GET http://A.example:81/x HTTP/1.1", "GET", "a.example", 81, "/x"),
        ("GET http://good.example@evil.example/ HTTP/1.1", "GET", "evil.example", 80, "/"),
        ("GET /a b HTTP/1.1", "GET", None, None, "/a b"),
        (r"GET /\xC3\xBC HTTP/1.1", "GET", None, None, "/ü"),
        (r"GET /\xFF HTTP/1.1", "GET", None, None, r"/\xFF"),
    ],
)
def test_where_a_request_went(request_line: str, method: str, host: str | None, port: int | None, path: str):
    row = one("nginx", line(request=request_line))
    assert (row["http_method"], row["dst_host"], row["dst_port"], row["url_path"]) == (method, host, port, path)


def test_what_was_no_request_is_skipped_unless_it_was_answered():
    rows = read("nginx", [line(request=r"\x16\x03", status="400"), line(request="", status="408"), line(request="?")])
    assert [row["outcome"] for row in rows] == ["skipped", "skipped", "action"]


@pytest.mark.parametrize(
    ("upstream", "ip"),
    [
        ("192.0.2.1:80", "192.0.2.1"),
        ("192.0.2.1:80, [2001:DB8::2]:80", "2001:db8::2"),
        ("192.0.2.1:80, 192.0.2.2:80 : 192.0.2.3:80", "192.0.2.3"),
        ("unix:/run/app.sock", None),
        ("-", None),
    ],
)
def test_the_last_upstream_answered(upstream: str, ip: str | None):
    row = one("nginx", f'1.5 "GET /x HTTP/1.1" {upstream} 7', log_format='$msec "$request" $upstream_addr $status')
    assert (row["dst_ip"], row["outcome"]) == (ip, "action")


def test_escapes():
    assert one("nginx", line(agent=r"a \x22b\x22 \x5C \x09"))["user_agent"] == 'a "b" \\ \t'
    layout = r"""escape=json '{"t":"$msec","r":"$request","a":"$http_user_agent"}'"""
    row = one("nginx", r'{"t":"1.5","r":"GET \/x HTTP/1.1","a":"q\"\u0007ü"}', log_format=layout)
    assert (row["url_path"], row["user_agent"]) == ("/x", 'q"\u0007ü')


def test_an_unmarked_value_proves_no_name():
    layout = '$msec $http_user_agent $remote_user "$request"'
    rows = read(
        "nginx",
        ['1.5 cli svc "GET /x HTTP/1.1"', '1.5 cli root svc "GET /x HTTP/1.1"'],
        log_format=layout,
        authenticated=True,
    )
    assert [row["identity_strength"] for row in rows] == ["proven", "asserted"]


def test_quotes_that_are_not_escaped_prove_no_name():
    layout = """escape=none '$msec "$http_user_agent" "$remote_user" "$request"'"""
    forged = '1.5 "x" "root" "GET /evil HTTP/1.1" "svc" "GET /x HTTP/1.1"'
    rows = read("nginx", ['1.5 "cli" "svc" "GET /x HTTP/1.1"', forged], log_format=layout, authenticated=True)
    assert [row["identity_strength"] for row in rows] == ["proven", "asserted"]


def test_a_directive_can_be_pasted():
    directive = """log_format own '$remote_addr [$time_local] '
        '"$request" $status';"""
    row = one("nginx", '10.0.0.1 [05/Jan/2026:11:00:00 +0100] "GET /x HTTP/1.1" 200', log_format=directive)
    assert (row["src_ip"], row["status_code"]) == ("10.0.0.1", "200")


@pytest.mark.parametrize(
    ("log_format", "problem"),
    [
        ('"$request"', "says no time"),
        ("$msec", "says no destination"),
        ('$msec "$request" "$http_authorization"', "position 19: \\$http_authorization writes secrets"),
        ('$msec "$request" "$cookie_sid"', "writes secrets"),
        ('$msec "$request" "$arg_access_token"', "writes secrets"),
        ("", "empty"),
    ],
)
def test_a_log_format_that_cannot_be_used_is_refused(log_format: str, problem: str):
    with pytest.raises(ValueError, match=problem):
        NginxOptions(log_format=log_format)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (line(request="GET /x?access_token=abc123&y=2 HTTP/1.1"), "abc123"),
        (line(request="GET /x?X-Amz-Signature=0f0f HTTP/1.1"), "0f0f"),
        (line(request="GET http://bob:hunter2@a.example/ HTTP/1.1"), "hunter2"),
        (line().replace('"-"', '"https://a.example/cb?code=4/P7"'), "4/P7"),
    ],
)
def test_secrets_are_replaced(text: str, secret: str):
    kept = redact(pa.array([text]), b"k" * 32, FORMAT.secrets, spaced=FORMAT.spaced)[0].as_py()
    assert secret not in kept
    assert one("nginx", kept)["outcome"] == "action"


@pytest.mark.parametrize(("record", "reason"), [("", "the line is blank"), ("secret-word", "it has 11 characters")])
def test_what_is_no_record_has_a_reason(record: str, reason: str):
    row = one("nginx", record)
    assert row["outcome"] == "error"
    assert reason in row["reason"]
    assert "secret-word" not in row["reason"]


RECORDS: dict[str, list[str]] = {
    file: (SAMPLES / "nginx" / file).read_text().splitlines() for file in ("combined.log", "custom.log")
}


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_any_text_is_one_row(data: Any):
    for file, log_format in (("combined.log", None), ("custom.log", CUSTOM)):
        records = data.draw(st.lists(mutated(RECORDS[file]) | HOSTILE, min_size=10, max_size=40))
        survives("nginx", records, log_format=log_format)
