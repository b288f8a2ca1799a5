"""A worker is caught in a loop and does one thing again and again.

Intensity: how often, from thrice what a whole run has of calls to two hundred times it, in under an hour.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import deeds, habits
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import calls_a_run, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_MOST = 3_000
"""A loop meets the limits of the service at some point."""

_SLOW_DOWN = ("ThrottlingException", "Rate exceeded")


def _act(stage: Stage) -> Happenings:
    use = deeds.pick(habits.named(stage.worker), stage.draws)
    many = min(_MOST, round(calls_a_run(stage)) * count(stage, 3, 200))
    one = (use.resource or "").replace("{n}", "00017")
    within = timedelta(seconds=min(2_700, 2 * many))
    return Play(stage).work().use(use, many, resource=one, within=within).happened()


def _paging(stage: Stage) -> Happenings:
    """Page after page of a long listing: the same call, and a different cursor in each."""
    use = habits.reads(stage.worker)[-1]
    many = round(1.5 * calls_a_run(stage))
    return Play(stage).work(2).use(use, many, within=timedelta(seconds=3 * many)).happened()


def _backs_off(stage: Stage) -> Happenings:
    """Retries that wait twice as long each time."""
    use, play = habits.named(stage.worker)[0], Play(stage).work(2)
    for attempt in range(8):
        play.use(use, 1, error=_SLOW_DOWN).wait(timedelta(seconds=2**attempt / 2))
    return play.use(use, 1).happened()


def _suits(worker: Worker) -> bool:
    return habits.has_aws(worker) and bool(habits.reads(worker))


SCENARIO = Scenario(
    name="runaway-loop",
    family="loops",
    story="A worker does one thing again and again, hundreds of times.",
    suits=_suits,
    act=_act,
    lookalikes=(
        Lookalike("paging", _paging, "A long listing, read page by page."),
        Lookalike("backs-off", _backs_off, "Throttled retries of one declared call, ever slower."),
    ),
)
