/*---
id: new_credential_or_policy
version: 1
title: A worker made a credential, an identity or a right
description: >
  A worker made an access key, password, token, client secret or SSH key, made a user, role or client, or changed a
  policy, a role's trust or an identity provider. It is no finding where the worker's manifest allows the very
  operation by its name. Rights and trust weigh more than a credential for somebody else or a new identity, and
  these more than a credential for the worker itself.
severity: critical
tags:
  - owasp.asi03
  - owasp.asi10
  - owasp.nhi5
  - owasp.nhi7
  - maestro.privilege-escalation
  - maestro.compromised-agents
  - nist.ai-rmf.measure-2.4
  - nist.ai-rmf.manage-4.1
  - attack.t1098
  - attack.t1098.001
  - attack.t1098.003
  - attack.t1136.003
  - attack.t1484.002
  - atlas.aml.t0091.000
look_alikes:
  - case: infrastructure as code that deploys roles and policies
    separated_by: an allow line of its manifest that names the operation; a pattern such as Create* names nothing
  - case: a worker that rotates its own key
    separated_by: one step lower than a key for others; low where it ended a key before the next one, as on earlier days
  - case: an administrator cuts off stolen sessions with the policy AWSRevokeOlderSessions
    separated_by: the record proves a revocation
  - case: a key is set inactive (the call is named as when it is made active again)
    separated_by: the record proves an end, not an issue
  - case: a role is given a policy of AWS that only reads
    separated_by: one step lower
  - case: a service makes its own service-linked role
    separated_by: that operation is not listed
tests:
  - name: a key for another user, and its first use
    actions:
      - {api_service: iam.amazonaws.com, api_operation: CreateAccessKey, obtains: other, resource_uid: "arn:aws:iam::111122223333:user/eve"}
      - {principal: "aws:user/arn:aws:iam::111122223333:user/eve", credential_uid: "aws:key/AKIA9", api_service: s3.amazonaws.com, api_operation: ListBuckets}
    grants: [{action_uid: a1, child_uid: "aws:key/AKIA9", mechanism: CreateAccessKey, strength: asserted}]
    scope_lines: [{service: [s3.amazonaws.com]}]
    expected:
      - {worker: w1, severity: high, entity: "arn:aws:iam::111122223333:user/eve", evidence: [a1], title: [w1 called CreateAccessKey], explanation: ["aws:key/AKIA9", "2026-03-02T10:02:00Z", w1.yaml]}
  - name: a password for somebody who then signs in; nobody is attributed to the sign-in
    actions:
      - {api_service: iam.amazonaws.com, api_operation: UpdateLoginProfile, obtains: other, resource_uid: "arn:aws:iam::111122223333:user/eve"}
      - {worker: null, principal: "aws:user/arn:aws:iam::111122223333:user/eve", api_service: signin.amazonaws.com, api_operation: ConsoleLogin, obtains: self}
    expected: [{worker: w1, severity: high, entity: "arn:aws:iam::111122223333:user/eve", explanation: ["2026-03-02T10:02:00Z"]}]
  - name: rights and trust are critical, an attempt one step lower, a policy that reads too
    actions:
      - {api_service: iam.amazonaws.com, api_operation: AttachRolePolicy, resource_uid: "arn:aws:iam::111122223333:role/x", resources: ["arn:aws:iam::111122223333:role/x", "arn:aws:iam::aws:policy/AdministratorAccess"]}
      - {api_service: iam.amazonaws.com, api_operation: UpdateAssumeRolePolicy, resource_uid: "arn:aws:iam::111122223333:role/y", status: denied}
      - {api_service: iam.amazonaws.com, api_operation: AttachUserPolicy, resource_uid: "arn:aws:iam::111122223333:user/z", resources: ["arn:aws:iam::111122223333:user/z", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}
      - {api_service: iam.amazonaws.com, api_operation: CreateSAMLProvider, resource_uid: "arn:aws:iam::111122223333:saml-provider/evil"}
    expected:
      - {worker: w1, severity: critical, entity: "arn:aws:iam::111122223333:role/x", explanation: [AdministratorAccess]}
      - {worker: w1, severity: high, entity: "arn:aws:iam::111122223333:role/y", title: [w1 tried to call UpdateAssumeRolePolicy]}
      - {worker: w1, severity: high, entity: "arn:aws:iam::111122223333:user/z"}
      - {worker: w1, severity: critical, entity: "arn:aws:iam::111122223333:saml-provider/evil"}
  - name: Okta, a client's secret, a token for a user, an administrator, a new identity provider
    actions:
      - {category: token, api_service: okta, api_operation: app.oauth2.credentials.lifecycle.create, obtains: other, resource_uid: 0oa1}
      - {category: token, api_service: okta, api_operation: system.api_token.create, obtains: other, resource_uid: 00T1}
      - {category: token, api_service: okta, api_operation: user.account.privilege.grant, resource_uid: 00u1}
      - {category: token, api_service: okta, api_operation: system.idp.lifecycle.create, resource_uid: 0oaidp}
    expected:
      - {worker: w1, severity: high, entity: 0oa1}
      - {worker: w1, severity: high, entity: 00T1}
      - {worker: w1, severity: critical, entity: 00u1}
      - {worker: w1, severity: critical, entity: 0oaidp}
  - name: a key for itself
    actions: [{principal: "aws:user/arn:aws:iam::111122223333:user/w1", api_service: iam.amazonaws.com, api_operation: CreateAccessKey, resource_uid: "arn:aws:iam::111122223333:user/w1"}]
    expected: [{worker: w1, severity: medium, entity: "arn:aws:iam::111122223333:user/w1"}]
  - name: an OAuth client makes a further secret for itself
    actions: [{category: token, principal: oauth:client/org.example#0oa1, api_service: okta, api_operation: app.oauth2.credentials.lifecycle.create, resource_uid: 0oa1}]
    expected: [{worker: w1, severity: medium, entity: 0oa1, title: [for itself]}]
  - name: the second rotation of its own key is a habit; a further key that ends none is not
    actions:
      - {principal: "aws:user/arn:aws:iam::111122223333:user/w1", api_service: iam.amazonaws.com, api_operation: CreateAccessKey, resource_uid: "arn:aws:iam::111122223333:user/w1", time: 2026-01-01T10:00:00}
      - {principal: "aws:user/arn:aws:iam::111122223333:user/w1", api_service: iam.amazonaws.com, api_operation: DeleteAccessKey, resource_uid: "arn:aws:iam::111122223333:user/w1", time: 2026-01-01T11:00:00}
      - {principal: "aws:user/arn:aws:iam::111122223333:user/w1", api_service: iam.amazonaws.com, api_operation: CreateAccessKey, resource_uid: "arn:aws:iam::111122223333:user/w1", time: 2026-02-01T10:00:00}
      - {principal: "aws:user/arn:aws:iam::111122223333:user/w1", api_service: iam.amazonaws.com, api_operation: UpdateAccessKey, resource_uid: "arn:aws:iam::111122223333:user/w1", time: 2026-02-01T11:00:00}
      - {principal: "aws:user/arn:aws:iam::111122223333:user/w1", api_service: iam.amazonaws.com, api_operation: CreateAccessKey, resource_uid: "arn:aws:iam::111122223333:user/w1", time: 2026-02-02T10:00:00}
    grants:
      - {action_uid: a2, kind: revoke, mechanism: DeleteAccessKey, child_uid: "aws:key/AKIA1", principal: "aws:user/arn:aws:iam::111122223333:user/w1", issued_at: 2026-01-01T11:00:00}
      - {action_uid: a4, kind: revoke, mechanism: UpdateAccessKey, child_uid: "aws:key/AKIA2", principal: "aws:user/arn:aws:iam::111122223333:user/w1", issued_at: 2026-02-01T11:00:00}
    expected:
      - {worker: w1, severity: medium, entity: "arn:aws:iam::111122223333:user/w1", evidence: [a1]}
      - {worker: w1, severity: low, entity: "arn:aws:iam::111122223333:user/w1", evidence: [a3], explanation: [rotation]}
      - {worker: w1, severity: medium, entity: "arn:aws:iam::111122223333:user/w1", evidence: [a5]}
  - name: an allow line that is a pattern does not name the operation
    actions: [{api_service: iam.amazonaws.com, api_operation: CreateUser, resource_uid: "arn:aws:iam::111122223333:user/eve"}]
    verdicts: [{action_uid: a1, verdict: allow, file: w1.yaml, line: 7}]
    scope_lines: [{line: 7, operations: ["Create*"]}, {line: 8, operations: [CreateUser]}]
    expected: [{worker: w1, severity: high, entity: "arn:aws:iam::111122223333:user/eve", explanation: ["w1.yaml:7"]}]
  - name: the deployer of roles is allowed by name
    actions:
      - {api_service: iam.amazonaws.com, api_operation: PutRolePolicy, resource_uid: "arn:aws:iam::111122223333:role/app"}
      - {category: token, api_service: okta, api_operation: system.api_token.create, obtains: other, resource_uid: 00T1}
    verdicts: [{action_uid: a1, verdict: allow, file: w1.yaml, line: 7}, {action_uid: a2, verdict: allow, file: w1.yaml, line: 8}]
    scope_lines: [{line: 7, operations: [CreateRole, PutRolePolicy]}, {line: 8, operations: [system.api_token.create]}]
    expected: []
  - name: sessions are cut off, a key is set inactive
    actions:
      - {api_service: iam.amazonaws.com, api_operation: PutRolePolicy, resource_uid: "arn:aws:iam::111122223333:role/app"}
      - {api_service: iam.amazonaws.com, api_operation: UpdateAccessKey, resource_uid: "arn:aws:iam::111122223333:user/eve"}
    grants:
      - {action_uid: a1, kind: revoke, mechanism: AWSRevokeOlderSessions, child_uid: "aws:role/arn:aws:iam::111122223333:role/app"}
      - {action_uid: a2, kind: revoke, mechanism: UpdateAccessKey, child_uid: "aws:key/AKIA9"}
    expected: []
  - name: people make keys; a worker lists them, takes on a role, takes out a token; a service-linked role is made
    actions:
      - {worker: null, principal: "aws:user/arn:aws:iam::111122223333:user/admin", api_service: iam.amazonaws.com, api_operation: CreateAccessKey, obtains: other}
      - {api_service: iam.amazonaws.com, api_operation: ListAccessKeys}
      - {api_service: iam.amazonaws.com, api_operation: CreateServiceLinkedRole}
      - {api_service: sts.amazonaws.com, api_operation: AssumeRole, obtains: self}
      - {category: token, api_service: okta, api_operation: app.oauth2.as.token.grant.access_token, obtains: self}
    expected: []
---*/

