/*---
id: chain_too_deep
version: 2
title: A chain of credentials longer than the worker's limit
description: >
  Between the root and the credential that acted lie more issuing grants than the limit `hops` of the manifest in
  force allows: keys that took on roles that took on further roles, tokens exchanged for tokens.
severity: medium
tags:
  - owasp.asi03
  - owasp.asi07
  - maestro.privilege-escalation
  - maestro.lateral-movement
  - nist.ai-rmf.measure-2.4
  - nist.ai-rmf.measure-2.8
  - attack.t1548.005
  - attack.t1550.001
  - atlas.aml.t0091.000
look_alikes:
  - case: a hub-and-spoke deployer that goes through one role more than others
    separated_by: its own limit, in its manifest
  - case: many keys of one session, or a key that is used all day
    separated_by: only issuing grants count; what a record says of itself (a key acts as a role) is no hop
  - case: a worker that another worker's chain reached, each being short by itself
    separated_by: the walk goes on to the root, through every worker; the limit is that of the one who acts
  - case: a manifest that came into force later allows more, or less
    separated_by: the version in force when the action happened
tests:
  - name: five hops where three are allowed, all of one day in one finding
    actions:
      - {credential_uid: "aws:key/ASIA5", bound_uid: "aws:key/ASIA5", api_service: s3.amazonaws.com, api_operation: GetObject}
      - {credential_uid: "aws:key/ASIA6", bound_uid: "aws:key/ASIA6", api_service: s3.amazonaws.com, api_operation: PutObject}
    bindings:
      - {uid: "aws:key/ASIA5", hops: 5, root_uid: "aws:user/arn:aws:iam::111122223333:user/ci"}
      - {uid: "aws:key/ASIA6", hops: 4, root_uid: "aws:user/arn:aws:iam::111122223333:user/ci"}
    limits: [{measure: hops, at_most: 3, line: 21}]
    expected:
      - {worker: w1, severity: medium, entity: "aws:role/arn:aws:iam::111122223333:role/w1", evidence: [a1, a2], title: [w1 acted, 5 hops, at most 3, "aws:user/arn:aws:iam::111122223333:user/ci"], explanation: ["w1.yaml:21", GetObject]}
  - name: a chain that crosses accounts on the way
    actions: [{credential_uid: "aws:key/ASIA2", bound_uid: "aws:key/ASIA2"}]
    bindings:
      - uid: "aws:key/ASIA2"
        hops: 2
        root_uid: "aws:user/arn:aws:iam::444455556666:user/ci"
        path:
          - {from: "aws:key/ASIA2", to: "aws:key/ASIA1", mechanism: AssumeRole, evidence: e1, strength: proven}
          - {from: "aws:key/ASIA1", to: "aws:user/arn:aws:iam::444455556666:user/ci", mechanism: acts as, evidence: e2, strength: proven}
    limits: [{measure: hops, at_most: 1}]
    expected: [{worker: w1, severity: high, entity: "aws:role/arn:aws:iam::111122223333:role/w1", explanation: ["444455556666", AssumeRole]}]
  - name: the account that is crossed shows only in what a key on the way acts as
    actions: [{principal: "aws:role/arn:aws:iam::444455556666:role/target", credential_uid: "aws:key/ASIA2", bound_uid: "aws:key/ASIA2"}]
    bindings:
      - uid: "aws:key/ASIA2"
        hops: 2
        root_uid: "oidc:subject/idp.example#w1"
        path:
          - {from: "aws:key/ASIA2", to: "aws:key/ASIA1", mechanism: AssumeRole, evidence: e1, strength: proven}
          - {from: "aws:key/ASIA1", to: "oidc:subject/idp.example#w1", mechanism: AssumeRoleWithWebIdentity, evidence: e2, strength: proven}
    grants: [{child_uid: "aws:key/ASIA1", parent_uid: "oidc:subject/idp.example#w1", principal: "aws:role/arn:aws:iam::111122223333:role/w1"}]
    limits: [{measure: hops, at_most: 1}]
    expected: [{worker: w1, severity: high, entity: "aws:role/arn:aws:iam::444455556666:role/target", explanation: ["111122223333"]}]
  - name: the top is a credential that nobody is known to have issued, so there may be more
    actions: [{session_uid: "aws:session/A:x@t", bound_uid: "aws:session/A:x@t", status: denied}]
    bindings: [{uid: "aws:session/A:x@t", hops: 3, root_uid: "aws:key/ASIA0"}]
    limits: [{measure: hops, at_most: 2}]
    expected: [{worker: w1, severity: low, entity: "aws:role/arn:aws:iam::111122223333:role/w1", title: [w1 tried to act], explanation: [no record tells who issued]}]
  - name: evidence that runs in a circle has no number of hops
    actions: [{credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1"}]
    bindings: [{uid: "aws:key/ASIA1", hops: 1048576, root_uid: "aws:key/ASIA0"}]
    limits: [{measure: hops, at_most: 2}]
    expected: [{worker: w1, severity: medium, entity: "aws:role/arn:aws:iam::111122223333:role/w1", title: [more than 64 hops]}]
  - name: a doubtful attribution counts for less
    actions: [{credential_uid: "aws:key/ASIA5", bound_uid: "aws:key/ASIA5", strength: asserted, confidence: 0.8}]
    bindings: [{uid: "aws:key/ASIA5", hops: 5, root_uid: "aws:service/ec2.amazonaws.com"}]
    limits: [{measure: hops, at_most: 3}]
    expected: [{worker: w1, severity: low, entity: "aws:role/arn:aws:iam::111122223333:role/w1", explanation: [under 0.9]}]
  - name: as many hops as allowed; a worker without a limit
    actions:
      - {credential_uid: "aws:key/ASIA3", bound_uid: "aws:key/ASIA3"}
      - {credential_uid: "aws:key/ASIA9", bound_uid: "aws:key/ASIA9", worker: w2, manifest_sha: sha-2}
    bindings:
      - {uid: "aws:key/ASIA3", hops: 3, root_uid: "aws:user/u"}
      - {uid: "aws:key/ASIA9", hops: 9, root_uid: "aws:user/u", worker: w2}
    limits: [{measure: hops, at_most: 3}, {measure: calls, at_most: 1, per_seconds: 3600}]
    expected: []
  - name: the version in force at the time decides
    actions: [{credential_uid: "aws:key/ASIA3", bound_uid: "aws:key/ASIA3", manifest_sha: sha-new}]
    bindings: [{uid: "aws:key/ASIA3", hops: 3, root_uid: "aws:user/u"}]
    limits: [{measure: hops, at_most: 2, manifest_sha: sha-old}, {measure: hops, at_most: 3, manifest_sha: sha-new}]
    expected: []
  - name: the name was bound over another interval, and to a shorter chain at the time
    actions: [{principal: "net:addr/egress/10.0.0.1", bound_uid: "net:addr/egress/10.0.0.1", time: 2026-03-02T12:00:00}]
    bindings:
      - {uid: "net:addr/egress/10.0.0.1", hops: 9, root_uid: "aws:user/u", valid_to: 2026-03-02T11:00:00}
      - {uid: "net:addr/egress/10.0.0.1", hops: 1, root_uid: "aws:user/u", valid_from: 2026-03-02T11:00:00}
    limits: [{measure: hops, at_most: 2}]
    expected: []
  - name: the role passed to another worker, and only its former way crossed accounts
    actions:
      - {credential_uid: "aws:key/AKIA2", bound_uid: "aws:key/AKIA2", time: 2026-03-02T10:00:00}
      - {worker: w2, manifest_sha: sha-2, credential_uid: "aws:key/AKIA2", bound_uid: "aws:key/AKIA2", time: 2026-03-02T12:00:00}
    bindings:
      - uid: "aws:key/AKIA2"
        valid_to: 2026-03-02T11:00:00
        hops: 2
        root_uid: "aws:user/arn:aws:iam::444455556666:user/ci"
        path: [{from: "aws:key/AKIA2", to: "aws:user/arn:aws:iam::444455556666:user/ci", mechanism: AssumeRole, evidence: e1, strength: proven}]
      - uid: "aws:key/AKIA2"
        worker: w2
        valid_from: 2026-03-02T11:00:00
        hops: 2
        root_uid: "aws:user/arn:aws:iam::111122223333:user/ci"
        path: [{from: "aws:key/AKIA2", to: "aws:user/arn:aws:iam::111122223333:user/ci", mechanism: AssumeRole, evidence: e2, strength: proven}]
    limits: [{measure: hops, at_most: 1}, {worker: w2, manifest_sha: sha-2, measure: hops, at_most: 1}]
    expected:
      - {worker: w1, severity: high, entity: "aws:role/arn:aws:iam::111122223333:role/w1", evidence: [a1], explanation: ["444455556666"]}
      - {worker: w2, severity: medium, entity: "aws:role/arn:aws:iam::111122223333:role/w1", evidence: [a2]}
---*/

