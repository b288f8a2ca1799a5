"""`workertrail run` and `workertrail check`."""

from __future__ import annotations

from dataclasses import asdict

import click
from filelock import Timeout

from detectors.findings import printable
from detectors.manifest import warnings
from pipelines import run as work
from pipelines.alerts import deliver as delivery
from pipelines.alerts.deliver import DeliverySummary
from pipelines.alerts.destination import Unusable, all_destinations
from pipelines.cli.context import Context, as_json, console, pass_context
from pipelines.pull import files


@click.command()
@click.option("--json", "as_json_text", is_flag=True, help="Print the summary as JSON.")
@pass_context
def run(context: Context, as_json_text: bool) -> None:
    """Pull to alerts once, and one pass of delivery.

    Exit code 1 where a file could not be read or a detector failed; everything else was done all the same.
    """
    what = work.plan(context.settings)
    out = console()
    with out.status("pulling") as status:
        summary = work.run(what, lambda text: status.update(printable(text)) if out.is_terminal else None)
    delivered = deliver_once(context)
    if as_json_text:
        click.echo(as_json({"run_id": what.run_id, **asdict(summary), "delivery": asdict(delivered)}))
    else:
        for line in lines(summary, delivered):
            out.print(printable(line))
    if summary.unreadable or summary.failures:
        raise click.exceptions.Exit(1)


def deliver_once(context: Context) -> DeliverySummary:
    """One pass of delivery; another delivery that is under way is left to do it."""
    if not context.settings.alerts:
        return DeliverySummary()
    try:
        with context.delivery_lock():
            return delivery.deliver(context.read, context.write, context.settings.alerts)
    except Timeout:
        return DeliverySummary(problems=("another delivery is under way; it sends what waits",))


def lines(summary: work.Summary, delivered: DeliverySummary) -> list[str]:
    """The summary of a run for people."""
    pulled = summary.pulled
    text = [
        f"pulled   {pulled.objects:,} objects: {pulled.records:,} records = {pulled.actions:,} actions"
        f" + {pulled.errors:,} errors + {pulled.duplicates:,} duplicates + {pulled.skipped:,} skipped;"
        f" {pulled.grants:,} grants"
    ]
    if pulled.known_objects:
        text.append(f"         {pulled.known_objects:,} objects were known already")
    if summary.held_back:
        text.append(f"         {summary.held_back:,} bytes of unfinished lines wait for the next run")
    text += [f"unread   {problem}" for problem in summary.unreadable]
    if summary.stitched is None:
        text.append("stitched nothing new")
    else:
        bindings, chains = summary.stitched.bindings, summary.stitched.chains
        text.append(
            f"stitched {bindings.added:,} bindings and {chains.added:,} chains changed;"
            f" {bindings.same:,} and {chains.same:,} stand"
        )
    if summary.findings is None:
        text.append("detected nothing new")
    else:
        found = summary.findings
        text.append(
            f"detected {found.opened:,} findings opened, {found.revised:,} revised, {found.resolved:,} resolved;"
            f" {found.alerts:,} alerts written"
        )
    text += [f"failed   detector {failure.detector}: {failure.error}" for failure in summary.failures]
    text.append(
        f"alerts   {delivered.sent:,} sent, {delivered.failed:,} failed, {delivered.dead:,} dead,"
        f" {delivered.waiting:,} waiting"
    )
    return text + [f"         {problem}" for problem in delivered.problems]


def _unusable(context: Context) -> list[str]:
    """The destinations that could not be used now (a secret is missing, say), and why; nothing is sent."""
    problems = []
    for settings in context.settings.alerts:
        try:
            with all_destinations()[settings.type].open(settings):
                pass
        except Unusable as error:
            problems.append(f"{settings.name}: {error}")
    return problems


@click.command()
@click.option("--json", "as_json_text", is_flag=True, help="Print what was found as JSON.")
@pass_context
def check(context: Context, as_json_text: bool) -> None:
    """Validate configuration, manifests and rules, and see what each source would read."""
    what = work.plan(context.settings)
    noted = [str(problem) for problem in warnings(list(what.manifests))]
    sources = []
    for source in context.settings.sources:
        found = len(files.find(source.pattern, source.base))
        sources.append({"source": source.name, "format": source.format.name, "files": found})
        if not found:
            noted.append(f"{context.config}: source {source.name}: no file matches {source.pattern!r} yet")
    noted += [f"{context.config}: alerts: {problem}" for problem in _unusable(context)]
    if as_json_text:
        click.echo(
            as_json(
                {
                    "workers": [one.worker for one in what.manifests],
                    "detectors": [one.id for one in what.detectors],
                    "sources": sources,
                    "destinations": [one.name for one in context.settings.alerts],
                    "warnings": noted,
                }
            )
        )
        return
    out = console()
    out.print(
        f"{len(what.manifests)} workers, {len(what.detectors) + 1} detectors, {len(sources)} sources,"
        f" {len(context.settings.alerts)} destinations: all valid"
    )
    for source_row in sources:
        out.print(f"  {source_row['source']}: {source_row['files']:,} files of {source_row['format']}")
    for line in noted:
        out.print(printable(f"warning: {line}"))
