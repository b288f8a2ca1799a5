from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from detectors import provided, rules
from detectors.cases import Case
from detectors.scope_exceptions import SECRET_READS
from detectors.unmeasurable import STATIC_CREDENTIALS, unmeasurable
from pipelines import schema
from pipelines.identifiers import LONG_LIVED
from pipelines.lake.duckdb_engine import DuckDBEngine

SCHEMAS = provided.schemas(schema.arrow_schemas())
LIMIT = {"measure": "bytes_out", "at_most": 1000, "per_seconds": 3600, "line": 9}


def _rows(**tables: Any) -> list[dict[str, Any]]:
    engine = DuckDBEngine(duckdb.connect())
    for name, table in Case(name="unmeasurable", expected=(), **tables).tables(SCHEMAS).items():
        engine.let(name, table)
    rows: list[dict[str, Any]] = unmeasurable(engine).to_pylist()
    return rows


def test_a_category_without_any_size_is_told_once_and_names_the_limit() -> None:
    actions = [
        {"category": "proxy", "format": "squid"},
        {"category": "proxy", "format": "envoy"},
        {"category": "cloud", "bytes_out": 5},
    ]
    (row,) = _rows(limits=[LIMIT], actions=actions)
    assert row["worker"] == "w1"
    assert row["missing"] == (
        "bytes_out (w1.yaml:9) cannot be measured: no proxy action says how many bytes were sent"
        " (formats: envoy, squid)"
    )


def test_one_known_size_is_enough_even_zero() -> None:
    assert _rows(limits=[LIMIT], actions=[{"category": "proxy"}, {"category": "proxy", "bytes_out": 0}]) == []


def test_no_action_of_the_category_leaves_nothing_to_measure() -> None:
    assert _rows(limits=[LIMIT], actions=[{"category": "token"}]) == []


def _limit(measure: str) -> dict[str, Any]:
    return {"measure": measure, "at_most": 1, "per_seconds": 3600, "line": 9}


CALLS: list[dict[str, Any]] = [
    {"category": "proxy", "format": "squid", "status": "unknown"},
    {"category": "token", "format": "okta", "status": "unknown", "api_operation": "app.oauth2.token.grant"},
]


@pytest.mark.parametrize(
    ("measure", "reason"),
    [
        ("denied", "no action says whether it was refused"),
        ("destinations", "no proxy tells which hosts are reached"),
        ("secrets", "no cloud or secret store tells what is read"),
        ("tokens", "no model action says how many tokens were used"),
        ("spend", "no log tells what a call costs"),
        ("token_lifetime", "no record tells when a credential expires, or shows a passing one in use"),
        ("hops", "no action is bound by a credential or session, so nothing tells by which hops it was got"),
    ],
)
def test_a_limit_whose_measure_no_action_shows_is_told_with_the_formats(measure: str, reason: str) -> None:
    expected = {"worker": "w1", "missing": f"{measure} (w1.yaml:9) cannot be measured: {reason} (formats: okta, squid)"}
    assert _rows(limits=[_limit(measure)], actions=CALLS) == [expected]


@pytest.mark.parametrize(
    ("measure", "action"),
    [
        ("calls", {}),
        ("denied", {"status": "success"}),
        ("destinations", {"category": "proxy", "dst_host": "crm.example"}),
        ("destinations", {"category": "proxy", "dst_ip": "192.0.2.1"}),
        ("secrets", {"category": "cloud", "api_operation": "GetObject"}),
        ("secrets", {"category": "token", "api_service": "vault", "api_operation": "list"}),
        ("tokens", {"category": "model", "tokens_out": 0}),
        ("token_lifetime", {"credential_uid": "aws:key/ASIA1"}),
        ("hops", {"credential_uid": "aws:key/AKIA1", "bound_uid": "aws:key/AKIA1"}),
        ("hops", {"session_uid": "okta:session/o/1", "bound_uid": "okta:session/o/1"}),
    ],
)
def test_one_action_that_shows_it_is_enough(measure: str, action: dict[str, Any]) -> None:
    assert _rows(limits=[_limit(measure)], actions=[*CALLS, action]) == []


def test_a_lifetime_is_measured_by_expiries_and_not_by_keys_that_are_meant_to_last() -> None:
    static = {"credential_uid": "aws:key/AKIA1"}
    grant = {"child_uid": "oauth:token/i#1", "issued_at": datetime(2026, 3, 2), "expires_at": datetime(2026, 3, 3)}
    lifetime = [_limit("token_lifetime")]
    assert len(_rows(limits=lifetime, actions=[static])) == 1
    assert _rows(limits=lifetime, actions=[static], grants=[grant], bindings=[{"uid": "oauth:token/i#1"}]) == []
    another = {"uid": "oauth:token/i#1", "worker": "w2"}
    assert len(_rows(limits=lifetime, actions=[static], grants=[grant], bindings=[another])) == 1
    later = [
        {**another, "valid_to": datetime(2026, 3, 9)},
        {"uid": "oauth:token/i#1", "valid_from": datetime(2026, 3, 9)},
    ]
    assert len(_rows(limits=lifetime, actions=[static], grants=[grant], bindings=later)) == 1


def test_networks_are_told_once_where_no_action_has_an_address() -> None:
    networks = [{"cidr": "10.0.0.0/8", "line": 20}, {"cidr": "2001:db8::/32", "line": 21}]
    (row,) = _rows(networks=networks, actions=[{}, {"src_ip": "cloudformation.amazonaws.com"}])
    assert row["missing"] == (
        "networks (w1.yaml:20) cannot be measured: no action says from which address it came (formats: case)"
    )
    assert _rows(networks=networks, actions=[{}, {"src_ip": "203.0.113.7"}]) == []


def test_a_bound_counts_for_the_manifest_and_the_worker_that_have_it() -> None:
    limits = [
        {**_limit("tokens"), "manifest_sha": "sha-0"},
        {**_limit("tokens"), "worker": "w2", "manifest_sha": "sha-w2"},
    ]
    assert _rows(limits=limits, actions=[{}, {"worker": None}]) == []


def test_static_credentials_are_those_of_the_identifiers() -> None:
    assert STATIC_CREDENTIALS == LONG_LIVED
    detector = (Path(rules.__file__).parent / "catalogue/token_lifetime.sql").read_text(encoding="utf-8")
    assert [start for start in LONG_LIVED if f"starts_with(a.credential_uid, '{start}')" not in detector] == []


def test_reads_of_secrets_are_those_of_the_scope() -> None:
    detector = (Path(rules.__file__).parent / "catalogue/call_limits.sql").read_text(encoding="utf-8")
    listed = re.findall(r"\('([^']+)', '([^']+)'\)", detector.split("secret_items AS", 1)[1].split("AS r(", 1)[0])
    assert sorted(listed) == sorted((read.service, read.operation) for read in SECRET_READS)
