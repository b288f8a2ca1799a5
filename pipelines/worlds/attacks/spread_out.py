"""One theft, spread over several workers so that none of them does much.

Intensity: how much leaves in all, from a fifth of what a run sends to forty times it, and how far it is spread: over
three workers or six. The incident names the first; the rows name each.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, amount, sent_a_run
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_HOST = "ingest.data-relay.example"


def _together(stage: Stage) -> list[Worker]:
    """The stage's worker and others that are alive and may run at any hour, in the estate's order."""
    others = [
        other
        for other in stage.estate.workers
        if other.name != stage.worker.name
        and habits.has_outlet(other)
        and not other.schedule
        and other.first_day <= stage.day
        and (other.last_day is None or other.last_day > stage.day)
    ]
    begin = int(stage.draws.integers(max(1, len(others))))
    wanted = 5 if stage.intensity > GIVES_UP else 2
    return [stage.worker, *(others[begin:] + others[:begin])[:wanted]]


def _act(stage: Stage) -> Happenings:
    workers = _together(stage)
    whole = sent_a_run(stage) * amount(stage, 0.2, 40)
    parts = []
    for number, worker in enumerate(workers):
        play = Play(stage, stage.at + timedelta(minutes=13 * number), worker=worker).work(2)
        parts.append(play.visit(_HOST, 2, bytes_out=round(whole / len(workers) / 2), bytes_in=900).happened())
    return Happenings.all_of(parts)


def _all_at_once(stage: Stage) -> Happenings:
    """Several workers run at the same time, as after an outage."""
    return Happenings.all_of(Play(stage, worker=worker).work(4).happened() for worker in _together(stage))


def _one_after_the_other(stage: Stage) -> Happenings:
    """Several runs of one worker, one after the other."""
    return Happenings.all_of(
        Play(stage, stage.at + timedelta(minutes=11 * number)).work(4).happened() for number in range(4)
    )


SCENARIO = Scenario(
    name="spread-out",
    family="evasion",
    story="One theft, spread over several workers to one new host.",
    suits=habits.has_outlet,
    act=_act,
    lookalikes=(
        Lookalike("all-after-an-outage", _all_at_once, "Several workers catch up at once, each as always."),
        Lookalike("runs-in-a-row", _one_after_the_other, "Four ordinary runs of one worker in a row."),
    ),
    measure="bytes_out",
)
