/*---
id: undeclared_identity
version: 2
title: An undeclared identity acted with a worker's credential
description: >
  The credential or session of the record is a worker's, but the principal that acted with it is none that the
  worker's manifest declares, nor a role that it took on on record (scope judges that call) or may take on by an
  allow line that names it. So a key was made for somebody else and used, moved to another user, or another actor
  holds the worker's token.
severity: high
tags:
  - owasp.asi03
  - owasp.asi10
  - owasp.nhi2
  - owasp.nhi9
  - maestro.agent-identity-attack
  - maestro.agent-impersonation
  - nist.ai-rmf.govern-1.6
  - nist.ai-rmf.measure-2.8
  - attack.t1078.004
  - attack.t1098.001
  - attack.t1550.001
  - atlas.aml.t0012
look_alikes:
  - case: a worker takes on a role that people use too, so that it is no identity of the worker's
    separated_by: the call that took it on is on record and judged by scope; or an allow line names the role
  - case: a declared function acts under its execution role
    separated_by: AWS itself says that the credential was issued to the function (inScopeOf)
  - case: a token that was taken out on behalf of a person, who is then the principal
    separated_by: the principal is the delegator, whom `delegators` judges
  - case: a service acts within the worker's session, or the issuer's own system user does
    separated_by: the kind of the principal
  - case: a record that knows the principal by its bare id alone
    separated_by: an id cannot be held against declared ARNs; it is not judged
tests:
  - name: a key that the worker made for another user is used
    actions:
      - {principal: "aws:user/arn:aws:iam::111122223333:user/legacy", credential_uid: "aws:key/AKIA9", bound_uid: "aws:key/AKIA9", strength: asserted, confidence: 0.95, api_service: s3.amazonaws.com, api_operation: ListBuckets}
    grants: [{child_uid: "aws:key/AKIA9", parent_uid: "aws:key/ASIA1", mechanism: CreateAccessKey}]
    identities: [{uid: "aws:role/arn:aws:iam::111122223333:role/w1"}]
    scope_lines: [{line: 9, file: w1.yaml, service: [s3.amazonaws.com]}]
    expected:
      - {worker: w1, severity: high, entity: "aws:user/arn:aws:iam::111122223333:user/legacy", evidence: [a1], title: [w1, "aws:key/AKIA9", "aws:user/arn:aws:iam::111122223333:user/legacy"], explanation: [w1.yaml, CreateAccessKey, ListBuckets]}
  - name: the worker's own key turns up under a user that another worker declares
    actions:
      - {principal: "aws:user/arn:aws:iam::111122223333:user/w2", credential_uid: "aws:key/AKIA1", bound_uid: "aws:key/AKIA1"}
    identities:
      - {uid: "aws:user/arn:aws:iam::111122223333:user/w1"}
      - {uid: "aws:user/arn:aws:iam::111122223333:user/w2", worker: w2, manifest_sha: sha-2}
    expected: [{worker: w1, severity: high, entity: "aws:user/arn:aws:iam::111122223333:user/w2", explanation: [declared by w2]}]
  - name: another actor holds the API token of the worker's user
    actions:
      - {category: token, principal: okta:user/org.example/00uother, credential_uid: okta:token/org.example/00T1, bound_uid: okta:token/org.example/00T1, api_service: okta, api_operation: user.lifecycle.create, status: denied}
    identities: [{uid: okta:user/org.example/00uworker}]
    expected: [{worker: w1, severity: medium, entity: okta:user/org.example/00uother, title: [tried to act]}]
  - name: the root user of an account, taken on in one call that scope does not judge
    actions:
      - {principal: "aws:user/arn:aws:iam::444455556666:root", credential_uid: "aws:key/ASIAROOT", bound_uid: "aws:key/ASIAROOT"}
    grants: [{child_uid: "aws:key/ASIAROOT", parent_uid: "aws:key/ASIA1", mechanism: AssumeRoot}]
    identities: [{uid: "aws:role/arn:aws:iam::111122223333:role/w1"}]
    expected: [{worker: w1, severity: high, entity: "aws:user/arn:aws:iam::444455556666:root", explanation: [AssumeRoot]}]
  - name: the call that took the role on was refused, so the credential came about otherwise
    actions:
      - {api_service: sts.amazonaws.com, api_operation: AssumeRole, obtains: self, status: denied, credential_uid: "aws:key/AKIA1", bound_uid: "aws:key/AKIA1"}
      - {principal: "aws:role/arn:aws:iam::111122223333:role/secret", credential_uid: "aws:key/AKIA1", bound_uid: "aws:key/AKIA1"}
    identities: [{uid: "aws:role/arn:aws:iam::111122223333:role/w1"}]
    verdicts: [{action_uid: a1, verdict: out, tried: true, resource: "arn:aws:iam::111122223333:role/secret"}]
    expected: [{worker: w1, severity: high, entity: "aws:role/arn:aws:iam::111122223333:role/secret", evidence: [a2]}]
  - name: a pod took on a role that no line names
    actions: [{principal: "aws:role/arn:aws:iam::111122223333:role/pod", credential_uid: "aws:key/ASIA7", bound_uid: "aws:key/ASIA7"}]
    identities: [{uid: k8s:sa/c1/ns/w1}]
    scope_lines: [{line: 4, service: [s3.amazonaws.com], resources: ["arn:aws:iam::111122223333:role/pod"]}, {line: 5, effect: deny, service: [sts.amazonaws.com], resources: ["arn:aws:iam::111122223333:role/pod"]}]
    expected: [{worker: w1, severity: high, entity: "aws:role/arn:aws:iam::111122223333:role/pod"}]
  - name: declared identities, by name and by pattern, and a shared one
    actions:
      - {credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1"}
      - {principal: "aws:role/arn:aws:iam::111122223333:role/w1-2", credential_uid: "aws:key/ASIA2", bound_uid: "aws:key/ASIA2"}
      - {principal: "aws:role/arn:aws:iam::111122223333:role/agents", credential_uid: "aws:key/ASIA3", bound_uid: "aws:key/ASIA3", strength: asserted}
    identities:
      - {uid: "aws:role/arn:aws:iam::111122223333:role/w1"}
      - {uid: "aws:role/arn:aws:iam::111122223333:role/w1-*"}
      - {uid: "aws:role/arn:aws:iam::111122223333:role/agents", shared: true}
    expected: []
  - name: a role that was taken on on record is judged by scope, whatever scope says
    actions:
      - {api_service: sts.amazonaws.com, api_operation: AssumeRole, obtains: self, credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1", resource_uid: "arn:aws:iam::111122223333:role/deploy"}
      - {api_service: sts.amazonaws.com, api_operation: AssumeRole, obtains: self, credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1", resource_uid: "arn:aws:iam::111122223333:role/secret"}
      - {principal: "aws:role/arn:aws:iam::111122223333:role/deploy", credential_uid: "aws:key/ASIA2", bound_uid: "aws:key/ASIA2"}
      - {principal: "aws:role/arn:aws:iam::111122223333:role/secret", credential_uid: "aws:key/ASIA3", bound_uid: "aws:key/ASIA3"}
    identities: [{uid: "aws:role/arn:aws:iam::111122223333:role/w1"}]
    verdicts:
      - {action_uid: a1, verdict: allow, file: w1.yaml, line: 7, resource: "arn:aws:iam::111122223333:role/deploy"}
      - {action_uid: a2, verdict: out, resource: "arn:aws:iam::111122223333:role/secret"}
    expected: []
  - name: an allow line names the role, though no record shows how it was taken on
    actions: [{principal: "aws:role/arn:aws:iam::111122223333:role/pod_1", credential_uid: "aws:key/ASIA7", bound_uid: "aws:key/ASIA7"}]
    identities: [{uid: k8s:sa/c1/ns/w1}]
    scope_lines: [{line: 4, service: [sts.amazonaws.com], operations: [AssumeRole], resources: ["arn:aws:iam::111122223333:role/pod_?"]}]
    expected: []
  - name: a declared function's execution role, a person's own token, a service, a system user, a bare id
    actions:
      - {principal: "aws:role/arn:aws:iam::111122223333:role/lambda", credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1"}
      - {principal: "aws:principal/u-1", credential_uid: "aws:key/tok1", bound_uid: "aws:key/tok1", delegator: "aws:principal/u-1"}
      - {principal: aws:service/cloudformation.amazonaws.com, session_uid: "aws:session/A:x@t", bound_uid: "aws:session/A:x@t"}
      - {principal: okta:user/org.example/system, principal_type: system, session_uid: okta:session/org.example/s1, bound_uid: okta:session/org.example/s1}
      - {principal: "aws:principal/AROA1", credential_uid: "aws:key/ASIA4", bound_uid: "aws:key/ASIA4"}
    grants: [{child_uid: "aws:key/ASIA1", parent_uid: "aws:function/arn:aws:lambda:eu-west-1:111122223333:function:w1", mechanism: inScopeOf}]
    identities: [{uid: "aws:function/arn:aws:lambda:eu-west-1:111122223333:function:w1"}]
    expected: []
  - name: nobody is attributed, or the principal itself decided
    actions:
      - {worker: null, principal: "aws:user/arn:aws:iam::111122223333:user/eve", credential_uid: "aws:key/AKIA5", bound_uid: "aws:key/AKIA5"}
      - {category: proxy, principal: proxy:user/egress/w1, bound_uid: proxy:user/egress/w1}
    identities: [{uid: "aws:role/arn:aws:iam::111122223333:role/w1"}]
    expected: []
---*/

