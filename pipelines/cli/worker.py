"""`workertrail worker`: one worker's declared authority against what it used, or all workers in a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click
import pyarrow as pa
from rich.text import Text

from detectors.findings import printable
from pipelines import usage
from pipelines.cli.context import (
    Context,
    as_json,
    console,
    counted,
    instant,
    is_narrow,
    pass_context,
    uid_length,
)
from pipelines.cli.drawing import COLOURS, STRENGTHS, number, size
from pipelines.report.text import span

Row = Mapping[str, Any]

DAYS = 30
"""A month of the worker's own time: long enough for what is done monthly."""


SHOWN_FINDINGS = 15
"""As many as the other lists have: the worst stand first, and the whole stays on a few screens."""


@click.command()
@click.argument("name", required=False)
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=DAYS,
    show_default=True,
    help="How far back from the worker's last action.",
)
@click.option("--json", "as_json_text", is_flag=True, help="Print JSON, everything.")
@pass_context
def worker(context: Context, name: str | None, days: int, as_json_text: bool) -> None:
    """Show what a worker may do against what it did: identities, scope line by line, limits, delegators, chains.

    Without a NAME, all workers with their counts.
    """
    if name is None:
        _list(context, as_json_text)
        return
    use = usage.of_worker(context.settings.lake, context.settings.sources, name, days)
    if use is None:
        raise click.ClickException(f"no worker {printable(name)!r}: no manifest and no action names it")
    if as_json_text:
        click.echo(as_json(asdict(use)))
        return
    out = console(wrap=False)
    length = uid_length(context, "findings", "finding_uid") if is_narrow() else 36
    for line in _drawn(use, length):
        out.print(line)


def _list(context: Context, as_json_text: bool) -> None:
    rows = usage.workers(context.settings.lake)
    if as_json_text:
        click.echo(as_json(rows))
        return
    if not rows:
        click.echo("no worker is known: no manifest was read yet")
        return
    shown = [
        {
            "worker": row["worker"],
            "manifest": "yes" if row["declared"] else "none",
            "actions": f"{row['actions']:,}",
            "proven": f"{row['proven'] / row['actions']:.0%}" if row["actions"] else "-",
            "open": f"{row['open_findings']:,}",
            "last action": row["last_at"].isoformat(sep=" ", timespec="minutes") if row["last_at"] else None,
        }
        for row in rows
    ]
    context.print_table(pa.Table.from_pylist(shown), False, whole=("worker", "last action"))


def _drawn(use: usage.WorkerUse, length: int) -> Iterator[Text]:
    yield from _head(use)
    yield from _identities(use)
    yield from _scope(use)
    yield from _limits(use.limits)
    yield from _delegators(use.delegators)
    yield from _chains(use.chains)
    more = len(use.findings) > SHOWN_FINDINGS
    of = f"{SHOWN_FINDINGS} of " if more else ""
    hint = f"findings --worker {use.worker} shows all"
    yield _title(f"open findings ({of}{len(use.findings):,}{'; ' + hint if more else ''})")
    for row in use.findings[:SHOWN_FINDINGS]:
        severity = (f"{row['severity']:<9}", COLOURS[row["severity"]])
        yield Text.assemble(f"  {row['finding_uid'][:length]}  ", severity, printable(row["title"]))


def _head(use: usage.WorkerUse) -> Iterator[Text]:
    yield Text(use.worker, style="bold")
    if use.manifest is None:
        yield Text("  no manifest declares it", style="red")
    else:
        for key in ("file", "owner", "purpose", "role", "mode", "environment"):
            if use.manifest[key]:
                yield _field(key, use.manifest[key])
        valid = use.manifest["valid"] or {}
        told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in valid.items())
        yield _field("valid", told or "without end")
        for key in usage.BOUNDS:
            if use.manifest[key]:
                yield _field(key, _bound(use.manifest[key]))
    if use.since and use.until:
        yield _field("period", f"{instant(use.since)} to {instant(use.until)}")
    strengths = ", ".join(f"{count:,} {name}" for name, count in use.strengths.items())
    yield _field("actions", f"{use.actions:,}" + (f": {strengths}" if strengths else ""))


