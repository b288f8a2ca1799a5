"""Limits that cannot be measured: said in `coverage`, never passed over in silence."""

from __future__ import annotations

import pyarrow as pa

from detectors.engine import Engine

CATEGORIES: dict[str, tuple[str, ...]] = {
    "bytes_out_net": ("proxy",),
    "bytes_out_store": ("cloud",),
    "bytes_out": ("proxy", "cloud"),
}
"""Measures that a detector sums, and the categories of actions that carry them."""


def unmeasurable(engine: Engine) -> pa.Table:
    """worker, missing: a row a limit in force that nothing measures, or whose logs never tell the size.

    Reads `attributed`, `limits` and `manifest_versions`; only each worker's last version counts.
    """
    pairs = [(measure, category) for measure, names in CATEGORIES.items() for category in names]
    engine.let(
        "measured_in",
        pa.table(
            {
                "measure": pa.array([measure for measure, _ in pairs], pa.string()),
                "category": pa.array([category for _, category in pairs], pa.string()),
            }
        ),
    )
    return engine.query(
        """
        WITH last AS (
            SELECT worker, manifest_sha FROM manifest_versions
            QUALIFY row_number() OVER (PARTITION BY worker ORDER BY valid_from DESC) = 1
        ),
        set_limits AS (
            SELECT DISTINCT l.worker, l.measure FROM limits AS l
            JOIN last AS v ON v.worker = l.worker AND v.manifest_sha = l.manifest_sha
        ),
        sizes AS (
            SELECT s.worker, s.measure, count(*) AS actions, count(a.bytes_out) AS known
            FROM set_limits AS s
            JOIN measured_in AS m ON m.measure = s.measure
            JOIN attributed AS a ON a.worker = s.worker AND a.category = m.category
            GROUP BY s.worker, s.measure
        )
        SELECT s.worker, 'limit ' || s.measure || ': ' || CASE
                   WHEN m.measure IS NULL THEN 'no detector measures it'
                   ELSE 'none of the worker''s logs tells how many bytes it sent' END AS missing
        FROM set_limits AS s
        LEFT JOIN (SELECT DISTINCT measure FROM measured_in) AS m ON m.measure = s.measure
        LEFT JOIN sizes AS z ON z.worker = s.worker AND z.measure = s.measure
        WHERE m.measure IS NULL OR (z.actions > 0 AND z.known = 0)
        ORDER BY 1, 2
        """
    )
