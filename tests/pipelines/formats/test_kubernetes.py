"""Kubernetes audit events in, action columns and grants out."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings

from pipelines.formats.kubernetes import FORMAT
from tests.machine import shared
from tests.pipelines.formats.readings import (
    SAMPLES,
    granted,
    json_values,
    mutated,
    read,
    redacted,
    split,
    told,
)

LINES = (SAMPLES / "kubernetes/audit.jsonl").read_text().splitlines()
JTI, POD = "5a0b7c9e-1111-4222-8333-444455556666", "c0ffee00-aaaa-4bbb-8ccc-ddddeeeeffff"
AGENT = "system:serviceaccount:agents:support-agent"
ISSUED = {"authentication.kubernetes.io/issued-credential-id": f"JTI={JTI}"}


def event(**changes: Any) -> dict[str, Any]:
    """An event of the sample's agent, with members changed."""
    return {**json.loads(LINES[2]), **changes}


def request(user: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A TokenRequest for the agent's service account."""
    ref = {"resource": "serviceaccounts", "subresource": "token", "namespace": "agents", "name": "support-agent"}
    return event(verb="create", objectRef=ref, user=user, annotations=ISSUED, **changes)


def test_the_sample_gives_the_expected_actions_and_grants():
    expected = json.loads((SAMPLES / "kubernetes/audit.expected.json").read_text())
    assert told(read(FORMAT, LINES, "corp")) == expected["actions"]
    assert told(granted(FORMAT, *LINES, realm="corp")) == expected["grants"]


def _subscription(messages: list[str]) -> bytes:
    logged = [{"id": str(n), "timestamp": 1, "message": message} for n, message in enumerate(messages)]
    return json.dumps({"messageType": "DATA_MESSAGE", "owner": "111122223333", "logEvents": logged}).encode()


@pytest.mark.parametrize(
    "stream",
    [
        "\n".join(LINES).encode(),
        json.dumps(
            {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": list(map(json.loads, LINES))}
        ).encode(),
        _subscription(LINES),
        json.dumps({"awslogs": {"data": base64.b64encode(gzip.compress(_subscription(LINES))).decode()}}).encode(),
        "\n".join(json.dumps({"category": "kube-audit", "properties": {"log": line}}) for line in LINES).encode(),
        json.dumps(
            {"records": [{"category": "kube-audit-admin", "properties": {"log": line}} for line in LINES]}
        ).encode(),
    ],
    ids=["lines", "EventList", "CloudWatch", "packed", "AKS lines", "AKS records"],
)
def test_an_event_has_one_text_however_it_comes(stream: bytes):
    assert [json.loads(text) for text in split(FORMAT, stream)] == [json.loads(line) for line in LINES]


def test_time_is_the_requests_arrival():
    row = read(FORMAT, [event()])[0]
    assert row["time"] == datetime(2026, 1, 5, 9, 0, 3, 500000)
    assert (row["time_kind"], row["time_precision"], row["duration_ms"]) == ("start", "1us", 2)
    local = read(FORMAT, [event(requestReceivedTimestamp="2026-01-05T10:00:03.5+01:00")])[0]
    assert local["time"] == datetime(2026, 1, 5, 9, 0, 3, 500000)
    ended = read(FORMAT, [event(requestReceivedTimestamp=None)])[0]
    assert (ended["time"], ended["time_kind"]) == (datetime(2026, 1, 5, 9, 0, 3, 502000), "end")
    zoneless = read(FORMAT, [event(requestReceivedTimestamp="2026-01-05 09:00:03.5")])[0]
    assert zoneless["time"] == row["time"]


def test_the_native_id_is_not_the_callers_alone():
    """A caller may send one Audit-ID with each request: they stay different events."""
    rows = read(FORMAT, [event(), event(requestReceivedTimestamp="2026-01-05T09:00:04.000000Z")])
    assert rows[0]["native_id"] != rows[1]["native_id"]
    assert rows[0]["request_uid"] == rows[1]["request_uid"]
    assert read(FORMAT, [event(auditID="")])[0]["native_id"] is None


@pytest.mark.parametrize(
    ("username", "principal", "kind"),
    [
        (AGENT, "k8s:sa/prod/agents/support-agent", "service_account"),
        ("system:node:node-a1", "k8s:node/prod/node-a1", "node"),
        ("alice@corp.example", "k8s:user/prod/alice@corp.example", "user"),
        ("system:serviceaccount:a:b:c", "k8s:user/prod/system:serviceaccount:a:b:c", "user"),
        ("system:serviceaccount:a/x:c", "k8s:user/prod/system:serviceaccount:a/x:c", "user"),
        ("system:anonymous", None, None),
        ("", None, None),
        (None, None, None),
        ({"a": 1}, None, None),
    ],
)
def test_principals(username: Any, principal: str | None, kind: str | None):
    row = read(FORMAT, [event(user={"username": username})])[0]
    assert (row["principal"], row["principal_type"]) == (principal, kind)
    assert row["identity_strength"] == ("asserted" if principal is None else "proven")


def test_a_cluster_is_a_realm():
    row = read(FORMAT, [event()], realm="eu/prod")[0]
    assert row["principal"] == "k8s:sa/eu%2Fprod/agents/support-agent"
    assert row["credential_uid"] == f"k8s:token/eu%2Fprod/{JTI}"
    assert row["account"] == "eu/prod"


@pytest.mark.parametrize(
    ("extra", "uid", "credential"),
    [
        ({"authentication.kubernetes.io/credential-id": ["JTI=j1"]}, "u", "k8s:token/prod/j1"),
        ({"authentication.kubernetes.io/credential-id": ["X509SHA256=AB12"]}, "u", "x509:cert/ab12"),
        ({"authentication.kubernetes.io/credential-id": ["other", "JTI=j2"]}, "u", "k8s:token/prod/j2"),
        ({"authentication.kubernetes.io/credential-id": ["JTI="]}, "u", None),
        ({"accessKeyId": ["ASIA1"]}, "aws-iam-authenticator:1:AROA", "aws:key/ASIA1"),
        ({"accessKeyId": ["ASIA1"]}, "u", None),
        ({"accessKeyId": "ASIA1"}, "aws-iam-authenticator:1:AROA", None),
        ({}, "u", None),
        (None, None, None),
    ],
)
def test_credentials(extra: Any, uid: str | None, credential: str | None):
    row = read(FORMAT, [event(user={"username": AGENT, "uid": uid, "extra": extra})])[0]
    assert row["credential_uid"] == credential


def test_only_the_socket_peer_is_the_source():
    """`sourceIPs` begins with what X-Forwarded-For says, which the caller writes."""
    assert read(FORMAT, [event(sourceIPs=["10.0.0.1", "203.0.113.5"])])[0]["src_ip"] == "203.0.113.5"
    assert read(FORMAT, [event(sourceIPs=["::ffff:192.0.2.1"])])[0]["src_ip"] == "192.0.2.1"
    assert read(FORMAT, [event(sourceIPs=["2001:DB8:0::1"])])[0]["src_ip"] == "2001:db8::1"
    assert [read(FORMAT, [event(sourceIPs=ips)])[0]["src_ip"] for ips in ([], None, ["x"])] == [None] * 3


def test_impersonation_is_a_claim():
    row = read(FORMAT, [event(impersonatedUser={"username": "Bob@corp.example"})])[0]
    assert (row["principal"], row["delegator"]) == ("k8s:sa/prod/agents/support-agent", "mail:addr/bob@corp.example")
    assert row["delegator_strength"] == "asserted"
    row = read(FORMAT, [event(impersonatedUser={"username": "system:serviceaccount:kube-system:admin"})])[0]
    assert row["delegator"] == "k8s:sa/prod/kube-system/admin"


@pytest.mark.parametrize(
    ("code", "decision", "stage", "status"),
    [
        (200, "allow", "ResponseComplete", "success"),
        (101, "allow", "ResponseComplete", "success"),
        (403, "forbid", "ResponseComplete", "denied"),
        (None, "forbid", "ResponseComplete", "denied"),
        (401, "allow", "ResponseComplete", "denied"),
        (404, "allow", "ResponseComplete", "failure"),
        (500, "allow", "Panic", "failure"),
        (None, "allow", "Panic", "failure"),
        (0, "allow", "ResponseComplete", "unknown"),
        ("x", "allow", "ResponseComplete", "unknown"),
    ],
)
def test_status(code: Any, decision: str, stage: str, status: str):
    notes = {"authorization.k8s.io/decision": decision}
    row = read(FORMAT, [event(stage=stage, responseStatus={"code": code}, annotations=notes)])[0]
    assert row["status"] == status


@pytest.mark.parametrize(
    ("ref", "uri", "operation", "resource"),
    [
        ({"resource": "pods", "subresource": "exec", "namespace": "a", "name": "p"}, "/x", "get pods/exec", "a/pods/p"),
        ({"resource": "secrets", "namespace": "a"}, "/x", "get secrets", "a/secrets/"),
        ({"resource": "clusterroles", "name": "admin"}, "/x", "get clusterroles", "/clusterroles/admin"),
        ({"resource": "secrets", "namespace": "null", "name": "-"}, "/x", "get secrets", "null/secrets/-"),
        ({"resource": "clusterroles", "name": "[x"}, "/x", "get clusterroles", "/clusterroles/[x"),
        ({"resource": "pods", "name": ["x"]}, "/x", "get pods", "/pods/"),
        (None, "/healthz?verbose", "get /healthz", "/healthz"),
        (None, None, "get", None),
    ],
)
def test_operations_and_resources(ref: Any, uri: Any, operation: str, resource: str | None):
    row = read(FORMAT, [event(objectRef=ref, requestURI=uri)])[0]
    assert (row["api_service"], row["api_operation"], row["resource_uid"]) == ("kubernetes", operation, resource)


@pytest.mark.parametrize(
    ("user", "obtains", "strength", "parent"),
    [
        ({"username": AGENT}, "self", "proven", "k8s:sa/prod/agents/support-agent"),
        ({"username": "mallory"}, "other", "asserted", "k8s:user/prod/mallory"),
        ({"username": "system:node:n1"}, None, "proven", "k8s:node/prod/n1"),
        (
            {"username": "system:kube-controller-manager"},
            None,
            "proven",
            "k8s:user/prod/system:kube-controller-manager",
        ),
    ],
)
def test_token_requests(user: dict[str, Any], obtains: str | None, strength: str, parent: str):
    call = request(user, responseStatus={"code": 201})
    (grant,) = granted(FORMAT, call)
    assert read(FORMAT, [call])[0]["obtains"] == obtains
    assert (grant["parent_uid"], grant["child_uid"]) == (parent, f"k8s:token/prod/{JTI}")
    assert (grant["principal"], grant["strength"]) == ("k8s:sa/prod/agents/support-agent", strength)


def test_a_tokens_lifetime():
    asked = {"spec": {"expirationSeconds": 600}}
    (grant,) = granted(FORMAT, request({"username": AGENT}, requestObject=asked))
    assert grant["expires_at"] == datetime(2026, 1, 5, 9, 10, 3, 500000)
    given_ = {"status": {"expirationTimestamp": "2026-01-05T12:00:00Z"}}
    (grant,) = granted(FORMAT, request({"username": AGENT}, requestObject=asked, responseObject=given_))
    assert grant["expires_at"] == datetime(2026, 1, 5, 12)


def test_kubelets_tokens_outlive_what_is_said_of_them():
    """API servers make tokens that are asked for 3607 seconds valid for a year."""
    asked = {"spec": {"expirationSeconds": 3607}}
    said = {**asked, "status": {"expirationTimestamp": "2026-01-05T10:00:10Z"}}
    (grant,) = granted(FORMAT, request({"username": "system:node:n1"}, requestObject=asked, responseObject=said))
    assert grant["expires_at"] is None


def test_a_service_account_that_is_made_again_comes_from_nobody():
    ref = {"resource": "serviceaccounts", "namespace": "agents", "name": "support-agent"}
    (grant,) = granted(FORMAT, event(verb="create", objectRef=ref))
    assert (grant["kind"], grant["parent_uid"]) == ("issue", None)
    assert grant["child_uid"] == "k8s:sa/prod/agents/support-agent"


def test_only_a_kubelet_speaks_for_a_pod():
    bound = {"spec": {"boundObjectRef": {"kind": "Pod", "uid": POD}}}
    (carried,) = granted(FORMAT, request({"username": "system:node:n1"}, requestObject=bound))
    assert carried["parent_uid"] == f"k8s:pod/prod/{POD}"
    (asked,) = granted(FORMAT, request({"username": "mallory"}, requestObject=bound))
    assert asked["parent_uid"] == "k8s:user/prod/mallory"


def test_a_refused_request_grants_nothing():
    assert granted(FORMAT, request({"username": AGENT}, responseStatus={"code": 403})) == []
    assert granted(FORMAT, request({"username": AGENT}, stage="ResponseStarted")) == []


def test_the_name_that_the_annotation_had_in_1_29():
    notes = {"authentication.k8s.io/issued-credential-id": f"JTI={JTI}"}
    (grant,) = granted(FORMAT, {**request({"username": AGENT}), "annotations": notes})
    assert grant["child_uid"] == f"k8s:token/prod/{JTI}"


def test_a_person_who_makes_a_pod_starts_what_runs_in_it():
    made = {"metadata": {"uid": POD}, "spec": {"serviceAccountName": "support-agent"}}
    ref = {"resource": "pods", "namespace": "agents"}
    (grant,) = granted(FORMAT, event(verb="create", user={"username": "dana"}, objectRef=ref, responseObject=made))
    assert (grant["parent_uid"], grant["child_uid"]) == ("k8s:user/prod/dana", f"k8s:pod/prod/{POD}")
    assert (grant["principal"], grant["strength"]) == ("k8s:sa/prod/agents/support-agent", "asserted")


def test_a_persons_delete_of_a_pod_is_not_its_end():
    ref = {"resource": "pods", "namespace": "agents", "name": "p", "uid": POD}
    assert granted(FORMAT, event(verb="delete", objectRef=ref)) == []
    (grant,) = granted(FORMAT, event(verb="delete", objectRef=ref, user={"username": "system:node:n1"}))
    assert (grant["kind"], grant["child_uid"]) == ("revoke", f"k8s:pod/prod/{POD}")


@pytest.mark.parametrize(
    ("record", "outcome", "reason"),
    [
        ("{", "error", "not a JSON object"),
        ("[]", "error", "not a JSON object"),
        (event(kind=None), "error", 'the key "kind" is missing'),
        (event(kind="Pod"), "error", 'the key "kind" is not "Event"'),
        (event(requestReceivedTimestamp=None, stageTimestamp=None), "error", 'the keys "requestReceivedTimestamp"'),
        (event(requestReceivedTimestamp="now"), "error", 'the key "requestReceivedTimestamp" is no'),
        (event(verb=""), "error", 'the key "verb"'),
        (event(stage="Later"), "error", 'the key "stage"'),
        ({"protoPayload": {"serviceName": "k8s.io"}}, "error", "a Cloud Audit entry"),
        ({"category": "guard", "properties": {"log": "I0105"}}, "skipped", "a resource log of another category"),
        (event(stage="RequestReceived"), "skipped", "an interim stage (RequestReceived)"),
    ],
)
def test_what_is_no_action_has_a_reason(record: Any, outcome: str, reason: str):
    row = read(FORMAT, [record])[0]
    assert row["outcome"] == outcome
    assert row["reason"].startswith(reason)
    assert {value for key, value in row.items() if key not in {"outcome", "reason", "record_id"}} == {None}


def test_hostile_text_stays_inert():
    hostile = "'); DROP TABLE records; -- \x1b[2J <script> \u202e"
    ref = {"resource": hostile, "namespace": hostile, "name": hostile}
    row = read(FORMAT, [event(objectRef=ref, user={"username": hostile}, userAgent=hostile)])[0]
    assert row["principal"] == f"k8s:user/prod/{hostile}"
    assert row["resource_uid"] == f"{hostile}/{hostile}/{hostile}"


def test_planted_secrets_are_replaced():
    planted = ["czNjcjN0LTE=", "s3cr3t-2", "czNjcjN0LTM=", "s3cr3t-4", "s3cr3t-5", "abc123.0123456789abcdef"]
    ref = {"resource": "secrets", "namespace": "a", "name": "db"}
    annotation = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"stringData": {"p": planted[3]}})}
    secret = {"kind": "Secret", "metadata": {"name": "db", "annotations": annotation}}
    made = event(
        verb="create",
        objectRef=ref,
        requestObject={**secret, "data": {"user": planted[0], "pin": 4}, "stringData": {"pass word": planted[1]}},
        responseObject={"kind": "SecretList", "items": [{**secret, "data": {f"k{n}": planted[2] for n in range(9)}}]},
    )
    patched = event(verb="patch", objectRef=ref, requestObject=[{"op": "add", "path": "/data/x", "value": planted[4]}])
    pod = event(
        verb="create",
        requestObject={"kind": "Pod", "spec": {"containers": [{"env": [{"name": "DB", "value": "pl4nted-env"}]}]}},
    )
    joined = event(requestURI=f"/x?token={planted[5]}", responseObject={"status": {"token": planted[5]}})
    stream = "\n".join(json.dumps(each) for each in (made, patched, joined, pod)).encode()
    stored = redacted(FORMAT, split(FORMAT, stream))
    assert [word for word in [*planted, "pl4nted-env"] if any(word in text for text in stored)] == []
    assert stored[0].count("hmac:") == 2 + 9 + 2
    assert [json.loads(text)["objectRef"]["name"] for text in stored] == ["db", "db", "prompts", "prompts"]
    assert json.loads(stored[3])["requestObject"]["spec"]["containers"][0]["env"][0]["name"] == "DB"


