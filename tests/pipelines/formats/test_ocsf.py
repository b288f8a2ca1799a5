"""OCSF events in, action columns out."""

from __future__ import annotations

import io
import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats import ocsf
from pipelines.formats.format import ACTIONS_OUT
from pipelines.formats.ocsf import OcsfOptions
from tests.pipelines.formats.samples import FOLDER, expected, records, sample, table, told

SAMPLE = sample(FOLDER / "ocsf" / "events.jsonl")
EVENT = {
    "metadata": {"uid": "1", "version": "1.1.0", "product": {"name": "P", "vendor_name": "V"}},
    "class_uid": 6003,
    "activity_name": "Read",
    "time": 1767607200123,
    "status_id": 1,
    "api": {"operation": "Get", "service": {"name": "crm"}},
    "actor": {"user": {"uid": "u1", "name": "alice"}},
}


def rows(events: list[Any], authenticated: bool = True) -> list[dict[str, Any]]:
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    found = ocsf.actions(table(texts), OcsfOptions(authenticated=authenticated))
    assert found.schema == ACTIONS_OUT
    assert found.num_rows == len(texts)
    return sorted(found.to_pylist(), key=lambda row: int(row["record_id"]))


def row(authenticated: bool = True, **more: Any) -> dict[str, Any]:
    return rows([EVENT | more], authenticated)[0]


def test_the_sample_gives_the_expected_actions_and_grants():
    assert told(SAMPLE, records(SAMPLE)) == expected(SAMPLE)


def test_split_takes_arrays_lines_and_containers():
    for text in (b'[{"a":1},{"a":2}]', b'{"a":1}\n{"a":2}\n', b'{"events":[{"a":1},{"a":2}]}'):
        assert sum(s.pieces.num_rows for s in ocsf.split(io.BytesIO(text), True, OcsfOptions())) == 2


@pytest.mark.parametrize(
    ("class_uid", "category"),
    [(6003, "cloud"), (6005, "cloud"), (3002, "token"), (3001, "token"), (4002, "proxy"), (4001, "proxy")],
)
def test_the_class_says_the_category(class_uid: int, category: str):
    assert row(class_uid=class_uid)["category"] == category


def test_a_call_of_a_model_is_of_category_model():
    found = row(api=None, ai_model={"model_name": "m", "ai_provider": "p"})
    assert (found["category"], found["model"], found["api_service"], found["api_operation"]) == (
        "model",
        "m",
        "p",
        "invoke",
    )


@pytest.mark.parametrize(
    ("given", "reason", "outcome"),
    [
        ({**EVENT, "class_uid": 2004}, "class 2004 tells of no act: only 3xxx, 4xxx and 6xxx are read", "skipped"),
        ({**EVENT, "class_uid": 1007}, "class 1007 tells of no act: only 3xxx, 4xxx and 6xxx are read", "skipped"),
        ({**EVENT, "class_uid": "API"}, 'the key "class_uid" is missing or no number', "error"),
        ({**EVENT, "time": None}, 'the key "time" is missing', "error"),
        ({**EVENT, "time": "noon"}, 'the key "time" is no time in milliseconds since 1970', "error"),
        ("[]", "not a JSON object, as an OCSF event is", "error"),
        ("{", "not a JSON object, as an OCSF event is", "error"),
    ],
)  # fmt: skip
def test_what_is_no_action_has_a_reason(given: Any, reason: str, outcome: str):
    found = rows([given])[0]
    assert (found["reason"], found["outcome"]) == (reason, outcome)


def test_times_are_milliseconds_or_rfc_3339():
    assert row()["time"] == datetime(2026, 1, 5, 10, 0, 0, 123000)
    assert row(time=None, time_dt="2026-01-05T12:00:00.5+02:00")["time"] == datetime(2026, 1, 5, 10, 0, 0, 500000)


AWS = {"provider": "AWS"}


