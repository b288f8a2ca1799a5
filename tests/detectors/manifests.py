"""Texts of manifests, the design's example among them."""

from pathlib import Path
from typing import Any


def minimal(worker: str, **more: Any) -> dict[str, Any]:
    return {"worker": worker, "owner": "o", "identities": [f"aws:role/{worker}"], "scope": [], **more}


FULL = """\
worker: support-agent
owner: support-platform@corp.example
purpose: answers customer tickets
role: support
mode: delegated
environment: prod
identities:
  - oauth:client/corp.okta.example#0oa1support
  - aws:role/arn:aws:iam::111122223333:role/support-agent
  - {id: "proxy:user/egress/svc-agents", shared: true}
provenance: {repo: corp/agents, workflow: "deploy.yml@refs/heads/main"}
instantiators: ["github:run/corp/agents#*"]
may_start: []
delegators: ["mail:addr/*@corp.example"]
scope:
  - deny:  {service: s3.amazonaws.com, operations: ["Delete*"]}
  - allow: {service: s3.amazonaws.com, operations: [GetObject, "List*"], resources: ["arn:aws:s3:::cases/*"],
            regions: [eu-west-1], accounts: ["111122223333"]}
  - allow: {hosts: ["*.zendesk.example"], methods: [GET, POST], paths: ["/api/v2/*"]}
  - allow: {models: ["claude-*"]}
  - allow: {servers: [crm], tools: ["read_*"]}
secrets: ["kv/data/support/*"]
networks: ["10.40.0.0/16", "2001:db8::/32"]
limits:
  - {measure: bytes_out, at_most: 200MB, per: 1h}
  - {measure: denied, at_most: 20, per: 1h}
  - {measure: token_lifetime, at_most: 1h}
  - {measure: hops, at_most: 4}
approvals:
  - for: {service: iam.amazonaws.com, operations: ["Attach*", "Put*", "Create*"]}
    from: ["mail:addr/*@security.corp.example"]
    within: 24h
schedule: ["Mon-Fri 06:00-20:00 Europe/Berlin"]
valid: {from: 2026-01-01, until: 2026-12-31, revoked_at: null}
"""


SMALL: dict[str, str] = {
    "worker": "w1",
    "owner": "o@corp.example",
    "identities": "[aws:role/arn:aws:iam::111122223333:role/w1]",
    "scope": "[]",
}


def small(**changes: str | None) -> str:
    lines = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    return "".join(f"{key}: {value}\n" for key, value in lines.items())


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path
