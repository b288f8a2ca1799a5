"""`workertrail ack`, `suppress` and `reopen`: decide on a finding."""

from __future__ import annotations

import getpass
import re
from dataclasses import asdict
from datetime import datetime, timedelta

import click

from detectors.findings import printable
from detectors.manifest_values import end_of, moment, seconds
from pipelines import review
from pipelines.cli.context import Context, as_json, console, counted, instant, pass_context
from pipelines.run import utc_now


def _reason(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("say why: whoever reads the finding next will want to know")
    return value.strip()


def _by(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    """Who decides: as named, else whoever the operating system says is logged in."""
    if value is not None:
        if not value.strip():
            raise click.BadParameter("must not be empty")
        return value.strip()
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise click.BadParameter("the system does not know who you are: name somebody") from None


def _until(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """When it ends, as naive UTC: so long from now, or at the end of a day, or at an instant."""
    if value is None:
        return None
    now = utc_now()
    try:
        if re.fullmatch(r"[0-9]+[smhdw]", value):
            return now + timedelta(seconds=seconds(value))
        until = end_of(moment(value))
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!r} is no end; write 7d, 2026-12-31 or 2026-12-31T18:00:00Z") from None
    if until <= now:
        raise click.BadParameter(f"{value} has passed")
    return until


_UNTIL_HELP = "How long it holds: 7d, a day in UTC (inclusive), or an instant. After it the finding is open again."
_BY_HELP = "Who decides; the user of the operating system unless given."
_reason_option = click.option("--reason", required=True, callback=_reason, help="Why; it is kept with the finding.")
_by_option = click.option("--by", callback=_by, help=_BY_HELP)
_json_option = click.option("--json", "as_json_text", is_flag=True, help="Print what was done as JSON.")


@click.command()
@click.argument("uid")
@_reason_option
@click.option("--until", callback=_until, help=_UNTIL_HELP + " Without it, for good.")
@_by_option
@_json_option
@pass_context
def ack(context: Context, uid: str, reason: str, until: datetime | None, by: str, as_json_text: bool) -> None:
    """Acknowledge a finding: somebody has seen it and works on it.

    It stays in `findings` as acknowledged, and destinations that know of it are told. UID may be shortened.
    A later revision of the finding that is more severe is open again. `reopen` takes the decision back.
    """
    _decide(context, uid, "acknowledged", reason, until, by, as_json_text)


@click.command()
@click.argument("uid")
@_reason_option
@click.option("--until", required=True, callback=_until, help=_UNTIL_HELP)
@_by_option
@_json_option
@pass_context
def suppress(context: Context, uid: str, reason: str, until: datetime | None, by: str, as_json_text: bool) -> None:
    """Suppress a finding until a certain time: it is known and accepted.

    Destinations that know of it are told that it is closed, and hear nothing of its later revisions, unless one is
    more severe: that one is open. UID may be shortened. `reopen` takes the decision back.
    """
    _decide(context, uid, "suppressed", reason, until, by, as_json_text)


@click.command()
@click.argument("uid")
@_reason_option
@_by_option
@_json_option
@pass_context
def reopen(context: Context, uid: str, reason: str, by: str, as_json_text: bool) -> None:
    """Open a finding again that was acknowledged or suppressed. UID may be shortened."""
    _decide(context, uid, "reopened", reason, None, by, as_json_text)


def _decide(
    context: Context,
    uid: str,
    decision: review.Decision,
    reason: str,
    until: datetime | None,
    by: str,
    as_json_text: bool,
) -> None:
    try:
        done = review.decide(context.settings, uid, decision, by=by, reason=reason, until=until, now=utc_now())
    except review.NoSuchFinding as error:
        raise click.ClickException(printable(str(error))) from None
    if as_json_text:
        click.echo(as_json({**asdict(done), "by": by, "reason": reason, "until": until}))
        return
    end = f" until {instant(until)}" if until else ""
    out = console(wrap=False)
    out.print(printable(f"{done.finding_uid} is {done.status}{end}: {done.title}"))
    out.print(f"revision {done.revision}, decided by {printable(by)}; {counted(done.alerts, 'alert')} written")
