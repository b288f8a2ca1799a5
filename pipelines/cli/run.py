"""`workertrail run` and `workertrail check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from filelock import Timeout

from detectors.findings import printable
from detectors.located import Problems
from detectors.manifest import warnings
from pipelines import review
from pipelines import run as work
from pipelines.alerts import deliver as delivery
from pipelines.alerts.deliver import DeliverySummary
from pipelines.alerts.destination import Unusable, all_destinations
from pipelines.alerts.states import OPEN
from pipelines.cli.context import Context, as_json, console, counted, instant, pass_context
from pipelines.detect import cases
from pipelines.detect.load import Loaded
from pipelines.lake.store import LakeError
from pipelines.pull import files

SHOWN_REASONS = 5
"""How many reasons (or files) of one kind are printed; the rest is counted."""


@click.command()
@click.option("--json", "as_json_text", is_flag=True, help="Print the summary as JSON.")
@pass_context
def run(context: Context, as_json_text: bool) -> None:
    """Pull to alerts once, and one pass of delivery.

    Exit code 1 where a file or no record of a source could be read, a detector failed or an alert is not delivered;
    everything else was done all the same, and the next run goes on from there.
    """
    what = work.plan(context.settings)
    started = work.utc_now()
    reopened = review.reopen_passed(context.settings, started)
    out = console()
    with out.status("pulling") as status:
        summary = work.run(what, lambda text: status.update(printable(text)) if out.is_terminal else None)
    delivered = deliver_once(context)
    errors = _errors_since(context, started) if summary.pulled.errors else []
    left = [] if delivered is ELSEWHERE else undelivered(context)
    strange = _unrecognised(context, {row["source"] for row in errors})
    noted = [*map(_from_now, summary.stitched.from_now if summary.stitched else ()), *_unmatched(context)]
    if as_json_text:
        told = {
            "reopened": reopened,
            "errors": errors,
            "unrecognised": strange,
            "undelivered": left,
            "warnings": noted,
            "delivery": asdict(delivered),
        }
        click.echo(as_json({"run_id": what.run_id, **asdict(summary), **told}))
    else:
        for line in [*lines(summary, delivered, errors), *map(_waits, left), *strange]:
            out.print(printable(line))
        if reopened:
            out.print(
                f"reviews  {counted(reopened, 'finding is', 'findings are')} open again: what was decided has ended"
            )
        for line in noted:
            out.print(printable(f"warning: {line}"))
    if summary.unreadable or summary.failures or left or strange:
        raise click.exceptions.Exit(1)


def _errors_since(context: Context, started: datetime) -> list[dict[str, Any]]:
    """Why records could not be read since a time (naive UTC), by source and reason, the most frequent first."""
    rows: list[dict[str, Any]] = context.read(
        """
        SELECT source, coalesce(reason, 'no reason') AS reason, count(*) AS records FROM records
        WHERE outcome = 'error' AND ingested_at >= ? GROUP BY ALL ORDER BY records DESC, source, reason
        """,
        [started],
    ).to_pylist()
    return rows


def _unrecognised(context: Context, failing: set[str]) -> list[str]:
    """Of the sources with errors those of which no record was ever read: most likely another format's logs."""
    if not failing:
        return []
    first = {
        row["source"]: row["object_uri"]
        for row in context.read(
            """
            SELECT source, arg_min(object_uri, ledger_seq) AS object_uri FROM objects
            WHERE list_contains(?, source) GROUP BY source HAVING sum(records) = sum(errors)
            """,
            [sorted(failing)],
        ).to_pylist()
    }
    return [
        f"no record of source {source.name} could be read as {source.format.name}: is it the right format?"
        f" The first file is {first[source.name]}"
        for source in context.settings.sources
        if source.name in first
    ]


def _from_now(worker: str) -> str:
    """What is told where a manifest changed and names no start."""
    return (
        f"manifest of {worker} changed: it counts from now on; to judge the past too, write `effective_from: DATE`"
        " (a date, or see docs/manifest.md)"
    )


def undelivered(context: Context) -> list[dict[str, Any]]:
    """The destinations that have not got all their alerts: how many wait, why, and when the next is tried."""
    if not context.settings.lake.exists:
        return []
    rows: list[dict[str, Any]] = context.read(
        f"""
        SELECT destination, count(*) AS alerts, arg_max(last_error, last_attempt) AS why,
               min(next_attempt_at) AS next_attempt_at
        FROM ({OPEN}) WHERE revision >= newest GROUP BY destination ORDER BY destination
        """
    ).to_pylist()
    return rows


def _waits(row: dict[str, Any]) -> str:
    """An entry of `undelivered` on one line."""
    why = row["why"] or "it was not tried"
    due = row["next_attempt_at"]
    when = f"tried again from {instant(due)} on, by the next run or `alerts deliver`" if due else "not tried again"
    return f"waiting  {row['destination']}: {counted(row['alerts'], 'alert')}: {why}; {when}"


ELSEWHERE = DeliverySummary(problems=("another delivery is under way; it sends what waits",))


def deliver_once(context: Context) -> DeliverySummary:
    """One pass of delivery; another delivery that is under way is left to do it."""
    if not context.settings.alerts:
        return DeliverySummary()
    try:
        with context.delivery_lock():
            return delivery.deliver(context.read, context.write, context.settings.alerts)
    except Timeout:
        return ELSEWHERE


