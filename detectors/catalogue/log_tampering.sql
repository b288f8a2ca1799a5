/*---
id: log_tampering
version: 1
title: Logs or guards switched off
description: >
  A worker, or somebody who is no known worker, stopped, deleted or rewired an audit log, a threat detector, a
  recorder or a guardrail. It is no finding where the worker's manifest allows the very operation by its name.
severity: critical
tags:
  - owasp.asi02
  - owasp.asi10
  - maestro.evasion-of-detection
  - maestro.repudiation
  - nist.ai-rmf.measure-2.4
  - nist.ai-rmf.measure-2.8
  - attack.t1685
  - attack.t1685.002
look_alikes:
  - case: a pipeline that deploys the logging itself
    separated_by: an allow line of its manifest that names the operation; a pattern such as Delete* names nothing
  - case: a log group's retention is set with every deployment, by infrastructure as code
    separated_by: operations that as often strengthen logging as weaken it are one step lower
  - case: an operation of the same name in another service (Fraud Detector has a DeleteDetector too)
    separated_by: the service is part of every row of the list
  - case: an account is closed and its logs go with it
    separated_by: nothing in the logs; the finding stands and is to be acknowledged
tests:
  - name: a trail is stopped by a worker
    actions:
      - {api_service: cloudtrail.amazonaws.com, api_operation: StopLogging, resource_uid: "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"}
    expected:
      - {worker: w1, severity: critical, entity: "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main", title: [w1, StopLogging], evidence: [a1]}
  - name: an attempt is one step lower and says so
    actions:
      - {api_service: guardduty.amazonaws.com, api_operation: DeleteDetector, status: denied}
    expected:
      - {worker: w1, severity: high, entity: guardduty.amazonaws.com, title: [w1 tried]}
  - name: nobody known deletes the flow logs
    actions:
      - {worker: null, principal: "aws:user/arn:aws:iam::111122223333:user/eve", api_service: ec2.amazonaws.com, api_operation: DeleteFlowLogs, resource_uid: fl-1}
    expected:
      - {worker: null, severity: high, entity: fl-1, title: ["aws:user/arn:aws:iam::111122223333:user/eve"]}
  - name: an Okta log stream is switched off
    actions:
      - {category: token, api_service: okta, api_operation: system.log_stream.lifecycle.deactivate, resource_uid: 0oalogstream1}
    expected:
      - {worker: w1, severity: critical, entity: 0oalogstream1}
  - name: a doubtful attribution lowers it by two steps
    actions:
      - {api_service: cloudtrail.amazonaws.com, api_operation: DeleteTrail, strength: ambiguous, confidence: 0.5}
    expected:
      - {worker: w1, severity: medium, entity: cloudtrail.amazonaws.com, explanation: [under 0.6]}
  - name: an allow line that is a pattern does not name the operation
    actions:
      - {api_service: cloudtrail.amazonaws.com, api_operation: StopLogging}
    verdicts: [{action_uid: a1, verdict: allow, file: w1.yaml, line: 7}]
    scope_lines: [{line: 7, operations: ["*"]}, {line: 8, operations: [StopLogging]}]
    expected:
      - {worker: w1, severity: critical, entity: cloudtrail.amazonaws.com}
  - name: the deployer of the logging is allowed by name
    actions:
      - {api_service: cloudtrail.amazonaws.com, api_operation: PutEventSelectors}
    verdicts: [{action_uid: a1, verdict: allow, file: w1.yaml, line: 7}]
    scope_lines: [{line: 7, operations: [CreateTrail, PutEventSelectors]}]
    expected: []
  - name: a name with an underscore is a name too
    actions:
      - {category: token, api_service: okta, api_operation: system.log_stream.lifecycle.deactivate}
    verdicts: [{action_uid: a1, verdict: allow, file: w1.yaml, line: 7}]
    scope_lines: [{line: 7, operations: [system.log_stream.lifecycle.deactivate]}]
    expected: []
  - name: logging is created, started and looked at
    actions:
      - {api_service: cloudtrail.amazonaws.com, api_operation: StartLogging}
      - {api_service: cloudtrail.amazonaws.com, api_operation: CreateTrail}
      - {api_service: cloudtrail.amazonaws.com, api_operation: DescribeTrails}
      - {api_service: logs.amazonaws.com, api_operation: PutLogEvents}
    expected: []
  - name: another service's DeleteDetector
    actions:
      - {api_service: frauddetector.amazonaws.com, api_operation: DeleteDetector, resource_uid: fraud-1}
    expected: []
  - name: a deployment sets how long a log is kept, once for each function
    actions:
      - {api_service: logs.amazonaws.com, api_operation: PutRetentionPolicy, resource_uid: "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/a"}
      - {worker: null, api_service: logs.amazonaws.com, api_operation: PutRetentionPolicy, resource_uid: "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/b"}
    expected:
      - {worker: w1, severity: high, entity: "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/a"}
      - {worker: null, severity: medium, entity: "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/b"}
---*/

