"""`workertrail verify`: the custody ledger recomputed."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import click

from detectors.findings import printable
from pipelines.cli.context import Context, as_json, console, counted, pass_context
from pipelines.verify import State, Verified
from pipelines.verify import verify as verify_lake

SHOWN = 20
"""How many problems are printed; the rest is counted."""


@click.command()
@click.option("--head", metavar="HASH", help="A head that an earlier verify printed: it must still be in the ledger.")
@click.option("--json", "as_json_text", is_flag=True, help="Print every object as JSON.")
@pass_context
def verify(context: Context, head: str | None, as_json_text: bool) -> None:
    """Recompute the custody ledger: its chain of hashes, the SHA-256 of every object that still lies where it was
    pulled from, and that each object's records are actions, errors, duplicates or skipped.

    Exit code 1 where anything does not hold. Files that are gone are counted and break nothing. Note the head that is
    printed somewhere else: with --head, entries that were cut off at the end are noticed too.
    """
    out = console()
    with out.status("reading the ledger") as status:
        done = verify_lake(
            context.settings.lake,
            noted_head=head,
            progress=lambda text: status.update(text) if out.is_terminal else None,
        )
    if as_json_text:
        click.echo(as_json({**asdict(done), "problems": done.problems}))
    else:
        for line in _lines(done):
            out.print(printable(line))
    if done.problems:
        raise click.exceptions.Exit(1)


_WORDS: dict[State, str] = {
    "holds": "as they were pulled",
    "moved": "as they were pulled, in another file",
    "replaced": "rewritten and pulled again",
    "absent": "no longer there",
    "changed": "CHANGED",
}


def _lines(done: Verified) -> list[str]:
    states = Counter(one.state for one in done.objects)
    told = ", ".join(f"{states[state]:,} {words}" for state, words in _WORDS.items() if states[state])
    text = [f"ledger   {counted(done.entries, 'entry', 'entries')}, {counted(len(done.ledger), 'problem')}"]
    text.append(f"objects  {told or 'none'}")
    text.append(f"records  {counted(len(done.unaccounted), 'object does', 'objects do')} not add up")
    text += [f"problem  {problem}" for problem in done.problems[:SHOWN]]
    if len(done.problems) > SHOWN:
        text.append(f"         and {len(done.problems) - SHOWN:,} more (--json shows all)")
    return [*text, f"head     {done.head}"]
