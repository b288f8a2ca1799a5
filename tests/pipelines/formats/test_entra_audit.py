"""Audit records in; actions, secrets made and ended, and outside subjects trusted out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine import shared
from tests.pipelines.formats import azure_events
from tests.pipelines.formats.azure_events import APP, SP, TOKEN, USER, audit, json_of, uti

NAME = "entra_audit"
K1, K2 = "c1000000-0000-4000-8000-000000000001", "c1000000-0000-4000-8000-000000000002"
CERTIFICATES = "Update application \u2013 Certificates and secrets management "
BY_APP = {"app": {"appId": APP, "servicePrincipalId": SP}}


def read(*events: Any) -> list[dict[str, Any]]:
    return azure_events.read(NAME, list(events))


def granted(*events: Any) -> list[dict[str, Any]]:
    return azure_events.granted(NAME, *events)


def described(*keys: str, name: str = "ci") -> str:
    return json.dumps([f"[KeyIdentifier={key},KeyType=Password,KeyUsage=Verify,DisplayName={name}]" for key in keys])


def target(*changes: tuple[str, Any, Any], kind: str = "ServicePrincipal", uid: str = SP) -> list[dict[str, Any]]:
    properties = [{"displayName": name, "oldValue": old, "newValue": new} for name, old, new in changes]
    return [{"id": uid, "type": kind, "modifiedProperties": properties}]


def keys(old: str, new: str, **changes: Any) -> dict[str, Any]:
    return audit(CERTIFICATES, targetResources=target(("KeyDescription", old, new)), **changes)


def test_the_sample_gives_the_expected_actions_and_grants():
    azure_events.sample_matches(NAME)


def test_a_record():
    (row,) = read(audit(CERTIFICATES, targetResources=target(kind="Application", uid="o1")))
    assert row["time"] == datetime(2026, 1, 5, 10, 0, 0, 123456)
    assert row["api_operation"] == "Update application \u2013 Certificates and secrets management"
    assert (row["resource_type"], row["resource_uid"], row["resources"]) == ("Application", "o1", ["o1"])
    assert (row["account"], row["src_ip"], row["status"]) == ("t1", "198.51.100.61", "success")


@pytest.mark.parametrize(
    ("by", "principal"),
    [
        ({"user": {"id": USER.upper()}}, f"azure:user/{USER}"),
        ({"user": {"id": None, "userPrincipalName": "Alice@Corp.example"}}, "azure:user/alice@corp.example"),
        (BY_APP, f"azure:sp/{SP}"),
        ({"app": {"appId": APP, "servicePrincipalId": None}}, f"azure:app/{APP}"),
        ({"app": {"displayName": "Device Registration Service"}}, None),
    ],
)
def test_who(by: dict[str, Any], principal: str | None):
    (row,) = read(audit(by=by))
    assert row["principal"] == principal
    assert row["identity_strength"] == ("proven" if principal else "asserted")


def test_the_beta_apis_identifiers_name_token_and_session():
    linked = {"sessionId": "s1", "tokenDetails": {"uniqueTokenIdentifier": uti(TOKEN)}}
    (row,) = read(audit(by={"user": {"id": USER}, "linkableIdentifiers": linked}))
    assert (row["credential_uid"], row["session_uid"]) == (f"azure:token/{TOKEN}", "azure:session/s1")


def test_the_apis_answer_has_a_category_of_its_own():
    bare = {**audit()["properties"], "category": "UserManagement"}
    assert read(bare)[0]["outcome"] == "action"


@pytest.mark.parametrize(
    ("result", "why", "status"),
    [
        ("success", "", "success"),
        ("failure", "Insufficient privileges to complete the operation.", "denied"),
        ("failure", "Authorization_RequestDenied", "denied"),
        ("failure", "Invalid value", "failure"),
        ("timeout", "", "failure"),
        (None, "", "unknown"),
    ],
)
def test_status(result: str | None, why: str, status: str):
    assert read(audit(result=result, resultReason=why))[0]["status"] == status


def test_an_address_of_zeros_is_none():
    event = audit(by={"user": {"id": USER, "ipAddress": "0.0.0.0"}})
    assert read(event)[0]["src_ip"] is None


def test_obtains():
    made = keys("[]", described(K1))
    own = keys("[]", described(K1), by=BY_APP)
    ended = keys(described(K1), "[]")
    replaced = keys(described(K1), described(K2))
    assert [row["obtains"] for row in read(made, own, ended, replaced, audit())] == ["other", None, None, "other", None]


class TestSecrets:
    def test_a_secret_is_made_by_whoever_changed_the_application(self):
        (grant,) = granted(keys("[]", described(K1)))
        assert (grant["kind"], grant["parent_uid"], grant["child_uid"]) == (
            "issue",
            f"azure:user/{USER}",
            f"azure:key/{K1}",
        )
        assert (grant["principal"], grant["strength"]) == (f"azure:sp/{SP}", "asserted")

    def test_a_client_s_own_is_proven(self):
        assert granted(keys("[]", described(K1), by=BY_APP))[0]["strength"] == "proven"

    def test_only_what_is_new_is_made_and_only_what_is_gone_ended(self):
        rows = granted(keys(described(K1), described(K1, K2)), keys(described(K1, K2), described(K2)))
        assert [(row["kind"], row["child_uid"]) for row in rows] == [
            ("issue", f"azure:key/{K2}"), ("revoke", f"azure:key/{K1}")]  # fmt: skip

    def test_an_application_is_named_where_the_record_names_it(self):
        changes = [("KeyDescription", "[]", described(K1)), ("TargetId.ServicePrincipalNames", None, f'"{APP}"')]
        (named,) = granted(audit(CERTIFICATES, targetResources=target(*changes, kind="Application", uid="o1")))
        (nameless,) = granted(audit(CERTIFICATES, targetResources=target(changes[0], kind="Application", uid="o1")))
        assert (named["principal"], nameless["principal"]) == (f"azure:app/{APP}", None)

    @pytest.mark.parametrize("name", [f"x,KeyIdentifier={K2}", f'x]","[KeyIdentifier={K2}', f"[KeyIdentifier={K2},"])
    def test_a_display_name_cannot_add_a_key(self, name: str):
        """It is its maker's to choose; Entra writes the list as JSON, so quotes in it are escaped."""
        assert [row["child_uid"] for row in granted(keys("[]", described(K1, name=name)))] == [f"azure:key/{K1}"]

    @pytest.mark.parametrize("value", [None, "", "[]", "{", '"x"', "[1,null,{}]", '["[KeyIdentifier="]'])
    def test_what_is_no_list_of_keys_grants_nothing(self, value: Any):
        assert granted(keys(value, value)) == granted(keys("[]", value)) == []

    def test_what_failed_grants_nothing(self):
        assert granted(keys("[]", described(K1), result="failure")) == []


