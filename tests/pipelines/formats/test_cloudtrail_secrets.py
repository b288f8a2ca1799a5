"""CloudTrail's secrets: each is found, nothing else is, and what is left is the same JSON."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from pipelines.formats.cloudtrail import FORMAT

TOKEN = "IQoJb3JpZ2luX2VjEIz//////////wEaCXVzLWVhc3QtMSJHMEUC+abc="
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJl"


def without_secrets(text: str) -> str:
    """`text` with each secret's first group replaced, by the engine that ingest uses (RE2)."""
    for secret in FORMAT.secrets:
        query = "SELECT regexp_extract_all(?, ?, 0), regexp_extract_all(?, ?, 1)"
        wholes, groups = duckdb.execute(query, [text, secret.pattern] * 2).fetchall()[0]  # type: ignore[misc]
        for whole, group in zip(wholes, groups, strict=True):
            text = text.replace(whole, whole.replace(group, "GONE"))
    return text


@pytest.mark.parametrize(
    ("record", "secret"),
    [
        ({"responseElements": {"credentials": {"accessKeyId": "ASIAX", "sessionToken": TOKEN}}}, TOKEN),
        ({"responseElements": {"credentials": {"secretAccessKey": TOKEN}}}, TOKEN),
        ({"requestParameters": {"masterUserPassword": 'he said "\\" \u00e9'}}, "he said"),
        ({"requestParameters": {"X-Amz-Security-Token": TOKEN}}, TOKEN),
        ({"requestParameters": {"X-Amz-Signature": "5f2c"}}, "5f2c"),
        ({"requestParameters": {"userData": "IyEvYmluL3NoCg=="}}, "IyEvYmluL3NoCg=="),
        ({"requestParameters": {"secretString": '{"password": "hunter2"}'}}, "hunter2"),
        ({"url": f"https://b.s3.example/k?X-Amz-Security-Token={TOKEN}&x=1"}, TOKEN),
        ({"url": "https://b.s3.example/k?X-Amz-Credential=AKIAX&X-Amz-Signature=5f2c9d"}, "5f2c9d"),
        ({"userAgent": f"curl Authorization: Bearer {JWT}"}, JWT),
        ({"requestParameters": {"anything": JWT}}, JWT),
        ({"CloudTrailEvent": json.dumps({"responseElements": {"sessionToken": TOKEN}})}, TOKEN),
        ({"CloudTrailEvent": json.dumps({"requestParameters": {"password": 'a"b\\c'}})}, 'a\\\\\\"b'),
    ],
)
def test_a_secret_is_found_and_the_record_stays_json(record: dict[str, Any], secret: str) -> None:
    for text in (json.dumps(record), json.dumps(record, separators=(",", ":")), json.dumps(record, indent=1)):
        cleaned = without_secrets(text)
        assert "GONE" in cleaned
        assert secret not in cleaned
        parsed = json.loads(cleaned)
        assert parsed.keys() == record.keys()
        if "CloudTrailEvent" in record:
            json.loads(parsed["CloudTrailEvent"])


def test_identifiers_are_no_secrets() -> None:
    record = {
        "userIdentity": {"accessKeyId": "AKIAEXAMPLE", "principalId": "AROAX:password"},
        "requestParameters": {
            "secretId": "prod/password",
            "nextToken": "AAEAAW",
            "userName": "token",
            "policyName": "p",
        },
        "responseElements": {"credentials": {"accessKeyId": "ASIAEXAMPLE", "expiration": "Jan 5, 2026, 1:09:30 PM"}},
        "eventName": "GetSessionToken",
    }
    text = json.dumps(record)
    assert without_secrets(text) == text
