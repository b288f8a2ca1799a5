/*---
id: approval_missing
version: 1
title: A worker acted without the approval that its manifest demands
description: >
  The manifest in force at the time says that this needs an approval, and no approval covers it: one for this worker,
  operation and resource (and content, where it names it), decided before the act and within the time, by somebody who
  may approve it and is not the worker, its delegator or its owner, and not used for another act. Without a log of
  approvals this cannot be seen; where that log does not reach as far as the act, an approval may still turn up.
severity: high
tags:
  - owasp.asi02
  - owasp.asi03
  - owasp.asi09
  - maestro.agent-tool-misuse
  - maestro.privilege-escalation
  - nist.ai-rmf.manage-4.1
  - attack.t1078.004
look_alikes:
  - case: an approval that was given for another resource, for another worker, or used for an earlier act
    separated_by: the pairing of acts with approvals (detectors.approvals); the explanation names the one that comes closest
  - case: no source of approvals is configured
    separated_by: the title says that it cannot be seen, and the severity is one step lower
  - case: the log of approvals comes later than the log of the act
    separated_by: one step lower until that log reaches past the act; the finding is resolved when the approval comes
  - case: the call was refused
    separated_by: one step lower, and the title says "tried"
tests:
  - name: rights attached with nobody's approval
    actions: [{api_service: iam.amazonaws.com, api_operation: AttachRolePolicy, resource_uid: "arn:aws:iam::111122223333:role/x"}]
    approval_needs: [{action_uid: a1, service: iam.amazonaws.com, operation: AttachRolePolicy, resource: "arn:aws:iam::111122223333:role/x", file: w1.yaml, line: 20}]
    sources: [{source: tickets, category: approval}]
    horizons: [{source: tickets, horizon: 2026-03-03T00:00:00}]
    expected:
      - {worker: w1, severity: high, entity: "arn:aws:iam::111122223333:role/x", evidence: [a1],
         title: ["w1 called AttachRolePolicy on arn:aws:iam::111122223333:role/x without an approval"],
         explanation: ["w1.yaml:20", no approval, mail:addr/]}
  - name: what comes closest is told
    actions: [{api_service: iam.amazonaws.com, api_operation: PutRolePolicy, resource_uid: r}]
    approval_needs: [{action_uid: a1, service: iam.amazonaws.com, operation: PutRolePolicy, resource: r, closest: the approval t1 of mail:addr/a@b.example at 2026-03-01T00:00:00Z is older than allowed}]
    sources: [{source: tickets, category: approval}]
    horizons: [{source: tickets, horizon: 2026-03-03T00:00:00}]
    expected: [{worker: w1, severity: high, entity: r, explanation: [the approval t1 of, is older than allowed]}]
  - name: without a log of approvals it cannot be seen
    actions: [{api_service: iam.amazonaws.com, api_operation: PutRolePolicy, resource_uid: r}]
    approval_needs: [{action_uid: a1, service: iam.amazonaws.com, operation: PutRolePolicy, resource: r}]
    sources: [{source: trail, category: cloud}]
    expected:
      - {worker: w1, severity: medium, entity: r, title: ["no approvals log: cannot be seen"], explanation: ['"unseen": ["approvals"]']}
  - name: a log of approvals that ends before the act may still bring one
    actions: [{api_service: iam.amazonaws.com, api_operation: PutRolePolicy, resource_uid: r}]
    approval_needs: [{action_uid: a1, service: iam.amazonaws.com, operation: PutRolePolicy, resource: r}]
    sources: [{source: tickets, category: approval}, {source: more, category: approval}]
    horizons: [{source: tickets, horizon: 2026-03-02T09:00:00}]
    expected:
      - {worker: w1, severity: medium, entity: r, title: [no approval seen yet], explanation: ["2026-03-02T09:00:00"]}
  - name: an attempt is one step lower, and one that cannot be seen two
    actions:
      - {api_service: s3.amazonaws.com, api_operation: DeleteBucket, resource_uid: "arn:aws:s3:::a", status: denied}
      - {api_service: s3.amazonaws.com, api_operation: DeleteObject, resource_uid: "arn:aws:s3:::b/1", time: 2026-03-05T10:00:00, status: failure}
    approval_needs:
      - {action_uid: a1, service: s3.amazonaws.com, operation: DeleteBucket, resource: "arn:aws:s3:::a", tried: true}
      - {action_uid: a2, service: s3.amazonaws.com, operation: DeleteObject, resource: "arn:aws:s3:::b/1", tried: true}
    sources: [{source: tickets, category: approval}]
    horizons: [{source: tickets, horizon: 2026-03-03T00:00:00}]
    expected:
      - {worker: w1, severity: medium, entity: "arn:aws:s3:::a", title: [w1 tried to call DeleteBucket on]}
      - {worker: w1, severity: low, entity: "arn:aws:s3:::b", title: [w1 tried to call DeleteObject on]}
  - name: a request, a tool and a model; what the log of the act does not show is said
    actions:
      - {category: proxy, http_method: CONNECT, dst_host: bank.example}
      - {category: tool, account: crm, tool: refund}
      - {category: model, model: big-1}
    approval_needs:
      - {action_uid: a1, kind: net, service: "", operation: "", resource: bank.example, unseen: [methods, paths]}
      - {action_uid: a2, kind: tool, service: "", operation: refund, resource: crm}
      - {action_uid: a3, kind: model, service: "", operation: "", resource: big-1}
    sources: [{source: tickets, category: approval}]
    horizons: [{source: tickets, horizon: 2026-03-03T00:00:00}]
    expected:
      - {worker: w1, severity: high, entity: bank.example, title: ["w1 called CONNECT on bank.example without"], explanation: [methods, paths]}
      - {worker: w1, severity: high, entity: crm, title: [w1 called refund on crm without]}
      - {worker: w1, severity: high, entity: big-1, title: [w1 used big-1 without]}
  - name: an act that an approval covers is no finding
    actions: [{api_service: iam.amazonaws.com, api_operation: PutRolePolicy, resource_uid: r}]
    approval_needs: [{action_uid: a1, service: iam.amazonaws.com, operation: PutRolePolicy, resource: r, approval_uid: t1}]
    sources: [{source: tickets, category: approval}]
    expected: []
  - name: an act that needs no approval is no finding, with and without a log of them
    actions: [{api_service: s3.amazonaws.com, api_operation: GetObject, resource_uid: "arn:aws:s3:::a/1"}]
    approval_lines: [{service: [iam.amazonaws.com], approvers: ["*"]}]
    expected: []
  - name: an approval itself needs none
    actions: [{category: approval, worker: null, principal: "mail:addr/a@b.example", api_service: iam.amazonaws.com, api_operation: PutRolePolicy}]
    sources: [{source: tickets, category: approval}]
    expected: []
---*/

