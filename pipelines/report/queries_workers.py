"""Queries of a worker's page, for all chosen workers at once: what is declared against what was used."""

from __future__ import annotations

from detectors.glob import matches_sql
from pipelines.lake.views import holds
from pipelines.report.selection import Bounds

_CHOSEN = "worker IN (SELECT worker FROM chosen_workers)"


def heads_sql() -> str:
    """One row a chosen worker, in the order of their pages: its counts and its latest manifest, if any."""
    return """
    SELECT w.worker, w.findings, w.worst, w.actions, w.first_at, w.last_at, m.sha256, m.valid_from, m.file,
        m.document, m.lines
    FROM chosen_workers AS w LEFT JOIN latest_manifests AS m ON m.worker = w.worker
    ORDER BY w.place
    """


def versions_sql() -> str:
    """One row a chosen worker: actions of the period that an earlier version of its manifest judged."""
    return f"""
    SELECT r.worker, count(DISTINCT r.manifest_sha) AS versions, count(*) AS actions
    FROM reported AS r JOIN latest_manifests AS m ON m.worker = r.worker
    WHERE r.{_CHOSEN} AND r.manifest_sha <> m.sha256
    GROUP BY r.worker ORDER BY r.worker
    """


def lines_used_sql() -> str:
    """One row a worker, line of its latest manifest and verdict: how many actions it decided, failed ones, the last."""
    return f"""
    SELECT r.worker, r.line, r.verdict, r.basis, count(*) AS actions, count(*) FILTER (WHERE r.tried) AS tried,
        max(r.time) AS last_at
    FROM reported AS r JOIN latest_manifests AS m ON m.worker = r.worker AND m.sha256 = r.manifest_sha
    WHERE r.{_CHOSEN} AND r.line IS NOT NULL
    GROUP BY r.worker, r.line, r.verdict, r.basis ORDER BY r.worker, r.line, r.verdict, r.basis
    """


def verdicts_sql() -> str:
    """One row a worker and verdict: how many actions of the period; `unjudged` are no question of scope."""
    return f"""
    SELECT worker, coalesce(verdict, 'unjudged') AS verdict, count(*) AS actions,
        count(*) FILTER (WHERE tried) AS tried
    FROM reported WHERE {_CHOSEN} GROUP BY worker, coalesce(verdict, 'unjudged') ORDER BY worker, verdict
    """


def beyond_sql(bounds: Bounds) -> str:
    """One row a worker and thing that no line allows, the most used first: calls, failed ones, first and last time."""
    return f"""
    SELECT * FROM (
        SELECT *, row_number() OVER (PARTITION BY worker ORDER BY actions DESC, what, operation) AS nth,
            count(*) OVER (PARTITION BY worker) AS groups
        FROM (
            SELECT worker, kind, CASE kind WHEN 'net' THEN dst_host WHEN 'model' THEN model WHEN 'tool' THEN account
                    ELSE api_service END AS what,
                CASE kind WHEN 'net' THEN http_method WHEN 'tool' THEN tool ELSE api_operation END AS operation,
                min(resource_uid) AS example, count(DISTINCT resource_uid) AS resources,
                count(*) AS actions, count(*) FILTER (WHERE tried) AS tried,
                min(time) AS first_at, max(time) AS last_at
            FROM reported WHERE {_CHOSEN} AND verdict = 'out'
            GROUP BY 1, 2, 3, 4
        ) AS grouped
    ) AS placed
    WHERE nth <= {bounds.rows} ORDER BY worker, nth
    """


def used_names_sql() -> str:
    """One row a chosen worker and name that its actions bear or lead up to: principals, credentials, roots.

    What the worker was started with (a subject, a client) stands on no action of its own, but on the way up.
    """
    return f"""
    WITH bounds_used AS (
        SELECT r.worker, r.bound_uid, b.valid_from, r.principal,
            count(*) AS actions, min(r.time) AS first_at, max(r.time) AS last_at
        FROM reported AS r LEFT JOIN bindings AS b ON b.uid = r.bound_uid AND {holds("b", "r.time")}
        WHERE r.{_CHOSEN} GROUP BY r.worker, r.bound_uid, b.valid_from, r.principal
    ),
    ends AS (
        SELECT uid, valid_from, hop."to" AS name
        FROM (SELECT uid, valid_from, unnest(path) AS hop FROM bindings) AS hops
    ),
    named AS (
        SELECT *, bound_uid AS name FROM bounds_used
        UNION
        SELECT *, principal AS name FROM bounds_used
        UNION
        SELECT u.*, e.name
        FROM bounds_used AS u JOIN ends AS e ON e.uid = u.bound_uid AND e.valid_from IS NOT DISTINCT FROM u.valid_from
    )
    SELECT worker, name, CAST(sum(actions) AS BIGINT) AS actions, min(first_at) AS first_at, max(last_at) AS last_at,
        count(*) FILTER (WHERE name = principal) > 0 AS acts
    FROM named WHERE name IS NOT NULL GROUP BY worker, name
    """


