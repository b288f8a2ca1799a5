"""`workertrail alerts`, over a store in memory."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import click
import duckdb
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from filelock import Timeout

from pipelines import schema
from pipelines.alerts.destinations.webhook import WebhookSettings
from pipelines.alerts.receiver import Receiver, Reply
from pipelines.cli.alerts import alerts
from pipelines.cli.context import Context

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


class FakeContext:
    """The part of a context that the commands use."""

    def __init__(self, url: str) -> None:
        self.database = duckdb.connect()
        for table in (schema.ALERTS, schema.DELIVERIES):
            columns = ", ".join(f'"{name}" {kind}' for name, kind in table.columns.items())
            self.database.execute(f"CREATE TABLE {table.name} ({columns})")
        values = {"name": "siem", "type": "webhook", "url": url, "secret": "env:TEST_WEBHOOK_SECRET"}
        self.settings = SimpleNamespace(alerts=[WebhookSettings.model_validate(values)])
        self.lock: AbstractContextManager[object] = nullcontext()

    def read(self, sql: str, parameters: Any = None) -> pa.Table:
        return self.database.execute(sql, parameters).to_arrow_table()

    def write(self, table: str, rows: pa.Table) -> None:
        self.database.register("rows", rows)
        self.database.execute(f"INSERT INTO {table} SELECT * FROM rows")

    def delivery_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def print_table(self, table: pa.Table, json: bool) -> None:
        Context.print_table(self, table, json)  # type: ignore[arg-type]

    def add(self, uid: str, destination: str = "siem") -> None:
        row = [uid, f"finding-{uid}", 1, destination, "{}", datetime(2026, 3, 9)]
        self.database.execute("INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?)", row)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", SECRET)
    with Receiver([SECRET], [Reply(204), Reply(500, body=b"[red]\x1b[31mdown")]) as opened:
        yield opened


@pytest.fixture
def context(receiver: Receiver) -> FakeContext:
    return FakeContext(receiver.url)


def run(context: FakeContext, *arguments: str) -> Result:
    """Run `alerts` with the fake in the place of a context."""

    @click.group(context_settings={"help_option_names": ["-h", "--help"]})  # click keeps a command's first help option
    @click.pass_context
    def workertrail(own: click.Context) -> None:
        own.obj = Stand(context)

    workertrail.add_command(alerts)
    return CliRunner().invoke(workertrail, ["alerts", *arguments])


class Stand(Context):
    """A context by type, the fake by behaviour."""

    def __init__(self, fake: FakeContext) -> None:
        object.__setattr__(self, "_fake", fake)

    def __getattribute__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_fake"), name)


def test_deliver_says_what_it_did_and_fails_where_an_attempt_failed(context: FakeContext, receiver: Receiver) -> None:
    context.add("a")
    result = run(context, "deliver")
    assert result.output == "1 sent, 0 failed, 0 dead, 0 superseded, 0 waiting\n"
    assert result.exit_code == 0
    context.add("b")
    result = run(context, "deliver", "--json")
    assert json.loads(result.output) == {
        "sent": 0,
        "failed": 1,
        "dead": 0,
        "waiting": 1,
        "discarded": 0,
        "problems": [],
    }
    assert result.exit_code == 1
    assert receiver.verified == 2


def test_list_shows_states_and_filters(context: FakeContext) -> None:
    context.add("a")
    context.add("b")
    run(context, "deliver")
    rows = json.loads(run(context, "list", "--json").output)
    assert [(row["alert_uid"], row["state"], row["attempts"]) for row in rows] == [
        ("a", "delivered", 1),
        ("b", "failed", 1),
    ]
    only = json.loads(run(context, "list", "--state", "failed", "--json").output)
    assert [row["alert_uid"] for row in only] == ["b"]
    shown = run(context, "list").output
    assert "\x1b" not in shown
    assert run(context, "list", "--state", "nonsense").exit_code == 2


def test_retry_and_discard(context: FakeContext) -> None:
    context.add("a")
    assert run(context, "discard", "a").exit_code == 2, "a reason is needed"
    assert run(context, "discard", "a", "--reason", " ").exit_code == 2
    assert run(context, "discard", "a", "--reason", "a drill").output == "1 alert discarded\n"
    assert run(context, "retry", "a").output == "1 alert put back\n"
    assert run(context, "deliver").exit_code == 0
    result = run(context, "retry", "a")
    assert result.exit_code == 1
    assert "is delivered" in result.output
    result = run(context, "retry", "[red]\x1b[31mnobody")
    assert "'[red] [31mnobody'" in result.output


def test_a_destination_that_cannot_be_used_is_named(context: FakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    context.add("a")
    monkeypatch.delenv("TEST_WEBHOOK_SECRET")
    result = run(context, "deliver")
    assert result.exit_code == 1
    assert "siem: there is no secret in the environment variable TEST_WEBHOOK_SECRET" in result.output


@pytest.mark.parametrize("command", [("deliver",), ("retry", "a"), ("discard", "a", "--reason", "x")])
def test_while_a_delivery_is_under_way_nothing_else_happens(context: FakeContext, command: tuple[str, ...]) -> None:
    @contextmanager
    def taken() -> Iterator[None]:
        raise Timeout("delivery.lock")
        yield

    context.add("a")
    context.lock = taken()
    result = run(context, *command)
    assert result.exit_code == 1
    assert "another delivery is under way" in result.output
    assert context.read("SELECT * FROM deliveries").num_rows == 0
