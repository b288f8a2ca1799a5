"""Coverage: per worker, source and hour what was seen and how late; and what could not be measured at all."""

from __future__ import annotations

import pyarrow as pa

from detectors.engine import Engine
from detectors.unmeasurable import unmeasurable
from pipelines import schema

LATE_HOURS = 24


def rows(engine: Engine) -> pa.Table:
    """Rows of `coverage`: one a worker, source and hour with actions; one a limit that no log can measure."""
    engine.let("unmeasured", unmeasurable(engine))
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
        FROM unmeasured
        """
    ).cast(schema.COVERAGE.arrow)
