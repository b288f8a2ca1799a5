"""Activity Log records in, action columns out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine import shared
from tests.pipelines.formats import azure_events
from tests.pipelines.formats.azure_events import APP, CLAIM, SP, TOKEN, USER, activity, granted, json_of, sign_in, uti

NAME = "azure_activity"
UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"


def read(*events: Any, **options: Any) -> list[dict[str, Any]]:
    return azure_events.read(NAME, list(events), **options)


def test_the_sample_gives_the_expected_actions_and_grants():
    azure_events.sample_matches(NAME)


def test_a_record():
    (row,) = read(activity())
    assert (row["time"], row["time_kind"]) == (datetime(2026, 1, 5, 10, 0, 0, 123456), "logged")
    assert row["resource_type"] == "microsoft.storage/storageaccounts"
    assert (row["account"], row["principal"], row["status"]) == ("s1", f"azure:sp/{SP}", "success")


def test_what_azure_compares_without_case_is_in_lower_case():
    lower, upper = read(
        activity(), activity("MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION", resourceId=activity()["resourceId"].upper())
    )  # fmt: skip
    for column in ("api_service", "api_operation", "resource_uid", "resource_type", "account", "native_id"):
        assert lower[column] == upper[column]
    assert (lower["api_service"], lower["api_operation"]) == (
        "microsoft.storage", "microsoft.storage/storageaccounts/listkeys/action")  # fmt: skip


def test_a_write_joins_the_sign_in_that_issued_its_token():
    (issued,) = granted("entra_signin", sign_in())
    (row,) = read(activity())
    assert row["credential_uid"] == issued["child_uid"] == f"azure:token/{TOKEN}"
    assert row["principal"] == issued["principal"]


class TestStages:
    @pytest.mark.parametrize("stage", ["Start", "Started", "Accept", "Accepted"])
    def test_an_interim_stage_is_skipped_unless_it_is_asked_for(self, stage: str):
        (skipped,) = read(activity(resultType=stage))
        assert (skipped["outcome"], "interim" in skipped["reason"]) == ("skipped", True)
        (kept,) = read(activity(resultType=stage), interim=True)
        assert (kept["outcome"], kept["status"], kept["credential_uid"]) == (
            "action",
            "unknown",
            f"azure:token/{TOKEN}",
        )

    def test_one_correlation_id_hides_no_call(self):
        """The caller chooses it, so records that share it are never taken for one deed."""
        first, second = read(activity(), activity(time="2026-01-05T10:00:01Z"))
        assert first["twin_uid"] is second["twin_uid"] is None
        assert first["native_id"] != second["native_id"]

    def test_an_export_and_the_api_tell_of_one_event(self):
        answered = {
            "eventTimestamp": activity()["time"],
            "correlationId": activity()["correlationId"],
            "operationName": {"value": activity()["operationName"], "localizedValue": "List keys"},
            "category": {"value": "Administrative"},
            "status": {"value": "Succeeded"},
            "resourceId": activity()["resourceId"],
            "claims": activity()["identity"]["claims"],
            "httpRequest": {"clientIpAddress": "198.51.100.60"},
        }
        exported, told = read(activity(), answered)
        for column in ("native_id", "principal", "credential_uid", "src_ip", "status", "account"):
            assert exported[column] == told[column]


def claims(**changes: Any) -> dict[str, Any]:
    return {"appid": APP, "uti": uti(TOKEN), f"{CLAIM}objectidentifier": USER, **changes}


class TestWho:
    def test_a_client_with_a_credential_acts_for_the_user(self):
        (row,) = read(activity(claims=claims(appidacr="2", **{f"{CLAIM}scope": "user_impersonation"})))
        assert (row["principal"], row["delegator"]) == (f"azure:app/{APP}", f"azure:user/{USER}")

    def test_a_public_client_is_the_user(self):
        (row,) = read(activity(claims=claims(appidacr="0", **{UPN: "alice@corp.example"})))
        assert (row["principal"], row["delegator"]) == (f"azure:user/{USER}", None)

    @pytest.mark.parametrize("guest", [{"appidacr": "0"}, {"name": "Guest"}, {"idtyp": "user"}])
    def test_a_guest_without_upn_is_a_user(self, guest: dict[str, Any]):
        assert read(activity(claims=claims(**guest)))[0]["principal"] == f"azure:user/{USER}"

    @pytest.mark.parametrize("kind", ["app", None])
    def test_a_token_of_an_application_alone_is_its_service_principal(self, kind: str | None):
        (row,) = read(activity(claims=claims(appidacr="1", idtyp=kind)))
        assert (row["principal"], row["principal_type"]) == (f"azure:sp/{USER}", "service_principal")

    @pytest.mark.parametrize(
        ("kind", "principal"), [("User", "azure:user/p1"), ("ServicePrincipal", "azure:sp/p1"), ("Group", None)]
    )
    def test_without_claims_the_role_assignment_may_say(self, kind: str, principal: str | None):
        evidence = {"principalId": "p1", "principalType": kind}
        (row,) = read(activity(identity={"authorization": {"evidence": evidence}}))
        assert row["principal"] == principal

    def test_without_anything_nobody_is_named(self):
        (row,) = read(activity(identity=None))
        assert (row["principal"], row["identity_strength"]) == (None, "asserted")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"resultType": "Succeeded"}, "success"),
        ({"resultType": "Failure", "resultSignature": "Forbidden"}, "denied"),
        ({"resultType": "Failed", "resultSignature": "403"}, "denied"),
        ({"resultType": "Failure", "resultSignature": "", "resultDescription": "AuthorizationFailed: no"}, "denied"),
        ({"resultType": "Failure", "resultSignature": "Conflict"}, "failure"),
        ({"resultType": "Updated"}, "unknown"),
    ],
)
def test_status(changes: dict[str, Any], status: str):
    assert read(activity(**changes))[0]["status"] == status


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("198.51.100.60:51234", "198.51.100.60"),
        ("2001:DB8::5", "2001:db8::5"),
        ("[2001:db8::5]:1", "2001:db8::5"),
        ("0.0.0.0", None),
    ],
)
def test_addresses_lose_their_port(written: str, address: str | None):
    assert read(activity(callerIpAddress=written))[0]["src_ip"] == address


@pytest.mark.parametrize(
    "category", ["ServiceHealth", "ResourceHealth", "Alert", "Autoscale", "Recommendation", "Policy", "Security"]
)
def test_what_nobody_did_is_skipped(category: str):
    (row,) = read(activity(category=category))
    assert (row["outcome"], row["reason"]) == ("skipped", "an event of the platform: nobody acted")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"category": None}, 'the key "category"'),
        ({"time": None}, 'the key "time" is missing'),
        ({"time": "soon"}, 'the key "time" is no RFC 3339'),
        ({"operationName": ""}, 'the key "operationName"'),
    ],
)
def test_errors_name_the_key(changes: dict[str, Any], reason: str):
    (row,) = read({**activity(), **changes})
    assert row["outcome"] == "error"
    assert row["reason"].startswith(reason)


def test_hostile_text_stays_inert():
    hostile = "'); DROP TABLE given; -- \x1b[2J <script> \u202e"
    (row,) = read(activity(hostile, claims=claims(oid=hostile, **{f"{CLAIM}objectidentifier": hostile})))
    assert (row["api_operation"], row["principal"]) == (hostile.lower(), f"azure:sp/{hostile}")


def test_real_records():
    lines = shared("panther-analysis", "panther_tests.jsonl").read_text().splitlines()
    events = [case["event"] for case in map(json.loads, lines) if case["log_type"] == "Azure.MonitorActivity"]
    rows = read(*events)
    for event, row in zip(events, rows, strict=True):
        if event.get("category") == "Administrative":
            name = event["operationName"]
            assert row["api_operation"] == (name["value"] if isinstance(name, dict) else name).lower()
            assert row["time"].isoformat()[:19] == event["time"][:19]
            assert (row["status"] == "success") == event["resultType"].startswith("Succe")
    outcomes = [row["outcome"] for row in rows]
    assert (outcomes.count("action"), outcomes.count("skipped"), outcomes.count("error")) == (102, 9, 2)


FIELDS = st.sampled_from(sorted({*activity(), "claims", "authorization", "evidence", "value", "properties", "status"}))
VALUES = json_of(FIELDS, "Administrative", "Start", "Success", "Microsoft.Storage/storageAccounts/write")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(FIELDS, VALUES, max_size=5), max_size=8), st.booleans())
def test_any_value_under_any_key_is_one_row(changes: list[dict[str, Any]], interim: bool):
    rows = read(*[{**activity(), **change} for change in changes], interim=interim)
    assert all((row["reason"] is None) == (row["outcome"] == "action") for row in rows)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_mutated_sample_loses_no_record(data: st.DataObject):
    azure_events.loses_nothing(NAME, data, "activity.jsonl")
