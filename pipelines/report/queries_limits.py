"""Queries of volumes against limits: how much each limit's window held, at its fullest in each bin of time."""

from __future__ import annotations

from detectors.scope_exceptions import SECRET_READS
from pipelines.lake.views import holds
from pipelines.report.selection import Selection

SUMMED = ("calls", "denied", "bytes_out_net", "bytes_out_store", "bytes_out", "tokens")
DISTINCT = ("destinations", "secrets")
OF_CREDENTIALS = ("token_lifetime", "hops")
MEASURED = (*SUMMED, *DISTINCT, *OF_CREDENTIALS)
"""Measures that are drawn; no log tells `spend`."""

MOST_BYTES = 10**15
"""A petabyte: bytes counted for one action at most, so that an absurd figure in a log cannot overflow a sum."""


def limits_sql() -> str:
    """One row a limit of a chosen worker's latest manifest."""
    return """
    SELECT l.worker, l.measure, l.at_most, l.per_seconds, l.file, l.line
    FROM limits AS l
    JOIN latest_manifests AS m ON m.worker = l.worker AND m.sha256 = l.manifest_sha
    WHERE l.worker IN (SELECT worker FROM chosen_workers)
    ORDER BY l.worker, l.line, l.measure, l.at_most, l.per_seconds
    """


def amounts_sql() -> str:
    """One row an action and measure that it adds to: by how much, and the part of the measure that it is.

    `bytes_out` has two parts, network and store, of which the larger counts; all others have one.
    """
    bytes_out = f"least(greatest(bytes_out, 0), {MOST_BYTES})"
    tokens = f"least(greatest(coalesce(tokens_in, 0) + coalesce(tokens_out, 0), 0), {MOST_BYTES})"
    parts = (
        ("calls", "all", "1", "TRUE"),
        ("denied", "all", "1", "status = 'denied'"),
        ("bytes_out_net", "all", bytes_out, "category = 'proxy' AND bytes_out > 0"),
        ("bytes_out_store", "all", bytes_out, "category = 'cloud' AND bytes_out > 0"),
        ("bytes_out", "net", bytes_out, "category = 'proxy' AND bytes_out > 0"),
        ("bytes_out", "store", bytes_out, "category = 'cloud' AND bytes_out > 0"),
        ("tokens", "all", tokens, "tokens_in IS NOT NULL OR tokens_out IS NOT NULL"),
    )
    return " UNION ALL ".join(
        f"""
    SELECT a.worker, '{measure}' AS measure, '{part}' AS part, a.time, CAST({amount} AS BIGINT) AS amount
    FROM attributed AS a
    JOIN (SELECT DISTINCT worker FROM shown_limits WHERE measure = '{measure}') AS l ON l.worker = a.worker
    WHERE {condition}
    """
        for measure, part, amount, condition in parts
    )


def summed_levels_sql(selection: Selection) -> str:
    """One row a limit on a sum and bin of time: the most that its sliding window held with an action of that bin."""
    return f"""
    WITH windows AS (SELECT DISTINCT worker, measure, per_seconds FROM shown_limits WHERE per_seconds > 0),
    added AS (
        SELECT a.worker, a.measure, a.part, w.per_seconds, a.time, a.amount,
            date_diff('microsecond', TIMESTAMP '1970-01-01', a.time) AS instant
        FROM amounts AS a JOIN windows AS w ON w.worker = a.worker AND w.measure = a.measure
    ),
    steps AS (
        SELECT worker, measure, part, per_seconds, time, instant, 1 AS enters, amount AS change FROM added
        UNION ALL
        SELECT worker, measure, part, per_seconds, time, instant + per_seconds * 1000000, 0, -amount FROM added
    ),
    levels AS (
        SELECT *, sum(change) OVER (
            PARTITION BY worker, measure, part, per_seconds ORDER BY instant, enters
            RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS held
        FROM steps
    )
    SELECT worker, measure, per_seconds, {selection.bin("time")} AS bin, CAST(max(held) AS DOUBLE) AS held
    FROM levels WHERE enters = 1 AND {selection.within("time")}
    GROUP BY worker, measure, per_seconds, {selection.bin("time")}
    """


