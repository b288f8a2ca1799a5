"""Google Cloud log entries for tests, and what is read from them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.formats import gcp_audit
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, RECORDS_IN

SAMPLES = Path(__file__).resolve().parents[3] / "data/samples/gcp_audit"
PROVIDER = "projects/700100200300/locations/global/workloadIdentityPools/ci-pool/providers/ci"
SETTINGS = gcp_audit.GcpOptions(issuers={PROVIDER: "https://token.actions.githubusercontent.com"})
SA = "agent@p.iam.gserviceaccount.com"


def table(events: list[Any]) -> pa.Table:
    count = len(events)
    raw = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return pa.table([[str(i) for i in range(count)], ["gcp"] * count, ["gcp"] * count, raw], schema=RECORDS_IN)


def read(events: list[Any], options: gcp_audit.GcpOptions = SETTINGS) -> list[dict[str, Any]]:
    """The rows in the events' order."""
    found = gcp_audit.actions(table(events), options)
    assert found.schema == ACTIONS_OUT
    rows = {int(row["record_id"]): row for row in found.to_pylist()}
    assert len(rows) == found.num_rows == len(events)
    return [rows[i] for i in range(len(events))]


def granted(*events: Any, options: gcp_audit.GcpOptions = SETTINGS) -> list[dict[str, Any]]:
    found = gcp_audit.grants(table(list(events)), options)
    assert found.schema == GRANTS_OUT
    return sorted(found.to_pylist(), key=lambda row: (int(row["record_id"]), row["child_uid"]))


def entry(method: str = "storage.objects.get", auth: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """An audit log entry; `changes` of the audit log itself are under `payload`."""
    payload = {
        "serviceName": "storage.googleapis.com",
        "methodName": method,
        "resourceName": "projects/_/buckets/b/objects/o",
        "authenticationInfo": {"principalEmail": SA} if auth is None else auth,
        "requestMetadata": {"callerIp": "198.51.100.40", "callerSuppliedUserAgent": "curl/8"},
        "status": {},
        **changes.pop("payload", {}),
    }
    return {
        "insertId": "i1",
        "logName": "projects/p/logs/cloudaudit.googleapis.com%2Fdata_access",
        "timestamp": "2026-01-05T10:00:00.123456789Z",
        "resource": {"type": "gcs_bucket", "labels": {"project_id": "p", "location": "eu"}},
        "protoPayload": payload,
        **changes,
    }


def shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what is null, times as text."""
    return [
        {key: value.isoformat(sep=" ") if isinstance(value, datetime) else value for key, value in row.items()
         if value is not None}
        for row in rows
    ]  # fmt: skip
