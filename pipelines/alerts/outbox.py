"""Which findings become alerts, for which destination: rows of the alerts table, written with the findings.

The outbox is filled in the findings' own transaction, so a finding is never without its alerts and an
alert never without its finding. Everything here is a pure function or SQL text.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import duckdb
import pyarrow as pa

from detectors.uuid5 import ALERTS
from pipelines import schema
from pipelines.alerts.destination import DestinationSettings, all_destinations
from pipelines.alerts.ocsf import Change, Limits, Notice

CHANGES = pa.schema([("finding_uid", pa.string()), ("change", pa.string())])
"""A finding that changed in a way worth telling: `created`, `updated` or `closed`."""

EARLIER = pa.schema([("finding_uid", pa.string()), ("destination", pa.string())])
"""A destination that already was to hear of a finding."""

GROWTH = 10
"""The factor by which evidence grows before that alone is news (an alert a count is what consumers mute)."""

_RANKS = pa.table(
    {
        "severity": ["info", "low", "medium", "high", "critical"],
        "rank": pa.array([1, 2, 3, 4, 5], pa.int64()),
    }
)


def alert_uid(finding_uid: str, revision: int, destination: str) -> str:
    """The id of one revision's alert at one destination; what receivers see is `ocsf.event_uid`."""
    return str(uuid.uuid5(ALERTS, f"{finding_uid}|{revision}|{destination}"))


def earlier_sql(touched: str) -> str:
    """SELECT of EARLIER for the findings whose uid is in the table or view `touched`."""
    return (
        "SELECT DISTINCT finding_uid, destination FROM alerts"
        f' WHERE finding_uid IN (SELECT finding_uid FROM "{touched}")'
    )


def baseline_sql(touched: str) -> str:
    """SELECT of the findings in `touched` as they last were told to anybody, else as they stand in the lake.

    Run it before the new findings are written. Against this, not against the latest revision, a change
    is judged: evidence that grows tenfold in small steps is news once.
    """
    return f"""
    WITH known AS (
        SELECT finding_uid, revision, severity, status, title, evidence, explanation FROM findings
        WHERE finding_uid IN (SELECT finding_uid FROM "{touched}")
        UNION ALL
        SELECT finding_uid, revision, severity, status, title, evidence, explanation FROM finding_revisions
        WHERE finding_uid IN (SELECT finding_uid FROM "{touched}")
    ), told AS (
        SELECT finding_uid, max(revision) AS revision FROM alerts
        WHERE finding_uid IN (SELECT finding_uid FROM "{touched}") GROUP BY finding_uid
    )
    SELECT known.finding_uid, known.severity, known.status, known.title, known.evidence, known.explanation
    FROM known LEFT JOIN told USING (finding_uid)
    QUALIFY row_number() OVER (
        PARTITION BY known.finding_uid
        ORDER BY CASE WHEN known.revision = told.revision THEN 0 ELSE 1 END, known.revision DESC
    ) = 1
    """


def first_actions_sql(touched: str) -> str:
    """SELECT of the first evidence action of each finding in `touched`: rows of the actions table.

    Give it to the attributions view's SQL as its actions, and the result to `rows` as `attributions`.
    """
    return f"""
    SELECT DISTINCT a.* FROM actions AS a
    JOIN "{touched}" AS t
        ON a.action_uid = t.evidence[1] AND a.time >= t.window_start AND a.time <= t.window_end
    """


def changes(before: pa.Table, after: pa.Table) -> pa.Table:
    """The CHANGES from `before` (see `baseline_sql`) to `after` (findings) that are material.

    Material is: a new finding, a higher severity, another status, another title, ten times the evidence. What
    becomes of a suppressed finding is not told while it stays so.
    """
    return _select(
        f"""
        SELECT new.finding_uid,
            CASE WHEN new.status IN ('resolved', 'suppressed') THEN 'closed'
                 WHEN old.finding_uid IS NULL THEN 'created' ELSE 'updated' END AS change
        FROM after AS new
        LEFT JOIN before AS old USING (finding_uid)
        LEFT JOIN ranks AS new_rank ON new_rank.severity = new.severity
        LEFT JOIN ranks AS old_rank ON old_rank.severity = old.severity
        WHERE NOT (coalesce(old.status, '') = 'suppressed' AND new.status = 'suppressed')
            AND (old.finding_uid IS NULL
                OR new_rank.rank > old_rank.rank
                OR new.status IS DISTINCT FROM old.status
                OR new.title IS DISTINCT FROM old.title
                OR {_count("new")} >= {GROWTH} * greatest({_count("old")}, 1))
        ORDER BY new.finding_uid
        """,
        before=before,
        after=after,
        ranks=_RANKS,
    ).cast(CHANGES)


def _count(finding: str) -> str:
    """SQL for how many actions a finding rests on: its list holds the worst of them, its explanation the count."""
    text = f"CASE WHEN json_valid({finding}.explanation) THEN {finding}.explanation END"
    told = f"TRY_CAST(json_extract_string({text}, '$.evidence_count') AS BIGINT)"
    return f"greatest(coalesce(len({finding}.evidence), 0), coalesce({told}, 0))"


