"""Records of Microsoft's logs for tests, and what is read from them."""

from __future__ import annotations

import base64
import io
import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from pipelines.formats import all_formats
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, RECORDS_IN, Format
from pipelines.formats.secrets import redact

SAMPLES = Path(__file__).resolve().parents[3] / "data/samples"
SP, APP, USER = "5a000000-0000-4000-8000-000000000001", "a9000000-0000-4000-8000-000000000001", "0b000000-0000-4000-8000-000000000001"  # fmt: skip
TOKEN = "70c00000-0000-4000-8000-000000000001"


def uti(guid: str) -> str:
    """A token's id as its claim `uti` spells it."""
    return base64.urlsafe_b64encode(uuid.UUID(guid).bytes_le).decode().rstrip("=")


def table(events: list[Any]) -> pa.Table:
    count = len(events)
    raw = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return pa.table([[str(i) for i in range(count)], ["azure"] * count, ["t"] * count, raw], schema=RECORDS_IN)


def read(name: str, events: list[Any], **settings: Any) -> list[dict[str, Any]]:
    """The rows in the events' order."""
    form = all_formats()[name]
    found = form.actions(table(events), form.options(**settings))
    assert found.schema == ACTIONS_OUT
    rows = {int(row["record_id"]): row for row in found.to_pylist()}
    assert len(rows) == found.num_rows == len(events)
    return [rows[i] for i in range(len(events))]


def granted(name: str, *events: Any) -> list[dict[str, Any]]:
    form = all_formats()[name]
    found = form.grants(table(list(events)), form.options())
    assert found.schema == GRANTS_OUT
    return sorted(found.to_pylist(), key=lambda row: (int(row["record_id"]), row["child_uid"]))


def pieces(form: Format, data: bytes) -> list[str]:
    splits = form.split(io.BytesIO(data), True, form.options())
    return [raw.decode() for split in splits for raw in split.pieces["raw"].to_pylist()]


def redacted(name: str, raw: str) -> str:
    return str(redact(table([raw])["raw"].combine_chunks(), b"k" * 32, all_formats()[name].secrets).to_pylist()[0])


def shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what is null, times as text."""
    return [
        {key: value.isoformat(sep=" ") if isinstance(value, datetime) else value for key, value in row.items()
         if value is not None}
        for row in rows
    ]  # fmt: skip


def sample_matches(name: str) -> None:
    """Each file of a format's sample gives the actions and grants that lie beside it."""
    folder = SAMPLES / name
    expected = json.loads((folder / "expected.json").read_text())
    assert expected
    for file, rows in expected.items():
        records = pieces(all_formats()[name], (folder / file).read_bytes())
        assert shown(read(name, records)) == rows["actions"]
        assert shown(granted(name, *records)) == rows["grants"]


def loses_nothing(name: str, data: st.DataObject, file: str) -> None:
    """A line of the sample that is mutated between two that are not: each is a row, the two are what they were."""
    lines = (SAMPLES / name / file).read_bytes().splitlines()
    line = bytearray(data.draw(st.sampled_from(lines)))
    for _ in range(data.draw(st.integers(1, 4))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(32, 126))
    records = pieces(all_formats()[name], lines[1] + b"\n" + bytes(line) + b"\n" + lines[2] + b"\n")
    assert len(records) >= 3
    rows = read(name, records)
    assert [row["outcome"] for row in rows].count("action") >= 2
    assert all((row["reason"] is None) == (row["outcome"] == "action") for row in rows)
    granted(name, *records)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)


def json_of(keys: st.SearchStrategy[str], *values: str) -> st.SearchStrategy[Any]:
    """Any JSON under any key; `values` are texts that mean something."""
    return st.recursive(
        SCALARS | st.sampled_from([SP, APP, TOKEN, uti(TOKEN), *values]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=4), inner, max_size=4),
        max_leaves=8,
    )


def sign_in(category: str | None = "ServicePrincipalSignInLogs", code: int = 0, **properties: Any) -> dict[str, Any]:
    who = (
        {"servicePrincipalId": SP}
        if category and "User" not in category and category != "SignInLogs"
        else {"userId": USER}
    )
    return {
        "time": "2026-01-05T10:00:01Z",
        "category": category,
        "tenantId": "t1",
        "resultType": str(code),
        "callerIpAddress": "198.51.100.60",
        "properties": {
            "id": "51000000-0000-4000-8000-000000000001",
            "createdDateTime": "2026-01-05T10:00:00.1234567+00:00",
            "appId": APP,
            "ipAddress": "198.51.100.61",
            "status": {"errorCode": code},
            "uniqueTokenIdentifier": uti(TOKEN),
            **who,
            **properties,
        },
    }


def audit(activity: str = "Update user", by: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    return {
        "time": "2026-01-05T10:00:01Z",
        "category": "AuditLogs",
        "tenantId": "t1",
        "properties": {
            "id": "Directory_1",
            "activityDateTime": "2026-01-05T10:00:00.1234567+00:00",
            "activityDisplayName": activity,
            "result": "success",
            "initiatedBy": by or {"user": {"id": USER, "ipAddress": "198.51.100.61"}},
            **properties,
        },
    }


def graph(
    uri: str = "https://graph.microsoft.com/v1.0/users", method: str = "GET", **properties: Any
) -> dict[str, Any]:
    return {
        "time": "2026-01-05T10:00:01Z",
        "category": "MicrosoftGraphActivityLogs",
        "tenantId": "t1",
        "properties": {
            "timeGenerated": "2026-01-05T10:00:00.1234567Z",
            "requestId": "9a000000-0000-4000-8000-000000000001",
            "appId": APP,
            "servicePrincipalId": SP,
            "signInActivityId": uti(TOKEN),
            "requestMethod": method,
            "requestUri": uri,
            "responseStatusCode": 200,
            "responseSizeBytes": 512,
            **properties,
        },
    }


CLAIM = "http://schemas.microsoft.com/identity/claims/"


def activity(operation: str = "Microsoft.Storage/storageAccounts/listKeys/action", **changes: Any) -> dict[str, Any]:
    claims = changes.pop("claims", {"appid": APP, "appidacr": "1", "uti": uti(TOKEN), f"{CLAIM}objectidentifier": SP})
    return {
        "time": "2026-01-05T10:00:00.1234567Z",
        "category": "Administrative",
        "operationName": operation,
        "resourceId": "/subscriptions/S1/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/A",
        "resultType": "Success",
        "resultSignature": "OK",
        "callerIpAddress": "198.51.100.60",
        "correlationId": "ee000000-0000-4000-8000-000000000001",
        "identity": {"claims": claims},
        **changes,
    }
