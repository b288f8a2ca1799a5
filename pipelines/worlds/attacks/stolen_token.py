"""A worker's token is fetched from elsewhere, and taken to AWS from there.

Intensity: from one token and two reads like the worker's, to a token every few minutes and hundreds of reads under
another client.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from pipelines.worlds import deeds, habits
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import count, elsewhere, thiefs_agent
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _suits(worker: Worker) -> bool:
    return habits.has_web_identity(worker) and habits.has_okta(worker) and bool(habits.reads(worker))


def from_elsewhere(rows: Happenings, address: str, agent: str | None) -> Happenings:
    """A beginning of a run as it looks from another place: past the proxy, from another address."""
    place = {"address": address} | ({"agent": agent} if agent else {})
    return Happenings(
        calls=_with(rows, "calls", place),
        issuings=_with(rows, "issuings", place),
    )


def _with(rows: Happenings, name: str, place: dict[str, str]) -> pl.DataFrame:
    frame: pl.DataFrame = getattr(rows, name)
    return frame.with_columns(pl.lit(value).alias(column) for column, value in place.items())


def _act(stage: Stage) -> Happenings:
    address, agent = elsewhere(stage.draws), thiefs_agent(stage)
    runs, many, parts = count(stage, 1, 5), count(stage, 2, 200), []
    for number in range(runs):
        play = Play(stage, stage.at + timedelta(minutes=9 * number), honest=False)
        begun = from_elsewhere(play.happened(), address, agent)
        thief = Play(stage, play.now, begun=False).move(address, agent)
        thief.session, thief.run, thief.delegator = play.session, play.run, play.delegator
        each = max(1, many // runs)
        thief.use(habits.reads(stage.worker)[0], each, within=timedelta(seconds=min(480, 5 * each)))
        parts += [begun, thief.happened()]
    return Happenings.all_of(parts)


def _other_egress(stage: Stage) -> Happenings:
    """The company's other address, for the token and for AWS."""
    play = Play(stage, honest=False)
    begun = from_elsewhere(play.happened(), stage.estate.egress[-1], None)
    going_on = Play(stage, play.now, begun=False)
    going_on.session, going_on.run, going_on.delegator = play.session, play.run, play.delegator
    going_on.address = stage.estate.egress[-1]
    return going_on.use(habits.reads(stage.worker)[0], 3).add(begun).happened()


def _other_machine(stage: Stage) -> Happenings:
    """The newest client and another of its machines, as after a deploy."""
    play = Play(stage, honest=False)
    play.client = deeds.pick(stage.worker.addresses_on(stage.day), stage.draws)
    play.agent = stage.worker.agents[-1][1]
    return play.work(4).happened()


SCENARIO = Scenario(
    name="stolen-token",
    family="movement",
    story="A worker's token is fetched from elsewhere and taken to AWS from there.",
    suits=_suits,
    act=_act,
    lookalikes=(
        Lookalike("other-egress", _other_egress, "The company's traffic leaves by its other address."),
        Lookalike("after-a-deploy", _other_machine, "The newest client, on another of its machines."),
    ),
)
