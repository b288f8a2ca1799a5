"""A small estate made of records given in a test: written, run, and read back."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines import run as work
from pipelines.settings import load

ACCOUNT = "111122223333"
MANIFEST = """
worker: agent
owner: team@corp.example
identities:
  - aws:role/arn:aws:iam::111122223333:role/agent
  - proxy:user/egress/svc-agent
scope:
  - allow: {service: s3.amazonaws.com}
  - allow: {hosts: ["*.example"]}
"""
CONFIG = """
lake: {catalog: "sqlite:lake/catalog.sqlite", data: lake/files}
workers: workers
sources:
  - {name: trail, format: cloudtrail, from: "logs/trail/*"}
  - {name: second, format: cloudtrail, from: "logs/second/*"}
  - {name: egress, format: squid, realm: egress, authenticated: true, from: "logs/egress/*"}
  - {name: okta, format: okta, org: corp.okta.example, from: "logs/okta/*"}
"""


@dataclass
class Estate:
    """A folder with a configuration, one manifest, and the logs that a test puts there."""

    root: Path
    names: list[int] = field(default_factory=lambda: [0])

    def __post_init__(self) -> None:
        for folder in ("trail", "second", "egress", "okta"):
            (self.root / "logs" / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "workers").mkdir(exist_ok=True)
        (self.root / "workers" / "agent.yaml").write_text(MANIFEST, encoding="utf-8")
        (self.root / "workertrail.yaml").write_text(CONFIG, encoding="utf-8")

    @property
    def config(self) -> Path:
        return self.root / "workertrail.yaml"

    def put(self, source: str, content: bytes | str | list[dict[str, Any]], name: str | None = None) -> Path:
        """A log file: bytes as they are, or CloudTrail records in their container."""
        self.names[0] += 1
        if isinstance(content, list):
            content = json.dumps({"Records": content})
        file = self.root / "logs" / source / (name or f"{self.names[0]:04}.log")
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def run(self) -> work.Summary:
        return work.run(work.plan(load(self.config)))

    def pull(self) -> work.Summary:
        """Stage (a) alone."""
        return work.ingest_all(work.plan(load(self.config)))

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with load(self.config).lake.reading() as connection:
            found: list[dict[str, Any]] = connection.execute(sql).to_arrow_table().to_pylist()
        return found


def event(name: str = "GetObject", *, second: int = 0, **more: Any) -> dict[str, Any]:
    """A CloudTrail record of the worker's role; `more` replaces keys."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:run-1",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/agent/run-1",
            "accountId": ACCOUNT,
            "accessKeyId": "ASIAEXAMPLE1",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "arn": f"arn:aws:iam::{ACCOUNT}:role/agent",
                    "principalId": "AROAEXAMPLE",
                },
                "attributes": {"creationDate": "2026-03-02T09:00:00Z", "mfaAuthenticated": "false"},
            },
        },
        "eventTime": f"2026-03-02T09:{second // 60:02}:{second % 60:02}Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.10",
        "userAgent": "Boto3/1.40",
        "requestParameters": {"bucketName": "cases", "key": "a.txt"},
        "responseElements": None,
        "requestID": "REQ1",
        "eventID": str(uuid.UUID(int=second + 1)),
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
        **more,
    }


def assume(key: str, *, second: int = 0) -> dict[str, Any]:
    """The worker's session takes on the role `cleaner`; STS issues `key`."""
    role = f"arn:aws:iam::{ACCOUNT}:role/cleaner"
    return event(
        "AssumeRole",
        second=second,
        eventSource="sts.amazonaws.com",
        requestParameters={"roleArn": role, "roleSessionName": "run-1"},
        responseElements={
            "credentials": {"accessKeyId": key, "expiration": "Mar 2, 2026, 10:00:00 AM", "sessionToken": "FAKETOKEN"},
            "assumedRoleUser": {
                "assumedRoleId": "AROACLEANER:run-1",
                "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/cleaner/run-1",
            },
        },
        resources=[{"ARN": role, "accountId": ACCOUNT, "type": "AWS::IAM::Role"}],
    )


def squid_line(second: int = 0, user: str = "svc-agent", url: str = "http://api.example/x") -> str:
    head = f"{1772442000 + second}.120    412 10.40.1.11 TCP_MISS/200 1823 GET"
    return f"{head} {url} {user} HIER_DIRECT/203.0.113.10 text/html\n"
