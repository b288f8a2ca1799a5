"""The two detectors that count within windows, held against the plain definition of what they seek, on random rows."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

from detectors import provided, rules
from detectors.cases import Case
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine

CATALOGUE = Path(__file__).resolve().parents[2] / "detectors/catalogue"
SCHEMAS = provided.schemas(schema.arrow_schemas())
DETECTORS = {detector.id: detector for detector in rules.load(CATALOGUE)}
BEGIN = datetime(2026, 3, 2, 22)
Row = dict[str, Any]


def _findings(detector: str, **tables: Any) -> list[Row]:
    engine = DuckDBEngine(duckdb.connect())
    for name, table in Case(name="random", expected=(), **tables).tables(SCHEMAS).items():
        engine.let(name, table)
    found: list[Row] = rules.findings_of(engine, DETECTORS[detector]).to_pylist()
    return found


def _excesses(rows: list[Row], at_most: int, per: timedelta) -> dict[date, tuple[list[str], str, bool]]:
    """By day: the actions in windows that hold more than `at_most`, where most bytes went, and whether over 5 times."""
    covered: dict[date, dict[str, Row]] = defaultdict(dict)
    worst: dict[date, int] = defaultdict(int)
    for category in ("proxy", "cloud"):
        sized = [row for row in rows if row["category"] == category and row["bytes_out"]]
        for row in sized:
            window = [one for one in sized if row["time"] - per < one["time"] <= row["time"]]
            held = sum(one["bytes_out"] for one in window)
            if held > at_most:
                covered[row["time"].date()] |= {one["action_uid"]: one for one in window}
                worst[row["time"].date()] = max(worst[row["time"].date()], held)
    result = {}
    for day, actions in covered.items():
        sums: dict[str, int] = defaultdict(int)
        for one in actions.values():
            sums[one["dst_host"] or one["resource_uid"]] += one["bytes_out"]
        entity = min(sums, key=lambda destination: (-sums[destination], destination))
        ordered = sorted(actions, key=lambda uid: (actions[uid]["time"], uid))
        result[day] = (ordered, entity, worst[day] > 5 * at_most)
    return result


@pytest.mark.parametrize("seed", range(12))
def test_exfiltration_volume_is_every_window_over_the_limit(seed: int) -> None:
    draw = random.Random(seed)
    rows = [
        {
            "action_uid": f"u{n:02}",
            "time": BEGIN + timedelta(minutes=draw.randrange(0, 300)),
            "category": (category := draw.choice(["proxy", "cloud"])),
            "dst_host": draw.choice(["a.example", "b.example"]) if category == "proxy" else None,
            "resource_uid": draw.choice(["arn:aws:s3:::a", "arn:aws:s3:::b"]) if category == "cloud" else None,
            "bytes_out": draw.choice([None, 0, 100, 200, 900]),
        }
        for n in range(40)
    ]
    at_most = draw.choice([200, 800, 1000, 1500])
    limit = {"measure": "bytes_out", "at_most": at_most, "per_seconds": 1800}
    found = _findings("exfiltration_volume", actions=rows, limits=[limit])
    expected = _excesses(rows, at_most, timedelta(minutes=30))
    seen = {tuple(row["evidence"]): (row["entity"], row["severity"] == "critical") for row in found}
    assert seen == {tuple(uids): (entity, over) for uids, entity, over in expected.values()}


def _entangled(rows: list[Row], own: tuple[str, str], odd: set[Any]) -> set[str]:
    """The uses between two successive ones of a party that enclose a use of another party, one of both odd."""
    found: set[str] = set()
    parties: dict[tuple[Any, Any], list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        parties[row[own[0]], row[own[1]]].append(at)
    for (network, party), places in parties.items():
        for first, last in pairwise(places):
            between = [row for row in rows[first + 1 : last] if row[own[0]] != network and row[own[1]] != party]
            near = rows[last]["time"] - rows[first]["time"] <= timedelta(minutes=30)
            if near and any(network in odd or row[own[0]] in odd for row in between):
                found |= {row["action_uid"] for row in rows[first : last + 1]}
    return found


@pytest.mark.parametrize("declares", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_credential_replay_is_every_return_that_encloses_another(seed: int, declares: bool) -> None:
    draw = random.Random(seed)
    minutes = draw.choice([30, 90, 300])
    rows = [
        {
            "action_uid": f"u{n:02}",
            "time": BEGIN.replace(hour=8) + timedelta(minutes=draw.randrange(0, minutes)),
            "credential_uid": "aws:key/ASIA1",
            "src_ip": (ip := draw.choice(["10.0.1.1", "10.0.2.1", "203.0.113.1", "2001:db8::1"])),
            "network": ip,
            "user_agent": (client := draw.choice(["boto3", "curl", "go"])) + "/1",
            "client": client,
        }
        for n in range(draw.choice([6, 12, 40]))
    ]
    rows.sort(key=lambda row: (row["time"], row["action_uid"]))
    cidrs = ["10.0.0.0/16"] if declares else []
    strange: set[Any] = {"203.0.113.1", "2001:db8::1"} if declares else {row["network"] for row in rows}
    expected = _entangled(rows, ("network", "client"), strange)
    if declares:
        expected |= _entangled(rows, ("network", "network"), strange)
    actions = [{key: value for key, value in row.items() if key not in ("network", "client")} for row in rows]
    found = _findings("credential_replay", actions=actions, networks=[{"cidr": cidr} for cidr in cidrs])
    assert {uid for row in found for uid in row["evidence"]} == expected


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("2001:DB8::1", "2001:db8::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("::1", "::/48"),
        ("2001:db8:7::", "2001:db8:7::/48"),
        ("2001:0db8:0007:0000::9", "2001:db8:7::/48"),
        ("1::2:3:4:5:6:7", "1:0:2::/48"),
    ],
)
def test_addresses_are_read_in_every_spelling(address: str, network: str) -> None:
    uses = [(address, "boto3/1"), ("198.51.100.1", "curl/8"), (address, "boto3/1")]
    actions = [{"credential_uid": "aws:key/1", "src_ip": src_ip, "user_agent": agent} for src_ip, agent in uses]
    (found,) = _findings("credential_replay", actions=actions)
    assert f'"{network}"' in found["explanation"]


def test_what_is_no_address_is_never_a_network() -> None:
    uses = [("AWS Internal", "boto3/1"), ("198.51.100.1", "curl/8"), ("s3.amazonaws.com", "boto3/1"), ("", "x")]
    actions = [{"credential_uid": "aws:key/1", "src_ip": src_ip, "user_agent": agent} for src_ip, agent in uses]
    assert _findings("credential_replay", actions=actions) == []