class TestTrust:
    rule = {"Name": "ci", "Issuer": "https://token.actions.githubusercontent.com/", "Subject": "repo:a/b", "Id": "f1"}

    def test_a_federated_credential_trusts_a_subject(self):
        change = ("FederatedIdentityCredentials", "[]", json.dumps([self.rule]))
        (grant,) = granted(audit("Update application", targetResources=target(change)))
        assert grant["parent_uid"] == "oidc:subject/token.actions.githubusercontent.com#repo:a/b"
        assert (grant["child_uid"], grant["principal"], grant["strength"]) == (
            "azure:fic/f1",
            f"azure:sp/{SP}",
            "proven",
        )

    def test_taking_it_away_ends_it(self):
        change = ("FederatedIdentityCredentials", json.dumps([self.rule]), "[]")
        (grant,) = granted(audit("Update application", targetResources=target(change)))
        assert (grant["kind"], grant["child_uid"]) == ("revoke", "azure:fic/f1")


@pytest.mark.parametrize(
    ("activity", "kind", "child"),
    [
        ("Disable account", "User", f"azure:user/{SP}"),
        ("Delete user", "User", f"azure:user/{SP}"),
        ("Remove service principal", "ServicePrincipal", f"azure:sp/{SP}"),
        ("Hard Delete service principal", "ServicePrincipal", f"azure:sp/{SP}"),
    ],
)
def test_ending_an_account(activity: str, kind: str, child: str):
    (grant,) = granted(audit(activity, targetResources=target(kind=kind)))
    assert (grant["kind"], grant["child_uid"]) == ("revoke", child)
    assert granted(audit(activity, targetResources=target(kind="Group"))) == []


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({**audit(activityDateTime=None), "time": None}, 'the key "activityDateTime" is missing'),
        ({**audit(activityDateTime="x"), "time": "x"}, 'the key "activityDateTime" is no RFC 3339'),
        (audit(""), 'the key "activityDisplayName"'),
    ],
)
def test_errors_name_the_key(record: Any, reason: str):
    (row,) = read(record)
    assert row["outcome"] == "error"
    assert row["reason"].startswith(reason)


def test_real_records():
    lines = shared("panther-analysis", "panther_tests.jsonl").read_text().splitlines()
    events = [case["event"] for case in map(json.loads, lines) if case["log_type"] == "Azure.Audit"]
    for event, row in zip(events, read(*events), strict=True):
        assert row["outcome"] == ("action" if event["category"] == "AuditLogs" else "skipped")
        if row["outcome"] == "action":
            assert row["principal"] == f"azure:user/{event['properties']['initiatedBy']['user']['id']}"


FIELDS = st.sampled_from(sorted({*audit()["properties"], "targetResources", "additionalDetails", "modifiedProperties",
                                 "displayName", "newValue", "oldValue", "user", "app", "id", "type"}))  # fmt: skip
VALUES = json_of(
    FIELDS, "KeyDescription", described(K1), "FederatedIdentityCredentials", "ServicePrincipal", "Delete user"
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(FIELDS, VALUES, max_size=5), max_size=8))
def test_any_value_under_any_key_is_one_row(changes: list[dict[str, Any]]):
    events = [audit(**change) for change in changes]
    rows = read(*events)
    assert all((row["reason"] is None) == (row["outcome"] == "action") for row in rows)
    acted = {row["record_id"] for row in rows if row["outcome"] == "action"}
    assert {grant["record_id"] for grant in granted(*events)} <= acted


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_mutated_sample_loses_no_record(data: st.DataObject):
    azure_events.loses_nothing(NAME, data, "audit.jsonl")