def declared_sql() -> str:
    """One row a declared identity of a chosen worker's latest manifest: how it was used in the period, or not."""
    return f"""
    WITH declared AS (
        SELECT i.worker, i.uid, i.uid_like, i.is_pattern, i.shared
        FROM all_identities_latest AS i WHERE i.{_CHOSEN}
    ),
    met AS (
        SELECT d.worker, d.uid, u.actions, u.first_at, u.last_at
        FROM declared AS d JOIN used_names AS u ON u.worker = d.worker AND u.name = d.uid
        WHERE NOT d.is_pattern
        UNION ALL
        SELECT d.worker, d.uid, u.actions, u.first_at, u.last_at
        FROM declared AS d JOIN used_names AS u ON u.worker = d.worker AND {matches_sql("u.name", "d.uid_like")}
        WHERE d.is_pattern
    )
    SELECT d.worker, d.uid, d.shared, CAST(coalesce(sum(m.actions), 0) AS BIGINT) AS actions,
        min(m.first_at) AS first_at, max(m.last_at) AS last_at
    FROM declared AS d LEFT JOIN met AS m ON m.worker = d.worker AND m.uid = d.uid
    GROUP BY d.worker, d.uid, d.shared ORDER BY d.worker, d.uid
    """


def identities_sql() -> str:
    """The identities of every worker's latest manifest."""
    return """
    SELECT i.* FROM identities AS i JOIN latest_manifests AS m ON m.worker = i.worker AND m.sha256 = i.manifest_sha
    """


def undeclared_sql(bounds: Bounds) -> str:
    """One row a principal that a chosen worker acted as and that its manifest does not declare, the most used first."""
    return f"""
    WITH matched AS (
        SELECT u.worker, u.name FROM used_names AS u
        JOIN all_identities_latest AS i ON i.worker = u.worker AND i.uid = u.name
        UNION
        SELECT u.worker, u.name FROM used_names AS u
        JOIN all_identities_latest AS i ON i.worker = u.worker AND i.is_pattern
            AND {matches_sql("u.name", "i.uid_like")}
    )
    SELECT * FROM (
        SELECT u.worker, u.name, u.actions, u.first_at, u.last_at,
            row_number() OVER (PARTITION BY u.worker ORDER BY u.actions DESC, u.name) AS nth,
            count(*) OVER (PARTITION BY u.worker) AS groups
        FROM used_names AS u LEFT JOIN matched AS m ON m.worker = u.worker AND m.name = u.name
        WHERE u.acts AND m.name IS NULL
    ) AS placed
    WHERE nth <= {bounds.rows} ORDER BY worker, nth
    """


def hours_sql(bounds: Bounds) -> str:
    """One row a chosen worker, day and hour with calls, of the last days of the period."""
    return f"""
    WITH last_day AS (SELECT CAST(max(time) AS DATE) AS day FROM reported)
    SELECT r.worker, CAST(r.time AS DATE) AS day, hour(r.time) AS hour, count(*) AS calls,
        count(*) FILTER (WHERE r.verdict IN ('out', 'deny')) AS outside
    FROM reported AS r CROSS JOIN last_day AS l
    WHERE r.{_CHOSEN} AND CAST(r.time AS DATE) > l.day - INTERVAL {bounds.days} DAY
    GROUP BY r.worker, CAST(r.time AS DATE), hour(r.time) ORDER BY r.worker, day, hour
    """


def chains_of_sql(bounds: Bounds) -> str:
    """One row a chain of a chosen worker, those with findings first, then the latest; `of` is how many it has."""
    return f"""
    SELECT r.worker, r.chain_id, r.root_uid, r.delegator, r.started_at, r.ended_at, r.actions, r.hops, r.bytes_out,
        r.strength, r.findings, d.chain_id IS NOT NULL AS is_drawn, r.of
    FROM (SELECT *, count(*) OVER (PARTITION BY worker) AS of FROM chains_ranked) AS r
    LEFT JOIN drawn_chains AS d ON d.chain_id = r.chain_id
    WHERE r.{_CHOSEN} AND r.of_worker <= {bounds.rows}
    ORDER BY r.worker, r.of_worker
    """
