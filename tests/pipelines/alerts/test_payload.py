"""What a webhook carries, against the OCSF schema's rules for what we fill, and under hostile text."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.alerts import ocsf, payload
from pipelines.alerts.ocsf import Change, Notice
from pipelines.alerts.text import bounded, cleaned

Make = Callable[..., dict[str, Any]]

ACTION = {
    "action_uid": "cloudtrail:e1",
    "time": "2026-03-09 09:15:00.25",
    "principal": "aws:role/arn:aws:iam::111122223333:role/support-agent",
    "api_service": "s3.amazonaws.com",
    "api_operation": "GetObject",
    "src_ip": "203.0.113.7",
    "dst_host": "s3.amazonaws.com",
    "dst_port": 443,
    "url_path": "/payroll/2026.csv?X-Amz-Signature=abc",
    "status": "success",
    "bytes_out": None,
    "resource_uid": "arn:aws:s3:::payroll/2026.csv",
}
CHAIN = {
    "chain_id": "6f2d3f0a-1111-5222-8333-444455556666",
    "root_uid": "okta:session/corp.okta.example/102",
    "delegator": "mail:addr/ada@corp.example",
    "started_at": datetime(2026, 3, 9, 9),
    "ended_at": datetime(2026, 3, 9, 10),
    "systems": ["cloudtrail", "okta"],
    "actions": 12,
    "hops": 2,
    "bytes_out": None,
    "strength": "proven",
}
HOP = {
    "from": "okta:token/corp.okta.example/tok1",
    "to": "aws:key/ASIA1",
    "mechanism": "sts",
    "evidence": "cloudtrail:11",
    "strength": "proven",
}
ATTRIBUTION = {
    "action_uid": "cloudtrail:e1",
    "strength": "asserted",
    "confidence": 0.6,
    "delegator": "mail:addr/ada@corp.example",
    "delegator_strength": "asserted",
    "path": [HOP],
}

# OCSF 1.8.0, of the objects that we fill: required attributes, and all that exist and we may use.
REQUIRED = {
    "": {"activity_id", "category_uid", "class_uid", "type_uid", "severity_id", "time", "metadata", "finding_info"},
    "metadata": {"version", "product"},
    "finding_info": {"uid"},
    "finding_info.analytic": {"type_id"},
    "evidences.api": {"operation"},
    "evidences.url": {"path"},
    "remediation": {"desc"},
    "observables": {"type_id"},
    "finding_info.tags": {"name"},
}
KNOWN = {
    "": {
        *("activity_id", "activity_name", "category_uid", "category_name", "class_uid", "class_name", "type_uid"),
        *("type_name", "time", "start_time", "end_time", "severity_id", "severity", "status_id", "status"),
        *("status_detail", "confidence_id", "confidence", "confidence_score", "is_alert", "message", "metadata"),
        *("finding_info", "resources", "evidences", "observables", "remediation", "unmapped"),
    },
    "metadata": {
        *("version", "product", "uid", "correlation_uid", "sequence", "log_name", "original_time"),
        *("modified_time", "is_truncated"),
    },
    "metadata.product": {"name", "uid", "vendor_name", "version"},
    "finding_info": {
        *("uid", "title", "desc", "analytic", "created_time", "modified_time", "first_seen_time"),
        *("last_seen_time", "related_events_count", "attacks", "tags"),
    },
    "finding_info.analytic": {"type_id", "type", "name", "uid", "version"},
    "finding_info.attacks": {"technique", "sub_technique", "tactic", "version"},
    "finding_info.tags": {"name", "value", "values"},
    "resources": {"uid", "type", "name"},
    "evidences": {"name", "uid", "actor", "api", "src_endpoint", "dst_endpoint", "url", "resources", "data"},
    "evidences.actor": {"app_name", "app_uid", "user", "session"},
    "evidences.src_endpoint": {"hostname", "ip", "port", "name"},
    "evidences.dst_endpoint": {"hostname", "ip", "port", "name"},
    "evidences.url": {"path"},
    "observables": {"name", "type_id", "value"},
    "unmapped": {"ai_agent", "delegation", "workertrail"},
}


def _assert_valid(value: Any, path: str = "") -> None:
    """The body's objects hold what OCSF requires and nothing that it does not know."""
    if isinstance(value, list):
        for each in value:
            _assert_valid(each, path)
    elif isinstance(value, dict):
        assert REQUIRED.get(path, set()) <= set(value), path
        assert set(value) <= KNOWN.get(path, set(value)), path
        for key, each in value.items():
            assert each is not None, f"{path}.{key}"
            if path != "unmapped" and key != "data":
                _assert_valid(each, f"{path}.{key}".lstrip("."))


