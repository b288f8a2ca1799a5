"""Lines of a SPIRE server's log in, action columns and grants out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings

from pipelines.formats.spire import FORMAT
from tests.pipelines.formats.readings import SAMPLES, granted, json_values, mutated, read, redacted, split, told

LINES = (SAMPLES / "spire/server.log").read_text().splitlines()
AGENT = "spiffe://corp.example/spire/agent/k8s_psat/prod/4c1f759d-35bd-4947-8acc-ab74fc67d129"
ENTRY = "c6618b1d-ebc0-4476-b747-f0a312f744af"
WORKLOAD = "spiffe://corp.example/agents/support"


def line(**fields: Any) -> str:
    """An audit line as logrus writes it, with fields changed; None leaves one out."""
    told_fields = {
        "time": "2026-01-05T09:02:00Z",
        "level": "info",
        "msg": "API accessed",
        "caller_addr": "10.40.1.11:51974",
        "caller_id": AGENT,
        "entry_id": ENTRY,
        "method": "BatchNewX509SVID",
        "request_id": "r1",
        "status": "success",
        "type": "audit",
        **fields,
    }
    return " ".join(f"{key}={_quoted(str(value))}" for key, value in told_fields.items() if value is not None)


def _quoted(text: str) -> str:
    return text if text and all(c.isalnum() or c in "-._/@^+" for c in text) else json.dumps(text, ensure_ascii=False)


def test_the_sample_gives_the_expected_actions_and_grants():
    expected = json.loads((SAMPLES / "spire/server.expected.json").read_text())
    assert told(read(FORMAT, LINES, "corp")) == expected["actions"]
    assert told(granted(FORMAT, *LINES, realm="corp")) == expected["grants"]


def test_split_gives_a_record_a_line():
    assert split(FORMAT, "\r\n".join(LINES).encode()) == LINES


def test_logfmt_and_json_say_the_same():
    fields = {
        "time": "2026-01-05T09:02:00Z", "level": "info", "msg": "API accessed", "caller_addr": "10.40.1.11:51974",
        "caller_id": AGENT, "entry_id": ENTRY, "method": "BatchNewX509SVID", "request_id": "r1", "status": "success",
        "type": "audit", "expires_at": 1767607320,
    }  # fmt: skip
    texts = [line(expires_at=1767607320), json.dumps(fields)]
    one, two = ({**row, "record_id": ""} for row in read(FORMAT, texts))
    assert one == two
    one, two = ({**row, "record_id": ""} for row in granted(FORMAT, *texts))
    assert one == two
    assert one["expires_at"] == datetime(2026, 1, 5, 10, 2)


def test_an_action():
    row = read(FORMAT, [line()])[0]
    assert (row["api_service"], row["api_operation"], row["account"]) == ("spire", "BatchNewX509SVID", "prod")
    assert (row["principal"], row["identity_strength"]) == (f"spiffe:id/{AGENT}", "proven")
    assert (row["src_ip"], row["src_port"], row["request_uid"]) == ("10.40.1.11", 51974, "r1")
    assert (row["time"], row["time_kind"], row["time_precision"]) == (datetime(2026, 1, 5, 9, 2), "logged", "1s")
    assert row["native_id"] is None


def test_a_time_with_a_zone_is_brought_to_utc():
    assert read(FORMAT, [line(time="2026-01-05T04:02:00-05:00")])[0]["time"] == datetime(2026, 1, 5, 9, 2)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.1:5", ("10.0.0.1", 5)),
        ("[2001:DB8::1]:443", ("2001:db8::1", 443)),
        ("2001:db8::1", (None, None)),
        ("@", (None, None)),
        (None, (None, None)),
    ],
)
def test_addresses(address: Any, expected: tuple[Any, Any]):
    row = read(FORMAT, [line(caller_addr=address)])[0]
    assert (row["src_ip"], row["src_port"]) == expected


def test_older_servers_write_hyphens():
    old = line(caller_id=None, caller_addr=None) + f' caller-id="{AGENT}" caller-addr="10.0.0.9:1"'
    row = read(FORMAT, [old])[0]
    assert (row["principal"], row["src_ip"]) == (f"spiffe:id/{AGENT}", "10.0.0.9")


def test_a_value_cannot_bring_in_a_field():
    hostile = f'x" spiffe_id="spiffe://evil/a" caller_id=spiffe://evil/b \\ method=MintX509SVID {"y"}'
    row = read(FORMAT, [line(subject=hostile, caller_id=None, method="BatchCreateEntry") + f' caller_id="{AGENT}"'])[0]
    assert (row["principal"], row["api_operation"]) == (f"spiffe:id/{AGENT}", "BatchCreateEntry")
    assert row["resource_uid"] == ENTRY


def test_quotes_are_undone():
    row = read(FORMAT, [line(status="error", status_message='say "no"\\n', status_code="NotFound")])[0]
    assert (row["error"], row["status"]) == ('say "no"\\n', "failure")


def test_of_a_key_that_stands_twice_the_first_counts():
    assert read(FORMAT, [line() + " method=BanAgent"])[0]["api_operation"] == "BatchNewX509SVID"


@pytest.mark.parametrize(
    ("fields", "principal"),
    [
        ({"caller_id": "spiffe://a.example/w"}, "spiffe:id/spiffe://a.example/w"),
        ({"caller_id": None, "caller_uid": 1000, "authorized_as": "local"}, "spire:local/prod/1000"),
        ({"caller_id": None, "authorized_as": "local"}, None),
        ({"caller_id": "alice"}, None),
    ],
)
def test_principals(fields: dict[str, Any], principal: str | None):
    row = read(FORMAT, [line(**fields)])[0]
    assert row["principal"] == principal
    assert row["identity_strength"] == ("proven" if principal else "asserted")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "success"),
        ({"status": "error", "status_code": "PermissionDenied"}, "denied"),
        ({"status": "error", "status_code": "16"}, "denied"),
        ({"status": "error", "status_code": "Internal"}, "failure"),
        ({"status": None}, "unknown"),
        ({"msg": "Failed to authenticate caller", "level": "error", "type": None, "status": None}, "denied"),
    ],
)
def test_status(fields: dict[str, Any], status: str):
    assert read(FORMAT, [line(**fields)])[0]["status"] == status
    assert bool(granted(FORMAT, line(**fields))) == (status == "success")


def test_an_svid_comes_from_its_entry_and_the_entry_from_the_agent():
    signed = line(msg="Signed X509 SVID", type=None, status=None, spiffe_id=WORKLOAD, expiration="2026-01-05T10:02:00Z")
    rows = granted(FORMAT, line(), signed)
    assert {(row["parent_uid"], row["child_uid"], row["strength"]) for row in rows} == {
        (f"spiffe:id/{AGENT}", f"spire:entry/prod/{ENTRY}", "proven"),
        (f"spire:entry/prod/{ENTRY}", f"spiffe:id/{WORKLOAD}", "proven"),
    }
    asked, made = read(FORMAT, [line(), signed])
    assert asked["twin_uid"] == made["twin_uid"] == f"spire:prod:r1:{ENTRY}"
    assert (asked["twin_rank"], made["twin_rank"]) == (0, 1)


def test_the_svids_of_one_batch_are_different_deeds():
    one, two = read(FORMAT, [line(), line(entry_id="other")])
    assert one["twin_uid"] != two["twin_uid"]
    assert [row["twin_uid"] for row in read(FORMAT, [line(method="BatchCreateEntry"), line(entry_id=None)])] == [
        None,
        None,
    ]


def test_minting_makes_an_identity_for_somebody_else():
    minted = line(method="MintX509SVID", entry_id=None, spiffe_id=WORKLOAD, expires_at="2026-01-06T09:02:00Z")
    (grant,) = granted(FORMAT, minted)
    assert (grant["parent_uid"], grant["child_uid"]) == (f"spiffe:id/{AGENT}", f"spiffe:id/{WORKLOAD}")
    assert (grant["strength"], grant["expires_at"]) == ("asserted", datetime(2026, 1, 6, 9, 2))
    assert read(FORMAT, [minted])[0]["obtains"] == "other"


@pytest.mark.parametrize(
    ("fields", "child"),
    [
        ({"method": "BanAgent", "spiffe_id": AGENT, "entry_id": None}, f"spiffe:id/{AGENT}"),
        ({"method": "DeleteAgent", "spiffe_id": AGENT, "entry_id": None}, f"spiffe:id/{AGENT}"),
        ({"method": "BatchDeleteEntry"}, f"spire:entry/prod/{ENTRY}"),
    ],
)
def test_ends(fields: dict[str, Any], child: str):
    (grant,) = granted(FORMAT, line(**fields))
    assert (grant["kind"], grant["child_uid"]) == ("revoke", child)


@pytest.mark.parametrize(
    ("record", "outcome", "reason"),
    [
        ("panic: runtime error", "error", "neither logfmt nor a JSON object"),
        ("{", "error", "neither logfmt nor a JSON object"),
        ('a="b', "error", "neither logfmt nor a JSON object"),
        ('a="b"c=d', "error", "neither logfmt nor a JSON object"),
        ("", "error", "neither logfmt nor a JSON object"),
        ("{}", "error", 'the key "msg"'),
        (line(time=None), "error", 'the key "time" is missing'),
        (line(time="noon"), "error", 'the key "time" is no'),
        (line(method=None), "error", 'the key "method"'),
        (line(msg="Bundle refreshed"), "skipped", "a line of the server itself"),
        (line(msg="Signed X509 SVID", type=None, method=None), "skipped", "a line of the server itself"),
        (line(type=None), "skipped", "a line of the server itself"),
    ],
)
def test_what_is_no_action_has_a_reason(record: str, outcome: str, reason: str):
    row = read(FORMAT, [record])[0]
    assert row["outcome"] == outcome
    assert row["reason"].startswith(reason)
    assert {value for key, value in row.items() if key not in {"outcome", "reason", "record_id"}} == {None}


def test_hostile_text_stays_inert():
    hostile = "'); DROP TABLE records; -- <script> \u202e"
    row = read(FORMAT, [line(method=hostile, entry_id=hostile)])[0]
    assert (row["api_operation"], row["resource_uid"]) == (hostile, hostile)


def test_planted_secrets_are_replaced():
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
    texts = [
        line(error="bad join_token=pl4nted-join-token"),
        line(msg="Failed to attest", error=f"token: {jwt}"),
        line(msg="Failed to open database", error="postgres://spire:pl4ntedpw@db/spire password='pl4ntedpw2'"),
        json.dumps({"msg": "x", "time": "2026-01-05T09:00:00Z", "token": "pl4nted-json-token"}),
    ]
    stored = " ".join(redacted(FORMAT, texts))
    assert [word for word in ("pl4nted", "eyJ") if word in stored] == []
    assert stored.count("hmac:") == 5


def test_ids_are_no_secrets():
    assert redacted(FORMAT, LINES) == LINES


@settings(max_examples=30, deadline=None)
@given(
    json_values(
        ["audit", "API accessed", "BatchNewX509SVID", AGENT, "success", "2026-01-05T09:00:00Z", "1767607320"],
        ["time", "msg", "type", "method", "caller_id", "caller_addr", "spiffe_id", "entry_id", "request_id", "status"],
    ),
    mutated(LINES),
)
def test_no_input_crashes_or_is_lost(value: Any, text: str):
    records = [json.dumps(value), text, line(caller_id=value, msg=text)]
    if isinstance(value, dict):
        records.append(line(**{f"x{key}": each for key, each in value.items() if key.isalnum()}))
    rows = read(FORMAT, records)
    acted = {row["record_id"] for row in rows if row["outcome"] == "action"}
    assert {row["record_id"] for row in granted(FORMAT, *records)} <= acted
