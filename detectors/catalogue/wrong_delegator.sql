/*---
id: wrong_delegator
version: 2
title: A worker acted for somebody who may not send it, or for nobody
description: >
  The person or principal on whose behalf the worker acted matches no pattern of `delegators` of the manifest in
  force. Or a worker of mode `delegated` took out a token, or used one, that was issued for nobody but the worker
  itself. Patterns and names of different systems cannot be compared, and where the log could not show a delegator
  nothing is judged.
severity: high
tags:
  - owasp.asi03
  - owasp.asi07
  - owasp.asi09
  - maestro.agent-identity-attack
  - maestro.privilege-escalation
  - nist.ai-rmf.govern-3.2
  - nist.ai-rmf.map-3.5
  - attack.t1199
  - attack.t1550.001
  - atlas.aml.t0091.000
look_alikes:
  - case: a job that a worker runs on its own authority
    separated_by: mode own, in its manifest
  - case: a delegator written by the caller (a source identity)
    separated_by: one step lower, since anybody could have written it
  - case: the same person under the name of another system (an Okta user, where patterns name mail addresses)
    separated_by: names are compared with patterns of their own kind only
  - case: AWS calls in a session whose records carry no source identity
    separated_by: such a record could not have shown a delegator; only tokens and their grants are judged
  - case: a refused token request, which names no user
    separated_by: only grants that succeeded are judged for want of a delegator
tests:
  - name: a token on behalf of a user of another organisation
    actions:
      - {category: token, principal: oauth:client/org.example#0oa1, api_service: okta, api_operation: app.oauth2.as.token.grant.access_token, obtains: self, delegator: okta:user/evil.example/00u9, delegator_strength: proven}
    delegators: [{pattern: "okta:user/org.example/*", line: 17}, {pattern: "mail:addr/*@corp.example", line: 17, ordinal: 1}]
    expected: [{worker: w1, severity: high, entity: okta:user/evil.example/00u9, evidence: [a1], title: [w1 acted for okta:user/evil.example/00u9], explanation: ["w1.yaml:17"]}]
  - name: a source identity that the caller wrote, on an attempt
    actions:
      - {delegator: "mail:addr/eve@evil.example", delegator_strength: asserted, api_service: s3.amazonaws.com, api_operation: GetObject}
      - {delegator: "mail:addr/mallory@evil.example", delegator_strength: asserted, status: denied}
      - {format: cloudtrail, delegator: "mail:addr/trudy@evil.example", delegator_strength: proven}
    delegators: [{pattern: "mail:addr/*@corp.example"}]
    expected:
      - {worker: w1, severity: medium, entity: "mail:addr/eve@evil.example", explanation: [asserted]}
      - {worker: w1, severity: low, entity: "mail:addr/mallory@evil.example", title: [tried to act]}
      - {worker: w1, severity: medium, entity: "mail:addr/trudy@evil.example"}
  - name: a delegated worker takes out a token for itself, and uses one
    actions:
      - {category: token, principal: oauth:client/org.example#0oa1, api_service: okta, api_operation: app.oauth2.as.token.grant.access_token, obtains: self}
      - {category: tool, principal: oauth:client/org.example#0oa1, credential_uid: oauth:token/org.example#AT1, bound_uid: oauth:token/org.example#AT1, api_service: mcp, api_operation: tools/call}
    grants: [{child_uid: oauth:token/org.example#AT1, parent_uid: oauth:client/org.example#0oa1, mechanism: app.oauth2.token.grant.access_token}]
    manifest_versions: [{mode: delegated}]
    scope_lines: [{service: [s3.amazonaws.com]}]
    expected: [{worker: w1, severity: high, entity: oauth:client/org.example#0oa1, evidence: [a1, a2], title: [w1 acted for nobody], explanation: [delegated, w1.yaml]}]
  - name: delegators that may send it
    actions:
      - {category: token, principal: oauth:client/org.example#0oa1, api_service: okta, api_operation: app.oauth2.as.token.grant.access_token, obtains: self, delegator: okta:user/org.example/00u9, delegator_strength: proven}
      - {delegator: "mail:addr/ana@corp.example", delegator_strength: asserted}
    delegators: [{pattern: "okta:user/org.example/*"}, {pattern: "mail:addr/*@corp.example", ordinal: 1}]
    manifest_versions: [{mode: delegated}]
    expected: []
  - name: names of a system that no pattern speaks of
    actions: [{delegator: "aws:principal/u-1", delegator_strength: proven}]
    delegators: [{pattern: "mail:addr/*@corp.example"}]
    expected: []
  - name: a pattern of every system speaks of each
    actions: [{delegator: "aws:principal/u-1", delegator_strength: proven}]
    delegators: [{pattern: "*/ana"}]
    expected: [{worker: w1, severity: high, entity: "aws:principal/u-1"}]
  - name: records that could not have shown a delegator
    actions:
      - {credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1", api_service: s3.amazonaws.com, api_operation: GetObject}
      - {category: proxy, principal: proxy:user/egress/w1}
      - {category: token, principal: oauth:client/org.example#0oa1, api_service: okta, api_operation: app.oauth2.as.token.grant, obtains: self, status: failure}
    grants: [{child_uid: "aws:key/ASIA1", mechanism: AssumeRoleWithWebIdentity}]
    manifest_versions: [{mode: delegated}]
    expected: []
  - name: a worker on its own authority takes tokens for itself
    actions: [{category: token, principal: oauth:client/org.example#0oa1, api_service: okta, api_operation: app.oauth2.as.token.grant.access_token, obtains: self}]
    manifest_versions: [{mode: own}]
    expected: []
  - name: people act for others, and are no workers
    actions: [{worker: null, delegator: "mail:addr/eve@evil.example", delegator_strength: asserted}]
    delegators: [{pattern: "mail:addr/*@corp.example"}]
    expected: []
---*/

WITH sent AS (
    -- each worker's delegators, with the kind of their names
    SELECT DISTINCT worker, manifest_sha, delegator, split_part(delegator, '/', 1) AS kind
    FROM attributed WHERE worker IS NOT NULL AND delegator IS NOT NULL
),
patterns AS (
    -- what manifests allow, with the kind that each pattern speaks of; null is every kind
    -- a pattern with stars within is matched as a regular expression, since LIKE may take for ever (detectors/glob.py)
    SELECT
        worker, manifest_sha, pattern, file, line,
        CASE WHEN NOT regexp_matches(split_part(pattern, '/', 1), '[%_]') THEN split_part(pattern, '/', 1) END AS kind,
        CASE WHEN regexp_matches(pattern, '((?s)^(?:[^\\%]|\\.)*%.*%[^%])') THEN '^(?s)(\Q' || replace(replace(replace(replace(replace(
            pattern, '\\', '\E\x5c\Q'), '\%', '\E\x25\Q'), '\_', '\E\x5f\Q'), '%', '\E.*\Q'), '_', '\E.\Q') || '\E)\z'
            END AS expression
    FROM delegators
),
comparable AS (
    -- delegators for whose kind there is a pattern, with whether one matches
    SELECT
        s.worker, s.manifest_sha, s.delegator, count(*) AS patterns, min(p.file) AS file, min(p.line) AS line,
        bool_or(CASE WHEN p.expression IS NULL THEN s.delegator LIKE p.pattern ESCAPE '\' ELSE regexp_matches(s.delegator, p.expression) END) AS fits
    FROM sent AS s
    JOIN patterns AS p ON p.worker = s.worker AND p.manifest_sha = s.manifest_sha AND coalesce(p.kind, s.kind) = s.kind
    GROUP BY s.worker, s.manifest_sha, s.delegator
),
delegated AS (
    -- versions of manifests under which the worker needs a delegator
    SELECT DISTINCT v.worker, v.manifest_sha, f.file
    FROM manifest_versions AS v
    LEFT JOIN (SELECT worker, manifest_sha, min(file) AS file FROM scope_lines GROUP BY worker, manifest_sha) AS f
        ON f.worker = v.worker AND f.manifest_sha = v.manifest_sha
    WHERE v.mode = 'delegated'
),
tokens_for_nobody AS (
    -- tokens whose grants, which would have named the user, name none
    SELECT child_uid AS uid
    FROM grants
    WHERE kind = 'issue' AND child_uid LIKE 'oauth:token/%'
    GROUP BY child_uid HAVING count(delegator) = 0
),
wrong AS (
    -- acts for somebody who may not send the worker
    SELECT
        a.action_uid, c.file, c.line, c.patterns,
        -- CloudTrail's mail addresses are source identities, which the first caller of a chain writes himself
        CASE WHEN a.delegator_strength <> 'proven' OR (a.format = 'cloudtrail' AND a.delegator LIKE 'mail:addr/%')
             THEN 'asserted' ELSE coalesce(a.delegator_strength, 'asserted') END AS named,
        'wrong' AS fault
    FROM attributed AS a
    JOIN comparable AS c ON c.worker = a.worker AND c.manifest_sha = a.manifest_sha AND c.delegator = a.delegator
    WHERE NOT c.fits
    UNION ALL
    -- acts for nobody, of a worker that needs somebody, where the log would have said for whom
    SELECT a.action_uid, d.file, CAST(NULL AS BIGINT), 0, 'proven', 'none'
    FROM attributed AS a
    JOIN delegated AS d ON d.worker = a.worker AND d.manifest_sha = a.manifest_sha
    LEFT JOIN tokens_for_nobody AS t ON t.uid = a.credential_uid
    WHERE a.delegator IS NULL AND (
        t.uid IS NOT NULL
        OR (a.category = 'token' AND a.obtains = 'self' AND a.status = 'success' AND a.principal LIKE 'oauth:client/%')
    )
)
SELECT
    a.worker,
    a.principal,
    CASE w.fault WHEN 'wrong' THEN a.delegator ELSE coalesce(a.principal, a.credential_uid) END AS entity,
    a.action_uid,
    a.time,
    a.chain_id,
    CASE CASE w.named WHEN 'proven' THEN 3 ELSE 2 END - CASE WHEN a.status IN ('failure', 'denied') THEN 1 ELSE 0 END
        WHEN 3 THEN 'high' WHEN 2 THEN 'medium' ELSE 'low' END AS severity,
    a.confidence,
    a.worker || CASE WHEN a.status IN ('failure', 'denied') THEN ' tried to act for ' ELSE ' acted for ' END
        || CASE w.fault WHEN 'wrong' THEN a.delegator || ', who may not send it'
                ELSE 'nobody with ' || coalesce(a.credential_uid, a.principal, 'a token') || ', though it is delegated' END AS title,
    {
        'expected': CASE w.fault
            WHEN 'wrong' THEN 'one of the delegators of ' || coalesce(w.file, 'the manifest') || ':'
                || coalesce(CAST(w.line AS VARCHAR), '?') || '; none of ' || CAST(w.patterns AS VARCHAR)
                || ' patterns for names of this system matches'
            ELSE 'a delegator: the mode is delegated in ' || coalesce(w.file, 'the manifest')
        END,
        'seen': coalesce(a.api_service || ' ' || a.api_operation, a.dst_host, 'a call') || ' (' || a.status || ')',
        'delegator': a.delegator,
        'delegator_strength': CASE WHEN a.delegator IS NOT NULL THEN w.named END,
        'credential': a.credential_uid,
        'session': a.session_uid,
        'src_ip': a.src_ip,
        'unseen': CASE w.fault WHEN 'wrong' THEN 'the same person under another system''s name' END,
        'attribution': a.strength
    } AS explanation,
    a.manifest_sha
FROM wrong AS w
JOIN attributed AS a ON a.action_uid = w.action_uid
