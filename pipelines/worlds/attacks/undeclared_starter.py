"""A worker starts another one that it may not start: it takes on its role and works in its name.

Intensity: how much is then done in the other's name, from four calls to a hundred and sixty. Calls under the other's
role count as the other's, as the design defines it; the tunnels and the incident are the starter's.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import deeds, habits
from pipelines.worlds.estate import Estate, Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _others(estate: Estate, worker: Worker, declared: bool) -> list[Worker]:
    return [
        other
        for other in estate.workers
        if other.name != worker.name
        and other.roles
        and (other.name in worker.may_start) == declared
        and not other.delegators
        and habits.named(other)
    ]


def _start(stage: Stage, other: Worker, reads: int, *, truly: bool) -> Happenings:
    """Take on the other's role and do some of its work; `truly` started, it is the other's program that goes on."""
    play = Play(stage).work(2)
    play.take_on(other.roles[0], f"{other.name}-{stage.at:%H%M}")
    play.worker, play.delegator, play.region = other, None, other.region
    if truly:
        play.user, play.through = other.proxy_user, other.name
        play.client, play.agent = deeds.pick(other.addresses_on(play.day), stage.draws), other.agent_on(play.day)
    uses = habits.named(other)[:4]
    for use in uses:
        play.use(use, max(1, reads // len(uses)), within=timedelta(seconds=min(600, 3 * reads)))
    return play.happened()


def _act(stage: Stage) -> Happenings:
    others = _others(stage.estate, stage.worker, declared=False)
    return _start(stage, deeds.pick(others, stage.draws), count(stage, 4, 160), truly=False) if others else Happenings()


def _starts_its_own(stage: Stage) -> Happenings:
    others = _others(stage.estate, stage.worker, declared=True)
    return _start(stage, deeds.pick(others, stage.draws), 6, truly=True)


def _at_the_same_time(stage: Stage) -> Happenings:
    """Its own run, while others run beside it: nothing between them."""
    return Play(stage).work(5).happened()


SCENARIO = Scenario(
    name="undeclared-starter",
    family="delegation",
    story="A worker takes on the role of another that it may not start, and works as it.",
    suits=lambda worker: habits.has_session(worker) and not worker.may_start,
    act=_act,
    lookalikes=(
        Lookalike(
            "starts-its-own", _starts_its_own, "A worker that the manifest lets it start.",
            lambda worker: habits.has_session(worker) and bool(worker.may_start),
        ),
        Lookalike("at-the-same-time", _at_the_same_time, "A run of its own beside the runs of others."),
    ),
)  # fmt: skip
