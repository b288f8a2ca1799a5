"""What people decided about findings, and for how long it holds."""

from __future__ import annotations

from detectors.findings import SEVERITIES

DECISIONS = ("acknowledged", "suppressed", "reopened")
"""What `reviews.decision` says of a finding; the first two are also the finding's status while they hold."""


def rank_sql(severity: str) -> str:
    """SQL: the rank of a severity, rising."""
    ranks = " ".join(f"WHEN '{name}' THEN {rank}" for rank, name in enumerate(SEVERITIES))
    return f"(CASE {severity} {ranks} END)"


def latest_sql() -> str:
    """SELECT of the latest review of each finding: finding_uid, decision, decided_by, decided_at, reason, until."""
    return """
    SELECT subject AS finding_uid, decision, decided_by, decided_at, reason, until FROM reviews
    QUALIFY row_number() OVER (PARTITION BY subject ORDER BY decided_at DESC, decision) = 1
    """


def standing_sql(now: str) -> str:
    """SELECT of the decisions that hold at `now` (SQL, naive UTC): finding_uid, status, reason, and the severity that
    was decided on.

    The severity is that of the revision which the decision wrote, known by its time.
    """
    return f"""
    WITH latest AS ({latest_sql()}),
    decided AS (
        SELECT finding_uid, revised_at, severity FROM findings
        UNION ALL
        SELECT finding_uid, revised_at, severity FROM finding_revisions
    )
    SELECT l.finding_uid, l.decision AS status, l.reason, min(d.severity) AS severity
    FROM latest AS l JOIN decided AS d ON d.finding_uid = l.finding_uid AND d.revised_at = l.decided_at
    WHERE l.decision IN ('acknowledged', 'suppressed') AND coalesce(l.until, TIMESTAMP '9999-12-31') > {now}
    GROUP BY l.finding_uid, l.decision, l.reason
    """


def passed_sql(now: str) -> str:
    """SELECT of finding_uid, decision and until: findings that still show a decision which has ended by `now`."""
    return f"""
    WITH latest AS ({latest_sql()})
    SELECT l.finding_uid, l.decision, l.until
    FROM latest AS l JOIN findings AS f ON f.finding_uid = l.finding_uid AND f.status = l.decision
    WHERE l.until <= {now}
    """
