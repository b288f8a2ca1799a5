"""Findings held against the incidents of a truth: what each rests on, and what became of each incident."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from pipelines.evaluate.truth import Truth
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.settings import Source

SEVERITY = "CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END"


def judge(engine: DuckDBEngine, truth: Truth, sources: Sequence[Source]) -> None:
    """From `true_events`, `met` and the lake's findings make the tables that follow; resolved findings do not count.

    `incidents`: as truth has them. `involved`: incident, worker: the incident's own and its events' workers.
    `rests`: finding_uid, event, incident, lookalike, at (when it truly happened): what the evidence shows.
    `hits`: finding_uid, incident, events, first_at, names (whether the finding names an involved worker).
    `kinds`: finding_uid, kind: see `found`.
    """
    for name in ("incidents", "lookalikes"):
        engine.let(name, truth.table(name).to_arrow())
    engine.let("outages", _outages(truth, sources))
    engine.let(
        "involved",
        """
        SELECT incident, worker FROM incidents WHERE worker IS NOT NULL
        UNION
        SELECT incident, worker FROM true_events WHERE incident IS NOT NULL AND worker IS NOT NULL
        """,
    )
    engine.let(
        "standing",
        f"""
        SELECT finding_uid, detector, worker, entity, title, severity, {SEVERITY} AS severity_rank, score, p_value,
               evidence, window_start, window_end,
               coalesce(CAST(json_extract_string(explanation, '$.confidence') AS DOUBLE), 0.0) AS confidence
        FROM findings WHERE status <> 'resolved'
        """,
    )
    engine.let(
        "rests",
        """
        SELECT l.finding_uid, m.event, m.incident, m.lookalike, min(m."at") AS "at"
        FROM (SELECT DISTINCT finding_uid, unnest(evidence) AS action_uid FROM standing) AS l
        JOIN met AS m ON m.action_uid = l.action_uid
        GROUP BY ALL
        """,
    )
    engine.let(
        "hits",
        """
        SELECT r.finding_uid, r.incident, count(*) AS events, min(r."at") AS first_at,
               coalesce(bool_or(i.worker IS NOT NULL), false) AS names
        FROM rests AS r
        JOIN standing AS f ON f.finding_uid = r.finding_uid
        LEFT JOIN involved AS i ON i.incident = r.incident AND i.worker = f.worker
        WHERE r.incident IS NOT NULL GROUP BY r.finding_uid, r.incident
        """,
    )
    engine.let(
        "kinds",
        """
        SELECT f.finding_uid,
               CASE WHEN h.names THEN 'right' WHEN h.finding_uid IS NOT NULL THEN 'astray'
                    WHEN o.finding_uid IS NOT NULL THEN 'outage'
                    WHEN l.finding_uid IS NOT NULL THEN 'lookalike' ELSE 'false' END AS kind
        FROM standing AS f
        LEFT JOIN (SELECT finding_uid, bool_or(names) AS names FROM hits GROUP BY finding_uid) AS h
             ON h.finding_uid = f.finding_uid
        LEFT JOIN (SELECT DISTINCT finding_uid FROM rests WHERE lookalike IS NOT NULL) AS l
             ON l.finding_uid = f.finding_uid
        LEFT JOIN (SELECT DISTINCT f.finding_uid FROM standing AS f
                   JOIN outages AS o ON o.source = f.entity AND f.window_start < o.until AND f.window_end > o.since
                   WHERE f.worker IS NULL) AS o ON o.finding_uid = f.finding_uid
        """,
    )


def _outages(truth: Truth, sources: Sequence[Source]) -> pa.Table:
    """When which source was truly silent: source, since, until."""
    rows = [
        {"source": one.name, "since": since, "until": until}
        for form, since, until in truth.outages
        for one in sources
        if one.format.name == form
    ]
    return pa.Table.from_pylist(rows, schema=_OUTAGES)


_TIME: pa.DataType = pa.timestamp("us")
_TEXT: pa.DataType = pa.string()
_OUTAGES = pa.schema([("source", _TEXT), ("since", _TIME), ("until", _TIME)])


def found(engine: DuckDBEngine) -> pl.DataFrame:
    """One row a finding: finding_uid, detector, worker, title, severity, severity_rank (0 is info), confidence,
    p_value, score, kind, example (an action_uid of its evidence).

    `kind`: `right` (rests on an event of an incident and names a worker of it), `astray` (rests on one and names
    nobody or another worker), `lookalike` (rests on none, but on a hard negative), `outage` (says of a
    source that was silent that it was), `false` (none of these).
    """
    return pl.DataFrame(
        engine.query(
            """
            SELECT f.finding_uid, f.detector, f.worker, f.title, f.severity, f.severity_rank, f.confidence, f.p_value,
                   f.score, k.kind, f.evidence[1] AS example
            FROM standing AS f JOIN kinds AS k ON k.finding_uid = f.finding_uid
            ORDER BY f.window_start, f.finding_uid
            """
        )
    )


def hits(engine: DuckDBEngine) -> pl.DataFrame:
    """One row a finding that names a worker of an incident and rests on one of its events: finding_uid, incident,
    raised_at.

    `raised_at` (event time): a finding whose window ends after all its evidence was raised at the window's end; any
    other when the first event of the incident in its evidence happened, for a run after that finds it.
    """
    return pl.DataFrame(
        engine.query(
            """
            WITH last_evidence AS (
                SELECT l.finding_uid, max(a.time) AS last_at
                FROM (SELECT finding_uid, unnest(evidence) AS action_uid FROM standing) AS l
                JOIN actions AS a ON a.action_uid = l.action_uid GROUP BY l.finding_uid
            )
            SELECT h.finding_uid, h.incident,
                   CASE WHEN f.window_end > e.last_at THEN f.window_end ELSE h.first_at END AS raised_at
            FROM hits AS h
            JOIN standing AS f ON f.finding_uid = h.finding_uid
            JOIN last_evidence AS e ON e.finding_uid = h.finding_uid
            WHERE h.names ORDER BY h.incident, h.finding_uid
            """
        )
    )


def incidents(engine: DuckDBEngine) -> pl.DataFrame:
    """One row an incident of the truth: incident, scenario, family, worker, intensity, started_at, events,
    touched (by any finding, whomever it names), listed (how many of its events the findings that name it list)."""
    return pl.DataFrame(
        engine.query(
            """
            SELECT i.incident, i.scenario, i.family, i.worker, i.intensity, i.started_at,
                   coalesce(e.events, 0) AS events, coalesce(t.touched, false) AS touched,
                   coalesce(l.listed, 0) AS listed
            FROM incidents AS i
            LEFT JOIN (SELECT incident, count(DISTINCT event) AS events FROM true_events
                       WHERE incident IS NOT NULL GROUP BY incident) AS e ON e.incident = i.incident
            LEFT JOIN (SELECT DISTINCT incident, true AS touched FROM hits) AS t ON t.incident = i.incident
            LEFT JOIN (SELECT r.incident, count(DISTINCT r.event) AS listed
                       FROM rests AS r JOIN hits AS h ON h.finding_uid = r.finding_uid AND h.incident = r.incident
                       WHERE h.names GROUP BY r.incident) AS l ON l.incident = i.incident
            ORDER BY i.started_at, i.incident
            """
        )
    )


def lookalikes(engine: DuckDBEngine) -> pl.DataFrame:
    """One row a hard negative of the truth: lookalike, name, resembles, findings (above info that rest on it and on
    no incident), detectors (theirs)."""
    return pl.DataFrame(
        engine.query(
            """
            SELECT l.lookalike, l.name, l.resembles, count(DISTINCT f.finding_uid) AS findings,
                   array_to_string(array_sort(list_distinct(coalesce(list(f.detector), []))), ', ') AS detectors
            FROM lookalikes AS l
            LEFT JOIN rests AS r ON r.lookalike = l.lookalike
            LEFT JOIN kinds AS k ON k.finding_uid = r.finding_uid AND k.kind = 'lookalike'
            LEFT JOIN standing AS f ON f.finding_uid = k.finding_uid AND f.severity_rank > 0
            GROUP BY l.lookalike, l.name, l.resembles ORDER BY l.name, l.lookalike
            """
        )
    )


def worker_days(engine: DuckDBEngine, truth: Truth) -> pl.DataFrame:
    """One row: workers, days (of all workers together)."""
    engine.let("true_workers", truth.table("workers").to_arrow())
    counted: pa.Table = engine.query(
        "SELECT count(*) AS workers, CAST(coalesce(sum(days), 0) AS BIGINT) AS days FROM true_workers"
    )
    return pl.DataFrame(counted)
