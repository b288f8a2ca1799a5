/*---
id: contested_record
version: 1
title: Two records of one event contradict each other
description: >
  A source delivered a record whose native id another record already has, with other content: somebody forged,
  altered or damaged a record of that trail. The finding is the source's, one a day; where both records name one
  worker it is that worker's too. It weighs less where both tell of the same act and differ only in parts that say
  neither who, what, when, where nor how it ended.
severity: high
tags:
  - owasp.asi10
  - maestro.poisoning-observability-data
  - maestro.repudiation
  - nist.ai-rmf.measure-2.8
  - nist.ai-rmf.measure-2.13
  - attack.t1685.002
look_alikes:
  - case: one record that comes by two trails, or is pulled twice
    separated_by: equal content is one action; nothing is contested
  - case: the same record in another spelling (keys in another order, masked secrets)
    separated_by: contents are compared in one canonical form before anything is contested
  - case: a collector that adds or drops fields on one of two ways
    separated_by: no column that says who, what, when, where or how it ended differs; one step lower
  - case: the copies of a cross-account call in both accounts
    separated_by: each has an id of its own
tests:
  - name: a forged copy names another principal and worker
    actions:
      - {action_uid: "cloudtrail:e1", event_uid: "cloudtrail:e1", source: trail, principal: "aws:user/eve", worker: null, api_service: s3.amazonaws.com, api_operation: GetObject, time: 2026-03-02T10:00:00}
    contested:
      - {action_uid: "cloudtrail:e1~abcdef12", event_uid: "cloudtrail:e1", source: trail, worker: w1, api_service: s3.amazonaws.com, api_operation: GetObject, time: 2026-03-02T10:00:00, flag: another record of this id has other content}
    sources: [{source: trail, format: cloudtrail}]
    expected:
      - {worker: null, severity: high, entity: trail, evidence: ["cloudtrail:e1", "cloudtrail:e1~abcdef12"], title: [trail, "cloudtrail:e1", principal], explanation: ["aws:user/eve", w1, principal]}
  - name: both name one worker, and another outcome and time
    actions: [{action_uid: "okta:o:1", event_uid: "okta:o:1", source: okta, status: denied, time: 2026-03-02T10:00:00, strength: asserted, confidence: 0.5}]
    contested: [{action_uid: "okta:o:1~00000001", event_uid: "okta:o:1", source: okta, time: 2026-03-02T10:00:05, confidence: 0.5}]
    expected: [{worker: w1, severity: high, entity: okta, title: ["time, status"], explanation: [denied, success]}]
  - name: two records a day make one finding, the next day another; the kept record may lie in another source
    actions:
      - {action_uid: e1, event_uid: e1, source: trail-a, status: failure, time: 2026-03-02T10:00:00}
      - {action_uid: e2, event_uid: e2, source: trail-a, status: failure, time: 2026-03-02T11:00:00}
      - {action_uid: e3, event_uid: e3, source: trail-a, status: failure, time: 2026-03-03T11:00:00}
    contested:
      - {action_uid: e1~1, event_uid: e1, source: trail-b, time: 2026-03-02T10:00:00}
      - {action_uid: e2~1, event_uid: e2, source: trail-b, time: 2026-03-02T11:00:00}
      - {action_uid: e3~1, event_uid: e3, source: trail-b, time: 2026-03-03T11:00:00}
    expected:
      - {worker: w1, severity: high, entity: trail-b, evidence: [e1, e1~1, e2, e2~1], explanation: [trail-a], day: 2026-03-02}
      - {worker: w1, severity: high, entity: trail-b, evidence: [e3, e3~1], day: 2026-03-03}
  - name: the kept record is not at hand (of twins, the caller's copy stands for both)
    contested: [{action_uid: e1~1, event_uid: e1, source: trail, time: 2026-03-02T10:00:00}]
    expected: [{worker: null, severity: high, entity: trail, evidence: [e1~1], explanation: [unseen]}]
  - name: a collector that adds a field
    actions: [{action_uid: e1, event_uid: e1, source: trail, time: 2026-03-02T10:00:00}]
    contested: [{action_uid: e1~1, event_uid: e1, source: trail, time: 2026-03-02T10:00:00}]
    expected: [{worker: w1, severity: medium, entity: trail, title: [same act]}]
  - name: records that nothing contradicts
    actions: [{action_uid: e1, event_uid: e1, source: trail}, {action_uid: e2, event_uid: e2, source: trail}]
    expected: []
  - name: a deed with a twin, each under its own id
    actions: [{action_uid: e1, event_uid: e1, deed_uid: "cloudtrail:shared:s", source: trail}]
    expected: []
  - name: lines of a log without ids, which are known by their content
    actions:
      - {action_uid: "squid:egress:aa#0", event_uid: "squid:egress:aa#0", source: egress, category: proxy}
      - {action_uid: "squid:egress:aa#1", event_uid: "squid:egress:aa#1", source: egress, category: proxy}
    expected: []
---*/

