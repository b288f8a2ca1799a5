"""Where every alert stands, read from its deliveries: `waiting`, `failed`, `delivered`, `dead` or `discarded`.

A row of deliveries is one thing that happened to an alert; `attempt` numbers them from 1, so the
greatest is the latest. `waiting` was never tried, or was put back; `failed` is due again later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from detectors.uuid5 import ALERTS, uuid5_sql

Read = Callable[[str, Any], pa.Table]
Write = Callable[[str, pa.Table], None]

GONE = "410 Gone"
"""How the error of a delivery begins whose receiver wants no more; its destination rests until somebody retries."""

EVENT_UID = uuid5_sql(ALERTS, "alerts.finding_uid || '|' || CAST(alerts.revision AS VARCHAR)")

_HISTORY = """
    latest AS (
        SELECT alert_uid, attempt, outcome, error, next_attempt_at FROM deliveries
        QUALIFY row_number() OVER (PARTITION BY alert_uid ORDER BY attempt DESC, attempted_at DESC) = 1
    ), put_back AS (
        SELECT alert_uid, max(attempt) AS attempt FROM deliveries WHERE outcome = 'requeued' GROUP BY alert_uid
    ), tries AS (
        SELECT deliveries.alert_uid,
            count(*) FILTER (WHERE outcome IN ('delivered', 'failed', 'dead')) AS attempts,
            count(*) FILTER (WHERE outcome = 'failed' AND deliveries.attempt > coalesce(put_back.attempt, 0))
                AS failures
        FROM deliveries LEFT JOIN put_back USING (alert_uid) GROUP BY deliveries.alert_uid
    )
"""

STATES = f"""
    WITH {_HISTORY}
    SELECT alerts.alert_uid, alerts.finding_uid, alerts.revision, alerts.destination,
        CASE WHEN latest.outcome IS NULL OR latest.outcome = 'requeued' THEN 'waiting' ELSE latest.outcome END AS state,
        coalesce(tries.attempts, 0) AS attempts,
        latest.error AS last_error,
        CASE WHEN latest.outcome IS NULL THEN alerts.created_at ELSE latest.next_attempt_at END AS next_attempt_at,
        alerts.created_at,
        {EVENT_UID} AS event_uid,
        coalesce(latest.attempt, 0) AS last_attempt,
        coalesce(tries.failures, 0) AS failures
    FROM alerts LEFT JOIN latest USING (alert_uid) LEFT JOIN tries USING (alert_uid)
"""
"""One row an alert. `failures` counts since it was last put back; `last_attempt` numbers its latest delivery row."""

OPEN = f"""
    SELECT *, max(revision) FILTER (WHERE state IN ('waiting', 'failed', 'delivered'))
        OVER (PARTITION BY finding_uid, destination) AS newest
    FROM ({STATES})
    QUALIFY state IN ('waiting', 'failed')
"""
"""The alerts still to be delivered; `newest` is the latest revision of the finding at that destination."""

RESTING = f"""
    SELECT destination, error FROM deliveries WHERE outcome <> 'discarded'
    QUALIFY row_number() OVER (PARTITION BY destination ORDER BY attempted_at DESC, outcome = 'requeued' DESC) = 1
        AND outcome = 'dead' AND starts_with(error, '{GONE}')
"""
"""The destinations whose latest answer was 410 Gone and that nobody has put anything back for since."""


def states(read: Read) -> pa.Table:
    """Every alert's alert_uid, finding_uid, revision, destination, state, attempts, last_error, next_attempt_at,
    created_at and event_uid (the id that the receiver saw), oldest first."""
    return read(
        "SELECT alert_uid, finding_uid, revision, destination, state, attempts, last_error, next_attempt_at,"
        f" created_at, event_uid FROM ({STATES}) ORDER BY created_at, finding_uid, revision, destination",
        [],
    )