WITH bounds AS (
    -- each worker's limit; of several lines the strictest
    SELECT worker, manifest_sha, at_most, file, line FROM (
        SELECT *, row_number() OVER (PARTITION BY worker, manifest_sha ORDER BY at_most, line) AS nth
        FROM limits WHERE measure = 'hops'
    ) AS ordered WHERE nth = 1
),
deep AS (
    -- actions whose chain is longer than that
    SELECT
        a.action_uid, a.worker, a.principal, a.time, a.chain_id, a.confidence, a.strength, a.status, a.manifest_sha,
        a.api_service, a.api_operation, a.dst_host, a.bound_uid, a.credential_uid,
        coalesce(b.valid_from, TIMESTAMP '0001-01-01') AS since, b.hops, b.root_uid, b.path, l.at_most, l.file, l.line,
        a.status IN ('failure', 'denied') AS tried
    FROM attributed AS a
    JOIN bindings AS b
        ON b.uid = a.bound_uid AND b.worker = a.worker
        AND a.time >= coalesce(b.valid_from, TIMESTAMP '0001-01-01') AND a.time < coalesce(b.valid_to, TIMESTAMP '9999-12-31')
    JOIN bounds AS l ON l.worker = a.worker AND l.manifest_sha = a.manifest_sha
    WHERE b.hops > l.at_most
),
passed AS (
    -- the names on the way of each such chain
    SELECT uid, since, hop.to AS name
    FROM (
        SELECT bound_uid AS uid, since, unnest(path) AS hop
        FROM (SELECT DISTINCT bound_uid, since, path FROM deep) AS ways
    ) AS hops
    UNION
    SELECT bound_uid, since, principal FROM deep WHERE principal IS NOT NULL
    UNION
    SELECT bound_uid, since, root_uid FROM deep
),
crossings AS (
    -- the AWS accounts on that way: of its principals, and of those that its keys and sessions act as
    SELECT uid, since, array_sort(list(DISTINCT account)) AS accounts
    FROM (
        SELECT uid, since, regexp_extract(name, ':([0-9]{12}):', 1) AS account FROM passed
        UNION ALL
        SELECT p.uid, p.since, regexp_extract(g.principal, ':([0-9]{12}):', 1) AS account
        FROM passed AS p
        JOIN grants AS g ON g.child_uid = p.name
        WHERE g.kind = 'issue' AND g.principal IS NOT NULL
    ) AS met
    WHERE account <> ''
    GROUP BY uid, since
),
worded AS (
    -- the same with the words for the number of hops: a path is kept up to 64, and a circle has no number
    SELECT
        d.*, c.accounts, coalesce(array_length(c.accounts), 0) > 1 AS is_crossing,
        CASE WHEN d.hops > 64 THEN 'more than 64' ELSE CAST(d.hops AS VARCHAR) END AS hops_text,
        split_part(d.root_uid, '/', 1) IN (
            'aws:key', 'aws:session', 'oauth:token', 'okta:session', 'okta:token', 'saml:assertion', 'gcp:key',
            'azure:token', 'k8s:token', 'vault:accessor', 'vault:lease', 'github:token', 'x509:cert', 'mcp:session'
        ) AS is_open
    FROM deep AS d
    LEFT JOIN crossings AS c ON c.uid = d.bound_uid AND c.since = d.since
)
SELECT
    worker,
    principal,
    coalesce(principal, bound_uid) AS entity,
    action_uid,
    time,
    chain_id,
    CASE WHEN is_crossing AND NOT tried THEN 'high' WHEN is_crossing OR NOT tried THEN 'medium' ELSE 'low' END AS severity,
    confidence,
    worker || CASE WHEN tried THEN ' tried to act ' ELSE ' acted ' END || 'as ' || coalesce(principal, bound_uid) || ', '
        || hops_text || ' hops from ' || root_uid || ', where at most ' || CAST(CAST(at_most AS BIGINT) AS VARCHAR)
        || ' are allowed' AS title,
    {
        'expected': 'at most ' || CAST(CAST(at_most AS BIGINT) AS VARCHAR) || ' hops, by ' || coalesce(file, 'the manifest')
            || ':' || coalesce(CAST(line AS VARCHAR), '?'),
        'seen': hops_text || ' hops, for ' || coalesce(api_service || ' ' || api_operation, dst_host, 'a call')
            || ' (' || status || ')',
        'hops': CASE WHEN hops <= 64 THEN hops END,
        'root': root_uid,
        'path': path,
        'accounts': accounts,
        'credential': credential_uid,
        'unseen': CASE WHEN is_open THEN 'no record tells who issued ' || root_uid || ': the chain may be longer' END,
        'attribution': strength
    } AS explanation,
    manifest_sha
FROM worded