def rows(
    findings: pa.Table,
    changes: pa.Table,
    destinations: Sequence[DestinationSettings],
    *,
    created_at: datetime,
    earlier: pa.Table | None = None,
    evidence: pa.Table | None = None,
    chains: pa.Table | None = None,
    attributions: pa.Table | None = None,
) -> pa.Table:
    """The alerts (schema.ALERTS) of CHANGES in `findings` (schema.FINDINGS), one row a revision and destination.

    A destination hears of findings from its least severity up. Of one that it was to hear of before
    (EARLIER) it hears whatever the severity is now, and also that it was closed. `created_at` is naive UTC.

    Three more tables make the payloads fuller: `evidence` (schema.EVIDENCE), `chains` (schema.CHAINS) and
    `attributions` (the view's columns, for the findings' first actions: the hops and the delegator).
    """
    settings = {each.name: each for each in destinations}
    wanted = _wanted(findings, changes, destinations, EARLIER.empty_table() if earlier is None else earlier)
    actions, chain_rows, attribution_rows = (
        _first_actions(wanted, evidence),
        _by("chain_id", chains),
        _by("action_uid", attributions),
    )
    payloads: dict[tuple[str, str, str], str] = {}
    alerts = []
    for finding in wanted.to_pylist():
        change, name = cast(Change, finding.pop("change")), finding.pop("destination")
        uid, revision = finding["finding_uid"], finding["revision"]
        key = (uid, change, settings[name].type)
        if key not in payloads:
            first = (finding["evidence"] or [None])[0]
            notice = Notice(
                finding,
                change,
                actions.get(uid, ()),
                chain_rows.get(finding["chain_id"]),
                attribution_rows.get(first),
            )
            payloads[key] = all_destinations()[settings[name].type].payload(notice)
        alerts.append(
            {
                "alert_uid": alert_uid(uid, revision, name),
                "finding_uid": uid,
                "revision": revision,
                "destination": name,
                "payload": payloads[key],
                "created_at": created_at,
            }
        )
    return pa.Table.from_pylist(alerts, schema=schema.ALERTS.arrow)


def _wanted(
    findings: pa.Table, changes: pa.Table, destinations: Sequence[DestinationSettings], earlier: pa.Table
) -> pa.Table:
    """The findings once for each destination that hears of them, with the change as that destination sees it."""
    listening = pa.table(
        {
            "destination": pa.array([each.name for each in destinations], pa.string()),
            "least": pa.array([each.min_severity for each in destinations], pa.string()),
        }
    )
    return _select(
        """
        SELECT findings.*, listening.destination,
            CASE WHEN changes.change = 'closed' THEN 'closed'
                 WHEN earlier.finding_uid IS NULL THEN 'created' ELSE 'updated' END AS change
        FROM findings
        JOIN changes USING (finding_uid)
        CROSS JOIN listening
        JOIN ranks AS least ON least.severity = listening.least
        LEFT JOIN ranks AS own ON own.severity = findings.severity
        LEFT JOIN earlier
            ON earlier.finding_uid = findings.finding_uid AND earlier.destination = listening.destination
        WHERE earlier.finding_uid IS NOT NULL OR (own.rank >= least.rank AND changes.change <> 'closed')
        ORDER BY findings.finding_uid, listening.destination
        """,
        findings=findings,
        changes=changes,
        listening=listening,
        ranks=_RANKS,
        earlier=earlier,
    )


def _first_actions(wanted: pa.Table, evidence: pa.Table | None) -> Mapping[str, list[Mapping[str, Any]]]:
    """The frozen actions that stand first in each finding's evidence, in that order."""
    if evidence is None:
        return {}
    first = _select(
        f"""
        WITH listed AS (
            SELECT DISTINCT finding_uid, unnest(evidence[1:{Limits().actions}]) AS action_uid,
                generate_subscripts(evidence[1:{Limits().actions}], 1) AS place
            FROM wanted
        ), frozen AS (
            SELECT finding_uid, action_uid, min(action) AS action FROM evidence
            WHERE action IS NOT NULL GROUP BY finding_uid, action_uid
        )
        SELECT finding_uid, list(action ORDER BY place) AS actions
        FROM listed JOIN frozen USING (finding_uid, action_uid) GROUP BY finding_uid
        """,
        evidence=evidence,
        wanted=wanted,
    )
    return {row["finding_uid"]: [json.loads(action) for action in row["actions"]] for row in first.to_pylist()}


def _by(key: str, table: pa.Table | None) -> Mapping[str | None, Mapping[str, Any]]:
    return {row[key]: row for row in table.to_pylist()} if table is not None else {}


def _select(sql: str, **tables: pa.Table) -> pa.Table:
    """The rows of a SELECT over Arrow tables, in a database of its own."""
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.execute(sql).to_arrow_table()
