/*---
id: human_use
version: 1
title: A person used a worker's credential
description: >
  A worker's identity signed in to a console, worked in a session that its issuer calls attended, or called from a
  browser or from a desktop system unlike its own past. What a worker did on three earlier days is its habit: a
  worker that always drives a browser is none. A browser in a proxy's log counts only where the worker has three
  days of past there and never used one.
severity: high
tags:
  - owasp.nhi10
  - owasp.nhi2
  - owasp.asi03
  - maestro.agent-impersonation
  - maestro.agent-identity-attack
  - nist.ai-rmf.govern-3.2
  - nist.ai-rmf.measure-2.8
  - attack.t1078.004
  - atlas.aml.t0012
look_alikes:
  - case: a worker that drives a browser, with or without a head
    separated_by: its own past (three earlier days), and agents that name themselves headless
  - case: an AWS service acts in the worker's session ("AWS Internal", cloudformation.amazonaws.com)
    separated_by: the agent is no browser, and the session did not come from the console
  - case: a broker that makes console links for people (GetSigninToken)
    separated_by: making a link is no sign-in; whoever opens it signs in under the session that it was made for
  - case: a failed sign-in, for which anybody can type the worker's name
    separated_by: one step lower, the name counts as claimed, and the title says "tried"
  - case: a delegated client takes out a token in the browser of its person
    separated_by: the grant names the person as delegator, whose presence is the point of it
  - case: a worker that runs on a desktop system
    separated_by: its own past
  - case: a break-glass drill
    separated_by: nothing in the logs; the finding stands and is to be acknowledged
tests:
  - name: the worker's user signs in to the console and works there, one finding
    actions:
      - {principal: "aws:user/arn:aws:iam::111122223333:user/w1", api_service: signin.amazonaws.com, api_operation: ConsoleLogin, obtains: self, supervised: attended, user_agent: "Mozilla/5.0 (X11)"}
      - {principal: "aws:user/arn:aws:iam::111122223333:user/w1", credential_uid: "aws:key/ASIA7", supervised: attended, api_service: iam.amazonaws.com, api_operation: ListUsers, user_agent: AWS Internal}
    scope_lines: [{service: [s3.amazonaws.com]}]
    expected:
      - {worker: w1, severity: high, entity: "aws:user/arn:aws:iam::111122223333:user/w1", evidence: [a1, a2], title: [signed in], explanation: [w1.yaml, ConsoleLogin]}
  - name: somebody types the worker's name at the console and fails
    actions:
      - {principal: "aws:user/arn:aws:iam::111122223333:user/w1", api_service: signin.amazonaws.com, api_operation: ConsoleLogin, status: denied, supervised: attended, identity_strength: asserted, strength: asserted, confidence: 0.8}
    expected: [{worker: w1, severity: low, entity: "aws:user/arn:aws:iam::111122223333:user/w1", title: [tried]}]
  - name: a static key is used from the cloud shell of the console
    actions:
      - {credential_uid: "aws:key/AKIA1", api_service: s3.amazonaws.com, api_operation: ListBuckets, user_agent: "aws-cli/2.15 md/awscrt exec-env/CloudShell", status: failure}
    expected: [{worker: w1, severity: medium, entity: "aws:role/arn:aws:iam::111122223333:role/w1"}]
  - name: a key that a server used for days now calls from a laptop
    actions:
      - {credential_uid: "aws:key/AKIA1", user_agent: Boto3/1.34 ua/2.0 os/linux#6.1, time: 2026-02-25T10:00:00}
      - {credential_uid: "aws:key/AKIA1", user_agent: Boto3/1.34 ua/2.0 os/linux#6.1, time: 2026-02-26T10:00:00}
      - {credential_uid: "aws:key/AKIA1", user_agent: Boto3/1.34 ua/2.0 os/linux#6.1, time: 2026-02-27T10:00:00}
      - {credential_uid: "aws:key/AKIA1", user_agent: aws-cli/2.24.10 md/awscrt#0.23.8 ua/2.1 os/macos#24.3.0, time: 2026-03-02T10:00:00}
    expected: [{worker: w1, severity: medium, entity: "aws:key/AKIA1", evidence: [a4], title: [desktop system]}]
  - name: the service account of a worker opens an application in a browser
    actions:
      - {category: token, principal: okta:user/org.example/00u1, api_service: okta, api_operation: user.session.start, credential_type: session, user_agent: python-requests/2.32, time: 2026-03-02T10:00:00}
      - {category: token, principal: okta:user/org.example/00u1, api_service: okta, api_operation: user.authentication.sso, user_agent: "Mozilla/5.0 (Macintosh)", time: 2026-03-02T10:01:00}
    expected: [{worker: w1, severity: high, entity: okta:user/org.example/00u1, evidence: [a1, a2]}]
  - name: a browser appears in the cloud calls of a worker with no past yet
    actions: [{credential_uid: "aws:key/ASIA1", user_agent: "Mozilla/5.0 (Windows NT 10.0)"}]
    expected: [{worker: w1, severity: medium, entity: "aws:role/arn:aws:iam::111122223333:role/w1", title: [browser]}]
  - name: a browser appears at the proxy where there never was one
    actions:
      - {category: proxy, principal: proxy:user/egress/w1, user_agent: agent/1, time: 2026-02-25T10:00:00}
      - {category: proxy, principal: proxy:user/egress/w1, user_agent: agent/1, time: 2026-02-26T10:00:00}
      - {category: proxy, principal: proxy:user/egress/w1, user_agent: agent/1, time: 2026-02-27T10:00:00}
      - {category: proxy, principal: proxy:user/egress/w1, user_agent: "Mozilla/5.0 (Macintosh)", time: 2026-03-02T10:00:00}
    expected: [{worker: w1, severity: low, entity: proxy:user/egress/w1, evidence: [a4]}]
  - name: a worker that has driven a browser from its first day at the proxy, and a headless one
    actions:
      - {category: proxy, principal: proxy:user/egress/w1, user_agent: "Mozilla/5.0 (X11) Chrome/133", time: 2026-02-25T10:00:00}
      - {category: proxy, principal: proxy:user/egress/w1, user_agent: agent/1, time: 2026-02-26T10:00:00}
      - {category: proxy, principal: proxy:user/egress/w1, user_agent: agent/1, time: 2026-02-27T10:00:00}
      - {category: proxy, principal: proxy:user/egress/w1, user_agent: "Mozilla/5.0 (X11) Chrome/134", time: 2026-03-02T10:00:00}
      - {category: proxy, worker: w2, principal: proxy:user/egress/w2, user_agent: "Mozilla/5.0 (X11) HeadlessChrome/133", time: 2026-03-02T10:00:00}
    expected: []
  - name: a worker that called from a browser on three earlier days, and one whose home is a desktop system
    actions:
      - {credential_uid: "aws:key/AKIA1", user_agent: aws-sdk-js/3 os/darwin, time: 2026-02-25T10:00:00}
      - {credential_uid: "aws:key/AKIA1", user_agent: aws-sdk-js/3 os/darwin, time: 2026-02-26T10:00:00}
      - {credential_uid: "aws:key/AKIA1", user_agent: aws-sdk-js/3 os/darwin, time: 2026-02-27T10:00:00}
      - {credential_uid: "aws:key/AKIA1", user_agent: aws-sdk-js/3 os/darwin, time: 2026-03-02T10:00:00}
    expected: []
  - name: a service acts in the session, a broker makes a link, and an SDK on a server
    actions:
      - {session_uid: "aws:session/A:x@t", user_agent: AWS Internal, src_ip: null}
      - {session_uid: "aws:session/A:x@t", user_agent: cloudformation.amazonaws.com, supervised: unattended}
      - {api_service: signin.amazonaws.com, api_operation: GetSigninToken, obtains: self, user_agent: python-requests/2.32}
      - {credential_uid: "aws:key/ASIA1", user_agent: "Boto3/1.34 ua/2.0 os/linux#6.1 md/arch#x86_64"}
    expected: []
  - name: people use consoles and browsers, and are no workers
    actions:
      - {worker: null, principal: "aws:user/arn:aws:iam::111122223333:user/ana", api_service: signin.amazonaws.com, api_operation: ConsoleLogin, supervised: attended}
      - {worker: null, category: token, principal: okta:user/org.example/00u9, api_service: okta, api_operation: user.session.start, user_agent: "Mozilla/5.0"}
    expected: []
  - name: a client takes tokens out, which is no session
    actions:
      - {category: token, principal: oauth:client/org.example#0oa1, api_service: okta, api_operation: app.oauth2.as.token.grant.access_token, obtains: self, user_agent: Boto3/1.34}
      - {category: token, principal: oauth:client/org.example#0oa1, api_service: okta, api_operation: app.oauth2.as.token.grant.access_token, obtains: self, delegator: okta:user/org.example/00u1, user_agent: "Mozilla/5.0 (Macintosh)"}
    expected: []
---*/