def _bound(value: object) -> str:
    """A declared bound on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _identities(use: usage.WorkerUse) -> Iterator[Text]:
    yield _title("identities")
    for row in use.identities:
        yield Text.assemble(f"  {printable(row['uid'])}{' (shared)' if row['shared'] else ''}  ", *_seen(row))
    for row in use.undeclared:
        text = f"  {printable(row['name'])}  {counted(row['actions'], 'action')}, "
        yield Text.assemble(text, ("not declared: taken on under a declared one", "yellow"))


def _seen(row: Row) -> Iterator[tuple[str, str]]:
    if not row["actions"]:
        yield ("not seen", "dim")
        return
    for place, (strength, count) in enumerate(row["strengths"].items()):
        yield (f"{', ' if place else ''}{count:,} {strength}", STRENGTHS.get(strength, ""))


def _scope(use: usage.WorkerUse) -> Iterator[Text]:
    verdicts = ", ".join(f"{count:,} {_VERDICTS.get(name, name)}" for name, count in use.verdicts.items())
    yield _title(f"scope: {verdicts or 'nothing was judged'}")
    for row in use.lines:
        place = (f"{row['file']}:{row['line']}" if row["file"] else "") + (
            f"  ({row['tried']:,} without success)" if row["tried"] else ""
        )
        style = "" if row["actions"] else "dim"
        yield Text(printable(f"  {row['actions']:>9,}  {row['effect']} {row['line_says']}  {place}"), style=style)
    if use.outside:
        yield _title(f"outside the scope ({counted(use.outside[0]['of'], 'kind of call', 'kinds of call')})")
    for row in use.outside:
        why = f"denied by {row['file']}:{row['line']}" if row["verdict"] == "deny" else "no line allows it"
        example = f", such as {row['example']}" if row["example"] else ""
        yield Text(
            printable(f"  {row['actions']:>9,}  {row['operation'] or ''} {row['what'] or '?'}{example}: {why}"),
            style="red",
        )


_VERDICTS = {
    "allow": "allowed",
    "deny": "denied by a line",
    "out": "outside it",
    "unjudged": "no question of scope",
}


def _limits(rows: Sequence[Row]) -> Iterator[Text]:
    if rows:
        yield _title("limits")
    for row in rows:
        per = f" in {span(row['per_seconds'])}" if row["per_seconds"] else ""
        most = _amount(row["measure"], row["at_most"])
        place = f"{row['file']}:{row['line']}"
        if row["highest"] is None:
            held, style = "nothing was measured", "dim"
        else:
            when = f" around {instant(row['at'])}" if row["at"] else ""
            held = f"highest {_amount(row['measure'], row['highest'])}{when}"
            style = "red" if row["highest"] > row["at_most"] else ""
        yield Text(printable(f"  {row['measure']} at most {most}{per}: {held}  {place}"), style=style)


def _amount(measure: str, value: float) -> str:
    if measure.startswith("bytes"):
        return size(value)
    return str(span(int(value))) if measure == "token_lifetime" else number(value)


def _delegators(rows: Sequence[Row]) -> Iterator[Text]:
    if rows:
        yield _title(f"acts on behalf of ({rows[0]['of']:,})")
    for row in rows:
        yield Text(printable(f"  {row['delegator']}  {counted(row['actions'], 'action')}"))


def _chains(rows: Sequence[Row]) -> Iterator[Text]:
    if rows:
        of = rows[0]["of"]
        yield _title(f"chains (the latest {len(rows)} of {of:,})" if of > len(rows) else f"chains ({of:,})")
    for row in rows:
        found = f", {counted(row['findings'], 'finding')}" if row["findings"] else ""
        text = f"{row['started_at'].isoformat(sep=' ', timespec='minutes')}  {counted(row['actions'], 'action')}"
        yield Text(printable(f"  {row['chain_id']}  {text}, {row['strength']}{found}"))


def _title(text: str) -> Text:
    return Text(printable(text), style="bold")


def _field(name: str, value: str) -> Text:
    return Text.assemble((f"  {name:<12} ", "dim"), printable(str(value)))
