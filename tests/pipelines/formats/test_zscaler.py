"""Zscaler: records in, action columns out."""

from __future__ import annotations

import base64
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats.secrets import redact
from pipelines.formats.zscaler import FORMAT, ZscalerOptions
from tests.pipelines.formats.proxy_lines import HOSTILE, SAMPLES, mutated, one, sample, split, survives


def event(**changed: Any) -> str:
    """A record with a few fields of a feed."""
    given = {
        "epochtime": "1767607200", "login": "agent@corp.example", "url": "a.example/x", "proto": "HTTPS",
        "action": "Allowed", "respcode": "200", "reqmethod": "GET", **changed,
    }  # fmt: skip
    return json.dumps({"sourcetype": "zscalernss-web", "event": given})


def test_the_sample_gives_the_expected_actions():
    told, expected = sample("zscaler", "web.jsonl")
    assert told == expected


def test_an_array_of_cloud_nss_is_its_records():
    text = f"[{event()},\n{event()}]".encode()
    assert len(split("zscaler", text)) == 2


def test_request_sizes_are_what_the_caller_sent():
    row = one("zscaler", event(reqsize="1300", respsize="10500"))
    assert (row["bytes_out"], row["bytes_in"]) == (1300, 10500)
    parts = one("zscaler", event(reqhdrsize="300", reqdatasize="1000", resphdrsize="500", respdatasize="10000"))
    assert (parts["bytes_out"], parts["bytes_in"]) == (1300, 10500)


@pytest.mark.parametrize(
    ("fields", "zone", "time"),
    [
        ({"time": "Mon Jan 05 10:00:00 2026"}, "UTC", "2026-01-05 10:00:00"),
        ({"time": "Mon Jan 05 10:00:00 2026"}, "Europe/Berlin", "2026-01-05 09:00:00"),
        ({"time": "Mon Jan 05 10:00:00 2026", "tz": "America/New_York"}, "Europe/Berlin", "2026-01-05 15:00:00"),
        ({"time": "Mon Jan 05 10:00:00 2026", "tz": "GMT"}, "Europe/Berlin", "2026-01-05 10:00:00"),
        ({"datetime": "2026-01-05 10:00:00"}, "UTC", "2026-01-05 10:00:00"),
        ({"epochtime": "1767607200", "time": "Mon Jan 05 11:00:00 2026"}, "UTC", "2026-01-05 10:00:00"),
    ],
)
def test_local_time_is_of_the_feeds_zone(fields: dict[str, str], zone: str, time: str):
    record = event(**{"epochtime": None, **fields})
    assert str(one("zscaler", record, timezone=zone)["time"]) == time


@pytest.mark.parametrize("word", ["None", "NA", "N/A", "", "-"])
def test_words_that_mean_nothing(word: str):
    row = one("zscaler", event(login=word, ua=word, respcode=word, reqmethod=word, sip="0.0.0.0", reqsize=word))
    assert [row[name] for name in ("principal", "user_agent", "status_code", "http_method", "dst_ip", "bytes_out")] == [
        None
    ] * 6
    assert row["status"] == "success"


def test_a_login_without_an_at_sign_is_a_location():
    assert one("zscaler", event(login="branch-berlin"), authenticated=True)["principal"] is None
    row = one("zscaler", event(), authenticated=True)
    assert (row["principal"], row["identity_strength"]) == ("proxy:user/egress/agent@corp.example", "proven")
    assert one("zscaler", event())["identity_strength"] == "asserted"
    assert one("zscaler", event(login=None, ologin="agent@corp.example"))["principal"] is None