def things_sql() -> str:
    """One row an action and thing that counts once: hosts through proxies, and secrets whose value was handed out.

    The same as the detector `call_limits` counts: Secrets Manager's name with and without its last six characters
    is one secret, and keys that unseal secrets are none.
    """
    reads = ", ".join(f"('{read.service}', '{read.operation}')" for read in SECRET_READS)
    return f"""
    WITH handed_out AS (
        SELECT a.worker, a.time, unnest(
            CASE WHEN coalesce(array_length(a.resources), 0) > 0 THEN a.resources
                ELSE [coalesce(a.resource_uid, 'unnamed')] END
        ) AS item
        FROM attributed AS a
        JOIN (VALUES {reads}) AS r(service, operation) ON r.service = a.api_service AND r.operation = a.api_operation
        WHERE a.status IN ('success', 'unknown')
            AND a.worker IN (SELECT worker FROM shown_limits WHERE measure = 'secrets')
    )
    SELECT worker, 'destinations' AS measure, time, lower(coalesce(dst_host, dst_ip)) AS thing
    FROM attributed
    WHERE category = 'proxy' AND coalesce(dst_host, dst_ip) IS NOT NULL
        AND worker IN (SELECT worker FROM shown_limits WHERE measure = 'destinations')
    UNION ALL
    SELECT h.worker, 'secrets', h.time, coalesce(n.item, h.item)
    FROM handed_out AS h
    LEFT JOIN (SELECT DISTINCT item FROM handed_out) AS n
        ON n.item = regexp_extract(h.item, '^(.*:secret:.+)-[A-Za-z0-9]{{6}}$', 1)
    WHERE h.item NOT LIKE 'arn:%:kms:%'
    """


def distinct_levels_sql(selection: Selection) -> str:
    """One row a limit on different things and bin: the most of them that its sliding window held.

    A thing enters the window when it is first met, and leaves when it has not come again for a window's length.
    """
    return f"""
    WITH windows AS (
        SELECT DISTINCT worker, measure, per_seconds FROM shown_limits
        WHERE measure IN ('destinations', 'secrets') AND per_seconds > 0
    ),
    met AS (
        SELECT w.worker, w.measure, w.per_seconds, t.time, t.thing,
            date_diff('microsecond', TIMESTAMP '1970-01-01', t.time) AS instant
        FROM things AS t JOIN windows AS w ON w.worker = t.worker AND w.measure = t.measure
    ),
    beside AS (
        SELECT *,
            lag(instant) OVER (PARTITION BY worker, measure, per_seconds, thing ORDER BY instant) AS before,
            lead(instant) OVER (PARTITION BY worker, measure, per_seconds, thing ORDER BY instant) AS after
        FROM met
    ),
    steps AS (
        SELECT worker, measure, per_seconds, time, instant, 1 AS enters,
            CASE WHEN before IS NULL OR instant - before >= per_seconds * 1000000 THEN 1 ELSE 0 END AS change
        FROM beside
        UNION ALL
        SELECT worker, measure, per_seconds, time, instant + per_seconds * 1000000, 0, -1 FROM beside
        WHERE after IS NULL OR after - instant >= per_seconds * 1000000
    ),
    levels AS (
        SELECT *, sum(change) OVER (
            PARTITION BY worker, measure, per_seconds ORDER BY instant, enters
            RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS held
        FROM steps
    )
    SELECT worker, measure, per_seconds, {selection.bin("time")} AS bin, CAST(max(held) AS DOUBLE) AS held
    FROM levels WHERE enters = 1 AND {selection.within("time")}
    GROUP BY worker, measure, per_seconds, {selection.bin("time")}
    """


def credential_levels_sql(selection: Selection) -> str:
    """One row a limit on credentials and bin: the longest life granted (seconds), or the most hops from a root."""
    return f"""
    SELECT l.worker, l.measure, CAST(NULL AS BIGINT) AS per_seconds, {selection.bin("g.issued_at")} AS bin,
        CAST(max(date_diff('second', g.issued_at, g.expires_at)) AS DOUBLE) AS held
    FROM shown_limits AS l
    JOIN bindings AS b ON b.worker = l.worker
    JOIN grants AS g ON g.child_uid = b.uid AND {holds("b", "g.issued_at")}
    WHERE l.measure = 'token_lifetime' AND g.kind = 'issue' AND g.expires_at > g.issued_at
        AND {selection.within("g.issued_at")}
    GROUP BY l.worker, l.measure, {selection.bin("g.issued_at")}
    UNION ALL
    SELECT l.worker, l.measure, CAST(NULL AS BIGINT), {selection.bin("c.started_at")}, CAST(max(c.hops) AS DOUBLE)
    FROM shown_limits AS l JOIN chains AS c ON c.worker = l.worker
    WHERE l.measure = 'hops' AND c.hops IS NOT NULL AND {selection.within("c.started_at")}
    GROUP BY l.worker, l.measure, {selection.bin("c.started_at")}
    """


def levels_sql() -> str:
    """All levels, in order of time within each limit."""
    return """
    SELECT worker, measure, per_seconds, bin, held FROM summed_levels
    UNION ALL SELECT worker, measure, per_seconds, bin, held FROM distinct_levels
    UNION ALL SELECT worker, measure, per_seconds, bin, held FROM credential_levels
    ORDER BY worker, measure, per_seconds, bin
    """
