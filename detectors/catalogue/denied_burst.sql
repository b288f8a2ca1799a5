/*---
id: denied_burst
version: 2
title: A burst of refused calls
description: >
  Within an hour more calls of a worker (or of a principal that nobody is bound to) were refused than three times its
  worst hour on all earlier days, and at least ten. Many different calls, each tried a few times, are probing; one
  call over and over is a retry loop. A worker whose manifest limits `denied` is judged by that (call_limits).
severity: medium
tags:
  - owasp.asi03
  - owasp.asi10
  - maestro.malicious-agent-discovery
  - maestro.agent-tool-misuse
  - nist.ai-rmf.measure-2.4
  - attack.t1078.004
  - attack.t1526
  - attack.t1580
  - attack.t1087.004
  - atlas.aml.t0075
look_alikes:
  - case: a retry loop on one call, or a broken roll-out of a few calls
    separated_by: each call is tried more than three times (the usual number of attempts of an SDK), so the finding is low
  - case: a worker that is refused a lot every day
    separated_by: its own worst hour on earlier days, three times over
  - case: a worker whose owner has said how many refusals are usual
    separated_by: a limit on denied in the manifest in force
  - case: calls that failed for other reasons
    separated_by: only refusals count
tests:
  - name: probing by a worker that was hardly ever refused
    actions:
      - {api_service: s3.amazonaws.com, api_operation: GetObject, status: denied, time: 2026-02-27T10:00:00, resource_uid: "arn:aws:s3:::a/1"}
      - {api_service: iam.amazonaws.com, api_operation: ListUsers, status: denied, time: 2026-03-02T10:00:00}
      - {api_service: iam.amazonaws.com, api_operation: ListRoles, status: denied, time: 2026-03-02T10:01:00}
      - {api_service: iam.amazonaws.com, api_operation: ListPolicies, status: denied, time: 2026-03-02T10:02:00}
      - {api_service: ec2.amazonaws.com, api_operation: DescribeInstances, status: denied, time: 2026-03-02T10:03:00}
      - {api_service: ec2.amazonaws.com, api_operation: DescribeInstances, status: denied, time: 2026-03-02T10:04:00}
      - {api_service: lambda.amazonaws.com, api_operation: ListFunctions20150331, status: denied, time: 2026-03-02T10:05:00}
      - {api_service: s3.amazonaws.com, api_operation: ListBuckets, status: denied, time: 2026-03-02T10:06:00}
      - {api_service: kms.amazonaws.com, api_operation: ListKeys, status: denied, time: 2026-03-02T10:07:00}
      - {api_service: rds.amazonaws.com, api_operation: DescribeDBInstances, status: denied, time: 2026-03-02T10:08:00}
      - {api_service: sqs.amazonaws.com, api_operation: ListQueues, status: denied, time: 2026-03-02T10:59:00}
    expected:
      - {worker: w1, severity: medium, entity: "aws:role/arn:aws:iam::111122223333:role/w1", evidence: [a2, a3, a4, a5, a6, a7, a8, a9, a10, a11], title: [w1 was refused 10 calls within an hour, 9 different], explanation: ["at most 1 in an hour"]}
  - name: nobody's principal reads ten secrets that it may not read
    actions:
      - {worker: null, principal: "aws:user/arn:aws:iam::1:user/x", api_service: secretsmanager.amazonaws.com, api_operation: GetSecretValue, status: denied, resource_uid: "s:1"}
      - {worker: null, principal: "aws:user/arn:aws:iam::1:user/x", api_service: secretsmanager.amazonaws.com, api_operation: GetSecretValue, status: denied, resource_uid: "s:2"}
      - {worker: null, principal: "aws:user/arn:aws:iam::1:user/x", api_service: secretsmanager.amazonaws.com, api_operation: GetSecretValue, status: denied, resource_uid: "s:3"}
      - {worker: null, principal: "aws:user/arn:aws:iam::1:user/x", api_service: secretsmanager.amazonaws.com, api_operation: GetSecretValue, status: denied, resource_uid: "s:4"}
      - {worker: null, principal: "aws:user/arn:aws:iam::1:user/x", api_service: secretsmanager.amazonaws.com, api_operation: GetSecretValue, status: denied, resource_uid: "s:5"}
      - {worker: null, principal: "aws:user/arn:aws:iam::1:user/x", api_service: secretsmanager.amazonaws.com, api_operation: GetSecretValue, status: denied, resource_uid: "s:6"}
      - {worker: null, principal: "aws:user/arn:aws:iam::1:user/x", api_service: secretsmanager.amazonaws.com, api_operation: GetSecretValue, status: denied, resource_uid: "s:7"}
      - {worker: null, principal: "aws:user/arn:aws:iam::1:user/x", api_service: secretsmanager.amazonaws.com, api_operation: GetSecretValue, status: denied, resource_uid: "s:8"}
      - {worker: null, principal: "aws:user/arn:aws:iam::1:user/x", api_service: secretsmanager.amazonaws.com, api_operation: GetSecretValue, status: denied, resource_uid: "s:9"}
      - {worker: null, principal: "aws:user/arn:aws:iam::1:user/x", api_service: secretsmanager.amazonaws.com, api_operation: GetSecretValue, status: denied, resource_uid: "s:10"}
    expected: [{worker: null, severity: medium, entity: "aws:user/arn:aws:iam::1:user/x", title: ["aws:user/arn:aws:iam::1:user/x was refused 10 calls"]}]
  - name: a retry loop on the objects of one bucket
    actions:
      - &loop {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1"}
      - *loop
      - *loop
      - *loop
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/2"}
      - *loop
      - *loop
      - *loop
      - *loop
      - *loop
    expected: [{worker: w1, severity: low, entity: "aws:role/arn:aws:iam::111122223333:role/w1", title: [10 calls within an hour, "1 different", s3.amazonaws.com PutObject]}]
  - name: the same where the manifest has a limit of its own
    limits: [{measure: denied, at_most: 50, per_seconds: 3600}]
    actions: [*loop, *loop, *loop, *loop, *loop, *loop, *loop, *loop, *loop, *loop, *loop, *loop]
    expected: []
  - name: no more than three times what it had in an hour on an earlier day
    actions:
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-01T10:00:00}
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-01T10:10:00}
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-01T10:20:00}
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-01T10:59:00}
      - *loop
      - *loop
      - *loop
      - *loop
      - *loop
      - *loop
      - *loop
      - *loop
      - *loop
      - *loop
      - *loop
      - *loop
    expected: []
  - name: failures of other kinds, and ten refusals spread over a day
    actions:
      - &failure {api_service: s3.amazonaws.com, api_operation: PutObject, status: failure, resource_uid: "arn:aws:s3:::out/1"}
      - *failure
      - *failure
      - *failure
      - *failure
      - *failure
      - *failure
      - *failure
      - *failure
      - *failure
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-02T00:00:00}
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-02T01:00:00}
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-02T02:00:00}
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-02T03:00:00}
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-02T04:00:00}
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-02T05:00:00}
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-02T06:00:00}
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-02T07:00:00}
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-02T08:00:00}
      - {api_service: s3.amazonaws.com, api_operation: PutObject, status: denied, resource_uid: "arn:aws:s3:::out/1", time: 2026-03-02T09:00:00}
    expected: []
---*/

