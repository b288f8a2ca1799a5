"""Log entries in, action columns out."""

from __future__ import annotations

import base64
import io
import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats import gcp_audit
from pipelines.formats.secrets import redact
from tests.machine import shared
from tests.pipelines.formats.gcp_entries import SA, SAMPLES, SETTINGS, entry, granted, read, shown, table


def pieces(data: bytes) -> list[tuple[str, str | None]]:
    found = [piece for split in gcp_audit.split(io.BytesIO(data), True, SETTINGS) for piece in split.pieces.to_pylist()]
    return [(piece["raw"].decode(), piece["reason"]) for piece in found]


@pytest.mark.parametrize("name", ["audit", "pubsub", "bigquery"])
def test_the_sample_gives_the_expected_actions_and_grants(name: str):
    expected = json.loads((SAMPLES / "expected.json").read_text())[name]
    records = [raw for raw, _ in pieces((SAMPLES / f"{name}.jsonl").read_bytes())]
    assert shown(read(records)) == expected["actions"]
    assert shown(granted(*records)) == expected["grants"]


def test_one_event_is_one_action_however_it_was_exported():
    """The bucket's line, the Pub/Sub message and BigQuery's row of an entry have the same native id."""
    expected = json.loads((SAMPLES / "expected.json").read_text())
    ids = {name: {row.get("native_id") for row in part["actions"]} for name, part in expected.items()}
    assert ids["bigquery"] <= ids["audit"]
    assert ids["pubsub"] - {None} <= ids["audit"]


class TestContainers:
    one, two = json.dumps(entry(insertId="a")), json.dumps(entry(insertId="b"))

    @pytest.mark.parametrize("form", ["{0}\n{1}\n", "[{0},{1}]", '{{"entries":[{0},{1}],"nextPageToken":"x"}}'])
    def test_lines_arrays_and_the_apis_answer(self, form: str):
        assert [json.loads(raw)["insertId"] for raw, _ in pieces(form.format(self.one, self.two).encode())] == [
            "a",
            "b",
        ]

    @pytest.mark.parametrize(
        "form",
        [
            '{{"message":{{"data":"{0}"}}}}',
            '{{"receivedMessages":[{{"message":{{"data":"{0}"}}}}]}}',
            '{{"data":"{0}"}}',
        ],
    )
    def test_a_pubsub_message_is_opened(self, form: str):
        held = base64.b64encode(self.one.encode()).decode()
        assert pieces(form.format(held).encode()) == [(self.one, None)]

    def test_messages_keep_their_places_among_entries(self):
        held = json.dumps({"message": {"data": base64.b64encode(self.two.encode()).decode()}})
        found = pieces(f"{self.one}\n{held}\n{self.one}\n".encode())
        assert [json.loads(raw)["insertId"] for raw, _ in found] == ["a", "b", "a"]

    @pytest.mark.parametrize("data", ["!", "bm8gZW50cnk=", "/////w==", "", "WzFd", "ew=="])
    def test_what_cannot_be_opened_stays_and_is_an_error(self, data: str):
        ((raw, _),) = pieces(json.dumps({"message": {"data": data}}).encode())
        assert json.loads(raw) == {"message": {"data": data}}
        assert read([raw])[0]["outcome"] == "error"

    def test_an_opened_entry_that_is_too_deep_has_its_reason(self):
        deep = '{"a":' * 3000 + "1" + "}" * 3000
        ((_, reason),) = pieces(json.dumps({"message": {"data": base64.b64encode(deep.encode()).decode()}}).encode())
        assert reason is None or "deep" in reason or "nest" in reason

    def test_secrets_in_a_message_are_found_since_it_is_opened(self):
        held = json.dumps(entry(payload={"response": {"accessToken": "ya29.a0AfH6SMBexampleexampleexample"}}))
        ((raw, _),) = pieces(json.dumps({"message": {"data": base64.b64encode(held.encode()).decode()}}).encode())
        assert "ya29.a0" not in redacted(raw)


