/*---
id: call_limits
version: 2
title: More calls, refusals, hosts, secrets or tokens than the worker may have
description: >
  Within a window that slides over event time, a worker passed a limit of its manifest: calls (all of its actions),
  denied (those that were refused), destinations (different hosts that it tried to reach through proxies; a cloud's
  own log shows no host), secrets (different secrets whose value it read) or tokens (into and out of models).
  Bytes are judged by exfiltration_volume; `coverage` names what no log lets anybody measure, spend above all.
severity: medium
tags:
  - owasp.asi02
  - owasp.asi08
  - owasp.asi10
  - owasp.nhi5
  - maestro.resource-hijacking
  - maestro.agent-tool-misuse
  - nist.ai-rmf.measure-2.4
  - nist.ai-rmf.measure-2.7
  - attack.t1119
  - attack.t1496
  - attack.t1555.006
  - atlas.aml.t0029
  - atlas.aml.t0034.002
  - atlas.aml.t0098
look_alikes:
  - case: a busy hour or a backfill
    separated_by: nothing in the number; the finding says what was called most, and the limit is to be raised for the while
  - case: one call in several records (a CONNECT and its inner requests, twins of two accounts)
    separated_by: only primary actions count
  - case: one host or one secret that is used over and over
    separated_by: hosts and secrets count once as long as they are in the window
  - case: a retry loop on one call that is refused
    separated_by: it counts, but the finding says of how many different calls the refusals are
  - case: a list of secrets' names, or a read that was refused
    separated_by: only reads that hand out a value, and were not refused, count
tests:
  - name: one call more than the hour holds
    limits: [{measure: calls, at_most: 3, per_seconds: 3600, line: 9}]
    actions:
      - {api_service: s3.amazonaws.com, api_operation: GetObject, time: 2026-03-02T09:30:00}
      - {api_service: s3.amazonaws.com, api_operation: GetObject, time: 2026-03-02T10:00:00}
      - {api_service: sqs.amazonaws.com, api_operation: SendMessage, time: 2026-03-02T10:10:00, status: failure}
      - {category: proxy, dst_host: crm.example, time: 2026-03-02T10:29:59, bytes_out: null}
      - {api_service: s3.amazonaws.com, api_operation: GetObject, time: 2026-03-02T15:00:00}
    expected:
      - {worker: w1, severity: medium, entity: calls in 1 h, evidence: [a1, a2, a3, a4], title: [w1 made 4 calls in 1 h, "1.3 times the allowed 3", most often s3.amazonaws.com GetObject], explanation: ["w1.yaml:9"]}
  - name: refusals of one call over and over, more than five times the limit
    limits: [{measure: denied, at_most: 1, per_seconds: 86400}]
    actions:
      - {api_service: iam.amazonaws.com, api_operation: ListUsers, status: denied}
      - {api_service: iam.amazonaws.com, api_operation: ListUsers, status: denied}
      - {api_service: iam.amazonaws.com, api_operation: ListUsers, status: denied}
      - {api_service: iam.amazonaws.com, api_operation: ListUsers, status: success}
      - {api_service: iam.amazonaws.com, api_operation: ListUsers, status: denied}
      - {api_service: iam.amazonaws.com, api_operation: ListUsers, status: denied}
      - {api_service: iam.amazonaws.com, api_operation: ListUsers, status: denied}
    expected:
      - {worker: w1, severity: high, entity: denied in 1 d, evidence: [a1, a2, a3, a5, a6, a7], title: [w1 was denied 6 calls in 1 d], explanation: ['"different": 1']}
  - name: a host that comes back in the window counts once, and again when it has left
    limits: [{measure: destinations, at_most: 2, per_seconds: 3600}]
    actions:
      - {category: proxy, dst_host: A.example, time: 2026-03-02T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-02T10:50:00}
      - {category: proxy, dst_host: b.example, time: 2026-03-02T11:10:00}
      - {category: proxy, dst_ip: 192.0.2.1, time: 2026-03-02T11:49:59, status: denied}
      - {category: proxy, dst_host: c.example, time: 2026-03-02T12:10:00}
      - {category: proxy, dst_host: d.example, time: 2026-03-02T12:49:58}
    expected:
      - {worker: w1, severity: medium, entity: destinations in 1 h, evidence: [a2, a3, a4, a5, a6], title: [w1 tried to reach 3 hosts in 1 h]}
  - name: three secrets in two reads, one of them spelled in two ways
    limits: [{measure: secrets, at_most: 2, per_seconds: 3600}]
    actions:
      - {api_service: secretsmanager.amazonaws.com, api_operation: GetSecretValue, resource_uid: "arn:aws:secretsmanager:eu-west-1:1:secret:crm/a"}
      - {api_service: secretsmanager.amazonaws.com, api_operation: GetSecretValue, resource_uid: "arn:aws:secretsmanager:eu-west-1:1:secret:crm/a-Ab12Cd"}
      - {api_service: ssm.amazonaws.com, api_operation: GetParameters, resources: ["arn:aws:ssm:eu-west-1:1:parameter/x", "arn:aws:ssm:eu-west-1:1:parameter/y", "arn:aws:kms:eu-west-1:1:key/k"]}
    expected:
      - {worker: w1, severity: high, entity: secrets in 1 h, evidence: [a1, a2, a3], title: [w1 read 3 secrets in 1 h]}
  - name: tokens into and out of a model, over midnight; a doubtful attribution lowers
    limits: [{measure: tokens, at_most: 1000, per_seconds: 3600}]
    actions:
      - {category: model, model: m-1, tokens_in: 400, tokens_out: 200, time: 2026-03-01T23:50:00, strength: inferred, confidence: 0.7}
      - {category: model, model: m-1, tokens_in: 500, time: 2026-03-02T00:10:00, strength: inferred, confidence: 0.7}
    expected: [{worker: w1, severity: low, entity: tokens in 1 h, evidence: [a1, a2], day: 2026-03-02, title: [w1 used 1100 tokens, most often m-1]}]
  - name: absurd numbers of tokens do not overflow
    limits: [{measure: tokens, at_most: 1000, per_seconds: 3600}]
    actions:
      - {category: model, model: m-1, tokens_in: 9223372036854775807, tokens_out: 9223372036854775807}
    expected: [{worker: w1, severity: high, entity: tokens in 1 h, evidence: [a1], title: [w1 used 2000000000000 tokens]}]
  - name: a manifest that is edited every hour does not begin a new window
    limits:
      - {manifest_sha: sha-1, measure: calls, at_most: 1, per_seconds: 3600}
      - {manifest_sha: sha-2, measure: calls, at_most: 1, per_seconds: 3600}
    actions: [{manifest_sha: sha-1}, {manifest_sha: sha-2}]
    expected: [{worker: w1, severity: medium, entity: calls in 1 h, evidence: [a1, a2]}]
  - name: exactly the limits, and the same again when the window has moved on
    limits:
      - {measure: calls, at_most: 2, per_seconds: 3600}
      - {measure: destinations, at_most: 1, per_seconds: 3600}
    actions:
      - {category: proxy, dst_host: a.example, time: 2026-03-02T10:00:00}
      - {category: proxy, dst_host: a.example, time: 2026-03-02T10:59:00}
      - {category: proxy, dst_host: b.example, time: 2026-03-02T11:59:00}
    expected: []
  - name: calls of others, of nobody, and under an earlier manifest that had the limit
    limits: [{manifest_sha: sha-0, measure: calls, at_most: 1, per_seconds: 3600}, {measure: denied, at_most: 0, per_seconds: 3600}]
    actions: [{manifest_sha: sha-0}, {}, {}, {worker: w2, status: denied}, {worker: null, status: denied}]
    expected: []
  - name: one secret over and over, names that are listed, reads that are refused; hosts of a cloud are not seen
    limits: [{measure: secrets, at_most: 1, per_seconds: 3600}, {measure: destinations, at_most: 0, per_seconds: 3600}]
    actions:
      - {api_service: vault, api_operation: read, resource_uid: kv/data/a}
      - {api_service: vault, api_operation: read, resource_uid: kv/data/a}
      - {api_service: vault, api_operation: list, resource_uid: kv/metadata/b}
      - {api_service: vault, api_operation: read, resource_uid: kv/data/c, status: denied}
    expected: []
---*/

