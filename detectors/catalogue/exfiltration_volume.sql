/*---
id: exfiltration_volume
version: 2
title: More bytes sent than the worker may send
description: >
  Within a window that slides over event time, the worker's side sent more bytes than a limit of its manifest
  allows: through proxies (bytes_out_net), to cloud stores (bytes_out_store), or the larger of the two (bytes_out),
  never their sum, since one upload may be seen by both. Unknown sizes count nothing; `unmeasurable` says where.
severity: high
tags:
  - owasp.asi02
  - maestro.data-exfiltration
  - maestro.data-leakage
  - nist.ai-rmf.measure-2.4
  - nist.ai-rmf.measure-2.7
  - attack.t1020
  - attack.t1030
  - attack.t1048
  - attack.t1567
  - atlas.aml.t0025
  - atlas.aml.t0086
look_alikes:
  - case: a backfill to the usual place
    separated_by: nothing in the volume; the finding names the destinations, and the limit is to be raised for the while
  - case: one upload that is seen by the proxy and by the store
    separated_by: the two are never added up
  - case: an upload in several lines (a CONNECT and its inner requests, a retry of a record)
    separated_by: only primary actions count
  - case: large downloads
    separated_by: bytes_in is not counted
tests:
  - name: many uploads below the limit that pass it together
    limits: [{measure: bytes_out_net, at_most: 1000, per_seconds: 3600, line: 9}]
    actions:
      - {category: proxy, dst_host: Paste.example, bytes_out: 300, time: 2026-03-02T10:00:00}
      - {category: proxy, dst_host: paste.example, bytes_out: 300, time: 2026-03-02T10:20:00}
      - {category: proxy, dst_host: crm.example, bytes_out: 200, time: 2026-03-02T10:40:00}
      - {category: proxy, dst_host: paste.example, bytes_out: 300, time: 2026-03-02T10:59:59}
      - {category: proxy, dst_host: paste.example, bytes_out: 10, time: 2026-03-02T15:00:00}
    expected:
      - {worker: w1, severity: high, entity: paste.example, evidence: [a1, a2, a3, a4], title: [w1 sent, in 1 h, "1.1 times", paste.example], explanation: ["w1.yaml:9"]}
  - name: five times the limit and more is critical
    limits: [{measure: bytes_out_store, at_most: 1000000, per_seconds: 86400}]
    actions:
      - {api_service: s3.amazonaws.com, api_operation: PutObject, resource_uid: "arn:aws:s3:::drop/a/b.bin", bytes_out: 5000001}
    expected: [{worker: w1, severity: critical, entity: "arn:aws:s3:::drop", title: [sent 5 MB, times the allowed 1 MB]}]
  - name: sizes are told with three digits of their unit
    limits: [{measure: bytes_out_net, at_most: 157000000, per_seconds: 3600}]
    actions:
      - {category: proxy, dst_host: a.example, bytes_out: 2984001374}
    expected: [{worker: w1, severity: critical, entity: a.example, title: [sent 2.98 GB, 19.0 times the allowed 157 MB], explanation: ["2.98 GB in 1 h"]}]
  - name: bytes_out takes the larger of the two; the destination is where most went
    limits: [{measure: bytes_out, at_most: 1000, per_seconds: 3600}]
    actions:
      - {category: proxy, dst_host: s3.eu-west-1.amazonaws.com, bytes_out: 1200}
      - {category: cloud, resource_uid: "arn:aws:s3:::drop/x", bytes_out: 1100}
    expected: [{worker: w1, severity: high, entity: s3.eu-west-1.amazonaws.com, evidence: [a1, a2]}]
  - name: a window over midnight belongs to the day on which the limit is passed
    limits: [{measure: bytes_out_net, at_most: 1000, per_seconds: 3600}]
    actions:
      - {category: proxy, dst_host: a.example, bytes_out: 600, time: 2026-03-01T23:50:00}
      - {category: proxy, dst_host: a.example, bytes_out: 600, time: 2026-03-02T00:10:00}
    expected: [{worker: w1, severity: high, entity: a.example, evidence: [a1, a2], day: 2026-03-02}]
  - name: a manifest that is edited every hour does not begin a new window
    limits:
      - {manifest_sha: sha-1, measure: bytes_out_net, at_most: 1000, per_seconds: 3600}
      - {manifest_sha: sha-2, measure: bytes_out_net, at_most: 1000, per_seconds: 3600}
    actions:
      - {category: proxy, dst_host: a.example, bytes_out: 600, manifest_sha: sha-1}
      - {category: proxy, dst_host: a.example, bytes_out: 600, manifest_sha: sha-2}
    expected: [{worker: w1, severity: high, entity: a.example, evidence: [a1, a2]}]
  - name: doubtful actions weigh by their bytes, so one of a byte lowers nothing
    limits: [{measure: bytes_out_net, at_most: 1000, per_seconds: 3600}]
    actions:
      - {category: proxy, dst_host: a.example, bytes_out: 2000}
      - {category: proxy, dst_host: a.example, bytes_out: 1, strength: inferred, confidence: 0.1}
    expected: [{worker: w1, severity: high, entity: a.example}]
  - name: exactly the limit, and the same bytes an hour later
    limits: [{measure: bytes_out_net, at_most: 1000, per_seconds: 3600}]
    actions:
      - {category: proxy, dst_host: a.example, bytes_out: 1000, time: 2026-03-02T10:00:00}
      - {category: proxy, dst_host: a.example, bytes_out: 1000, time: 2026-03-02T11:00:00}
    expected: []
  - name: one upload that both the proxy and the store saw
    limits: [{measure: bytes_out, at_most: 1000, per_seconds: 3600}]
    actions:
      - {category: proxy, dst_host: s3.eu-west-1.amazonaws.com, bytes_out: 900}
      - {category: cloud, resource_uid: "arn:aws:s3:::cases/x", bytes_out: 880}
    expected: []
  - name: unknown sizes, downloads, another worker's bytes, and bytes of the other kind
    limits: [{measure: bytes_out_net, at_most: 1000, per_seconds: 3600}]
    actions:
      - {category: proxy, dst_host: a.example, bytes_out: null, bytes_in: 99999}
      - {category: proxy, dst_host: a.example, bytes_out: 900}
      - {category: proxy, dst_host: a.example, bytes_out: 900, worker: w2}
      - {category: proxy, dst_host: a.example, bytes_out: 900, worker: null}
      - {category: cloud, resource_uid: "arn:aws:s3:::cases/x", bytes_out: 900}
    expected: []
  - name: a limit of an earlier manifest no longer holds
    limits: [{manifest_sha: sha-1, measure: bytes_out_net, at_most: 1000, per_seconds: 3600}]
    actions:
      - {category: proxy, dst_host: a.example, bytes_out: 600, manifest_sha: sha-1}
      - {category: proxy, dst_host: a.example, bytes_out: 600, manifest_sha: sha-2}
    expected: []
---*/