def test_an_entry():
    (row,) = read([entry()])
    assert row["time"] == datetime(2026, 1, 5, 10, 0, 0, 123456)
    assert (row["time_kind"], row["time_precision"]) == ("start", "1us")
    assert (row["api_service"], row["api_operation"]) == ("storage.googleapis.com", "storage.objects.get")
    assert (row["account"], row["region"], row["status"]) == ("p", "eu", "success")
    assert row["resource_uid"] == "//storage.googleapis.com/projects/_/buckets/b/objects/o"
    assert (row["bytes_out"], row["bytes_in"]) == (None, None)


def test_without_timestamp_the_time_is_when_it_was_received():
    (row,) = read([entry(timestamp=None, receiveTimestamp="2026-01-05T10:00:09Z")])
    assert (row["time"], row["time_kind"]) == (datetime(2026, 1, 5, 10, 0, 9), "logged")


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2026-01-05T12:00:00+02:00", datetime(2026, 1, 5, 10)),
        ("2026-01-05 10:00:00.5 UTC", datetime(2026, 1, 5, 10, 0, 0, 500000)),
        ("2026-01-05 10:00:00.000000001", datetime(2026, 1, 5, 10)),
    ],
)
def test_times(written: str, time: datetime):
    assert read([entry(timestamp=written)])[0]["time"] == time


@pytest.mark.parametrize(
    ("auth", "principal", "kind"),
    [
        ({"principalEmail": SA}, f"gcp:sa/{SA}", "service_account"),
        ({"principalEmail": "Alice@Corp.example"}, "gcp:user/alice@corp.example", "user"),
        ({"principalSubject": "user:A@x.example", "principalEmail": SA}, "gcp:user/a@x.example", "user"),
        ({"principalSubject": "principal://iam.googleapis.com/x/subject/S"}, "gcp:principal/principal://iam.googleapis.com/x/subject/S", "federated"),
        ({"principalEmail": "system:node:n1"}, "gcp:principal/system:node:n1", "federated"),
        ({}, None, None),
        ({"principalEmail": {"a": 1}}, None, None),
    ],
)  # fmt: skip
def test_principals(auth: dict[str, Any], principal: str | None, kind: str | None):
    (row,) = read([entry(auth=auth)])
    assert (row["principal"], row["principal_type"]) == (principal, kind)
    assert row["identity_strength"] == ("proven" if principal else "asserted")


@pytest.mark.parametrize(
    ("status", "expected", "strength"),
    [
        ({}, "success", "proven"),
        (None, "success", "proven"),
        ({"code": 0}, "success", "proven"),
        ({"code": 7, "message": "no"}, "denied", "proven"),
        ({"code": 16, "message": "who"}, "denied", "asserted"),
        ({"code": "5", "message": "none"}, "failure", "proven"),
    ],
)
def test_status(status: Any, expected: str, strength: str):
    (row,) = read([entry(payload={"status": status})])
    assert (row["status"], row["identity_strength"]) == (expected, strength)
    assert (row["error"] is None) == (expected == "success")


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("2001:db8:0:0::7", "2001:db8::7"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("gce-internal-ip", None),
        ("private", None),
    ],
)
def test_addresses(written: str, address: str | None):
    assert read([entry(payload={"requestMetadata": {"callerIp": written}})])[0]["src_ip"] == address


def test_both_entries_of_a_long_operation_are_one_deed_and_its_first_is_primary():
    operation = {"id": "op-1", "producer": "compute.googleapis.com"}
    first, last, both = read(
        [entry(operation={**operation, "first": True}), entry(operation={**operation, "last": True}),
         entry(operation={**operation, "first": True, "last": True})]
    )  # fmt: skip
    assert first["twin_uid"] == last["twin_uid"] == "gcp:operation:compute.googleapis.com:op-1"
    assert (first["twin_rank"], last["twin_rank"], both["twin_uid"]) == (0, 1, None)


def test_the_first_part_of_a_split_entry_is_the_action():
    first, second = read([entry(split={"uid": "u", "index": 0}), entry(split={"uid": "u", "index": 1})])
    assert (first["outcome"], first["request_cut"]) == ("action", True)
    assert (second["outcome"], "split" in second["reason"]) == ("skipped", True)