def lines(summary: work.Summary, delivered: DeliverySummary, errors: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """The summary of a run for people; `errors` are rows of source, reason and records."""
    pulled = summary.pulled
    text = [
        f"pulled   {counted(pulled.objects, 'object')}: {counted(pulled.records, 'record')} ="
        f" {counted(pulled.actions, 'action')} + {counted(pulled.errors, 'error')}"
        f" + {counted(pulled.duplicates, 'duplicate')} + {pulled.skipped:,} skipped; {counted(pulled.grants, 'grant')}"
    ]
    if pulled.known_objects:
        known = counted(pulled.known_objects, "object was", "objects were")
        text.append(f"         {known} known already")
    if summary.held_back:
        text.append(f"         {summary.held_back:,} bytes of unfinished lines wait for the next run")
    text += [f"error    {row['source']}: {row['records']:,} x {row['reason']}" for row in errors[:SHOWN_REASONS]]
    if len(errors) > SHOWN_REASONS:
        text.append(f"error    and {counted(len(errors) - SHOWN_REASONS, 'other reason')}: see records in `query`")
    text += [f"unread   {problem}" for problem in summary.unreadable]
    text += [
        f"anew     {uri} did more than grow since it was read: it was read again, and both readings are in the ledger"
        for uri in summary.rewritten[:SHOWN_REASONS]
    ]
    if len(summary.rewritten) > SHOWN_REASONS:
        text.append(f"         and {len(summary.rewritten) - SHOWN_REASONS:,} more")
    if summary.stitched is None:
        text.append("stitched nothing new")
    else:
        bindings, chains = summary.stitched.bindings, summary.stitched.chains
        text.append(
            f"stitched {counted(bindings.added, 'binding')} and {counted(chains.added, 'chain')} changed;"
            f" {bindings.same:,} and {chains.same:,} stand"
        )
    if summary.findings is None:
        text.append("detected nothing new")
    else:
        found = summary.findings
        text.append(
            f"detected {counted(found.opened, 'finding')} opened, {found.revised:,} revised,"
            f" {found.resolved:,} resolved; {counted(found.alerts, 'alert')} written"
        )
    text += [f"failed   detector {failure.detector}: {failure.error}" for failure in summary.failures]
    text.append(
        f"alerts   {delivered.sent:,} sent, {delivered.failed:,} failed, {delivered.dead:,} dead,"
        f" {delivered.waiting:,} waiting"
    )
    return text + [f"         {problem}" for problem in delivered.problems]


def _unmatched(context: Context) -> list[str]:
    """The sources whose glob matches no file."""
    return [
        f"{context.config}: source {source.name}: no file matches {source.pattern!r} yet"
        for source in context.settings.sources
        if not files.find(source.pattern, source.base)
    ]


def _detectors(what: work.Plan) -> str:
    """How many detectors of which kind there are: one is a model, Sigma rules are known by their class."""
    sigma = sum("sigma" in type(one).__module__ for one in what.detectors)
    sql = len(what.detectors) - sigma
    return f"{counted(sql, 'SQL detector')}, {counted(sigma, 'Sigma rule')} and 1 model"


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


def _own(context: Context, what: work.Plan) -> list[Loaded]:
    """The detectors of the folders that `rules:` names."""
    folders = context.settings.rules
    return [one for one in what.detectors if any(Path(one.file).is_relative_to(folder) for folder in folders)]


def _removed(context: Context, what: work.Plan) -> list[str]:
    """The workers that the lake knows a manifest of and that no file declares any more."""
    if not context.settings.lake.exists:
        return []
    try:
        rows = context.read(
            "SELECT worker, arg_max(file, coalesce(recorded_at, TIMESTAMP '0001-01-01')) AS file FROM manifests"
            " GROUP BY worker ORDER BY worker"
        ).to_pylist()
    except LakeError as error:
        return [f"what the lake knows was not read: {error}"]
    declared = {one.worker for one in what.manifests}
    return [
        f"worker {row['worker']}: its manifest ({row['file'] or 'unknown file'}) was removed; the last version that a"
        " run saw stays in force"
        for row in rows
        if row["worker"] not in declared
    ]


@click.command()
@click.option("--all-cases", is_flag=True, help="Run the test cases of the catalogue's detectors too: a minute or so.")
@click.option("--json", "as_json_text", is_flag=True, help="Print what was found as JSON.")
@pass_context
def check(context: Context, all_cases: bool, as_json_text: bool) -> None:
    """Validate configuration, manifests and rules, and see what each source would read.

    The rules of your own folders must pass the test cases that they carry. Exit code 2 where anything is wrong.
    """
    what = work.plan(context.settings)
    if what.refused:
        raise Problems([problem for one in what.refused for problem in one.problems])
    own = _own(context, what)
    wrong = cases.failed(what.detectors if all_cases else own, context.settings.detectors.seconds)
    if wrong:
        raise Problems(wrong)
    noted = [str(problem) for problem in warnings(list(what.manifests), work.utc_now())]
    sources: list[dict[str, Any]] = [
        {"source": source.name, "format": source.format.name, "files": len(files.find(source.pattern, source.base))}
        for source in context.settings.sources
    ]
    noted += [f"{file}: carries no test case" for file in cases.without(own)]
    noted += _removed(context, what)
    noted += [str(problem) for problem in what.unread]
    noted += _unmatched(context)
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
        f"{counted(len(what.manifests), 'worker')}, {_detectors(what)}, {counted(len(sources), 'source')},"
        f" {counted(len(context.settings.alerts), 'destination')}: all valid"
    )
    for source_row in sources:
        out.print(f"  {source_row['source']}: {counted(source_row['files'], 'file')} of {source_row['format']}")
    for line in noted:
        out.print(printable(f"warning: {line}"))
