/*---
id: wrong_starter
version: 2
title: A worker started another that it may not start
description: >
  A worker's credential goes back to another worker's, and `may_start` of that upper worker's manifest, in force at
  the time, does not list the lower one. The finding is the upper worker's; its evidence are the lower one's first
  actions, and the explanation names the record by which the credential passed.
severity: high
tags:
  - owasp.asi03
  - owasp.asi07
  - owasp.asi10
  - maestro.orchestration-attacks
  - maestro.lateral-movement
  - maestro.agent-identity-attack
  - nist.ai-rmf.measure-2.4
  - nist.ai-rmf.govern-2.1
  - attack.t1078.004
  - attack.t1550.001
  - atlas.aml.t0103
look_alikes:
  - case: an orchestrator whose job it is
    separated_by: its manifest's may_start
  - case: a worker that rotates keys made the static key that the other one uses
    separated_by: making a static key starts nobody; new_credential_or_policy judges it
  - case: a chain of three workers
    separated_by: each is held against the one right below it; a worker that starts one that starts a third starts only one
  - case: two workers that share an identity
    separated_by: a shared identity names no upper worker
  - case: may_start was widened later
    separated_by: the upper worker's version in force when the lower one acted
tests:
  - name: a worker takes on the role of another
    actions:
      - {credential_uid: "aws:key/ASIA2", bound_uid: "aws:key/ASIA2", worker: w2, manifest_sha: sha-2, chain_id: c-2, api_service: s3.amazonaws.com, api_operation: GetObject}
      - {credential_uid: "aws:key/ASIA2", bound_uid: "aws:key/ASIA2", worker: w2, manifest_sha: sha-2, chain_id: c-2}
    bindings:
      - uid: "aws:key/ASIA2"
        worker: w2
        via_workers: [w1]
        root_uid: "aws:user/arn:aws:iam::111122223333:user/w1"
        path:
          - {from: "aws:key/ASIA2", to: "aws:role/arn:aws:iam::111122223333:role/w2", mechanism: acts as, evidence: e1, strength: proven}
          - {from: "aws:key/ASIA2", to: "aws:key/AKIA1", mechanism: AssumeRole, evidence: e1, strength: proven}
          - {from: "aws:key/AKIA1", to: "aws:user/arn:aws:iam::111122223333:user/w1", mechanism: acts as, evidence: e1, strength: proven}
      - {uid: "aws:role/arn:aws:iam::111122223333:role/w2", worker: w2}
      - {uid: "aws:key/AKIA1"}
      - {uid: "aws:user/arn:aws:iam::111122223333:user/w1"}
    manifest_versions: [{valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}]
    may_start: [{starts: w3, line: 11}]
    expected:
      - {worker: w1, severity: high, entity: worker:id/w2, evidence: [a1, a2], title: [w1 started w2], explanation: ["w1.yaml:11", AssumeRole, e1, "aws:key/AKIA1", GetObject]}
  - name: a manifest that says nothing of it allows nobody; a doubtful upper end counts for less
    actions: [{session_uid: okta:session/org/s2, bound_uid: okta:session/org/s2, worker: w2, manifest_sha: sha-2, chain_id: c-2}]
    bindings:
      - {uid: okta:session/org/s2, worker: w2, via_workers: [w1], root_uid: x, path: [{from: okta:session/org/s2, to: oauth:token/i#1, mechanism: user.session.start, evidence: e1, strength: asserted}]}
      - {uid: oauth:token/i#1, strength: asserted, confidence: 0.8}
    manifest_versions: [{valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}]
    scope_lines: [{service: [s3.amazonaws.com]}]
    expected: [{worker: w1, severity: medium, entity: worker:id/w2, explanation: [w1.yaml, under 0.9]}]
  - name: of three in a row each is held against the one right below it
    actions: [{credential_uid: "aws:key/ASIA3", bound_uid: "aws:key/ASIA3", worker: w3, manifest_sha: sha-3, chain_id: c-3}]
    bindings:
      - {uid: "aws:key/ASIA3", worker: w3, via_workers: [w2, w1], root_uid: x, path: [{from: "aws:key/ASIA3", to: "aws:key/ASIA2", mechanism: AssumeRole, evidence: e1, strength: proven}]}
      - {uid: "aws:key/ASIA2", worker: w2}
    manifest_versions:
      - {valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}
      - {worker: w2, manifest_sha: sha-2, valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}
    expected: [{worker: w2, severity: high, entity: worker:id/w3}]
  - name: an orchestrator whose may_start lists it
    actions: [{credential_uid: "aws:key/ASIA2", bound_uid: "aws:key/ASIA2", worker: w2, manifest_sha: sha-2}]
    bindings:
      - {uid: "aws:key/ASIA2", worker: w2, via_workers: [w1], root_uid: x, path: [{from: "aws:key/ASIA2", to: "aws:key/AKIA1", mechanism: AssumeRole, evidence: e1, strength: proven}]}
      - {uid: "aws:key/AKIA1"}
    manifest_versions: [{valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}]
    may_start: [{starts: w2}]
    expected: []
  - name: may_start was narrowed later; the version of the time decides
    actions: [{credential_uid: "aws:key/ASIA2", bound_uid: "aws:key/ASIA2", worker: w2, manifest_sha: sha-2, time: 2026-03-02T10:00:00}]
    bindings:
      - {uid: "aws:key/ASIA2", worker: w2, via_workers: [w1], root_uid: x, path: [{from: "aws:key/ASIA2", to: "aws:key/AKIA1", mechanism: AssumeRole, evidence: e1, strength: proven}]}
      - {uid: "aws:key/AKIA1"}
    manifest_versions:
      - {valid_from: 1900-01-01T00:00:00, valid_to: 2026-03-02T12:00:00}
      - {manifest_sha: sha-new, valid_from: 2026-03-02T12:00:00, valid_to: 2200-01-01T00:00:00}
    may_start: [{starts: w2}]
    expected: []
  - name: a static key that the upper worker once made
    actions:
      - {credential_uid: "aws:key/AKIA2", bound_uid: "aws:key/AKIA2", worker: w2, manifest_sha: sha-2}
      - {credential_uid: "aws:key/ASIA2", bound_uid: "aws:key/ASIA2", worker: w2, manifest_sha: sha-2}
    bindings:
      - {uid: "aws:key/AKIA2", worker: w2, via_workers: [w1], root_uid: x, path: [{from: "aws:key/AKIA2", to: "aws:key/AKIA1", mechanism: CreateAccessKey, evidence: e1, strength: asserted}]}
      - uid: "aws:key/ASIA2"
        worker: w2
        via_workers: [w1]
        root_uid: x
        path:
          - {from: "aws:key/ASIA2", to: "aws:key/AKIA2", mechanism: GetSessionToken, evidence: e2, strength: proven}
          - {from: "aws:key/AKIA2", to: "aws:key/AKIA1", mechanism: CreateAccessKey, evidence: e1, strength: asserted}
      - {uid: "aws:key/AKIA1"}
    manifest_versions: [{valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}]
    expected: []
  - name: a worker without any other above it
    actions: [{credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1"}]
    bindings: [{uid: "aws:key/ASIA1", via_workers: [], root_uid: "aws:user/u"}]
    manifest_versions: [{valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}]
    expected: []
  - name: the upper key was the lower worker's own at first, and passed to another worker later
    actions:
      - {credential_uid: "aws:key/ASIA2", bound_uid: "aws:key/ASIA2", worker: w2, manifest_sha: sha-2, chain_id: c-2, time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/ASIA2", bound_uid: "aws:key/ASIA2", worker: w2, manifest_sha: sha-2, chain_id: c-2, time: 2026-03-02T12:00:00}
    bindings:
      - {uid: "aws:key/ASIA2", worker: w2, valid_to: 2026-03-02T11:00:00, via_workers: [w0], root_uid: x, path: [{from: "aws:key/ASIA2", to: "aws:key/ASIA1", mechanism: AssumeRole, evidence: e1, strength: proven}, {from: "aws:key/ASIA1", to: "aws:key/ASIA0", mechanism: AssumeRole, evidence: e0, strength: proven}]}
      - {uid: "aws:key/ASIA2", worker: w2, valid_from: 2026-03-02T11:00:00, via_workers: [w1, w0], root_uid: x, path: [{from: "aws:key/ASIA2", to: "aws:key/ASIA1", mechanism: AssumeRole, evidence: e1, strength: proven}, {from: "aws:key/ASIA1", to: "aws:key/ASIA0", mechanism: AssumeRole, evidence: e0, strength: proven}]}
      - {uid: "aws:key/ASIA1", worker: w2, valid_to: 2026-03-02T11:00:00}
      - {uid: "aws:key/ASIA1", worker: w1, valid_from: 2026-03-02T11:00:00, strength: asserted, confidence: 0.8}
      - {uid: "aws:key/ASIA0", worker: w0}
    manifest_versions:
      - {valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}
      - {worker: w0, manifest_sha: sha-0, valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}
    expected:
      - {worker: w0, severity: high, entity: worker:id/w2, evidence: [a1], explanation: ["aws:key/ASIA0"]}
      - {worker: w1, severity: medium, entity: worker:id/w2, evidence: [a2], explanation: ["aws:key/ASIA1", under 0.9]}
---*/

