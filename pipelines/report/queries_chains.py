"""Queries of the drawn chains: what each is, how its credentials came to be, and its actions in lanes."""

from __future__ import annotations

from pipelines.lake.views import holds
from pipelines.report.selection import Bounds

MAX_LANES = 8
MAX_HOPS = 20


def drawn_sql() -> str:
    """One row a drawn chain: those with findings first, the worst on top, then the latest others."""
    return """
    SELECT d.*, p.worker AS parent_worker, w.worker IS NOT NULL AS has_page
    FROM drawn_chains AS d
    LEFT JOIN chains AS p ON p.chain_id = d.parent_chain_id
    LEFT JOIN chosen_workers AS w ON w.worker = d.worker
    ORDER BY d.worst ASC NULLS LAST, d.by_lateness
    """


def findings_of_sql() -> str:
    """One row a finding on a drawn chain that is told in full, the worst first."""
    return """
    SELECT f.chain_id, f.finding_uid, f.severity, f.title
    FROM chosen_findings AS f JOIN drawn_chains AS d ON d.chain_id = f.chain_id
    ORDER BY f.rank
    """


def members_sql() -> str:
    """One row an action of a drawn chain: its lane, and whether a finding rests on it.

    A lane is the system that was acted on: the service of an API, or the proxy that saw it.
    """
    return """
    WITH cited AS (
        SELECT DISTINCT action_uid FROM (
            SELECT unnest(f.evidence) AS action_uid FROM found AS f
            WHERE f.chain_id IN (SELECT chain_id FROM drawn_chains)
        ) AS listed
    )
    SELECT r.chain_id, r.action_uid, r.time, r.source, r.status, r.obtains, r.bytes_out, r.bytes_in, r.src_ip,
        r.principal, r.credential_uid, r.bound_uid, r.verdict, r.file, r.line,
        coalesce(r.api_operation, r.http_method) AS operation,
        coalesce(r.resource_uid, r.dst_host || coalesce(r.url_path, '')) AS target,
        CASE WHEN r.category = 'proxy' THEN 'proxy ' || r.source ELSE coalesce(r.api_service, r.format) END AS lane,
        c.action_uid IS NOT NULL AS cited
    FROM reported AS r
    JOIN drawn_chains AS d ON d.chain_id = r.chain_id
    LEFT JOIN cited AS c ON c.action_uid = r.action_uid
    """


def lanes_sql() -> str:
    """One row a drawn chain and lane: its name as drawn; beyond the busiest lanes the rest share one."""
    return f"""
    SELECT chain_id, lane,
        CASE WHEN row_number() OVER (PARTITION BY chain_id ORDER BY count(*) DESC, lane) <= {MAX_LANES} THEN lane
            ELSE 'other systems' END AS drawn_lane
    FROM members GROUP BY chain_id, lane
    """


def points_sql(bounds: Bounds) -> str:
    """The actions that are drawn: those of findings and denied ones first, of the rest an even sample over the run."""
    return f"""
    WITH ordered AS (
        SELECT m.*, l.drawn_lane, count(*) OVER (PARTITION BY m.chain_id) AS of,
            row_number() OVER (PARTITION BY m.chain_id ORDER BY m.time, m.action_uid) AS nth
        FROM members AS m JOIN lanes AS l ON l.chain_id = m.chain_id AND l.lane = m.lane
    ),
    ranked AS (
        SELECT *, row_number() OVER (
            PARTITION BY chain_id
            ORDER BY CASE WHEN cited OR status = 'denied' THEN 0 ELSE 1 END,
                CASE WHEN floor(nth * {bounds.points} / of) > floor((nth - 1) * {bounds.points} / of) THEN 0 ELSE 1 END,
                nth
        ) AS rank
        FROM ordered
    )
    SELECT * FROM ranked WHERE rank <= {bounds.points} ORDER BY chain_id, time, action_uid
    """


def hops_sql() -> str:
    """One row a hop of the credentials that a drawn chain's actions used: what came from what, proven by what, when."""
    return f"""
    WITH used AS (
        SELECT DISTINCT m.chain_id, b.uid, b.path
        FROM members AS m JOIN bindings AS b ON b.uid = m.bound_uid AND {holds("b", "m.time")}
    ),
    distinct_hops AS (
        SELECT DISTINCT chain_id, hop."from" AS child, hop."to" AS parent, hop.mechanism AS mechanism,
            hop.evidence AS evidence, hop.strength AS strength
        FROM (SELECT chain_id, unnest(path) AS hop FROM used) AS hops
    ),
    placed AS (
        SELECT d.*, a.time, a.source, count(*) OVER (PARTITION BY d.chain_id) AS of,
            row_number() OVER (PARTITION BY d.chain_id ORDER BY a.time ASC NULLS LAST, d.child, d.parent) AS nth
        FROM distinct_hops AS d LEFT JOIN actions AS a ON a.action_uid = d.evidence
    )
    SELECT * FROM placed WHERE nth <= {MAX_HOPS} ORDER BY chain_id, nth
    """