WITH logs AS (
    -- how far the logs of approvals reach: the furthest of them, since each decision lies in one of them
    SELECT count(*) AS configured, max(h.horizon) AS reaches
    FROM sources AS s
    LEFT JOIN horizons AS h ON h.source = s.source
    WHERE s.category = 'approval'
),
uncovered AS (
    -- what needed an approval and has none, with what the log of approvals could show at that time
    SELECT
        a.action_uid, a.worker, a.principal, a.time, a.chain_id, a.confidence, a.strength, a.manifest_sha, a.status,
        n.kind, n.resource, n.approvers, n.within_seconds, n.file, n.line, n.closest, n.unseen, l.reaches,
        coalesce(n.tried, FALSE) AS tried,
        coalesce(nullif(n.operation, ''), a.http_method) AS operation,
        coalesce(nullif(n.resource, ''), nullif(n.service, ''), 'unknown') AS object,
        CASE WHEN l.configured = 0 THEN 'no log'
             WHEN l.reaches IS NULL OR l.reaches < a.time THEN 'not yet'
             ELSE 'seen' END AS sight
    FROM approval_needs AS n
    JOIN attributed AS a ON a.action_uid = n.action_uid
    CROSS JOIN logs AS l
    WHERE n.approval_uid IS NULL
),
worded AS (
    -- the same with the words of the title and the step of severity, 3 being high
    SELECT
        *,
        3 - CASE WHEN tried THEN 1 ELSE 0 END - CASE WHEN sight = 'seen' THEN 0 ELSE 1 END AS step,
        CASE WHEN kind = 'model' OR operation IS NULL THEN 'use ' ELSE 'call ' || operation || ' on ' END AS verb
    FROM uncovered
)
SELECT
    worker,
    principal,
    CASE WHEN object LIKE 'arn:aws%:s3:::%' THEN split_part(object, '/', 1) ELSE object END AS entity,
    action_uid,
    time,
    chain_id,
    CASE step WHEN 3 THEN 'high' WHEN 2 THEN 'medium' ELSE 'low' END AS severity,
    confidence,
    coalesce(worker, principal, 'somebody unknown')
        || CASE WHEN tried THEN ' tried to ' || verb
                WHEN verb LIKE 'call %' THEN ' called ' || substr(verb, 6)
                ELSE ' used ' || substr(verb, 5) END
        || substr(object, 1, 150)
        || CASE sight WHEN 'no log' THEN ', which needs an approval (no approvals log: cannot be seen)'
                      WHEN 'not yet' THEN ', which needs an approval (no approval seen yet)'
                      ELSE ' without an approval' END AS title,
    {
        'expected': 'an approval by ' || replace(replace(array_to_string(approvers, ' or '), '\', ''), '%', '*')
            || ' within ' || CAST(within_seconds AS VARCHAR) || ' s before, as '
            || coalesce(file || ':' || CAST(line AS VARCHAR), 'the manifest') || ' demands',
        'seen': coalesce(closest, 'no approval for this worker, operation and resource') || ' (the call: '
            || coalesce(status, 'unknown') || ')',
        'resource': object,
        'operation': operation,
        'approvals_seen_until': reaches,
        'unseen': CASE WHEN sight = 'no log' THEN ['approvals'] END,
        'unseen_of_the_call': unseen,
        'attribution': strength
    } AS explanation,
    manifest_sha
FROM worded
