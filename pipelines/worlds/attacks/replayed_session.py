"""A session's credentials are carried off and used from another place after the run.

Intensity: how many calls, from two within minutes of the run, to a hundred. At 0.1 the thief is a colleague, so that
AWS sees the company's address and only the proxy another machine; then he is outside; above 0.5 with another client,
and he first asks who he is and looks for more.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import deeds, habits
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, carry_off, count, denied
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _suits(worker: Worker) -> bool:
    return habits.has_session(worker) and bool(habits.reads(worker))


def _act(stage: Stage) -> Happenings:
    play = Play(stage).work().wait(timedelta(minutes=2), timedelta(minutes=12))
    carry_off(play)
    if stage.intensity > GIVES_UP:
        play.calls("sts", "GetCallerIdentity").calls("s3", "ListBuckets", bytes_in=9_000)
        play.calls("iam", "ListAttachedRolePolicies", error=denied(stage, "iam", "ListAttachedRolePolicies"))
    many = count(stage, 2, 100)
    for use in habits.reads(stage.worker)[:2]:
        play.use(use, max(1, many // 2), within=timedelta(seconds=min(900, 8 * many)))
    return play.happened()


def _egress_changes(stage: Stage) -> Happenings:
    """The company's way out changes in the middle of a run."""
    play = Play(stage).work(2)
    play.address = stage.estate.egress[-1]
    for use in habits.reads(stage.worker)[:2]:
        play.use(use, play.usual(use))
    return play.happened()


def _other_client(stage: Stage) -> Happenings:
    """A second library within the same run."""
    play = Play(stage).work(2)
    play.agent = f"{play.agent} exec-env/Subprocess"
    for use in habits.reads(stage.worker)[:2]:
        play.use(use, play.usual(use))
    return play.happened()


def _from_all_machines(stage: Stage) -> Happenings:
    """The run goes on on another of the worker's machines."""
    play = Play(stage).work(2)
    play.client = deeds.pick(stage.worker.addresses_on(play.day), stage.draws)
    return play.use(habits.reads(stage.worker)[0], 3).happened()


SCENARIO = Scenario(
    name="replayed-session",
    family="credentials",
    story="The credentials of a run are used from elsewhere after it.",
    suits=_suits,
    act=_act,
    lookalikes=(
        Lookalike("egress-changes", _egress_changes, "The proxy's traffic leaves by the company's other address."),
        Lookalike("another-library", _other_client, "The same run calls with a second client from the same place."),
        Lookalike("another-machine", _from_all_machines, "The run moves to another of the worker's machines."),
    ),
)
