/*---
id: first_seen_destination
version: 3
title: More than usual sent to a new destination
description: >
  A worker connected through a proxy to a host that neither it nor a worker of its role had ever been seen with, and
  on that first day sent it more bytes than on the first day of any host that it came to know before, and more than
  their mean and three standard deviations, since of few hosts the newest easily happens to be the first. Only workers
  that were seen on seven earlier days are judged, and only hosts that no allow line names in full: a wildcard covers
  a host, but nobody looked at it. Hosts count by their full name, since the product has no list of registered domains.
severity: medium
tags:
  - owasp.asi02
  - owasp.asi01
  - maestro.data-exfiltration
  - maestro.data-leakage
  - nist.ai-rmf.measure-2.4
  - nist.ai-rmf.measure-3.1
  - attack.t1567
  - attack.t1041
  - attack.t1048
  - atlas.aml.t0025
  - atlas.aml.t0086
look_alikes:
  - case: a worker that meets new hosts every day, such as one that reads the web
    separated_by: what it sent to each of them at first is its measure; the highest so far and the spread must be passed
  - case: a vendor moves, or a colleague of the same role has used the host before
    separated_by: hosts that a worker of the role was seen with are known
  - case: a new worker, to which every host is new
    separated_by: seven days on which it was seen come first, so that a weekday and a weekend are among them
  - case: a host that its owner has written down
    separated_by: an allow line that names it without a wildcard
  - case: a large download
    separated_by: bytes_in is not counted
tests:
  - name: an upload to a host that a wildcard covers, after a week of the usual ones
    scope_lines: [{kind: net, hosts: ["*.zendesk.example"], line: 9}]
    verdicts: [{action_uid: a9, verdict: allow, kind: net, basis: line, file: w1.yaml, line: 9}, {action_uid: a10, verdict: allow, kind: net, basis: line, file: w1.yaml, line: 9}]
    actions:
      - {category: proxy, dst_host: crm.zendesk.example, bytes_out: 5000, time: 2026-03-01T10:00:00}
      - {category: proxy, dst_host: crm.zendesk.example, bytes_out: 900000, time: 2026-03-02T10:00:00}
      - {category: proxy, dst_host: crm.zendesk.example, bytes_out: 5000, time: 2026-03-03T10:00:00}
      - {category: proxy, dst_host: kb.zendesk.example, bytes_out: 7000, time: 2026-03-04T10:00:00}
      - {category: proxy, dst_host: kb.zendesk.example, bytes_out: 5000, time: 2026-03-05T10:00:00}
      - {category: proxy, dst_host: crm.zendesk.example, bytes_out: 5000, time: 2026-03-06T10:00:00}
      - {category: proxy, dst_host: crm.zendesk.example, bytes_out: 5000, time: 2026-03-07T10:00:00}
      - {category: proxy, dst_host: crm.zendesk.example, bytes_out: 5000, time: 2026-03-08T09:00:00}
      - {category: proxy, dst_host: Drop.zendesk.example, bytes_out: 4000, http_method: CONNECT, time: 2026-03-08T10:00:00}
      - {category: proxy, dst_host: drop.zendesk.example, bytes_out: 400000, http_method: CONNECT, time: 2026-03-08T23:00:00}
    expected:
      - {worker: w1, severity: medium, entity: drop.zendesk.example, evidence: [a9, a10], title: [w1 sent 404 kB to drop.zendesk.example, at most 7 kB], explanation: ["w1.yaml:9", wildcard]}
  - name: a host that nothing allows, by address; a worker of another role knew it
    manifest_versions: [{role: support}, {worker: w2, manifest_sha: sha-w2, role: finance}]
    verdicts: [{action_uid: a9, verdict: out, kind: net, basis: none}]
    actions:
      - {worker: w2, manifest_sha: sha-w2, category: proxy, dst_ip: 192.0.2.1, time: 2026-03-01T09:00:00}
      - {category: proxy, dst_host: a.example, bytes_out: 5000, time: 2026-03-01T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-02T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-03T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-04T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-05T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-06T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-07T10:00:00}
      - {category: proxy, dst_ip: 192.0.2.1, bytes_out: 5001, time: 2026-03-08T10:00:00}
    expected: [{worker: w1, severity: high, entity: 192.0.2.1, evidence: [a9], explanation: [out of scope]}]
  - name: no more than it once sent at first, a large download, unknown sizes; a host that is named; one that is old
    scope_lines: [{kind: net, hosts: ["*.example", named_host.example]}]
    actions:
      - {category: proxy, dst_host: a.example, bytes_out: 5000, time: 2026-03-01T10:00:00}
      - {category: proxy, dst_host: old.example, bytes_out: 10, time: 2026-03-01T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-02T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-03T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-04T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-05T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-06T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-07T10:00:00}
      - {category: proxy, dst_host: b.example, bytes_out: 5000, bytes_in: 9000000, time: 2026-03-08T10:00:00}
      - {category: proxy, dst_host: c.example, time: 2026-03-08T10:00:00}
      - {category: proxy, dst_host: named_host.example, bytes_out: 9000000, time: 2026-03-08T10:00:00}
      - {category: proxy, dst_host: old.example, bytes_out: 9000000, time: 2026-03-08T10:00:00}
    expected: []
  - name: the highest so far, but within the spread of the others
    actions:
      - {category: proxy, dst_host: a.example, bytes_out: 3000, time: 2026-03-01T10:00:00}
      - {category: proxy, dst_host: b.example, bytes_out: 4000, time: 2026-03-02T10:00:00}
      - {category: proxy, dst_host: c.example, bytes_out: 5000, time: 2026-03-03T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-04T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-05T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-06T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-07T10:00:00}
      - {category: proxy, dst_host: d.example, bytes_out: 6000, time: 2026-03-08T10:00:00}
    expected: []
  - name: a worker that was seen on six days only, and nobody
    actions:
      - {category: proxy, dst_host: a.example, bytes_out: 5, time: 2026-03-02T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-03T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-04T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-05T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-06T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-07T10:00:00}
      - {category: proxy, dst_host: new.example, bytes_out: 9000000, time: 2026-03-08T10:00:00}
      - {worker: null, category: proxy, dst_host: newer.example, bytes_out: 9000000, time: 2026-03-08T10:00:00}
    expected: []
  - name: a worker of the same role has used the host
    manifest_versions: [{role: support}, {worker: w2, manifest_sha: sha-w2, role: support}]
    actions:
      - {category: proxy, dst_host: a.example, bytes_out: 5, time: 2026-03-01T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-02T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-03T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-04T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-05T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-06T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-07T10:00:00}
      - {worker: w2, manifest_sha: sha-w2, category: proxy, dst_host: new.example, time: 2026-03-08T09:00:00}
      - {category: proxy, dst_host: new.example, bytes_out: 9000000, time: 2026-03-08T10:00:00}
    expected: []
---*/

