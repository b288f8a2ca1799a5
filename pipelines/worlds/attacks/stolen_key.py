"""A worker's long-lived key is used by somebody else, while the worker is idle.

Intensity: from three of the worker's own reads, at 0.1 by a colleague in the same network under a client like its
own, then from outside, to hundreds after looking around under another client.
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
    return habits.has_key(worker) and bool(habits.reads(worker))


def _thief(stage: Stage) -> Play:
    play = carry_off(Play(stage, begun=False))
    play.session = deeds.key_session(stage.worker, stage.day)
    play.run = f"{stage.worker.name}-stolen-{stage.at:%Y%m%dT%H%M%S}"
    return play


def _act(stage: Stage) -> Happenings:
    play = _thief(stage)
    if stage.intensity > GIVES_UP:
        play.calls("sts", "GetCallerIdentity").calls("s3", "ListBuckets", bytes_in=9_000)
        for operation in ("ListUsers", "ListAccessKeys", "GetAccountAuthorizationDetails"):
            play.calls("iam", operation, error=denied(stage, "iam", operation))
    many = count(stage, 3, 240)
    use = habits.reads(stage.worker)[0]
    return play.use(use, many, within=timedelta(seconds=min(2_400, 10 * many))).happened()


def _catches_up(stage: Stage) -> Happenings:
    """Three runs' work in one, after it had to wait."""
    play = Play(stage)
    for use in habits.at_hand(stage.worker):
        play.use(use, play.usual(use, 3))
    return play.happened()


def _other_way_out(stage: Stage) -> Happenings:
    play = Play(stage)
    play.address = stage.estate.egress[-1]
    return play.use(habits.reads(stage.worker)[0], 3).happened()


SCENARIO = Scenario(
    name="stolen-key",
    family="credentials",
    story="A worker's long-lived key is used by somebody else.",
    suits=_suits,
    act=_act,
    lookalikes=(
        Lookalike("catches-up", _catches_up, "Three runs' usual work in one, from its own place."),
        Lookalike("other-way-out", _other_way_out, "The key is used from the company's other address."),
    ),
)
