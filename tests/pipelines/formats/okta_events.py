"""Okta System Log events for tests, and what is read from them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from pipelines.formats import okta
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, RECORDS_IN, Options

ROOT = Path(__file__).resolve().parents[3]


SAMPLES = ROOT / "data/samples/okta"


ORG = "corp.okta.example"


def table(events: list[Any], realm: str = ORG) -> pa.Table:
    count = len(events)
    raw = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return pa.table([[str(i) for i in range(count)], ["okta"] * count, [realm] * count, raw], schema=RECORDS_IN)


def read(events: list[Any], realm: str = ORG) -> list[dict[str, Any]]:
    """The rows in the events' order."""
    found = okta.actions(table(events, realm), Options())
    assert found.schema == ACTIONS_OUT
    rows = {int(row["record_id"]): row for row in found.to_pylist()}
    assert len(rows) == found.num_rows == len(events)
    return [rows[i] for i in range(len(events))]


def granted(*events: Any, realm: str = ORG) -> list[dict[str, Any]]:
    found = okta.grants(table(list(events), realm), Options())
    assert found.schema == GRANTS_OUT
    return sorted(found.to_pylist(), key=lambda row: (row["record_id"], row["child_uid"]))


def event(kind: str = "system.log.read", **changes: Any) -> dict[str, Any]:
    """A System Log event; `result` and `reason` are its outcome's."""
    result, reason = changes.pop("result", "SUCCESS"), changes.pop("reason", None)
    return {
        "uuid": "6f1c1f30-0000-11f1-8001-00000000000a",
        "published": "2026-01-05T10:00:00.120Z",
        "eventType": kind,
        "actor": {"id": "00u1alice", "type": "User"},
        "client": {"ipAddress": "198.51.100.20", "userAgent": {"rawUserAgent": "Mozilla/5.0"}},
        "outcome": {"result": result, "reason": reason},
        "target": [],
        "transaction": {"id": "tx1", "detail": {}},
        "authenticationContext": {"externalSessionId": "102session1"},
        **changes,
    }


CLIENT = {"id": "0oa1support", "type": "PublicClientApp"}


TOKEN = {"id": "AT.1", "type": "access_token", "detailEntry": {"expires": "2026-01-05T11:00:00.000Z"}}


ALICE = {"id": "00u1alice", "type": "User"}


GRANT = "app.oauth2.token.grant.access_token"


AS_GRANT = "app.oauth2.as.token.grant.access_token"


def _plain(value: Any) -> Any:
    return value.isoformat(sep=" ", timespec="milliseconds") if isinstance(value, datetime) else value


def _told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: _plain(value) for key, value in row.items() if value is not None} for row in rows]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)


KEYS = st.sampled_from(["id", "type", "detailEntry", "expires", "externalSessionId", "detail", "result", "debugData"])


JSON = st.recursive(
    SCALARS | st.sampled_from(["SUCCESS", "User", "access_token", "unknown"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


KINDS = st.sampled_from([GRANT, AS_GRANT, "user.session.start", "system.api_token.create", "user.lifecycle.suspend"])