def test_config_maps_and_secrets_names_are_left_alone():
    kept = event(requestObject={"kind": "ConfigMap", "data": {"prompt": "be kind"}})
    listed = event(objectRef={"resource": "secrets", "name": "db"})
    texts = [json.dumps(kept), json.dumps(listed)]
    assert redacted(FORMAT, split(FORMAT, "\n".join(texts).encode())) == texts


def test_token_ids_are_no_secrets():
    assert redacted(FORMAT, LINES)[4] == LINES[4]
    assert "planted.in-the-sample" not in redacted(FORMAT, LINES)[1]


def test_real_events():
    file = shared("panther-analysis", "panther_tests.jsonl")
    cases = [json.loads(line) for line in file.read_text().splitlines()]
    events = [case["event"] for case in cases if case["log_type"] == "Amazon.EKS.Audit"]
    texts = split(FORMAT, "\n".join(map(json.dumps, events)).encode())
    rows = read(FORMAT, texts)
    for text, row in zip(texts, rows, strict=True):
        seen = json.loads(text)
        whole = seen.get("kind") == "Event" and "requestReceivedTimestamp" in seen and "verb" in seen
        assert (row["outcome"] != "error") == whole
    assert sum(row["outcome"] == "action" for row in rows) == 2
    assert sum(row["outcome"] == "skipped" for row in rows) == 1


