/*---
id: use_after_end
version: 1
title: Used after its end
description: >
  A credential or session was used after it expired or was revoked, or after its principal was deleted or
  deactivated; or a worker acted before its manifest's validity begins or after it ends. Event times decide,
  five minutes are allowed for clocks and propagation, and a long request counts from when it began.
severity: critical
tags:
  - owasp.nhi1
  - owasp.nhi7
  - owasp.asi03
  - maestro.agent-identity-attack
  - nist.ai-rmf.govern-1.7
  - nist.ai-rmf.manage-2.4
  - attack.t1078.004
  - attack.t1550.001
  - atlas.aml.t0091.000
look_alikes:
  - case: clocks differ, and a revocation takes a while to reach every server
    separated_by: an allowance of five minutes
  - case: a long upload or tunnel that is logged when it ends
    separated_by: its duration is subtracted where the record gives one
  - case: a lease or a token is renewed, a key is activated again, a role is created again
    separated_by: the latest expiry counts; an issue after the revocation ends it; a credential issued later is another
  - case: a record that arrives late
    separated_by: event time, never the time of ingestion
  - case: a service goes on with a caller's request, in the caller's session, by keys of its own
    separated_by: a session's expiry ends only the records that name no credential; a credential has its own
tests:
  - name: a session key used an hour after it expired
    grants: [{child_uid: "aws:key/ASIA1", parent_uid: "aws:key/AKIA1", issued_at: 2026-03-02T08:00:00, expires_at: 2026-03-02T09:00:00}]
    actions: [{credential_uid: "aws:key/ASIA1", api_operation: GetObject, time: 2026-03-02T10:00:00}]
    expected: [{worker: w1, severity: critical, entity: "aws:key/ASIA1", title: [w1 used, 60 min after it expired]}]
  - name: a refused use is an attempt
    grants: [{child_uid: "aws:key/ASIA1", issued_at: 2026-03-02T08:00:00, expires_at: 2026-03-02T09:00:00}]
    actions:
      - {credential_uid: "aws:key/ASIA1", time: 2026-03-02T10:00:00, status: denied}
      - {credential_uid: "aws:key/ASIA1", time: 2026-03-02T10:10:00, status: failure}
    expected: [{worker: w1, severity: medium, entity: "aws:key/ASIA1", title: [w1 tried to use], evidence: [a1, a2]}]
  - name: a record that names the session alone, whose key has expired
    grants: [{child_uid: "aws:key/ASIA1", issued_at: 2026-03-02T08:00:00, expires_at: 2026-03-02T09:00:00}]
    actions:
      - {credential_uid: "aws:key/ASIA1", session_uid: "aws:session/AROA1:run@2026-03-02T08:00:00Z", time: 2026-03-02T08:30:00}
      - {session_uid: "aws:session/AROA1:run@2026-03-02T08:00:00Z", time: 2026-03-02T11:00:00}
    expected: [{worker: w1, severity: critical, entity: "aws:session/AROA1:run@2026-03-02T08:00:00Z", evidence: [a2]}]
  - name: a revoked token, and a revoked session by another token
    grants:
      - {kind: revoke, mechanism: REVOKE, child_uid: oauth:token/idp.example#t1, issued_at: 2026-03-02T09:00:00}
      - {kind: revoke, mechanism: SessionEnd, child_uid: okta:session/org.example/s1, issued_at: 2026-03-02T09:00:00}
    actions:
      - {credential_uid: oauth:token/idp.example#t1, time: 2026-03-02T09:30:00}
      - {credential_uid: oauth:token/idp.example#t2, session_uid: okta:session/org.example/s1, time: 2026-03-02T09:31:00}
    expected:
      - {worker: w1, severity: critical, entity: oauth:token/idp.example#t1, title: [after it was revoked]}
      - {worker: w1, severity: critical, entity: okta:session/org.example/s1}
  - name: a key is set inactive, active, inactive; each use is judged by what went before
    grants:
      - {child_uid: "aws:key/AKIA1", mechanism: CreateAccessKey, issued_at: 2026-01-01T00:00:00}
      - {kind: revoke, mechanism: UpdateAccessKey, child_uid: "aws:key/AKIA1", issued_at: 2026-03-02T09:00:00}
      - {child_uid: "aws:key/AKIA1", mechanism: UpdateAccessKey, issued_at: 2026-03-02T10:00:00}
      - {kind: revoke, mechanism: DeleteAccessKey, child_uid: "aws:key/AKIA1", issued_at: 2026-03-02T12:00:00}
    actions:
      - {credential_uid: "aws:key/AKIA1", time: 2026-03-02T08:00:00}
      - {credential_uid: "aws:key/AKIA1", time: 2026-03-02T09:30:00}
      - {credential_uid: "aws:key/AKIA1", time: 2026-03-02T11:00:00}
      - {credential_uid: "aws:key/AKIA1", time: 2026-03-02T12:30:00}
    expected: [{worker: w1, severity: critical, entity: "aws:key/AKIA1", evidence: [a2, a4]}]
  - name: a deleted user's session goes on; nobody is attributed
    grants: [{kind: revoke, mechanism: user.lifecycle.deactivate, child_uid: okta:user/org.example/u1, issued_at: 2026-03-02T09:00:00}]
    actions:
      - {worker: null, principal: okta:user/org.example/u1, session_uid: okta:session/org.example/s1, time: 2026-03-02T08:30:00}
      - {worker: null, principal: okta:user/org.example/u1, session_uid: okta:session/org.example/s1, time: 2026-03-02T10:00:00}
    expected:
      - {worker: null, severity: critical, entity: okta:session/org.example/s1, evidence: [a2], title: [after its principal was deleted or deactivated]}
  - name: older sessions of a role are revoked; the newer one may go on
    grants:
      - {child_uid: "aws:key/ASIAOLD", issued_at: 2026-03-02T08:00:00, expires_at: 2026-03-02T20:00:00}
      - {child_uid: "aws:key/ASIANEW", issued_at: 2026-03-02T09:30:00, expires_at: 2026-03-02T20:00:00}
      - {kind: revoke, mechanism: AWSRevokeOlderSessions, child_uid: "aws:role/arn:aws:iam::111122223333:role/w1", issued_at: 2026-03-02T09:00:00}
    actions:
      - {credential_uid: "aws:key/ASIAOLD", time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/ASIANEW", time: 2026-03-02T10:00:00}
      - {session_uid: "aws:session/AROA1:a@b.example@2026-03-02T08:30:00Z", time: 2026-03-02T10:00:00}
      - {session_uid: "aws:session/AROA1:a@b.example@2026-03-02T09:20:00Z", time: 2026-03-02T10:00:00}
    expected:
      - {worker: w1, severity: critical, entity: "aws:key/ASIAOLD"}
      - {worker: w1, severity: critical, entity: "aws:session/AROA1:a@b.example@2026-03-02T08:30:00Z"}
  - name: the worker's own end, and its own beginning
    manifest_versions: [{live_from: 2026-03-01T00:00:00, live_until: 2026-03-02T09:00:00}]
    actions:
      - {time: 2026-02-27T10:00:00}
      - {time: 2026-03-01T10:00:00}
      - {time: 2026-03-02T10:00:00, status: denied}
    expected:
      - {worker: w1, severity: critical, entity: worker:id/w1, evidence: [a1], title: [before its validity began]}
      - {worker: w1, severity: medium, entity: worker:id/w1, evidence: [a3], title: [w1 tried to act, after its validity ended]}
  - name: a stopped worker acts on
    manifest_versions: [{live_until: 2026-12-31T00:00:00, revoked_at: 2026-03-02T09:00:00}]
    actions: [{time: 2026-03-02T09:10:00}]
    expected: [{worker: w1, severity: critical, entity: worker:id/w1, title: [after it was revoked]}]
  - name: within the allowance, and a tunnel that was opened in time
    grants: [{child_uid: "aws:key/ASIA1", issued_at: 2026-03-02T08:00:00, expires_at: 2026-03-02T09:00:00}]
    actions:
      - {credential_uid: "aws:key/ASIA1", time: 2026-03-02T09:04:59}
      - {credential_uid: "aws:key/ASIA1", time: 2026-03-02T11:00:00, time_kind: end, duration_ms: 7500000}
    expected: []
  - name: a lease that is renewed, records in any order
    grants:
      - {child_uid: vault:lease/c/l1, mechanism: renew, issued_at: 2026-03-02T08:55:00, expires_at: 2026-03-02T11:00:00}
      - {child_uid: vault:lease/c/l1, mechanism: read, issued_at: 2026-03-02T08:00:00, expires_at: 2026-03-02T09:00:00}
    actions: [{credential_uid: vault:lease/c/l1, time: 2026-03-02T10:00:00}]
    expected: []
  - name: a key is rotated, and the new one used
    grants:
      - {child_uid: "aws:key/AKIANEW", mechanism: CreateAccessKey, issued_at: 2026-03-02T08:00:00}
      - {kind: revoke, mechanism: DeleteAccessKey, child_uid: "aws:key/AKIAOLD", principal: "aws:role/arn:aws:iam::111122223333:role/w1", issued_at: 2026-03-02T09:00:00}
    actions: [{credential_uid: "aws:key/AKIANEW", time: 2026-03-02T10:00:00}]
    expected: []
  - name: the password of the worker's user is taken away, and its key goes on
    grants: [{kind: revoke, mechanism: DeleteLoginProfile, child_uid: "aws:user/arn:aws:iam::111122223333:user/w1", issued_at: 2026-03-02T08:00:00}]
    actions: [{principal: "aws:user/arn:aws:iam::111122223333:user/w1", credential_uid: "aws:key/AKIA1", time: 2026-03-02T10:00:00}]
    expected: []
  - name: a role is deleted and created again under its name
    grants:
      - {kind: revoke, mechanism: DeleteRole, child_uid: "aws:role/arn:aws:iam::111122223333:role/w1", issued_at: 2026-03-02T08:00:00}
      - {child_uid: "aws:key/ASIA2", issued_at: 2026-03-02T09:00:00, expires_at: 2026-03-02T12:00:00}
    actions: [{credential_uid: "aws:key/ASIA2", time: 2026-03-02T10:00:00}]
    expected: []
  - name: a service goes on in the session with keys of its own; the record of a log-out is no use
    grants:
      - {child_uid: "aws:key/ASIA1", issued_at: 2026-03-02T08:00:00, expires_at: 2026-03-02T09:00:00}
      - {kind: revoke, mechanism: LOGOUT, action_uid: a3, child_uid: okta:session/org.example/s1, issued_at: 2026-03-02T09:00:00}
    actions:
      - {credential_uid: "aws:key/ASIA1", session_uid: "aws:session/AROA1:run@2026-03-02T08:00:00Z", time: 2026-03-02T08:30:00}
      - {credential_uid: "aws:key/ASIAFAS", session_uid: "aws:session/AROA1:run@2026-03-02T08:00:00Z", time: 2026-03-02T10:00:00}
      - {session_uid: okta:session/org.example/s1, time: 2026-03-02T12:00:00}
    expected: []
---*/

