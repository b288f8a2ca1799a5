"""`workertrail maintain`: compaction, snapshot expiry, and the files that nothing needs any more."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import click

from pipelines.cli.context import Context, as_json, console, counted, pass_context
from pipelines.cli.drawing import size
from pipelines.lake.maintain import GRACE, Maintained
from pipelines.lake.maintain import maintain as maintain_lake
from pipelines.lake.store import LakeError

KEEP_DAYS = 30
"""A month: longer than it mostly takes to look into a finding, whose evidence is frozen anyway."""


@click.command()
@click.option(
    "--keep-days",
    type=click.IntRange(min=0),
    default=KEEP_DAYS,
    show_default=True,
    help="Snapshots older than so many days expire; the latest stays.",
)
@click.option(
    "--grace-minutes",
    type=click.IntRange(min=0),
    default=int(GRACE.total_seconds()) // 60,
    show_default=True,
    help="Files stay at least so long after they are last needed: a query that has begun may still read them.",
)
@click.option("--json", "as_json_text", is_flag=True, help="Print what was done as JSON.")
@pass_context
def maintain(context: Context, keep_days: int, grace_minutes: int, as_json_text: bool) -> None:
    """Compact the lake's tables, expire old snapshots, and delete the files that nothing needs.

    No row is changed or removed. A finding whose snapshot has expired keeps its frozen evidence. Runs wait meanwhile,
    readers do not. Doing it every night is enough.
    """
    if not context.settings.lake.exists:
        raise LakeError(f"there is no lake at {context.settings.lake.catalog} yet: `workertrail run` makes it")
    out = console()
    with out.status("waiting for the lake") as status:
        done = maintain_lake(
            context.settings.lake,
            keep=timedelta(days=keep_days),
            grace=timedelta(minutes=grace_minutes),
            progress=lambda text: status.update(text) if out.is_terminal else None,
        )
    if as_json_text:
        click.echo(as_json(asdict(done)))
        return
    for line in _lines(done):
        out.print(line)


def _lines(done: Maintained) -> list[str]:
    changed = [one for one in done.tables if one.before != one.after]
    text = [
        f"{one.table}: {counted(one.before.files + one.before.delete_files, 'file')}, {size(one.before.bytes)}"
        f" -> {counted(one.after.files + one.after.delete_files, 'file')}, {size(one.after.bytes)}"
        for one in changed
    ]
    if not changed:
        text.append("every table is compact already")
    text.append(f"snapshots: {done.snapshots_expired:,} expired, {done.snapshots_kept:,} kept")
    text.append(
        f"files deleted: {done.files_deleted:,} not needed any more, {done.orphans_deleted:,} that no table knew;"
        f" {done.files_waiting:,} wait for a later maintenance"
    )
    text.append(
        f"folder: {counted(done.folder_before.files, 'file')}, {size(done.folder_before.bytes)}"
        f" -> {counted(done.folder_after.files, 'file')}, {size(done.folder_after.bytes)}"
    )
    return text
