"""Zeek: streams to records, and records to action columns."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats import zeek
from pipelines.formats.secrets import redact
from pipelines.formats.zeek import FORMAT, ZeekOptions
from pipelines.pull.window import Window
from tests.machine import shared
from tests.pipelines.formats.proxy_lines import HOSTILE, SAMPLES, mutated, one, read, sample, split, survives

HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t{path}\n#fields\t{fields}\n"
)
HTTP = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p trans_depth method host uri referrer version user_agent origin"
    " request_body_len response_body_len status_code status_msg info_code info_msg tags username password proxied"
).replace(" ", "\t")


def log(path: str, fields: str, *lines: str) -> bytes:
    """A tab-separated log; the values of lines are parted by spaces here."""
    body = "\n".join(line.replace(" ", "\t") for line in lines)
    return f"{HEADER.format(path=path, fields=fields)}{body}\n#close\t2026-01-05-11-00-00\n".encode()


def connection(**changed: Any) -> str:
    """A connection as JSON."""
    given = {
        "_path": "conn", "ts": 1767607200.12, "uid": "C1", "id.orig_h": "10.0.0.1", "id.orig_p": 5000,
        "id.resp_h": "192.0.2.1", "id.resp_p": 443, "conn_state": "SF", "orig_bytes": 500, "resp_bytes": 7, **changed,
    }  # fmt: skip
    return json.dumps({name: value for name, value in given.items() if value is not None})


def request(**changed: Any) -> str:
    """A request as JSON."""
    given = {
        "ts": 1767607200.12, "uid": "C1", "id.orig_h": "10.0.0.1", "id.orig_p": 5000, "id.resp_h": "192.0.2.1",
        "id.resp_p": 8080, "trans_depth": 1, "method": "GET", "host": "a.example", "uri": "/x",
        "request_body_len": 0, "response_body_len": 10, "status_code": 200, **changed,
    }  # fmt: skip
    return json.dumps({name: value for name, value in given.items() if value is not None})


@pytest.mark.parametrize("file", ["conn.log", "ssl.log", "http.log"])
def test_the_sample_gives_the_expected_actions(file: str):
    told, expected = sample("zeek", file)
    assert told == expected


def test_a_record_carries_its_header_and_headers_are_no_records():
    first = log("conn", "ts\tuid", "1.5 C1", "2.5 C2")
    second = log("http", "uid\tts", "C3 3.5")
    records = split("zeek", first + second)
    assert [record.splitlines()[-1] for record in records] == ["1.5\tC1", "2.5\tC2", "C3\t3.5"]
    assert [record.splitlines()[-2] for record in records] == ["#fields\tts\tuid"] * 2 + ["#fields\tuid\tts"]


def test_a_file_that_grew_is_read_with_the_header_at_its_beginning(tmp_path: Path):
    file = tmp_path / "conn.log"
    whole = log("conn", "ts\tuid", "1.5 C1", "2.5 C2", "3.5 C3")
    file.write_bytes(whole)
    start = whole.index(b"2.5")
    with file.open("rb") as opened:
        window = Window(opened.fileno(), start, len(whole))
        window.seek(start)
        parts = [part.pieces["raw"].to_pylist() for part in zeek.split(window, True, ZeekOptions())]  # type: ignore[arg-type]
        ended = window.sha256()
        plain = Window(opened.fileno(), start, len(whole))
        assert ended == plain.sha256()
    assert [raw.decode() for part in parts for raw in part] == split("zeek", whole)[1:]


def test_json_lines_stay_as_they_are():
    assert split("zeek", f"{connection()}\n{request()}\n".encode()) == [connection(), request()]


def test_of_a_connection_orig_is_the_caller():
    row = one("zeek", connection(duration=0.5))
    assert (row["src_ip"], row["src_port"], row["dst_ip"], row["dst_port"]) == ("10.0.0.1", 5000, "192.0.2.1", 443)
    assert (row["bytes_out"], row["bytes_in"], row["duration_ms"]) == (500, 7, 500)
    assert (str(row["time"]), row["time_kind"], row["class_uid"]) == ("2026-01-05 10:00:00.120000", "start", 4001)


@pytest.mark.parametrize(
    "moment", [1767607200.12, 1767607200120, "2026-01-05T10:00:00.120000Z", "2026-01-05T11:00:00.12+01:00"]
)
def test_times_of_json(moment: Any):
    assert str(one("zeek", connection(ts=moment))["time"]) == "2026-01-05 10:00:00.120000"


@pytest.mark.parametrize("spelling", ["id.{}", "id_{}", "nested"])
def test_spellings_of_the_endpoints(spelling: str):
    ends = {"orig_h": "2001:DB8::1", "orig_p": 5000, "resp_h": "fe80::2%eth0", "resp_p": 25}
    none = {f"id.{name}": None for name in ends}
    given = {"id": ends} if spelling == "nested" else {spelling.format(name): value for name, value in ends.items()}
    row = one("zeek", connection(**{**none, **given}))
    assert (row["src_ip"], row["src_port"], row["dst_ip"], row["dst_port"]) == ("2001:db8::1", 5000, "fe80::2", 25)


@pytest.mark.parametrize(
    ("state", "status"),
    [("SF", "success"), ("S1", "success"), ("RSTO", "success"), ("S0", "failure"), ("REJ", "failure")],
)
def test_connection_states(state: str, status: str):
    assert one("zeek", connection(conn_state=state))["status"] == status


def test_of_one_connections_records_the_named_one_is_primary():
    tls = json.dumps({"_path": "ssl", "ts": 1.5, "uid": "C1", "server_name": "a.example", "established": True})
    rows = read("zeek", [connection(), tls, request(), request(trans_depth=2)])
    assert [(row["twin_uid"], row["twin_rank"]) for row in rows] == [
        ("zeek/egress/C1", 2),
        ("zeek/egress/C1", 1),
        ("zeek/egress/C1", 0),
        (None, None),
    ]
    assert len({row["native_id"] for row in rows}) == 4


@pytest.mark.parametrize(
    ("fields", "host", "port", "ip", "path"),
    [
        ({}, "a.example", 8080, "192.0.2.1", "/x"),
        ({"host": "a.example:81"}, "a.example", 8080, "192.0.2.1", "/x"),
        ({"uri": "http://b.example/y"}, "b.example", 80, None, "/y"),
        ({"method": "CONNECT", "uri": "b.example:8443"}, "b.example", 8443, None, None),
        ({"host": None}, None, 8080, "192.0.2.1", "/x"),
    ],
)
def test_where_a_request_went(fields: dict[str, Any], host: str | None, port: int, ip: str | None, path: str | None):
    row = one("zeek", request(**fields))
    assert (row["dst_host"], row["dst_port"], row["dst_ip"], row["url_path"]) == (host, port, ip, path)


def test_a_name_on_the_wire_is_never_proven():
    row = one("zeek", request(username="svc"))
    assert (row["principal"], row["identity_strength"]) == ("proxy:user/egress/svc", "asserted")


def test_values_of_lines_are_decoded_and_unset_ones_null():
    values = r"1.5 C1 10.0.0.1 5000 192.0.2.1 80 1 GET - /x\x09y - 1.1 \xc3\xbc - 0 10 200 OK - - (empty) - - -"
    row = one("zeek", split("zeek", log("http", HTTP, values))[0])
    assert (row["url_path"], row["user_agent"], row["dst_host"], row["principal"]) == ("/x\ty", "ü", None, None)


def test_fields_can_be_given_for_logs_without_a_header():
    record = "1.5\tC1\t10.0.0.1\t443"
    row = one("zeek", record, path="conn", fields=["ts", "uid", "id.resp_h", "id.resp_p"])
    assert (row["outcome"], row["dst_ip"], row["dst_port"]) == ("action", "10.0.0.1", 443)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("", "the line is blank"),
        ("1.5\tC1", "no #fields above the line"),
        (HEADER.format(path="conn", fields="ts\tuid") + "1.5", "it has 1 values, its header names 2 fields"),
        ('{"a', "not a JSON object"),
        ("{}", "neither _path nor the fields of conn, http or ssl"),
        (connection(ts="yesterday"), "no time between 1970 and 9999"),
    ],
)
def test_what_is_no_record_has_a_reason(record: str, reason: str):
    row = one("zeek", record)
    assert row["outcome"] == "error"
    assert reason in row["reason"]


def test_other_logs_are_passed_over():
    rows = read("zeek", ['{"_path":"dns","ts":1.5}', '{"ts":1.5,"uid":"C1","query":"a.example"}'])
    assert {(row["outcome"], row["reason"]) for row in rows} == {
        ("skipped", "another log of Zeek than conn, http and ssl")
    }


_SHOWN = "1.5 C1 10.0.0.1 5000 192.0.2.1 80 1 GET a.example /x?token=abc123 - 1.1 cli - 0 10 200 OK - - (empty) bob -hunter2 -"


@pytest.mark.parametrize(
    ("record", "secret"),
    [
        (split("zeek", log("http", HTTP, _SHOWN))[0], "hunter2"),
        (split("zeek", log("http", HTTP, _SHOWN))[0], "abc123"),
        (request(username="bob", password="hunter2"), "hunter2"),  # planted
        (request(uri="http://bob:hunter2@a.example/"), "hunter2"),
        (request(uri="/x?X-Amz-Signature=0f0f"), "0f0f"),
    ],
)
def test_secrets_are_replaced(record: str, secret: str):
    kept = redact(pa.array([record]), b"k" * 32, FORMAT.secrets, spaced=FORMAT.spaced)[0].as_py()
    assert secret not in kept
    assert one("zeek", kept)["outcome"] == "action"


def test_the_real_logs():
    outcomes: Counter[tuple[str, str]] = Counter()
    for file in sorted(shared("otrf-zeek-apt29").glob("*.log")):
        rows = read("zeek", split("zeek", file.read_bytes()))
        name = file.stem.partition("_")[2]
        outcomes.update((name if name in {"conn", "http", "ssl"} else "other", row["outcome"]) for row in rows)
    assert outcomes == {
        ("conn", "action"): 613,
        ("http", "action"): 62,
        ("ssl", "action"): 378,
        ("other", "skipped"): 905,
    }


RECORDS = [
    record
    for file in ("conn.log", "ssl.log", "http.log")
    for record in split("zeek", (SAMPLES / "zeek" / file).read_bytes())
]


@settings(max_examples=12, deadline=None)
@given(st.lists(mutated(RECORDS) | HOSTILE, min_size=10, max_size=40))
def test_any_text_is_one_row(records: list[str]):
    survives("zeek", records)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.sampled_from([*(SAMPLES / "zeek/conn.log").read_bytes().splitlines(), b"", b"#", b"1767607200.1\tC\xff"])
    )
)
def test_any_lines_are_split_without_loss(lines: list[bytes]):
    pieces = [
        p for part in zeek.split(io.BytesIO(b"\n".join(lines)), True, ZeekOptions()) for p in part.pieces.to_pylist()
    ]
    assert len(pieces) == sum(bool(line.strip()) and not line.startswith(b"#") for line in lines)