@pytest.mark.parametrize(
    ("cloud", "actor", "principal"),
    [
        (AWS, {"user": {"uid": "arn:aws:iam::1:user/a"}}, "aws:user/arn:aws:iam::1:user/a"),
        (AWS, {"user": {"uid": "AIDA1", "uuid": "arn:aws:iam::1:user/a"}}, "aws:user/arn:aws:iam::1:user/a"),
        (AWS, {"user": {"uid": "arn:aws:sts::1:assumed-role/r/s", "uid_alt": "AROA1:s"},
               "session": {"issuer": "arn:aws:iam::1:role/p/r"}}, "aws:role/arn:aws:iam::1:role/p/r"),
        (AWS, {"user": {"uid": "arn:aws:sts::1:assumed-role/r/s", "uid_alt": "AROA1:s"}}, "aws:principal/AROA1"),
        ({"provider": "GCP"}, {"user": {"name": "x@p.iam.gserviceaccount.com"}}, "gcp:sa/x@p.iam.gserviceaccount.com"),
        ({"provider": "GCP"}, {"user": {"email_addr": "x@corp.example"}}, "gcp:user/x@corp.example"),
        ({"provider": "Azure"}, {"user": {"uid": "o1", "type_id": 4}}, "azure:sp/o1"),
        ({"provider": "Azure"}, {"user": {"uid": "o1", "type_id": 1}}, "azure:user/o1"),
        (None, {"user": {"uid": "u1"}}, "ocsf:user/corp/u1"),
        (None, {"app_uid": "a1"}, "ocsf:app/corp/a1"),
        (None, {"user": {"uid": {"x": 1}}}, None),
        (None, "alice", None),
    ],
)  # fmt: skip
def test_principals(cloud: Any, actor: Any, principal: str | None):
    found = row(cloud=cloud, actor=actor)
    assert found["principal"] == principal
    assert found["identity_strength"] == ("proven" if principal else "asserted")


def test_a_proxys_user_is_named_by_the_proxy():
    assert row(class_uid=4002, api=None)["principal"] == "proxy:user/corp/alice"


def test_an_agent_acts_for_its_user():
    found = row(ai_agent={"uid": "bot"})
    assert (found["principal"], found["delegator"]) == ("ocsf:agent/corp/bot", "ocsf:user/corp/u1")


@pytest.mark.parametrize(
    ("more", "strength"),
    [
        ({}, "proven"),
        ({"http_response": {"code": 401}}, "asserted"),
        ({"class_uid": 3002, "status_id": 2}, "asserted"),
        ({"class_uid": 3002, "status_id": 1}, "proven"),
    ],
)
def test_a_name_that_was_only_claimed_is_not_proven(more: dict[str, Any], strength: str):
    assert row(**more)["identity_strength"] == strength
    assert row(authenticated=False, **more)["identity_strength"] == "asserted"


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"status_id": 1}, "success"),
        ({"status_id": 2}, "failure"),
        ({"status_id": 2, "api": {"response": {"error": "AccessDenied"}}}, "denied"),
        ({"status_id": 1, "action_id": 2}, "denied"),
        ({"status_id": 0, "http_response": {"code": 403}}, "denied"),
        ({"status_id": None, "http_response": {"code": 204}}, "success"),
        ({"status_id": None, "http_response": {"code": 500}}, "failure"),
        ({"status_id": None, "status": "Failure"}, "failure"),
        ({"status_id": 99}, "unknown"),
    ],
)
def test_status(more: dict[str, Any], status: str):
    assert row(**more)["status"] == status


def test_bytes_out_went_from_the_source_to_the_destination():
    found = row(class_uid=4001, traffic={"bytes_out": 5, "bytes_in": 7})
    assert (found["bytes_out"], found["bytes_in"]) == (5, 7)
    assert row(class_uid=4001, traffic={"bytes": 12})["bytes_out"] is None


def test_what_precedes_the_last_at_sign_is_no_host():
    found = row(class_uid=4002, http_request={"url": {"url_string": "http://good.example@evil.example:81/x?y"}})
    assert (found["dst_host"], found["dst_port"], found["url_path"]) == ("evil.example", 81, "/x")


@pytest.mark.parametrize("first", ["name", "value"])
@pytest.mark.parametrize("header", ["Authorization", "Cookie", "x-api-key"])
def test_headers_that_hold_secrets_are_found(first: str, header: str):

    pair = {"name": header, "value": "Bearer s3cr3tvalue"}
    text = json.dumps(dict(sorted(pair.items(), reverse=first == "value")))
    found = [match[1] for one in ocsf.SECRETS for match in re.finditer(one.pattern, text)]
    assert "s3cr3tvalue" in found or "Bearer s3cr3tvalue" in found


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ANY = st.recursive(st.none() | st.booleans() | st.integers() | HOSTILE, lambda s: st.lists(s, max_size=2) | st.dictionaries(st.sampled_from(["uid", "user", "name", "time"]), s, max_size=2), max_leaves=4)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(records(SAMPLE)), st.sampled_from(sorted(EVENT)), ANY, HOSTILE), max_size=4))
def test_no_record_crashes_or_is_lost(drawn: list[tuple[str, str, Any, str]]):
    raws = [json.dumps(json.loads(raw) | {key: value}) + tail for raw, key, value, tail in drawn]
    found = ocsf.actions(table(raws), OcsfOptions())
    assert sorted(found["record_id"].to_pylist(), key=int) == [str(n) for n in range(len(raws))]
    assert all((reason is None) == (outcome == "action") for outcome, reason in zip(found["outcome"].to_pylist(), found["reason"].to_pylist(), strict=True))  # fmt: skip
    ocsf.grants(table(raws), OcsfOptions())