def test_it_agrees_with_another_parser():
    """crowdsec-hub's `scenario.assert` of the same line: address, namespace, resource name, time and user."""
    folder = shared("crowdsec-hub", "k8s-audit-pod-exec-file")
    (row,) = read(FORMAT, split(FORMAT, (folder / "k8s-audit-pod-exec-file.log").read_bytes()))
    said = (folder / "scenario.assert").read_text()
    assert f'GetMeta("source_ip") == "{row["src_ip"]}"' in said
    namespace, _, name = row["resource_uid"].split("/")
    assert f'GetMeta("namespace") == "{namespace}"' in said
    assert f'GetMeta("resource_name") == "{name}"' in said
    assert f'GetMeta("timestamp") == "{row["time"].isoformat().rstrip("0")}Z"' in said
    assert f'GetMeta("user") == "{row["principal"].rpartition("/")[2]}"' in said
    assert (row["api_operation"], row["status"]) == ("create pods/exec", "success")


@settings(max_examples=30, deadline=None)
@given(
    json_values(
        ["Event", "create", "pods", "JTI=x", "ResponseComplete", "system:node:n", "2026-01-05T09:00:00Z"],
        sorted({*event(), "username", "extra", "spec", "metadata", "uid", "resource", "items", "log"}),
    ),
    mutated(LINES),
)
def test_no_input_crashes_or_is_lost(value: Any, line: str):
    records = [json.dumps(value), json.dumps({**event(), "user": value, "requestObject": value}), line]
    rows = read(FORMAT, records)
    acted = {row["record_id"] for row in rows if row["outcome"] == "action"}
    assert {row["record_id"] for row in granted(FORMAT, *records)} <= acted