WITH roles AS (
    -- each manifest's group of peers: its role, or the worker alone
    SELECT DISTINCT worker, manifest_sha, coalesce('role ' || role, 'worker ' || worker) AS peers FROM manifest_versions
),
connections AS (
    -- what workers did through proxies, with the host and the group
    SELECT
        a.action_uid, a.worker, a.manifest_sha, a.time, CAST(a.time AS DATE) AS day, a.bytes_out,
        lower(coalesce(a.dst_host, a.dst_ip)) AS host, coalesce(r.peers, 'worker ' || a.worker) AS peers
    FROM attributed AS a
    LEFT JOIN roles AS r ON r.worker = a.worker AND r.manifest_sha = a.manifest_sha
    WHERE a.category = 'proxy' AND a.worker IS NOT NULL AND coalesce(a.dst_host, a.dst_ip) IS NOT NULL
),
seen_days AS (
    -- the days on which each worker was seen, with how many such days went before
    SELECT worker, day, row_number() OVER (PARTITION BY worker ORDER BY day) - 1 AS days_before
    FROM (SELECT DISTINCT worker, day FROM connections) AS days
),
first_of_worker AS (
    -- when each worker met each host
    SELECT worker, host, min(time) AS met_at, min(day) AS day FROM connections GROUP BY worker, host
),
first_of_peers AS (
    -- when the first of a group did
    SELECT peers, host, min(time) AS met_at FROM connections GROUP BY peers, host
),
meetings AS (
    -- what each worker sent to each host on the day on which it met it, and when it began to
    -- (whole decimals, since sums of floating point depend on their order; a size and a day's sum are at most a
    -- petabyte, so that neither the sum nor the sums of squares below can overflow)
    SELECT
        f.worker, f.host, f.day, f.met_at, min(c.peers) AS peers, count(*) AS calls,
        CAST(least(
            sum(CAST(least(coalesce(c.bytes_out, 0), 1000000000000000) AS DECIMAL(19, 0))), 1000000000000000
        ) AS DECIMAL(19, 0)) AS bytes
    FROM first_of_worker AS f
    JOIN connections AS c ON c.worker = f.worker AND c.host = f.host AND c.day = f.day
    GROUP BY f.worker, f.host, f.day, f.met_at
),
measured AS (
    -- the same by day, with the sums that tell what was sent to hosts met on earlier days
    SELECT
        worker, day,
        max(most) OVER before AS most_before,
        sum(hosts) OVER before AS hosts_before,
        sum(total) OVER before AS total_before,
        sum(squares) OVER before AS squares_before
    FROM (
        SELECT
            worker, day, max(bytes) AS most, count(*) AS hosts, sum(bytes) AS total,
            sum(bytes * bytes) AS squares
        FROM meetings GROUP BY worker, day
    ) AS by_day
    WINDOW before AS (PARTITION BY worker ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
usual AS (
    -- the same with what is usual on a first day: the most so far, or the mean and three standard deviations
    SELECT
        worker, day, sent_before, hosts_before,
        greatest(sent_before, mean + 3 * sqrt(greatest(squares - mean * mean, 0))) AS at_most
    FROM (
        SELECT
            worker, day, CAST(most_before AS DOUBLE) AS sent_before, CAST(hosts_before AS BIGINT) AS hosts_before,
            CAST(total_before AS DOUBLE) / hosts_before AS mean,
            CAST(squares_before AS DOUBLE) / hosts_before AS squares
        FROM measured WHERE hosts_before > 0
    ) AS moments
),
named AS (
    -- hosts that an allow line names in full: their pattern has no wildcard, so it equals the host, escaped for LIKE
    SELECT DISTINCT worker, manifest_sha, unnest(hosts) AS pattern
    FROM scope_lines WHERE kind = 'net' AND effect = 'allow'
),
payloads AS (
    -- meetings at which more was sent than usual, by workers that were seen on seven days before
    SELECT
        m.*, CAST(m.bytes AS DOUBLE) AS sent, d.sent_before, d.hosts_before, d.at_most, s.days_before
    FROM meetings AS m
    JOIN seen_days AS s ON s.worker = m.worker AND s.day = m.day
    JOIN usual AS d ON d.worker = m.worker AND d.day = m.day
    JOIN first_of_peers AS p ON p.peers = m.peers AND p.host = m.host
    WHERE s.days_before >= 7 AND m.bytes > d.at_most AND p.met_at >= m.met_at
),
evidence AS (
    -- the actions of those, under manifests that do not name the host
    SELECT p.*, a.action_uid
    FROM payloads AS p
    JOIN connections AS a ON a.worker = p.worker AND a.host = p.host AND a.day = p.day
    LEFT JOIN named AS n
        ON n.worker = a.worker AND n.manifest_sha = a.manifest_sha AND n.pattern = replace(a.host, '_', '\_')
    WHERE n.pattern IS NULL
),
judged AS (
    -- the same with what scope says of each
    SELECT e.*, coalesce(v.verdict, 'allow') AS verdict, v.basis, v.file, v.line
    FROM evidence AS e LEFT JOIN verdicts AS v ON v.action_uid = e.action_uid
),
amounts AS (
    -- the amounts of bytes that titles tell, each with the largest unit that it fills (MB is 10^6)
    SELECT
        bytes,
        CASE
            WHEN bytes >= 1000000000000 THEN 1000000000000 WHEN bytes >= 1000000000 THEN 1000000000
            WHEN bytes >= 1000000 THEN 1000000 WHEN bytes >= 1000 THEN 1000 ELSE 1
        END AS unit
    FROM (SELECT sent AS bytes FROM judged UNION SELECT sent_before FROM judged) AS told
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
)
SELECT
    a.worker,
    a.principal,
    j.host AS entity,
    a.action_uid,
    a.time,
    a.chain_id,
    CASE WHEN j.verdict <> 'allow' THEN 'high' ELSE 'medium' END AS severity,
    a.confidence,
    a.worker || ' sent ' || n.words || ' to ' || substr(j.host, 1, 160) || ' on the first day it was seen with it, at most '
        || b.words || ' to any before' AS title,
    {
        'expected': 'at most ' || CAST(CAST(j.at_most AS BIGINT) AS VARCHAR) || ' bytes, as on the first day of '
            || CAST(j.hosts_before AS VARCHAR) || ' other hosts in ' || CAST(j.days_before AS VARCHAR) || ' earlier days',
        'seen': CAST(CAST(j.sent AS BIGINT) AS VARCHAR) || ' bytes in ' || CAST(j.calls AS VARCHAR) || ' calls',
        'decided_by': CASE
            WHEN j.verdict = 'deny' THEN 'denied by ' || coalesce(j.file || ':' || CAST(j.line AS VARCHAR), 'the manifest')
            WHEN j.verdict = 'out' THEN 'out of scope: no net line of the manifest allows it'
            WHEN j.basis = 'endpoint' THEN 'an endpoint of a service that is allowed by '
                || coalesce(j.file || ':' || CAST(j.line AS VARCHAR), 'the manifest') || ', which does not name the host'
            ELSE 'allowed by a wildcard alone, ' || coalesce(j.file || ':' || CAST(j.line AS VARCHAR), 'in the manifest') END,
        'unseen': 'what went around the proxies; whether the host belongs to a domain that is known',
        'bytes': j.sent,
        'most_before': j.sent_before,
        'peers': j.peers,
        'method': a.http_method,
        'attribution': a.strength
    } AS explanation,
    a.manifest_sha
FROM judged AS j
JOIN attributed AS a ON a.action_uid = j.action_uid
LEFT JOIN sizes AS n ON n.bytes = j.sent
LEFT JOIN sizes AS b ON b.bytes = j.sent_before
