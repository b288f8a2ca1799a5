"""Queries of the findings: who stands behind each, what left, and the records that it rests on."""

from __future__ import annotations

from pipelines.report.selection import Bounds

_TARGET = """coalesce(e.action ->> '$.resource_uid', e.action ->> '$.dst_host', e.action ->> '$.api_service')"""


def told_sql() -> str:
    """One row a chosen finding, the worst first: the finding, its first action's attribution and verdict, its chain."""
    return """
    SELECT f.*, t.strength, t.confidence, t.delegator, t.delegator_strength, t.path, t.candidates, t.reason,
        v.verdict, v.file, v.line, c.chain_id IS NOT NULL AS has_chain, c.root_uid, c.parent_chain_id,
        c.started_at AS chain_start, c.ended_at AS chain_end, c.actions AS chain_actions, c.strength AS chain_strength,
        d.chain_id IS NOT NULL AS is_drawn, w.worker IS NOT NULL AS has_page
    FROM chosen_findings AS f
    LEFT JOIN attributions_now AS t ON t.action_uid = f.evidence[1]
    LEFT JOIN verdicts AS v ON v.action_uid = f.evidence[1]
    LEFT JOIN chains AS c ON c.chain_id = f.chain_id
    LEFT JOIN drawn_chains AS d ON d.chain_id = f.chain_id
    LEFT JOIN chosen_workers AS w ON w.worker = f.worker
    ORDER BY f.rank
    """


def frozen_sql() -> str:
    """One row a frozen piece of evidence of a chosen finding: what it did, its sizes, and where the record lies."""
    return f"""
    SELECT e.finding_uid, e.action_uid, e.object_sha256, e.object_uri, e.ordinal,
        CAST(e.action ->> '$.time' AS TIMESTAMP) AS time,
        coalesce(e.action ->> '$.api_operation', e.action ->> '$.http_method') AS operation,
        {_TARGET} AS target, e.action ->> '$.status' AS status, e.action ->> '$.src_ip' AS src_ip,
        e.action ->> '$.user_agent' AS user_agent,
        CAST(e.action ->> '$.bytes_out' AS BIGINT) AS bytes_out,
        coalesce(e.action ->> '$.dst_host', CASE WHEN {_TARGET} LIKE 'arn:%:s3:::%' THEN split_part({_TARGET}, '/', 1)
            ELSE {_TARGET} END) AS destination
    FROM evidence AS e JOIN chosen_findings AS f ON f.finding_uid = e.finding_uid
    """


def evidence_sql(bounds: Bounds) -> str:
    """The first rows of `frozen` a finding in order of time; `of` is how many the finding has."""
    return f"""
    SELECT * FROM (
        SELECT *, count(*) OVER (PARTITION BY finding_uid) AS of,
            row_number() OVER (PARTITION BY finding_uid ORDER BY time, action_uid) AS nth
        FROM frozen
    ) AS counted
    WHERE nth <= {bounds.evidence} ORDER BY finding_uid, nth
    """


def left_sql() -> str:
    """One row a finding and destination that its evidence sent bytes to, the three largest a finding."""
    return """
    SELECT * FROM (
        SELECT finding_uid, destination, CAST(sum(bytes_out) AS BIGINT) AS bytes_out, count(*) AS actions,
            row_number() OVER (PARTITION BY finding_uid ORDER BY sum(bytes_out) DESC, destination) AS nth
        FROM frozen WHERE bytes_out > 0 GROUP BY finding_uid, destination
    ) AS summed
    WHERE nth <= 3 ORDER BY finding_uid, nth
    """


def sums_sql() -> str:
    """One row a finding: bytes that its evidence sent, from how many actions, how many of which tell a size."""
    return """
    SELECT finding_uid, CAST(sum(bytes_out) AS BIGINT) AS bytes_out, count(*) AS actions, count(bytes_out) AS sized,
        min(time) AS first_at, max(time) AS last_at
    FROM frozen GROUP BY finding_uid
    """


def counted_sql() -> str:
    """One row a severity and detector: how many findings of the period, and how many of them are told in full."""
    return """
    SELECT f.severity, f.detector, count(*) AS findings, count(c.finding_uid) AS told
    FROM found AS f LEFT JOIN chosen_findings AS c ON c.finding_uid = f.finding_uid
    GROUP BY f.severity, f.detector ORDER BY f.detector, f.severity
    """