def test_a_service_account_is_named_by_its_address():
    labels = {"email_id": SA, "unique_id": "1100"}
    event = entry(
        payload={"serviceName": "iam.googleapis.com", "resourceName": "projects/-/serviceAccounts/1100",
                 "authorizationInfo": [{"resource": "projects/-/serviceAccounts/1100"}]},
        resource={"type": "service_account", "labels": labels},
    )  # fmt: skip
    (row,) = read([event])
    assert row["resources"] == [f"//iam.googleapis.com/projects/-/serviceAccounts/{SA}"]


def test_a_failed_login_only_claims_its_name():
    login = {"serviceName": "login.googleapis.com", "resourceName": "organizations/1"}
    failed, worked = read(
        [entry(f"google.login.LoginService.{kind}", {"principalEmail": "a@x.example"}, payload=login)
         for kind in ("loginFailure", "loginSuccess")]
    )  # fmt: skip
    assert (failed["identity_strength"], worked["identity_strength"]) == ("asserted", "proven")
    assert (worked["class_uid"], worked["obtains"]) == (3002, "self")


def test_obtains():
    made = {"serviceName": "iam.googleapis.com", "response": {"name": f"projects/p/serviceAccounts/{SA}/keys/k1"}}
    method = "google.iam.admin.v1.CreateServiceAccountKey"
    for_itself, for_another = read(
        [entry(method, payload=made), entry(method, {"principalEmail": "a@x.example"}, payload=made)]
    )
    assert (for_itself["obtains"], for_another["obtains"]) == (None, "other")
    iam = {"serviceName": "iamcredentials.googleapis.com"}
    assert read([entry("google.iam.credentials.v1.SignJwt", payload=iam)])[0]["obtains"] == "self"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"protoPayload":"x","timestamp":"2026-01-05T10:00:00Z"}', 'the key "protoPayload"'),
        (entry(timestamp=None), 'the key "timestamp" is missing'),
        (entry(timestamp="soon"), 'the key "timestamp" is no RFC 3339'),
        (entry(timestamp="2026-02-30T10:00:00Z"), 'the key "timestamp" is no RFC 3339'),
        (entry(""), 'the key "methodName"'),
    ],
)
def test_errors_name_the_key(record: Any, reason: str):
    (row,) = read([record])
    assert row["outcome"] == "error"
    assert row["reason"].startswith(reason)
    assert {value for key, value in row.items() if key not in {"outcome", "reason", "record_id"}} == {None}
    assert granted(record) == []


def test_entries_of_other_logs_are_skipped():
    (row,) = read([{"logName": "projects/p/logs/requests", "timestamp": "2026-01-05T10:00:00Z", "httpRequest": {}}])
    assert (row["outcome"], row["reason"]) == ("skipped", "an entry of another log than the audit logs")


def test_hostile_text_stays_inert():
    hostile = "'); DROP TABLE records; -- \x1b[2J <script> \u202e"
    (row,) = read([entry(hostile, {"principalEmail": hostile}, payload={"resourceName": hostile})])
    assert (row["api_operation"], row["principal"]) == (hostile, f"gcp:principal/{hostile}")
    assert row["resource_uid"] == f"//storage.googleapis.com/{hostile}"


def redacted(raw: str) -> str:
    return str(redact(table([raw])["raw"].combine_chunks(), b"k" * 32, gcp_audit.SECRETS).to_pylist()[0])


PLANTED = {
    "key data": {"response": {"private_key_data": "c2VjcmV0LWtleS1ieXRlcw"}},
    "signed jwt": {"response": {"signedJwt": "s3cr3t-jwt"}},
    "sql password": {"request": {"rootPassword": "hunter2hunter2"}},
    "api key": {"response": {"keyString": "k3ystr1ng-secret"}},
    "access token": {"request": {"note": "ya29.c.b0Aaekm1KexampleexampleEXAMPLE"}},
    "refresh token": {"request": {"note": "1//09exampleexampleexampleEXAMPLE"}},
    "client secret": {"request": {"note": "GOCSPX-exampleEXAMPLE12"}},
    "signed url": {"request": {"url": "https://storage.googleapis.com/b/o?X-Goog-Signature=deadbeefdeadbeef"}},
    "signed url, version 2": {
        "request": {"url": "https://storage.googleapis.com/b/o?Expires=1&Signature=c2lnbmF0dXJl"}
    },
}


