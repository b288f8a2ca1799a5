"""Envoy: records in, action columns out."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats.envoy import FORMAT, EnvoyOptions
from pipelines.formats.secrets import redact
from tests.machine import shared
from tests.pipelines.formats.proxy_lines import HOSTILE, SAMPLES, mutated, one, read, sample, survives


def line(**changed: str) -> str:
    """A line of the default format."""
    given = {
        "time": "2026-01-05T10:00:00.120Z", "method": "GET", "path": "/x", "protocol": "HTTP/1.1", "code": "200",
        "flags": "-", "up": "10", "down": "20", "agent": "cli/1", "id": "r-1", "host": "a.example",
        "upstream": "192.0.2.1:443", **changed,
    }  # fmt: skip
    return (
        '[{time}] "{method} {path} {protocol}" {code} {flags} {up} {down} 5 - "-" "{agent}" "{id}" "{host}"'
        ' "{upstream}"'
    ).format(**given)


def entry(**changed: Any) -> str:
    """A JSON object with the common keys."""
    return json.dumps(
        {
            "start_time": "2026-01-05T10:00:00.120Z", "method": "GET", "path": "/x", "protocol": "HTTP/1.1",
            ":authority": "a.example", "response_code": 200, "response_flags": "-", **changed,
        }
    )  # fmt: skip


@pytest.mark.parametrize("file", ["default.log", "json.log"])
def test_the_sample_gives_the_expected_actions(file: str):
    told, expected = sample("envoy", file)
    assert told == expected


def test_bytes_received_are_those_that_the_caller_sent():
    row = one("envoy", line(up="1000", down="5"))
    assert (row["bytes_out"], row["bytes_in"]) == (1000, 5)
    whole = one("envoy", entry(bytes_received=1000, downstream_wire_bytes_received=1200, bytes_sent=5))
    assert (whole["bytes_out"], whole["bytes_in"]) == (1200, 5)


def test_the_time_is_the_start():
    row = one("envoy", line())
    assert (str(row["time"]), row["time_kind"], row["duration_ms"]) == ("2026-01-05 10:00:00.120000", "start", 5)


@pytest.mark.parametrize(
    ("flags", "code", "details", "status"),
    [
        ("-", 200, "via_upstream", "success"),
        ("DC", 200, None, "failure"),
        ("-", 0, "http2.remote_reset", "failure"),
        ("NR", 404, "route_not_found", "failure"),
        ("UAEX", 200, "ext_authz_denied", "denied"),
        ("-", 403, "rbac_access_denied_matched_policy[none]", "denied"),
        ("-", 200, "rbac_access_denied_matched_policy[none]", "denied"),
        ("-", 401, "jwt_authn_access_denied{Jwt_is_missing}", "denied"),
        ("RFCF", 200, "response_from_cache_filter", "success"),
    ],
)
def test_status(flags: str, code: int, details: str | None, status: str):
    row = one("envoy", entry(response_flags=flags, response_code=code, response_code_details=details))
    assert row["status"] == status


@pytest.mark.parametrize("value", [None, "-", ""])
def test_words_that_mean_nothing(value: str | None):
    row = one("envoy", entry(**{"user-agent": value, "upstream_host": value, "bytes_sent": value}))
    assert (row["user_agent"], row["dst_ip"], row["bytes_in"]) == (None, None, None)


@pytest.mark.parametrize(
    ("address", "ip", "port"),
    [
        ("10.0.0.1:5000", "10.0.0.1", 5000),
        ("[2001:DB8::1]:5000", "2001:db8::1", 5000),
        ("[::ffff:10.0.0.1]:5000", "10.0.0.1", 5000),
        ("/var/run/envoy.sock", None, None),
    ],
)
def test_addresses(address: str, ip: str | None, port: int | None):
    row = one("envoy", entry(downstream_remote_address=address))
    assert (row["src_ip"], row["src_port"]) == (ip, port)


def test_the_address_is_the_peers_and_never_the_forwarded_one():
    row = one(
        "envoy",
        entry(
            downstream_remote_address="203.0.113.9:0",
            downstream_direct_remote_address="10.0.0.1:5000",
            **{"x-forwarded-for": "198.51.100.1"},
        ),
    )
    assert (row["src_ip"], row["src_port"]) == ("10.0.0.1", 5000)


@pytest.mark.parametrize(
    "agent",
    ['x" "r" "evil.example" "10.9.9.9:1', 'a"', '" 500 - 9 9 9 - "-" "', '"" "" "" ""', 'x" "r" "b" "c" "d" "e'],
)
def test_quotes_of_a_header_forge_nothing(agent: str):
    row = one("envoy", line(agent=agent, up="777"))
    assert (row["dst_host"], row["dst_ip"], row["bytes_out"]) == ("a.example", "192.0.2.1", 777)
    assert (row["status_code"], row["url_path"]) == ("200", "/x")


def test_a_path_with_quotes_is_read():
    row = one("envoy", line(path='/x"y'))
    assert (row["url_path"], row["bytes_out"]) == ('/x"y', 10)


JWT = "DYNAMIC_METADATA(envoy.filters.http.jwt_authn:jwt_payload:{})"
IDENTITY: dict[str, Any] = {
    "t": "%START_TIME%",
    "h": "%REQ(:AUTHORITY)%",
    "who": {key: f"%{JWT.format(key)}%" for key in ("iss", "sub", "jti")},
    "name": "%REQ(X-USER)%",
}


def test_a_verified_token_names_its_subject():
    who = {"iss": "https://issuer.example/", "sub": "agent-7", "jti": "t-1"}
    record = json.dumps({"t": "2026-01-05T10:00:00Z", "h": "a.example", "who": who, "name": "root"})
    row = one("envoy", record, json_format=IDENTITY, authenticated=True)
    assert (row["principal"], row["identity_strength"]) == ("oidc:subject/issuer.example#agent-7", "proven")
    assert (row["credential_uid"], row["credential_type"]) == ("oauth:token/issuer.example#t-1", "oauth_token")
    assert one("envoy", record, json_format=IDENTITY)["identity_strength"] == "asserted"


def test_no_identity_is_proven_behind_a_header_with_quotes():
    text = '[%START_TIME%] "%REQ(USER-AGENT)%" "%REQ(:AUTHORITY)%" "%DOWNSTREAM_PEER_URI_SAN%"'
    good = '[2026-01-05T10:00:00Z] "cli" "a.example" "spiffe://corp/a"'
    forged = '[2026-01-05T10:00:00Z] "x" "b.example" "spiffe://corp/b" "a.example" "-"'
    rows = read("envoy", [good, forged], text_format=text, authenticated=True)
    assert rows[0]["principal"] == "spiffe:id/spiffe://corp/a"
    assert [row["identity_strength"] for row in rows] == ["proven", "asserted"]


def test_istios_text():
    record = (
        '[2026-01-05T10:00:00.120Z] "GET /x HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-"'
        ' "cli" "r" "a.example:8080" "-" inbound|8080|| - 10.0.0.2:8080 10.0.0.1:50000 outbound_.8080_._.a.example'
        " default"
    )
    row = one("envoy", record)
    assert (row["status"], row["src_ip"], row["src_port"]) == ("denied", "10.0.0.1", 50000)
    assert (row["dst_host"], row["dst_port"]) == ("a.example", 8080)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"text_format": "%REQ(:AUTHORITY)%"}, "says no time"),
        ({"text_format": "%START_TIME%"}, "says no destination"),
        ({"text_format": "%START_TIME% %REQ(:AUTHORITY)% %REQ(AUTHORIZATION)%"}, "writes secrets"),
        ({"text_format": "%START_TIME(%H:%M)% %REQ(:AUTHORITY)%"}, "cannot be read"),
        ({"text_format": "%START_TIME% %REQ(:AUTHORITY):5%"}, "cuts off"),
        ({"json_format": {"t": "%START_TIME%", "h": "%REQ(COOKIE)%"}}, "writes secrets"),
        ({"json_format": {"t": "%START_TIME%"}}, "says no destination"),
    ],
)
def test_a_format_that_cannot_be_read_is_refused(options: dict[str, Any], problem: str):
    with pytest.raises(ValueError, match=problem):
        EnvoyOptions.model_validate(options)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("", "the line is blank"),
        ("secret-word", "no line of the format: it has 11 characters and 0 quotation marks"),
        ('{"a', "not valid JSON"),
        ("{}", "no start time under the key of %START_TIME%"),
        (entry(start_time="yesterday"), "no time between 1970 and 9999"),
        ("2026-01-05T10:00:00.1Z stdout P [2026", "a part of a line that the container runtime cut"),
    ],
)
def test_what_is_no_record_has_a_reason(record: str, reason: str):
    row = one("envoy", record)
    assert row["outcome"] == "error"
    assert reason in row["reason"]
    assert "secret-word" not in row["reason"]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (line(path="/x?access_token=abc123&y=2"), "abc123"),
        (entry(path="/x?X-Amz-Signature=0f0f"), "0f0f"),
        (entry(path="https://bob:hunter2@a.example/"), "hunter2"),
        (line(agent="Bearer abcdefghijklmnopqrst"), "abcdefghijklmnopqrst"),
    ],
)
def test_secrets_are_replaced(text: str, secret: str):
    kept = redact(pa.array([text]), b"k" * 32, FORMAT.secrets, spaced=FORMAT.spaced)[0].as_py()
    assert secret not in kept
    assert one("envoy", kept)["outcome"] == "action"


def test_the_real_logs():
    rows = read("envoy", shared("crowdsec-hub/envoy-logs/envoy.log").read_text().splitlines())
    assert [row["outcome"] for row in rows] == ["action"] * 10
    told = [(row["http_method"], row["url_path"], row["status_code"], row["src_ip"]) for row in rows[:4]]
    assert told == [
        ("GET", "/assets/image.webp", "200", "10.0.0.12"),
        ("GET", "/", "301", "192.168.1.45"),
        ("HEAD", "/.env", "404", "172.16.2.33"),
        ("POST", "/api/v1/locations", "204", None),  # the other parser takes this address from X-Forwarded-For
    ]


RECORDS = [text for file in ("default.log", "json.log") for text in (SAMPLES / "envoy" / file).read_text().splitlines()]


@settings(max_examples=12, deadline=None)
@given(st.lists(mutated(RECORDS) | HOSTILE, min_size=10, max_size=40))
def test_any_text_is_one_row(records: list[str]):
    survives("envoy", records)
