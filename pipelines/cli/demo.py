"""`workertrail demo`: a world with known attacks, the whole pipeline over it, and what was caught."""

from __future__ import annotations

import base64
import os
import secrets
import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from detectors.findings import printable
from pipelines import run as work
from pipelines.alerts import deliver as delivery
from pipelines.alerts.receiver import Receiver
from pipelines.cli.context import Context, as_json, command_line, console
from pipelines.cli.run import lines
from pipelines.report.write import write
from pipelines.worlds.demo import build as world
from pipelines.worlds.demo.scoring import Score, score

MARK = ".workertrail-demo"
REPORT = "report.html"
DELIVERY_SECONDS = 60.0


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("data/demo"), show_default=True)
@click.option("--seed", type=int, default=7, show_default=True, help="Equal seeds give equal worlds.")
@click.option("--json", "as_json_text", is_flag=True, help="Print the summary as JSON.")
def demo(out: Path, seed: int, as_json_text: bool) -> None:
    """Write a world with eight known attacks, run everything over it, and say which were caught.

    Exit code 1 where an alert did not arrive, or a signature did not verify.
    """
    _clear(out)
    say = console()
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    started = time.monotonic()
    with Receiver([secret]) as receiver:
        written = world.write(out, seed=seed, webhook_url=receiver.url)
        (out / MARK).touch()
        os.environ[written.secret_variable] = secret
        context = Context(written.config)
        what = work.plan(context.settings)
        if not as_json_text:
            counts = ", ".join(f"{count:,} {name}" for name, count in sorted(written.records.items()))
            say.print(f"world    {counts} records of 35 days in {out}")
        summary = work.run(what)
        with context.delivery_lock():
            delivered = delivery.deliver(
                context.read, context.write, context.settings.alerts, until_done=DELIVERY_SECONDS
            )
        verified, refused = receiver.verified, receiver.refused
    report = write(context.settings.lake, out / REPORT, sources=context.settings.sources, config=context.config)
    found = context.read("SELECT * FROM findings WHERE status <> 'resolved'")
    result = score(written.truth, found)
    told = {row["finding_uid"]: row for row in found.to_pylist()}
    if as_json_text:
        click.echo(
            as_json(
                {
                    "run": asdict(summary),
                    "delivery": asdict(delivered),
                    "verified": verified,
                    "refused": refused,
                    "score": asdict(result),
                    "report": str(report.file),
                    "seconds": round(time.monotonic() - started, 1),
                }
            )
        )
    else:
        for line in [*lines(summary, delivered), *_attacks(result, told)]:
            say.print(printable(line))
        say.print(f"receiver {verified:,} signatures verified, {refused:,} refused")
        say.print(f"report   {report.file}")
        say.print(f"took     {time.monotonic() - started:.0f} s")
        words = [command_line(), "--config", str(written.config)]
        say.print(f"look     {shlex.join([*words, 'findings'])}")
    if refused or delivered.waiting or delivered.dead or verified == 0:
        raise click.exceptions.Exit(1)


def _attacks(result: Score, findings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The summary of attacks, a line each: a miss is printed as a miss.

    `findings` by their uid. An attack is told by the finding of the detector that is to find it.
    """
    caught = sum(outcome.caught for outcome in result.outcomes)
    text = [f"attacks  {caught} of {len(result.outcomes)} caught"]
    for outcome in result.outcomes:
        word = "caught" if outcome.caught else "MISSED"
        hits = [findings[uid] for uid in outcome.finding_uids]
        hits.sort(key=lambda row: row["detector"] != outcome.expected)
        told = f"{hits[0]['severity']}: {hits[0]['title']}" if hits else f"nothing by {outcome.expected}"
        text.append(f"  {word}  {outcome.id} {outcome.scenario} ({outcome.worker})")
        text.append(f"          {told}")
    text.append(f"false    {len(result.false)} findings rest on no attack")
    return text + [f"          {title}" for title in result.false]


def _clear(out: Path) -> None:
    """Make way for the world; a folder that is not a demo's own is never touched."""
    if not out.exists() or not any(out.iterdir()):
        return
    if not (out / MARK).exists():
        raise click.ClickException(f"{out} is not empty and no demo's: name another folder with --out")
    shutil.rmtree(out)