WITH pairs AS (
    -- each contested record with the one that keeps the id, and the columns in which they differ
    SELECT
        c.action_uid, c.event_uid, c.source, c.format, c.time, c.principal, c.worker, c.chain_id, c.manifest_sha,
        c.api_service, c.api_operation, c.dst_host, c.status, c.flag,
        k.action_uid AS kept_uid, k.time AS kept_time, k.source AS kept_source, k.principal AS kept_principal,
        k.worker AS kept_worker, k.status AS kept_status,
        coalesce(k.api_service || ' ' || k.api_operation, k.dst_host) AS kept_call,
        concat_ws(
            ', ',
            CASE WHEN coalesce(c.principal, '') <> coalesce(k.principal, '') THEN 'principal' END,
            CASE WHEN coalesce(c.credential_uid, '') <> coalesce(k.credential_uid, '') THEN 'credential' END,
            CASE WHEN coalesce(c.session_uid, '') <> coalesce(k.session_uid, '') THEN 'session' END,
            CASE WHEN coalesce(c.api_service, '') <> coalesce(k.api_service, '')
                OR coalesce(c.api_operation, '') <> coalesce(k.api_operation, '')
                OR coalesce(c.http_method, '') <> coalesce(k.http_method, '') THEN 'operation' END,
            CASE WHEN coalesce(c.resource_uid, '') <> coalesce(k.resource_uid, '')
                OR coalesce(c.dst_host, '') <> coalesce(k.dst_host, '')
                OR coalesce(c.url_path, '') <> coalesce(k.url_path, '') THEN 'resource' END,
            CASE WHEN coalesce(c.account, '') <> coalesce(k.account, '')
                OR coalesce(c.region, '') <> coalesce(k.region, '') THEN 'account or region' END,
            CASE WHEN coalesce(c.src_ip, '') <> coalesce(k.src_ip, '') THEN 'address' END,
            CASE WHEN coalesce(c.user_agent, '') <> coalesce(k.user_agent, '') THEN 'user agent' END,
            CASE WHEN c.time <> k.time THEN 'time' END,
            CASE WHEN coalesce(c.status, '') <> coalesce(k.status, '') THEN 'status' END,
            CASE WHEN coalesce(c.bytes_out, -1) <> coalesce(k.bytes_out, -1)
                OR coalesce(c.bytes_in, -1) <> coalesce(k.bytes_in, -1) THEN 'bytes' END
        ) AS differs
    FROM contested AS c
    LEFT JOIN attributed AS k ON k.event_uid = c.event_uid AND k.action_uid <> c.action_uid
),
told AS (
    -- both records of each pair as evidence; the day is that of the contested one
    SELECT *, action_uid AS evidence_uid, time AS evidence_time FROM pairs
    UNION ALL
    SELECT *, kept_uid, kept_time FROM pairs WHERE kept_uid IS NOT NULL
)
SELECT
    CASE WHEN worker = kept_worker THEN worker END AS worker,
    principal,
    source AS entity,
    evidence_uid AS action_uid,
    evidence_time AS time,
    CAST(time AS DATE) AS day,
    CASE WHEN worker = kept_worker THEN chain_id END AS chain_id,
    CASE WHEN kept_uid IS NOT NULL AND differs = '' THEN 'medium' ELSE 'high' END AS severity,
    -- the contradiction is certain, whoever the worker may be
    CAST(NULL AS DOUBLE) AS confidence,
    source || ' delivered two records of ' || event_uid
        || CASE WHEN kept_uid IS NULL THEN ' that contradict each other'
                WHEN differs = '' THEN ' that tell of the same act in other words'
                ELSE ' that differ in ' || differs END AS title,
    {
        'expected': 'one content for one id; no manifest decides this',
        'seen': coalesce(flag, 'another content') || ': ' || coalesce(api_service || ' ' || api_operation, dst_host, 'a call')
            || ' (' || status || ')',
        'event': event_uid,
        'contested': action_uid,
        'kept': kept_uid,
        'differs': nullif(differs, ''),
        'source': source,
        'kept_source': kept_source,
        'contested_principal': principal,
        'kept_principal': kept_principal,
        'contested_worker': worker,
        'kept_worker': kept_worker,
        'kept_seen': kept_call || ' (' || kept_status || ')',
        'contested_status': status,
        'kept_status': kept_status,
        'unseen': CASE WHEN kept_uid IS NULL THEN 'the record that keeps the id, which is no primary action'
                       ELSE 'which of the two is the true one' END
    } AS explanation,
    CASE WHEN worker = kept_worker THEN manifest_sha END AS manifest_sha
FROM told