WITH sign_ins (service, operation) AS (
    -- operations by which a person comes in, or goes on, at a page
    VALUES
        ('signin.amazonaws.com', 'consolelogin'), ('signin.amazonaws.com', 'switchrole'),
        ('signin.amazonaws.com', 'exitrole'), ('signin.amazonaws.com', 'renewrole'),
        ('signin.amazonaws.com', 'checkmfa'), ('signin.amazonaws.com', 'authorizeoauth2access'),
        ('signin.amazonaws.com', 'createoauth2token'), ('sso.amazonaws.com', 'authenticate'),
        ('okta', 'user.authentication.sso'), ('okta', 'user.authentication.auth_via_mfa'),
        ('okta', 'user.authentication.verify'), ('okta', 'user.session.access_admin_app')
),
told AS (
    -- a worker's actions with what each says of a person: kind, in falling order of what it proves
    SELECT
        a.action_uid, a.worker, a.category, CAST(a.time AS DATE) AS day, a.user_agent IS NOT NULL AS has_agent,
        CASE
            WHEN s.operation IS NOT NULL THEN 'sign-in'
            WHEN a.supervised = 'attended'
                OR regexp_matches(lower(a.user_agent), '(signin|console)[.]amazonaws[.]com|s3console/|exec-env/cloudshell')
                THEN 'console'
            WHEN regexp_matches(lower(a.user_agent), '^[^a-z]*mozilla/')
                AND NOT regexp_matches(lower(a.user_agent), 'headless|playwright|puppeteer')
                AND NOT (a.delegator IS NOT NULL AND coalesce(a.obtains, '') = 'self') THEN 'browser'
            WHEN a.api_service = 'okta' AND a.api_operation = 'user.session.start' THEN 'session'
            WHEN regexp_matches(
                lower(a.user_agent), '(^| )(os/(macos|darwin|windows|win32)|darwin/|windows/|mac_os_x/)'
            ) THEN 'desktop'
        END AS kind
    FROM attributed AS a
    LEFT JOIN sign_ins AS s ON s.service = a.api_service AND s.operation = lower(a.api_operation)
    WHERE a.worker IS NOT NULL
),
own_days AS (
    -- the days on which each worker showed a client, with how many such days went before
    SELECT worker, category, day, row_number() OVER (PARTITION BY worker, category ORDER BY day) - 1 AS earlier
    FROM (SELECT DISTINCT worker, category, day FROM told WHERE has_agent) AS days
),
kind_days AS (
    -- the days on which each worker showed a kind, with how many such days went before
    SELECT
        worker, category, kind, day,
        row_number() OVER (PARTITION BY worker, category, kind ORDER BY day) - 1 AS earlier
    FROM (SELECT DISTINCT worker, category, kind, day FROM told WHERE kind IS NOT NULL) AS days
),
weighed AS (
    -- actions of a kind with the step of severity, 3 being high; 0 is a habit, or too little past to tell
    SELECT
        t.action_uid, t.kind, k.earlier AS kind_days, coalesce(o.earlier, 0) AS own_days,
        CASE
            WHEN t.kind IN ('sign-in', 'console') THEN 3
            WHEN t.category = 'proxy' THEN
                CASE WHEN t.kind = 'browser' AND o.earlier >= 3 AND k.earlier = 0 THEN 1 ELSE 0 END
            WHEN k.earlier >= 3 THEN 0
            WHEN t.kind = 'browser' THEN CASE WHEN o.earlier >= 3 THEN 3 ELSE 2 END
            WHEN t.kind = 'session' THEN 2
            WHEN o.earlier >= 3 THEN 2
            ELSE 0
        END AS step
    FROM told AS t
    JOIN kind_days AS k
        ON k.worker = t.worker AND k.category = t.category AND k.kind = t.kind AND k.day = t.day
    LEFT JOIN own_days AS o ON o.worker = t.worker AND o.category = t.category AND o.day = t.day
),
files AS (
    -- the file of each version of a manifest
    SELECT worker, manifest_sha, min(file) AS file FROM scope_lines GROUP BY worker, manifest_sha
),
human AS (
    -- the actions that point at a person
    SELECT
        a.*, w.kind, w.kind_days, w.own_days, f.file,
        a.status IN ('failure', 'denied') AS tried,
        w.step - CASE WHEN a.status IN ('failure', 'denied') THEN 1 ELSE 0 END AS step,
        CASE
            WHEN w.kind IN ('browser', 'desktop')
                AND (a.credential_uid LIKE 'aws:key/AKIA%' OR a.credential_uid LIKE 'okta:token/%') THEN a.credential_uid
            ELSE coalesce(a.principal, a.credential_uid, a.session_uid)
        END AS used
    FROM weighed AS w
    JOIN attributed AS a ON a.action_uid = w.action_uid
    LEFT JOIN files AS f ON f.worker = a.worker AND f.manifest_sha = a.manifest_sha
    WHERE w.step > 0
)
SELECT
    worker,
    principal,
    used AS entity,
    action_uid,
    time,
    chain_id,
    CASE step WHEN 3 THEN 'high' WHEN 2 THEN 'medium' WHEN 1 THEN 'low' ELSE 'info' END AS severity,
    confidence,
    'Somebody ' || CASE WHEN tried THEN 'tried to use ' ELSE 'used ' END || used || ' of ' || worker
        || CASE kind
            WHEN 'sign-in' THEN CASE WHEN tried THEN ' to sign in at ' ELSE ' and signed in at ' END || api_service
            WHEN 'console' THEN ' in the console'
            WHEN 'session' THEN ' to start a session at ' || coalesce(account, api_service)
            WHEN 'desktop' THEN ' from a desktop system'
            ELSE ' from a browser'
        END AS title,
    {
        'expected': 'no person uses the worker''s identity'
            || CASE WHEN kind IN ('sign-in', 'console') THEN '; no line of ' || coalesce(file, 'the manifest') || ' can allow it'
                    ELSE '; ' || kind || ' was seen on ' || CAST(kind_days AS VARCHAR) || ' of '
                        || CAST(own_days AS VARCHAR) || ' earlier days with a client in this kind of log' END,
        'seen': coalesce(api_service || ' ' || api_operation, dst_host, 'a call') || ' (' || status || ')',
        'sign': kind,
        'user_agent': user_agent,
        'supervised': supervised,
        'credential': credential_uid,
        'session': session_uid,
        'src_ip': src_ip,
        'manifest': file,
        'unseen': 'whether the caller used a second factor is in the record alone',
        'attribution': strength
    } AS explanation,
    manifest_sha
FROM human
