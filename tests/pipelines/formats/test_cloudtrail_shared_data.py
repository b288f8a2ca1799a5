"""CloudTrail against records that nobody on this project wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.formats.cloudtrail import FORMAT
from pipelines.formats.format import RECORDS_IN, Options
from tests.machine import shared

REASONS = {"no eventTime", "eventTime is not a time", "no eventName", "no eventID"}


def pieces(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        for split in FORMAT.split(stream, True, Options()):
            assert not any(split.pieces["reason"].to_pylist())
            yield from (raw.decode() for raw in split.pieces["raw"].to_pylist())


def panther() -> Iterator[str]:
    for line in shared("panther-analysis", "panther_tests.jsonl").read_text().splitlines():
        case = json.loads(line)
        if case["log_type"] == "AWS.CloudTrail":
            yield json.dumps(case["event"])


def folder(name: str, pattern: str) -> list[str]:
    return [raw for path in sorted(shared(name).glob(pattern)) for raw in pieces(path)]


FOLDERS = {
    "stratus-red-team": (lambda: folder("stratus-red-team", "aws.*.json"), 126),
    "traildiscover": (lambda: folder("traildiscover", "*.cloudtrail"), 291),
    "crowdsec": (lambda: folder("crowdsec-hub/aws-cloudtrail", "*.log"), 2),
    "plaso": (lambda: folder("plaso", "aws_cloudtrail.jsonl"), 6),
    "panther": (lambda: list(panther()), 251),
}


def table(raws: list[str]) -> pa.Table:
    ids = [str(n) for n in range(len(raws))]
    return pa.table([ids, ["trail"] * len(raws), [None] * len(raws), raws], schema=RECORDS_IN)


def the_record(raw: str) -> dict[str, Any]:
    """A record out of its container, read the plain way."""
    found: dict[str, Any] = json.loads(raw)
    return json.loads(found["CloudTrailEvent"]) if "CloudTrailEvent" in found else found


@pytest.mark.parametrize("name", FOLDERS)
def test_every_well_formed_record_is_an_action(name: str) -> None:
    load, count = FOLDERS[name]
    raws = load()
    assert len(raws) == count
    rows = sorted(FORMAT.actions(table(raws), Options()).to_pylist(), key=lambda row: int(row["record_id"]))
    assert len(rows) == len(raws)
    for row, raw in zip(rows, raws, strict=True):
        record = the_record(raw)
        if row["outcome"] != "action":
            assert name == "panther", "real records are all well formed"
            assert row["reason"] in REASONS
            lacking = not all(record.get(key) for key in ("eventTime", "eventName", "eventID"))
            assert lacking or not re.match(r"\d{4}-", record["eventTime"])
            continue
        assert row["time"].isoformat() == record["eventTime"].replace(" ", "T")[:19]
        assert (row["api_service"], row["api_operation"]) == (record["eventSource"], record["eventName"])
        assert row["native_id"] == record["eventID"]
        key = (record.get("userIdentity") or {}).get("accessKeyId")
        assert row["credential_uid"] == (f"aws:key/{key}" if key and "***" not in key else None)
        code = record.get("errorCode") or ""
        assert (row["status"] == "success") <= (not code)
        if "AccessDenied" in code or "UnauthorizedOperation" in code:
            assert row["status"] == "denied"


def test_each_issued_key_that_is_used_joins_its_issuing_record() -> None:
    """Stratus replaced its ids file by file, consistently within a file."""
    joined = 0
    for path in sorted(shared("stratus-red-team").glob("aws.*.json")):
        records = table(list(pieces(path)))
        grants = FORMAT.grants(records, Options()).to_pylist()
        actions = FORMAT.actions(records, Options()).to_pylist()
        issued = {grant["child_uid"]: grant for grant in grants if grant["kind"] == "issue"}
        for action in actions:
            grant = issued.get(action["credential_uid"])
            if grant is not None:
                joined += 1
                assert action["principal"] == grant["principal"] or grant["mechanism"] == "CreateAccessKey"
                assert action["session_uid"] in issued
                assert grant["issued_at"] <= action["time"] <= grant["expires_at"]
    assert joined == 31


def test_agreement_with_crowdsec() -> None:
    """Field by field with another parser's expectations of the same lines."""
    meta: dict[int, dict[str, str]] = {}
    form = re.compile(
        r'results\["s01-parse"\]\["crowdsecurity/aws-cloudtrail"\]\[(\d+)\]\.Evt\.Meta\["(\w+)"\] == (".*")'
    )
    for line in shared("crowdsec-hub", "aws-cloudtrail", "parser.assert").read_text().splitlines():
        if match := form.fullmatch(line):
            meta.setdefault(int(match[1]), {})[match[2]] = json.loads(match[3])
    rows = FORMAT.actions(table(folder("crowdsec-hub/aws-cloudtrail", "*.log")), Options()).to_pylist()
    for row in rows:
        expected = meta[int(row["record_id"])]
        for column, name in {
            "native_id": "event_id",
            "src_ip": "source_ip",
            "user_agent": "user_agent",
            "api_operation": "event_name",
            "api_service": "event_source",
            "region": "region",
            "principal_type": "user_type",
        }.items():
            assert row[column] == expected[name]
    assert len(rows) == len(meta) == 2
