"""Limits on bytes that no log lets anybody measure: rows for `coverage`, since silence would look like obedience."""

from __future__ import annotations

import pyarrow as pa

from detectors.engine import Engine

_TEXT: pa.DataType = pa.string()
UNMEASURABLE = pa.schema([("worker", _TEXT), ("missing", _TEXT)])

_SQL = """
WITH bounds AS (
    -- each limit on bytes, once for each category of actions that it bounds
    SELECT l.worker, l.manifest_sha, l.measure, l.file, l.line, c.category
    FROM limits AS l
    JOIN (
        VALUES ('bytes_out_net', 'proxy'), ('bytes_out_store', 'cloud'), ('bytes_out', 'proxy'), ('bytes_out', 'cloud')
    ) AS c(measure, category) ON c.measure = l.measure
),
sizes AS (
    -- what a worker's actions of a category tell of their sizes, under each manifest and in each format
    SELECT worker, manifest_sha, category, format, count(bytes_out) AS sized
    FROM attributed WHERE worker IS NOT NULL
    GROUP BY worker, manifest_sha, category, format
)
SELECT
    b.worker,
    b.measure || ' (' || coalesce(b.file, 'manifest') || ':' || coalesce(CAST(b.line AS VARCHAR), '?')
        || ') cannot be measured: no ' || b.category || ' action says how many bytes were sent (formats: '
        || array_to_string(array_sort(list(DISTINCT s.format)), ', ') || ')' AS missing
FROM bounds AS b
JOIN sizes AS s ON s.worker = b.worker AND s.manifest_sha = b.manifest_sha AND s.category = b.category
GROUP BY b.worker, b.measure, b.file, b.line, b.category
HAVING sum(s.sized) = 0
"""


def unmeasurable(engine: Engine) -> pa.Table:
    """UNMEASURABLE rows: workers that acted in a category whose bytes they are limited in, and never with a size.

    Reads `attributed` and `limits`.
    """
    rows = engine.query(_SQL).select(UNMEASURABLE.names).cast(UNMEASURABLE)
    return rows.sort_by([("worker", "ascending"), ("missing", "ascending")])
