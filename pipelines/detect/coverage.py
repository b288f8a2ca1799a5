"""Coverage: per worker, source and hour what was seen and how late; and what could not be measured or judged at all."""

from __future__ import annotations

import pyarrow as pa

from detectors.engine import Engine
from detectors.unjudged import unjudged
from detectors.unmeasurable import unmeasurable
from pipelines import schema

LATE_HOURS = 24


def rows(engine: Engine) -> pa.Table:
    """Rows of `coverage`: one a worker, source and hour with actions; one a bound of a manifest that no log shows."""
    engine.let("unmeasured", unmeasurable(engine))
    engine.let("unjudged", unjudged(engine))
    return engine.query(
        f"""
        SELECT worker, source, date_trunc('hour', time) AS hour, CAST(NULL AS BIGINT) AS expected,
               count(*) AS seen,
               count(*) FILTER (WHERE ingested_at - time > INTERVAL {LATE_HOURS} HOUR) AS late,
               CAST(NULL AS VARCHAR) AS missing
        FROM attributed WHERE worker IS NOT NULL
        GROUP BY worker, source, date_trunc('hour', time)
        UNION ALL
        SELECT worker, CAST(NULL AS VARCHAR), CAST(NULL AS TIMESTAMP), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
               CAST(NULL AS BIGINT), missing
        FROM (SELECT worker, missing FROM unmeasured UNION SELECT worker, missing FROM unjudged) AS unseen
        """
    ).cast(schema.COVERAGE.arrow)
