"""Bounds of a manifest that no log lets anybody measure: rows for `coverage`, since silence would look like obedience.

A worker's calls can always be counted. Everything else needs logs that show it: sizes, outcomes, hosts, reads of
secrets, tokens, credentials, addresses. A worker that did nothing has nothing to measure.
"""

from __future__ import annotations

import pyarrow as pa

from detectors.engine import Engine

_TEXT: pa.DataType = pa.string()
UNMEASURABLE = pa.schema([("worker", _TEXT), ("missing", _TEXT)])

STATIC_CREDENTIALS = ("aws:key/AKIA", "okta:token/", "gcp:key/", "litellm:key/", "github:token/", "x509:cert/")
"""How identifiers of credentials begin that are meant to last, so that their use says nothing of a lifetime."""

_PLACE = "' (' || coalesce({0}.file, 'manifest') || ':' || coalesce(CAST({0}.line AS VARCHAR), '?') || ')'"

_BYTES_SQL = f"""
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
    b.measure || {_PLACE.format("b")} || ' cannot be measured: no ' || b.category
        || ' action says how many bytes were sent (formats: '
        || array_to_string(array_sort(list(DISTINCT s.format)), ', ') || ')' AS missing
FROM bounds AS b
JOIN sizes AS s ON s.worker = b.worker AND s.manifest_sha = b.manifest_sha AND s.category = b.category
GROUP BY b.worker, b.measure, b.file, b.line, b.category
HAVING sum(s.sized) = 0
"""
"""Limits on bytes of workers that acted in a category which they bound, and never with a size."""

_STATIC_SQL = " OR ".join(f"starts_with(a.credential_uid, '{start}')" for start in STATIC_CREDENTIALS)

_OTHERS_SQL = f"""
WITH bounds AS (
    -- what is bounded, and where the manifest says so; of networks the first line
    SELECT worker, manifest_sha, measure, file, line FROM limits
    WHERE measure IN ('denied', 'destinations', 'secrets', 'tokens', 'spend', 'token_lifetime', 'hops')
    UNION ALL
    SELECT worker, manifest_sha, 'networks', min(file), min(line) FROM networks GROUP BY worker, manifest_sha
),
shown AS (
    -- how many of a worker's actions show what each bound needs, under each manifest and in each format
    SELECT
        a.worker, a.manifest_sha, a.format,
        count(CASE WHEN a.status <> 'unknown' THEN 1 END) AS outcomes,
        count(CASE WHEN a.category = 'proxy' THEN coalesce(a.dst_host, a.dst_ip) END) AS hosts,
        count(CASE WHEN a.category = 'cloud' OR a.api_service = 'vault' THEN a.api_operation END) AS reads,
        count(coalesce(a.tokens_in, a.tokens_out)) AS tokens,
        count(CASE WHEN NOT ({_STATIC_SQL}) THEN 1 END) AS passing_credentials,
        count(CASE WHEN a.bound_uid = a.credential_uid OR a.bound_uid = a.session_uid THEN 1 END) AS credentials,
        count(p.src_ip) AS addresses
    FROM attributed AS a
    LEFT JOIN addresses AS p ON p.src_ip = a.src_ip
    WHERE a.worker IS NOT NULL
    GROUP BY a.worker, a.manifest_sha, a.format
),
expiring AS (
    -- workers some of whose credentials were issued with an expiry
    SELECT DISTINCT b.worker
    FROM grants AS g JOIN bindings AS b
        ON b.uid = g.child_uid AND g.issued_at >= coalesce(b.valid_from, TIMESTAMP '0001-01-01')
        AND g.issued_at < coalesce(b.valid_to, TIMESTAMP '9999-12-31')
    WHERE g.kind = 'issue' AND g.expires_at IS NOT NULL AND b.worker IS NOT NULL
)
SELECT
    b.worker,
    b.measure || {_PLACE.format("b")} || ' cannot be measured: '
        || CASE b.measure
            WHEN 'denied' THEN 'no action says whether it was refused'
            WHEN 'destinations' THEN 'no proxy tells which hosts are reached'
            WHEN 'secrets' THEN 'no cloud or secret store tells what is read'
            WHEN 'tokens' THEN 'no model action says how many tokens were used'
            WHEN 'spend' THEN 'no log tells what a call costs'
            WHEN 'token_lifetime' THEN 'no record tells when a credential expires, or shows a passing one in use'
            WHEN 'hops' THEN 'no action is bound by a credential or session, so nothing tells by which hops it was got'
            ELSE 'no action says from which address it came'
        END || ' (formats: ' || array_to_string(array_sort(list(DISTINCT s.format)), ', ') || ')' AS missing
FROM bounds AS b
JOIN shown AS s ON s.worker = b.worker AND s.manifest_sha = b.manifest_sha
LEFT JOIN expiring AS e ON e.worker = b.worker
GROUP BY b.worker, b.measure, b.file, b.line
HAVING sum(CASE b.measure
    WHEN 'denied' THEN s.outcomes
    WHEN 'destinations' THEN s.hosts
    WHEN 'secrets' THEN s.reads
    WHEN 'tokens' THEN s.tokens
    WHEN 'spend' THEN 0
    WHEN 'token_lifetime' THEN s.passing_credentials + CASE WHEN e.worker IS NULL THEN 0 ELSE 1 END
    WHEN 'hops' THEN s.credentials
    ELSE s.addresses
END) = 0
"""
"""All other bounds, of workers that acted and never in a way that shows what the bound needs."""


def unmeasurable(engine: Engine) -> pa.Table:
    """UNMEASURABLE rows: each limit, and the declared networks, of a worker whose actions cannot be held against them.

    Reads `attributed`, `addresses`, `grants`, `bindings`, `limits` and `networks`.
    """
    rows = pa.concat_tables(
        engine.query(sql).select(UNMEASURABLE.names).cast(UNMEASURABLE) for sql in (_BYTES_SQL, _OTHERS_SQL)
    )
    return rows.sort_by([("worker", "ascending"), ("missing", "ascending")])
