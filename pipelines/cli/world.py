"""`workertrail world` and `workertrail replay`: a world with known truth in real log formats, whole or bit by bit."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import click

from pipelines.cli.context import as_json, command_line, console
from pipelines.cli.report import Instant
from pipelines.worlds import replay as replaying
from pipelines.worlds.size import Size


class Refused(click.ClickException):
    """What was asked for cannot be, or would overwrite something."""

    exit_code = 2


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="A new or empty folder; nothing is overwritten."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Equal seeds and sizes give equal bytes.")
@click.option("--workers", type=int, default=30, show_default=True, help="How many workers live in it.")
@click.option("--days", type=int, default=28, show_default=True, help="How many days it lasts.")
@click.option("--events", type=int, default=100_000, show_default=True, help="About how many events happen.")
@click.option("--replay", is_flag=True, help="Hold the logs back; `replay` then hands them out as they are delivered.")
@click.option("--json", "as_json_text", is_flag=True, help="Print what was written as JSON.")
def world(out: Path, seed: int, workers: int, days: int, events: int, replay: bool, as_json_text: bool) -> None:
    """Write a world with known truth: logs in their real formats, manifests, a workertrail.yaml, and the truth.

    Benign life, attacks and what looks like attacks; logs that come late, twice or not at all. Seeds 0 to 19 are for
    tuning, 100 to 139 for reporting alone.
    """
    # Polars and the kinds of workers take a while to load, and every command loads this module.
    from pipelines.worlds import story, write  # noqa: PLC0415

    started = time.monotonic()
    say = console()
    try:
        size = Size(seed, workers, days, events)
        write.refuse_full(out)
        with say.status("who is in it") as status:

            def told(day: int) -> None:
                status.update(f"day {day + 1} of {days}")

            written = write.write(size, story.tell(size), out, replay=replay, told=told)
    except (ValueError, write.NotEmpty) as error:
        raise Refused(str(error)) from None
    seconds = round(time.monotonic() - started, 1)
    if as_json_text:
        found = {"out": str(out), "config": str(written.config), "records": dict(written.records)}
        click.echo(as_json({**found, "incidents": written.incidents, "seconds": seconds}))
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(written.records.items()))
    say.print(f"world    {counts} records, {written.incidents:,} attacks in {out}; took {seconds:.0f} s")
    line = f"{command_line()} --config {written.config} run"
    say.print(f"next     {command_line()} replay {out} --until TIME" if replay else f"next     {line}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--until", type=Instant(end=True), help="What is delivered by then (UTC); all of it unless given.")
@click.option("--json", "as_json_text", is_flag=True, help="Print what was done as JSON.")
def replay(folder: Path, until: datetime | None, as_json_text: bool) -> None:
    """Hand out the logs of a world that was written with --replay: what is delivered by a time and was not yet.

    Objects and ends of files come into its logs/ late, out of order and repeated, as the world has it.
    """
    try:
        done = replaying.deliver(folder, until)
        ends_at = replaying.ends_at(folder)
    except replaying.NoReplay as error:
        raise Refused(str(error)) from None
    if as_json_text:
        click.echo(as_json({"deliveries": done, "ends_at": ends_at}))
        return
    console().print(f"{done:,} deliveries; the last of all is at {ends_at:%Y-%m-%dT%H:%M:%S}Z")
