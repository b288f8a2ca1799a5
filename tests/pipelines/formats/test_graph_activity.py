"""Calls of the Graph API in, action columns out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipelines.formats import azure_events
from tests.pipelines.formats.azure_events import APP, SP, TOKEN, USER, granted, graph, json_of, sign_in

NAME = "graph_activity"
HOST = "https://graph.microsoft.com"
GROUP = "61000000-0000-4000-8000-000000000001"


def read(*events: Any) -> list[dict[str, Any]]:
    return azure_events.read(NAME, list(events))


def test_the_sample_gives_the_expected_actions_and_grants():
    azure_events.sample_matches(NAME)


def test_a_call():
    (row,) = read(graph())
    assert (row["time"], row["time_kind"]) == (datetime(2026, 1, 5, 10, 0, 0, 123456), "start")
    assert (row["api_service"], row["api_operation"]) == ("graph.microsoft.com", "GET /users")
    assert (row["dst_host"], row["url_path"], row["http_method"]) == ("graph.microsoft.com", "/v1.0/users", "GET")
    assert (row["account"], row["principal"]) == ("t1", f"azure:sp/{SP}")


def test_a_call_joins_the_sign_in_that_issued_its_token():
    (issued,) = granted("entra_signin", sign_in())
    (row,) = read(graph())
    assert row["credential_uid"] == issued["child_uid"] == f"azure:token/{TOKEN}"
    assert row["principal"] == issued["principal"]


@pytest.mark.parametrize(
    ("uri", "route"),
    [
        (f"/v1.0/groups/{GROUP}/members/$ref", "/groups/{id}/members/$ref"),
        ("/v1.0/users/alice@corp.example/messages?$top=5", "/users/{id}/messages"),
        ("/beta//users/7/photos/48x48/$value", "/users/{id}/photos/{id}/$value"),
        ("/v1.0/users/delta?$skiptoken=x", "/users/delta"),
        ("/v1.0/users('alice')/manager", "/users({id})/manager"),
        ("/v1.0/applications(appId='a')", "/applications({id})"),
        ("/v1.0/me/drive/root:/Plans/q1.xlsx:/content", "/me/drive/root:/Plans/q1.xlsx:/content"),
        (f"/v1.0/directoryObjects/{GROUP}/microsoft.graph.user", "/directoryObjects/{id}/microsoft.graph.user"),
        ("/v1.0/$batch", "/$batch"),
        ("/v1.0/", "/"),
        ("", "/"),
        ("/v1.0/devices?$select=id\\u0026$top=3", "/devices"),
    ],
)
def test_routes(uri: str, route: str):
    assert read(graph(HOST + uri))[0]["api_operation"] == f"GET {route}"


def test_a_path_keeps_its_ids_and_loses_version_and_query():
    (row,) = read(graph(f"{HOST}/beta/groups/{GROUP}/members/$ref?token=x", "post"))
    assert (row["resource_uid"], row["http_method"]) == (f"/groups/{GROUP}/members/$ref", "POST")
    assert row["url_path"] == f"/beta/groups/{GROUP}/members/$ref"


class TestWho:
    @pytest.mark.parametrize("method", ["1", 1, "2"])
    def test_a_client_with_a_credential_acts_for_the_user(self, method: Any):
        (row,) = read(graph(userId=USER, servicePrincipalId=None, clientAuthMethod=method))
        assert (row["principal"], row["delegator"]) == (f"azure:app/{APP}", f"azure:user/{USER}")
        assert row["delegator_strength"] == "proven"

    @pytest.mark.parametrize("method", ["0", 0, None])
    def test_a_public_client_is_the_user(self, method: Any):
        (row,) = read(graph(userId=USER, servicePrincipalId=None, clientAuthMethod=method, c_Sid="s1"))
        assert (row["principal"], row["delegator"]) == (f"azure:user/{USER}", None)
        assert row["session_uid"] == "azure:session/s1"

    def test_a_rejected_token_proves_nobody(self):
        (row,) = read(graph(responseStatusCode=401))
        assert (row["status"], row["identity_strength"]) == ("denied", "asserted")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (200, "success"),
        ("204", "success"),
        (302, "success"),
        (403, "denied"),
        (404, "failure"),
        (429, "failure"),
        (None, "unknown"),
    ],
)
def test_status(code: Any, status: str):
    assert read(graph(responseStatusCode=code))[0]["status"] == status


@pytest.mark.parametrize(
    ("size", "code", "read_bytes"), [(512, 200, 512), (0, 200, None), (0, 204, 0), (None, 200, None), ("x", 200, None)]
)
def test_an_answer_is_what_the_caller_received(size: Any, code: int, read_bytes: int | None):
    """Its length is 0 where it is not known, so 0 is null unless the answer has no body."""
    (row,) = read(graph(responseSizeBytes=size, responseStatusCode=code))
    assert (row["bytes_in"], row["bytes_out"]) == (read_bytes, None)


def test_addresses():
    assert read(graph(ipAddress="2001:DB8:0:0::9"))[0]["src_ip"] == "2001:db8::9"
    assert read(graph(ipAddress="198.51.100.7:443"))[0]["src_ip"] == "198.51.100.7"
    assert read(graph(ipAddress="[2001:db8::9]:443"))[0]["src_ip"] == "2001:db8::9"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({**graph(timeGenerated=None), "time": None}, 'the key "timeGenerated" is missing'),
        ({**graph(timeGenerated="x"), "time": "x"}, 'the key "timeGenerated" is no RFC 3339'),
        (graph(""), 'the key "requestUri"'),
        (graph(method=""), 'the key "requestMethod"'),
    ],
)
def test_errors_name_the_key(record: Any, reason: str):
    (row,) = read(record)
    assert row["outcome"] == "error"
    assert row["reason"].startswith(reason)


def test_hostile_text_stays_inert():
    hostile = "https://graph.microsoft.com@evil.example/v1.0/'); DROP TABLE given; --\x1b[2J/<script>"
    (row,) = read(graph(hostile))
    assert row["outcome"] == "action"
    assert row["dst_host"] is None


FIELDS = st.sampled_from(sorted({*graph()["properties"], "userId", "clientAuthMethod", "c_Sid", "userAgent"}))
VALUES = json_of(FIELDS, f"{HOST}/v1.0/users/1", "GET", "0", "1", "((()", "/users/" * 9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(FIELDS, VALUES, max_size=5), max_size=8))
def test_any_value_under_any_key_is_one_row(changes: list[dict[str, Any]]):
    rows = read(*[{**graph(), "properties": {**graph()["properties"], **change}} for change in changes])
    assert all((row["reason"] is None) == (row["outcome"] == "action") for row in rows)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_mutated_sample_loses_no_record(data: st.DataObject):
    azure_events.loses_nothing(NAME, data, "graph.jsonl")
