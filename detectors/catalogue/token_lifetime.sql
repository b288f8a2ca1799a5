/*---
id: token_lifetime
version: 1
title: A credential that lives longer than the worker's may
description: >
  A credential that was issued to a worker expires later than its manifest's token_lifetime allows, a minute granted
  for rounding. Where no record says when it expires, how long it was seen in use is the least that it lived; keys
  that are meant to last (access keys, API tokens, certificates) are not judged by their use.
severity: medium
tags:
  - owasp.nhi7
  - owasp.nhi4
  - owasp.asi03
  - maestro.agent-identity-attack
  - nist.ai-rmf.measure-2.7
  - attack.t1550.001
  - attack.t1528
  - atlas.aml.t0091.000
look_alikes:
  - case: a credential that is renewed in time
    separated_by: every issue is judged by its own time and expiry
  - case: clocks and rounding
    separated_by: a minute is granted
  - case: a static key that is used for months
    separated_by: it has no expiry, and its use is not measured
  - case: refused tries with a credential that expired long ago
    separated_by: only uses that succeeded show that it lived
  - case: the name of a run, a trace or a connection, which looks like a credential that is used for days
    separated_by: it is no token
tests:
  - name: a session of twelve hours where one hour is allowed; key and session are one issue
    limits: [{measure: token_lifetime, at_most: 3600, line: 12}]
    manifest_versions: [{valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}]
    bindings: [{uid: "aws:key/ASIA1"}, {uid: "aws:session/AROA1:x@2026-03-02T10:00:00Z"}]
    grants:
      - {child_uid: "aws:key/ASIA1", action_uid: a1, principal: "aws:role/arn:aws:iam::1:role/w1", issued_at: 2026-03-02T10:00:00, expires_at: 2026-03-02T22:00:00}
      - {child_uid: "aws:session/AROA1:x@2026-03-02T10:00:00Z", action_uid: a1, principal: "aws:role/arn:aws:iam::1:role/w1", issued_at: 2026-03-02T10:00:00, expires_at: 2026-03-02T22:00:00}
    actions: [{time: 2026-03-02T10:00:00, api_operation: AssumeRole}]
    expected:
      - {worker: w1, severity: medium, entity: "aws:role/arn:aws:iam::1:role/w1", evidence: [a1], title: [w1, 12.0 h, 12.0 times the allowed 1.0 h], explanation: ["w1.yaml:12", "aws:key/ASIA1"]}
  - name: no record tells the expiry, but the token was used for five hours; a doubtful binding lowers
    limits: [{measure: token_lifetime, at_most: 3600}]
    actions:
      - {credential_uid: oauth:token/idp.example#t, principal: oauth:client/idp.example#c, time: 2026-03-02T20:00:00, strength: asserted, confidence: 0.8}
      - {credential_uid: oauth:token/idp.example#t, principal: oauth:client/idp.example#c, time: 2026-03-03T01:00:00, strength: asserted, confidence: 0.8}
    expected:
      - {worker: w1, severity: low, entity: oauth:client/idp.example#c, evidence: [a1, a2], title: [at least 5.0 h], explanation: [no record says when it expires, seen in use]}
  - name: two tokens of one client on one day; the longest is named
    limits: [{measure: token_lifetime, at_most: 1800}]
    manifest_versions: [{valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}]
    bindings: [{uid: oauth:token/i#1}, {uid: oauth:token/i#2}]
    grants:
      - {child_uid: oauth:token/i#1, action_uid: a1, principal: oauth:client/i#c, issued_at: 2026-03-02T10:00:00, expires_at: 2026-03-02T11:00:00}
      - {child_uid: oauth:token/i#2, action_uid: a2, principal: oauth:client/i#c, issued_at: 2026-03-02T11:00:00, expires_at: 2026-03-04T13:00:00}
    expected: [{worker: w1, severity: medium, entity: oauth:client/i#c, evidence: [a1, a2], title: [50.0 h]}]
  - name: exactly as long as allowed and a rounded second more, renewed in time; no limit; an earlier manifest had one
    limits:
      - {measure: token_lifetime, at_most: 3600}
      - {manifest_sha: sha-0, measure: token_lifetime, at_most: 60}
    manifest_versions:
      - {manifest_sha: sha-0, valid_from: 1900-01-01T00:00:00, valid_to: 2026-03-01T00:00:00}
      - {valid_from: 2026-03-01T00:00:00, valid_to: 2200-01-01T00:00:00}
    bindings: [{uid: vault:accessor/c/1}, {uid: oauth:token/i#2, worker: w2}]
    grants:
      - {child_uid: vault:accessor/c/1, action_uid: a1, issued_at: 2026-03-02T10:00:00, expires_at: 2026-03-02T11:00:00}
      - {child_uid: vault:accessor/c/1, action_uid: a2, issued_at: 2026-03-02T10:55:00, expires_at: 2026-03-02T11:55:01}
      - {child_uid: oauth:token/i#2, action_uid: a3, issued_at: 2026-03-02T11:00:00, expires_at: 2026-03-09T11:00:00}
    actions:
      - {credential_uid: vault:accessor/c/1, time: 2026-03-02T10:00:00}
      - {credential_uid: vault:accessor/c/1, time: 2026-03-02T11:50:00}
    expected: []
  - name: static keys, runs and refused tries say nothing of a token's life
    limits: [{measure: token_lifetime, at_most: 3600}]
    grants: [{child_uid: "aws:key/AKIA1", action_uid: a1, issued_at: 2026-03-01T10:00:00}]
    bindings: [{uid: "aws:key/AKIA1"}]
    actions:
      - {credential_uid: "aws:key/AKIA1", time: 2026-03-01T10:00:00}
      - {credential_uid: "aws:key/AKIA1", time: 2026-03-09T10:00:00}
      - {credential_uid: okta:token/org.example/1, time: 2026-03-01T10:00:00}
      - {credential_uid: okta:token/org.example/1, time: 2026-03-09T10:00:00}
      - {credential_uid: "github:run/corp/x#1", time: 2026-03-01T10:00:00}
      - {credential_uid: "github:run/corp/x#1", time: 2026-03-09T10:00:00}
      - {credential_uid: "aws:key/ASIA1", time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/ASIA1", time: 2026-03-02T10:30:00}
      - {credential_uid: "aws:key/ASIA1", time: 2026-03-02T15:00:00, status: failure}
    expected: []
  - name: another's use of a token that many present, and a token that expires in time though it is used later
    limits: [{measure: token_lifetime, at_most: 3600}]
    manifest_versions: [{valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}]
    bindings: [{uid: oauth:token/i#3}]
    grants: [{child_uid: oauth:token/i#3, action_uid: a1, issued_at: 2026-03-02T10:00:00, expires_at: 2026-03-02T10:30:00}]
    actions:
      - {credential_uid: oauth:token/i#3, time: 2026-03-02T10:00:00}
      - {credential_uid: oauth:token/i#3, time: 2026-03-02T14:00:00}
      - {worker: null, credential_uid: oauth:token/i#4, time: 2026-03-02T10:00:00}
      - {worker: null, credential_uid: oauth:token/i#4, time: 2026-03-02T18:00:00}
    expected: []
  - name: a client passed to another worker; each token is judged by whose the client was when it was issued
    limits: [{measure: token_lifetime, at_most: 3600}, {worker: w2, manifest_sha: sha-2, measure: token_lifetime, at_most: 7200}]
    manifest_versions:
      - {valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}
      - {worker: w2, manifest_sha: sha-2, valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}
    bindings:
      - {uid: oauth:token/i#1, valid_to: 2026-03-02T12:00:00}
      - {uid: oauth:token/i#1, valid_from: 2026-03-02T12:00:00, worker: w2}
      - {uid: oauth:token/i#2, valid_to: 2026-03-02T12:00:00}
      - {uid: oauth:token/i#2, valid_from: 2026-03-02T12:00:00, worker: w2}
    grants:
      - {child_uid: oauth:token/i#1, action_uid: a1, principal: oauth:client/i#c, issued_at: 2026-03-02T10:00:00, expires_at: 2026-03-02T12:00:00}
      - {child_uid: oauth:token/i#2, action_uid: a2, principal: oauth:client/i#c, issued_at: 2026-03-02T12:00:00, expires_at: 2026-03-02T14:00:00}
    expected: [{worker: w1, severity: medium, entity: oauth:client/i#c, evidence: [a1], title: [2.0 h]}]
---*/

