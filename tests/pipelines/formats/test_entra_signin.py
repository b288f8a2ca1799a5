"""Sign-ins in, actions and issued tokens out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine import shared
from tests.pipelines.formats import azure_events
from tests.pipelines.formats.azure_events import APP, SP, TOKEN, USER, json_of, sign_in

NAME = "entra_signin"
KEY, SESSION = "c1000000-0000-4000-8000-000000000001", "5e550000-0000-4000-8000-000000000001"


def read(*events: Any) -> list[dict[str, Any]]:
    return azure_events.read(NAME, list(events))


def granted(*events: Any) -> list[dict[str, Any]]:
    return azure_events.granted(NAME, *events)


def test_the_sample_gives_the_expected_actions_and_grants():
    azure_events.sample_matches(NAME)


def test_a_sign_in():
    (row,) = read(sign_in())
    assert row["time"] == datetime(2026, 1, 5, 10, 0, 0, 123456)
    assert (row["time_kind"], row["class_uid"], row["api_service"]) == ("start", 3002, "entra")
    assert (row["account"], row["src_ip"], row["obtains"]) == ("t1", "198.51.100.61", "self")


@pytest.mark.parametrize(
    ("category", "operation", "supervised"),
    [
        ("SignInLogs", "UserSignIn", "attended"),
        ("NonInteractiveUserSignInLogs", "NonInteractiveUserSignIn", None),
        ("ServicePrincipalSignInLogs", "ServicePrincipalSignIn", "unattended"),
        ("ManagedIdentitySignInLogs", "ManagedIdentitySignIn", "unattended"),
        ("MicrosoftServicePrincipalSignInLogs", "MicrosoftServicePrincipalSignIn", "unattended"),
    ],
)
def test_the_categories(category: str, operation: str, supervised: str | None):
    (row,) = read(sign_in(category))
    assert (row["api_operation"], row["supervised"]) == (operation, supervised)


@pytest.mark.parametrize(
    ("properties", "operation"),
    [
        ({"signInEventTypes": ["servicePrincipal"], "servicePrincipalId": SP}, "ServicePrincipalSignIn"),
        ({"signInEventTypes": ["nonInteractiveUser"], "userId": USER}, "NonInteractiveUserSignIn"),
        ({"userId": USER, "isInteractive": True}, "UserSignIn"),
        ({"userId": USER, "isInteractive": False}, "NonInteractiveUserSignIn"),
        ({"servicePrincipalId": SP}, "ServicePrincipalSignIn"),
        ({"servicePrincipalId": SP, "managedServiceIdentity": {"associatedResourceId": "/x"}}, "ManagedIdentitySignIn"),
    ],
)  # fmt: skip
def test_the_apis_answer_has_no_envelope(properties: dict[str, Any], operation: str):
    bare = {**sign_in()["properties"], "userId": None, "servicePrincipalId": "", **properties}
    assert read(bare)[0]["api_operation"] == operation


class TestWho:
    def test_a_service_principal(self):
        (row,) = read(sign_in())
        assert (row["principal"], row["principal_type"]) == (f"azure:sp/{SP}", "service_principal")

    def test_a_client_with_a_secret_acts_for_the_user(self):
        (row,) = read(sign_in("NonInteractiveUserSignInLogs", servicePrincipalCredentialKeyId=KEY))
        assert (row["principal"], row["delegator"]) == (f"azure:app/{APP}", f"azure:user/{USER}")
        assert (row["credential_uid"], row["delegator_strength"]) == (f"azure:key/{KEY}", "proven")

    @pytest.mark.parametrize("kind", ["none", None, "unknownFutureValue"])
    def test_a_public_client_is_the_user(self, kind: str | None):
        """Anybody can claim a public client's application id."""
        (row,) = read(sign_in("NonInteractiveUserSignInLogs", clientCredentialType=kind, sessionId=SESSION))
        assert (row["principal"], row["delegator"]) == (f"azure:user/{USER}", None)
        assert row["session_uid"] == f"azure:session/{SESSION}"

    def test_an_application_has_no_user_s_session(self):
        (row,) = read(sign_in("NonInteractiveUserSignInLogs", clientCredentialType="certificate", sessionId=SESSION))
        assert row["session_uid"] is None

    def test_an_agents_own_user_is_nobody_s_delegator(self):
        agent = {"agentType": "agenticAppInstance", "parentAppId": "b1", "agentSubjectType": "agentIDuser"}
        (row,) = read(sign_in("NonInteractiveUserSignInLogs", agent=agent))
        assert (row["principal"], row["delegator"], row["principal_type"]) == (f"azure:app/{APP}", None, "agent")

    def test_who_failed_only_claimed_who_he_is(self):
        (row,) = read(sign_in("NonInteractiveUserSignInLogs", code=7000215, clientCredentialType="clientSecret"))
        assert (row["identity_strength"], row["delegator_strength"]) == ("asserted", "asserted")


@pytest.mark.parametrize(
    ("code", "status"),
    [(0, "success"), (50076, "unknown"), (50074, "unknown"), (65001, "unknown"), (53003, "denied"), (50105, "denied"),
     (50053, "denied"), (50126, "failure"), (7000222, "failure"), ("Failure", "failure")],
)  # fmt: skip
def test_status(code: Any, status: str):
    (row,) = read(sign_in(code=code))
    assert (row["status"], row["status_code"]) == (status, str(code))


def test_an_address_that_is_missing_is_the_envelope_s_or_none():
    assert read(sign_in(ipAddress=""))[0]["src_ip"] == "198.51.100.60"
    assert read({**sign_in(ipAddress=""), "callerIpAddress": ""})[0]["src_ip"] is None
    assert read(sign_in(ipAddress="2001:DB8:0::1"))[0]["src_ip"] == "2001:db8::1"
    assert read(sign_in(ipAddress="127.0.0.0/8"))[0]["src_ip"] is None


