"""Examples of verdicts: an action, the lines of a manifest, and what follows; all of one table are judged together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from detectors.manifest_model import Manifest
from detectors.manifest_tables import tables, version_of
from detectors.scope import judge
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine

OBSERVES = {
    "cloudtrail": [
        "api_service",
        "api_operation",
        "resource_uid",
        "resources",
        "account",
        "region",
        "obtains",
        "request_uid",
    ],
    "squid": ["dst_host", "dst_port", "http_method", "url_path"],
    "sni": ["dst_host"],
    "okta": ["api_service", "api_operation", "account", "resource_uid"],
    "vault": ["api_service", "api_operation", "account", "resource_uid"],
    "litellm": ["model", "api_service"],
    "tools": ["account", "tool"],
}
ATTRIBUTED = pa.schema([*schema.ACTIONS.arrow, pa.field("worker", pa.string()), pa.field("manifest_sha", pa.string())])
S3 = "s3.amazonaws.com"
ROLE = "arn:aws:iam::111122223333:role/"


def api(service: str = S3, operation: str = "GetObject", *resources: str, **more: Any) -> dict[str, Any]:
    uid = resources[-1] if resources else None
    known = {"api_service": service, "api_operation": operation, "resource_uid": uid, "resources": list(resources)}
    return (
        {"format": "cloudtrail", "category": "cloud", "account": "111122223333", "region": "eu-west-1"} | known | more
    )


def web(host: str | None, method: str | None = "GET", path: str | None = "/", **more: Any) -> dict[str, Any]:
    known = {"dst_host": host, "http_method": method, "url_path": path, "dst_port": 443 if method == "CONNECT" else 80}
    return {"format": "squid", "category": "proxy"} | known | more


def tunnel(host: str, port: int | None = 443, **more: Any) -> dict[str, Any]:
    return web(host, "CONNECT", None, dst_port=port, **more)


def takes_on(role: str, **more: Any) -> dict[str, Any]:
    known = {"obtains": "self", "resource_type": "AWS::IAM::Role", "region": "us-east-1"}
    return api("sts.amazonaws.com", "AssumeRole", role, **(known | more))


def allow(**target: Any) -> dict[str, Any]:
    return {"allow": target}


def deny(**target: Any) -> dict[str, Any]:
    return {"deny": target}


@dataclass
class Example:
    """An action, the scope (and the rest of the manifest), and the verdict; null is: not judged by scope."""

    action: dict[str, Any]
    scope: list[dict[str, Any]]
    verdict: str | None
    line: int | None = None
    unseen: list[str] = field(default_factory=list)
    resource: str | None = None
    rest: dict[str, Any] = field(default_factory=dict)


def manifest(worker: str, scope: list[dict[str, Any]], rest: dict[str, Any]) -> Manifest:
    body = {"worker": worker, "owner": "o", "identities": [f"aws:role/{ROLE}{worker}"], "scope": scope, **rest}
    lines = {"scope": [100 + at for at in range(len(scope))], "secrets": [200 + at for at in range(9)]}
    return Manifest.model_validate(body).placed(f"{worker}.yaml", lines)


def run(actions: list[dict[str, Any]], manifests: list[Manifest], engine: DuckDBEngine | None = None) -> pa.Table:
    """Verdicts of these actions, each of which names its worker."""
    shas = {one.worker: one.sha256 for one in manifests}
    rows = [{"status": "success", "manifest_sha": shas.get(action["worker"])} | action for action in actions]
    engine = engine or DuckDBEngine(duckdb.connect())
    for name, table in tables([version_of(one) for one in manifests]).items():
        engine.let(name, table)
    seen = [(name, column) for name, columns in OBSERVES.items() for column in columns]
    engine.let("observes", pa.table({"format": [one for one, _ in seen], "column": [one for _, one in seen]}))
    engine.let("attributed", pa.Table.from_pylist(rows, ATTRIBUTED))
    judge(engine)
    return engine.query("SELECT * FROM verdicts ORDER BY action_uid")


def judged(examples: list[Example]) -> list[dict[str, Any] | None]:
    """The verdict of each example, judged together and each by a worker of its own, as in a run."""
    manifests = [manifest(f"w{at}", one.scope, one.rest) for at, one in enumerate(examples)]
    actions = [{"action_uid": f"a{at}", "worker": f"w{at}", **one.action} for at, one in enumerate(examples)]
    rows = {row["action_uid"]: row for row in run(actions, manifests).to_pylist()}
    return [rows.get(f"a{at}") for at in range(len(examples))]


def check(example: Example, row: dict[str, Any] | None) -> None:
    """The row says what the example says; a null verdict is no row."""
    if example.verdict is None:
        assert row is None
        return
    assert row is not None
    assert (row["verdict"], row["line"], row["unseen"]) == (example.verdict, example.line, example.unseen)
    assert row["file"] == (f"{row['action_uid'].replace('a', 'w')}.yaml" if example.line else None)
    if example.resource:
        assert row["resource"] == example.resource


def named(example: Example) -> str:
    """An example in one line: the manifest, the action, the verdict."""
    lines = "; ".join(f"{effect} {_flat(target)}" for line in example.scope for effect, target in line.items())
    rest = f" + {_flat(example.rest)}" if example.rest else ""
    act = {key: value for key, value in example.action.items() if value not in (None, [], "cloudtrail", "squid")}
    line = f" by line {example.line}" if example.line else ""
    return f"[{lines}{rest}] {_flat(act)} -> {example.verdict or 'not judged'}{line}"


def _flat(values: dict[str, Any]) -> str:
    return " ".join(f"{key}={value!a}".replace("'", "") for key, value in values.items())
