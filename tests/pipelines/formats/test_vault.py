"""Lines of Vault's audit devices in, action columns and grants out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings

from pipelines.formats.vault import FORMAT, VaultOptions
from tests.pipelines.formats.readings import SAMPLES, granted, json_values, mutated, read, redacted, split, told

LINES = (SAMPLES / "vault/audit.jsonl").read_text().splitlines()
OPTIONS = VaultOptions.model_validate_json((SAMPLES / "vault/audit.options.json").read_text())
LOGIN, READ, CREATE = json.loads(LINES[1]), json.loads(LINES[3]), json.loads(LINES[9])
ENTITY = "vault:entity/prod/e4f5c67a-6f7e-789d-ae56-00000000aaaa"
HELD = f"vault:accessor/prod/{READ['auth']['accessor']}"


def line(base: dict[str, Any] = READ, request: Any = (), response: Any = (), **changes: Any) -> dict[str, Any]:
    """A line of the sample with members changed."""
    return {
        **base,
        "request": {**base["request"], **dict(request)},
        "response": {**base["response"], **dict(response)},
        **changes,
    }


def login(method: str, **metadata: Any) -> dict[str, Any]:
    """The answer to a login at the mount `auth/METHOD`."""
    auth = {**LOGIN["auth"], "metadata": metadata}
    place = {"path": f"auth/{method}/login", "mount_point": f"auth/{method}/", "mount_type": method}
    return line(LOGIN, place, {"mount_type": method, "auth": auth}, auth=auth)


def test_the_sample_gives_the_expected_actions_and_grants():
    expected = json.loads((SAMPLES / "vault/audit.expected.json").read_text())
    assert told(read(FORMAT, LINES, "corp", OPTIONS)) == expected["actions"]
    assert told(granted(FORMAT, *LINES, realm="corp", options=OPTIONS)) == expected["grants"]


def test_request_and_response_are_one_deed_and_the_response_leads():
    asked, answered = read(FORMAT, LINES[2:4])
    assert asked["twin_uid"] == answered["twin_uid"] == "vault:prod:7c1e0a52-0000-4000-8000-000000000002"
    assert (asked["twin_rank"], answered["twin_rank"]) == (1, 0)
    assert asked["native_id"] == answered["native_id"] + "/request"
    assert (asked["status"], answered["status"]) == ("unknown", "success")
    assert granted(FORMAT, *LINES[0::2][:7]) == []


def test_two_devices_tell_of_one_deed():
    one, two = (read(FORMAT, LINES[3:4], options=VaultOptions(device=name))[0] for name in ("file", "it's"))
    assert one["twin_uid"] == two["twin_uid"]
    assert one["native_id"].removesuffix("@file") == two["native_id"].removesuffix("@it's")


def test_times_are_nanoseconds_cut_to_microseconds():
    asked, answered = read(FORMAT, LINES[2:4])
    assert asked["time"] == datetime(2026, 1, 5, 9, 0, 5, 100200)
    assert (asked["time_kind"], answered["time_kind"], answered["time_precision"]) == ("start", "end", "1us")
    assert read(FORMAT, [line(time="2026-01-05T10:00:00.999999999+01:00")])[0]["time"] == datetime(
        2026, 1, 5, 9, 0, 0, 999999
    )


def test_an_action():
    row = read(FORMAT, [line()])[0]
    assert (row["principal"], row["credential_uid"]) == (ENTITY, HELD)
    assert (row["api_service"], row["api_operation"], row["resource_uid"]) == ("vault", "read", "kv/data/support/crm")
    assert (row["src_ip"], row["src_port"], row["account"]) == ("10.40.3.7", 41822, "prod")
    assert row["identity_strength"] == "proven"


def test_a_namespace_is_part_of_the_path():
    assert (
        read(FORMAT, [line(request={"namespace": {"path": "team/"}})])[0]["resource_uid"] == "team/kv/data/support/crm"
    )
    assert read(FORMAT, [line(request={"namespace": {"path": ""}})])[0]["resource_uid"] == "kv/data/support/crm"


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ("10.0.0.1", 8, ("10.0.0.1", 8)),
        ("10.0.0.1:36776", None, ("10.0.0.1", 36776)),
        ("[2001:DB8::1]:443", None, ("2001:db8::1", 443)),
        ("2001:db8::1", None, ("2001:db8::1", None)),
        ("::ffff:192.0.2.1", 0, ("192.0.2.1", None)),
        ("", None, (None, None)),
        ("@", 70000, (None, None)),
    ],
)
def test_addresses(address: str, port: Any, expected: tuple[Any, Any]):
    row = read(FORMAT, [line(request={"remote_address": address, "remote_port": port})])[0]
    assert (row["src_ip"], row["src_port"]) == expected


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        (line(), "success"),
        (line(error="1 error occurred:\n\t* permission denied\n\n"), "denied"),
        (line(error="unsupported path"), "failure"),
        (line(response={"data": {"error": "hmac-sha256:aa"}}), "unknown"),
        (line(login("approle"), response={"auth": None, "data": {"error": "hmac-sha256:aa"}}, auth={}), "failure"),
    ],
)
def test_status(changed: dict[str, Any], status: str):
    row = read(FORMAT, [changed])[0]
    assert row["status"] == status
    assert (row["error"] is None) == (status in {"success", "unknown"} or not changed.get("error"))


def test_a_failed_login_proves_nobody():
    failed = line(login("ldap"), response={"auth": None}, error="ldap operation failed")
    row = read(FORMAT, [failed])[0]
    assert (row["identity_strength"], row["obtains"], row["class_uid"]) == ("asserted", "self", 3002)
    assert granted(FORMAT, failed) == []


@pytest.mark.parametrize(
    ("method", "issuer", "metadata", "parent"),
    [
        ("kubernetes", "eu/1", {"service_account_name": "a", "service_account_namespace": "n"}, "k8s:sa/eu%2F1/n/a"),
        ("kubernetes", None, {"service_account_name": "a", "service_account_namespace": "n"}, ENTITY),
        ("kubernetes", None, {"role": "support"}, "vault:role/prod/auth/kubernetes/support"),
        ("jwt", "https://ci.example/", {"sub": "repo:x"}, "oidc:subject/ci.example#repo:x"),
        ("jwt", "https://ci.example/", {"sub": "repo:x", "jti": "j1"}, "oauth:token/ci.example#j1"),
        ("jwt", "https://ci.example/", {"sub": "spiffe://a.example/w"}, "spiffe:id/spiffe://a.example/w"),
        ("jwt", None, {"sub": "repo:x", "role": "ci"}, "vault:role/prod/auth/jwt/ci"),
        ("jwt", "https://ci.example/", {"role": "ci"}, "vault:role/prod/auth/jwt/ci"),
        ("aws", None, {"canonical_arn": "arn:aws:iam::1:role/r"}, "aws:role/arn:aws:iam::1:role/r"),
        ("aws", None, {"canonical_arn": "arn:aws:iam::1:user/u"}, "aws:user/arn:aws:iam::1:user/u"),
        ("approle", None, {"role_name": "deploy"}, "vault:role/prod/auth/approle/deploy"),
        ("userpass", None, {"canonical_arn": "arn:aws:iam::1:role/r"}, ENTITY),
    ],
)
def test_a_login_leads_up_to_whom_the_method_checked(method: str, issuer: str | None, metadata: Any, parent: str):
    options = VaultOptions(issuers={f"auth/{method}": issuer} if issuer else {})
    (grant,) = granted(FORMAT, login(method, **metadata), options=options)
    assert (grant["parent_uid"], grant["strength"], grant["principal"]) == (parent, "proven", ENTITY)
    assert grant["child_uid"] == f"vault:accessor/prod/{LOGIN['auth']['accessor']}"
    assert grant["expires_at"] == datetime(2026, 1, 5, 10)


def test_issuers_are_of_a_namespace():
    call = login("jwt", sub="s")
    call["request"]["namespace"] = {"path": "team/"}
    options = VaultOptions(issuers={"team/auth/jwt/": "i.example"})
    assert granted(FORMAT, call, options=options)[0]["parent_uid"] == "oidc:subject/i.example#s"
    assert granted(FORMAT, login("jwt", sub="s"), options=options)[0]["parent_uid"] == ENTITY


@pytest.mark.parametrize(
    ("entity", "obtains", "strength"),
    [("same", "self", "proven"), ("other", "other", "asserted"), ("", "other", "proven")],
)
def test_a_token_made_from_a_token(entity: str, obtains: str, strength: str):
    theirs = CREATE["auth"]["entity_id"] if entity == "same" else entity
    call = line(CREATE, response={"auth": {**CREATE["response"]["auth"], "entity_id": theirs}})
    (grant,) = granted(FORMAT, call)
    assert (grant["parent_uid"], grant["strength"], grant["mechanism"]) == (HELD, strength, "token create")
    assert read(FORMAT, [call])[0]["obtains"] == obtains


def test_a_renewal_gives_time_and_comes_from_nobody():
    for path in ("auth/token/renew", "auth/token/renew-self", "auth/token/renew-accessor"):
        (grant,) = granted(FORMAT, line(CREATE, request={"path": path}, time="2026-01-05T09:05:00Z"))
        assert (grant["kind"], grant["parent_uid"], grant["principal"]) == ("issue", None, ENTITY)
        assert grant["child_uid"] == f"vault:accessor/prod/{CREATE['response']['auth']['accessor']}"
        assert grant["expires_at"] == datetime(2026, 1, 5, 9, 15)
    lease = line(request={"path": "sys/leases/renew"}, response={"secret": {"lease_id": "aws/creds/x/1"}})
    assert granted(FORMAT, lease) == []


def test_a_wrapped_token_comes_from_its_wrap():
    wrap = {"ttl": 60, "accessor": "wa", "wrapped_accessor": "ta", "creation_time": "2026-01-05T09:01:00Z"}
    call = line(CREATE, response={"auth": None, "wrap_info": wrap})
    grants = {row["child_uid"]: row for row in granted(FORMAT, call)}
    assert (grants["vault:accessor/prod/wa"]["parent_uid"], grants["vault:accessor/prod/wa"]["strength"]) == (
        HELD,
        "asserted",
    )
    assert grants["vault:accessor/prod/wa"]["expires_at"] == datetime(2026, 1, 5, 9, 2)
    assert grants["vault:accessor/prod/ta"]["parent_uid"] == "vault:accessor/prod/wa"


def test_only_the_aws_engine_gives_out_aws_keys():
    told_key = {"data": {"access_key": "AKIAEXAMPLEVAULT0001"}}
    assert granted(FORMAT, line(response=told_key)) == []
    aws = line(request={"mount_type": "aws"}, response={"mount_type": "aws", **told_key})
    (grant,) = granted(FORMAT, aws)
    assert (grant["parent_uid"], grant["child_uid"]) == (HELD, "aws:key/AKIAEXAMPLEVAULT0001")
    hashed = line(aws, response={"data": {"access_key": "hmac-sha256:00"}})
    assert granted(FORMAT, hashed) == []


@pytest.mark.parametrize(
    ("request_", "child"),
    [
        ({"path": "auth/token/revoke-self", "operation": "update"}, HELD),
        ({"path": "auth/token/revoke-accessor", "operation": "update", "data": {"accessor": "x"}}, "vault:accessor/prod/x"),
        ({"path": "sys/leases/revoke/db/creds/r/1", "operation": "update"}, "vault:lease/prod/db/creds/r/1"),
        ({"path": "sys/leases/revoke", "operation": "update", "data": {"lease_id": "db/1"}}, "vault:lease/prod/db/1"),
        ({"path": "sys/leases/revoke", "operation": "update", "data": {"lease_id": "hmac-sha256:0"}}, None),
        ({"path": "identity/entity/id/e9", "operation": "delete"}, "vault:entity/prod/e9"),
        ({"path": "identity/entity/id/e9", "operation": "update", "data": {"disabled": True}}, "vault:entity/prod/e9"),
        ({"path": "identity/entity/id/e9", "operation": "read"}, None),
    ],
)  # fmt: skip
def test_ends(request_: dict[str, Any], child: str | None):
    assert [row["child_uid"] for row in granted(FORMAT, line(request=request_))] == ([child] if child else [])


def test_an_entity_that_is_switched_on_again():
    call = {"path": "identity/entity/id/e9", "operation": "update", "data": {"disabled": False}}
    (grant,) = granted(FORMAT, line(request=call))
    assert (grant["kind"], grant["parent_uid"], grant["child_uid"]) == ("issue", None, "vault:entity/prod/e9")
    assert granted(FORMAT, line(request={**call, "data": {"name": "x"}})) == []


def test_a_secret_id_is_made_for_a_role():
    rows = read(FORMAT, [line(request={"path": "auth/approle/role/r/secret-id", "operation": "update"})])
    assert rows[0]["obtains"] == "other"


@pytest.mark.parametrize(
    ("record", "outcome", "reason"),
    [
        ("{", "error", "not a JSON object"),
        ('"x"', "error", "not a JSON object"),
        (line(type=None), "error", 'the key "type" is missing'),
        (line(type="replication"), "error", 'the key "type" is none'),
        (line(time=None), "error", 'the key "time" is missing'),
        (line(time="yesterday"), "error", 'the key "time" is no'),
        (line(request={"operation": None}), "error", 'the key "request.operation"'),
        (LINES[27], "skipped", "a KMIP request"),
    ],
)
def test_what_is_no_action_has_a_reason(record: Any, outcome: str, reason: str):
    row = read(FORMAT, [record])[0]
    assert row["outcome"] == outcome
    assert row["reason"].startswith(reason)
    assert {value for key, value in row.items() if key not in {"outcome", "reason", "record_id"}} == {None}


def test_help_has_no_id():
    row = read(FORMAT, LINES[26:27])[0]
    assert (row["native_id"], row["twin_uid"], row["twin_rank"], row["api_operation"]) == (None, None, None, "help")


def test_hostile_text_stays_inert():
    hostile = "'); DROP TABLE records; -- \x1b[2J <script> \u202e"
    row = read(FORMAT, [line(request={"path": hostile, "operation": hostile, "id": hostile})])[0]
    assert (row["resource_uid"], row["api_operation"], row["native_id"]) == (hostile, hostile, hostile)
    options = VaultOptions(issuers={f"auth/{hostile}": hostile}, device=hostile)
    assert read(FORMAT, [line()], options=options)[0]["native_id"].endswith(hostile)


def test_planted_secrets_of_a_raw_device_are_replaced():
    planted = [f"pl4nted-{n}" for n in range(9)]
    old, share = "s.pl4ntedpl4ntedpl4ntedabc", "cGw0bnRlZHBsNG50ZWRwbDRudGVkcGw0bnRlZHBsNG4="[:43] + "="
    token, batch = "hvs.pl4ntedpl4ntedpl4nted", "hvb.pl4ntedpl4ntedpl4nted"
    auth = {"client_token": planted[0], "accessor": "acc", "entity_id": "e"}
    asked = {
        "type": "request",
        "time": "2026-01-05T09:00:00Z",
        "auth": {},
        "request": {
            "operation": "update",
            "path": "auth/userpass/login/dana",
            "data": {"password": planted[1], "nested": [{"jwt": planted[2]}], "role": "support"},
            "headers": {"x-vault-token": [planted[3]], "user-agent": ["vault-cli"]},
        },
    }
    answered = {
        "type": "response",
        "time": "2026-01-05T09:00:00Z",
        "auth": auth,
        "request": {"operation": "read", "path": f"auth/token/lookup/{token}", "client_token": old},
        "response": {
            "auth": {**auth, "client_token": batch},
            "data": {"data": {f"key {n}": planted[4 + n] for n in range(4)}, "access_key": "AKIA1", "keys": [share]},
            "wrap_info": {"token": planted[8], "accessor": "wa"},
        },
    }
    stored = redacted(
        FORMAT, split(FORMAT, "\n".join(json.dumps(each, separators=(",", ":")) for each in (asked, answered)).encode())
    )
    for secret in [*planted, old, token, batch, share]:
        assert all(secret not in text for text in stored), secret
    assert json.loads(stored[0])["request"]["data"]["role"] == "support"
    assert json.loads(stored[0])["request"]["headers"]["user-agent"] == ["vault-cli"]
    assert json.loads(stored[1])["response"]["data"]["access_key"] == "AKIA1"
    assert json.loads(stored[1])["response"]["wrap_info"]["accessor"] == "wa"


def test_what_a_device_hashed_is_left_alone():
    assert split(FORMAT, "\n".join(LINES).encode()) == LINES
    assert [json.loads(text)["request"].get("id") for text in redacted(FORMAT, LINES)] == [
        json.loads(text)["request"].get("id") for text in LINES
    ]
    assert told(read(FORMAT, redacted(FORMAT, LINES))) == told(read(FORMAT, LINES))


@settings(max_examples=30, deadline=None)
@given(
    json_values(
        ["response", "auth/token/create", "update", "aws", "auth/jwt/login", "2026-01-05T09:00:00Z", "hmac-sha256:1"],
        ["auth", "request", "response", "accessor", "path", "data", "wrap_info", "namespace", "metadata", "lease_id"],
    ),
    mutated(LINES),
)
def test_no_input_crashes_or_is_lost(value: Any, text: str):
    records = [
        json.dumps(value),
        json.dumps({**READ, "request": value}),
        json.dumps({**LOGIN, "response": value, "auth": value}),
        text,
    ]
    rows = read(FORMAT, records, options=OPTIONS)
    acted = {row["record_id"] for row in rows if row["outcome"] == "action"}
    assert {row["record_id"] for row in granted(FORMAT, *records, options=OPTIONS)} <= acted
