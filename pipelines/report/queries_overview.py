"""Queries of the overview and of coverage: what was read, who was found in it, and what cannot be seen."""

from __future__ import annotations

from pipelines.report.selection import Bounds, Selection


def sources_sql() -> str:
    """One row a configured source, or one that the lake knows: its objects, records, and actions of the period."""
    return """
    WITH stored AS (
        SELECT source, count(*) AS objects, sum(records) AS records, sum(actions) AS actions, sum(errors) AS errors,
            sum(duplicates) AS duplicates, sum(skipped) AS skipped, max(pulled_at) AS pulled_at
        FROM objects GROUP BY source
    ),
    seen AS (
        SELECT source, min(format) AS format, count(*) AS reported, count(worker) AS attributed,
            min(time) AS first_at, max(time) AS last_at
        FROM reported GROUP BY source
    ),
    named AS (
        SELECT source FROM sources UNION SELECT source FROM stored UNION SELECT source FROM seen
    )
    SELECT n.source, coalesce(c.format, s.format) AS format, c.source IS NOT NULL AS configured,
        coalesce(o.objects, 0) AS objects, CAST(coalesce(o.records, 0) AS BIGINT) AS records,
        CAST(coalesce(o.actions, 0) AS BIGINT) AS actions, CAST(coalesce(o.errors, 0) AS BIGINT) AS errors,
        CAST(coalesce(o.duplicates, 0) AS BIGINT) AS duplicates, CAST(coalesce(o.skipped, 0) AS BIGINT) AS skipped,
        o.pulled_at, coalesce(s.reported, 0) AS reported, coalesce(s.attributed, 0) AS attributed,
        s.first_at, s.last_at
    FROM named AS n
    LEFT JOIN sources AS c ON c.source = n.source
    LEFT JOIN stored AS o ON o.source = n.source
    LEFT JOIN seen AS s ON s.source = n.source
    ORDER BY n.source
    """


def strengths_sql() -> str:
    """One row a source and strength: how many actions of the period are attributed so strongly."""
    return """
    SELECT source, strength, count(*) AS actions FROM reported GROUP BY source, strength ORDER BY source, strength
    """


def findings_by_day_sql() -> str:
    """One row a day and severity: how many findings begin on it."""
    return """
    SELECT CAST(window_start AS DATE) AS day, severity, count(*) AS findings
    FROM found GROUP BY CAST(window_start AS DATE), severity ORDER BY day, severity
    """


def unattributed_sql(bounds: Bounds) -> str:
    """One row a source and reason why actions of the period are nobody's or several workers', the most common first."""
    return f"""
    SELECT r.source, r.strength, coalesce(t.reason, 'no reason is given') AS reason, count(*) AS actions,
        max(r.time) AS last_at, count(*) OVER () AS groups
    FROM reported AS r JOIN attributions_now AS t ON t.action_uid = r.action_uid
    WHERE r.worker IS NULL
    GROUP BY r.source, r.strength, coalesce(t.reason, 'no reason is given')
    ORDER BY actions DESC, r.source, reason
    LIMIT {bounds.rows}
    """


def missing_sql(selection: Selection, bounds: Bounds) -> str:
    """One row a sentence of `coverage` on what is off or cannot be measured, with the workers that it blinds."""
    return f"""
    SELECT missing, count(DISTINCT worker) AS worker_count, min(worker) AS worker, min(source) AS source,
        count(*) OVER () AS groups
    FROM coverage WHERE missing IS NOT NULL AND (worker IS NULL OR {selection.of("worker")})
    GROUP BY missing ORDER BY worker_count DESC, missing LIMIT {4 * bounds.rows}
    """


def seen_sql(selection: Selection) -> str:
    """One row a source and bin of time: actions of workers seen, and how many of them came late."""
    return f"""
    SELECT source, {selection.bin("hour")} AS bin, CAST(sum(seen) AS BIGINT) AS seen, CAST(sum(late) AS BIGINT) AS late
    FROM coverage
    WHERE source IS NOT NULL AND hour IS NOT NULL AND {selection.within("hour")} AND {selection.of("worker")}
    GROUP BY source, {selection.bin("hour")}
    ORDER BY source, bin
    """


def covered_sql(selection: Selection) -> str:
    """One row a source: hours with actions of workers, the first and the last, seen, late, and the workers seen."""
    return f"""
    SELECT source, count(DISTINCT hour) AS hours, min(hour) AS first_hour, max(hour) AS last_hour,
        CAST(sum(seen) AS BIGINT) AS seen, CAST(sum(late) AS BIGINT) AS late, count(DISTINCT worker) AS workers
    FROM coverage
    WHERE source IS NOT NULL AND hour IS NOT NULL AND {selection.within("hour")} AND {selection.of("worker")}
    GROUP BY source ORDER BY source
    """


def faults_sql(bounds: Bounds) -> str:
    """One row a source and reason why records of the lake are errors, the most common first."""
    return f"""
    SELECT source, coalesce(reason, 'no reason is given') AS reason, count(*) AS records, count(*) OVER () AS groups
    FROM records WHERE outcome = 'error'
    GROUP BY source, coalesce(reason, 'no reason is given') ORDER BY records DESC, source, reason LIMIT {bounds.rows}
    """


def stages_sql() -> str:
    """One row a stage: when it was last committed."""
    return "SELECT stage, max(committed_at) AS committed_at FROM stages GROUP BY stage ORDER BY stage"