WITH bounds AS (
    -- the strictest such limit of each manifest, in seconds
    SELECT * FROM (
        SELECT worker, manifest_sha, at_most, file, line,
            row_number() OVER (PARTITION BY manifest_sha ORDER BY at_most, line) AS nth
        FROM limits WHERE measure = 'token_lifetime'
    ) AS ordered WHERE nth = 1
),
issued AS (
    -- each issue of a credential with an expiry to a worker, by the manifest in force then
    SELECT
        b.worker, coalesce(g.principal, g.child_uid) AS entity, g.principal, g.child_uid AS credential, g.action_uid,
        g.issued_at AS begins, g.issued_at AS time, b.confidence, b.strength, v.manifest_sha, 'issue' AS basis,
        date_diff('microsecond', g.issued_at, g.expires_at) // 1000000 AS seconds
    FROM grants AS g
    JOIN bindings AS b ON b.uid = g.child_uid
        AND g.issued_at >= coalesce(b.valid_from, TIMESTAMP '1900-01-01')
        AND g.issued_at < coalesce(b.valid_to, TIMESTAMP '2200-01-01')
    JOIN manifest_versions AS v ON v.worker = b.worker AND g.issued_at >= v.valid_from AND g.issued_at < v.valid_to
    WHERE g.kind = 'issue' AND g.expires_at IS NOT NULL AND g.action_uid IS NOT NULL
),
told AS (
    -- credentials whose expiry some record tells
    SELECT DISTINCT child_uid FROM grants WHERE kind = 'issue' AND expires_at IS NOT NULL AND child_uid IS NOT NULL
),
uses AS (
    -- a worker's uses that succeeded, of credentials that are neither static nor the mere name of a run
    SELECT
        a.worker, a.credential_uid AS credential, a.action_uid, a.time, a.principal, a.manifest_sha, a.confidence, a.strength,
        row_number() OVER (PARTITION BY a.worker, a.credential_uid ORDER BY a.time, a.action_uid) AS nth,
        row_number() OVER (PARTITION BY a.worker, a.credential_uid ORDER BY a.time DESC, a.action_uid DESC) AS nth_last
    FROM attributed AS a
    LEFT JOIN told AS t ON t.child_uid = a.credential_uid
    WHERE a.worker IS NOT NULL AND a.status = 'success' AND t.child_uid IS NULL
        AND coalesce(a.identity_strength, 'proven') <> 'asserted'
        AND split_part(a.credential_uid, '/', 1) NOT IN ('trace:id', 'github:run', 'mcp:session')
        AND NOT (  -- the same beginnings as pipelines.identifiers.LONG_LIVED
            starts_with(a.credential_uid, 'aws:key/AKIA') OR starts_with(a.credential_uid, 'okta:token/')
            OR starts_with(a.credential_uid, 'gcp:key/') OR starts_with(a.credential_uid, 'litellm:key/')
            OR starts_with(a.credential_uid, 'github:token/') OR starts_with(a.credential_uid, 'x509:cert/')
        )
),
spans AS (
    -- the first use of each such credential, with how long after it the last one was
    SELECT
        f.worker, coalesce(f.principal, f.credential) AS entity, f.principal, f.credential, f.time AS begins, f.manifest_sha,
        f.action_uid AS first_uid, l.action_uid AS last_uid, f.time AS first_at, l.time AS last_at, f.confidence, f.strength,
        date_diff('microsecond', f.time, l.time) // 1000000 AS seconds
    FROM uses AS f
    JOIN uses AS l ON l.worker = f.worker AND l.credential = f.credential AND l.nth_last = 1
    WHERE f.nth = 1 AND l.time > f.time
),
lives AS (
    -- issues, and spans of use as two rows of evidence each
    SELECT worker, entity, principal, credential, action_uid, begins, time, confidence, strength, manifest_sha, basis, seconds
    FROM issued
    UNION ALL
    SELECT worker, entity, principal, credential, first_uid, begins, first_at, confidence, strength, manifest_sha, 'use', seconds
    FROM spans
    UNION ALL
    SELECT worker, entity, principal, credential, last_uid, begins, last_at, confidence, strength, manifest_sha, 'use', seconds
    FROM spans
),
too_long AS (
    -- those that are longer than the manifest allows, a minute granted for rounding and the moment that issuing takes
    SELECT l.*, CAST(l.begins AS DATE) AS day, b.at_most, b.file, b.line
    FROM lives AS l
    JOIN bounds AS b ON b.worker = l.worker AND b.manifest_sha = l.manifest_sha
    WHERE l.seconds > b.at_most + 60
),
counts AS (
    -- how many credentials of a principal's day are too long, key and session of one issue being one
    SELECT worker, entity, day, count(DISTINCT CASE basis WHEN 'use' THEN credential ELSE action_uid END) AS credentials
    FROM too_long GROUP BY worker, entity, day
),
longest AS (
    -- the longest of them, in words
    SELECT
        *,
        CASE WHEN basis = 'use' THEN 'at least ' ELSE '' END
            || CASE WHEN seconds < 600 THEN CAST(seconds AS VARCHAR) || ' s'
                    ELSE CAST(CAST(seconds / 3600.0 AS DECIMAL(38, 1)) AS VARCHAR) || ' h' END AS life,
        CASE WHEN at_most < 600 THEN CAST(CAST(at_most AS BIGINT) AS VARCHAR) || ' s'
             ELSE CAST(CAST(at_most / 3600.0 AS DECIMAL(38, 1)) AS VARCHAR) || ' h' END AS allowed,
        CASE WHEN at_most > 0 THEN CAST(CAST(seconds / at_most AS DECIMAL(38, 1)) AS VARCHAR) || ' times the allowed '
             ELSE 'more than the allowed ' END AS times
    FROM (
        SELECT *, row_number() OVER (
            PARTITION BY worker, entity, day ORDER BY seconds DESC, basis, begins, credential, action_uid
        ) AS nth
        FROM too_long
    ) AS ordered WHERE nth = 1
)
SELECT
    t.worker,
    t.principal,
    t.entity,
    t.action_uid,
    t.time,
    a.chain_id,
    'medium' AS severity,
    t.confidence,
    t.worker || ' had '
        || CASE n.credentials WHEN 1 THEN 'a credential' ELSE CAST(n.credentials AS VARCHAR) || ' credentials' END || ' of '
         || substr(t.entity, 1, 120) || ' that lived ' || x.life || ', ' || x.times || x.allowed AS title,
    {
        'expected': 'token_lifetime at most ' || x.allowed || ' (' || coalesce(x.file, 'manifest') || ':'
            || coalesce(CAST(x.line AS VARCHAR), '?') || ')',
        'seen': CASE x.basis WHEN 'use' THEN 'seen in use over ' ELSE 'issued for ' END || x.life,
        'unseen': CASE x.basis WHEN 'use'
                       THEN 'no record says when it expires; how long it was used is the least that it lived' END,
        'credential': x.credential,
        'begins': x.begins,
        'seconds': x.seconds,
        'at_most_seconds': x.at_most,
        'credentials': n.credentials,
        'attribution': t.strength
    } AS explanation,
    t.manifest_sha,
    CAST(t.day AS TIMESTAMP) AS day
FROM too_long AS t
JOIN counts AS n ON n.worker = t.worker AND n.entity = t.entity AND n.day = t.day
JOIN longest AS x ON x.worker = t.worker AND x.entity = t.entity AND x.day = t.day
LEFT JOIN attributed AS a ON a.action_uid = t.action_uid AND a.worker = t.worker
