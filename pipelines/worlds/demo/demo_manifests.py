"""The manifests of the demo world's five workers, as their owners would write them, and its workertrail.yaml."""

from __future__ import annotations

import json

from pipelines.worlds.demo.emit_squid import LOGFORMAT

MANIFESTS: dict[str, str] = {
    "finance-recon": """\
worker: finance-recon
owner: finance-platform@corp.example
purpose: matches bank statements with the ledger, twice a day
role: finance
mode: own
environment: prod
identities:
  - oauth:client/corp.okta.example#0oa1finance
  - oidc:subject/corp.okta.example/oauth2/aus1workers#0oa1finance
  - aws:role/arn:aws:iam::111122223333:role/workers/finance-recon
  - proxy:user/egress/svc-finance
provenance: {repo: corp/recon, workflow: "deploy.yml@refs/heads/main"}
scope:
  - allow:
      service: s3.amazonaws.com
      operations: [GetObject, ListObjects]
      resources: ["arn:aws:s3:::recon-statements", "arn:aws:s3:::recon-statements/*"]
      accounts: ["111122223333"]
      regions: [eu-west-1]
  - allow: {service: s3.amazonaws.com, operations: [PutObject], resources: ["arn:aws:s3:::recon-reports/*"]}
  - allow:
      service: dynamodb.amazonaws.com
      operations: [Query, PutItem]
      resources:
        - arn:aws:dynamodb:eu-west-1:111122223333:table/ledger-entries
        - arn:aws:dynamodb:eu-west-1:111122223333:table/recon-matches
  - allow: {service: sqs.amazonaws.com, operations: [SendMessage, ReceiveMessage], accounts: ["111122223333"]}
  - allow: {service: secretsmanager.amazonaws.com, operations: [GetSecretValue]}
  - allow: {service: kms.amazonaws.com, operations: [Decrypt]}   # Secrets Manager does this in its name
  - allow: {hosts: [api.bank-one.example, api.bank-two.example, corp.okta.example, sts.eu-west-1.amazonaws.com]}
secrets: ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:recon/*"]
networks: ["10.40.1.0/24", "203.0.113.8/29"]
limits:
  - {measure: bytes_out, at_most: 500MB, per: 1h}
  - {measure: calls, at_most: 1000, per: 1h}
  - {measure: denied, at_most: 20, per: 1h}
  - {measure: token_lifetime, at_most: 1h}
  - {measure: hops, at_most: 3}
valid: {from: 2026-01-01, until: 2026-12-31}
""",
    "release-bot": """\
worker: release-bot
owner: delivery@corp.example
purpose: builds, publishes and deploys the shop from its main branch
role: delivery
mode: own
environment: prod
identities:
  - oauth:client/corp.okta.example#0oa1release
  - oidc:subject/token.actions.githubusercontent.com#repo:corp/shop:ref:refs/heads/main
  - aws:role/arn:aws:iam::111122223333:role/release-bot
  - aws:role/arn:aws:iam::444455556666:role/release-target
  - proxy:user/egress/svc-release
provenance: {repo: corp/shop, workflow: "release.yml@refs/heads/main"}
scope:
  - deny: {service: iam.amazonaws.com, operations: ["*"]}
  # People deploy with this role too, so it is no identity of the worker's.
  - allow:
      service: sts.amazonaws.com
      operations: [AssumeRole]
      resources: ["arn:aws:iam::111122223333:role/deploy"]
  - allow: {service: sts.amazonaws.com, operations: [GetCallerIdentity]}
  - allow: {service: ecr.amazonaws.com, operations: [GetAuthorizationToken]}
  - allow:
      service: ecr.amazonaws.com
      operations: [BatchCheckLayerAvailability, InitiateLayerUpload, PutImage]
      resources: ["arn:aws:ecr:eu-west-1:111122223333:repository/shop"]
  - allow:
      service: s3.amazonaws.com
      operations: [PutObject, ListObjects]
      resources: ["arn:aws:s3:::corp-artifacts/*", "arn:aws:s3:::corp-dr-artifacts", "arn:aws:s3:::corp-dr-artifacts/*"]
      accounts: ["111122223333", "444455556666"]
  - allow:
      service: ecs.amazonaws.com
      operations: [RegisterTaskDefinition, UpdateService, DescribeServices]
      accounts: ["111122223333"]
  - allow: {service: cloudformation.amazonaws.com, operations: ["Describe*"], regions: [eu-west-1]}
  - allow: {service: lambda.amazonaws.com, operations: ["UpdateFunctionCode*"], regions: [eu-west-1]}
  - allow: {hosts: [github.corp.example, registry.npm.example, corp.okta.example, sts.eu-west-1.amazonaws.com]}
  - allow: {hosts: [deb.mirror.example], methods: [GET], paths: ["/debian/*"]}
networks: ["10.40.2.0/24", "203.0.113.8/29"]
limits:
  - {measure: bytes_out, at_most: 2GB, per: 1h}
  - {measure: denied, at_most: 30, per: 1h}
  - {measure: token_lifetime, at_most: 1h}
  - {measure: hops, at_most: 4}
approvals:
  - for: {service: cloudformation.amazonaws.com, operations: [DeleteStack]}
    from: ["mail:addr/*@delivery.corp.example"]
    within: 24h
valid: {from: 2026-01-01, until: 2026-12-31}
""",
    "support-agent": """\
worker: support-agent
owner: support-platform@corp.example
purpose: answers customer tickets for the people of the support desk
role: support
mode: delegated
environment: prod
identities:
  - oauth:client/corp.okta.example#0oa1support
  - oidc:subject/corp.okta.example/oauth2/aus1workers#0oa1support
  - aws:role/arn:aws:iam::111122223333:role/support-agent
  - proxy:user/egress/svc-support
  - {id: "proxy:user/egress/svc-agents", shared: true}
provenance: {repo: corp/agents, workflow: "deploy.yml@refs/heads/main"}
delegators: ["mail:addr/*@corp.example", "okta:user/corp.okta.example/*"]
scope:
  - deny: {service: s3.amazonaws.com, operations: ["Delete*"]}
  - allow:
      service: s3.amazonaws.com
      operations: [GetObject, ListObjects]
      resources: ["arn:aws:s3:::case-attachments", "arn:aws:s3:::case-attachments/*"]
      accounts: ["111122223333"]
      regions: [eu-west-1]
  - allow: {service: s3.amazonaws.com, operations: [PutObject], resources: ["arn:aws:s3:::case-replies/*"]}
  - allow:
      service: dynamodb.amazonaws.com
      operations: [Query, UpdateItem]
      resources: ["arn:aws:dynamodb:eu-west-1:111122223333:table/support-cases"]
  - allow: {hosts: ["*.zendesk.example", corp.okta.example, sts.eu-west-1.amazonaws.com]}
  - allow: {hosts: [mirror.corp.example], methods: [GET], paths: ["/catalog/*"]}
networks: ["10.40.3.0/24", "203.0.113.8/29"]
limits:
  - {measure: bytes_out, at_most: 200MB, per: 1h}
  - {measure: denied, at_most: 20, per: 1h}
  - {measure: token_lifetime, at_most: 1h}
  - {measure: hops, at_most: 4}
schedule: ["Mon-Sun 05:00-22:00 Europe/Berlin"]
valid: {from: 2026-01-01, until: 2026-12-31}
""",
    "procurement-agent": """\
worker: procurement-agent
owner: procurement@corp.example
purpose: turns purchase requests into orders
role: procurement
mode: own
environment: prod
identities:
  - oauth:client/corp.okta.example#0oa1procure
  - oauth:client/corp.okta.example#0oa1procold   # retired on 2026-03-20
  - aws:user/arn:aws:iam::111122223333:user/procurement-agent
  - proxy:user/egress/svc-procurement
  - {id: "proxy:user/egress/svc-agents", shared: true}
scope:
  - allow:
      service: s3.amazonaws.com
      operations: [GetObject]
      resources: ["arn:aws:s3:::purchase-contracts/*"]
      regions: [eu-west-1]
  - allow: {service: s3.amazonaws.com, operations: [PutObject], resources: ["arn:aws:s3:::purchase-orders/*"]}
  - allow:
      service: dynamodb.amazonaws.com
      operations: [GetItem]
      resources: ["arn:aws:dynamodb:eu-west-1:111122223333:table/suppliers"]
  - allow: {service: sqs.amazonaws.com, operations: [ReceiveMessage, DeleteMessage], accounts: ["111122223333"]}
  - allow: {service: secretsmanager.amazonaws.com, operations: [GetSecretValue]}
  - allow: {service: kms.amazonaws.com, operations: [Decrypt]}
  - allow: {hosts: ["portal.supplier-?.example", corp.okta.example]}
  - allow: {hosts: [mirror.corp.example], methods: [GET], paths: ["/catalog/*"]}
secrets: ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:procurement/*"]
networks: ["10.40.4.0/24", "203.0.113.8/29"]
limits:
  - {measure: bytes_out, at_most: 100MB, per: 1h}
  - {measure: denied, at_most: 20, per: 1h}
  - {measure: secrets, at_most: 5, per: 1h}
valid: {from: 2026-01-01, until: 2026-12-31}
""",
    "research-agent": """\
worker: research-agent
owner: market-insight@corp.example
purpose: reads papers and prices, writes notes for analysts
role: research
mode: own
environment: prod
identities:
  - oauth:client/corp.okta.example#0oa1research
  - oidc:subject/corp.okta.example/oauth2/aus1workers#0oa1research
  - aws:role/arn:aws:iam::111122223333:role/research-agent
  - proxy:user/egress/svc-research
scope:
  # Analysts use this role too, so it is no identity of the worker's.
  - allow:
      service: sts.amazonaws.com
      operations: [AssumeRole]
      resources: ["arn:aws:iam::111122223333:role/data-readonly"]
  - allow:
      service: s3.amazonaws.com
      operations: [GetObject, ListObjects]
      resources: ["arn:aws:s3:::research-corpus", "arn:aws:s3:::research-corpus/*"]
      regions: [eu-west-1]
  - allow: {service: s3.amazonaws.com, operations: [PutObject], resources: ["arn:aws:s3:::research-notes/*"]}
  - allow:
      service: dynamodb.amazonaws.com
      operations: [Query]
      resources: ["arn:aws:dynamodb:eu-west-1:111122223333:table/research-index"]
  - allow: {hosts: [search.example, "*.arxiv.example", "*.journals.example"], methods: [GET]}
  - allow: {hosts: [corp.okta.example, sts.eu-west-1.amazonaws.com]}
networks: ["10.40.5.0/24", "203.0.113.8/29"]
limits:
  - {measure: bytes_out, at_most: 500MB, per: 1h}
  - {measure: calls, at_most: 3000, per: 1h}
  - {measure: destinations, at_most: 60, per: 24h}
  - {measure: token_lifetime, at_most: 1h}
  - {measure: hops, at_most: 3}
valid: {from: 2026-01-01, until: 2026-12-31}
""",
}

SECRET_VARIABLE = "WORKERTRAIL_DEMO_SECRET"


def config(webhook_url: str) -> str:
    """`workertrail.yaml` of the demo world; paths are relative to it."""
    return f"""\
# The configuration of a demo world, written together with its logs.
lake:
  catalog: sqlite:lake/catalog.sqlite
  data: lake/files
engine: duckdb
workers: workers
rules: []
environments: {{prod: {{accounts: ["111122223333", "444455556666"], hosts: ["*.corp.example"]}}}}
sources:
  - name: cloudtrail   # two trails: one below AWSLogs/, one below regional-audit/AWSLogs/
    format: cloudtrail
    from: logs/cloudtrail/**/*.json.gz
  - name: egress
    format: squid
    realm: egress
    authenticated: true
    from: logs/egress/*.log
    logformat: "{LOGFORMAT}"
  - name: okta
    format: okta
    org: corp.okta.example
    from: logs/okta/*.jsonl
alerts:
  - name: demo
    type: webhook
    url: {json.dumps(webhook_url)}
    secret: env:{SECRET_VARIABLE}
    min_severity: low
"""
