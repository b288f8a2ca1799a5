"""What becomes of records: copies, conflicting copies, twins, equal lines, hostile bytes."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

import pytest

from tests.end_to_end.small import MANIFEST, Estate, event, squid_line


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


def test_one_event_by_two_trails_is_one_action_however_it_is_spelled(estate: Estate) -> None:
    estate.put("trail", [event()])
    reordered = dict(reversed(list(event().items())))
    estate.put("second", json.dumps([reordered], indent=2))
    estate.put("second", json.dumps(event()) + "\n")
    assert estate.run().pulled.duplicates == 2
    assert len(estate.rows("SELECT * FROM actions")) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[::2])
def test_other_content_under_one_id_is_kept_and_flagged_whatever_comes_first(
    estate: Estate, order: tuple[int, ...]
) -> None:
    copies = [event(), event(sourceIPAddress="203.0.113.66"), event(eventName="DeleteBucket")]
    for place in order:
        estate.put("trail", [copies[place]])
        estate.run()
    rows = estate.rows("SELECT action_uid, api_operation, src_ip, is_primary, flag FROM actions ORDER BY action_uid")
    assert len({row["action_uid"] for row in rows}) == 3
    assert [row["is_primary"] for row in rows] == [True, False, False]
    assert rows[0]["flag"] is None
    assert all("other content" in row["flag"] for row in rows[1:])
    expected = estate.rows("SELECT action_uid, api_operation, src_ip FROM actions ORDER BY action_uid")
    other = Estate(estate.root / "straight")
    other.put("trail", [copies[0], copies[1], copies[2]])
    other.run()
    assert other.rows("SELECT action_uid, api_operation, src_ip FROM actions ORDER BY action_uid") == expected


@pytest.mark.parametrize("owner_first", [False, True])
def test_twins_are_one_deed_and_the_callers_copy_is_primary(estate: Estate, owner_first: bool) -> None:
    shared = {"sharedEventID": "5f5f5f5f-0000-4000-8000-000000000001"}
    callers = event("AssumeRole", second=1, eventSource="sts.amazonaws.com", **shared)
    owners = event(
        "AssumeRole",
        second=2,
        eventSource="sts.amazonaws.com",
        userIdentity={"type": "AWSAccount", "principalId": "AROAEXAMPLE:run-1", "accountId": "111122223333"},
        **shared,
    )
    for record in [owners, callers] if owner_first else [callers, owners]:
        estate.put("trail", [record])
        estate.run()
    rows = estate.rows("SELECT deed_uid, is_primary, principal_type, src_ip, twin_rank FROM actions ORDER BY twin_rank")
    assert len({row["deed_uid"] for row in rows}) == 1
    assert [row["is_primary"] for row in rows] == [True, False]


def test_equal_lines_are_two_requests_and_a_growing_file_carries_the_count_on(estate: Estate) -> None:
    file = estate.put("egress", squid_line() * 2, "access.log")
    estate.run()
    file.write_text(squid_line() * 3 + squid_line(1), encoding="utf-8")
    estate.run()
    uids = [row["action_uid"] for row in estate.rows("SELECT action_uid FROM actions ORDER BY 1")]
    assert len(uids) == 4
    copy = Estate(estate.root / "whole")
    copy.put("egress", file.read_bytes())
    copy.run()
    assert [row["action_uid"] for row in copy.rows("SELECT action_uid FROM actions ORDER BY 1")] == uids


def test_a_rotated_file_is_read_once(estate: Estate) -> None:
    file = estate.put("egress", squid_line(0) + squid_line(1), "access.log")
    estate.run()
    file.rename(file.with_name("access.log.1"))
    estate.put("egress", squid_line(2), "access.log")
    estate.run()
    assert len(estate.rows("SELECT * FROM actions")) == 3


def tunnelled(method: str, url: str, how: str, second: int, sizes: str = "400 300") -> str:
    """A line with the sizes that were sent (`%>st`) and received (`%<st`)."""
    return f"{1772442000 + second}.120 50000 10.40.1.11 {how}/200 {sizes} {method} {url} svc-agent\n"


TUNNELS = [
    ("TCP_MISS", "400 300", "https", False),
    ("NONE_NONE", "- 0", "https", False),
    # a plain request was in no tunnel, and a tunnel that was passed on unread has nothing inside that is seen
    ("TCP_MISS", "400 300", "http", True),
    ("TCP_TUNNEL", "400 300", "https", True),
    # it carried more than is shown, or may have
    ("TCP_MISS", "900000 300", "https", True),
    ("NONE_NONE", "900000 300", "https", True),
    ("TCP_MISS", "- 300", "https", True),
]
"""How a CONNECT ended, its sizes, the scheme of the request beside it, and whether it is a primary all the same."""


@pytest.mark.parametrize("inner_first", [False, True])
def test_only_what_was_seen_inside_a_tunnel_stands_for_it(estate: Estate, inner_first: bool) -> None:
    layout = 'authenticated: true, logformat: "%ts.%03tu %6tr %>a %Ss/%03>Hs %>st %<st %rm %ru %un"'
    estate.config.write_text(estate.config.read_text().replace("authenticated: true", layout))
    hosts = [f"h{at}.example:8443" for at in range(len(TUNNELS))]
    outer = [tunnelled("CONNECT", host, one[0], 60, one[1]) for host, one in zip(hosts, TUNNELS, strict=True)]
    inner = [tunnelled("GET", f"{one[2]}://{host}/x", "TCP_MISS", 30) for host, one in zip(hosts, TUNNELS, strict=True)]
    for lines in [inner, outer] if inner_first else [outer, inner]:
        estate.put("egress", "".join(lines))
        estate.pull()
    rows = estate.rows("SELECT is_primary FROM actions WHERE http_method = 'CONNECT' ORDER BY dst_host")
    assert [row["is_primary"] for row in rows] == [one[3] for one in TUNNELS]
    assert len(estate.rows("SELECT 1 AS one FROM actions WHERE http_method = 'GET' AND is_primary")) == len(TUNNELS)


def test_a_plain_request_beside_a_tunnel_does_not_hide_it(estate: Estate) -> None:
    connect = squid_line(60).replace("TCP_MISS", "TCP_TUNNEL").replace("   412", " 50000").replace(" GET ", " CONNECT ")
    estate.put("egress", connect.replace("http://api.example/x", "api.example:8443"))
    estate.put("egress", squid_line(30, url="http://api.example:8443/x"))
    estate.run()
    titles = [row["title"] for row in estate.rows("SELECT title FROM findings WHERE detector = 'out_of_scope'")]
    assert titles == ["agent connected to api.example outside its scope"]


def test_a_url_with_a_space_makes_nobody_elses_name(estate: Estate) -> None:
    other = MANIFEST.replace("worker: agent", "worker: other").replace("role/agent", "role/other")
    other = other.replace("egress/svc-agent", "egress/batch-*").replace("*.example", "*.test")
    (estate.root / "workers" / "other.yaml").write_text(other, encoding="utf-8")
    estate.put("egress", squid_line(1, url="http://evil.test/ batch-7") + squid_line(2, url="http://evil.test/"))
    estate.run()
    rows = estate.rows("SELECT worker, strength FROM attributions JOIN actions USING (action_uid) ORDER BY time")
    assert [(row["worker"], row["strength"]) for row in rows] == [("agent", "asserted"), ("agent", "proven")]
    assert estate.rows("SELECT 1 AS one FROM findings WHERE detector = 'out_of_scope' AND worker = 'agent'")


def bad_inputs() -> dict[str, tuple[str, bytes]]:
    good = [event(second=second) for second in range(1000)]
    text = json.dumps({"Records": good}).encode()
    one = json.dumps(event(second=500)).encode()
    packed = gzip.compress(text)
    return {
        "truncated gzip": ("trail", packed[: len(packed) // 2]),
        "binary file": ("trail", bytes(range(256)) * 200),
        "line of 10 MB": ("egress", b"x" * 10_000_000 + b"\n" + squid_line().encode()),
        "deep nesting": ("trail", text.replace(one, b'{"eventID":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
        "invalid UTF-8": ("trail", text.replace(one, one.replace(b"Boto3", b"Bo\xff\xfe3"))),
        "no time": ("trail", text.replace(one, one.replace(b'"eventTime"', b'"eventTine"'))),
    }


@pytest.mark.parametrize("what", bad_inputs())
def test_bad_input_is_an_error_row_with_its_reason_and_the_run_goes_on(estate: Estate, what: str) -> None:
    source, content = bad_inputs()[what]
    estate.put(source, content)
    summary = estate.run()
    assert summary.pulled.errors >= 1
    errors = estate.rows("SELECT reason, object_sha256 FROM records WHERE outcome = 'error'")
    assert all(row["reason"] and row["object_sha256"] for row in errors)
    if what in {"deep nesting", "invalid UTF-8", "no time"}:
        assert len(errors) == 1
        assert summary.pulled.actions == 999


def test_a_lone_surrogate_hides_nothing(estate: Estate) -> None:
    records = [json.dumps(event(second=second)) for second in range(1000)]
    records[500] = records[500].replace("Boto3", "Bo\\ud800to3")
    estate.put("trail", '{"Records":[' + ",".join(records) + "]}")
    summary = estate.run()
    assert (summary.pulled.actions, summary.pulled.errors) == (1000, 0)


def test_an_empty_file_stops_nothing(estate: Estate) -> None:
    estate.put("trail", b"")
    estate.put("egress", b"")
    estate.put("egress", squid_line())
    assert estate.run().pulled.actions == 1


NASTY = "x'; DROP TABLE actions; -- \x1b[2J\x1b]0;own\x07 <script>alert(1)</script> =cmd|' /C calc'!A0 [bold]"


def test_hostile_text_in_every_field_is_only_text(estate: Estate) -> None:
    plain = event(second=1)
    nasty = {
        key: NASTY if isinstance(value, str) and key not in {"eventTime", "eventID"} else value
        for key, value in plain.items()
    }
    nasty["userIdentity"] = {
        key: NASTY if isinstance(value, str) else value for key, value in plain["userIdentity"].items()
    }
    estate.put("trail", [nasty, event(second=2)])
    estate.put("egress", squid_line(user="x';DROP TABLE actions;--", url="http://a.example/'\"><script>"))
    estate.put("egress", squid_line(user="\x1b[2Jowned"))
    summary = estate.run()
    assert summary.pulled.actions + summary.pulled.errors == 4
    assert summary.pulled.actions >= 3
    assert estate.rows("SELECT count(*) AS n FROM actions")[0]["n"] == summary.pulled.actions
    assert not [row for row in estate.rows("SELECT title FROM findings") if "\x1b" in row["title"]]
