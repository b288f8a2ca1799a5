"""A worker is led astray slowly, each day a little further than the one before, so that no day is unlike the last.

Intensity: how fast it grows, from 6 % a day over eight days, begun at a fiftieth of a run's bytes, to nearly double
each day, begun at half.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.attacks.slow_exfiltration import daily
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import amount, sent_a_run
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_DAYS = 8


def _act(stage: Stage) -> Happenings:
    site = habits.outlets(stage.worker, stage.day)[0]
    base = sent_a_run(stage) * amount(stage, 0.02, 0.5)
    growth, parts = 1 + amount(stage, 0.06, 0.9), []
    for day in range(_DAYS):
        sent = round(base * growth**day * stage.draws.uniform(0.95, 1.05))
        parts.append(daily(stage, day).work(3).visit(site.host, 1, bytes_out=sent, bytes_in=5_000).happened())
    return Happenings.all_of(parts)


def _new_customers(stage: Stage) -> Happenings:
    """The work itself grows: every other day a run more."""
    parts = [
        Play(stage, stage.at + timedelta(days=day, minutes=7 * number)).work(6).happened()
        for day in range(_DAYS)
        for number in range(1 + day // 3)
    ]
    return Happenings.all_of(parts)


def _steady(stage: Stage) -> Happenings:
    """A further ordinary run a day, always of the same size."""
    return Happenings.all_of(daily(stage, day).work(6).happened() for day in range(_DAYS))


SCENARIO = Scenario(
    name="poisoned-baseline",
    family="evasion",
    story="A worker sends more each day, slowly enough to seem usual.",
    suits=habits.has_outlet,
    act=_act,
    lookalikes=(
        Lookalike("more-customers", _new_customers, "More runs over the days, each as always.", days=_DAYS),
        Lookalike("a-run-more-a-day", _steady, "One more ordinary run a day, and no growth.", days=_DAYS),
    ),
    days=_DAYS,
    measure="bytes_out",
)
