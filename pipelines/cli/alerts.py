"""`workertrail alerts`: the outbox, seen and emptied by hand."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict

import click
import pyarrow as pa
from filelock import Timeout
from rich.console import Console

from pipelines.alerts import deliver as delivery
from pipelines.alerts.states import STATES, states
from pipelines.alerts.text import cleaned
from pipelines.cli.context import Context, beginnings, is_narrow, pass_context, uid_length

STATE_NAMES = ("waiting", "failed", "delivered", "dead", "discarded")


@click.group()
def alerts() -> None:
    """The outbox: deliver what is due, list it, put alerts back or discard them."""


@alerts.command()
@click.option(
    "--until-done",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Go on for so long, or until nothing waits.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_context
def deliver(context: Context, until_done: float | None, as_json: bool) -> None:
    """Send what is due, once.

    Exit code 1 where an attempt failed, an alert went dead, or a destination was left alone.
    """
    with _locked(context):
        summary = delivery.deliver(context.read, context.write, context.settings.alerts, until_done=until_done)
    if as_json:
        click.echo(json_text.dumps(asdict(summary)))
    else:
        _print(
            f"{summary.sent} sent, {summary.failed} failed, {summary.dead} dead,"
            f" {summary.discarded} superseded, {summary.waiting} waiting"
        )
        for problem in summary.problems:
            _print(cleaned(problem, limit=500))
    if summary.failed or summary.dead or summary.problems:
        raise click.exceptions.Exit(1)


@alerts.command(name="list")
@click.option("--state", type=click.Choice(STATE_NAMES), help="Only alerts in this state.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_context
def list_alerts(context: Context, state: str | None, as_json: bool) -> None:
    """Show every alert and where it stands, oldest first."""
    table = states(context.read)
    if state is not None:
        table = table.filter([each == state for each in table["state"].to_pylist()])
    if not (as_json or table.num_rows):
        _print("nothing in the outbox" if state is None else f"nothing in the outbox is {state}")
        return
    if as_json or not is_narrow():
        context.print_table(table, as_json)
        return
    length = uid_length(context, "alerts", "alert_uid")
    short = {
        "alert": beginnings(table["alert_uid"], length),
        "finding": beginnings(table["finding_uid"], length),
        "rev": table["revision"],
        "destination": table["destination"],
        "state": table["state"],
        "tries": table["attempts"],
        "last error": table["last_error"],
    }
    context.print_table(pa.table(short), False, whole=("alert", "finding", "rev", "state"))


@alerts.command()
@click.argument("uid")
@pass_context
def retry(context: Context, uid: str) -> None:
    """Put an alert back: the next delivery tries it, under the id that it had.

    UID is an alert_uid, or the event_uid that a receiver saw (then at every destination); it may be shortened.
    """
    with _locked(context):
        uid = _whole(context, uid)
        count = delivery.retry(context.read, context.write, uid, now=delivery.utc_now())
    _report(uid, count, "put back")


@alerts.command()
@click.argument("uid")
@click.option("--reason", required=True, help="Why; it is kept with the alert.")
@pass_context
def discard(context: Context, uid: str, reason: str) -> None:
    """Never send an alert that is not delivered.

    UID is an alert_uid, or the event_uid that a receiver saw (then at every destination); it may be shortened.
    """
    if not reason.strip():
        raise click.BadParameter("say why", param_hint="--reason")
    with _locked(context):
        uid = _whole(context, uid)
        count = delivery.discard(context.read, context.write, uid, reason, now=delivery.utc_now())
    _report(uid, count, "discarded")


@contextmanager
def _locked(context: Context) -> Iterator[None]:
    """Hold the delivery lock, so that nobody writes about an alert that is just being sent."""
    with ExitStack() as stack:
        try:
            stack.enter_context(context.delivery_lock())
        except Timeout:
            raise click.ClickException("another delivery is under way; wait for its end and try again") from None
        yield


def _whole(context: Context, uid: str) -> str:
    """The one alert_uid or event_uid that begins so; what is unknown is given back as it is."""
    found = context.read(
        f"""
        SELECT alert_uid AS uid FROM ({STATES}) WHERE starts_with(alert_uid, $uid)
        UNION
        SELECT event_uid AS uid FROM ({STATES}) WHERE starts_with(event_uid, $uid)
        ORDER BY uid LIMIT 2
        """,
        {"uid": uid},
    )["uid"].to_pylist()
    if len(found) == 2 and uid not in found:
        raise click.ClickException(f"more than one alert begins with {cleaned(uid)!r}: write more of it")
    return uid if len(found) != 1 else str(found[0])


def _report(uid: str, count: int, done: str) -> None:
    if count == 0:
        raise click.ClickException(f"no alert {cleaned(uid)!r} can be {done}: there is none, or it is delivered")
    _print(f"{count} {'alert' if count == 1 else 'alerts'} {done}")


def _print(text: str) -> None:
    """Plain text: what it quotes was written by others, and is no markup."""
    Console(soft_wrap=True).print(text, markup=False, highlight=False, emoji=False)