@pytest.mark.parametrize("place", sorted(PLANTED))
@pytest.mark.parametrize("bigquery", [False, True])
def test_planted_secrets_are_replaced(place: str, bigquery: bool):
    payload = PLANTED[place]
    secret = re.split(r"[=&?/]", str(next(iter(next(iter(payload.values())).values()))))[-1]
    shaped = {f"{key}Json": json.dumps(value) for key, value in payload.items()} if bigquery else payload
    raw = json.dumps(entry(payload=shaped))
    assert secret in raw
    assert secret not in redacted(raw)
    assert read([redacted(raw)])[0]["outcome"] == "action"


def test_names_of_credentials_survive():
    auth = {
        "principalEmail": SA,
        "serviceAccountKeyName": f"//iam.googleapis.com/projects/p/serviceAccounts/{SA}/keys/4b1f0c2d3e4f5a6b7c8d9e0f",
        "principalSubject": "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/repo:a/b@c",
    }
    raw = json.dumps(entry(auth=auth))
    assert redacted(raw) == raw


def test_real_entries():
    lines = shared("panther-analysis", "panther_tests.jsonl").read_text().splitlines()
    events = [case["event"] for case in map(json.loads, lines) if case["log_type"] == "GCP.AuditLog"]
    rows = read(events)
    for event, row in zip(events, rows, strict=True):
        payload = event.get("protoPayload") or event.get("protopayload")
        complete = (
            isinstance(payload, dict) and payload.get("methodName") and re.match(r"\d{4}-", event.get("timestamp", ""))
        )
        assert row["outcome"] == ("action" if complete else "error")
        if complete:
            assert row["api_operation"] == payload["methodName"]
            assert row["time"].isoformat(sep=" ")[:19] == event["timestamp"].replace("T", " ")[:19]
    assert sum(row["outcome"] == "action" for row in rows) == 71
    assert [row["mechanism"] for row in granted(*events)].count("CreateServiceAccountKey") == 1


def test_more_real_entries():
    events = [path.read_text() for path in sorted(shared("gcp-security-analytics").glob("*.json"))]
    rows = read(events)
    assert [row["outcome"] for row in rows].count("action") == 8
    assert [row["reason"] for row in rows if row["outcome"] != "action"] == [
        "an entry of another log than the audit logs"
    ]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
KEYS = st.sampled_from(
    ["authenticationInfo", "principalEmail", "principalSubject", "serviceAccountDelegationInfo", "metadata", "request",
     "response", "labels", "status", "code", "name", "identityDelegationChain", "firstPartyPrincipal"]
)  # fmt: skip
JSON = st.recursive(
    SCALARS | st.sampled_from([SA, f"user:{SA}", f"projects/p/serviceAccounts/{SA}/keys/k", "3600s"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
METHODS = st.sampled_from(
    [
        "GenerateAccessToken",
        "google.iam.admin.v1.CreateServiceAccountKey",
        "x.SecurityTokenService.ExchangeToken",
        "a.get",
    ]
)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(METHODS, st.dictionaries(KEYS, JSON, max_size=4), st.dictionaries(KEYS, JSON, max_size=2)), max_size=8
    ),
    st.sampled_from(["iam.googleapis.com", "iamcredentials.googleapis.com", "sts.googleapis.com"]),
)
def test_any_value_under_any_key_is_one_row(changes: list[tuple[str, dict[str, Any], dict[str, Any]]], service: str):
    events = [entry(method, payload={"serviceName": service, **inner}, **outer) for method, inner, outer in changes]
    rows = read(events)
    assert all((row["reason"] is None) == (row["outcome"] == "action") for row in rows)
    acted = {row["record_id"] for row in rows if row["outcome"] == "action"}
    for grant in granted(*events):
        assert grant["record_id"] in acted
        assert grant["child_uid"] != grant["parent_uid"]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_mutated_sample_loses_no_record(data: st.DataObject):
    lines = (SAMPLES / "audit.jsonl").read_bytes().splitlines()
    line = bytearray(data.draw(st.sampled_from(lines)))
    for _ in range(data.draw(st.integers(1, 4))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(32, 126))
    found = pieces(lines[0] + b"\n" + bytes(line) + b"\n" + lines[1] + b"\n")
    assert len(found) >= 3
    rows = read([raw for raw, _ in found])
    assert [row["outcome"] for row in rows].count("action") >= 2