@pytest.mark.parametrize(
    ("fields", "host", "port", "path"),
    [
        ({"url": "a.example/x?y"}, "a.example", 443, "/x"),
        ({"url": "a.example/x", "proto": "HTTP"}, "a.example", 80, "/x"),
        ({"url": "a.example:8443/x"}, "a.example", 8443, "/x"),
        ({"url": "a.example:443", "reqmethod": "connect"}, "a.example", 443, None),
        ({"url": "[2001:DB8::1]/x", "proto": "None"}, "2001:db8::1", None, "/x"),
        ({"url": "a.example/x", "srv_dport": "8080"}, "a.example", 8080, "/x"),
        ({"url": None, "b64url": base64.b64encode(b"a.example/x").decode()}, "a.example", 443, "/x"),
        ({"url": None, "host": "a.example"}, "a.example", 443, None),
    ],
)
def test_where_a_request_went(fields: dict[str, Any], host: str, port: int | None, path: str | None):
    row = one("zscaler", event(**fields))
    assert (row["dst_host"], row["dst_port"], row["url_path"]) == (host, port, path)


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({}, "success", None),
        ({"action": "Blocked", "respcode": "200", "reason": "Data loss"}, "denied", "Data loss"),
        ({"respcode": "403 - Forbidden"}, "denied", "Allowed"),
        ({"respcode": "503"}, "failure", "Allowed"),
        ({"respcode": "NA"}, "success", None),
    ],
)
def test_status(fields: dict[str, str], status: str, error: str | None):
    row = one("zscaler", event(**fields))
    assert (row["status"], row["error"]) == (status, error)


def test_what_can_be_inside_of_what():
    tunnels = [event(reqmethod="CONNECT", url="a.example:443", ssldecrypted=word) for word in ("Yes", "No", None)]
    assert [one("zscaler", record)["twin_rank"] for record in tunnels] == [1, None, 2]
    assert one("zscaler", event())["twin_rank"] == 0
    assert one("zscaler", event(proto="HTTP"))["twin_rank"] is None


FEED = r'\{"at":"%d{epochtime}","who":"%s{login}","to":"%s{eurl}","up":"%d{reqsize}","down":"%d{respsize}"\}'


def test_a_feed_of_ones_own():
    record = '{"at":"1767607200","who":"agent@corp.example","to":"a.example/x","up":"5","down":"7"}'
    row = one("zscaler", record, feed=FEED)
    assert (row["principal"], row["dst_host"]) == ("proxy:user/egress/agent@corp.example", "a.example")
    assert (row["bytes_out"], row["bytes_in"]) == (5, 7)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"feed": '"to":"%s{url}"'}, "says no time"),
        ({"feed": '"at":"%d{epochtime}"'}, "says no destination"),
        ({"timezone": "Mars/Base"}, "no time zone"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], problem: str):
    with pytest.raises(ValueError, match=problem):
        ZscalerOptions.model_validate(options)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("[1]", "not a JSON object"),
        ('{"a', "not a JSON object"),
        ("{}", "neither time nor epochtime"),
        (event(url=None), "neither url nor host"),
        (event(epochtime=None, time="Mon Jan 05 10:00:00 2026", tz="Mars/Base"), "the time zone in tz is unknown"),
        (event(epochtime=None, time="yesterday"), "no time between 1970 and 9999"),
    ],
)
def test_what_is_no_record_has_a_reason(record: str, reason: str):
    row = one("zscaler", record)
    assert row["outcome"] == "error"
    assert reason in row["reason"]


@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        ({"url": "a.example/x?access_token=abc123&y=2"}, "abc123"),
        ({"url": "bob:hunter2@a.example/"}, "hunter2"),
        ({"referer": "https://a.example/cb?code=4/P7"}, "4/P7"),
        ({"ua": "Bearer abcdefghijklmnopqrst"}, "abcdefghijklmnopqrst"),
    ],
)
def test_secrets_are_replaced(fields: dict[str, str], secret: str):
    kept = redact(pa.array([event(**fields)]), b"k" * 32, FORMAT.secrets, spaced=FORMAT.spaced)[0].as_py()
    assert secret not in kept
    assert one("zscaler", kept)["outcome"] == "action"


RECORDS = split("zscaler", (SAMPLES / "zscaler/web.jsonl").read_bytes())


@settings(max_examples=12, deadline=None)
@given(st.lists(mutated(RECORDS) | HOSTILE, min_size=10, max_size=40))
def test_any_text_is_one_row(records: list[str]):
    survives("zscaler", records)