def _sent(notice: Notice) -> dict[str, Any]:
    text = payload.webhook(notice)
    assert len(text.encode()) <= payload.LARGEST
    assert text.isascii()
    assert text.isprintable()
    parsed: dict[str, Any] = json.loads(text)
    assert set(parsed) == {"type", "timestamp", "data"}
    _assert_valid(parsed["data"])
    return parsed


def test_the_whole_body_of_a_finding(finding: Make) -> None:
    sent = _sent(Notice(finding(), "created", [ACTION], CHAIN, ATTRIBUTION))
    assert sent["type"] == "finding.created"
    assert sent["timestamp"] == "2026-03-09T10:00:00.123Z"
    data = sent["data"]
    golden = {
        "activity_id": 1,
        "category_uid": 2,
        "class_uid": 2004,
        "type_uid": 200401,
        "time": 1773050400123,
        "start_time": 1773047700250,
        "end_time": 1773049710000,
        "severity_id": 4,
        "severity": "High",
        "status_id": 1,
        "confidence_id": 3,
        "confidence_score": 100,
        "is_alert": True,
        "message": "support-agent read payroll, which its manifest does not allow",
    }
    assert {key: data[key] for key in golden} == golden
    metadata = data["metadata"]
    assert metadata["version"] == "1.8.0"
    assert metadata["uid"] == ocsf.event_uid(finding()["finding_uid"], 1)
    assert metadata["correlation_uid"] == finding()["chain_id"]
    assert metadata["sequence"] == 1
    assert "is_truncated" not in metadata
    info = data["finding_info"]
    assert info["uid"] == finding()["finding_uid"]
    assert info["analytic"] == {
        "type_id": 1,
        "type": "Rule",
        "name": "scope.out_of_scope",
        "uid": "scope.out_of_scope",
        "version": "3f9c2a7d",
    }
    assert info["attacks"] == [
        {"technique": {"uid": "T1530"}, "version": "19"},
        {"technique": {"uid": "T1078"}, "sub_technique": {"uid": "T1078.004"}, "version": "19"},
    ]
    assert {"name": "owasp", "value": "asi03"} in info["tags"]
    evidence = data["evidences"][1]
    assert evidence["uid"] == "cloudtrail:e1"
    assert evidence["api"] == {"operation": "GetObject", "service": {"name": "s3.amazonaws.com"}}
    assert evidence["url"] == {"path": "/payroll/2026.csv"}, "a query string may hold a signature"
    assert evidence["data"]["time"] == "2026-03-09T09:15:00.250Z"
    assert "bytes_out" not in evidence["data"], "null is unknown, not 0"
    ai_agent = data["unmapped"]["ai_agent"]
    assert ai_agent["uid"] == "worker:id/support-agent"
    assert ai_agent["charter"]["hashes"] == [{"algorithm_id": 3, "algorithm": "SHA-256", "value": "a" * 64}]
    assert data["unmapped"]["delegation"] == {"delegator": "mail:addr/ada@corp.example", "strength": "asserted"}
    ours = data["unmapped"]["workertrail"]
    assert info["desc"] == "Seen: s3.amazonaws.com GetObject (success). Expected: no line matches"
    assert ours["verdict"] == "none"
    assert ours["attribution"] == {"strength": "proven", "confidence": 1.0}, "the detector's word on its worst action"
    assert ours["hops"] == [HOP]
    assert ours["evidence"] == {"count": 2, "action_uids": ["cloudtrail:e1", "cloudtrail:e2"]}
    assert ours["explanation"]["resource"] == "arn:aws:s3:::payroll/2026.csv"
    assert "cut" not in ours


@pytest.mark.parametrize(
    ("change", "type_uid", "is_alert"), [("created", 200401, True), ("updated", 200402, True), ("closed", 200403, None)]
)
def test_what_changed_is_the_activity(finding: Make, change: Change, type_uid: int, is_alert: bool | None) -> None:
    data = _sent(Notice(finding(), change))["data"]
    assert (data["type_uid"], data.get("is_alert")) == (type_uid, is_alert)


