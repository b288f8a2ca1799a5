"""One session is used by the worker and, at the same time, by somebody elsewhere.

Intensity: how many of the thief's calls lie between the worker's, from two to two hundred, and whether his client
looks like the worker's.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from pipelines.worlds import deeds, habits
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import count, elsewhere, thiefs_agent
from pipelines.worlds.play import Play, genuine
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _suits(worker: Worker) -> bool:
    return habits.has_session(worker) and bool(habits.reads(worker))


def _act(stage: Stage) -> Happenings:
    play, many = Play(stage).work(2), count(stage, 2, 200)
    begun, within = play.now, timedelta(seconds=max(60, min(1_500, 4 * many)))
    use = habits.reads(stage.worker)[0]
    own = Play(stage, begun, begun=False)
    own.session, own.run, own.delegator, own.client = play.session, play.run, play.delegator, play.client
    own.use(use, max(3, own.usual(use)), within=within)
    play.move(elsewhere(stage.draws), thiefs_agent(stage)).use(use, many, within=within)
    return play.add(genuine(own.happened())).happened()


def _two_ways_out(stage: Stage) -> Happenings:
    """The calls of one run leave by both addresses of the company in turn."""
    use, play = habits.reads(stage.worker)[0], Play(stage).work(2)
    many = max(4, play.usual(use))
    at = deeds.moments(play.now, many, timedelta(seconds=6 * many), stage.draws)
    ways = np.asarray((stage.estate.egress * many)[:many])
    for way in dict.fromkeys(stage.estate.egress):
        play.address = way
        these = at.filter(ways == way)
        if len(these):
            play.calls(
                use.service, use.operation, len(these), resource=use.resource, bytes_in=use.bytes_in[0], at=these
            )
    return play.happened()


def _two_runs(stage: Stage) -> Happenings:
    """Two runs of the worker at once, each under a session of its own."""
    one = Play(stage).work(4)
    other = Play(stage, stage.at + timedelta(seconds=7)).work(4)
    return one.add(other.happened()).happened()


SCENARIO = Scenario(
    name="concurrent-use",
    family="credentials",
    story="A session is used by the worker and by a thief at the same time.",
    suits=_suits,
    act=_act,
    lookalikes=(
        Lookalike("two-ways-out", _two_ways_out, "The proxy spreads one run over the company's own addresses."),
        Lookalike("two-runs-at-once", _two_runs, "Two runs of the worker overlap; each has its own session."),
    ),
)
