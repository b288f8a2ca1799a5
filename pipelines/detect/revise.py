"""What became of each finding: new, revised, withdrawn or as it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from detectors.findings import FOUND
from pipelines import schema
from pipelines.alerts import outbox
from pipelines.detect import reviews
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.store import Writer
from pipelines.lake.views import attributions_sql
from pipelines.settings import Settings

MAX_EVIDENCE = 1_000


@dataclass(frozen=True)
class Revised:
    """How many findings were opened, revised and resolved, and how many alerts were written for them."""

    opened: int
    revised: int
    resolved: int
    alerts: int


def revise(
    writer: Writer, engine: DuckDBEngine, found: pa.Table, failed: frozenset[str], settings: Settings, now: datetime
) -> Revised:
    """Bring `findings` to what was found (columns FOUND), with revisions, frozen evidence and the outbox.

    A finding that is found no more is resolved, unless its detector failed in this run.
    """
    engine.let("found", found.select(FOUND.names))
    engine.let("failed_detectors", pa.table({"detector": pa.array(sorted(failed), pa.string())}))
    engine.let("found_clock", pa.table({"now": pa.array([now]), "snapshot": pa.array([writer.input_snapshot])}))
    engine.let("standing_reviews", reviews.standing_sql("(SELECT now FROM found_clock)"))
    _touched(engine)
    alerts = publish(writer, engine, settings, now)
    counts = engine.query(
        """
        SELECT count(*) FILTER (WHERE revision = 1) AS opened,
               count(*) FILTER (WHERE status = 'resolved') AS resolved, count(*) AS n FROM touched
        """
    ).to_pylist()[0]
    revised = counts["n"] - counts["opened"] - counts["resolved"]
    return Revised(counts["opened"], revised, counts["resolved"], alerts)


def publish(writer: Writer, engine: DuckDBEngine, settings: Settings, now: datetime) -> int:
    """Write the findings of the table `touched`, the revisions that they replace, frozen evidence and alerts.

    How many alerts were written.
    """
    before = engine.query(outbox.baseline_sql("touched"))
    earlier = engine.query(outbox.earlier_sql("touched"))
    _write_findings(writer)
    _thaw_moved_evidence(writer, engine)
    _freeze_evidence(writer)
    engine.let("first_evidence", outbox.first_actions_sql("touched"))
    after = engine.query(f"SELECT {', '.join(schema.FINDINGS.columns)} FROM touched")
    alerts = outbox.rows(
        after,
        outbox.changes(before, after),
        settings.alerts,
        created_at=now,
        earlier=earlier,
        evidence=engine.query("SELECT * FROM evidence WHERE finding_uid IN (SELECT finding_uid FROM touched)"),
        attributions=engine.query(attributions_sql(actions="first_evidence")),
        chains=engine.query("SELECT * FROM chains WHERE chain_id IN (SELECT chain_id FROM touched)"),
    )
    return writer.append(schema.ALERTS, alerts)


def _touched(engine: DuckDBEngine) -> None:
    """`touched`: the findings that are new, differ from before, or are found no more, as they are to be written.

    What somebody decided about a finding goes on holding for what it becomes, unless that is more severe.
    """
    content = [name for name in FOUND.names if name != "finding_uid"]
    differs = " OR ".join(f"f.{name} IS DISTINCT FROM o.{name}" for name in content)
    found = ", ".join(f"f.{name}" for name in FOUND.names)
    old = ", ".join(f"o.{name}" for name in FOUND.names)
    names = ", ".join(schema.FINDINGS.columns)
    holds = f"coalesce({reviews.rank_sql('f.severity')} <= {reviews.rank_sql('r.severity')}, false)"
    engine.let(
        "touched",
        f"""
        WITH opened AS (
            SELECT {found}, c.snapshot AS snapshot_id, 'open' AS status, CAST(NULL AS VARCHAR) AS resolution,
                   CAST(1 AS BIGINT) AS revision, CAST(NULL AS VARCHAR) AS previous_uid,
                   c.now AS created_at, c.now AS revised_at
            FROM found AS f CROSS JOIN found_clock AS c
            WHERE f.finding_uid NOT IN (SELECT finding_uid FROM findings)
        ),
        revised AS (
            SELECT {found}, c.snapshot AS snapshot_id,
                   CASE WHEN {holds} THEN r.status ELSE 'open' END AS status,
                   CASE WHEN {holds} THEN r.reason END AS resolution,
                   o.revision + 1 AS revision, o.previous_uid, o.created_at, c.now AS revised_at
            FROM found AS f JOIN findings AS o ON o.finding_uid = f.finding_uid CROSS JOIN found_clock AS c
            LEFT JOIN standing_reviews AS r ON r.finding_uid = f.finding_uid
            WHERE o.status = 'resolved' OR {differs}
        ),
        withdrawn AS (
            SELECT {old}, c.snapshot AS snapshot_id, 'resolved' AS status, 'evidence_withdrawn' AS resolution,
                   o.revision + 1 AS revision, o.previous_uid, o.created_at, c.now AS revised_at
            FROM findings AS o CROSS JOIN found_clock AS c
            WHERE o.status <> 'resolved'
              AND o.finding_uid NOT IN (SELECT finding_uid FROM found)
              AND o.detector NOT IN (SELECT detector FROM failed_detectors)
        )
        SELECT {names} FROM opened UNION ALL SELECT {names} FROM revised UNION ALL SELECT {names} FROM withdrawn
        """,
    )


def _write_findings(writer: Writer) -> None:
    connection = writer.connection
    names = ", ".join(schema.FINDINGS.columns)
    connection.execute(
        f"INSERT INTO lake.finding_revisions ({names}) SELECT {names} FROM lake.findings"
        " WHERE finding_uid IN (SELECT finding_uid FROM touched)"
    )
    connection.execute("DELETE FROM lake.findings WHERE finding_uid IN (SELECT finding_uid FROM touched)")
    connection.execute(f"INSERT INTO lake.findings ({names}) SELECT {names} FROM touched")


def _thaw_moved_evidence(writer: Writer, engine: DuckDBEngine) -> None:
    """Drop what was frozen of an action whose uid has gone to another copy since, for it to be frozen anew.

    `moved_evidence`: finding_uid, action_uid. An action that retention has taken away leaves its evidence as it is.
    """
    engine.let(
        "moved_evidence",
        """
        SELECT e.finding_uid, e.action_uid
        FROM evidence AS e JOIN actions AS a ON a.action_uid = e.action_uid
        WHERE a.record_id <> e.record_id
        """,
    )
    if engine.query("SELECT count(*) AS n FROM moved_evidence")["n"][0].as_py():
        writer.connection.execute(
            """
            DELETE FROM lake.evidence USING moved_evidence AS m
            WHERE lake.evidence.finding_uid = m.finding_uid AND lake.evidence.action_uid = m.action_uid
            """
        )


def _freeze_evidence(writer: Writer) -> None:
    """Copy the actions of touched findings and their raw text, each once, so that they outlive retention.

    Evidence that was thawed since its action moved is frozen anew, though its finding reads as before.
    """
    fields = ", ".join(f'"{name}" := h."{name}"' for name in schema.ACTIONS.columns)
    writer.connection.execute(
        f"""
        INSERT INTO lake.evidence
            (finding_uid, action_uid, record_id, object_sha256, object_uri, ordinal, action, raw)
        WITH listed AS (
            SELECT DISTINCT finding_uid, unnest(evidence[1:{MAX_EVIDENCE}]) AS action_uid
            FROM (SELECT finding_uid, evidence FROM touched
                  UNION ALL
                  SELECT finding_uid, evidence FROM lake.findings
                  WHERE finding_uid IN (SELECT finding_uid FROM moved_evidence)) AS mentioned
        ),
        missing AS (
            SELECT l.* FROM listed AS l
            ANTI JOIN lake.evidence AS e ON e.finding_uid = l.finding_uid AND e.action_uid = l.action_uid
        ),
        held AS (
            SELECT m.finding_uid, a.* FROM missing AS m JOIN lake.actions AS a ON a.action_uid = m.action_uid
        ),
        texts AS (SELECT * FROM lake.records WHERE record_id IN (SELECT record_id FROM held))
        SELECT h.finding_uid, h.action_uid, h.record_id, t.object_sha256, o.object_uri, t.ordinal,
               CAST(to_json(struct_pack({fields})) AS VARCHAR), t.raw
        FROM held AS h
        JOIN texts AS t ON t.record_id = h.record_id
        LEFT JOIN lake.objects AS o ON o.object_uid = t.object_uid
        """
    )
