"""A worker sends a little more than usual, day after day, to a host that it talks to anyway.

Intensity: how much more a day: from a tenth of what a run sends to five times it, over six days.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import amount, sent_a_run
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

DAYS = 6


def daily(stage: Stage, day: int) -> Play:
    """The play's run of one of its days, some minutes around the hour of the first."""
    minutes = stage.draws.uniform(0, 25)
    return Play(stage, stage.at + timedelta(days=day, minutes=minutes))


def _act(stage: Stage) -> Happenings:
    site = habits.outlets(stage.worker, stage.day)[0]
    a_day = sent_a_run(stage) * amount(stage, 0.1, 5)
    parts = []
    for day in range(DAYS):
        sent = round(a_day * stage.draws.uniform(0.8, 1.2))
        parts.append(daily(stage, day).work(3).visit(site.host, 1, bytes_out=sent, bytes_in=7_000).happened())
    return Happenings.all_of(parts)


def _growth(stage: Stage) -> Happenings:
    """Each day a run more of ordinary work: calls, bytes in and bytes out grow together."""
    parts = []
    for day in range(DAYS):
        for number in range(1 + day // 2):
            at = stage.at + timedelta(days=day, minutes=9 * number)
            parts.append(Play(stage, at).work(6).happened())
    return Happenings.all_of(parts)


def _end_of_month(stage: Stage) -> Happenings:
    """Two days with more to do, then as before."""
    parts = [Play(stage, stage.at + timedelta(days=day, minutes=8 * number)).work(6).happened()
             for day in range(2) for number in range(3)]  # fmt: skip
    return Happenings.all_of(parts)


SCENARIO = Scenario(
    name="slow-exfiltration",
    family="exfiltration",
    story="A worker sends a little more than usual, day after day.",
    suits=habits.has_outlet,
    act=_act,
    lookalikes=(
        Lookalike("organic-growth", _growth, "More runs every day: calls and bytes grow together.", days=DAYS),
        Lookalike("end-of-month", _end_of_month, "Two days of thrice the runs, all of them ordinary.", days=2),
    ),
    days=DAYS,
    measure="bytes_out",
)
