"""A key of the worker that was made for a rotation, and switched off again, is used.

Intensity: how many calls after the revocation, from one to sixty, and from the worker's own place (up to 0.5) or from
elsewhere. A few pass while the change spreads through AWS; the rest are refused.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import deeds, habits
from pipelines.worlds.bystanders import by_person
from pipelines.worlds.draws import aws_ids
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, INACTIVE, count, elsewhere, thiefs_agent
from pipelines.worlds.play import Play, genuine
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_MADE, _OFF, _PASS = timedelta(hours=3), timedelta(minutes=12), 2


def _suits(worker: Worker) -> bool:
    return habits.has_key(worker) and bool(habits.reads(worker))


def _second_key(stage: Stage) -> tuple[dict[str, object], Happenings]:
    """A person makes the worker a second key, hours ago."""
    owner, key = stage.worker.keys[-1], aws_ids(stage.draws, "AKIA", 1)[0]
    asked = {"userName": owner.user}
    answered = {"accessKey": {"accessKeyId": key, "status": "Active", "userName": owner.user}}
    made = by_person(
        stage, stage.at - _MADE, "iam", "CreateAccessKey", resource=owner.user_arn, request=asked, response=answered
    )
    return deeds.user_session(key, owner.user, owner.user_arn, owner.user_id, owner.account), made


def _switched_off(stage: Stage, session: dict[str, object], status: str = "Inactive") -> Happenings:
    owner = stage.worker.keys[-1]
    asked = {"userName": owner.user, "accessKeyId": session["access_key"], "status": status}
    return by_person(stage, stage.at - _OFF, "iam", "UpdateAccessKey", resource=owner.user_arn, request=asked)


def _act(stage: Stage) -> Happenings:
    session, made = _second_key(stage)
    play = Play(stage, begun=False).add(genuine(made), genuine(_switched_off(stage, session)))
    play.session, play.run = session, f"{stage.worker.name}-revoked-{stage.at:%Y%m%dT%H%M%S}"
    if stage.intensity > GIVES_UP:
        play.move(elsewhere(stage.draws), thiefs_agent(stage))
    use = habits.reads(stage.worker)[0]
    many = count(stage, 1, 60)
    passed = min(_PASS, many)
    play.use(use, passed, within=timedelta(seconds=50))
    if many > passed:
        left = many - passed
        play.wait(timedelta(minutes=6)).use(use, left, error=INACTIVE, within=timedelta(seconds=25 * left))
    return play.happened()


def _rotation(stage: Stage) -> Happenings:
    """The second key is tried once by its owner's worker, then switched off, and never used again."""
    session, made = _second_key(stage)
    play = Play(stage, stage.at - timedelta(hours=2), begun=False).add(made)
    play.session, play.run = session, f"{stage.worker.name}-trial-{stage.at:%Y%m%dT%H%M%S}"
    play.use(habits.reads(stage.worker)[0], 3)
    return play.add(_switched_off(stage, session)).happened()


def _looks_after_keys(stage: Stage) -> Happenings:
    owner = stage.worker.keys[-1]
    return by_person(
        stage, stage.at, "iam", "ListAccessKeys", resource=owner.user_arn, request={"userName": owner.user}, many=3
    )


SCENARIO = Scenario(
    name="revoked-key",
    family="credentials",
    story="A key that was switched off is used.",
    suits=_suits,
    act=_act,
    lookalikes=(
        Lookalike("rotation-called-off", _rotation, "A person makes a second key, tries it, and switches it off."),
        Lookalike("keys-listed", _looks_after_keys, "A person looks at the worker's keys."),
    ),
)