WITH limited AS (
    -- manifests that say themselves how many refusals are usual
    SELECT DISTINCT worker, manifest_sha FROM limits WHERE measure = 'denied'
),
refused AS (
    -- each refused call that no such limit judges: by whom, when (in microseconds), and what was called on what
    SELECT
        a.action_uid, a.worker, a.principal, coalesce(a.worker, a.principal, a.src_ip) AS actor, a.time, a.confidence,
        date_diff('microsecond', TIMESTAMP '1970-01-01', a.time) AS instant, CAST(a.time AS DATE) AS day,
        coalesce(a.api_service || ' ' || a.api_operation, lower(a.dst_host), a.dst_ip, a.tool, a.model, 'a call') AS called,
        CASE WHEN a.resource_uid LIKE 'arn:aws%:s3:::%' THEN split_part(a.resource_uid, '/', 1)
             WHEN a.resource_uid LIKE '%/objects/%' THEN regexp_extract(a.resource_uid, '^(.*?)/objects/', 1)
             ELSE coalesce(a.resource_uid, '') END AS container
    FROM attributed AS a
    LEFT JOIN limited AS l ON l.worker = a.worker AND l.manifest_sha = a.manifest_sha
    WHERE a.status = 'denied' AND l.worker IS NULL
),
hours AS (
    -- each of those with how many of its actor there were in the hour that ends with it
    SELECT *, count(*) OVER (
        PARTITION BY actor ORDER BY instant RANGE BETWEEN 3599999999 PRECEDING AND CURRENT ROW
    ) AS in_hour
    FROM refused WHERE actor IS NOT NULL
),
days AS (
    -- each actor's days with their worst hour, and the worst hour of all days before
    SELECT
        actor, day, worst, coalesce(max(worst) OVER (
            PARTITION BY actor ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS worst_before
    FROM (SELECT actor, day, max(in_hour) AS worst FROM hours GROUP BY actor, day) AS by_day
),
bursts AS (
    -- days with a burst. Three times: a bad day is not yet another kind of day. Ten: fewer are read one by one.
    SELECT * FROM days WHERE worst >= 10 AND worst > 3 * worst_before
),
marked AS (
    -- the refusals of those days and of the day before, with the next one that ends an hour of a burst
    SELECT h.*, b.day AS burst_day, min(CASE
        WHEN h.day = b.day AND h.in_hour >= 10 AND h.in_hour > 3 * b.worst_before THEN h.instant END
    ) OVER (
        PARTITION BY h.actor, b.day ORDER BY h.instant RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS next_burst
    FROM hours AS h
    JOIN (
        SELECT actor, day, day AS reached FROM bursts
        UNION ALL SELECT actor, day, day - 1 AS reached FROM bursts
    ) AS b0 ON b0.actor = h.actor AND b0.reached = h.day
    JOIN bursts AS b ON b.actor = b0.actor AND b.day = b0.day
),
involved AS (
    -- the refusals in the hours of a burst
    SELECT * FROM marked WHERE instant > next_burst - 3600000000
),
calls AS (
    -- what was called, the most frequent first, with how often it was tried and on how many containers
    SELECT
        actor, burst_day, called, count(*) AS tries, count(DISTINCT container) AS containers,
        row_number() OVER (PARTITION BY actor, burst_day ORDER BY count(*) DESC, called) AS nth
    FROM involved GROUP BY actor, burst_day, called
),
summaries AS (
    -- each burst: how many refusals, of how many different calls (an operation on a container, or a host)
    SELECT
        actor, burst_day, CAST(sum(tries) AS BIGINT) AS tries, CAST(sum(containers) AS BIGINT) AS different,
        count(*) AS operations,
        max(CASE WHEN nth = 1 THEN called END) AS most,
        array_sort(list(called) FILTER (WHERE nth <= 20)) AS first_called
    FROM calls GROUP BY actor, burst_day
),
principals AS (
    -- the principal of most refusals of a burst
    SELECT * FROM (
        SELECT actor, burst_day, principal,
            row_number() OVER (PARTITION BY actor, burst_day ORDER BY count(*) DESC, principal) AS nth
        FROM involved GROUP BY actor, burst_day, principal
    ) AS ordered WHERE nth = 1
)
SELECT
    a.worker,
    a.principal,
    coalesce(p.principal, i.actor) AS entity,
    a.action_uid,
    a.time,
    a.chain_id,
    -- an SDK tries a call three times: who is refused more often per call repeats itself, and does not look around
    CASE WHEN s.tries <= 3 * s.different THEN 'medium' ELSE 'low' END AS severity,
    a.confidence,
    i.actor || ' was refused ' || CAST(b.worst AS VARCHAR) || ' calls within an hour, '
        || CASE WHEN b.worst_before = 0 THEN 'none on any earlier day that is known'
                ELSE 'at most ' || CAST(b.worst_before AS VARCHAR) || ' on any day before' END
        || '; ' || CAST(s.different AS VARCHAR) || ' different, most often '
        || substr(s.most, 1, 120) AS title,
    {
        'expected': 'at most ' || CAST(b.worst_before AS VARCHAR)
            || ' in an hour, as on earlier days; no line of a manifest limits denied',
        'seen': CAST(b.worst AS VARCHAR) || ' in an hour',
        'unseen': 'refusals that no source logs',
        'refused': s.tries,
        'different': s.different,
        'operations': s.operations,
        'called': s.first_called,
        'looks_like': CASE WHEN s.tries <= 3 * s.different THEN 'probing' ELSE 'a retry loop' END,
        'attribution': a.strength
    } AS explanation,
    a.manifest_sha,
    CAST(i.burst_day AS TIMESTAMP) AS day
FROM involved AS i
JOIN attributed AS a ON a.action_uid = i.action_uid
JOIN bursts AS b ON b.actor = i.actor AND b.day = i.burst_day
JOIN summaries AS s ON s.actor = i.actor AND s.burst_day = i.burst_day
JOIN principals AS p ON p.actor = i.actor AND p.burst_day = i.burst_day
