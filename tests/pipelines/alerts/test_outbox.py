"""Which findings become alerts, for whom, and under which ids."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from detectors.uuid5 import ALERTS
from pipelines import schema
from pipelines.alerts import outbox
from pipelines.alerts.ocsf import event_uid

Make = Callable[..., dict[str, Any]]
Tables = tuple[Callable[..., pa.Table], Callable[..., pa.Table]]
AT = datetime(2026, 3, 9, 12, 0)
URL = "https://siem.example/hook"


def test_a_finding_becomes_one_row_for_each_destination_that_it_is_grave_enough_for(
    finding: Make, siem: Callable[..., Any], tables: Tables
) -> None:
    findings, changes = tables
    rows = [finding(finding_uid=name, severity=name) for name in ("info", "low", "medium", "high", "critical")]
    destinations = [
        siem(URL, name="all", min_severity="info"),
        siem(URL),
        siem(URL, name="pager", min_severity="critical"),
    ]
    alerts = outbox.rows(
        findings(rows), changes({row["finding_uid"]: "created" for row in rows}), destinations, created_at=AT
    )
    assert alerts.schema == schema.ALERTS.arrow
    heard = {(row["destination"], row["finding_uid"]) for row in alerts.to_pylist()}
    assert heard == {
        *(("all", name) for name in ("info", "low", "medium", "high", "critical")),
        *(("siem", name) for name in ("medium", "high", "critical")),
        ("pager", "critical"),
    }
    assert set(alerts["created_at"].to_pylist()) == {AT}


def test_ids_are_of_the_revision_and_the_receiver_sees_one_id_everywhere(
    finding: Make, siem: Callable[..., Any], tables: Tables
) -> None:
    findings, changes = tables
    alerts = outbox.rows(
        findings([finding(finding_uid="f", revision=3)]),
        changes({"f": "updated"}),
        [siem(URL), siem(URL, name="second")],
        created_at=AT,
    ).to_pylist()
    assert [row["alert_uid"] for row in alerts] == [
        str(uuid.uuid5(ALERTS, "f|3|second" if row["destination"] == "second" else "f|3|siem")) for row in alerts
    ]
    seen = {json.loads(row["payload"])["data"]["metadata"]["uid"] for row in alerts}
    assert seen == {event_uid("f", 3)} == {str(uuid.uuid5(ALERTS, "f|3"))}
    assert "." not in event_uid("f", 3)


def test_findings_without_a_change_are_not_told(finding: Make, siem: Callable[..., Any], tables: Tables) -> None:
    findings, changes = tables
    alerts = outbox.rows(findings([finding()]), changes({"another": "created"}), [siem(URL)], created_at=AT)
    assert alerts.num_rows == 0
    assert outbox.rows(findings([finding()]), changes({}), [], created_at=AT).schema == schema.ALERTS.arrow


@pytest.mark.parametrize(("severity", "change", "status"), [("low", "updated", "open"), ("low", "closed", "resolved")])
def test_who_heard_of_it_before_hears_that_it_fell_or_was_closed(
    finding: Make, siem: Callable[..., Any], tables: Tables, severity: str, change: str, status: str
) -> None:
    findings, changes = tables
    rows = findings([finding(finding_uid="f", revision=2, severity=severity, status=status)])
    earlier = pa.Table.from_pylist([{"finding_uid": "f", "destination": "siem"}], schema=outbox.EARLIER)
    destinations = [siem(URL), siem(URL, name="second")]
    alerts = outbox.rows(rows, changes({"f": change}), destinations, created_at=AT, earlier=earlier).to_pylist()
    assert [row["destination"] for row in alerts] == ["siem"]
    assert json.loads(alerts[0]["payload"])["type"] == f"finding.{change}"


def test_what_is_closed_before_anybody_heard_of_it_is_not_told(
    finding: Make, siem: Callable[..., Any], tables: Tables
) -> None:
    findings, changes = tables
    rows = findings([finding(finding_uid="f", status="suppressed")])
    assert outbox.rows(rows, changes({"f": "closed"}), [siem(URL)], created_at=AT).num_rows == 0


def test_a_destination_that_hears_of_it_for_the_first_time_hears_created(
    finding: Make, siem: Callable[..., Any], tables: Tables
) -> None:
    findings, changes = tables
    rows = findings([finding(finding_uid="f", revision=4, severity="critical")])
    earlier = pa.Table.from_pylist([{"finding_uid": "f", "destination": "siem"}], schema=outbox.EARLIER)
    destinations = [siem(URL), siem(URL, name="pager", min_severity="critical")]
    alerts = outbox.rows(rows, changes({"f": "updated"}), destinations, created_at=AT, earlier=earlier).to_pylist()
    types = {row["destination"]: json.loads(row["payload"])["type"] for row in alerts}
    assert types == {"pager": "finding.created", "siem": "finding.updated"}


def test_evidence_and_chain_reach_the_payload(finding: Make, siem: Callable[..., Any], tables: Tables) -> None:
    findings, changes = tables
    row = finding(evidence=[f"e{n:02}" for n in reversed(range(20))])
    evidence = pa.Table.from_pylist(
        [
            {
                "finding_uid": row["finding_uid"],
                "action_uid": f"e{n:02}",
                "action": json.dumps({"action_uid": f"e{n:02}"}),
            }
            for n in range(20)
        ],
        schema=schema.EVIDENCE.arrow,
    )
    chains = pa.Table.from_pylist(
        [{"chain_id": row["chain_id"], "actions": 7, "root_uid": "okta:session/corp/1"}], schema=schema.CHAINS.arrow
    )
    alerts = outbox.rows(
        findings([row]),
        changes({row["finding_uid"]: "created"}),
        [siem(URL)],
        created_at=AT,
        evidence=evidence,
        chains=chains,
        attributions=pa.Table.from_pylist(
            [
                {"action_uid": "e19", "delegator": "mail:addr/ada@corp.example", "path": [{"from": "a", "to": "b"}]},
                {"action_uid": "e18", "delegator": "mail:addr/bob@corp.example", "path": []},
            ]
        ),
    )
    data = json.loads(alerts["payload"][0].as_py())["data"]
    assert [each.get("uid") for each in data["evidences"]] == [None, *(f"e{n:02}" for n in range(19, 9, -1))]
    assert data["unmapped"]["workertrail"]["chain"] == {"root_uid": "okta:session/corp/1", "actions": 7}
    assert data["unmapped"]["workertrail"]["hops"] == [{"from": "a", "to": "b"}]
    assert data["unmapped"]["delegation"] == {"delegator": "mail:addr/ada@corp.example"}


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (None, {}, "created"),
        (None, {"status": "suppressed"}, "closed"),
        ({}, {}, None),
        ({}, {"severity": "critical"}, "updated"),
        ({}, {"severity": "low"}, None),
        ({}, {"status": "acknowledged"}, "updated"),
        ({}, {"status": "resolved"}, "closed"),
        ({"status": "resolved"}, {"status": "open"}, "updated"),
        ({}, {"title": "another"}, "updated"),
        ({}, {"evidence": ["e"] * 19}, None),
        ({}, {"evidence": ["e"] * 20}, "updated"),
        ({}, {"explanation": '{"evidence_count": 20}'}, "updated"),
        ({}, {"explanation": '{"evidence_count": 19}'}, None),
        ({"explanation": "no json"}, {"explanation": '{"evidence_count": "many"}'}, None),
        ({}, {"explanation": "{}", "score": 0.1, "revision": 2}, None),
    ],
)
def test_only_a_material_change_is_told(
    finding: Make, tables: Tables, before: dict[str, Any] | None, after: dict[str, Any], change: str | None
) -> None:
    findings, _ = tables
    old = findings([] if before is None else [finding(**before)])
    found = outbox.changes(old, findings([finding(**after)]))
    assert found.schema == outbox.CHANGES
    assert found["change"].to_pylist() == ([] if change is None else [change])


def test_a_change_is_judged_against_what_was_last_told(finding: Make, tables: Tables) -> None:
    """Evidence that grows from 2 over 8 to 20 is news at 20, though no step of it is tenfold."""
    findings, _ = tables
    database = duckdb.connect()
    sizes = {1: 2, 2: 8, 3: 20}
    kept = [finding(finding_uid="f", revision=n, evidence=["e"] * size) for n, size in sizes.items()]
    tables_now = {
        "findings": findings(kept[-1:]),
        "finding_revisions": findings(kept[:-1]),
        "alerts": pa.Table.from_pylist(
            [{"finding_uid": "f", "revision": 1, "destination": "siem"}], schema=schema.ALERTS.arrow
        ),
        "touched": pa.table({"finding_uid": ["f"]}),
    }
    for name, table in tables_now.items():
        database.register(name, table)
    baseline = database.execute(outbox.baseline_sql("touched")).to_arrow_table()
    assert [len(row["evidence"]) for row in baseline.to_pylist()] == [2]
    assert outbox.changes(baseline, findings(kept[-1:]))["change"].to_pylist() == ["updated"]
    database.register("alerts", schema.ALERTS.arrow.empty_table())
    baseline = database.execute(outbox.baseline_sql("touched")).to_arrow_table()
    assert [len(row["evidence"]) for row in baseline.to_pylist()] == [20], "never told: as it stands in the lake"


def test_two_thousand_findings_are_queued_in_bounded_time(
    finding: Make, siem: Callable[..., Any], tables: Tables
) -> None:
    findings, changes = tables
    rows = [finding(finding_uid=f"f{n:05}") for n in range(2_000)]
    table, changed = findings(rows), changes({row["finding_uid"]: "created" for row in rows})
    started = time.perf_counter()
    alerts = outbox.rows(table, changed, [siem(URL)], created_at=AT)
    assert alerts.num_rows == 2_000
    assert time.perf_counter() - started < 30