WITH acting AS (
    -- each pair of a worker's credential or session and the principal that acted with it
    SELECT DISTINCT worker, manifest_sha, principal, coalesce(credential_uid, '') AS credential_uid, bound_uid
    FROM attributed
    WHERE worker IS NOT NULL AND principal IS NOT NULL AND bound_uid <> principal
        AND split_part(principal, '/', 1) NOT IN ('aws:service', 'aws:principal')
        AND coalesce(principal_type, '') <> 'system' AND coalesce(delegator, '') <> principal
),
principals AS (
    -- the principals among them, to be held against what manifests say once each
    SELECT DISTINCT worker, manifest_sha, principal FROM acting
),
named AS (
    -- what manifests declare
    -- a pattern with stars within is matched as a regular expression, since LIKE may take for ever (detectors/glob.py)
    SELECT worker, manifest_sha, uid_like,
        CASE WHEN regexp_matches(uid_like, '((?s)^(?:[^\\%]|\\.)*%.*%[^%])') THEN '^(?s)(\Q' || replace(replace(replace(replace(replace(
            uid_like, '\\', '\E\x5c\Q'), '\%', '\E\x25\Q'), '\_', '\E\x5f\Q'), '%', '\E.*\Q'), '_', '\E.\Q') || '\E)\z'
            END AS expression
    FROM identities
),
declared AS (
    -- those that the manifest declares
    SELECT DISTINCT p.worker, p.manifest_sha, p.principal
    FROM principals AS p
    JOIN named AS i
        ON i.worker = p.worker AND i.manifest_sha = p.manifest_sha
        AND CASE WHEN i.expression IS NULL THEN p.principal LIKE i.uid_like ESCAPE '\' ELSE regexp_matches(p.principal, i.expression) END
),
judged_roles AS (
    -- roles that a worker took on on record: scope has judged that call; a refused one gave no credential
    SELECT DISTINCT a.worker, 'aws:role/' || v.resource AS principal
    FROM attributed AS a
    JOIN verdicts AS v ON v.action_uid = a.action_uid
    WHERE a.obtains = 'self' AND a.status = 'success' AND v.resource IS NOT NULL
),
role_lines AS (
    -- allow lines that may name roles, a row for each pattern
    SELECT worker, manifest_sha, pattern,
        CASE WHEN regexp_matches(pattern, '((?s)^(?:[^\\%]|\\.)*%.*%[^%])') THEN '^(?s)(\Q' || replace(replace(replace(replace(replace(
            pattern, '\\', '\E\x5c\Q'), '\%', '\E\x25\Q'), '\_', '\E\x5f\Q'), '%', '\E.*\Q'), '_', '\E.\Q') || '\E)\z'
            END AS expression
    FROM (
        SELECT worker, manifest_sha, service[1] AS service, unnest(resources) AS pattern
        FROM scope_lines WHERE kind = 'api' AND effect = 'allow' AND resources IS NOT NULL
    ) AS lines
    WHERE 'sts.amazonaws.com' LIKE coalesce(service, '%') ESCAPE '\'
),
allowed_roles AS (
    -- roles that such a line names
    SELECT DISTINCT p.worker, p.manifest_sha, p.principal
    FROM principals AS p
    JOIN role_lines AS l
        ON l.worker = p.worker AND l.manifest_sha = p.manifest_sha 
        AND CASE WHEN l.expression IS NULL THEN substr(p.principal, 10) LIKE l.pattern ESCAPE '\'
                 ELSE regexp_matches(substr(p.principal, 10), l.expression) END
    WHERE p.principal LIKE 'aws:role/%'
),
issues AS (
    -- how each such credential came about: the first grant that issued it
    SELECT uid, mechanism, parent_uid, action_uid FROM (
        SELECT
            g.child_uid AS uid, g.mechanism, g.parent_uid, g.action_uid,
            row_number() OVER (PARTITION BY g.child_uid ORDER BY g.issued_at, g.grant_uid, g.mechanism) AS nth
        FROM grants AS g
        JOIN (SELECT DISTINCT bound_uid FROM acting) AS a ON a.bound_uid = g.child_uid
        WHERE g.kind = 'issue'
    ) AS ordered WHERE nth = 1
),
strangers AS (
    -- the pairs whose principal nothing covers
    SELECT a.*, i.mechanism, i.parent_uid, i.action_uid AS issued_by
    FROM acting AS a
    LEFT JOIN declared AS d
        ON d.worker = a.worker AND d.manifest_sha = a.manifest_sha AND d.principal = a.principal
    LEFT JOIN judged_roles AS j ON j.worker = a.worker AND j.principal = a.principal
    LEFT JOIN allowed_roles AS l
        ON l.worker = a.worker AND l.manifest_sha = a.manifest_sha AND l.principal = a.principal
    LEFT JOIN issues AS i ON i.uid = a.bound_uid
    WHERE d.worker IS NULL AND j.worker IS NULL AND l.worker IS NULL AND coalesce(i.mechanism, '') <> 'inScopeOf'
),
owners AS (
    -- the workers, if any, that declare such a principal
    SELECT p.principal, array_sort(list(DISTINCT i.worker)) AS workers
    FROM (SELECT DISTINCT principal FROM strangers) AS p
    JOIN named AS i ON CASE WHEN i.expression IS NULL THEN p.principal LIKE i.uid_like ESCAPE '\' ELSE regexp_matches(p.principal, i.expression) END
    GROUP BY p.principal
),
files AS (
    -- the file of each version of a manifest
    SELECT worker, manifest_sha, min(file) AS file FROM scope_lines GROUP BY worker, manifest_sha
)
SELECT
    a.worker,
    a.principal,
    a.principal AS entity,
    a.action_uid,
    a.time,
    a.chain_id,
    CASE WHEN a.status IN ('failure', 'denied') THEN 'medium' ELSE 'high' END AS severity,
    a.confidence,
    a.worker || CASE WHEN a.status IN ('failure', 'denied') THEN ' tried to act' ELSE ' acted' END || ' as '
        || a.principal || ', which it does not declare, with ' || a.bound_uid AS title,
    {
        'expected': 'an identity of ' || coalesce(f.file, 'the manifest')
            || ', a role taken on on record, or a role that an allow line names; none fits',
        'seen': coalesce(a.api_service || ' ' || a.api_operation, a.dst_host, 'a call') || ' (' || a.status || ')',
        'others': 'declared by ' || array_to_string(o.workers, ', '),
        'credential': a.credential_uid,
        'session': a.session_uid,
        'decided_by': a.bound_uid,
        'issued_by': s.issued_by,
        'mechanism': s.mechanism,
        'parent': s.parent_uid,
        'unseen': CASE WHEN s.mechanism IS NULL THEN 'no record tells how ' || a.bound_uid || ' came about' END,
        'src_ip': a.src_ip,
        'attribution': a.strength
    } AS explanation,
    a.manifest_sha
FROM strangers AS s
JOIN attributed AS a
    ON a.worker = s.worker AND a.manifest_sha = s.manifest_sha AND a.principal = s.principal
    AND a.bound_uid = s.bound_uid AND coalesce(a.credential_uid, '') = s.credential_uid
LEFT JOIN owners AS o ON o.principal = s.principal
LEFT JOIN files AS f ON f.worker = s.worker AND f.manifest_sha = s.manifest_sha
