"""Verdicts, point by point of the design's section 5, and the laws that hold for all of them."""

import random
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.endpoints import services
from detectors.glob import covers, like, overlaps
from detectors.manifest_model import Manifest
from detectors.manifest_tables import tables, version_of
from detectors.scope import VERDICTS, judge, sentence_sql
from detectors.scope_patterns import matches, straighten
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine

OBSERVES = {
    "cloudtrail": ["api_service", "api_operation", "resource_uid", "resources", "account", "region", "obtains"],
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
class Case:
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


GROUP = "arn:aws:logs:eu-west-1:111122223333:log-group:g"
OBJECT = "arn:aws:s3:::cases/2026/1.json"
IS_ME = {"identities": [f"aws:role/{ROLE}me"]}
CASES = [
    # 1: kinds, first match, nothing matching is out
    Case(web("a.example"), [allow(hosts=["a.example"])], "allow", 100, resource="a.example"),
    Case(web("b.example"), [allow(hosts=["a.example"])], "out", None, resource="b.example"),
    Case(web("a.example"), [], "out"),
    Case(web("a.example"), [allow(service=S3), allow(models=["*"]), allow(servers=["*"])], "out"),
    Case(api(), [allow(hosts=["*"])], "out"),
    Case(api(), [deny(service=S3), allow(service=S3)], "deny", 100),
    Case(api(), [allow(service=S3), deny(service=S3)], "allow", 100),
    Case(api(S3, "DeleteObject", OBJECT), [deny(service=S3, operations=["Delete*"]), allow(service=S3)], "deny", 100),
    Case(api(S3, "GetObject", OBJECT), [deny(service=S3, operations=["Delete*"]), allow(service=S3)], "allow", 101),
    Case(api(S3, "GetObject", OBJECT), [allow(resources=["arn:aws:s3:::cases/*"])], "allow", 100, resource=OBJECT),
    Case(api(account="999988887777"), [allow(service=S3, accounts=["111122223333"])], "out"),
    Case(api(region="us-east-1"), [allow(service=S3, regions=["eu-*"])], "out"),
    Case(
        {"format": "litellm", "category": "model", "model": "claude-x", "api_service": "anthropic"},
        [allow(models=["claude-*"], providers=["anthropic"])],
        "allow",
        100,
        resource="claude-x",
    ),
    Case(
        {"format": "litellm", "category": "model", "model": "claude-x", "api_service": "other"},
        [allow(models=["claude-*"], providers=["anthropic"])],
        "out",
    ),
    Case(
        {"format": "tools", "category": "tool", "account": "crm", "tool": "read_case"},
        [allow(servers=["crm"], tools=["read_*"])],
        "allow",
        100,
        resource="read_case",
    ),
    Case(
        {"format": "tools", "category": "tool", "account": "crm", "tool": "readXcase"},
        [allow(servers=["crm"], tools=["read_*"])],
        "out",
    ),
    Case({"format": "approvals", "category": "approval"}, [allow(service="*")], None),
    Case(
        {"format": "okta", "category": "token", "api_service": "okta", "api_operation": "group.user_membership.add"},
        [allow(service="okta", operations=["group.*"])],
        "allow",
        100,
    ),
    Case(api(), [allow(service=S3, operations=[])], "out"),
    # 3: the worst resource, containers, what cannot be seen
    Case(
        api(S3, "CopyObject", "arn:aws:s3:::mine/a", "arn:aws:s3:::theirs/b"),
        [allow(service=S3, resources=["arn:aws:s3:::mine/*"])],
        "out",
        resource="arn:aws:s3:::theirs/b",
    ),
    Case(
        api(S3, "CopyObject", "arn:aws:s3:::secret/a", "arn:aws:s3:::else/b", "arn:aws:s3:::mine/c"),
        [deny(resources=["arn:aws:s3:::secret/*"]), allow(service=S3, resources=["arn:aws:s3:::mine/*"])],
        "deny",
        100,
        resource="arn:aws:s3:::secret/a",
    ),
    Case(
        api(S3, "GetObject", "arn:aws:s3:::cases", OBJECT),
        [allow(service=S3, resources=["arn:aws:s3:::cases/*"])],
        "allow",
        100,
        resource=OBJECT,
    ),
    Case(
        api(S3, "GetObject", OBJECT, "arn:aws:s3:::cases"),
        [allow(service=S3, resources=["arn:aws:s3:::cases/*"])],
        "allow",
        100,
        resource=OBJECT,
    ),
    # who lists a bucket asks for what is inside it
    Case(
        api(S3, "ListObjects", "arn:aws:s3:::cases"),
        [allow(service=S3, operations=["GetObject", "List*"], resources=["arn:aws:s3:::cases/*"])],
        "allow",
        100,
        resource="arn:aws:s3:::cases",
    ),
    Case(api(S3, "ListObjects", "arn:aws:s3:::cases"), [allow(resources=["arn:aws:s3:::cases"])], "allow", 100),
    Case(api(S3, "DeleteBucket", "arn:aws:s3:::cases"), [allow(resources=["arn:aws:s3:::cases/*"])], "out"),
    Case(api(S3, "ListObjects", "arn:aws:s3:::other"), [allow(resources=["arn:aws:s3:::cases/*"])], "out"),
    Case(
        api(S3, "ListObjects", "arn:aws:s3:::cases"),
        [deny(resources=["arn:aws:s3:::cases/*"]), allow(service=S3)],
        "deny",
        100,
    ),
    Case(
        api(S3, "DeleteObjects", "arn:aws:s3:::b/logs", "arn:aws:s3:::b/logs/1"),
        [allow(service=S3, resources=["arn:aws:s3:::b/logs/*"])],
        "out",
        resource="arn:aws:s3:::b/logs",
    ),
    Case(
        api(S3, "GetObject", "arn:aws:s3:::cases", "arn:aws:s3:::cases-2/x"),
        [allow(resources=["arn:aws:s3:::cases-2/*"])],
        "out",
        resource="arn:aws:s3:::cases",
    ),
    Case(
        api("logs.amazonaws.com", "GetLogEvents", GROUP, f"{GROUP}:log-stream:s"),
        [allow(resources=["arn:aws:logs:*:log-stream:*"])],
        "allow",
        100,
    ),
    Case(api(S3, "ListBuckets"), [allow(service=S3, resources=["*"])], "out"),
    Case(api(S3, "ListBuckets"), [allow(service=S3)], "allow", 100),
    Case(
        web("a.example", None, None, format="sni", dst_port=None),
        [allow(hosts=["a.example"], ports=[443], methods=["GET"], paths=["/x"])],
        "allow",
        100,
        ["ports", "methods", "paths"],
    ),
    Case(
        web("a.example", None, None, format="sni", dst_port=None),
        [deny(hosts=["a.example"], methods=["*"]), allow(hosts=["a.example"])],
        "allow",
        101,
    ),
    Case(web("a.example", None), [allow(hosts=["a.example"], methods=["GET"])], "out"),
    Case(web("a.example", path=None), [allow(hosts=["a.example"], paths=["*"])], "out"),
    Case(web(None), [allow(hosts=["*"])], "out"),
    Case(
        {"format": "okta", "category": "token", "api_service": "okta", "api_operation": "x", "account": "o.example"},
        [allow(service="okta", regions=["eu-west-1"], accounts=["o.example"])],
        "allow",
        100,
        ["regions"],
    ),
    Case(
        {"format": "okta", "category": "token", "api_service": "okta", "api_operation": "x", "account": "o.example"},
        [deny(service="okta", regions=["*"]), allow(service="okta")],
        "allow",
        101,
    ),
    # 4: CONNECT, plain http, endpoints of allowed services
    Case(tunnel("a.example"), [allow(hosts=["a.example"])], "allow", 100),
    Case(tunnel("a.example", 8443), [allow(hosts=["a.example"])], "out"),
    Case(tunnel("a.example", None), [allow(hosts=["a.example"])], "out"),
    Case(tunnel("a.example", 8443), [allow(hosts=["a.example"], ports=[8443])], "allow", 100),
    Case(tunnel("a.example", 443), [allow(hosts=["a.example"], ports=[8443])], "out"),
    Case(tunnel("a.example", 8443), [allow(hosts=["a.example"], ports=["84*"])], "allow", 100),
    Case(tunnel("a.example", 8443), [deny(hosts=["a.example"]), allow(hosts=["*"], ports=["*"])], "deny", 100),
    Case(tunnel("a.example", None, format="sni"), [allow(hosts=["a.example"])], "allow", 100, ["ports"]),
    Case(web("a.example", dst_port=8080), [allow(hosts=["a.example"])], "allow", 100),
    Case(web("a.example", dst_port=8080), [allow(hosts=["a.example"], ports=[80])], "out"),
    Case(
        tunnel("a.example"),
        [allow(hosts=["a.example"], methods=["GET"], paths=["/x"])],
        "allow",
        100,
        ["methods", "paths"],
    ),
    Case(tunnel("a.example"), [deny(hosts=["a.example"], paths=["/x"]), allow(hosts=["*"])], "allow", 101),
    Case(tunnel("a.example"), [deny(hosts=["a.example"], methods=["CONNECT"]), allow(hosts=["*"])], "deny", 100),
    Case(tunnel(f"cases.{S3}"), [allow(service=S3)], "allow", 100, resource=f"cases.{S3}"),
    Case(
        tunnel("s3.eu-west-1.amazonaws.com"),
        [allow(service=S3, operations=["Get*"], regions=["eu-west-1"])],
        "allow",
        100,
        ["operations", "regions"],
    ),
    Case(tunnel("dynamodb.eu-west-1.amazonaws.com"), [allow(service=S3)], "out"),
    Case(tunnel(f"cases.{S3}", 8443), [allow(service=S3)], "out"),
    Case(tunnel(f"cases.{S3}"), [deny(hosts=["*.amazonaws.com"]), allow(service=S3)], "deny", 100),
    Case(tunnel(f"cases.{S3}"), [deny(service=S3), allow(service=S3)], "out"),
    Case(tunnel(f"cases.{S3}"), [deny(service=S3, operations=["Delete*"]), allow(service=S3)], "allow", 101),
    Case(tunnel("sts.amazonaws.com"), [allow(service="*.amazonaws.com")], "allow", 100),
    Case(tunnel("evil.example"), [allow(service="*")], "out"),
    Case(tunnel("evil.example"), [allow(accounts=["evil.example"])], "out"),
    Case(tunnel(f"{S3}.evil.example"), [allow(service=S3)], "out"),
    Case(tunnel("corp.okta.com"), [allow(service="okta")], "allow", 100),
    Case(tunnel("corp.okta.com"), [allow(service="okta", accounts=["corp.okta.com"])], "allow", 100),
    Case(tunnel("other.okta.com"), [allow(service="okta", accounts=["corp.okta.com"])], "out"),
    Case(tunnel("login.corp.example"), [allow(service="okta", accounts=["login.corp.example"])], "allow", 100),
    Case(tunnel("api.vendor.example"), [allow(service="api.vendor.example")], "allow", 100),
    # 5: patterns, hosts, paths
    Case(web("a.b.example"), [allow(hosts=["*.example"])], "allow", 100),
    Case(web("example"), [allow(hosts=["*.example"])], "out"),
    Case(web("A.EXAMPLE."), [allow(hosts=["a.example"])], "allow", 100),
    Case(web("a.example"), [allow(hosts=["A.Example."])], "allow", 100),
    Case(web("xn--bcher-kva.example"), [allow(hosts=["bücher.example"])], "allow", 100),
    Case(web("aXexample"), [allow(hosts=["a.example"])], "out"),
    Case(web("a.example.evil"), [allow(hosts=["a.example"])], "out"),
    Case(api(S3, "getobject"), [allow(service=S3, operations=["GetObject"])], "out"),
    Case(api(S3, "GetObject"), [allow(service=S3, operations=["Get?bject"])], "allow", 100),
    Case(api(S3, "GetObject", "arn:aws:s3:::a_b/100%"), [allow(resources=["arn:aws:s3:::a_b/100%"])], "allow", 100),
    Case(api(S3, "GetObject", "arn:aws:s3:::aXb/100%"), [allow(resources=["arn:aws:s3:::a_b/*"])], "out"),
    Case(api(S3, "GetObject", "arn:aws:s3:::a/100x"), [allow(resources=["arn:aws:s3:::a/100%"])], "out"),
    Case(web("a.example", path="/api/v2/x?y=/z"), [allow(hosts=["*"], paths=["/api/v2/?"])], "allow", 100),
    Case(web("a.example", path="/api/v2/../admin"), [allow(hosts=["*"], paths=["/api/v2/*"])], "out"),
    Case(web("a.example", path="/api/v2/%2e%2E/admin"), [allow(hosts=["*"], paths=["/api/v2/*"])], "out"),
    Case(web("a.example", path="/api/v2/..%2fadmin"), [allow(hosts=["*"], paths=["/api/v2/*"])], "out"),
    Case(web("a.example", path="/x/../api/v2/y"), [allow(hosts=["*"], paths=["/api/v2/*"])], "allow", 100),
    Case(web("a.example", path="/%61dmin"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "deny", 100),
    Case(web("a.example", path="/%61dmin%ff"), [deny(hosts=["*"], paths=["/admin*"]), allow(hosts=["*"])], "deny", 100),
    Case(web("a.example", path="/%2561dmin"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "allow", 101),
    Case(web("a.example", path="?q"), [allow(hosts=["*"], paths=["/"])], "allow", 100),
    # 6: credentials for oneself, roles taken on
    Case(api("sts.amazonaws.com", "GetSessionToken", obtains="self"), [], None),
    Case({"format": "okta", "category": "token", "api_service": "okta", "obtains": "self"}, [], None),
    Case(api("iam.amazonaws.com", "CreateAccessKey", obtains="other"), [], "out"),
    Case(takes_on(f"{ROLE}me"), [], "allow", None, resource=f"{ROLE}me", rest=IS_ME),
    Case(takes_on(f"{ROLE}me"), [deny(service="sts.amazonaws.com")], "allow", None, rest=IS_ME),
    Case(takes_on(f"{ROLE}other"), [], "out", None, resource=f"{ROLE}other"),
    Case(takes_on(f"{ROLE}other"), [allow(service="sts.amazonaws.com", operations=["AssumeRole"])], "out"),
    Case(takes_on(f"{ROLE}other"), [allow(resources=[f"{ROLE}o*"])], "allow", 100),
    Case(takes_on(f"{ROLE}other"), [allow(service="iam.amazonaws.com", resources=[f"{ROLE}*"])], "out"),
    Case(
        takes_on(f"{ROLE}other"),
        [deny(service="sts.amazonaws.com"), allow(service="sts.amazonaws.com", resources=["*"])],
        "deny",
        100,
    ),
    Case(
        takes_on(f"{ROLE}team-7"), [], "allow", None, rest={"identities": [f"aws:role/{ROLE}team-*"]}
    ),
    # secrets that the manifest names
    Case(
        api("secretsmanager.amazonaws.com", "GetSecretValue", "arn:aws:secretsmanager:r:1:secret:prod/db-AbCdEf"),
        [],
        "allow",
        200,
        rest={"secrets": ["prod/db"]},
    ),
    Case(
        api("secretsmanager.amazonaws.com", "GetSecretValue", "arn:aws:secretsmanager:r:1:secret:prod/dbx-AbCdEf"),
        [],
        "out",
        rest={"secrets": ["prod/db"]},
    ),
    Case(
        api("secretsmanager.amazonaws.com", "DeleteSecret", "arn:aws:secretsmanager:r:1:secret:prod/db-AbCdEf"),
        [],
        "out",
        rest={"secrets": ["prod/db"]},
    ),
    Case(
        api("secretsmanager.amazonaws.com", "GetSecretValue", "prod/db"),
        [deny(service="secretsmanager.amazonaws.com")],
        "deny",
        100,
        rest={"secrets": ["*"]},
    ),
    Case(api("secretsmanager.amazonaws.com", "GetSecretValue", "x"), [allow(service="secrets*")], "allow", 100),
    Case(
        api("ssm.amazonaws.com", "GetParameters", "arn:aws:ssm:r:1:parameter/app/a", "arn:aws:ssm:r:1:parameter/b"),
        [],
        "allow",
        200,
        rest={"secrets": ["/app/*", "b"]},
    ),
    Case(
        api("ssm.amazonaws.com", "GetParameters", "arn:aws:ssm:r:1:parameter/app/a", "arn:aws:ssm:r:1:parameter/c"),
        [],
        "out",
        resource="arn:aws:ssm:r:1:parameter/c",
        rest={"secrets": ["/app/*", "b"]},
    ),
    Case(
        {"format": "vault", "category": "token", "api_service": "vault", "api_operation": "read",
         "account": "v", "resource_uid": "kv/data/support/x"},
        [],
        "allow",
        201,
        rest={"secrets": ["kv/data/other", "kv/data/support/*"]},
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def judged() -> dict[str, dict[str, Any]]:
    """All cases judged together, each by a worker of its own, as a run would."""
    manifests = [manifest(f"w{at}", case.scope, case.rest) for at, case in enumerate(CASES)]
    actions = [{"action_uid": f"a{at:03d}", "worker": f"w{at}", **case.action} for at, case in enumerate(CASES)]
    return {row["action_uid"]: row for row in run(actions, manifests).to_pylist()}


@pytest.mark.parametrize("at", range(len(CASES)))
def test_the_designs_points(at: int, judged: dict[str, dict[str, Any]]) -> None:
    case = CASES[at]
    row = judged.get(f"a{at:03d}")
    if case.verdict is None:
        assert row is None
        return
    assert row is not None
    assert (row["verdict"], row["line"], row["unseen"]) == (case.verdict, case.line, case.unseen)
    assert row["file"] == (f"w{at}.yaml" if case.line else None)
    if case.resource:
        assert row["resource"] == case.resource


def test_attempts_count() -> None:
    """Point 2: a call that was denied or failed is judged like any other, and said to be tried."""
    states = ["success", "failure", "denied", "unknown", None]
    actions = [api(action_uid=f"a{at}", worker="w1", status=status) for at, status in enumerate(states)]
    rows = run(actions, [manifest("w1", [], {})]).to_pylist()
    assert [(row["verdict"], row["tried"]) for row in rows] == [
        ("out", tried) for tried in (False, True, True, False, False)
    ]


def test_the_version_in_force_judges() -> None:
    """Point 7 and the manifests table: each action is held against the version that it names."""
    strict, lax = manifest("w1", [], {}), manifest("w1", [allow(service=S3)], {})
    engine = DuckDBEngine(duckdb.connect())
    actions = [api(action_uid="a1", worker="w1", manifest_sha=strict.sha256), api(action_uid="a2", worker="w1")]
    rows = run(actions, [strict, lax], engine).to_pylist()
    assert [row["verdict"] for row in rows] == ["out", "allow"]


def test_nobody_is_not_judged() -> None:
    table = run([api(action_uid="a1", worker=None)], [manifest("w1", [], {})])
    assert table.num_rows == 0
    assert table.schema.names == VERDICTS.names


def test_no_actions_and_no_manifests() -> None:
    assert run([], []).num_rows == 0


def test_verdicts_have_their_types() -> None:
    table = run([api(action_uid="a1", worker="w1")], [manifest("w1", [allow(service=S3)], {})])
    assert table.schema.equals(VERDICTS)


def test_hostile_text_is_only_text() -> None:
    nasty = [
        "'; DROP TABLE attributed; --",
        "%",
        "_",
        "\\",
        "\\%",
        "a\nb",
        "\x00",
        "*",
        "?",
        "{region}.s3",
        "🦆",
        "%zz%",
    ]
    actions = [api(S3, text, text, action_uid=f"a{at}", worker="w1") for at, text in enumerate(nasty)]
    actions += [web(text, text, text, action_uid=f"b{at}", worker="w1") for at, text in enumerate(nasty)]
    scope = [allow(service=S3, operations=["x"]), allow(hosts=["*.example"], paths=["/a/*"])]
    rows = run(actions, [manifest("w1", scope, {})]).to_pylist()
    assert [row["verdict"] for row in rows] == ["out"] * len(actions)


SENTENCES = {
    "allow": (tunnel("a.example"), "a.example is allowed by w1.yaml:100 (this log does not show methods, paths)"),
    "deny": (web("d.example"), "d.example is denied by w1.yaml:101"),
    "out": (
        web("x.example", status="denied"),
        "x.example is out of scope: no net line of the manifest allows it; the call did not succeed",
    ),
    "endpoint": (tunnel(S3), f"{S3} is an endpoint of a service that is allowed by w1.yaml:102"),
    "identity": (takes_on(f"{ROLE}w1"), f"{ROLE}w1 is a role that the worker is"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_sentences(name: str) -> None:
    action, sentence = SENTENCES[name]
    scope = [allow(hosts=["a.example"], methods=["GET"], paths=["/x"]), deny(hosts=["d.example"]), allow(service=S3)]
    engine = DuckDBEngine(duckdb.connect())
    run([{"action_uid": "a", "worker": "w1", **action}], [manifest("w1", scope, {})], engine)
    assert engine.query(f"SELECT {sentence_sql('v')} AS said FROM verdicts AS v")["said"].to_pylist() == [sentence]


ALPHABET = st.text(alphabet="ab*?%_\\.[]!é🦆\n", max_size=8)


def reference(text: str, glob: str) -> bool:
    """fnmatchcase with `*` and `?` alone."""
    return fnmatchcase(text, glob.replace("[", "[[]"))


@settings(deadline=None)
@given(st.lists(st.tuples(ALPHABET, ALPHABET), min_size=1, max_size=40))
def test_globs_agree_with_the_reference(pairs: list[tuple[str, str]]) -> None:
    pairs += [(text, text) for text, _ in pairs]
    asked = pa.table({"text": [text for text, _ in pairs], "pattern": [like(glob) for _, glob in pairs]})
    with duckdb.connect() as connection:
        connection.register("asked", asked)
        found = connection.execute(f"SELECT {matches('text', 'pattern')} FROM asked").fetchall()
    assert [one for (one,) in found] == [reference(text, glob) for text, glob in pairs]


@given(ALPHABET, ALPHABET, st.text(alphabet="ab.", max_size=6))
def test_covers_and_overlaps_are_true_of_texts(one: str, other: str, text: str) -> None:
    if covers(one, other) and reference(text, other):
        assert reference(text, one)
    if reference(text, one) and reference(text, other):
        assert overlaps(one, other)


@pytest.mark.parametrize("dialect", ["spark"])
def test_every_statement_renders(dialect: str) -> None:
    heard: list[str] = []
    run([api(action_uid="a1", worker="w1")], [], DuckDBEngine(duckdb.connect(), heard.append))
    assert len(heard) > 20
    for sql in heard:
        sqlglot.transpile(sql, read="duckdb", write=dialect, unsupported_level=sqlglot.ErrorLevel.RAISE)


ACTION = st.one_of(
    st.builds(
        lambda service, operation, keys: api(service, operation, *(f"arn:aws:s3:::{key}" for key in keys)),
        st.sampled_from([S3, "sqs.amazonaws.com"]),
        st.sampled_from(["GetObject", "DeleteObject"]),
        st.lists(st.sampled_from(["a", "a/x", "a/y", "b", "b/x"]), max_size=3),
    ),
    st.builds(
        web,
        st.sampled_from(["a.example", "b.example", S3]),
        st.sampled_from(["GET", "POST"]),
        st.sampled_from(["/", "/x/%2e"]),
    ),
    st.builds(tunnel, st.sampled_from(["a.example", S3]), st.sampled_from([443, 8443])),
    st.builds(takes_on, st.sampled_from([f"{ROLE}w1", f"{ROLE}w2"])),
)
LINE = st.builds(
    lambda effect, target: {effect: target},
    st.sampled_from(["allow", "deny"]),
    st.sampled_from(
        [
            {"service": S3},
            {"service": S3, "resources": ["arn:aws:s3:::a/*"]},
            {"operations": ["Get*"], "resources": ["arn:aws:s3:::a*", f"{ROLE}w2"]},
            {"hosts": ["*.example"], "paths": ["/x*"]},
            {"hosts": ["a.example"]},
        ]
    ),
)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(ACTION, max_size=12),
    st.lists(LINE, max_size=5),
    st.lists(LINE, max_size=3),
    st.randoms(use_true_random=False),
)
def test_order_does_not_matter(
    actions: list[dict[str, Any]], first: list[dict[str, Any]], second: list[dict[str, Any]], shuffled: random.Random
) -> None:
    """Together or alone, in any order, an action has the same verdict."""
    named = [{"action_uid": f"a{at:02d}", "worker": f"w{at % 2 + 1}", **action} for at, action in enumerate(actions)]
    manifests = [manifest("w1", first, {}), manifest("w2", second, {})]
    together = run(named, manifests)
    mixed = shuffled.sample(named, len(named))
    assert run(mixed, shuffled.sample(manifests, 2)).equals(together)
    if named:
        alone = [run([action], manifests).to_pylist() for action in named[:2]]
        assert [row for rows in alone for row in rows] == together.to_pylist()[: len(named[:2])]


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("s3.amazonaws.com", S3),
        ("bucket.with.dots.s3.eu-west-1.amazonaws.com", S3),
        ("logs-us-east-1.s3.us-east-1.amazonaws.com", S3),
        ("s3-eu-west-1.amazonaws.com", S3),
        ("s3-fips.us-gov-west-1.amazonaws.com", S3),
        ("bucket.s3.dualstack.eu-west-1.amazonaws.com", S3),
        ("bucket.s3.cn-north-1.amazonaws.com.cn", S3),
        ("bucket.vpce-0a1-x2.s3.eu-west-1.vpce.amazonaws.com", S3),
        ("dynamodb.eu-west-1.amazonaws.com", "dynamodb.amazonaws.com"),
        ("dynamodb-fips.us-east-1.amazonaws.com", "dynamodb.amazonaws.com"),
        ("streams.dynamodb.us-east-1.amazonaws.com", "dynamodb.amazonaws.com"),
        ("ec2.us-east-1.api.aws", "ec2.amazonaws.com"),
        ("sts.amazonaws.com", "sts.amazonaws.com"),
        ("sqs.cn-north-1.amazonaws.com.cn", "sqs.amazonaws.com"),
        ("email.eu-west-1.amazonaws.com", "ses.amazonaws.com"),
        ("bedrock-runtime.eu-west-1.amazonaws.com", "bedrock.amazonaws.com"),
        ("vpce-0a1-x2.kms.eu-west-1.vpce.amazonaws.com", "kms.amazonaws.com"),
        ("us-central1-aiplatform.googleapis.com", "aiplatform.googleapis.com"),
        ("storage.us-central1.rep.googleapis.com", "storage.googleapis.com"),
        ("storage.mtls.googleapis.com", "storage.googleapis.com"),
        ("account.blob.core.windows.net", "Microsoft.Storage"),
        ("management.azure.com", "Microsoft.Storage"),
        ("corp.okta.com", "okta"),
        ("api.github.com", "github"),
    ],
)
def test_endpoints(host: str, service: str) -> None:
    assert service in services(pa.table({"host": [host]}))["service"].to_pylist()


@pytest.mark.parametrize(
    "host",
    [
        "s3-1234.eu-west-1.elb.amazonaws.com",
        "abc.execute-api.eu-west-1.amazonaws.com",
        "ec2-3-4-5-6.compute-1.amazonaws.com",
        "bucket.s3-website.eu-west-1.amazonaws.com",
        "vpce-0a1.vpce-svc-0b2.eu-west-1.vpce.amazonaws.com",
        "s3.amazonaws.com.evil.example",
        "evil-s3.eu-west-1.amazonaws.com.evil.example",
        "storage.googleapis.com.evil.example",
        "evil.example",
        "",
    ],
)
def test_hosts_of_customers_and_strangers_are_no_endpoints(host: str) -> None:
    assert services(pa.table({"host": [host]})).num_rows == 0


@pytest.mark.parametrize(
    ("crooked", "path"),
    [
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/../..", "/"),
        ("/a/./b/.", "/a/b/"),
        ("/a%2F..%2Fb", "/b"),
        ("/a%252Fb", "/a%2Fb"),
        ("/a//../b", "/a/b"),
        ("/%C3%A9", "/\u00e9"),
        ("/%C3%A9%FF/%61", "/%C3%A9%FF/a"),
        ("/%", "/%"),
        ("/.well-known/x", "/.well-known/x"),
    ],
)
def test_paths_are_straightened(crooked: str, path: str) -> None:
    (row,) = straighten(pa.table({"crooked": [crooked]})).to_pylist()
    assert row == {"crooked": crooked, "path": path}