WITH started AS (
    -- bindings of one worker that go back to another's, which is the nearest above it
    SELECT
        uid, coalesce(valid_from, TIMESTAMP '0001-01-01') AS since, coalesce(valid_to, TIMESTAMP '9999-12-31') AS until,
        worker, via_workers[1] AS upper_worker, root_uid, hops, path
    FROM bindings
    WHERE worker IS NOT NULL AND array_length(via_workers) > 0
),
hop_rows AS (
    -- the issuing hops of their ways to the root
    SELECT
        uid, since, worker, upper_worker, hop."from" AS child, hop.to AS parent, hop.mechanism AS mechanism,
        hop.evidence AS evidence
    FROM (SELECT uid, since, worker, upper_worker, unnest(path) AS hop FROM started) AS unnested
    WHERE hop.mechanism NOT IN ('acts as', 'acts in')
),
owned AS (
    -- whose the names on those ways are when each begins: where an upper one passes on, another way begins
    SELECT n.since, b.uid AS name, b.worker, b.confidence
    FROM bindings AS b
    JOIN (SELECT since, child AS name FROM hop_rows UNION SELECT since, parent FROM hop_rows) AS n
        ON n.name = b.uid
        AND n.since >= coalesce(b.valid_from, TIMESTAMP '0001-01-01') AND n.since < coalesce(b.valid_to, TIMESTAMP '9999-12-31')
    WHERE b.worker IS NOT NULL
),
passed AS (
    -- the hop at which each way passes from the worker to the upper one; a static key that was made starts nobody
    SELECT * FROM (
        SELECT
            h.*, above.confidence,
            h.child LIKE 'aws:key/AKIA%' OR h.child LIKE 'okta:token/%' OR h.child LIKE 'gcp:key/%'
                OR h.child LIKE 'litellm:key/%' OR h.child LIKE 'github:token/%' OR h.child LIKE 'x509:cert/%' AS is_static,
            row_number() OVER (PARTITION BY h.uid, h.since ORDER BY h.child, h.parent, h.mechanism) AS nth
        FROM hop_rows AS h
        JOIN owned AS below ON below.name = h.child AND below.worker = h.worker AND below.since = h.since
        JOIN owned AS above ON above.name = h.parent AND above.worker = h.upper_worker AND above.since = h.since
    ) AS ordered
    WHERE nth = 1 AND NOT is_static
),
acted AS (
    -- what the lower worker did with such a credential, with the upper one's manifest of that time
    SELECT
        a.action_uid, a.time, a.chain_id, a.confidence, a.strength, a.status, a.api_service, a.api_operation, a.dst_host,
        a.worker, s.upper_worker, v.manifest_sha, s.root_uid, s.hops,
        p.child, p.parent, p.mechanism, p.evidence, p.confidence AS upper_confidence,
        row_number() OVER (
            PARTITION BY s.upper_worker, a.worker, a.chain_id, CAST(a.time AS DATE) ORDER BY a.time, a.action_uid
        ) AS nth
    FROM attributed AS a
    JOIN started AS s ON s.uid = a.bound_uid AND s.worker = a.worker AND a.time >= s.since AND a.time < s.until
    JOIN passed AS p ON p.uid = s.uid AND p.since = s.since
    JOIN manifest_versions AS v
        ON v.worker = s.upper_worker AND a.time >= v.valid_from AND a.time < v.valid_to
    LEFT JOIN may_start AS m
        ON m.worker = s.upper_worker AND m.manifest_sha = v.manifest_sha AND m.starts = a.worker
    WHERE m.worker IS NULL
),
listed AS (
    -- whom else the upper worker may start, and where that stands
    SELECT worker, manifest_sha, min(file) AS file, min(line) AS line, array_sort(list(DISTINCT starts)) AS others
    FROM may_start GROUP BY worker, manifest_sha
),
files AS (
    -- the file of each version of a manifest
    SELECT worker, manifest_sha, min(file) AS file FROM scope_lines GROUP BY worker, manifest_sha
)
SELECT
    a.upper_worker AS worker,
    a.parent AS principal,
    'worker:id/' || a.worker AS entity,
    a.action_uid,
    a.time,
    a.chain_id,
    'high' AS severity,
    least(a.confidence, coalesce(a.upper_confidence, a.confidence)) AS confidence,
    a.upper_worker || ' started ' || a.worker || ' by ' || a.mechanism || ', which it may not' AS title,
    {
        'expected': CASE
            WHEN l.worker IS NULL THEN 'nobody: ' || coalesce(f.file, 'the manifest') || ' has no may_start'
            ELSE 'only ' || array_to_string(l.others, ', ') || ', by ' || coalesce(l.file, 'the manifest') || ':'
                || coalesce(CAST(l.line AS VARCHAR), '?')
        END,
        'seen': 'the first actions of ' || a.worker || ' began with '
            || coalesce(a.api_service || ' ' || a.api_operation, a.dst_host, 'a call') || ' (' || a.status || ')',
        'started_worker': a.worker,
        'issued_by': a.parent,
        'issued_to': a.child,
        'mechanism': a.mechanism,
        'evidence': a.evidence,
        'root': a.root_uid,
        'hops': a.hops,
        'attribution': a.strength
    } AS explanation,
    a.manifest_sha
FROM acted AS a
LEFT JOIN listed AS l ON l.worker = a.upper_worker AND l.manifest_sha = a.manifest_sha
LEFT JOIN files AS f ON f.worker = a.upper_worker AND f.manifest_sha = a.manifest_sha
-- ten actions show well enough what a chain was started for
WHERE a.nth <= 10
