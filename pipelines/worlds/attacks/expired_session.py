"""The credentials of a session are tried after they have ended.

Intensity: how late and how often: from one call minutes after the end, from the worker's own place, to dozens for
hours, from elsewhere.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import EXPIRED, GIVES_UP, amount, count, elsewhere, thiefs_agent
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_LIFE = timedelta(hours=1)


def _suits(worker: Worker) -> bool:
    return habits.has_session(worker) and bool(habits.named(worker))


def _act(stage: Stage) -> Happenings:
    play = Play(stage).work()
    play.now = stage.at + _LIFE + timedelta(minutes=amount(stage, 7, 50))
    if stage.intensity > GIVES_UP:
        play.move(elsewhere(stage.draws), thiefs_agent(stage))
    many, uses = count(stage, 1, 40), habits.named(stage.worker)
    for number in range(many):
        play.use(uses[number % len(uses)], 1, error=EXPIRED)
        play.wait(timedelta(seconds=10), timedelta(seconds=90))
    return play.happened()


def _to_the_end(stage: Stage) -> Happenings:
    """A long run whose last calls come minutes before its credentials end."""
    play = Play(stage).work()
    play.now = stage.at + _LIFE - timedelta(minutes=4)
    for use in habits.named(stage.worker)[:2]:
        play.use(use, play.usual(use), within=timedelta(seconds=40))
    return play.happened()


def _renewed(stage: Stage) -> Happenings:
    """A run longer than its credentials, which takes new ones in time."""
    first = Play(stage).work()
    second = Play(stage, stage.at + timedelta(minutes=50), delegator=first.delegator)
    second.work()
    second.now = stage.at + timedelta(minutes=75)
    return first.add(second.work(2).happened()).happened()


SCENARIO = Scenario(
    name="expired-session",
    family="credentials",
    story="Somebody tries the credentials of a session that has ended.",
    suits=_suits,
    act=_act,
    lookalikes=(
        Lookalike("to-the-end", _to_the_end, "The last calls of a long run, within the life of its credentials."),
        Lookalike("renewed-in-time", _renewed, "A long run that takes new credentials before the old ones end."),
    ),
)
