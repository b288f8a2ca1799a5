"""A run takes on role after role until nobody can tell who it was.

Intensity: how many roles one after the other, from two to ten; above 0.5 the session names change on the way.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.draws import hexes
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count, made_up_role
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_ON_THE_WAY = ("pipeline-runtime", "data-bridge", "ops-relay", "shared-tooling", "batch-executor")


def _act(stage: Stage) -> Happenings:
    play, worker = Play(stage).work(2), stage.worker
    for hop in range(count(stage, 2, 10)):
        name = None
        if stage.intensity > GIVES_UP:
            name = f"svc-{hexes(stage.draws, 6, 1)[0]}"
        play.take_on(made_up_role(_ON_THE_WAY[hop % len(_ON_THE_WAY)], worker.account, stage.draws), name)
    play.calls("sts", "GetCallerIdentity")
    return play.calls("s3", "ListBuckets", bytes_in=8_000).happened()


def _one_hop_down(stage: Stage) -> Happenings:
    play = Play(stage).work(2).take_on((*stage.worker.roles[1:], *stage.worker.borrows)[0])
    for use in stage.worker.uses:
        if use.second:
            play.use(use, play.usual(use))
    return play.happened()


def _many_sessions(stage: Stage) -> Happenings:
    """Four short runs in a row, each with a first session of its own."""
    first = Play(stage).work(1)
    for number in range(1, 4):
        first.add(Play(stage, stage.at + timedelta(minutes=3 * number)).work(1).happened())
    return first.happened()


SCENARIO = Scenario(
    name="deep-chain",
    family="delegation",
    story="A run takes on one role after the other, deeper than it may.",
    suits=habits.has_session,
    act=_act,
    lookalikes=(
        Lookalike(
            "its-second-role", _one_hop_down, "The further role that its runs take on anyway.",
            lambda worker: habits.has_session(worker) and any(use.second for use in worker.uses),
        ),
        Lookalike("many-first-sessions", _many_sessions, "Four runs in a row: many sessions, none deeper than one."),
    ),
)  # fmt: skip
