"""A worker acts for somebody whom it may not act for.

Intensity: how many runs, from one to eight within the day, and for whom: a colleague from another team up to 0.5,
then somebody outside the company.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import deeds, habits
from pipelines.worlds.draws import base62
from pipelines.worlds.estate import Person
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _stranger(stage: Stage) -> Person:
    known = {person.mail for person in stage.worker.delegators}
    colleagues = [person for person in stage.estate.people if person.mail not in known]
    if stage.intensity <= GIVES_UP and colleagues:
        return deeds.pick(colleagues, stage.draws)
    account = base62(stage.draws, 17, 1, "00u")[0]
    return Person("Kim Doe", "kim.doe@contractor.example", account, "192.0.2.7", "contractor")


def _act(stage: Stage) -> Happenings:
    stranger, runs = _stranger(stage), count(stage, 1, 8)
    last = Play(stage, delegator=stranger, honest=False)
    _work(last)
    for _ in range(runs - 1):
        following = Play(stage, last.now + timedelta(minutes=4), delegator=stranger, honest=False)
        following.add(last.happened())
        _work(following)
        last = following
    return last.happened()


def _work(play: Play) -> None:
    """The worker's ordinary work, for the wrong person."""
    for use in habits.at_hand(play.worker)[:4] if play.session else ():
        play.use(use, play.usual(use))
    for site in habits.sites(play.worker, play.day)[:2]:
        play.site(site, 1)


def _rare_one(stage: Stage) -> Happenings:
    """For a person who is declared, though she seldom asks."""
    play = Play(stage, delegator=stage.worker.delegators[-1], honest=False)
    _work(play)
    return play.happened()


def _asks_a_lot(stage: Stage) -> Happenings:
    """One declared person asks for four runs in a row."""
    person = deeds.pick(stage.worker.delegators, stage.draws)
    first = Play(stage, delegator=person, honest=False)
    _work(first)
    for number in range(1, 4):
        following = Play(stage, stage.at + timedelta(minutes=6 * number), delegator=person, honest=False)
        _work(following)
        first.add(following.happened())
    return first.happened()


SCENARIO = Scenario(
    name="undeclared-delegator",
    family="delegation",
    story="A worker acts for a person who is not among its delegators.",
    suits=habits.is_delegated,
    act=_act,
    lookalikes=(
        Lookalike("a-rare-delegator", _rare_one, "A declared delegator who seldom asks."),
        Lookalike("one-person-asks-a-lot", _asks_a_lot, "A declared delegator with four runs in a row."),
    ),
)
