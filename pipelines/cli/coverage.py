"""`workertrail coverage`: how much is attributed at which strength, and what would attribute more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click
import pyarrow as pa
from rich.text import Text

from detectors.findings import printable
from pipelines import gaps
from pipelines.cli.context import Context, as_json, console, counted, pass_context

STRENGTHS = ("proven", "asserted", "inferred", "ambiguous", "none")


@click.command()
@click.option("--worker", help="Only this worker's actions, and those that could be its.")
@click.option("--days", type=click.IntRange(min=1), help="Only the last days before the lake's latest action.")
@click.option("--json", "as_json_text", is_flag=True, help="Print JSON.")
@pass_context
def coverage(context: Context, worker: str | None, days: int | None, as_json_text: bool) -> None:
    """Show how much of each source is attributed at which strength, and what would close the gaps.

    A gap is a cause for which actions are nobody's: a log that is missing, a name that no manifest declares, a name
    that several workers share. The largest that can be closed comes first. What could not be measured is listed too.
    """
    found = gaps.coverage(context.settings.lake, worker=worker, days=days)
    if as_json_text:
        told = [{**asdict(gap), "can_be_closed": gap.can_be_closed} for gap in found.gaps]
        click.echo(as_json({"sources": found.sources, "gaps": told, "missing": found.missing}))
        return
    if not found.sources:
        said = f"no action is {printable(worker)}'s, or could be" if worker else "there are no actions yet"
        click.echo(said)
    else:
        context.print_table(pa.Table.from_pylist([_shares(row) for row in found.sources]), False, whole=("source",))
    out = console(wrap=False)
    for line in (*_gaps(found), *_missing(found)):
        out.print(line)


def _shares(row: dict[str, Any]) -> dict[str, str]:
    """A source's row of the table: its actions, and the share of each strength."""
    shares = {name: row["strengths"].get(name, 0) / row["actions"] for name in STRENGTHS}
    return {
        "source": row["source"],
        "actions": f"{row['actions']:,}",
        **{name: f"{share:.1%}" if share else "-" for name, share in shares.items()},
    }


def _gaps(found: gaps.Coverage) -> Iterator[Text]:
    closable = [gap for gap in found.gaps if gap.can_be_closed]
    others = [gap for gap in found.gaps if not gap.can_be_closed]
    total = sum(row["actions"] for row in found.sources)
    if closable:
        yield Text("what would attribute more", style="bold")
    for gap in closable:
        share = f"{gap.actions / total:.1%}"
        yield Text(printable(f"  {gap.actions:>9,}  ({share})  {gap.advice}"))
        yield from _examples(gap)
    if others:
        yield Text("what is nobody's and need not be", style="bold")
    for gap in others:
        yield Text(printable(f"  {gap.actions:>9,}  {gap.about}: {gap.advice}"))


def _examples(gap: gaps.Gap) -> Iterator[Text]:
    place = f"in {', '.join(gap.sources)}"
    if gap.examples and gap.kind != "shared":
        more = gap.of_names - len(gap.examples)
        rest = f" and {counted(more, 'other')}" if more > 0 else ""
        place += f": {', '.join(gap.examples)}{rest}"
    yield Text(printable(f"             {place}"), style="dim")


def _missing(found: gaps.Coverage) -> Iterator[Text]:
    if found.missing:
        yield Text("what could not be measured", style="bold")
    for row in found.missing:
        whose = row["worker"] or row["source"]
        yield Text(printable(f"  {whose + ': ' if whose else ''}{row['missing']}"))
