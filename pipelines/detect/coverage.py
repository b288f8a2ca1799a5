"""Coverage: per worker, source and hour what was seen and how late; and what could not be measured or judged at all."""

from __future__ import annotations

import pyarrow as pa

from detectors.engine import Engine
from detectors.unjudged import unjudged
from detectors.unmeasurable import unmeasurable
from pipelines import schema

LATE_HOURS = 24
"""Hours by which a source may tell things out of order; the lateness that the design allows unless it is set."""


def rows(engine: Engine) -> pa.Table:
    """Rows of `coverage`: one a worker, source and hour with actions; one a bound of a manifest that no log shows.

    `late` counts the actions that came when their source, in a batch ingested before, had told of events more than
    LATE_HOURS later already. So what a backfill brings in order is not late, however old; what comes out of order is.
    A time later than its own ingestion counts as that. It tells of delivery: another order of runs, another count.
    """
    engine.let("unmeasured", unmeasurable(engine))
    engine.let("unjudged", unjudged(engine))
    return engine.query(
        f"""
        WITH batches AS (
            SELECT source, ingested_at, max(least(time, ingested_at)) AS told
            FROM attributed GROUP BY source, ingested_at
        ),
        told_before AS (
            SELECT source, ingested_at,
                   max(told) OVER (
                       PARTITION BY source ORDER BY ingested_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ) AS told
            FROM batches
        )
        SELECT a.worker, a.source, date_trunc('hour', a.time) AS hour, CAST(NULL AS BIGINT) AS expected,
               count(*) AS seen,
               count(CASE WHEN b.told - a.time > INTERVAL {LATE_HOURS} HOUR THEN 1 END) AS late,
               CAST(NULL AS VARCHAR) AS missing
        FROM attributed AS a JOIN told_before AS b ON b.source = a.source AND b.ingested_at = a.ingested_at
        WHERE a.worker IS NOT NULL
        GROUP BY a.worker, a.source, date_trunc('hour', a.time)
        UNION ALL
        SELECT worker, CAST(NULL AS VARCHAR), CAST(NULL AS TIMESTAMP), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
               CAST(NULL AS BIGINT), missing
        FROM (SELECT worker, missing FROM unmeasured UNION SELECT worker, missing FROM unjudged) AS unseen
        """
    ).cast(schema.COVERAGE.arrow)
