"""Laws that hold for all verdicts; the examples, point by point of the design, are in test_semantics_*.py."""

import random
from fnmatch import fnmatchcase
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.endpoints import services
from detectors.glob import covers, like, overlaps, prepared_matches_sql, prepared_sql, regular_sql
from detectors.scope import VERDICTS, sentence_sql
from detectors.scope_paths import straighten
from detectors.scope_patterns import matches
from pipelines.lake.duckdb_engine import DuckDBEngine
from tests.detectors.scope_examples import ROLE, S3, allow, api, deny, manifest, run, takes_on, tunnel, web


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


ALPHABET = st.text(alphabet="ab*?%_\\.[](){}^$|+Eéz🦆\n\x00", max_size=9)


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


@settings(deadline=None)
@given(st.lists(st.tuples(ALPHABET, ALPHABET), min_size=1, max_size=40))
def test_an_expression_means_the_same_as_its_pattern(pairs: list[tuple[str, str]]) -> None:
    pairs += [(glob.replace("*", "").replace("?", "a"), glob) for _, glob in pairs]
    asked = pa.table({"text": [text for text, _ in pairs], "pattern": [like(glob) for _, glob in pairs]})
    prepared = f"(SELECT text, pattern, {prepared_sql('pattern')} FROM asked) AS globs"
    sql = f"SELECT regexp_matches(text, {regular_sql('pattern')}), {prepared_matches_sql('text', 'globs')} FROM {prepared}"
    with duckdb.connect() as connection:
        connection.register("asked", asked)
        found = connection.execute(sql).fetchall()
    assert found == [(reference(text, glob),) * 2 for text, glob in pairs]


def test_a_long_path_does_not_hold_up_globs_with_many_stars() -> None:
    long = "/v1" + "/a/b/c" * 1300
    actions = [
        web("api.example", path=long, action_uid="a1", worker="w1"),
        web("api.example", path=f"{long}/read", action_uid="a2", worker="w1"),
    ]
    scope = [allow(hosts=["api.example"], paths=["/v1/*/*/*/read", "*/a*/b*/c*/d?"])]
    rows = run(actions, [manifest("w1", scope, {})]).to_pylist()
    assert [row["verdict"] for row in rows] == ["out", "allow"]


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
    assert (row["crooked"], row["path"]) == (crooked, path)