WITH watched (service, operation, effect) AS (
    -- operations, in lower case, after which less is recorded or noticed; `either` may as well record more
    VALUES
        ('cloudtrail.amazonaws.com', 'stoplogging', 'ends'),
        ('cloudtrail.amazonaws.com', 'deletetrail', 'ends'),
        ('cloudtrail.amazonaws.com', 'updatetrail', 'ends'),
        ('cloudtrail.amazonaws.com', 'puteventselectors', 'ends'),
        ('cloudtrail.amazonaws.com', 'putinsightselectors', 'ends'),
        ('cloudtrail.amazonaws.com', 'deleteeventdatastore', 'ends'),
        ('cloudtrail.amazonaws.com', 'stopeventdatastoreingestion', 'ends'),
        ('cloudtrail.amazonaws.com', 'updateeventdatastore', 'either'),
        ('cloudtrail.amazonaws.com', 'deregisterorganizationdelegatedadmin', 'ends'),
        ('ec2.amazonaws.com', 'deleteflowlogs', 'ends'),
        ('logs.amazonaws.com', 'deleteloggroup', 'ends'),
        ('logs.amazonaws.com', 'deletelogstream', 'ends'),
        ('logs.amazonaws.com', 'deletesubscriptionfilter', 'ends'),
        ('logs.amazonaws.com', 'deletedestination', 'ends'),
        ('logs.amazonaws.com', 'deletemetricfilter', 'ends'),
        ('logs.amazonaws.com', 'putretentionpolicy', 'either'),
        ('config.amazonaws.com', 'stopconfigurationrecorder', 'ends'),
        ('config.amazonaws.com', 'deleteconfigurationrecorder', 'ends'),
        ('config.amazonaws.com', 'deletedeliverychannel', 'ends'),
        ('config.amazonaws.com', 'putconfigurationrecorder', 'either'),
        ('guardduty.amazonaws.com', 'deletedetector', 'ends'),
        ('guardduty.amazonaws.com', 'updatedetector', 'ends'),
        ('guardduty.amazonaws.com', 'disassociatefrommasteraccount', 'ends'),
        ('guardduty.amazonaws.com', 'disassociatefromadministratoraccount', 'ends'),
        ('guardduty.amazonaws.com', 'disassociatemembers', 'ends'),
        ('guardduty.amazonaws.com', 'deletemembers', 'ends'),
        ('guardduty.amazonaws.com', 'stopmonitoringmembers', 'ends'),
        ('guardduty.amazonaws.com', 'deletepublishingdestination', 'ends'),
        ('guardduty.amazonaws.com', 'createfilter', 'either'),
        ('guardduty.amazonaws.com', 'createipset', 'either'),
        ('guardduty.amazonaws.com', 'updateipset', 'either'),
        ('securityhub.amazonaws.com', 'disablesecurityhub', 'ends'),
        ('securityhub.amazonaws.com', 'batchdisablestandards', 'ends'),
        ('securityhub.amazonaws.com', 'disassociatefrommasteraccount', 'ends'),
        ('securityhub.amazonaws.com', 'disassociatefromadministratoraccount', 'ends'),
        ('securityhub.amazonaws.com', 'disassociatemembers', 'ends'),
        ('macie2.amazonaws.com', 'disablemacie', 'ends'),
        ('inspector2.amazonaws.com', 'disable', 'ends'),
        ('access-analyzer.amazonaws.com', 'deleteanalyzer', 'ends'),
        ('detective.amazonaws.com', 'deletegraph', 'ends'),
        ('bedrock.amazonaws.com', 'deletemodelinvocationloggingconfiguration', 'ends'),
        ('bedrock.amazonaws.com', 'putmodelinvocationloggingconfiguration', 'either'),
        ('bedrock.amazonaws.com', 'deleteguardrail', 'ends'),
        ('bedrock.amazonaws.com', 'updateguardrail', 'either'),
        ('route53resolver.amazonaws.com', 'deleteresolverquerylogconfig', 'ends'),
        ('route53resolver.amazonaws.com', 'disassociateresolverquerylogconfig', 'ends'),
        ('wafv2.amazonaws.com', 'deleteloggingconfiguration', 'ends'),
        ('network-firewall.amazonaws.com', 'updateloggingconfiguration', 'either'),
        ('s3.amazonaws.com', 'putbucketlogging', 'either'),
        ('okta', 'system.log_stream.lifecycle.delete', 'ends'),
        ('okta', 'system.log_stream.lifecycle.deactivate', 'ends'),
        ('okta', 'system.log_stream.lifecycle.update', 'either'),
        ('okta', 'event_hook.deleted', 'ends'),
        ('okta', 'event_hook.deactivated', 'ends'),
        ('okta', 'event_hook.updated', 'either'),
        ('okta', 'security.threat.configuration.update', 'either'),
        ('logging.googleapis.com', 'google.logging.v2.configservicev2.deletesink', 'ends'),
        ('logging.googleapis.com', 'google.logging.v2.configservicev2.updatesink', 'either'),
        ('logging.googleapis.com', 'google.logging.v2.configservicev2.deletebucket', 'ends'),
        ('logging.googleapis.com', 'google.logging.v2.configservicev2.updatebucket', 'either'),
        ('logging.googleapis.com', 'google.logging.v2.configservicev2.createexclusion', 'ends'),
        ('logging.googleapis.com', 'google.logging.v2.configservicev2.updateexclusion', 'ends'),
        ('logging.googleapis.com', 'google.logging.v2.loggingservicev2.deletelog', 'ends'),
        ('microsoft.insights', 'microsoft.insights/diagnosticsettings/delete', 'ends'),
        ('microsoft.insights', 'microsoft.insights/diagnosticsettings/write', 'either'),
        ('microsoft.insights', 'microsoft.insights/activitylogalerts/delete', 'ends'),
        ('github', 'audit_log_streaming.destroy', 'ends'),
        ('github', 'audit_log_streaming.update', 'either')
),
allowed_by_name AS (
    -- actions that an allow line decided which names the operation itself (a line's patterns escape _)
    SELECT DISTINCT v.action_uid
    FROM verdicts AS v
    JOIN attributed AS a ON a.action_uid = v.action_uid
    JOIN scope_lines AS s
        ON s.worker = a.worker AND s.manifest_sha = a.manifest_sha AND s.file = v.file AND s.line = v.line
    WHERE v.verdict = 'allow' AND s.effect = 'allow'
        AND list_contains(s.operations, replace(a.api_operation, '_', '\_'))
),
tampering AS (
    -- watched operations that no line allows by name
    SELECT
        a.*, w.effect,
        a.status IN ('failure', 'denied') AS tried,
        coalesce(a.resource_uid, a.api_service) AS guard,
        coalesce(a.worker, a.principal, 'somebody unknown') AS who
    FROM attributed AS a
    JOIN watched AS w ON lower(a.api_service) = w.service AND lower(a.api_operation) = w.operation
    LEFT JOIN allowed_by_name AS n ON n.action_uid = a.action_uid
    WHERE n.action_uid IS NULL
),
weighed AS (
    -- the same with how many steps each is below critical
    SELECT
        *,
        CASE WHEN worker IS NULL THEN 1 ELSE 0 END + CASE WHEN effect = 'either' THEN 1 ELSE 0 END
        + CASE WHEN tried THEN 1 ELSE 0 END AS steps
    FROM tampering
)
SELECT
    worker,
    principal,
    guard AS entity,
    action_uid,
    time,
    chain_id,
    CASE steps WHEN 0 THEN 'critical' WHEN 1 THEN 'high' WHEN 2 THEN 'medium' ELSE 'low' END AS severity,
    confidence,
    who || CASE WHEN tried THEN ' tried to call ' ELSE ' called ' END || api_operation || ' on ' || guard
        || CASE WHEN effect = 'either' THEN ', which may weaken what is recorded'
                ELSE ', which ends what is recorded or noticed' END AS title,
    {
        'expected': 'no worker does this unless an allow line of its manifest names the operation',
        'seen': api_service || ' ' || api_operation || ' (' || status || ')',
        'guard': guard,
        'account': account,
        'region': region,
        'error': error,
        'credential': credential_uid,
        'attribution': strength
    } AS explanation,
    manifest_sha
FROM weighed