WITH listed (service, operation, power) AS (
    -- operations, in lower case, that make a credential or an identity, or give rights or trust
    VALUES
        ('iam.amazonaws.com', 'createaccesskey', 'credential'),
        ('iam.amazonaws.com', 'updateaccesskey', 'credential'),
        ('iam.amazonaws.com', 'createloginprofile', 'credential'),
        ('iam.amazonaws.com', 'updateloginprofile', 'credential'),
        ('iam.amazonaws.com', 'createservicespecificcredential', 'credential'),
        ('iam.amazonaws.com', 'resetservicespecificcredential', 'credential'),
        ('iam.amazonaws.com', 'uploadsshpublickey', 'credential'),
        ('iam.amazonaws.com', 'uploadsigningcertificate', 'credential'),
        ('iam.amazonaws.com', 'enablemfadevice', 'credential'),
        ('iam.amazonaws.com', 'deactivatemfadevice', 'credential'),
        ('iam.amazonaws.com', 'createuser', 'identity'),
        ('iam.amazonaws.com', 'createrole', 'identity'),
        ('iam.amazonaws.com', 'attachuserpolicy', 'rights'),
        ('iam.amazonaws.com', 'attachrolepolicy', 'rights'),
        ('iam.amazonaws.com', 'attachgrouppolicy', 'rights'),
        ('iam.amazonaws.com', 'putuserpolicy', 'rights'),
        ('iam.amazonaws.com', 'putrolepolicy', 'rights'),
        ('iam.amazonaws.com', 'putgrouppolicy', 'rights'),
        ('iam.amazonaws.com', 'createpolicyversion', 'rights'),
        ('iam.amazonaws.com', 'setdefaultpolicyversion', 'rights'),
        ('iam.amazonaws.com', 'addusertogroup', 'rights'),
        ('iam.amazonaws.com', 'addroletoinstanceprofile', 'rights'),
        ('iam.amazonaws.com', 'deleteuserpermissionsboundary', 'rights'),
        ('iam.amazonaws.com', 'deleterolepermissionsboundary', 'rights'),
        ('iam.amazonaws.com', 'putuserpermissionsboundary', 'rights'),
        ('iam.amazonaws.com', 'putrolepermissionsboundary', 'rights'),
        ('iam.amazonaws.com', 'updateassumerolepolicy', 'trust'),
        ('iam.amazonaws.com', 'createsamlprovider', 'trust'),
        ('iam.amazonaws.com', 'updatesamlprovider', 'trust'),
        ('iam.amazonaws.com', 'createopenidconnectprovider', 'trust'),
        ('iam.amazonaws.com', 'addclientidtoopenidconnectprovider', 'trust'),
        ('iam.amazonaws.com', 'updateopenidconnectproviderthumbprint', 'trust'),
        ('rolesanywhere.amazonaws.com', 'createtrustanchor', 'trust'),
        ('rolesanywhere.amazonaws.com', 'updatetrustanchor', 'trust'),
        ('rolesanywhere.amazonaws.com', 'createprofile', 'trust'),
        ('ec2.amazonaws.com', 'associateiaminstanceprofile', 'rights'),
        ('ec2.amazonaws.com', 'replaceiaminstanceprofileassociation', 'rights'),
        ('ec2.amazonaws.com', 'createkeypair', 'credential'),
        ('ec2.amazonaws.com', 'importkeypair', 'credential'),
        ('ec2-instance-connect.amazonaws.com', 'sendsshpublickey', 'credential'),
        ('ec2-instance-connect.amazonaws.com', 'sendserialconsolesshpublickey', 'credential'),
        ('transfer.amazonaws.com', 'importsshpublickey', 'credential'),
        ('apigateway.amazonaws.com', 'createapikey', 'credential'),
        ('appsync.amazonaws.com', 'createapikey', 'credential'),
        ('eks.amazonaws.com', 'createaccessentry', 'rights'),
        ('eks.amazonaws.com', 'associateaccesspolicy', 'rights'),
        ('sso.amazonaws.com', 'createaccountassignment', 'rights'),
        ('sso.amazonaws.com', 'attachmanagedpolicytopermissionset', 'rights'),
        ('sso.amazonaws.com', 'attachcustomermanagedpolicyreferencetopermissionset', 'rights'),
        ('sso.amazonaws.com', 'putinlinepolicytopermissionset', 'rights'),
        ('identitystore.amazonaws.com', 'createuser', 'identity'),
        ('sso-directory.amazonaws.com', 'createuser', 'identity'),
        ('organizations.amazonaws.com', 'createaccount', 'identity'),
        ('okta', 'system.api_token.create', 'credential'),
        ('okta', 'app.oauth2.credentials.lifecycle.create', 'credential'),
        ('okta', 'app.oauth2.credentials.lifecycle.activate', 'credential'),
        ('okta', 'user.account.reset_password', 'credential'),
        ('okta', 'user.account.update_password', 'credential'),
        ('okta', 'user.mfa.factor.activate', 'credential'),
        ('okta', 'user.mfa.factor.reset_all', 'credential'),
        ('okta', 'user.lifecycle.create', 'identity'),
        ('okta', 'application.lifecycle.create', 'identity'),
        ('okta', 'app.oauth2.client.lifecycle.create', 'identity'),
        ('okta', 'user.account.privilege.grant', 'rights'),
        ('okta', 'group.privilege.grant', 'rights'),
        ('okta', 'iam.resourceset.bindings.add', 'rights'),
        ('okta', 'user.session.impersonation.grant', 'rights'),
        ('okta', 'system.idp.lifecycle.create', 'trust'),
        ('okta', 'system.idp.lifecycle.activate', 'trust'),
        ('okta', 'system.idp.lifecycle.update', 'trust')
),
makings AS (
    -- what workers did of this, with the words for it
    SELECT
        a.*, l.power,
        a.status IN ('failure', 'denied') AS tried,
        coalesce(a.resource_uid, a.api_service) AS target,
        l.power = 'credential' AND coalesce(a.obtains, 'self') = 'self'
            AND (a.obtains = 'self'
                OR (a.api_service = 'iam.amazonaws.com' AND a.principal LIKE 'aws:user/%'
                    AND 'aws:user/' || coalesce(a.resource_uid, substr(a.principal, 10)) = a.principal)
                OR (a.api_service = 'okta' AND coalesce(
                    ends_with(a.principal, '#' || a.resource_uid) OR ends_with(a.principal, '/' || a.resource_uid), FALSE
                ))) AS is_own,
        regexp_matches(
            coalesce(array_to_string(a.resources, ' '), ''), ':iam::aws:policy/[^ ]*(ReadOnlyAccess|ViewOnlyAccess|SecurityAudit)( |$)'
        ) AS is_reading
    FROM attributed AS a
    JOIN listed AS l ON l.service = lower(a.api_service) AND l.operation = lower(a.api_operation)
    WHERE a.worker IS NOT NULL
),
ends AS (
    -- actions that prove an end: a key set inactive or deleted, sessions cut off
    SELECT g.action_uid, min(g.principal) AS principal, min(g.mechanism) AS mechanism
    FROM grants AS g WHERE g.kind = 'revoke' AND g.action_uid IS NOT NULL
    GROUP BY g.action_uid
),
allowed_by_name AS (
    -- actions that an allow line decided which names the operation itself (a line's patterns escape _)
    SELECT DISTINCT v.action_uid
    FROM verdicts AS v
    JOIN makings AS a ON a.action_uid = v.action_uid
    JOIN scope_lines AS s
        ON s.worker = a.worker AND s.manifest_sha = a.manifest_sha AND s.file = v.file AND s.line = v.line
    WHERE v.verdict = 'allow' AND s.effect = 'allow'
        AND list_contains(s.operations, replace(a.api_operation, '_', '\_'))
),
turns AS (
    -- each worker's new keys for its own user, and the ends of that user's keys, in order
    SELECT worker, principal, action_uid, time, 'made' AS turn
    FROM makings WHERE is_own AND api_operation = 'CreateAccessKey' AND NOT tried
    UNION ALL
    SELECT a.worker, e.principal, a.action_uid, a.time, 'ended'
    FROM ends AS e
    JOIN attributed AS a ON a.action_uid = e.action_uid
    WHERE a.worker IS NOT NULL AND e.mechanism IN ('DeleteAccessKey', 'UpdateAccessKey')
),
rotations AS (
    -- new keys after which the worker ended a key before it made the next, as it had done on an earlier day
    SELECT action_uid FROM (
        SELECT
            action_uid, turn, CAST(time AS DATE) AS day,
            lead(turn) OVER (PARTITION BY worker, principal ORDER BY time, turn, action_uid) AS next_turn,
            min(CASE WHEN turn = 'ended' THEN CAST(time AS DATE) END) OVER (
                PARTITION BY worker, principal ORDER BY time, turn, action_uid
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS first_ended
        FROM turns
    ) AS ordered
    WHERE turn = 'made' AND next_turn = 'ended' AND first_ended < day
),
made AS (
    -- the credential that each call gave out
    SELECT g.action_uid, min(g.child_uid) AS child_uid
    FROM grants AS g
    JOIN makings AS m ON m.action_uid = g.action_uid
    WHERE g.kind = 'issue'
    GROUP BY g.action_uid
),
used AS (
    -- when what was made was first used: the credential, or the password by a sign-in of its user
    SELECT action_uid, min(time) AS used_at FROM (
        SELECT m.action_uid, a.time
        FROM made AS m JOIN attributed AS a ON a.credential_uid = m.child_uid
        UNION ALL
        SELECT m.action_uid, a.time
        FROM makings AS m
        JOIN attributed AS a ON a.principal = 'aws:user/' || m.resource_uid
        WHERE lower(m.api_operation) IN ('createloginprofile', 'updateloginprofile')
            AND a.api_operation = 'ConsoleLogin' AND a.status = 'success' AND a.time >= m.time
    ) AS uses GROUP BY action_uid
),
files AS (
    -- the file of each version of a manifest
    SELECT worker, manifest_sha, min(file) AS file FROM scope_lines GROUP BY worker, manifest_sha
),
weighed AS (
    -- those that no line allows by name, with the step of severity, 4 being critical
    SELECT
        m.*, c.child_uid, u.used_at, r.action_uid IS NOT NULL AS is_rotation, f.file AS manifest,
        v.verdict || ' by ' || coalesce(v.file || ':' || CAST(v.line AS VARCHAR), 'no line') AS verdict,
        CASE
            WHEN m.power IN ('rights', 'trust') THEN CASE WHEN m.is_reading THEN 3 ELSE 4 END
            WHEN NOT m.is_own THEN 3
            WHEN r.action_uid IS NOT NULL THEN 1
            ELSE 2
        END - CASE WHEN m.tried THEN 1 ELSE 0 END AS step
    FROM makings AS m
    LEFT JOIN allowed_by_name AS n ON n.action_uid = m.action_uid
    LEFT JOIN ends AS e ON e.action_uid = m.action_uid
    LEFT JOIN rotations AS r ON r.action_uid = m.action_uid
    LEFT JOIN made AS c ON c.action_uid = m.action_uid
    LEFT JOIN used AS u ON u.action_uid = m.action_uid
    LEFT JOIN verdicts AS v ON v.action_uid = m.action_uid
    LEFT JOIN files AS f ON f.worker = m.worker AND f.manifest_sha = m.manifest_sha
    WHERE n.action_uid IS NULL AND e.action_uid IS NULL
)
SELECT
    worker,
    principal,
    target AS entity,
    action_uid,
    time,
    chain_id,
    CASE step WHEN 4 THEN 'critical' WHEN 3 THEN 'high' WHEN 2 THEN 'medium' WHEN 1 THEN 'low' ELSE 'info' END AS severity,
    confidence,
    worker || CASE WHEN tried THEN ' tried to call ' ELSE ' called ' END || api_operation || ' on ' || target
        || CASE power
            WHEN 'rights' THEN ', which gives rights' WHEN 'trust' THEN ', which changes who is trusted'
            WHEN 'identity' THEN ', which makes an identity'
            ELSE CASE WHEN is_own THEN ', a credential for itself' ELSE ', a credential for another' END
        END AS title,
    {
        'expected': 'no worker does this unless an allow line of ' || coalesce(manifest, 'its manifest')
            || ' names the operation',
        'seen': api_service || ' ' || api_operation || ' (' || status || ')'
            || CASE WHEN is_rotation THEN ', a rotation as on earlier days' ELSE '' END,
        'power': power,
        'verdict': verdict,
        'target': target,
        'resources': resources,
        'made': child_uid,
        'first_used_at': used_at,
        'account': account,
        'error': error,
        'credential': credential_uid,
        'unseen': CASE WHEN power IN ('rights', 'trust') THEN 'what the policy says is in the record alone' END,
        'attribution': strength
    } AS explanation,
    manifest_sha
FROM weighed
