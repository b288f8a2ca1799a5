"""The tables that the report's queries read, made on an engine that reads one snapshot of the lake."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from detectors import scope
from pipelines.detect import manifests, provide
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.report.selection import Bounds, Selection
from pipelines.settings import Source

SEVERITY_RANK = (
    "CASE severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END"
)


def prepare(engine: DuckDBEngine, sources: Sequence[Source], selection: Selection, bounds: Bounds) -> None:
    """Judge every action by its worker's scope again, then make `reported`, `found` and the chosen few.

    `reported`: actions of the period; `found`: findings of the period; `chosen_findings`, `chosen_workers`,
    `drawn_chains`: those that the report shows in full.
    """
    engine.let("asked", pa.table({"worker": pa.array([selection.worker], pa.string())}))
    manifests.provide(engine, ())  # which of them lie in the folder now makes no difference here
    engine.let("latest_manifests", latest_manifests_sql(selection))
    provide.provide(engine, sources)
    scope.judge(engine)
    engine.let("reported", reported_sql(selection))
    engine.let("found", found_sql(selection))
    engine.let("chosen_findings", chosen_findings_sql(bounds))
    engine.let("workers_ranked", workers_ranked_sql(selection))
    engine.let("chosen_workers", chosen_workers_sql(bounds))
    engine.let("chains_ranked", chains_ranked_sql(selection))
    engine.let("drawn_chains", drawn_chains_sql(bounds))


def latest_manifests_sql(selection: Selection) -> str:
    """One row a worker: its manifest in force at the end of the period, else the first that comes into force."""
    in_force = selection.begun("v.valid_from")
    return f"""
    SELECT v.worker, m.sha256, v.valid_from, m.file, m.document, m.lines
    FROM manifest_versions AS v JOIN manifests AS m ON m.worker = v.worker AND m.sha256 = v.manifest_sha
    QUALIFY row_number() OVER (
        PARTITION BY v.worker
        ORDER BY CASE WHEN {in_force} THEN 0 ELSE 1 END, CASE WHEN {in_force} THEN v.valid_from END DESC,
            v.valid_from, m.effective_from, m.file
    ) = 1
    """


def reported_sql(selection: Selection) -> str:
    """One row a primary action of the period, attributed or not, with the verdict on it where scope judges it."""
    return f"""
    SELECT a.action_uid, a.worker, a.strength, a.confidence, a.delegator, a.chain_id, a.bound_uid, a.manifest_sha,
        a.source, a.format, a.category, a.time, a.principal, a.credential_uid, a.session_uid, a.obtains, a.src_ip,
        a.user_agent, a.api_service, a.api_operation, a.http_method, a.dst_host, a.dst_port, a.url_path,
        a.resource_uid, a.status, a.error, a.bytes_out, a.bytes_in, a.account, a.model, a.tool,
        v.kind, v.verdict, v.tried, v.file, v.line, v.basis
    FROM attributed AS a
    LEFT JOIN verdicts AS v ON v.action_uid = a.action_uid
    WHERE {selection.within("a.time")} AND {selection.of("a.worker")}
    """


def found_sql(selection: Selection) -> str:
    """One row a finding that is not resolved and touches the period, `rank` 1 being the worst."""
    return f"""
    SELECT *, row_number() OVER (ORDER BY {SEVERITY_RANK} DESC, window_start, finding_uid) AS rank
    FROM findings
    WHERE status <> 'resolved' AND {selection.touches("window_start", "window_end")} AND {selection.of("worker")}
    """


def chosen_findings_sql(bounds: Bounds) -> str:
    """The worst findings, as many as the report tells in full."""
    return f"SELECT * FROM found WHERE rank <= {bounds.findings}"


def workers_ranked_sql(selection: Selection) -> str:
    """One row a worker that is declared or acted: findings, actions, and its `place` by these."""
    return f"""
    WITH named AS (
        SELECT worker FROM latest_manifests WHERE {selection.of("worker")}
        UNION
        SELECT worker FROM reported WHERE worker IS NOT NULL
    ),
    findings_of AS (SELECT worker, count(*) AS findings, max({SEVERITY_RANK}) AS worst FROM found GROUP BY worker),
    actions_of AS (
        SELECT worker, count(*) AS actions, min(time) AS first_at, max(time) AS last_at FROM reported GROUP BY worker
    )
    SELECT n.worker, coalesce(f.findings, 0) AS findings, coalesce(f.worst, 0) AS worst,
        coalesce(a.actions, 0) AS actions, a.first_at, a.last_at,
        row_number() OVER (
            ORDER BY coalesce(f.worst, 0) DESC, coalesce(f.findings, 0) DESC, coalesce(a.actions, 0) DESC, n.worker
        ) AS place
    FROM named AS n
    LEFT JOIN findings_of AS f ON f.worker = n.worker
    LEFT JOIN actions_of AS a ON a.worker = n.worker
    """


def chosen_workers_sql(bounds: Bounds) -> str:
    """The workers that get a page of their own."""
    return f"SELECT * FROM workers_ranked WHERE place <= {bounds.workers}"


def chains_ranked_sql(selection: Selection) -> str:
    """One row a chain of the period: its findings, the worst one's rank, and its places by that and by lateness."""
    return f"""
    WITH findings_of AS (
        SELECT chain_id, count(*) AS findings, min(rank) AS worst FROM found
        WHERE chain_id IS NOT NULL GROUP BY chain_id
    )
    SELECT c.*, coalesce(f.findings, 0) AS findings, f.worst,
        row_number() OVER (ORDER BY f.worst ASC NULLS LAST, c.started_at DESC, c.chain_id) AS by_findings,
        row_number() OVER (
            PARTITION BY f.worst IS NULL ORDER BY c.ended_at DESC, c.chain_id
        ) AS by_lateness,
        row_number() OVER (
            PARTITION BY c.worker ORDER BY f.worst ASC NULLS LAST, c.started_at DESC, c.chain_id
        ) AS of_worker
    FROM chains AS c LEFT JOIN findings_of AS f ON f.chain_id = c.chain_id
    WHERE {selection.touches("c.started_at", "c.ended_at")} AND {selection.of("c.worker")}
    """


def drawn_chains_sql(bounds: Bounds) -> str:
    """The chains that are drawn: those with the worst findings, and the latest of the others."""
    return f"""
    SELECT * FROM chains_ranked
    WHERE (findings > 0 AND by_findings <= {bounds.chains}) OR (findings = 0 AND by_lateness <= {bounds.other_chains})
    """
