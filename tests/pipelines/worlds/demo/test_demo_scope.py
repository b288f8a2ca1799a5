"""The benign part of the demo world keeps to its own manifests, checked here by simple means of this test's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import pytest
from ruamel.yaml import YAML

IN_SCOPE = {None, "attack-3", "attack-4", "attack-5", "attack-7"}
ISSUING = {"AssumeRole", "AssumeRoleWithWebIdentity"}
ENDPOINTS = {"api.ecr": "ecr"}


@pytest.fixture(scope="module")
def manifests(world):
    yaml = YAML(typ="safe")
    return {path.stem: yaml.load(path.read_text("utf-8")) for path in (world.out / "workers").iterdir()}


def matches(value: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def lines_of(manifest, key):
    for line in manifest["scope"]:
        ((verdict, target),) = line.items()
        if key in target:
            yield verdict, target


def api_allowed(manifest, body) -> bool:
    arns = [resource["ARN"] for resource in body.get("resources", []) if "ARN" in resource]
    objects = [arn for arn in arns if "/" in arn] or arns
    for verdict, target in lines_of(manifest, "service"):
        fits = (
            target["service"] == body["eventSource"]
            and matches(body["eventName"], target["operations"])
            and body["awsRegion"] in target.get("regions", [body["awsRegion"]])
            and body["recipientAccountId"] in target.get("accounts", [body["recipientAccountId"]])
            and ("resources" not in target or (objects and all(matches(arn, target["resources"]) for arn in objects)))
        )
        if fits:
            return verdict == "allow"
    return False


def net_allowed(manifest, body) -> bool:
    tunnel = body["method"] == "CONNECT"
    url = urlsplit(f"//{body['url']}" if tunnel else body["url"])
    for verdict, target in lines_of(manifest, "hosts"):
        fits = matches(url.hostname, target["hosts"]) and (
            tunnel
            or (
                body["method"] in target.get("methods", [body["method"]])
                and matches(url.path, target.get("paths", ["*"]))
            )
        )
        if fits:
            return verdict == "allow"
    if tunnel and url.hostname.endswith(".amazonaws.com"):
        labels = url.hostname.removesuffix(".amazonaws.com").removesuffix(".eu-west-1")
        service = ENDPOINTS.get(labels, labels.rpartition(".")[2])
        return any(target["service"] == f"{service}.amazonaws.com" for _, target in lines_of(manifest, "service"))
    return False


def judged(world, manifests):
    """Actions of workers with their verdicts; obtaining a credential for oneself is not judged by scope."""
    for row in world.main_trail:
        told = world.of(row)
        if told["worker"] and row.body["eventName"] not in ISSUING:
            yield told, row, api_allowed(manifests[told["worker"]], row.body)
    for row in world.squid:
        told = world.of(row)
        if told["worker"]:
            yield told, row, net_allowed(manifests[told["worker"]], row.body)


def test_only_the_attacks_on_scope_leave_it(world, manifests):
    outside = [(told, row) for told, row, allowed in judged(world, manifests) if not allowed]
    strays = [(told["worker"], row.body) for told, row in outside if told["incident"] in IN_SCOPE]
    assert strays[:3] == []
    assert {told["incident"] for told, _ in outside} == {"attack-1", "attack-2", "attack-6", "attack-8"}


def test_roles_are_taken_on_only_where_the_manifest_says_so(world, manifests):
    for row in world.main_trail:
        told, body = world.of(row), row.body
        if told["worker"] and body["eventName"] in ISSUING:
            role, manifest = body["requestParameters"]["roleArn"], manifests[told["worker"]]
            assert f"aws:role/{role}" in manifest["identities"] or any(
                target["service"] == "sts.amazonaws.com" and role in target.get("resources", [])
                for _, target in lines_of(manifest, "service")
            )


def test_calls_come_from_declared_networks_but_for_the_replay(world, manifests):
    networks = {name: [ip_network(net) for net in manifest["networks"]] for name, manifest in manifests.items()}
    foreign = set()
    for row in world.rows:
        told = world.of(row)
        address = {
            "cloudtrail": lambda body: body["sourceIPAddress"],
            "squid": lambda body: body["client"],
            "okta": lambda body: body["client"]["ipAddress"],
        }[row.format](row.body)
        if not told["worker"] or address.endswith(".amazonaws.com"):
            continue
        if not any(ip_address(address) in net for net in networks[told["worker"]]):
            foreign.add(told["incident"])
    assert foreign == {"attack-5"}


def measure(row, name: str) -> float:
    body = row.body
    if name == "bytes_out_net":
        return int(body["up"]) if row.format == "squid" else 0
    if name == "bytes_out_store":
        return (body.get("additionalEventData") or {}).get("bytesTransferredIn", 0) if row.format == "cloudtrail" else 0
    if name == "calls":
        return 1
    if name == "denied":
        return "Denied" in body.get("errorCode", "") or body.get("status") == "407"
    assert name == "secrets"
    return row.format == "cloudtrail" and body["eventName"] == "GetSecretValue"


def busiest(rows, name: str, span: timedelta) -> float:
    """The largest sum over any window of that length."""
    window, total, most = [], 0.0, 0.0
    for row in sorted(rows, key=lambda row: row.at):
        amount = measure(row, name)
        window.append((row.at, amount))
        total += amount
        while window[0][0] <= row.at - span:
            total -= window.pop(0)[1]
        most = max(most, total)
    return most


AMOUNTS = {"500MB": 500e6, "2GB": 2e9, "200MB": 200e6, "100MB": 100e6}


def test_limits_hold_but_for_the_exfiltration(world, manifests):
    rows = defaultdict(list)
    for row in [*world.main_trail, *world.squid, *world.okta]:
        told = world.of(row)
        if told["worker"] and told["incident"] != "attack-3":
            rows[told["worker"]].append(row)
    checked = 0
    for worker, manifest in manifests.items():
        for limit in manifest["limits"]:
            if limit["measure"] in ("token_lifetime", "hops", "destinations"):
                continue
            assert limit["per"] == "1h"
            names = ("bytes_out_net", "bytes_out_store") if limit["measure"] == "bytes_out" else (limit["measure"],)
            for name in names:
                most = AMOUNTS.get(limit["at_most"], limit["at_most"])
                assert busiest(rows[worker], name, timedelta(hours=1)) <= most, (worker, name)
                checked += 1
    assert checked > 12
    upload = world.part_of("attack-3", world.squid)
    assert busiest(upload, "bytes_out_net", timedelta(hours=1)) > 10 * AMOUNTS["200MB"]


def test_destinations_stay_within_their_limit(world):
    by_day = defaultdict(set)
    for row in world.squid:
        if world.of(row)["worker"] == "research-agent":
            by_day[row.at.date()].add(row.body["url"].removeprefix("http://").partition("/")[0])
            by_day[(row.at + timedelta(hours=12)).date(), "noon"].add(
                row.body["url"].removeprefix("http://").partition("/")[0]
            )
    assert 5 < max(map(len, by_day.values())) <= 60
