/*---
id: out_of_scope
version: 2
title: A worker acted outside its scope
description: >
  The manifest in force at the time neither allows the call (no line matches) nor leaves it open (a deny line
  matches). Calls that failed or were refused count too: they say what the worker went for.
severity: high
tags:
  - owasp.asi02
  - owasp.asi03
  - owasp.nhi5
  - maestro.agent-tool-misuse
  - maestro.privilege-escalation
  - nist.ai-rmf.measure-2.4
  - nist.ai-rmf.manage-4.1
  - attack.t1078.004
  - atlas.aml.t0053
look_alikes:
  - case: calls that an SDK makes by itself when it starts (GetCallerIdentity, DescribeRegions)
    separated_by: a short list of calls that give nothing away, reported as info
  - case: a host that is an endpoint of an allowed service, or the bucket of an allowed object
    separated_by: the verdict (the manifest's semantics), not this detector
  - case: a call that failed for another reason than the caller's rights
    separated_by: one step lower, and the title says "tried"
  - case: a new release needs one more call
    separated_by: nothing in the logs; the finding names the line to add, and a manifest in force later does not change it
tests:
  - name: an object of a bucket that no line names
    actions:
      - {api_service: s3.amazonaws.com, api_operation: GetObject, resource_uid: "arn:aws:s3:::payroll/2026/march.csv"}
      - {api_service: s3.amazonaws.com, api_operation: GetObject, resource_uid: "arn:aws:s3:::payroll/2026/april.csv"}
    verdicts:
      - {action_uid: a1, verdict: out, resource: "arn:aws:s3:::payroll/2026/march.csv"}
      - {action_uid: a2, verdict: out}
    manifest_versions:
      - {file: workers/w1.yaml, valid_from: 2026-01-01T00:00:00, valid_to: 2026-03-02T12:00:00}
      - {file: elsewhere.yaml, valid_from: 2026-03-02T12:00:00, valid_to: 2200-01-01T00:00:00}
    expected:
      - {worker: w1, severity: high, entity: "arn:aws:s3:::payroll", evidence: [a1, a2],
         explanation: [no line of workers/w1.yaml matches],
         title: ["w1 read arn:aws:s3:::payroll/2026/march.csv outside its scope"]}
  - name: a version that came into force twice is one file
    actions: [{api_service: sqs.amazonaws.com, api_operation: SendMessage, resource_uid: "arn:aws:sqs:eu-west-1:111122223333:q"}]
    verdicts: [{action_uid: a1, verdict: out}]
    manifest_versions:
      - {file: w1.yaml, valid_from: 2026-01-01T00:00:00, valid_to: 2026-02-01T00:00:00}
      - {file: w1.yaml, valid_from: 2026-03-01T00:00:00, valid_to: 2200-01-01T00:00:00}
    expected:
      - {worker: w1, severity: high, entity: "arn:aws:sqs:eu-west-1:111122223333:q", evidence: [a1], explanation: [no line of w1.yaml matches]}
  - name: an explicit deny names the deciding line
    actions:
      - {api_service: dynamodb.amazonaws.com, api_operation: PutItem, resource_uid: "arn:aws:dynamodb:eu-west-1:111122223333:table/ledger/index/by-day"}
    verdicts: [{action_uid: a1, verdict: deny, file: w1.yaml, line: 12}]
    expected:
      - {worker: w1, severity: high, entity: "arn:aws:dynamodb:eu-west-1:111122223333:table/ledger", explanation: ["w1.yaml:12"], title: [which its scope denies]}
  - name: a delete is critical, an attempted one is one step lower
    actions:
      - {api_service: s3.amazonaws.com, api_operation: DeleteObject, resource_uid: "arn:aws:s3:::cases/1"}
      - {api_service: s3.amazonaws.com, api_operation: DeleteObject, resource_uid: "arn:aws:s3:::other/1", status: denied}
    verdicts:
      - {action_uid: a1, verdict: deny, file: w1.yaml, line: 3}
      - {action_uid: a2, verdict: out, tried: true}
    expected:
      - {worker: w1, severity: critical, entity: "arn:aws:s3:::cases", title: [w1 deleted]}
      - {worker: w1, severity: high, entity: "arn:aws:s3:::other", title: [w1 tried to delete]}
  - name: a key for somebody else, and rights attached
    actions:
      - {api_service: iam.amazonaws.com, api_operation: CreateAccessKey, obtains: other, resource_uid: "arn:aws:iam::111122223333:user/eve"}
      - {api_service: iam.amazonaws.com, api_operation: AttachRolePolicy, resource_uid: "arn:aws:iam::111122223333:role/x"}
    verdicts: [{action_uid: a1, verdict: out}, {action_uid: a2, verdict: out}]
    expected:
      - {worker: w1, severity: critical, entity: "arn:aws:iam::111122223333:user/eve"}
      - {worker: w1, severity: critical, entity: "arn:aws:iam::111122223333:role/x"}
  - name: reading in an account that belongs to nobody we know
    actions:
      - {api_service: sqs.amazonaws.com, api_operation: ReceiveMessage, account: "111122223333", resource_uid: "arn:aws:sqs:eu-west-1:999988887777:q"}
      - {api_service: sqs.amazonaws.com, api_operation: ReceiveMessage, account: "444455556666", resource_uid: "arn:aws:sqs:eu-west-1:444455556666:q"}
    identities: [{worker: w2, uid: "aws:role/arn:aws:iam::444455556666:role/w2"}]
    verdicts: [{action_uid: a1, verdict: out}, {action_uid: a2, verdict: out}]
    expected:
      - {worker: w1, severity: critical, entity: "arn:aws:sqs:eu-west-1:999988887777:q", explanation: ["999988887777"]}
      - {worker: w1, severity: high, entity: "arn:aws:sqs:eu-west-1:444455556666:q"}
  - name: a host, a model and a tool server
    actions:
      - {category: proxy, principal: proxy:user/egress/w1, http_method: POST, dst_host: Paste.example, url_path: /new}
      - {category: model, api_service: bedrock.amazonaws.com, api_operation: invoke, model: big-model-1, resource_uid: big-model-1}
      - {category: tool, api_service: mcp, api_operation: tools/call, tool: run_sql, account: warehouse, resource_uid: run_sql}
    verdicts: [{action_uid: a1, verdict: out}, {action_uid: a2, verdict: out}, {action_uid: a3, verdict: out}]
    expected:
      - {worker: w1, severity: high, entity: paste.example, title: ["w1 sent POST to paste.example/new outside its scope"]}
      - {worker: w1, severity: high, entity: big-model-1}
      - {worker: w1, severity: high, entity: warehouse}
  - name: what a format could not observe is said
    actions: [{category: proxy, http_method: CONNECT, dst_host: files.example, dst_port: 443, status: denied, strength: inferred, confidence: 0.8}]
    verdicts: [{action_uid: a1, verdict: out, tried: true, unseen: [methods, paths]}]
    expected:
      - {worker: w1, severity: low, entity: files.example, title: [w1 tried to connect to files.example], explanation: [methods, paths, under 0.9]}
  - name: a document outside scope is named in the title, without control characters
    actions:
      - {api_service: s3.amazonaws.com, api_operation: PutObject, resource_uid: "arn:aws:s3:::b/\e[31mred"}
    verdicts: [{action_uid: a1, verdict: out}]
    expected:
      - {worker: w1, severity: high, entity: "arn:aws:s3:::b", title: ["w1 wrote arn:aws:s3:::b/\ufffd[31mred"]}
  - name: what is allowed is no finding, however large
    actions:
      - {api_service: s3.amazonaws.com, api_operation: DeleteObject, resource_uid: "arn:aws:s3:::cases/1"}
      - {api_service: iam.amazonaws.com, api_operation: CreateAccessKey, obtains: other}
    verdicts: [{action_uid: a1, verdict: allow, file: w1.yaml, line: 4}, {action_uid: a2, verdict: allow, file: w1.yaml, line: 5}]
    expected: []
  - name: an allowed call that failed is no attempt at anything
    actions: [{api_service: s3.amazonaws.com, api_operation: GetObject, resource_uid: "arn:aws:s3:::cases/none", status: failure, error: NoSuchKey}]
    verdicts: [{action_uid: a1, verdict: allow, file: w1.yaml, line: 4}]
    expected: []
  - name: an action without a verdict (of nobody, or one that obtains a credential for its caller) is not judged here
    actions:
      - {worker: null, api_service: s3.amazonaws.com, api_operation: DeleteBucket, resource_uid: "arn:aws:s3:::cases"}
      - {api_service: sts.amazonaws.com, api_operation: AssumeRole, obtains: self}
    expected: []
  - name: a record that says next to nothing
    actions: [{principal: null}, {category: proxy}, {category: tool}]
    verdicts: [{action_uid: a1, verdict: out}, {action_uid: a2, verdict: out}, {action_uid: a3, verdict: out}]
    expected:
      - {worker: w1, severity: high, entity: unknown, title: [w1 called], evidence: [a1, a3]}
      - {worker: w1, severity: high, entity: "", title: [w1 sent a request to]}
  - name: what an SDK asks when it starts is worth a note only
    actions: [{api_service: sts.amazonaws.com, api_operation: GetCallerIdentity}]
    verdicts: [{action_uid: a1, verdict: out}]
    expected: [{worker: w1, severity: info, entity: sts.amazonaws.com}]
---*/