WITH bounds AS (
    -- each limit that is judged here
    SELECT worker, manifest_sha, measure, at_most, per_seconds, file, line
    FROM limits
    WHERE per_seconds > 0 AND measure IN ('calls', 'denied', 'destinations', 'secrets', 'tokens')
),
lengths AS (
    -- the lengths of window by which a worker's measure was ever bounded
    SELECT DISTINCT worker, measure, per_seconds FROM bounds
),
bounded AS (
    -- the actions of such workers; `instant` is in microseconds
    SELECT
        a.action_uid, a.worker, a.manifest_sha, a.time, a.category, a.status, a.api_service, a.api_operation,
        a.resource_uid, a.resources, a.dst_host, a.dst_ip, a.model, a.tokens_in, a.tokens_out,
        date_diff('microsecond', TIMESTAMP '1970-01-01', a.time) AS instant,
        coalesce(a.api_service || ' ' || a.api_operation, lower(a.dst_host), a.dst_ip, a.tool, a.model, 'a call') AS called
    FROM attributed AS a
    JOIN (SELECT DISTINCT worker FROM lengths) AS l ON l.worker = a.worker
),
secret_items AS (
    -- what was named by reads that hand out the value of a secret; the same pairs as scope_exceptions.SECRET_READS
    SELECT a.action_uid, unnest(
        CASE WHEN coalesce(array_length(a.resources), 0) > 0 THEN a.resources
             ELSE [coalesce(a.resource_uid, 'unnamed')] END
    ) AS item
    FROM bounded AS a
    JOIN (
        VALUES ('secretsmanager.amazonaws.com', 'GetSecretValue'), ('secretsmanager.amazonaws.com', 'BatchGetSecretValue'),
            ('ssm.amazonaws.com', 'GetParameter'), ('ssm.amazonaws.com', 'GetParameters'),
            ('ssm.amazonaws.com', 'GetParametersByPath'), ('ssm.amazonaws.com', 'GetParameterHistory'),
            ('vault', 'read'),
            ('secretmanager.googleapis.com', 'google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion')
    ) AS r(service, operation) ON r.service = a.api_service AND r.operation = a.api_operation
    WHERE a.status IN ('success', 'unknown')
),
secrets AS (
    -- the same without keys that unseal them; Secrets Manager's name with and without its six characters is one
    SELECT DISTINCT i.action_uid, coalesce(p.item, i.item) AS thing
    FROM secret_items AS i
    LEFT JOIN (SELECT DISTINCT item FROM secret_items) AS p
        ON p.item = regexp_extract(i.item, '^(.*:secret:.+)-[A-Za-z0-9]{6}$', 1)
    WHERE i.item NOT LIKE 'arn:%:kms:%'
),
units AS (
    -- what each action adds to each measure: a number, or a thing that counts once
    SELECT action_uid, worker, manifest_sha, time, instant, 'calls' AS measure, CAST(NULL AS VARCHAR) AS thing, 1 AS amount,
        called
    FROM bounded
    UNION ALL
    SELECT action_uid, worker, manifest_sha, time, instant, 'denied', NULL, 1, called FROM bounded WHERE status = 'denied'
    UNION ALL
    SELECT
        action_uid, worker, manifest_sha, time, instant, 'tokens', NULL,
        least(coalesce(tokens_in, 0), 1000000000000) + least(coalesce(tokens_out, 0), 1000000000000), coalesce(model, called)
    FROM bounded WHERE coalesce(tokens_in, 0) > 0 OR coalesce(tokens_out, 0) > 0
    UNION ALL
    SELECT
        action_uid, worker, manifest_sha, time, instant, 'destinations', lower(coalesce(dst_host, dst_ip)), 1,
        lower(coalesce(dst_host, dst_ip))
    FROM bounded WHERE category = 'proxy' AND coalesce(dst_host, dst_ip) IS NOT NULL
    UNION ALL
    SELECT b.action_uid, b.worker, b.manifest_sha, b.time, b.instant, 'secrets', s.thing, 1, s.thing
    FROM secrets AS s JOIN bounded AS b ON b.action_uid = s.action_uid
),
counted AS (
    -- the units that some window counts, once for each length
    SELECT u.*, n.per_seconds FROM units AS u JOIN lengths AS n ON n.worker = u.worker AND n.measure = u.measure
),
stays AS (
    -- each unit with whether it enters the window anew and leaves it for good: a thing stays while it comes again
    SELECT *, true AS enters_anew, true AS leaves FROM counted WHERE thing IS NULL
    UNION ALL
    SELECT
        *,
        coalesce(instant - lag(instant) OVER again >= per_seconds * 1000000, true),
        coalesce(lead(instant) OVER again - instant >= per_seconds * 1000000, true)
    FROM counted WHERE thing IS NOT NULL
    WINDOW again AS (PARTITION BY worker, measure, per_seconds, thing ORDER BY instant, action_uid)
),
steps AS (
    -- what enters the window with each unit, and leaves it when the window has moved on
    SELECT
        action_uid, worker, measure, manifest_sha, time, per_seconds, instant, 1 AS enters,
        CASE WHEN enters_anew THEN amount ELSE 0 END AS change
    FROM stays
    UNION ALL
    SELECT action_uid, worker, measure, manifest_sha, time, per_seconds, instant + per_seconds * 1000000, 0, -amount
    FROM stays WHERE leaves
),
levels AS (
    -- how much the window holds after each step (what leaves at an instant leaves before what enters)
    SELECT *, sum(change) OVER (
        PARTITION BY worker, measure, per_seconds ORDER BY instant, enters
        RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS held
    FROM steps
),
excesses AS (
    -- the actions with which a window held more than the manifest in force then allows, with the strictest limit
    SELECT * FROM (
        SELECT
            v.action_uid, v.worker, v.measure, v.per_seconds, v.instant, CAST(v.time AS DATE) AS day,
            CAST(v.held AS DOUBLE) AS held, b.at_most, b.file, b.line,
            row_number() OVER (
                PARTITION BY v.action_uid, v.measure, v.per_seconds ORDER BY b.at_most, b.file, b.line
            ) AS nth
        FROM levels AS v
        JOIN bounds AS b
            ON b.worker = v.worker AND b.measure = v.measure AND b.per_seconds = v.per_seconds
            AND b.manifest_sha = v.manifest_sha
        WHERE v.enters = 1 AND v.held > b.at_most
    ) AS bounded_levels WHERE nth = 1
),
excess_days AS (
    -- each day with an excess, once for each day that its windows may reach back to (a month at most)
    SELECT DISTINCT e.worker, e.measure, e.per_seconds, e.day, e.day - d.back AS reached
    FROM excesses AS e
    JOIN (
        VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18),
            (19), (20), (21), (22), (23), (24), (25), (26), (27), (28), (29), (30), (31)
    ) AS d(back) ON (d.back - 1) * 86400 < e.per_seconds
),
within_reach AS (
    -- the units of those days, each with the next excess of the day in question
    SELECT
        s.action_uid, s.worker, s.measure, s.per_seconds, s.instant, s.amount, s.called, r.day,
        min(e.instant) OVER (
            PARTITION BY s.worker, s.measure, s.per_seconds, r.day ORDER BY s.instant
            RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS next_excess
    FROM counted AS s
    JOIN excess_days AS r
        ON r.worker = s.worker AND r.measure = s.measure AND r.per_seconds = s.per_seconds
        AND r.reached = CAST(s.time AS DATE)
    LEFT JOIN excesses AS e
        ON e.action_uid = s.action_uid AND e.measure = s.measure AND e.per_seconds = s.per_seconds AND e.day = r.day
),
involved AS (
    -- the units in the exceeding windows of a worker's day
    SELECT * FROM within_reach WHERE instant > next_excess - per_seconds * 1000000
),
calls_of_day AS (
    -- what those units called or used, the most frequent first
    SELECT
        worker, measure, per_seconds, day, called,
        count(*) OVER (PARTITION BY worker, measure, per_seconds, day) AS different,
        row_number() OVER (PARTITION BY worker, measure, per_seconds, day ORDER BY sum(amount) DESC, called) AS nth
    FROM involved GROUP BY worker, measure, per_seconds, day, called
),
evidence AS (
    -- the actions behind those units, each once
    SELECT DISTINCT worker, measure, per_seconds, day, action_uid, amount FROM involved
),
certainty AS (
    -- how sure the attribution of those is, by what each adds
    SELECT
        e.worker, e.measure, e.per_seconds, e.day,
        round(sum(e.amount * coalesce(a.confidence, 1.0)) / sum(e.amount), 4) AS confidence
    FROM evidence AS e JOIN attributed AS a ON a.action_uid = e.action_uid
    GROUP BY e.worker, e.measure, e.per_seconds, e.day
),
worst AS (
    -- the excess of a worker's day that is the largest for its limit
    SELECT * FROM (
        SELECT *, row_number() OVER (
            PARTITION BY worker, measure, per_seconds, day
            ORDER BY CASE WHEN at_most > 0 THEN held / at_most ELSE held END DESC, instant, action_uid
        ) AS place
        FROM excesses
    ) AS ranked WHERE place = 1
),
worded AS (
    -- the same in words
    SELECT
        *,
        CASE
            WHEN per_seconds % 86400 = 0 THEN CAST(per_seconds // 86400 AS VARCHAR) || ' d'
            WHEN per_seconds % 3600 = 0 THEN CAST(per_seconds // 3600 AS VARCHAR) || ' h'
            WHEN per_seconds % 60 = 0 THEN CAST(per_seconds // 60 AS VARCHAR) || ' min'
            ELSE CAST(per_seconds AS VARCHAR) || ' s'
        END AS span,
        CASE measure WHEN 'calls' THEN 'made ' WHEN 'denied' THEN 'was denied ' WHEN 'destinations' THEN 'tried to reach '
                     WHEN 'secrets' THEN 'read ' ELSE 'used ' END AS did,
        CASE measure WHEN 'destinations' THEN ' hosts' WHEN 'secrets' THEN ' secrets' WHEN 'tokens' THEN ' tokens'
                     ELSE ' calls' END AS noun,
        CASE measure WHEN 'calls' THEN 'calls that no source logs' WHEN 'denied' THEN 'refusals that no source logs'
                     WHEN 'destinations' THEN 'connections that went through no proxy'
                     WHEN 'secrets' THEN 'secrets in stores that no source logs'
                     ELSE 'model calls whose log names no tokens' END AS unseen,
        CASE WHEN floor(at_most) = at_most THEN CAST(CAST(at_most AS BIGINT) AS VARCHAR)
             ELSE CAST(CAST(at_most AS DECIMAL(38, 2)) AS VARCHAR) END AS at_most_text,
        CASE WHEN at_most > 0 THEN CAST(CAST(held / at_most AS DECIMAL(38, 1)) AS VARCHAR) || ' times the allowed '
             ELSE 'more than the allowed ' END AS times
    FROM worst
)
SELECT
    a.worker,
    a.principal,
    x.measure || ' in ' || x.span AS entity,
    a.action_uid,
    a.time,
    a.chain_id,
    CASE WHEN x.measure = 'secrets' AND x.held > 5 * x.at_most THEN 'critical'
         WHEN x.measure = 'secrets' OR x.held > 5 * x.at_most THEN 'high' ELSE 'medium' END AS severity,
    c.confidence,
    a.worker || ' ' || x.did || CAST(CAST(x.held AS BIGINT) AS VARCHAR) || x.noun || ' in ' || x.span || ', ' || x.times
        || x.at_most_text || ', most often ' || substr(m.called, 1, 120) AS title,
    {
        'expected': x.measure || ' at most ' || x.at_most_text || ' in ' || x.span || ' (' || coalesce(x.file, 'manifest') || ':'
            || coalesce(CAST(x.line AS VARCHAR), '?') || ')',
        'seen': CAST(CAST(x.held AS BIGINT) AS VARCHAR) || x.noun || ' in ' || x.span,
        'unseen': x.unseen,
        'count': x.held,
        'at_most': x.at_most,
        'per_seconds': x.per_seconds,
        'passed_with': x.action_uid,
        'most': m.called,
        'different': m.different,
        'attribution': a.strength
    } AS explanation,
    a.manifest_sha,
    CAST(e.day AS TIMESTAMP) AS day
FROM evidence AS e
JOIN attributed AS a ON a.action_uid = e.action_uid
JOIN worded AS x ON x.worker = e.worker AND x.measure = e.measure AND x.per_seconds = e.per_seconds AND x.day = e.day
JOIN calls_of_day AS m
    ON m.worker = e.worker AND m.measure = e.measure AND m.per_seconds = e.per_seconds AND m.day = e.day AND m.nth = 1
JOIN certainty AS c ON c.worker = e.worker AND c.measure = e.measure AND c.per_seconds = e.per_seconds AND c.day = e.day
