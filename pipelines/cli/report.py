"""`workertrail report`: one HTML file that needs no network."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, time, timedelta
from pathlib import Path

import click

from detectors.findings import printable
from pipelines import usage
from pipelines.cli.context import Context, as_json, console, pass_context
from pipelines.report.selection import Selection
from pipelines.report.text import plural, size
from pipelines.report.write import write

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f"]


class Instant(click.ParamType[datetime]):
    """A date or a time in UTC, with or without a Z; of a date its first instant, or its end (`end`)."""

    name = "time"

    def __init__(self, *, end: bool = False) -> None:
        self.end = end

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value).removesuffix("Z")
        for form in _FORMATS:
            try:
                parsed = datetime.strptime(text, form)
            except ValueError:
                continue
            whole_day = self.end and form == _FORMATS[0]
            return datetime.combine(parsed, time.min) + timedelta(days=1) if whole_day else parsed
        return self.fail(f"{text!r} is no time; write 2026-03-02 or 2026-03-02T09:30:00, in UTC", param, ctx)


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file; one of that name is replaced.",
)
@click.option("--since", type=Instant(), help="Only what happened from then on (UTC).")
@click.option("--until", type=Instant(end=True), help="Only what happened before then (UTC); a date is included.")
@click.option("--worker", help="Only this worker.")
@click.option("--snapshot", type=click.IntRange(min=0), help="Read the lake as it was at this snapshot.")
@click.option("--now", type=Instant(), help="The time that the report names as its own (else the clock's).")
@click.option("--json", "as_json_text", is_flag=True, help="Print what was written as JSON.")
@pass_context
def report(
    context: Context,
    out: Path,
    since: datetime | None,
    until: datetime | None,
    worker: str | None,
    snapshot: int | None,
    now: datetime | None,
    as_json_text: bool,
) -> None:
    """Write a report: findings, chains, each worker's declared scope against what it used, and what was not seen.

    One HTML file that opens from disk and asks nothing of any network. It holds log text and identifiers: only
    its owner may read it.
    """
    if since and until and since >= until:
        raise click.UsageError("--since must be before --until")
    if not out.parent.is_dir():
        raise click.ClickException(f"the folder {out.parent} does not exist")
    if worker and not usage.is_known(context.settings.lake, worker, snapshot):
        raise click.ClickException(f"no worker {printable(worker)!r}: no manifest and no action names it")
    say = console()
    with say.status("reading") as status:
        try:
            written = write(
                context.settings.lake,
                out,
                sources=context.settings.sources,
                selection=Selection(since, until, worker),
                snapshot=snapshot,
                now=now,
                config=context.config,
                progress=lambda text: status.update(text) if say.is_terminal else None,
            )
        except OSError as error:
            raise click.ClickException(f"cannot write {out}: {error.strerror or error}") from error
    if as_json_text:
        click.echo(as_json(asdict(written)))
        return
    say.print(
        printable(
            f"{written.file}: {plural(written.findings, 'finding')}, {plural(written.workers, 'worker')},"
            f" {plural(written.chains_drawn, 'chain')} drawn; snapshot {written.snapshot}, {size(written.bytes)}"
        )
    )