@pytest.mark.parametrize(
    ("column", "value", "attribute", "expected"),
    [
        *[
            ("severity", name, "severity_id", number)
            for name, number in [("info", 1), ("low", 2), ("medium", 3), ("high", 4), ("critical", 5)]
        ],
        *[
            ("status", name, "status_id", number)
            for name, number in [("open", 1), ("acknowledged", 2), ("suppressed", 3), ("resolved", 4)]
        ],
    ],
)
def test_words_become_ocsf_numbers(finding: Make, column: str, value: str, attribute: str, expected: int) -> None:
    assert _sent(Notice(finding(**{column: value}), "updated"))["data"][attribute] == expected


def test_a_models_finding_is_as_sure_as_the_weaker_of_model_and_attribution(finding: Make) -> None:
    data = _sent(Notice(finding(model_id="forest-1", p_value=0.02), "created"))["data"]
    assert data["finding_info"]["analytic"]["type_id"] == 4
    assert data["confidence_id"] == 1
    assert _sent(Notice(finding(model_id="forest-1", p_value=0.0001), "created"))["data"]["confidence_id"] == 3


def test_a_finding_about_nobody_is_valid(finding: Make) -> None:
    nulls = ("worker", "principal", "entity", "chain_id", "explanation", "tags", "evidence", "manifest_sha", "score")
    data = _sent(Notice(finding(**dict.fromkeys(nulls)), "created"))["data"]
    assert data["confidence_id"] == 0
    assert "ai_agent" not in data["unmapped"]
    assert data["evidences"] == [{"name": "workertrail.finding", "data": {"actions": 0}}]


def test_the_same_row_gives_the_same_bytes(finding: Make) -> None:
    first = payload.webhook(Notice(finding(), "created", [ACTION], CHAIN))
    reordered = dict(reversed(list(finding().items())))
    assert payload.webhook(Notice(reordered, "created", [ACTION], CHAIN)) == first


def test_evidence_beyond_fifty_is_counted(finding: Make) -> None:
    uids = [f"cloudtrail:{number:04}" for number in range(730)]
    sent = _sent(Notice(finding(evidence=uids), "created"))["data"]
    ours = sent["unmapped"]["workertrail"]
    assert ours["evidence"] == {"count": 730, "action_uids": uids[:50]}
    assert ours["cut"] == ["action_uids: 50 of 730"]
    assert sent["metadata"]["is_truncated"] is True
    assert sent["finding_info"]["related_events_count"] == 730


def test_the_count_is_that_of_all_actions_not_only_of_those_listed(finding: Make) -> None:
    explanation = json.dumps({"evidence_count": 7_000})
    data = _sent(Notice(finding(explanation=explanation), "created"))["data"]
    assert data["unmapped"]["workertrail"]["evidence"]["count"] == 7_000
    assert data["finding_info"]["related_events_count"] == 7_000


def test_evidence_is_cut_before_the_explanation_and_both_are_told(finding: Make) -> None:
    explanation = json.dumps({"why": "short", "features": "f" * 7_500, "everything": "e" * 30_000})
    actions = [{**ACTION, "action_uid": f"cloudtrail:{n}", "resource_uid": "r" * 900} for n in range(10)]
    uids = [f"cloudtrail:{'u' * 80}{n}" for n in range(50)]
    ours = _sent(Notice(finding(explanation=explanation, evidence=uids), "created", actions))["data"]["unmapped"]
    ours = ours["workertrail"]
    assert ours["explanation"] == {"why": "short", "features": "f" * 7_500}
    assert "explanation.everything" in ours["cut"]
    assert any(line.startswith("evidences: ") for line in ours["cut"])


HOSTILE = (
    '\x1b]0;owned\x07\x1b[2J \x9b31m \'; DROP TABLE alerts; -- "quoted" \\ line\nbreak\r\x00 \u202egnp.exe \u2028'
    "<script>alert(1)</script> & {{7*7}} ${jndi:ldap://x} \U0001f600 [bold red]x[/]"
)