class TestGrants:
    def test_a_secret_gives_rise_to_the_token(self):
        (grant,) = granted(sign_in(servicePrincipalCredentialKeyId=KEY))
        assert (grant["parent_uid"], grant["child_uid"]) == (f"azure:key/{KEY}", f"azure:token/{TOKEN}")
        assert (grant["principal"], grant["strength"]) == (f"azure:sp/{SP}", "proven")

    def test_so_does_a_federated_credential(self):
        (grant,) = granted(sign_in(federatedCredentialId="f1"))
        assert grant["parent_uid"] == "azure:fic/f1"

    def test_a_managed_identity_is_of_its_resource(self):
        resource = "/subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachines/VM"
        event = sign_in(
            "ManagedIdentitySignInLogs", managedServiceIdentity={"associatedResourceId": resource},
            servicePrincipalCredentialKeyId=KEY,
        )  # fmt: skip
        (grant,) = granted(event)
        assert grant["parent_uid"] == f"azure:resource{resource.lower()}"
        assert grant["principal"] == f"azure:sp/{SP}"

    def test_a_user_s_token_comes_from_his_session_and_that_from_him(self):
        token, session = sorted(
            granted(sign_in("SignInLogs", sessionId=SESSION)), key=lambda row: row["child_uid"], reverse=True
        )
        assert (token["parent_uid"], token["child_uid"]) == (f"azure:session/{SESSION}", f"azure:token/{TOKEN}")
        assert (session["parent_uid"], session["child_uid"]) == (f"azure:user/{USER}", f"azure:session/{SESSION}")

    def test_a_later_token_begins_no_session(self):
        (token,) = granted(sign_in("NonInteractiveUserSignInLogs", sessionId=SESSION))
        assert token["parent_uid"] == f"azure:session/{SESSION}"

    def test_a_client_s_token_says_for_whom_it_is(self):
        (grant,) = granted(sign_in("NonInteractiveUserSignInLogs", servicePrincipalCredentialKeyId=KEY))
        assert (grant["principal"], grant["delegator"]) == (f"azure:app/{APP}", f"azure:user/{USER}")

    def test_an_agent_is_of_its_blueprint(self):
        agent = {"agentType": "agenticAppInstance", "parentAppId": "b1"}
        assert granted(sign_in(agent=agent))[0]["parent_uid"] == "azure:app/b1"

    @pytest.mark.parametrize("code", [50076, 7000215, 53003])
    def test_what_did_not_succeed_issues_nothing(self, code: int):
        assert granted(sign_in(code=code)) == []


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (sign_in(None, userId=None), 'the key "category" is missing'),
        ({**sign_in(createdDateTime=None), "time": None}, 'the key "createdDateTime" is missing'),
        (sign_in(createdDateTime="soon") | {"time": "later"}, 'the key "createdDateTime" is no RFC 3339'),
    ],
)
def test_errors_name_the_key(record: Any, reason: str):
    (row,) = read(record)
    assert row["outcome"] == "error"
    assert row["reason"].startswith(reason)


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2026-01-05 10:00:00.5", datetime(2026, 1, 5, 10, 0, 0, 500000)),
        ("2026-01-05T12:00:00+02:00", datetime(2026, 1, 5, 10)),
        ("2026-01-05T10:00:00.983201900Z", datetime(2026, 1, 5, 10, 0, 0, 983201)),
    ],
)
def test_times_without_a_zone_are_utc(written: str, time: datetime):
    assert read(sign_in(createdDateTime=written))[0]["time"] == time


def test_hostile_text_stays_inert():
    hostile = "'); DROP TABLE given; -- \x1b[2J <script> \u202e"
    (row,) = read(sign_in(servicePrincipalId=hostile, userAgent=hostile))
    assert (row["principal"], row["user_agent"]) == (f"azure:sp/{hostile}", hostile)


def test_real_sign_ins():
    lines = shared("panther-analysis", "panther_tests.jsonl").read_text().splitlines()
    events = [case["event"] for case in map(json.loads, lines) if case["log_type"] == "Azure.Audit"]
    rows = read(*events)
    assert len(rows) == 24
    for event, row in zip(events, rows, strict=True):
        properties = event["properties"]
        if "SignIn" not in event["category"]:
            assert row["outcome"] == "skipped"
            continue
        assert row["outcome"] == "action"
        assert row["principal"].endswith(properties.get("servicePrincipalId") or properties["userId"])
        assert "status" not in properties or row["status_code"] == str(properties["status"]["errorCode"])
    assert [row["outcome"] for row in rows].count("action") == 16


KEYS = st.sampled_from(sorted({*sign_in()["properties"], "agent", "managedServiceIdentity", "userId", "sessionId",
                               "servicePrincipalCredentialKeyId", "clientCredentialType", "signInEventTypes"}))  # fmt: skip
VALUES = json_of(KEYS, "clientSecret", "agenticAppInstance", "0")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.dictionaries(KEYS, VALUES, max_size=5), max_size=8),
    st.sampled_from(["SignInLogs", "ManagedIdentitySignInLogs"]),
)
def test_any_value_under_any_key_is_one_row(changes: list[dict[str, Any]], category: str):
    events = [sign_in(category, **change) for change in changes]
    rows = read(*events)
    assert all((row["reason"] is None) == (row["outcome"] == "action") for row in rows)
    acted = {row["record_id"] for row in rows if row["outcome"] == "action"}
    assert {grant["record_id"] for grant in granted(*events)} <= acted


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_mutated_sample_loses_no_record(data: st.DataObject):
    azure_events.loses_nothing(NAME, data, "signins.jsonl")