WITH powers (service, operation, power) AS (
    -- operations, as patterns in lower case, that delete, administer or make credentials; the service `%` is any
    VALUES
        ('%', 'delete%', 'delete'), ('%', '%.delete%', 'delete'), ('%', '%/delete', 'delete'),
        ('%', 'batchdelete%', 'delete'), ('%', 'terminate%', 'delete'), ('%', 'remove%', 'delete'),
        ('%', 'destroy%', 'delete'), ('%', '%.destroy%', 'delete'), ('%', 'purge%', 'delete'),
        ('kms.amazonaws.com', 'schedulekeydeletion', 'delete'), ('kms.amazonaws.com', 'disablekey', 'delete'),
        ('s3.amazonaws.com', 'putbucketlifecycle%', 'delete'), ('s3.amazonaws.com', 'putlifecycle%', 'delete'),
        ('iam.amazonaws.com', 'create%', 'admin'), ('iam.amazonaws.com', 'attach%', 'admin'),
        ('iam.amazonaws.com', 'detach%', 'admin'), ('iam.amazonaws.com', 'put%', 'admin'),
        ('iam.amazonaws.com', 'add%', 'admin'), ('iam.amazonaws.com', 'update%', 'admin'),
        ('iam.amazonaws.com', 'set%', 'admin'), ('iam.amazonaws.com', 'upload%', 'admin'),
        ('iam.amazonaws.com', 'deactivate%', 'admin'), ('iam.amazonaws.com', 'enable%', 'admin'),
        ('iam.amazonaws.com', 'passrole', 'admin'),
        ('organizations.amazonaws.com', 'attach%', 'admin'), ('organizations.amazonaws.com', 'create%', 'admin'),
        ('organizations.amazonaws.com', 'leave%', 'admin'), ('organizations.amazonaws.com', 'update%', 'admin'),
        ('sso.amazonaws.com', 'create%', 'admin'), ('sso.amazonaws.com', 'attach%', 'admin'),
        ('sso.amazonaws.com', 'put%', 'admin'),
        ('%', 'put%policy', 'admin'), ('%', 'set%policy', 'admin'), ('%', '%.setiampolic%', 'admin'),
        ('%', '%.setiampermissions', 'admin'), ('%', 'add%permission', 'admin'), ('%', 'addpermission%', 'admin'),
        ('s3.amazonaws.com', 'putbucketacl', 'admin'), ('s3.amazonaws.com', 'putobjectacl', 'admin'),
        ('s3.amazonaws.com', '%publicaccessblock', 'admin'), ('s3.amazonaws.com', 'putbucketreplication', 'admin'),
        ('ec2.amazonaws.com', 'modifysnapshotattribute', 'admin'), ('ec2.amazonaws.com', 'modifyimageattribute', 'admin'),
        ('ec2.amazonaws.com', 'authorizesecuritygroup%', 'admin'), ('kms.amazonaws.com', 'creategrant', 'admin'),
        ('%', '%/roleassignments/write', 'admin'), ('%', '%/roledefinitions/write', 'admin'),
        ('kubernetes', 'create %rolebindings', 'admin'), ('kubernetes', '% clusterroles', 'admin'),
        ('okta', '%.privilege.grant', 'admin'), ('okta', 'policy.%.update', 'admin'),
        ('github', 'org.add_member', 'admin'), ('github', 'repo.add_member', 'admin'),
        ('github', 'repo.access', 'admin'), ('github', 'protected_branch.%', 'admin'),
        ('%', '%api_token.create', 'credential'), ('%', '%createserviceaccountkey', 'credential'),
        ('%', 'createkeypair', 'credential'), ('%', '%.credentials.%create%', 'credential'),
        ('%', '%/listkeys/action', 'credential'), ('kubernetes', 'create serviceaccounts/token', 'credential'),
        ('github', 'personal_access_token.%create%', 'credential'), ('github', 'deploy_key.create', 'credential')
),
start_up (service, operation) AS (
    -- calls that libraries make by themselves and that give nothing away
    VALUES
        ('sts.amazonaws.com', 'GetCallerIdentity'),
        ('ec2.amazonaws.com', 'DescribeRegions'),
        ('ec2.amazonaws.com', 'DescribeAvailabilityZones')
),
outside AS (
    -- actions that the manifest in force denied or did not allow, with what was acted on
    SELECT
        a.action_uid, a.worker, a.principal, a.time, a.chain_id, a.confidence, a.strength, a.manifest_sha, a.status,
        a.error, a.category, a.api_service, a.api_operation, a.account, a.region, a.obtains, a.http_method,
        v.verdict, coalesce(v.tried, FALSE) AS tried, v.file, v.line, v.unseen, m.file AS manifest_file,
        lower(coalesce(a.dst_host, a.dst_ip, '')) AS host,
        CASE
            WHEN a.category = 'proxy' THEN lower(coalesce(a.dst_host, a.dst_ip, '')) || coalesce(a.url_path, '')
            WHEN a.category = 'model' THEN coalesce(a.model, v.resource, a.resource_uid, a.api_service, 'unknown')
            WHEN a.category = 'tool' THEN coalesce(a.tool, v.resource, a.resource_uid, a.api_service, 'unknown')
            ELSE coalesce(v.resource, a.resource_uid, a.api_service, 'unknown')
        END AS object
    FROM verdicts AS v
    JOIN attributed AS a ON a.action_uid = v.action_uid
    LEFT JOIN manifest_versions AS m
        ON m.worker = a.worker AND m.manifest_sha = a.manifest_sha AND a.time >= m.valid_from AND a.time < m.valid_to
    WHERE v.verdict IN ('deny', 'out')
),
operations AS (
    -- each operation among them that has a power, with the first of its powers
    SELECT o.api_service, o.api_operation, min(p.power) AS power
    FROM (SELECT DISTINCT api_service, api_operation FROM outside WHERE api_operation IS NOT NULL) AS o
    JOIN powers AS p ON lower(o.api_service) LIKE p.service AND lower(o.api_operation) LIKE p.operation
    GROUP BY o.api_service, o.api_operation
),
objects AS (
    -- each thing acted on, with what contains it: bucket, table, function, log group, secret, Azure resource
    SELECT
        object,
        regexp_extract(object, '^arn:[^:]*:[^:]*:[^:]*:([0-9]{12}):', 1) AS object_account,
        CASE
            WHEN object LIKE 'arn:aws%:s3:%:accesspoint/%' THEN regexp_extract(object, '^([^/]+/[^/]+)', 1)
            WHEN object LIKE 'arn:aws%:s3:::%' THEN split_part(object, '/', 1)
            WHEN object LIKE 'arn:aws%:dynamodb:%' THEN regexp_extract(object, '^([^/]+/[^/]+)', 1)
            WHEN object LIKE 'arn:aws%:lambda:%' OR object LIKE 'arn:aws%:logs:%'
                THEN regexp_extract(object, '^((?:[^:]*:){6}[^:]*)', 1)
            WHEN object LIKE '/subscriptions/%/providers/%'
                THEN regexp_extract(object, '^(/subscriptions/.*?/providers/[^/]+/[^/]+/[^/]+)', 1)
            WHEN object LIKE '%/objects/%' THEN regexp_extract(object, '^(.*?)/objects/', 1)
            WHEN object LIKE '%/versions/%' THEN regexp_extract(object, '^(.*?)/versions/', 1)
            ELSE object
        END AS container
    FROM (SELECT DISTINCT object FROM outside) AS distinct_objects
),
own_accounts AS (
    -- AWS accounts in which some worker's declared identity lives
    SELECT DISTINCT regexp_extract(uid, ':([0-9]{12}):', 1) AS account
    FROM identities WHERE uid LIKE 'aws:%'
),
placed AS (
    -- the actions with the account that was acted on and that of the caller
    SELECT
        o.*, b.container, p.power, s.operation IS NOT NULL AND o.verdict = 'out' AS is_start_up,
        coalesce(nullif(b.object_account, ''), o.account) AS acted_account,
        nullif(regexp_extract(o.principal, ':([0-9]{12}):', 1), '') AS home_account
    FROM outside AS o
    LEFT JOIN objects AS b ON b.object = o.object
    LEFT JOIN operations AS p ON p.api_service = o.api_service AND p.api_operation = o.api_operation
    LEFT JOIN start_up AS s ON s.service = o.api_service AND s.operation = o.api_operation
),
judged AS (
    -- the same with whether the account is foreign: neither the caller's nor any declared identity's
    SELECT
        d.*,
        home_account IS NOT NULL AND regexp_matches(acted_account, '^[0-9]{12}$')
            AND acted_account <> home_account AND w.account IS NULL AS is_foreign,
        d.power IS NOT NULL OR d.obtains = 'other' AS is_powerful
    FROM placed AS d
    LEFT JOIN own_accounts AS w ON w.account = d.acted_account
),
worded AS (
    -- the same with the words of the title and the step of severity, 4 being critical
    SELECT
        *,
        CASE WHEN is_start_up THEN 0
             ELSE CASE WHEN is_powerful OR is_foreign THEN 4 ELSE 3 END - CASE WHEN tried THEN 1 ELSE 0 END
        END AS step,
        CASE
            WHEN category = 'proxy' AND http_method = 'CONNECT' THEN 'connect to '
            WHEN category = 'proxy' THEN 'send ' || coalesce(http_method, 'a request') || ' to '
            WHEN category = 'model' THEN 'use the model '
            WHEN category = 'tool' THEN 'call the tool '
            WHEN power = 'delete' AND object <> api_service THEN 'delete '
            WHEN regexp_matches(api_operation, '^(Get|Head|Select|Query|Scan|BatchGet)') AND object <> api_service
                THEN 'read '
            WHEN regexp_matches(api_operation, '^Put(Object|Item|SecretValue|Parameter|Record)') AND object <> api_service
                THEN 'write '
            ELSE 'call ' || coalesce(api_operation, 'an operation') || ' on '
        END AS verb
    FROM judged
)
SELECT
    worker,
    principal,
    CASE category WHEN 'proxy' THEN host WHEN 'tool' THEN coalesce(account, object) ELSE container END AS entity,
    action_uid,
    time,
    chain_id,
    CASE step WHEN 4 THEN 'critical' WHEN 3 THEN 'high' WHEN 2 THEN 'medium' ELSE 'info' END AS severity,
    confidence,
    coalesce(worker, principal, 'somebody unknown')
        || CASE
            WHEN tried THEN ' tried to ' || verb
            WHEN verb LIKE 'connect %' THEN ' connected to '
            WHEN verb LIKE 'send %' THEN ' sent ' || substr(verb, 6)
            WHEN verb LIKE 'use %' THEN ' used ' || substr(verb, 5)
            WHEN verb LIKE 'call %' THEN ' called ' || substr(verb, 6)
            WHEN verb = 'write ' THEN ' wrote '
            WHEN verb = 'delete ' THEN ' deleted '
            ELSE ' ' || verb
        END
        || substr(object, 1, 200)
        || CASE verdict WHEN 'deny' THEN ', which its scope denies' ELSE ' outside its scope' END AS title,
    {
        'expected': CASE WHEN file IS NULL THEN 'no line of ' || coalesce(manifest_file, 'the manifest') || ' matches'
                         ELSE verdict || ' by ' || file || ':' || CAST(line AS VARCHAR) END,
        'seen': coalesce(api_service || ' ' || api_operation, http_method || ' ' || host, host) || ' (' || status || ')',
        'verdict': verdict,
        'resource': object,
        'service': api_service,
        'operation': coalesce(api_operation, http_method),
        'power': CASE WHEN obtains = 'other' THEN 'credential' ELSE power END,
        'account': acted_account,
        'foreign_account': is_foreign,
        'region': region,
        'unseen': unseen,
        'error': error,
        'attribution': strength
    } AS explanation,
    manifest_sha
FROM worded