def test_hostile_text_is_inert_and_comes_back_whole(finding: Make) -> None:
    columns = ("worker", "principal", "entity", "title", "detector", "resolution", "chain_id")
    row = finding(**dict.fromkeys(columns, HOSTILE), tags=[HOSTILE, "attack.t1<script>"], evidence=[HOSTILE])
    row["explanation"] = json.dumps({HOSTILE: HOSTILE, "verdict": HOSTILE})
    action = dict.fromkeys(ACTION, HOSTILE)
    text = payload.webhook(Notice(row, "created", [action], {**CHAIN, "root_uid": HOSTILE}))
    assert "<" not in text
    assert "\x1b" not in text
    assert "\n" not in text
    sent = _sent(Notice(row, "created", [action], {**CHAIN, "root_uid": HOSTILE}))["data"]
    assert sent["message"] == HOSTILE
    assert sent["unmapped"]["workertrail"]["explanation"][HOSTILE] == HOSTILE
    assert "ip" not in sent["evidences"][1]["src_endpoint"], "text that is no address is not passed off as one"


@pytest.mark.parametrize(
    "explanation",
    [
        "not json",
        "[1, 2",
        '"text"',
        "[" * 100_000,
        '{"a": NaN, "b": Infinity, "c": 1e999}',
        '{"lone": "\\ud800", "\\udfff": 1}',
        f'{{"big": {"9" * 400}}}',
        f'{{"too big": {"9" * 6000}}}',
        '{"deep": ' * 900 + "1" + "}" * 900,
        json.dumps({"x": "y" * 300_000}),
        json.dumps({"path": ["x" * 1000] * 500, "verdict": {"not": "text"}, "confidence": True, "strength": 7}),
    ],
)
def test_an_explanation_of_any_kind_gives_valid_json(finding: Make, explanation: str) -> None:
    text = payload.webhook(Notice(finding(explanation=explanation), "created"))
    assert "\\ud800" not in text
    assert "NaN" not in text
    _sent(Notice(finding(explanation=explanation), "created"))


def test_the_largest_finding_that_there_can_be_fits(finding: Make) -> None:
    wide = "\U0001f600" * 5_000
    columns = (
        "finding_uid worker principal entity chain_id title detector detector_version model_id manifest_sha resolution"
        " previous_uid"
    )
    row = finding(**dict.fromkeys(columns.split(), wide), tags=[f"attack.t1078.{wide}"] * 500, evidence=[wide] * 5_000)
    keys = ("verdict", "attribution", "seen", "expected")
    row["explanation"] = json.dumps({**dict.fromkeys(keys, wide), "more": ["z" * 100] * 50})
    attribution = {
        **ATTRIBUTION,
        "delegator": wide,
        "delegator_strength": wide,
        "path": [dict.fromkeys(HOP, wide)] * 30,
    }
    chain = {**CHAIN, "systems": [wide] * 99, "root_uid": wide}
    ours = _sent(Notice(row, "closed", [dict.fromkeys(ACTION, wide)] * 50, chain, attribution))
    assert ours["data"]["unmapped"]["workertrail"]["cut"]


@settings(max_examples=100, deadline=None)
@given(value=st.text(), limit=st.integers(10, 200))
def test_bounded_text_takes_no_more_than_its_bytes_and_never_splits_a_character(value: str, limit: int) -> None:
    cut = bounded(value, limit)
    assert len(payload.encode(cut)) - 2 <= limit
    assert cut == value or value.startswith(cut.removesuffix("..."))


def test_cleaned_text_is_one_printable_line_without_credentials() -> None:
    line = cleaned(HOSTILE + " Authorization: Bearer abc.def token=xyz whsec_AAAA= mysecret", secrets=["mysecret"])
    assert line.isprintable()
    for leaked in ("abc.def", "xyz", "AAAA", "mysecret"):
        assert leaked not in line
    assert len(cleaned("x" * 9_999)) == 200


def test_random_rows_never_leave_the_schema(finding: Make) -> None:
    dice = random.Random(7)
    letters = 'abc"\\<\x00\x1b\u202e\U0001f600'
    for _ in range(100):
        texts = {
            key: "".join(dice.choices(letters, k=dice.randrange(2_000)))
            for key in ("worker", "principal", "entity", "title", "explanation", "resolution")
        }
        _sent(
            Notice(
                finding(**texts, evidence=["e" * dice.randrange(300)] * dice.randrange(200)), "updated", [ACTION] * 9
            )
        )
