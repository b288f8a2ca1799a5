"""The manifests of a world: accepted by the product, and all that benign life does is within them."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from detectors.manifest import load_manifests, warnings
from pipelines.worlds import manifests
from tests.pipelines.worlds.living import SIZE, estate, lived


@cache
def _declared() -> dict[str, Any]:
    return {worker.name: yaml.safe_load(manifests.text(estate(), worker)) for worker in estate().workers}


def _fits(patterns: list[str] | None, value: str | None) -> bool:
    """As a manifest's dimension matches: open where it is not written, and nothing that is absent fits."""
    return patterns is None or (value is not None and any(fnmatchcase(value, pattern) for pattern in patterns))


def _allows(lines: Iterable[dict[str, Any]], **values: str | None) -> bool:
    allowed = (line["allow"] for line in lines if "deny" not in line)
    return any(all(_fits(line.get(name), value) for name, value in values.items()) for line in allowed)


def test_the_product_accepts_them(tmp_path: Path) -> None:
    manifests.write(estate(), tmp_path)
    accepted = load_manifests(tmp_path)
    assert {one.worker for one in accepted} == {worker.name for worker in estate().workers}


def test_none_has_a_line_that_can_never_match(tmp_path: Path) -> None:
    manifests.write(estate(), tmp_path)
    accepted = load_manifests(tmp_path)
    assert len(accepted) == SIZE.workers
    assert [str(problem) for problem in warnings(accepted)] == []


def test_all_calls_are_in_scope() -> None:
    calls = lived().calls.drop_nulls("worker").filter(
        (pl.col("identity_type") != "AWSAccount") & ~pl.col("operation").str.starts_with("AssumeRole"))  # fmt: skip
    known = calls.select("worker", "service", "operation", "account", "region", "resource").unique()
    outside = []
    for worker, service, operation, account, region, resource in known.iter_rows():
        api = [
            line for line in _declared()[worker]["scope"] if line["allow"].get("service") == f"{service}.amazonaws.com"
        ]
        if not _allows(api, operations=operation, accounts=account, regions=region, resources=resource):
            outside.append((worker, service, operation, account, region, resource))
    assert known.height > 500
    assert outside == []


def test_all_roles_taken_on_are_declared() -> None:
    taken = lived().calls.drop_nulls("worker").filter(pl.col("operation") == "AssumeRole")
    pairs = taken.select("worker", "resource").unique()
    assert pairs.height > 3
    for worker, role in pairs.iter_rows():
        declared = _declared()[worker]
        listed = [role for line in declared["scope"] for role in line["allow"].get("resources", [])]
        assert role in listed or f"aws:role/{role}" in declared["identities"]


def test_all_hosts_are_in_scope() -> None:
    """Endpoints of services that are allowed need no line of their own."""
    seen = lived().requests.drop_nulls("worker").select("worker", "host", "method", "path").unique()
    seen = seen.filter(~pl.col("host").str.ends_with(".amazonaws.com"))
    assert seen.height > 300
    for worker, host, method, path in seen.iter_rows():
        net = [line for line in _declared()[worker]["scope"] if "hosts" in line["allow"]]
        assert _allows(net, hosts=host, methods=method, paths=path), (worker, host, method, path)


def test_all_addresses_are_declared() -> None:
    seen = lived().requests.drop_nulls("worker").select("worker", pl.col("client").alias("address"))
    direct = lived().calls.drop_nulls("worker").filter(pl.col("invoked_by").is_null()).select("worker", "address")
    for worker, address in pl.concat([seen, direct]).unique().iter_rows():
        assert any(ip_address(address) in ip_network(one) for one in _declared()[worker]["networks"])


@pytest.mark.parametrize("sent", ["calls", "requests"])
def test_no_hour_sends_more_than_declared(sent: str) -> None:
    frame: pl.DataFrame = getattr(lived(), sent)
    hours = frame.drop_nulls("worker").sort("at").rolling("at", period="1h", group_by="worker").agg(
        pl.col("bytes_out").sum())  # fmt: skip
    most = dict(hours.group_by("worker").agg(pl.col("bytes_out").max()).iter_rows())
    limits = {worker.name: worker.bytes_out_an_hour for worker in estate().workers}
    assert {worker: sent for worker, sent in most.items() if sent > (limits[worker] or 0)} == {}


def test_a_limit_is_no_blank_cheque() -> None:
    """Whoever sends as much as is declared stands out: most limits are below twenty times the busiest hour."""
    hours = lived().requests.drop_nulls("worker").sort("at").rolling("at", period="1h", group_by="worker").agg(
        pl.col("bytes_out").sum())  # fmt: skip
    most = dict(hours.group_by("worker").agg(pl.col("bytes_out").max()).iter_rows())
    ratios = pl.Series([(worker.bytes_out_an_hour or 0) / most[worker.name] for worker in estate().workers])
    median = ratios.median()
    assert isinstance(median, float)
    assert median < 20


def test_nobody_lives_outside_of_validity() -> None:
    for worker in estate().workers:
        valid = _declared()[worker.name]["valid"]
        at = lived().requests.filter(pl.col("worker") == worker.name)["at"].dt.date()
        assert valid["from"] <= at.min() <= at.max() <= valid["until"]  # type: ignore[operator]
    assert SIZE.first_day == estate().first_date