WITH uses AS (
    -- every action with how long before its record it began, in microseconds, and its session if that is all it names
    SELECT
        action_uid, worker, principal, credential_uid, session_uid, src_ip, time, chain_id, confidence, strength,
        manifest_sha, status, api_service, api_operation, dst_host,
        CASE WHEN time_kind <> 'start' THEN coalesce(duration_ms, 0) * 1000 ELSE 0 END AS took,
        CASE WHEN credential_uid IS NULL THEN session_uid END AS bare_session
    FROM attributed
),
issues AS (
    -- each credential that was issued on record, with its first issue and its latest expiry
    SELECT child_uid AS uid, min(issued_at) AS issued_at, max(expires_at) AS expires_at
    FROM grants WHERE kind = 'issue' AND child_uid IS NOT NULL
    GROUP BY child_uid
),
session_issues AS (
    -- each session, with the first issue and the latest expiry of itself and of the credentials seen in it
    SELECT uid, min(issued_at) AS issued_at, max(expires_at) AS expires_at
    FROM (
        SELECT u.session_uid AS uid, i.issued_at, i.expires_at
        FROM (SELECT DISTINCT session_uid, credential_uid FROM attributed WHERE session_uid IS NOT NULL) AS u
        JOIN issues AS i ON i.uid = u.credential_uid
        UNION ALL
        SELECT uid, issued_at, expires_at FROM issues
    ) AS known
    GROUP BY uid
),
turns AS (
    -- issues and revocations of each credential or principal in order, with the next issue after each
    SELECT
        uid, kind, mechanism, action_uid, happened_at,
        min(CASE WHEN kind = 'issue' THEN happened_at END) OVER (
            PARTITION BY uid ORDER BY happened_at, CASE kind WHEN 'issue' THEN 0 ELSE 1 END, grant_uid, action_uid
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS reissued_at
    FROM (
        SELECT coalesce(child_uid, principal) AS uid, kind, mechanism, action_uid, grant_uid, issued_at AS happened_at
        FROM grants
    ) AS events
    WHERE uid IS NOT NULL AND happened_at IS NOT NULL
),
revocations AS (
    -- each revocation, with when it was taken back
    SELECT uid, mechanism, action_uid, happened_at AS revoked_at, reissued_at FROM turns WHERE kind = 'revoke'
),
after_expiry AS (
    -- uses after the latest expiry of the credential, or of the session where the record names no credential
    SELECT
        u.action_uid, 'it expired' AS what, CAST(NULL AS VARCHAR) AS ended_by,
        coalesce(u.credential_uid, u.session_uid) AS entity,
        coalesce(c.expires_at, s.expires_at) AS ended_at
    FROM uses AS u
    LEFT JOIN issues AS c ON c.uid = u.credential_uid
    LEFT JOIN session_issues AS s ON s.uid = u.bare_session
    WHERE date_diff('microsecond', coalesce(c.expires_at, s.expires_at), u.time) - u.took > 300000000
),
after_revocation AS (
    -- uses of a revoked credential, or within a revoked session, before it was taken back
    SELECT
        n.action_uid, 'it was revoked' AS what, r.action_uid AS ended_by, n.uid AS entity, r.revoked_at AS ended_at
    FROM (
        SELECT action_uid, time, took, credential_uid AS uid FROM uses
        UNION ALL
        SELECT action_uid, time, took, session_uid AS uid FROM uses
    ) AS n
    JOIN revocations AS r
        ON r.uid = n.uid AND r.revoked_at < n.time AND (r.reissued_at IS NULL OR r.reissued_at > n.time)
    WHERE date_diff('microsecond', r.revoked_at, n.time) - n.took > 300000000
),
of_ended_principals AS (
    -- uses by a principal that was revoked, with the credential or session that was used
    SELECT u.action_uid, u.credential_uid, u.session_uid, r.mechanism, r.action_uid AS ended_by, r.revoked_at
    FROM uses AS u
    JOIN revocations AS r
        ON r.uid = u.principal AND r.revoked_at < u.time AND (r.reissued_at IS NULL OR r.reissued_at > u.time)
    -- who loses the password keeps the keys
    WHERE date_diff('microsecond', r.revoked_at, u.time) - u.took > 300000000 AND r.mechanism <> 'DeleteLoginProfile'
),
first_uses AS (
    -- when each credential or session of such principals was first seen
    SELECT coalesce(a.credential_uid, a.session_uid) AS uid, min(a.time) AS first_at
    FROM attributed AS a
    JOIN (SELECT DISTINCT uid FROM revocations) AS r ON r.uid = a.principal
    GROUP BY coalesce(a.credential_uid, a.session_uid)
),
after_principal AS (
    -- those whose credential is older than the revocation; one issued later shows that the principal is back
    SELECT
        p.action_uid,
        CASE p.mechanism WHEN 'AWSRevokeOlderSessions' THEN 'the older sessions of its role were revoked'
                         ELSE 'its principal was deleted or deactivated' END AS what,
        p.ended_by, coalesce(p.credential_uid, p.session_uid) AS entity, p.revoked_at AS ended_at
    FROM of_ended_principals AS p
    LEFT JOIN issues AS c ON c.uid = p.credential_uid
    LEFT JOIN session_issues AS s ON s.uid = p.session_uid
    LEFT JOIN first_uses AS f ON f.uid = coalesce(p.credential_uid, p.session_uid)
    WHERE CASE
        WHEN p.credential_uid IS NULL AND p.session_uid IS NULL THEN p.mechanism <> 'AWSRevokeOlderSessions'
        ELSE coalesce(
            c.issued_at,
            TRY_CAST(replace(regexp_extract(p.session_uid, '@([^@]*)$', 1), 'Z', '') AS TIMESTAMP),
            s.issued_at, f.first_at
        ) <= p.revoked_at
    END
),
validity AS (
    -- each version of a manifest with the worker's beginning and its end, whichever end comes first
    SELECT DISTINCT
        worker, manifest_sha, live_from, least(coalesce(live_until, revoked_at), coalesce(revoked_at, live_until)) AS ends_at,
        revoked_at IS NOT NULL AND revoked_at <= coalesce(live_until, revoked_at) AS is_revoked
    FROM manifest_versions
),
outside_validity AS (
    -- actions of a worker before its own beginning or after its own end
    SELECT
        u.action_uid,
        CASE WHEN u.time < v.live_from THEN 'its validity began'
             WHEN v.is_revoked THEN 'it was revoked' ELSE 'its validity ended' END AS what,
        CAST(NULL AS VARCHAR) AS ended_by, 'worker:id/' || u.worker AS entity,
        CASE WHEN u.time < v.live_from THEN v.live_from ELSE v.ends_at END AS ended_at
    FROM uses AS u
    JOIN validity AS v ON v.worker = u.worker AND v.manifest_sha = u.manifest_sha
    WHERE date_diff('microsecond', u.time, v.live_from) > 300000000
       OR date_diff('microsecond', v.ends_at, u.time) - u.took > 300000000
),
ends AS (
    -- each action with each thing that had ended (or not begun), the earliest end of each
    SELECT *, row_number() OVER (PARTITION BY action_uid, entity ORDER BY ended_at, what, ended_by) AS nth
    FROM (
        SELECT action_uid, what, ended_by, coalesce(entity, 'unknown') AS entity, ended_at FROM after_expiry
        UNION ALL SELECT action_uid, what, ended_by, coalesce(entity, 'unknown') AS entity, ended_at FROM after_revocation
        UNION ALL SELECT action_uid, what, ended_by, coalesce(entity, 'unknown') AS entity, ended_at FROM after_principal
        UNION ALL SELECT action_uid, what, ended_by, entity, ended_at FROM outside_validity
    ) AS every_end
),
recorded_ends AS (
    -- records that are themselves the evidence of a revocation: logging out is no use of a session
    SELECT DISTINCT action_uid FROM revocations WHERE action_uid IS NOT NULL
),
misuses AS (
    -- the uses with what had ended, how long ago, and in which words
    SELECT
        u.*, e.what, e.ended_by, e.ended_at,
        CASE e.entity WHEN 'unknown' THEN u.principal ELSE e.entity END AS entity,
        e.entity LIKE 'worker:id/%' AS of_worker,
        e.what = 'its validity began' AS is_early,
        abs(date_diff('microsecond', e.ended_at, u.time)) AS apart
    FROM ends AS e
    JOIN uses AS u ON u.action_uid = e.action_uid
    LEFT JOIN recorded_ends AS r ON r.action_uid = e.action_uid
    WHERE e.nth = 1 AND r.action_uid IS NULL
)
SELECT
    worker,
    principal,
    entity,
    action_uid,
    time,
    chain_id,
    CASE status WHEN 'success' THEN 'critical' WHEN 'unknown' THEN 'high' ELSE 'medium' END AS severity,
    confidence,
    coalesce(worker, principal, 'somebody unknown')
        || CASE WHEN of_worker AND status IN ('denied', 'failure') THEN ' tried to act '
                WHEN of_worker THEN ' acted '
                WHEN status IN ('denied', 'failure') THEN ' tried to use ' || entity || ' '
                ELSE ' used ' || entity || ' ' END
        || CASE WHEN apart < 7200000000 THEN CAST(CAST(floor(apart / 60000000.0) AS BIGINT) AS VARCHAR) || ' min '
                WHEN apart < 172800000000 THEN CAST(CAST(floor(apart / 3600000000.0) AS BIGINT) AS VARCHAR) || ' h '
                ELSE CAST(CAST(floor(apart / 86400000000.0) AS BIGINT) AS VARCHAR) || ' days ' END
        || CASE WHEN is_early THEN 'before ' ELSE 'after ' END || what AS title,
    {
        'expected': CASE WHEN is_early THEN 'no use before ' ELSE 'no use after ' END || CAST(ended_at AS VARCHAR) || ' UTC, when '
            || what,
        'seen': coalesce(api_service || ' ' || api_operation, dst_host, 'a call') || ' (' || status || ')',
        'ended_at': ended_at,
        'ended_by': ended_by,
        'seconds_apart': CAST(floor(apart / 1000000.0) AS BIGINT),
        'credential': credential_uid,
        'session': session_uid,
        'src_ip': src_ip,
        'attribution': strength
    } AS explanation,
    manifest_sha
FROM misuses
