"""The demo world: five workers and everybody around them over 35 fixed days, with eight attacks in the last three.

2026-03-02 to 2026-04-05 (UTC), whatever the wall clock says; equal seeds give equal bytes. `write` lays out

    logs/cloudtrail/AWSLogs/...                  the main trail, both accounts
    logs/cloudtrail/regional-audit/AWSLogs/...   a second trail, with some of the same events
    logs/egress/access-YYYY-MM-DD.log            Squid
    logs/okta/YYYY-MM-DD.jsonl                   Okta System Log
    workers/NAME.yaml                            the five manifests
    workertrail.yaml                             the configuration
    truth/                                       what really happened (see `truth`)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.worlds.demo import attacks, emit_cloudtrail, emit_okta, emit_squid, lookalikes, people, truth
from pipelines.worlds.demo.chance import Chance
from pipelines.worlds.demo.clock import DAY, DAYS, moment
from pipelines.worlds.demo.demo_manifests import MANIFESTS, SECRET_VARIABLE, config
from pipelines.worlds.demo.estate import SUPPORT_DESK, Estate
from pipelines.worlds.demo.events import Caller, Happenings
from pipelines.worlds.demo.run import Run
from pipelines.worlds.demo.steps import Routine, WorkerKind
from pipelines.worlds.demo.truth import Incident
from pipelines.worlds.demo.workers import KINDS, PROCUREMENT

NEW_KEY_DEPLOYED = moment("2026-03-17 06:00")


@dataclass(frozen=True)
class DemoWorld:
    """A world that was written: where things lie, its attacks, and how many records each format has."""

    out: Path
    config: Path
    workers: Path
    logs: Path
    truth: Path
    webhook_url: str
    secret_variable: str
    incidents: tuple[Incident, ...]
    records: dict[str, int]


def write(out: Path, seed: int = 7, webhook_url: str = "http://127.0.0.1:8765/alerts") -> DemoWorld:
    """Write the world below `out`, which must be empty or absent (FileExistsError otherwise)."""
    if out.exists() and any(out.iterdir()):
        msg = f"{out} is not empty: give a new folder for the demo world, or empty this one"
        raise FileExistsError(msg)
    chance = Chance(seed)
    estate = Estate(chance.branch("estate"))
    into = Happenings()
    for kind in KINDS:
        for routine in kind.routines:
            for day in range(DAYS):
                _runs_of(into, estate, kind, routine, day, chance=chance.branch(f"{kind.name}/{routine.name}/{day}"))
    people.populate(into, estate, chance.branch("people"))
    lookalikes.act_out(into, estate, chance.branch("lookalikes"))
    plans = attacks.attack(into, estate, chance.branch("attacks"))

    written = _emit(into, out, chance.branch("emit"))
    incidents = truth.incidents_of(plans, written)
    truth.write(out / "truth", written, incidents, lookalikes.LOOKALIKES)
    workers = out / "workers"
    workers.mkdir(parents=True, exist_ok=True)
    for name, text in MANIFESTS.items():
        (workers / f"{name}.yaml").write_text(text, encoding="utf-8")
    (out / "workertrail.yaml").write_text(config(webhook_url), encoding="utf-8")
    return DemoWorld(
        out=out,
        config=out / "workertrail.yaml",
        workers=workers,
        logs=out / "logs",
        truth=out / "truth",
        webhook_url=webhook_url,
        secret_variable=SECRET_VARIABLE,
        incidents=incidents,
        records={name: sum(row.format == name for row in written) for name in ("cloudtrail", "squid", "okta")},
    )


def _runs_of(into: Happenings, estate: Estate, kind: WorkerKind, routine: Routine, day: int, *, chance: Chance) -> None:
    """All runs of one routine on one day."""
    starts = [at for place, rhythm in enumerate(routine.rhythm) for at in rhythm.times(day, chance.branch(f"{place}"))]
    for place, at in enumerate(starts):
        draws = chance.branch(f"run-{place}")
        delegator = draws.pick(SUPPORT_DESK) if kind.delegated else None
        caller = _standing_credential(estate, kind, at)
        run = Run(into, estate, kind, at, draws, delegator=delegator, caller=caller)
        run.gap = routine.gap
        run.load = routine.load_on(day)
        run.take(routine.steps).finish()


def _standing_credential(estate: Estate, kind: WorkerKind, at: int) -> Caller | None:
    """The procurement worker has a long-lived key, which was rotated once; the others have none."""
    if kind is not PROCUREMENT:
        return None
    if at < NEW_KEY_DEPLOYED:
        return estate.users["procurement-agent"].with_key(estate.procurement_old_key)
    return estate.user("procurement-agent")


def _emit(into: Happenings, out: Path, chance: Chance) -> list[truth.Written]:
    """Write all logs; the second trail repeats what it keeps until it is stopped."""
    buckets = out / "logs" / "cloudtrail"
    until = attacks.trail_stopped_at(into)
    repeated = [call for call in into.calls if emit_cloudtrail.on_second_trail(call, until)]
    return [
        *emit_cloudtrail.write(buckets, out, into.calls, chance.branch("main")),
        *emit_cloudtrail.write(buckets / "regional-audit", out, repeated, chance.branch("regional-audit"), step=DAY),
        *emit_squid.write(out / "logs" / "egress", out, into.lines),
        *emit_okta.write(out / "logs" / "okta", out, into.okta),
    ]