WITH bounds AS (
    -- each limit on bytes, once for each category of actions that it bounds
    SELECT l.worker, l.manifest_sha, l.measure, l.at_most, l.per_seconds, l.file, l.line, c.category
    FROM limits AS l
    JOIN (
        VALUES ('bytes_out_net', 'proxy'), ('bytes_out_store', 'cloud'), ('bytes_out', 'proxy'), ('bytes_out', 'cloud')
    ) AS c(measure, category) ON c.measure = l.measure
    WHERE l.per_seconds > 0
),
lengths AS (
    -- the lengths of window by which a worker's bytes of a category were ever bounded
    SELECT DISTINCT worker, category, per_seconds FROM bounds
),
sent AS (
    -- each action that sent bytes, once for each length; `instant` is in microseconds, a size at most a petabyte
    SELECT
        a.action_uid, a.worker, a.category, a.manifest_sha, a.time, n.per_seconds,
        date_diff('microsecond', TIMESTAMP '1970-01-01', a.time) AS instant,
        least(a.bytes_out, 1000000000000000) AS bytes
    FROM attributed AS a
    JOIN lengths AS n ON n.worker = a.worker AND n.category = a.category
    WHERE a.bytes_out > 0
),
steps AS (
    -- each action twice: its bytes enter the window with it, and leave it when the window has moved on
    SELECT action_uid, worker, category, manifest_sha, time, per_seconds, instant, 1 AS enters, bytes AS change FROM sent
    UNION ALL
    SELECT action_uid, worker, category, manifest_sha, time, per_seconds, instant + per_seconds * 1000000, 0, -bytes
    FROM sent
),
levels AS (
    -- how many bytes the window holds after each step (what leaves at an instant leaves before what enters)
    SELECT *, sum(change) OVER (
        PARTITION BY worker, category, per_seconds ORDER BY instant, enters
        RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS held
    FROM steps
),
excesses AS (
    -- the actions with which a window held more than the manifest in force then allows, with the strictest limit
    SELECT * FROM (
        SELECT
            v.action_uid, v.worker, v.category, v.per_seconds, v.instant, CAST(v.time AS DATE) AS day,
            CAST(v.held AS DOUBLE) AS held, b.at_most, b.measure, b.file, b.line,
            row_number() OVER (
                PARTITION BY v.action_uid, v.category, v.per_seconds ORDER BY b.at_most, b.measure, b.file, b.line
            ) AS nth
        FROM levels AS v
        JOIN bounds AS b
            ON b.worker = v.worker AND b.category = v.category AND b.per_seconds = v.per_seconds
            AND b.manifest_sha = v.manifest_sha
        WHERE v.enters = 1 AND v.held > b.at_most
    ) AS bounded WHERE nth = 1
),
excess_days AS (
    -- each day with an excess, once for each day that its windows may reach back to (a month at most)
    SELECT DISTINCT e.worker, e.category, e.per_seconds, e.day, e.day - d.back AS reached
    FROM excesses AS e
    JOIN (
        VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18),
            (19), (20), (21), (22), (23), (24), (25), (26), (27), (28), (29), (30), (31)
    ) AS d(back) ON (d.back - 1) * 86400 < e.per_seconds
),
within_reach AS (
    -- the actions of those days, each with the next excess of the day in question
    SELECT
        s.action_uid, s.worker, s.category, s.per_seconds, s.instant, s.bytes, r.day,
        min(e.instant) OVER (
            PARTITION BY s.worker, s.category, s.per_seconds, r.day ORDER BY s.instant
            RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS next_excess
    FROM sent AS s
    JOIN excess_days AS r
        ON r.worker = s.worker AND r.category = s.category AND r.per_seconds = s.per_seconds
        AND r.reached = CAST(s.time AS DATE)
    LEFT JOIN excesses AS e
        ON e.action_uid = s.action_uid AND e.category = s.category AND e.per_seconds = s.per_seconds AND e.day = r.day
),
counted AS (
    -- the actions in the exceeding windows of a worker's day, each once
    SELECT DISTINCT worker, day, action_uid, bytes
    FROM within_reach WHERE instant > next_excess - per_seconds * 1000000
),
evidence AS (
    -- the same with where the bytes went: the host, or the store's bucket or container
    SELECT
        c.day, c.bytes, a.*,
        CASE
            WHEN a.category = 'proxy' THEN lower(coalesce(a.dst_host, a.dst_ip, 'unknown'))
            WHEN a.resource_uid LIKE 'arn:aws%:s3:::%' THEN split_part(a.resource_uid, '/', 1)
            WHEN a.resource_uid LIKE '%/objects/%' THEN regexp_extract(a.resource_uid, '^(.*?)/objects/', 1)
            WHEN a.resource_uid LIKE '/subscriptions/%/providers/%'
                THEN regexp_extract(a.resource_uid, '^(/subscriptions/.*?/providers/[^/]+/[^/]+/[^/]+)', 1)
            ELSE coalesce(a.resource_uid, a.api_service, 'unknown')
        END AS destination
    FROM counted AS c
    JOIN attributed AS a ON a.action_uid = c.action_uid
),
destinations AS (
    -- the bytes of a worker's day by destination, most first
    SELECT
        worker, day, destination, sum(bytes) AS bytes, count(*) OVER (PARTITION BY worker, day) AS destinations,
        row_number() OVER (PARTITION BY worker, day ORDER BY sum(bytes) DESC, destination) AS nth
    FROM evidence GROUP BY worker, day, destination
),
certainty AS (
    -- how sure the attribution of a worker's day is, by bytes
    SELECT worker, day, round(sum(bytes * coalesce(confidence, 1.0)) / sum(bytes), 4) AS confidence
    FROM evidence GROUP BY worker, day
),
worst AS (
    -- the excess of a worker's day that is the largest for its limit
    SELECT * FROM (
        SELECT *, row_number() OVER (
            PARTITION BY worker, day
            ORDER BY CASE WHEN at_most > 0 THEN held / at_most ELSE held END DESC, instant, per_seconds, action_uid, category
        ) AS place
        FROM excesses
    ) AS ranked WHERE place = 1
),
amounts AS (
    -- the amounts of bytes that titles tell, each with the largest unit that it fills (MB is 10^6)
    SELECT
        bytes,
        CASE
            WHEN bytes >= 1000000000000 THEN 1000000000000 WHEN bytes >= 1000000000 THEN 1000000000
            WHEN bytes >= 1000000 THEN 1000000 WHEN bytes >= 1000 THEN 1000 ELSE 1
        END AS unit
    FROM (SELECT held AS bytes FROM worst UNION SELECT at_most FROM worst) AS told
),
sizes AS (
    -- the same in words, with three digits, as `detectors.sizes` writes them
    SELECT
        bytes,
        CASE
            WHEN bytes < 10 * unit THEN rtrim(rtrim(CAST(CAST(bytes / unit AS DECIMAL(38, 2)) AS VARCHAR), '0'), '.')
            WHEN bytes < 100 * unit THEN rtrim(rtrim(CAST(CAST(bytes / unit AS DECIMAL(38, 1)) AS VARCHAR), '0'), '.')
            ELSE CAST(CAST(bytes / unit AS DECIMAL(38, 0)) AS VARCHAR)
        END || CASE unit
            WHEN 1 THEN ' B' WHEN 1000 THEN ' kB' WHEN 1000000 THEN ' MB' WHEN 1000000000 THEN ' GB' ELSE ' TB'
        END AS words
    FROM amounts
),
worded AS (
    -- the worst excesses with the limit and the length of its window in words
    SELECT
        w.*,
        CASE
            WHEN per_seconds % 86400 = 0 THEN CAST(per_seconds // 86400 AS VARCHAR) || ' d'
            WHEN per_seconds % 3600 = 0 THEN CAST(per_seconds // 3600 AS VARCHAR) || ' h'
            WHEN per_seconds % 60 = 0 THEN CAST(per_seconds // 60 AS VARCHAR) || ' min'
            ELSE CAST(per_seconds AS VARCHAR) || ' s'
        END AS span,
        h.words AS held_text,
        m.words AS at_most_text,
        CASE WHEN at_most > 0 THEN CAST(CAST(held / at_most AS DECIMAL(38, 1)) AS VARCHAR) || ' times the allowed '
             ELSE 'more than the allowed ' END AS times
    FROM worst AS w
    JOIN sizes AS h ON h.bytes = w.held
    JOIN sizes AS m ON m.bytes = w.at_most
)
SELECT
    e.worker,
    e.principal,
    d.destination AS entity,
    e.action_uid,
    e.time,
    e.chain_id,
    CASE WHEN x.held > 5 * x.at_most THEN 'critical' ELSE 'high' END AS severity,
    c.confidence,
    e.worker || ' sent ' || x.held_text || ' in ' || x.span || ', ' || x.times || x.at_most_text || ', most of it to '
        || substr(d.destination, 1, 200) AS title,
    {
        'expected': x.measure || ' at most ' || x.at_most_text || ' in ' || x.span || ' (' || x.file || ':'
            || CAST(x.line AS VARCHAR) || ')',
        'seen': x.held_text || ' in ' || x.span,
        'bytes': x.held,
        'at_most_bytes': x.at_most,
        'per_seconds': x.per_seconds,
        'category': x.category,
        'passed_with': x.action_uid,
        'destination': d.destination,
        'destination_bytes': CAST(d.bytes AS DOUBLE),
        'destinations': d.destinations,
        'attribution': e.strength
    } AS explanation,
    e.manifest_sha,
    CAST(e.day AS TIMESTAMP) AS day
FROM evidence AS e
JOIN worded AS x ON x.worker = e.worker AND x.day = e.day
JOIN destinations AS d ON d.worker = e.worker AND d.day = e.day AND d.nth = 1
JOIN certainty AS c ON c.worker = e.worker AND c.day = e.day
