"""Point 8 of the manifest's semantics: which acts need an approval, and which approval covers which act.

Acts are minutes after T, approvals minutes before or after it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest
import sqlglot

from detectors import approvals
from detectors.manifest_model import Manifest
from pipelines.lake.duckdb_engine import DuckDBEngine
from tests.detectors.scope_examples import ROLE, api, run, takes_on, tunnel, web

T = datetime(2026, 3, 2, 10)
IAM = "iam.amazonaws.com"
BOSS = "mail:addr/boss@corp.example"
LINE = {
    "for": {"service": IAM, "operations": ["Attach*", "Put*"]},
    "from": ["mail:addr/*@corp.example"],
    "within": "1h",
}
OWNER = "team@corp.example"


def attach(minute: int = 0, role: str = f"{ROLE}x", **more: Any) -> dict[str, Any]:
    return {"time": T + timedelta(minutes=minute)} | api(IAM, "AttachRolePolicy", role, **more)


def approval(minute: int = -10, **more: Any) -> dict[str, Any]:
    """An approval of `attach()`, a record of a format of category `approval`."""
    known = {
        "format": "approvals",
        "category": "approval",
        "time": T + timedelta(minutes=minute),
        "principal": BOSS,
        "session_name": "w1",
        "api_service": IAM,
        "api_operation": "AttachRolePolicy",
        "resource_uid": f"{ROLE}x",
        "status": "success",
        "worker": None,
    }
    return known | more


def worker(name: str = "w1", *lines: dict[str, Any]) -> Manifest:
    body = {
        "worker": name,
        "owner": OWNER,
        "identities": [f"aws:role/{ROLE}{name}", f"mail:addr/{name}-bot@corp.example"],
        "scope": [],
        "approvals": list(lines) or [LINE],
    }
    return Manifest.model_validate(body).placed(f"{name}.yaml", {"approvals": [300, 301, 302]})


def needs(
    actions: list[dict[str, Any]], manifests: list[Manifest] | None = None, engine: DuckDBEngine | None = None
) -> list[dict[str, Any]]:
    """Rows of `approval_needs` by act and resource; acts are a0, a1, ... of the worker w1, approvals p0, p1, ..."""
    acts = [one for one in actions if one["category"] != "approval"]
    given = [one for one in actions if one["category"] == "approval"]
    named = [{"worker": "w1", **one, "action_uid": f"a{at}"} for at, one in enumerate(acts)]
    named += [{**one, "action_uid": f"p{at}"} for at, one in enumerate(given)]
    engine = engine or DuckDBEngine(duckdb.connect())
    run(named, manifests or [worker()], engine)
    approvals.judge(engine)
    rows: list[dict[str, Any]] = engine.query("SELECT * FROM approval_needs ORDER BY action_uid, resource").to_pylist()
    return rows


@dataclass
class Need:
    """An act and the lines of `approvals`: by which line it needs one (null: it needs none), and what was unseen."""

    act: dict[str, Any]
    lines: list[dict[str, Any]]
    line: int | None
    unseen: list[str] = field(default_factory=list)


def asks(**target: Any) -> dict[str, Any]:
    return {"for": target, "from": ["*"], "within": "1h"}


NEEDS = [
    # matched as an allow line is: every stated dimension, the kind's own lines, the first one
    Need(attach(), [asks(service=IAM)], 300),
    Need(attach(), [asks(service="s3.amazonaws.com")], None),
    Need(attach(), [asks(service=IAM, operations=["Create*"])], None),
    Need(attach(), [asks(service=IAM, accounts=["999988887777"])], None),
    Need(attach(), [asks(hosts=["*"])], None),
    Need(attach(), [asks(service=IAM, operations=["Create*"]), asks(service=IAM), asks(service="*")], 301),
    Need(attach(role=f"{ROLE}x"), [asks(resources=[f"{ROLE}y"])], None),
    # an attempt needs one too
    Need(attach(status="denied"), [asks(service=IAM)], 300),
    # roles and credentials for oneself: as in scope
    Need(takes_on(f"{ROLE}admin"), [asks(service="sts.amazonaws.com")], None),
    Need(takes_on(f"{ROLE}admin"), [asks(resources=[f"{ROLE}admin"])], 300),
    Need(api("sts.amazonaws.com", "GetSessionToken", obtains="self"), [asks(service="sts.amazonaws.com")], None),
    # networks: 443 unless ports are stated; what a CONNECT hides is unseen
    Need(tunnel("bank.example"), [asks(hosts=["bank.example"])], 300),
    Need(tunnel("bank.example", 8443), [asks(hosts=["bank.example"])], None),
    Need(tunnel("bank.example"), [asks(hosts=["bank.example"], paths=["/pay"])], 300, ["paths"]),
    Need(web("bank.example", "POST", "/pay"), [asks(hosts=["*"], methods=["POST"])], 300),
    Need(web("bank.example", "GET", "/pay"), [asks(hosts=["*"], methods=["POST"])], None),
    # no spelling gets around it
    Need(web("bank.example", "post", "//pay"), [asks(hosts=["*"], methods=["POST"], paths=["/pay"])], 300),
    Need(web("bank.example", "POST", "/x;/../pay/"), [asks(hosts=["*"], paths=["/pay"])], 300),
    Need({"format": "tools", "category": "tool", "account": "crm", "tool": "refund"}, [asks(tools=["refund"])], 300),
    Need({"format": "litellm", "category": "model", "model": "big", "api_service": "x"}, [asks(models=["big"])], 300),
]  # fmt: skip


@pytest.mark.parametrize("need", NEEDS, ids=[str(at) for at in range(len(NEEDS))])
def test_what_needs_an_approval(need: Need) -> None:
    found = needs([{"time": T, **need.act}], [worker("w1", *need.lines)])
    assert [(row["file"], row["line"], row["unseen"]) for row in found] == (
        [("w1.yaml", need.line, need.unseen)] if need.line else []
    )


COUNTS = {
    "for the worker by its name": approval(),
    "for one of its identities": approval(session_name=f"aws:role/{ROLE}w1"),
    "in the instant of the act": approval(0),
    "just young enough": approval(-60),
    "one resource of several": approval(resource_uid=None, resources=[f"{ROLE}y", f"{ROLE}x"]),
    "for this very request": approval(request_uid="REQ-1"),
}


@pytest.mark.parametrize("name", COUNTS)
def test_an_approval_that_covers_the_act(name: str) -> None:
    (row,) = needs([attach(request_uid="REQ-1"), COUNTS[name]])
    assert (row["approval_uid"], row["closest"]) == ("p0", None)


LACKS = {
    "none at all": (None, None),
    "refused": (approval(status="denied"), None),
    "for another worker": (approval(session_name="w2"), None),
    "for nobody": (approval(session_name=None), None),
    "for another operation": (approval(api_operation="PutRolePolicy"), None),
    "for another service": (approval(api_service="organizations.amazonaws.com"), None),
    "for another resource": (approval(resource_uid=f"{ROLE}y"), None),
    "for no resource": (approval(resource_uid=None), None),
    "a pattern is no approval of what it matches": (approval(resource_uid=f"{ROLE}*"), None),
    "too old by a microsecond": (approval(time=T - timedelta(hours=1, microseconds=1)), "is older than allowed"),
    "afterwards": (approval(1), "came only afterwards"),
    "for other content": (approval(request_uid="REQ-2"), "is for other content"),
    "by somebody who may not": (approval(principal="mail:addr/eve@other.example"), "by somebody who may not"),
    "by a name that nobody checked": (approval(identity_strength="asserted"), "a name that nobody checked"),
    "by the worker's identity": (approval(principal="mail:addr/w1-bot@corp.example"), "by the worker itself"),
    "by what the worker stood behind": (approval(worker="w1"), "by the worker itself"),
    "by its owner": (approval(principal=f"mail:addr/{OWNER}"), "its owner"),
    "by its owner in capitals": (approval(principal="mail:addr/Team@corp.example"), "its owner"),
    "by its delegator": (approval(principal="mail:addr/ann@corp.example"), "its delegator"),
}


@pytest.mark.parametrize("name", LACKS)
def test_an_approval_that_does_not_cover_the_act(name: str) -> None:
    given, why = LACKS[name]
    act = attach(request_uid="REQ-1", delegator="gcp:user/ann@corp.example")
    (row,) = needs([act, *([given] if given else [])])
    assert row["approval_uid"] is None
    if why is None:
        assert row["closest"] is None
    else:
        assert row["closest"].startswith("the approval p0 of ")
        assert why in row["closest"]


def test_content_that_the_log_of_the_act_cannot_show_is_not_held_against_it() -> None:
    act = attach(format="vault", request_uid=None)
    (row,) = needs([act, approval(request_uid="sha256:1")])
    assert row["approval_uid"] == "p0"


USES = {
    "one is used once": ([0, 1], [-10], ["p0", None]),
    "n uses need n approvals": ([0, 1, 2], [-10, -9], ["p0", "p1", None]),
    "an old one is no use to a late act": ([0, 90], [-10, -9], ["p0", None]),
    "one that ran out is left aside": ([0, 1], [-70, -5], ["p1", None]),
    "the oldest that still counts is used first": ([0, 55], [-58, -4], ["p0", "p1"]),
    "acts are served in order of time": ([5, 0], [-1], [None, "p0"]),
    "one given in between": ([0, 10], [-1, 5], ["p0", "p1"]),
    "one that comes too late is kept for the next": ([0, 10], [5], [None, "p0"]),
}


@pytest.mark.parametrize("name", USES)
def test_an_approval_is_used_once(name: str) -> None:
    acts, given, covered = USES[name]
    rows = needs([*(attach(minute) for minute in acts), *(approval(minute) for minute in given)])
    assert [row["approval_uid"] for row in rows] == covered
    spent = [row["closest"] for row in rows if row["approval_uid"] is None and "p0" in str(row["closest"])]
    assert all(said.endswith(("was used already", "is older than allowed", "came only afterwards")) for said in spent)


def test_several_resources_need_an_approval_each() -> None:
    act = {"time": T} | api(IAM, "AttachRolePolicy", f"{ROLE}x", f"{ROLE}y")
    rows = needs([act, approval(), approval(resource_uid=f"{ROLE}z")])
    assert [(row["resource"], row["approval_uid"]) for row in rows] == [(f"{ROLE}x", "p0"), (f"{ROLE}y", None)]
    both = needs([act, approval(resources=[f"{ROLE}x", f"{ROLE}y"])])
    assert [row["approval_uid"] for row in both] == ["p0", "p0"]


def test_each_worker_has_its_own() -> None:
    acts = [attach(), attach(worker="w2")]
    rows = needs([*acts, approval(session_name="w2")], [worker("w1"), worker("w2")])
    assert [row["approval_uid"] for row in rows] == [None, "p0"]


OTHER_KINDS = {
    "a request": (web("bank.example", "POST", "/pay"), {"api_operation": "POST", "resource_uid": "bank.example"}),
    "a tunnel": (tunnel("bank.example"), {"api_operation": "POST", "resource_uid": "bank.example"}),
    "a tool": (
        {"format": "tools", "category": "tool", "account": "crm", "tool": "refund"},
        {"api_operation": "refund", "resource_uid": "crm"},
    ),
    "a model": (
        {"format": "litellm", "category": "model", "model": "big", "api_service": "x"},
        {"api_service": "x", "api_operation": None, "resource_uid": "big"},
    ),
    "an operation without a resource": (api(IAM, "CreateAccountAlias"), {"api_operation": "CreateAccountAlias"}),
}


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_approvals_of_every_kind(name: str) -> None:
    act, names = OTHER_KINDS[name]
    lines = [asks(hosts=["*"]), asks(servers=["*"]), asks(models=["*"]), asks(service="*")]
    what = {"api_service": IAM if act["category"] == "cloud" else None, "resource_uid": None} | names
    (row,) = needs([{"time": T, **act}, approval(**what)], [worker("w1", *lines)])
    assert row["approval_uid"] == "p0"


def test_order_does_not_matter() -> None:
    acts = [attach(minute) for minute in (0, 1, 2, 30, 80)]
    given = [approval(minute) for minute in (-59, -20, 0, 25)]
    named = [{"worker": "w1", **one, "action_uid": f"a{at}"} for at, one in enumerate(acts)]
    named += [{**one, "action_uid": f"p{at}"} for at, one in enumerate(given)]
    found = []
    for seed in range(3):
        engine = DuckDBEngine(duckdb.connect())
        run(random.Random(seed).sample(named, len(named)), [worker()], engine)
        approvals.judge(engine)
        found.append(engine.query("SELECT * FROM approval_needs ORDER BY action_uid").to_pylist())
    assert found[0] == found[1] == found[2]
    assert [row["approval_uid"] for row in found[0]] == ["p0", "p1", "p2", "p3", None]


def test_the_table_has_its_columns_and_every_statement_renders() -> None:
    heard: list[str] = []
    engine = DuckDBEngine(duckdb.connect(), heard.append)
    needs([attach(), approval()], engine=engine)
    assert engine.query("SELECT * FROM approval_needs").schema.equals(approvals.APPROVAL_NEEDS)
    for sql in heard:
        sqlglot.transpile(sql, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)
