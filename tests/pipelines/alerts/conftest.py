"""A store in memory, findings and a clock that stands still until it is moved."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipelines import schema
from pipelines.alerts import deliver as delivery
from pipelines.alerts import outbox
from pipelines.alerts.deliver import DeliverySummary
from pipelines.alerts.destination import DestinationSettings
from pipelines.alerts.destinations.webhook import WebhookSettings
from pipelines.alerts.receiver import Receiver

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NOW = datetime(2026, 3, 9, 12, 0)


class Store:
    """The two callables that delivery is given; `writes_fail` makes the next writes raise."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.writes_fail = 0
        for table in (schema.FINDINGS, schema.FINDING_REVISIONS, schema.ALERTS, schema.DELIVERIES):
            columns = ", ".join(f'"{name}" {kind}' for name, kind in table.columns.items())
            self.connection.execute(f"CREATE TABLE {table.name} ({columns})")

    def read(self, sql: str, parameters: Any = ()) -> pa.Table:
        return self.connection.cursor().execute(sql, list(parameters)).to_arrow_table()

    def write(self, table_name: str, rows: pa.Table) -> None:
        if self.writes_fail:
            self.writes_fail -= 1
            raise RuntimeError("killed before the delivery was written down")
        cursor = self.connection.cursor()
        cursor.register("rows", rows)
        cursor.execute(f"INSERT INTO {table_name} SELECT * FROM rows")

    def deliveries(self) -> list[dict[str, Any]]:
        return self.read("SELECT * FROM deliveries ORDER BY alert_uid, attempt").to_pylist()


class Clock:
    def __init__(self) -> None:
        self.time = NOW
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)

    def seconds(self) -> float:
        return (self.time - datetime(1970, 1, 1)).total_seconds()


def a_finding(**changed: Any) -> dict[str, Any]:
    """A row of findings as a rule makes it, with `changed` columns."""
    return {
        "finding_uid": "0b6b9b0e-5a3c-5c1e-9a58-2f2a1f4f0001",
        "detector": "scope.out_of_scope",
        "detector_version": "3f9c2a7d",
        "worker": "support-agent",
        "principal": "aws:role/arn:aws:iam::111122223333:role/support-agent",
        "entity": "arn:aws:s3:::payroll",
        "chain_id": "6f2d3f0a-1111-5222-8333-444455556666",
        "window_start": datetime(2026, 3, 9, 9, 15, 0, 250_000),
        "window_end": datetime(2026, 3, 9, 9, 48, 30),
        "severity": "high",
        "score": 0.93,
        "p_value": None,
        "title": "support-agent read payroll, which its manifest does not allow",
        "explanation": (
            '{"verdict": "none", "attribution": "proven", "confidence": 1.0, "expected": "no line matches",'
            ' "seen": "s3.amazonaws.com GetObject (success)", "resource": "arn:aws:s3:::payroll/2026.csv"}'
        ),
        "tags": ["owasp.asi03", "attack.t1530", "attack.t1078.004"],
        "evidence": ["cloudtrail:e1", "cloudtrail:e2"],
        "snapshot_id": 42,
        "manifest_sha": "a" * 64,
        "model_id": None,
        "status": "open",
        "resolution": None,
        "revision": 1,
        "previous_uid": None,
        "created_at": datetime(2026, 3, 9, 10, 0, 0, 123_456),
        "revised_at": datetime(2026, 3, 9, 10, 0, 0, 123_456),
        **changed,
    }


def findings_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema.FINDINGS.arrow)


def changes_table(changes: dict[str, str]) -> pa.Table:
    rows = [{"finding_uid": uid, "change": change} for uid, change in changes.items()]
    return pa.Table.from_pylist(rows, schema=outbox.CHANGES)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def finding() -> Callable[..., dict[str, Any]]:
    return a_finding


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    """A secret that `env:TEST_WEBHOOK_SECRET` leads to."""
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", SECRET)
    return SECRET


@pytest.fixture
def siem(secret: str) -> Callable[..., WebhookSettings]:
    """Settings of a webhook at a URL."""

    def settings(url: str, **changed: Any) -> WebhookSettings:
        values = {"name": "siem", "type": "webhook", "url": url, "secret": "env:TEST_WEBHOOK_SECRET", **changed}
        return WebhookSettings.model_validate(values)

    return settings


@pytest.fixture
def queue(store: Store) -> Callable[..., list[str]]:
    """Put findings into the outbox as the findings' transaction does; gives the alerts' uids."""

    def put(
        rows: Sequence[dict[str, Any]], destinations: Sequence[DestinationSettings], change: str = "created"
    ) -> list[str]:
        uids = pa.table({"finding_uid": [row["finding_uid"] for row in rows]})
        store.connection.register("touched", uids)
        earlier = store.connection.execute(outbox.earlier_sql("touched")).to_arrow_table()
        alerts = outbox.rows(
            findings_table(rows),
            changes_table({row["finding_uid"]: change for row in rows}),
            destinations,
            created_at=NOW,
            earlier=earlier,
        )
        store.write("alerts", alerts)
        return [row["alert_uid"] for row in alerts.to_pylist()]

    return put


@pytest.fixture
def tables() -> tuple[Callable[..., pa.Table], Callable[..., pa.Table]]:
    """Makers of a findings table and of a changes table."""
    return findings_table, changes_table


@pytest.fixture
def deliver(store: Any, clock: Any) -> Callable[..., DeliverySummary]:
    def run(destinations: Sequence[Any], until_done: float | None = None, **more: Any) -> DeliverySummary:
        return delivery.deliver(
            store.read,
            store.write,
            destinations,
            now=clock,
            sleep=clock.sleep,
            jitter=lambda: 1.0,
            until_done=until_done,
            **more,
        )

    return run


@pytest.fixture
def receive(secret: str, clock: Any) -> Callable[..., Receiver]:
    """A receiver whose clock is the test's."""
    return lambda script=(): Receiver([secret], script, clock=clock.seconds)
