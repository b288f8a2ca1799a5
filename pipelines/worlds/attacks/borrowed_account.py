"""A worker goes through the proxy under another worker's account, while it acts in AWS under its own role.

Intensity: how much it does so, from two tunnels that only look at the other's host to fifty that also carry ever
more bytes. Rows under the other's account count as the other's, as the design defines it; the address is the thief's.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import deeds, habits
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import amount, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _victims(stage: Stage) -> list[Worker]:
    return [
        other
        for other in stage.estate.workers
        if other.name != stage.worker.name
        and habits.has_proxy_user(other)
        and habits.has_outlet(other)
        and other.first_day <= stage.day
        and (other.last_day is None or other.last_day >= stage.day)
    ]


def _act(stage: Stage) -> Happenings:
    play, victims = Play(stage).work(), _victims(stage)
    if not victims:
        return Happenings()
    victim, many = deeds.pick(victims, stage.draws), count(stage, 2, 50)
    site = habits.outlets(victim, stage.day)[0]
    play.user, play.worker, play.delegator = victim.proxy_user, victim, None
    size = round(site.bytes_out[1] * amount(stage, 0.5, 12))
    return play.visit(site.host, many, bytes_out=size, within=timedelta(seconds=min(2_400, 30 * many))).happened()


def _neighbour(stage: Stage) -> Happenings:
    """Another worker of the team runs on the same machine, under its own account and its own role."""
    neighbours = [one for one in _victims(stage) if one.networks == stage.worker.networks]
    if not neighbours:
        return Happenings()
    play = Play(stage, worker=deeds.pick(neighbours, stage.draws))
    play.client = deeds.pick(stage.worker.addresses_on(stage.day), stage.draws)
    return play.work(4).happened()


def _busy(stage: Stage) -> Happenings:
    play = Play(stage).work(3)
    for site in habits.sites(stage.worker, stage.day)[:2]:
        play.site(site, play.usual(site, 2))
    return play.happened()


SCENARIO = Scenario(
    name="borrowed-account",
    family="movement",
    story="A worker goes out under another worker's proxy account.",
    suits=lambda worker: habits.has_aws(worker) and habits.has_proxy_user(worker),
    act=_act,
    lookalikes=(
        Lookalike("shared-machine", _neighbour, "A worker of the same team on the same machine."),
        Lookalike("busy-itself", _busy, "Twice its own requests, under its own account."),
    ),
)
